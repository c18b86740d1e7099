"""The Recycle Bin: who was deleted in an app, how many days are left, and the question before somebody comes back.

Owns how the bin is asked for and answered; what may come back, and as whose account, is the service's affair.
"""

from typing import Any

from flask import Blueprint, Response, g, request, url_for
from flask_babel import gettext as _

from provision.core.remedies import Remedy, explain
from provision.core.tables import Connector
from provision.core.vocabulary import Feature, Role
from provision.services import connectors, recycling
from provision.services.errors import Invalid, NotFound, ServiceError
from provision.services.recycling import Lying
from provision.web import guard, people
from provision.web.forms import said
from provision.web.page import after, house, page

bp = Blueprint("recycling", __name__)

SOON = 3
"""Days at which what lies in the bin wants somebody's eye."""


@bp.get("/t/<tenant>/bin", endpoint="list")
@guard.may(Role.AUDITOR)
def every() -> Response:
    """Who lies in the bin of one app, read now; htmx takes the rows alone."""
    text = request.args.get("q", "")[:320]
    apps, app = _apps()
    found, trouble = None, None
    if app is not None:
        try:
            found = recycling.look(house().db.reading, house().connect, g.tenant.id, app.id or 0, people.order(), text)
        except ServiceError as error:
            trouble = explain(error.code, error.params)
    return page(
        "recycling/list.html", block="rows", apps=apps, app=app, text=text, found=found, trouble=trouble,
        soon=SOON, off=_off(app), may_operate=g.role != Role.AUDITOR,
    )  # fmt: skip


@bp.get("/t/<tenant>/bin/<int:app>/<anchor>")
@guard.may(Role.OPERATOR)
def ask(app: int, anchor: str) -> Response:
    """The question; htmx shows it as a dialog over the list."""
    return _question(app, anchor)


@bp.post("/t/<tenant>/bin/<int:app>/<anchor>")
@guard.may(Role.OPERATOR)
def restore(app: int, anchor: str) -> Response:
    """Bring it back: here at once, there as the app's mode says."""
    email = request.form.get("email", "").strip()
    at, was = house(), request.form.get("was", "")
    try:
        done = recycling.restore(
            at.db.reading, at.db.writing, at.connect, g.tenant.id, app, anchor, people.order(),
            None if email == was else email,
        )  # fmt: skip
    except NotFound:
        raise
    except ServiceError as error:
        return _question(app, anchor, error)
    people.told(done.effects)
    told = _("Added here; the account follows.") if done.added else _("Restored here.")
    return after(url_for("users.show", user=done.user_id), told)


# -- Putting the pages together ------------------------------------------------------------------------------------------


def _question(number: int, anchor: str, error: ServiceError | None = None) -> Response:
    lying = recycling.one(house().db.reading, house().connect, g.tenant.id, number, anchor, people.order())
    with house().db.reading() as session:
        app = connectors.get(session, g.tenant.id, number)
        off = _off(app)
        shown: dict[str, Any] = {"id": app.id, "name": app.name, "review": app.approval == "review"}
    return page(
        "recycling/ask.html",
        block="dialog",
        status=error.status if error else 200,
        app=shown,
        lying=lying,
        off=off,
        was=_address(lying),
        email=request.form.get("email", _address(lying)),
        errors=said(error) if isinstance(error, Invalid) else {},
        refusal=explain(error.code, error.params) if error and not isinstance(error, Invalid) else None,
    )


def _apps() -> tuple[list[Connector], Connector | None]:
    """The apps that have a recycle bin, and the one that is looked at."""
    with house().db.reading() as session:
        rows = [row for row in connectors.of(session, g.tenant.id) if house().kinds[row.kind].is_target]
        session.expunge_all()
    apps = [row for row in rows if recycling.keeps(house().connect, row)]
    wanted = request.args.get("app", "")
    return apps, next((row for row in apps if str(row.id) == wanted), apps[0] if apps else None)


def _off(app: Connector | None) -> Remedy | None:
    """Why nobody can be restored there."""
    if app is None or connectors.switched_on(app, Feature.CREATE):
        return None
    return explain("restore_off", {"app": app.name})


def _address(lying: Lying) -> str:
    return lying.address
