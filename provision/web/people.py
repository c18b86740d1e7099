"""Adding and editing people: the form, what it would mean elsewhere before the click, and what it meant after it.

Owns how a person is asked for and shown in a form; what may be saved is the services' affair.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from babel import Locale
from flask import Blueprint, Response, flash, g, request, url_for
from flask_babel import get_locale, ngettext
from flask_babel import gettext as _
from sqlmodel import Session

from provision.core import profile
from provision.core.remedies import explain
from provision.core.tables import User
from provision.core.vocabulary import Lifecycle, OperationKind, Role
from provision.services import mappings, outbox, users
from provision.services.errors import Conflict, Invalid, NotFound, ServiceError
from provision.services.outbox import Effect
from provision.services.users import Stale, foreseeing
from provision.services.users.foreseeing import Fate
from provision.web import guard
from provision.web.forms import said
from provision.web.page import after, house, page

bp = Blueprint("people", __name__)

MANAGER = "manager"
_ORDER = (
    "given_name", "surname", "username", "email", "display_name", "department", "title", "company", "employee_id", "mobile",
    "private_email", "usage_location", "preferred_language",
)  # fmt: skip


@bp.get("/t/<tenant>/users/new")
@guard.may(Role.OPERATOR)
def new() -> Response:
    """An empty form, and what Create User means in each app."""
    with house().db.reading() as session:
        return _form(session, None, {})


@bp.post("/t/<tenant>/users/new")
@guard.may(Role.OPERATOR)
def add() -> Response:
    """Create User: here at once, elsewhere as the switches say."""
    given = _entered()
    try:
        with house().db.writing() as session:
            saved = users.add(session, g.tenant.id, _resolved(session, given), order())
            shared = foreseeing.sharing(session, g.tenant.id, given.get("username", ""), saved.user_id)
    except Invalid as error:
        with house().db.reading() as session:
            there = users.twice(session, g.tenant.id, given, order())
            if there is None:
                return _form(session, None, given, error)
        return after(url_for("users.show", user=there), _("Created already; a second click adds nobody."), tone="info")
    if shared:
        flash(
            _("The username is also that of %(names)s. An app may refuse the second one.", names=", ".join(shared)),
            "warn",
        )
    told(saved.effects)
    return after(url_for("users.show", user=saved.user_id), _("Created here."))


@bp.post("/t/<tenant>/users/look")
@guard.may(Role.OPERATOR)
def look() -> Response:
    """What the form as it stands would mean; changes nothing."""
    number = request.form.get("person", "")
    with house().db.reading() as session:
        user = _load(session, int(number)) if number.isascii() and number.isdigit() and len(number) < 19 else None
        return _form(session, user, _entered())


@bp.get("/t/<tenant>/users/<int:user>/edit")
@guard.may(Role.OPERATOR)
def edit(user: int) -> Response:
    """The profile as a form."""
    with house().db.reading() as session:
        row = _load(session, user)
        return _form(session, row, _held(session, row))


@bp.post("/t/<tenant>/users/<int:user>/edit")
@guard.may(Role.OPERATOR)
def save(user: int) -> Response:
    """Save what was changed in the form. If somebody saved since, show both and keep what is chosen per field."""
    entered = _entered()
    version = request.form.get("version", "")
    try:
        with house().db.writing() as session:
            given = _resolved(session, _changed(entered))
            saved = users.edit(
                session, g.tenant.id, user, given, order(), version=int(version) if version.isdecimal() else None
            )
    except (Invalid, Conflict) as error:
        with house().db.reading() as session:
            row = _load(session, user)
            return _form(session, row, {**_held(session, row), **_changed(entered)}, error)
    told(saved.effects)
    said_so = _("Saved here.") if saved.changed else _("Nothing was changed.")
    return after(url_for("users.show", user=user), said_so, tone="done" if saved.changed else "info")


@bp.post("/t/<tenant>/users/<int:user>/now")
@guard.may(Role.OPERATOR)
def now(user: int) -> Response:
    """Bring one person's accounts in line now, and say why nothing happens where nothing does."""
    with house().db.writing() as session:
        _load(session, user)
        effects = outbox.enqueue(session, g.tenant.id, [user], order())
    told(effects)
    going = [effect for effect in effects if effect.operation_id and not effect.asks]
    quiet = [effect.app for effect in effects if not effect.operation_id and not effect.here_only]
    said_so = _("Going out now.") if going else ""
    if quiet and not going:
        said_so = _("%(apps)s: in line already, nothing to send.", apps=", ".join(quiet))
    elif not effects:
        said_so = _("No app has an account of this person, and none may create one.")
    return after(url_for("tracing.show", user=user), said_so, tone="done" if going else "info")


def order(**more: Any) -> outbox.Order:
    """How what follows from an operator's click is enqueued: somebody waits for it."""
    return outbox.Order(g.actor, g.now, house().kinds, **more)


def told(effects: Iterable[Effect]) -> None:
    """Say what does not go out at once, and why; the rest is watched on the person's page."""
    for effect in effects:
        kept = effect.here_only or {}
        for code in dict.fromkeys(kept.values()):
            names = ", ".join(name for name, why in kept.items() if why == code and name != "*")
            remedy = explain(code, {"attribute": names, "app": effect.app})
            where = _("%(app)s: changed here only.", app=effect.app)
            flash(" ".join(part for part in (where, f"{remedy.title}.", remedy.do) if part), "info")
        if effect.asks:
            flash(
                _("%(app)s: nothing was sent yet. It waits in the queue for somebody to approve it.", app=effect.app),
                "info",
            )


def told_of_many(effects: Iterable[Effect]) -> None:
    """The same for many people: one sentence for each app and reason."""
    asks, kept = Counter[str](), Counter[tuple[str, str]]()
    for effect in effects:
        asks.update([effect.app] if effect.asks else [])
        kept.update({(effect.app, code) for code in (effect.here_only or {}).values()})
    for (app, code), number in kept.items():
        remedy = explain(code, {"app": app})
        flash(_("%(app)s: %(n)s changed here only. %(why)s.", app=app, n=number, why=remedy.title), "info")
    for app, number in asks.items():
        flash(
            _(
                "%(app)s: nothing was sent yet. %(n)s wait in the queue for somebody to approve them.",
                app=app,
                n=number,
            ),
            "info",
        )


# -- Putting the form together -------------------------------------------------------------------------------------------


def _form(
    session: Session, user: User | None, values: Mapping[str, Any], error: ServiceError | None = None
) -> Response:
    tenant, kinds = g.tenant.id, house().kinds
    number = user.id if user else None
    fates = (
        foreseeing.of_edit(session, tenant, kinds, [number])
        if number
        else foreseeing.of_new(session, tenant, kinds, str(values.get("email", "")))
    )
    stale = error if isinstance(error, Stale) else None
    given = {
        "person": user,
        "name": users.shown(user.model_dump()) if user else "",
        "version": stale.version if stale else request.form.get("version") or (user.version if user else 0),
        "values": values,
        "was": _held(session, user) if user else {},
        "fields": _fields(session),
        "countries": _countries(str(values.get("usage_location") or "")),
        "fates": fates,
        "lying": foreseeing.lying(session, tenant, str(values.get("email", ""))) if user is None else [],
        "shared": foreseeing.sharing(session, tenant, str(values.get("username", "")), number),
        "fixed": _fixed(session, number),
        "both": _both(session, stale) if stale else {},
        "meanwhile": users.meanwhile(session, tenant, number, stale.behind) if stale and number else [],
        "errors": said(error) if isinstance(error, Invalid) else {},
        "refusal": explain(error.code, error.params) if error and not isinstance(error, Invalid) else None,
    }
    status = error.status if error else 200
    if user:
        return page("people/edit.html", block="foresight", status=status, **given)
    return page("people/new.html", block="foresight", status=status, **given)


def _fields(session: Session) -> list[tuple[str, str]]:
    known = mappings.user_attributes(session, g.tenant.id)
    own = [name for name in known if name.startswith(mappings.EXTRA)]
    return [(name, known[name]) for name in (*_ORDER, *own)]


def _entered() -> dict[str, str]:
    """What the form says, by attribute; of a conflict, only what is to be kept of ours."""
    names = (*_ORDER, MANAGER, *(name for name in request.form if name.startswith(mappings.EXTRA)))
    return {
        name: request.form[name] for name in names if name in request.form and request.form.get(f"keep-{name}") != "now"
    }


def _changed(entered: Mapping[str, str]) -> dict[str, str]:
    """What the person at the form has changed: everything else may have been changed by others meanwhile."""
    return {name: value for name, value in entered.items() if value.strip() != request.form.get(f"was-{name}")}


def _resolved(session: Session, given: Mapping[str, str]) -> dict[str, Any]:
    """The manager by number. Raises Invalid when nobody, or more than one, is meant."""
    values: dict[str, Any] = {name: value for name, value in given.items() if name != MANAGER}
    if MANAGER in given:
        text = given[MANAGER].strip()[:320]
        try:
            values["manager_id"] = users.find(session, g.tenant.id, text).id if text else None
        except (NotFound, Conflict) as error:
            raise Invalid({MANAGER: "manager_unknown"}) from error
    return values


def _held(session: Session, user: User) -> dict[str, str]:
    own = {f"{mappings.EXTRA}{name}": value for name, value in user.extra.items()}
    held = {name: getattr(user, name) for name in _ORDER} | own
    return {name: str(value or "") for name, value in held.items()} | {MANAGER: _named(session, user.manager_id)}


def _named(session: Session, number: int | None) -> str:
    boss = session.get(User, number) if number else None
    return str(boss.email or boss.username or boss.id) if boss and boss.tenant_id == g.tenant.id else ""


def _both(session: Session, stale: Stale) -> dict[str, tuple[str, str]]:
    both = {name: (str(now or ""), str(mine or "")) for name, (now, mine) in stale.both.items()}
    if "manager_id" in stale.both:
        both.pop("manager_id")
        both[MANAGER] = tuple(_named(session, one) for one in stale.both["manager_id"])  # type: ignore[assignment]
    return both


def _fixed(session: Session, number: int | None) -> dict[str, str]:
    """Our attribute → why it does not follow, said at its field; what a switch says is said once, beside the form."""
    if number is None:
        return {}
    found = foreseeing.fixed(session, g.tenant.id, house().kinds, number)
    codes = {name: code for one in found.values() for name, code in one.ours.items() if code != "edit_off"}
    return {name: explain(code).title for name, code in codes.items()}


def _countries(chosen: str) -> list[tuple[str, str]]:
    names = Locale.parse(str(get_locale() or "en")).territories
    listed = {
        code: name for code, name in names.items() if len(code) == 2 and code.isalpha() and code not in _NO_COUNTRY
    }
    if chosen:
        listed.setdefault(chosen, chosen)
    return [("", _("not set")), *sorted(listed.items(), key=lambda pair: pair[1])]


_NO_COUNTRY = ("EU", "EZ", "UN", "ZZ", "XA", "XB", "QO")


def _load(session: Session, number: int) -> User:
    row = session.get(User, number)
    if row is None or row.tenant_id != g.tenant.id:
        raise NotFound("user_not_found")
    if row.lifecycle == Lifecycle.LEFT and request.method == "GET":
        raise Conflict("user_has_left")
    return row


@bp.app_template_global()
def longest(attribute: str) -> int:
    """How many characters an attribute takes."""
    return profile.LIMITS.get(attribute, profile.LONGEST)


@bp.app_template_global()
def foretold(fate: Fate) -> dict[str, str]:
    """One app's fate in words: look, icon, the sentence in front and the one behind."""
    what = {
        OperationKind.CREATE: _("Created in %(app)s", app=fate.app),
        OperationKind.UPDATE: _("Changed in %(app)s", app=fate.app),
        OperationKind.DISABLE: _("Sign-in is blocked in %(app)s", app=fate.app),
        OperationKind.ENABLE: _("Sign-in is allowed again in %(app)s", app=fate.app),
        OperationKind.DELETE: _("Deleted in %(app)s", app=fate.app),
        OperationKind.RESTORE: _("Restored in %(app)s", app=fate.app),
    }
    if fate.code == "set_by_directory_sync":
        title = _("Changed here only, not in %(app)s", app=fate.app)
        return {
            "icon": "hand-stop",
            "title": title,
            "more": _("Your own directory owns this there: do it in that directory."),
        }
    if fate.kind is None:
        remedy = explain(fate.code, {"app": fate.app, "attribute": "…"}) if fate.code else None
        title = _("Changed here only, not in %(app)s", app=fate.app)
        return {
            "icon": "hand-stop",
            "title": title,
            "more": f"{remedy.title}. {remedy.do}" if remedy else _("Nothing is to be done there."),
        }
    more = [
        _("The account goes to the recycle bin and can be restored for 30 days.")
        if fate.kind is OperationKind.DELETE
        else "",
        _("You approve it in the queue first.") if fate.review else "",
        ngettext("You can undo it for one second.", "You can undo it for %(num)d seconds.", fate.hold)
        if fate.hold
        else "",
        _("It waits: the app is paused.") if fate.waits == "paused" else "",
        _("It waits: the app is in quarantine.") if fate.waits == "quarantined" else "",
    ]
    icon = "eye" if fate.review else "clock" if fate.hold or fate.waits else "check"
    return {"icon": icon, "title": what[fate.kind], "more": " ".join(one for one in more if one)}
