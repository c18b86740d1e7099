"""What an account cannot decide by itself: the question, with both sides shown, and the answer.

Owns the words of each decision; what may be decided, and what follows, is the services' affair.
"""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Response, g, request, url_for
from flask_babel import gettext as _
from sqlmodel import Session

from provision.core.remedies import explain
from provision.core.vocabulary import Role
from provision.services import users
from provision.services.errors import Conflict, NotFound, ServiceError
from provision.services.users import Choice
from provision.web import guard, people
from provision.web.page import after, house, page

bp = Blueprint("deciding", __name__)


@bp.get("/t/<tenant>/accounts/<int:account>/<what>")
@guard.may(Role.OPERATOR)
def ask(account: int, what: str) -> Response:
    """The question; htmx shows it as a dialog over the page."""
    return _question(account, _wanted(what))


@bp.post("/t/<tenant>/accounts/<int:account>/<what>")
@guard.may(Role.OPERATOR)
def decide(account: int, what: str) -> Response:
    """Do it: kept here at once, carried there as the app's mode says."""
    choice = _wanted(what)
    with house().db.reading() as session:
        standing = users.stand(session, g.tenant.id, account)
    try:
        if choice not in standing.choices:
            raise Conflict("operation_gone")
        effects = _decided(choice, account, standing)
    except ServiceError as error:
        return _question(account, choice, error)
    people.told(effects)
    back = url_for("users.show", user=standing.user_id) if standing.user_id else url_for("queue.show")
    return after(back, _done(choice))


# -- Below: how ------------------------------------------------------------------------------------------------------------


def _decided(choice: Choice, account: int, standing: Any) -> list[Any]:
    if choice is Choice.LINK:
        at = house()
        users.link(at.db.writing, at.connect, g.tenant.id, account, standing.other or "", people.order())
        return []
    with house().db.writing() as session:
        return _DO[choice](session, account)


def _protected(session: Session, account: int, *, on: bool) -> list[Any]:
    emergency = request.form.get("why") == "break_glass"
    users.protect(session, g.tenant.id, account, people.order(), on=on, emergency=emergency, owner=g.role == Role.OWNER)
    return []


_DO: Mapping[Choice, Callable[[Session, int], list[Any]]] = {
    Choice.RESTORE: lambda session, account: users.restore_twin(session, g.tenant.id, account, people.order()),
    Choice.BESIDE: lambda session, account: users.create_beside(session, g.tenant.id, account, people.order()),
    Choice.BACK: lambda session, account: users.bring_back(session, g.tenant.id, account, people.order()),
    Choice.UNLINK: lambda session, account: users.unlink(session, g.tenant.id, account, people.order()),
    Choice.PROTECT: lambda session, account: _protected(session, account, on=True),
    Choice.UNPROTECT: lambda session, account: _protected(session, account, on=False),
}


def _question(account: int, choice: Choice, error: ServiceError | None = None) -> Response:
    with house().db.reading() as session:
        standing = users.stand(session, g.tenant.id, account)
    both: list[tuple[str, Any, Any]] = []
    if choice is Choice.LINK and standing.other and error is None:
        try:
            there = users.look_there(house().db.reading, house().connect, g.tenant.id, account, people.order())
            both = _both(standing, there)
        except ServiceError as refused:
            error = refused
    return page(
        "deciding/ask.html",
        block="dialog",
        status=error.status if error else 200,
        standing=standing,
        choice=choice.value,
        open=choice in standing.choices,
        both=both,
        guard=explain(standing.protection.why) if standing.protection.why else None,
        barred=choice is Choice.UNPROTECT and g.role != Role.OWNER,
        refusal=explain(error.code, error.params) if error else None,
    )


def _both(standing: Any, there: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Label, what is there, what we would have written: the two records side by side."""
    labels = {one.name: one.label for spec in house().kinds.values() for one in spec.schema}
    wanted = {name: pair[1] for name, pair in standing.changes.items() if name in labels}
    return [(str(_label(labels, name)), there.get(name), value) for name, value in wanted.items()]


def _label(labels: Mapping[str, str], name: str) -> str:
    return labels.get(name) or name


def _wanted(what: str) -> Choice:
    if what not in tuple(Choice):
        raise NotFound("page_not_found")
    return Choice(what)


def _done(choice: Choice) -> str:
    said_so = {
        Choice.LINK: _("Linked. Nothing was changed there."),
        Choice.RESTORE: _("The deleted account comes back as theirs."),
        Choice.BESIDE: _("A new account is made beside the deleted one."),
        Choice.BACK: _("The account comes back."),
        Choice.UNLINK: _("Let go. A new account is made where Create User is on."),
        Choice.PROTECT: _("Protected from everything that runs by itself."),
        Choice.UNPROTECT: _("No longer protected."),
    }
    return str(said_so[choice])
