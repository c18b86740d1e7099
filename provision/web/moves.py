"""Disabling, enabling, deleting and restoring people, one or many; editing many at once; and taking it back in time.

Owns the question before and the words after; what may be done, and what follows elsewhere, is the services' affair.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from flask import Blueprint, Response, g, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlmodel import Session

from provision.core.remedies import Remedy, explain
from provision.core.tables import User
from provision.core.vocabulary import Lifecycle, OperationKind, Role, Situation
from provision.services import mappings, outbox, users
from provision.services.errors import Invalid, NotFound, ServiceError
from provision.services.users import Move, foreseeing
from provision.services.users.finding import PROBLEMS
from provision.web import guard, people
from provision.web.forms import said
from provision.web.page import TYPED_ABOVE, after, house, page

bp = Blueprint("moves", __name__)


@bp.get("/t/<tenant>/users/<int:user>/<how>")
@guard.may(Role.OPERATOR)
def confirm(user: int, how: str) -> Response:
    """The question; htmx shows it as a dialog over the page."""
    with house().db.reading() as session:
        return _question(session, user, _wanted(how))


@bp.post("/t/<tenant>/users/<int:user>/<how>")
@guard.may(Role.OPERATOR)
def move(user: int, how: str) -> Response:
    """Do it: here at once, elsewhere after the hold or the approval."""
    wanted = _wanted(how)
    try:
        with house().db.writing() as session:
            saved = _move(session, user, wanted)
    except NotFound:
        raise
    except ServiceError as error:
        with house().db.reading() as session:
            return _question(session, user, wanted, error)
    people.told(saved.effects)
    held = any(effect.operation_id and effect.due_at and effect.due_at > g.now for effect in saved.effects)
    back = url_for("users.list") if wanted is Move.DELETE else url_for("users.show", user=user)
    return after(back, "" if held else _done(wanted, 1))


@bp.post("/t/<tenant>/users/bulk")
@guard.may(Role.OPERATOR)
def bulk() -> Response:
    """The same for many: first how many and who, then, with ``sure``, the deed."""
    how = request.form.get("do", "")
    if how not in ("edit", *Move):
        raise NotFound("page_not_found")
    try:
        with house().db.writing() as session:
            ids = chosen(session)
            if not request.form.get("sure") or (how == "edit" and not _as_shown()):
                return _bulk_page(session, how, ids)
            done = _edit_many(session, ids) if how == "edit" else _move_many(session, Move(how), ids)
    except NotFound:
        raise
    except ServiceError as error:
        return _bulk_again(how, error)
    return after(url_for("users.list"), done)


@bp.post("/t/<tenant>/users/undo")
@guard.may(Role.OPERATOR)
def undo() -> Response:
    """Take back what this operator has just disabled or deleted and what has not gone out yet."""
    with house().db.writing() as session:
        held = foreseeing.held(session, g.tenant.id, g.actor, g.now)
        if held is None:
            return after(
                url_for("users.list"),
                _("It is too late to undo: it has gone out. You can restore instead."),
                tone="warn",
            )
        back = Move.RESTORE if held.kind is OperationKind.DELETE else Move.ENABLE
        earlier = foreseeing.suspended_before(session, g.tenant.id, held.user_ids) if back is Move.RESTORE else []
        done = users.move_many(session, g.tenant.id, held.user_ids, back, people.order())
        users.move_many(session, g.tenant.id, earlier, Move.DISABLE, people.order())
    number = len(done.moved)
    told = ngettext("Undone. Nothing was sent.", "Undone for %(num)d people. Nothing was sent.", number)
    return after(url_for("users.show", user=done.moved[0]) if number == 1 else url_for("users.list"), told)


# -- One -----------------------------------------------------------------------------------------------------------------


def _move(session: Session, user: int, how: Move) -> users.Saved:
    version = request.form.get("version", "")
    more: dict[str, Any] = {"version": int(version) if version.isdecimal() else None, "owner": g.role == Role.OWNER}
    if how is Move.RESTORE:
        return users.restore(
            session, g.tenant.id, user, people.order(), email=request.form.get("email", "").strip() or None, **more
        )
    return users.move(session, g.tenant.id, user, how, people.order(), **more)


def _question(session: Session, number: int, how: Move, error: ServiceError | None = None) -> Response:
    row = session.get(User, number)
    if row is None or row.tenant_id != g.tenant.id:
        raise NotFound("user_not_found")
    preview = users.preview_many(session, g.tenant.id, [number], how, owner=g.role == Role.OWNER)
    return page(
        "moves/confirm.html",
        block="dialog",
        status=error.status if error else 200,
        person=row,
        name=users.shown(row.model_dump()),
        how=how.value,
        fates=foreseeing.of_move(session, g.tenant.id, house().kinds, [number], how),
        guards=_guards(session, number, how),
        refused=_reasons(preview.refused.values(), row, how),
        email=request.form.get("email", row.email or ""),
        errors=said(error) if isinstance(error, Invalid) else {},
        refusal=explain(error.code, error.params) if error and not isinstance(error, Invalid) else None,
        meanwhile=users.meanwhile(session, g.tenant.id, number, error.behind) if isinstance(error, users.Stale) else [],
    )


def _guards(session: Session, number: int, how: Move) -> list[Remedy]:
    """What protects this person's accounts from being taken away by anything but a person's own click."""
    if how not in (Move.DISABLE, Move.DELETE):
        return []
    found = foreseeing.fixed(session, g.tenant.id, house().kinds, number).values()
    codes = [one.why or (None if one.known else "protection_unknown") for one in found]
    return [explain(code) for code in dict.fromkeys(codes) if code]


def _wanted(how: str) -> Move:
    if how not in tuple(Move):
        raise NotFound("page_not_found")
    return Move(how)


def _reasons(codes: Iterable[str], row: User, how: Move) -> list[Remedy]:
    then = {Move.DISABLE: Lifecycle.SUSPENDED, Move.DELETE: Lifecycle.LEFT}.get(how, Lifecycle.ACTIVE)
    return [explain(code, {"lifecycle": str(row.lifecycle), "then": str(then)}) for code in codes]


def _done(how: Move, number: int) -> str:
    said_so = {
        Move.DISABLE: ngettext("Disabled here.", "%(num)d people are disabled here.", number),
        Move.ENABLE: ngettext("Enabled here.", "%(num)d people are enabled here.", number),
        Move.DELETE: ngettext("Deleted here.", "%(num)d people are deleted here.", number),
        Move.RESTORE: ngettext("Restored here.", "%(num)d people are restored here.", number),
    }
    return str(said_so[how])


# -- Many ----------------------------------------------------------------------------------------------------------------


def chosen(session: Session) -> list[int]:
    """The ticked ones, or everybody whom the list's filters fit."""
    if request.form.get("everyone"):
        ids = [row.id for row in users.records(session, g.tenant.id, _filter())]
    else:
        ids = [
            int(text) for text in request.form.getlist("chosen") if text.isascii() and text.isdigit() and len(text) < 19
        ]
    if not ids:
        raise ServiceError("nothing_chosen")
    return [number for number in ids if number]


def _filter() -> users.Query:
    status = request.form.get("status", "")
    app = request.form.get("app", "")
    standing, problem = request.form.get("account", ""), request.form.get("problem", "")
    return users.Query(
        text=request.form.get("q", "")[:320],
        lifecycle=Lifecycle(status) if status in tuple(Lifecycle) else None,
        app=int(app) if app.isdecimal() and len(app) < 19 else None,
        standing=users.Standing(standing) if standing in tuple(users.Standing) else None,
        problem=Situation(problem) if problem in PROBLEMS else None,
    )


def _bulk_page(session: Session, how: str, ids: list[int], error: ServiceError | None = None) -> Response:
    preview, edited = None, None
    if how == "edit":
        edited, error = _foresee(session, ids, error)
        concerned = edited.going if edited else ()
        fates = foreseeing.of_edit(session, g.tenant.id, house().kinds, concerned, request.form.get("attribute"))
    else:
        preview = users.preview_many(session, g.tenant.id, ids, Move(how), owner=g.role == Role.OWNER)
        going = [number for number in ids if number not in preview.refused]
        fates = foreseeing.of_move(session, g.tenant.id, house().kinds, going, Move(how))
    known = mappings.user_attributes(session, g.tenant.id)
    return page(
        "moves/bulk.html",
        status=error.status if error else 200,
        how=how,
        ids=ids,
        number=preview.number if preview else len(ids),
        sample=preview.sample if preview else _sample(session, ids),
        token=preview.token if preview else "",
        edited=edited,
        refused=[(explain(code), n) for code, n in Counter(preview.refused.values()).items()] if preview else [],
        fates=fates,
        attributes=[(name, label) for name, label in known.items() if name not in users.ALONE],
        chosen=request.form.get("attribute", ""),
        value=request.form.get("value", ""),
        typed_above=TYPED_ABOVE,
        errors=_at_the_field(error) if isinstance(error, Invalid) else {},
        refusal=explain(error.code, error.params) if error and not isinstance(error, Invalid) else None,
    )


def _at_the_field(error: Invalid) -> dict[str, str]:
    """An attribute that is missing stands at its own field; whatever is wrong with the value, at the value's."""
    return {name if name == "attribute" else "value": words for name, words in said(error).items()}


def _as_shown() -> bool:
    """Whether the value is the one that was shown with what it means; what shows nothing (a script) leaves it out."""
    seen = request.form.get("seen")
    return seen is None or seen == f"{request.form.get('attribute', '')}={request.form.get('value', '')}"


def _foresee(
    session: Session, ids: list[int], error: ServiceError | None
) -> tuple[users.EditPreview | None, ServiceError | None]:
    """What the value in the form would change, once there is one; and what is wrong with it."""
    attribute = request.form.get("attribute", "")
    if error or not attribute or "value" not in request.form:
        unchosen = "seen" in request.form and not attribute
        return None, error or (Invalid({"attribute": "required"}) if unchosen else None)
    try:
        given = {attribute: request.form.get("value", "")}
        return users.preview_edit(session, g.tenant.id, ids, given, people.order()), None
    except Invalid as wrong:
        return None, wrong


def _bulk_again(how: str, error: ServiceError) -> Response:
    if error.code == "nothing_chosen":
        return after(url_for("users.list"), explain(error.code).what, tone="warn")
    with house().db.reading() as session:
        return _bulk_page(session, how, chosen(session), error)


def _sample(session: Session, ids: list[int]) -> list[str]:
    found = [session.get(User, number) for number in ids[:5]]
    if any(row is None or row.tenant_id != g.tenant.id for row in found):
        raise NotFound("user_not_found")
    return [users.shown(row.model_dump()) for row in found if row]


def _edit_many(session: Session, ids: list[int]) -> str:
    attribute = request.form.get("attribute", "")
    if not attribute:
        raise Invalid({"value": "attribute_unknown"})
    done = users.edit_many(
        session, g.tenant.id, ids, {attribute: request.form.get("value", "")}, people.order(priority=outbox.ONE_OF_MANY)
    )
    people.told_of_many([effect for saved in done.values() for effect in saved.effects])
    return str(ngettext("One person was changed here.", "%(num)d people were changed here.", len(done)))


def _move_many(session: Session, how: Move, ids: list[int]) -> str:
    """A number that was typed is itself the answer to the brake, for exactly this list."""
    preview = users.preview_many(session, g.tenant.id, ids, how, owner=g.role == Role.OWNER)
    many = preview.number > TYPED_ABOVE and how in (Move.DISABLE, Move.DELETE)
    if many and request.form.get("typed", "").strip() != str(preview.number):
        raise ServiceError("number_not_typed", number=preview.number)
    if not preview.number:
        raise ServiceError("nothing_chosen")
    done = users.move_many(
        session, g.tenant.id, ids, how, people.order(priority=outbox.ONE_OF_MANY, allowed=many),
        token=request.form.get("token"), owner=g.role == Role.OWNER,
    )  # fmt: skip
    people.told_of_many(done.effects)
    held = any(effect.operation_id and effect.due_at and effect.due_at > g.now for effect in done.effects)
    return "" if held else _done(how, len(done.moved))


@bp.app_template_global()
def held_back() -> foreseeing.Held | None:
    """What can still be taken back; asked when a page is drawn, because it is over in seconds."""
    if g.get("role") not in (Role.OPERATOR, Role.OWNER):
        return None
    with house().db.reading() as session:
        return foreseeing.held(session, g.tenant.id, g.actor, g.now)
