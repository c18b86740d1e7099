"""Removing an app: the question that says what is forgotten and what stays, and its answer.

Owns how it is asked; what goes, and what stands in the way, is the service's affair.
"""

from flask import Blueprint, Response, g, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlmodel import Session

from provision.core.remedies import explain
from provision.core.vocabulary import Role
from provision.services import connectors, removing
from provision.services.errors import ServiceError
from provision.web import guard
from provision.web.page import TYPED_ABOVE, after, house, page

bp = Blueprint("removing", __name__)


@bp.get("/t/<tenant>/apps/<int:app>/remove")
@guard.may(Role.OWNER)
def ask(app: int) -> Response:
    """What would be forgotten, what stays, and what stands in the way."""
    with house().db.reading() as session:
        return _question(session, app)


@bp.post("/t/<tenant>/apps/<int:app>/remove")
@guard.may(Role.OWNER)
def remove(app: int) -> Response:
    """Forget the app; the number of its people is typed first where they are many."""
    try:
        with house().db.writing() as session:
            name = connectors.get(session, g.tenant.id, app).name
            _must_be_typed(removing.foresee(session, g.tenant.id, app, g.now).people)
            removing.remove(session, g.tenant.id, app, g.actor, g.now)
    except ServiceError as error:
        with house().db.reading() as session:
            return _question(session, app, error)
    return after(url_for("apps.list"), _("%(app)s is removed here. Nothing was sent there.", app=name))


@bp.post("/t/<tenant>/apps/<int:app>/remove/cancel")
@guard.may(Role.OWNER)
def cancel(app: int) -> Response:
    """Cancel all that waits there, so that the app can go."""
    shown = request.form.get("number", "")
    try:
        with house().db.writing() as session:
            number = removing.cancel_open(
                session, g.tenant.id, app, int(shown) if shown.isdecimal() and len(shown) < 10 else -1, g.actor, g.now
            )
    except ServiceError as error:
        with house().db.reading() as session:
            return _question(session, app, error)
    told = ngettext("One change is cancelled.", "%(num)d changes are cancelled.", number)
    return after(url_for("removing.ask", app=app), told)


def _must_be_typed(number: int) -> None:
    if number > TYPED_ABOVE and request.form.get("typed", "").strip() != str(number):
        raise ServiceError("removal_not_typed", number=number)


def _question(session: Session, app: int, error: ServiceError | None = None) -> Response:
    row = connectors.get(session, g.tenant.id, app)
    seen = removing.foresee(session, g.tenant.id, app, g.now)
    blocked = seen.obstacle
    told = {"app": row.name, "number": seen.flying or seen.waiting}
    return page(
        "removing/ask.html", status=error.status if error else 200, app=row, spec=house().kinds[row.kind], seen=seen,
        obstacle=explain(blocked, told) if blocked else None, code=blocked, typed_above=TYPED_ABOVE,
        refusal=explain(error.code, error.params) if error and error.code != blocked else None,
    )  # fmt: skip
