"""What can be pressed when something went wrong: the actions of a remedy as links into the console.

Owns the table of actions and their words; which of them helps is data (``core/remedies/actions.toml``).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, g, url_for
from flask_babel import gettext as _

from provision.core.remedies import Remedy
from provision.core.vocabulary import Role

bp = Blueprint("remedies", __name__)


@dataclass(frozen=True, slots=True)
class Place:
    """What the place where a remedy is drawn knows."""

    app: int | None = None
    user: int | None = None
    account: int | None = None


@dataclass(frozen=True, slots=True)
class Press:
    """One button. ``asks``: its page is a question, shown as a dialog where there is script."""

    name: str
    label: str
    url: str
    asks: bool = False


def _of_app(endpoint: str, anchor: str | None = None) -> Callable[[Place], str | None]:
    return lambda at: url_for(endpoint, app=at.app, _anchor=anchor) if at.app else None


def _of_user(endpoint: str) -> Callable[[Place], str | None]:
    return lambda at: url_for(endpoint, user=at.user) if at.user else None


def _of_account(what: str) -> Callable[[Place], str | None]:
    return lambda at: url_for("deciding.ask", account=at.account, what=what) if at.account else None


ACTIONS: Mapping[str, Callable[[Place], str | None]] = {
    "app": _of_app("apps.show"),
    "consent": _of_app("apps.show", "consent"),
    "settings": _of_app("apps.show", "settings"),
    "secret": _of_app("apps.show", "credential"),
    "provisioning": _of_app("provisioning.show"),
    "imports": _of_app("imports.show"),
    "bin": _of_app("recycling.list"),
    "file": _of_app("files.show"),
    "tokens": _of_app("apps.show", "tokens"),
    "drift": _of_app("drift.show"),
    "licences": _of_app("apps.show", "seats"),
    "person": _of_user("users.show"),
    "edit": _of_user("people.edit"),
    "queue": lambda _at: url_for("queue.show"),
    "retry": lambda _at: None,  # the button stands beside the change already
    **{what: _of_account(what) for what in ("link", "restore", "beside", "back", "unlink")},
}
"""Action → its address, None where the place does not know what it needs."""

_ASKS = frozenset({"link", "restore", "beside", "back", "unlink"})
_FOR_OPERATORS = _ASKS | {"edit"}


@bp.app_template_global()
def presses(
    remedy: Remedy | None, app: int | None = None, user: int | None = None, account: int | None = None
) -> list[Press]:
    """The buttons of a remedy at this place, for whoever reads it."""
    if remedy is None:
        return []
    place = Place(app, user, account)
    open_ = [name for name in remedy.actions if g.get("role") != Role.AUDITOR or name not in _FOR_OPERATORS]
    found = [(name, url) for name in open_ if (url := ACTIONS[name](place))]
    labels = _labels()
    return [Press(name, labels[name], url, name in _ASKS) for name, url in found]


def _labels() -> dict[str, Any]:
    return {
        "app": _("Open the app"),
        "consent": _("Grant Administrator Consent"),
        "settings": _("Edit settings"),
        "secret": _("Renew secret"),
        "provisioning": _("Open Provisioning"),
        "imports": _("Open Import Users"),
        "bin": _("Open the recycle bin"),
        "file": _("Open the file"),
        "tokens": _("See the tokens"),
        "drift": _("Open Drift"),
        "licences": _("See the seats"),
        "person": _("Show the person"),
        "edit": _("Change the value"),
        "queue": _("Open the queue"),
        "link": _("Compare and link…"),
        "restore": _("Restore it…"),
        "beside": _("Create a new account…"),
        "back": _("Restore it…"),
        "unlink": _("Let it go…"),
    }
