"""Licences of one person and of many: what is held and why, what is free, and giving or taking, counted before the click.

Owns how they are asked for and shown; seats, wishes and refusals are the services' affair.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, g, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlmodel import Session

from provision.core.remedies import Remedy, explain
from provision.core.tables import User
from provision.core.vocabulary import Role
from provision.services import licences, users
from provision.services.errors import NotFound, ServiceError
from provision.services.licences import Assigned
from provision.web import guard, moves, people
from provision.web.page import after, house, page

bp = Blueprint("licences", __name__)
_UNKNOWN = "no_such_licence"


@bp.get("/t/<tenant>/users/<int:user>/licences")
@guard.may(Role.AUDITOR)
def show(user: int) -> Response:
    """What one person holds in every app, read now."""
    return _shelves(user)


@bp.post("/t/<tenant>/users/<int:user>/licences")
@guard.may(Role.OPERATOR)
def change(user: int) -> Response:
    """Give one licence, or take one; no other is touched."""
    with house().db.reading() as session:
        _person(session, user)
    try:
        done = _done([user], give=request.form.get("do") == "give")
        if done.refused:
            raise ServiceError(next(iter(done.refused.values())))
    except ServiceError as error:
        if isinstance(error, NotFound) and error.code != _UNKNOWN:
            raise
        return _shelves(user, error)
    people.told(done.effects)
    return after(url_for("licences.show", user=user), _("Noted here; the app follows."))


@bp.post("/t/<tenant>/users/licences")
@guard.may(Role.OPERATOR)
def many() -> Response:
    """The same for many: first what it would mean, then, with ``sure``, the deed."""
    try:
        with house().db.reading() as session:
            ids = moves.chosen(session)
    except ServiceError as error:
        return after(url_for("users.list"), explain(error.code).what, tone="warn")
    if not request.form.get("sure"):
        return _bulk(ids)
    try:
        done = _done(ids, give=request.form.get("do") != "take")
    except ServiceError as error:
        return _bulk(ids, error)
    people.told_of_many(done.effects)
    told = ngettext("Noted for one person.", "Noted for %(num)d people.", len(done.going))
    return after(url_for("users.list"), told)


# -- Below: how ------------------------------------------------------------------------------------------------------------


def _done(ids: Sequence[int], *, give: bool) -> Assigned:
    at, app, sku = house(), _app(), request.form.get("sku", "")[:100]
    if app is None or not sku:
        raise ServiceError(_UNKNOWN)
    order = people.order()
    if give:
        return licences.give(at.db.writing, at.connect, g.tenant.id, app, ids, sku, order)
    return licences.take(at.db.writing, g.tenant.id, app, ids, sku, order)


def _shelves(user: int, error: ServiceError | None = None) -> Response:
    with house().db.reading() as session:
        person = _person(session, user)
        name, location = users.shown(person.model_dump()), person.usage_location
    found = licences.shelves(house().db.reading, house().connect, g.tenant.id, user)
    with house().db.reading() as session:
        deaf = [shelf.app_id for shelf in found if not licences.carries_location(session, g.tenant.id, shelf.app_id)]
    return page(
        "licences/show.html",
        status=_status(error),
        user=user,
        name=name,
        location=location,
        shelves=[(shelf, _said(shelf.trouble), _said(shelf.waits)) for shelf in found],
        deaf=deaf,
        chosen=(_app(), request.form.get("sku", "")[:100]),
        refusal=explain(error.code, error.params) if error else None,
        may_operate=g.role != Role.AUDITOR,
    )


def _bulk(ids: list[int], error: ServiceError | None = None) -> Response:
    """The page for many. What was chosen is counted with the seats as they were last seen; the deed counts them anew."""
    give, forecast, app = request.form.get("do") != "take", None, _app()
    with house().db.reading() as session:
        apps = licences.sellers(session, g.tenant.id)
        row = next((one for one in apps if one.id == app), apps[0] if apps else None)
        stock = licences.seats(session, g.tenant.id, row.id or 0) if row else []
        sku = request.form.get("sku", "")[:100]
        try:
            forecast = licences.foresee(session, g.tenant.id, row.id or 0, ids, sku, give=give) if row and sku else None
        except ServiceError as refused:
            error = error or refused
        names = _names(session, ids[:5])
        choices, chosen = [(one.id, one.name) for one in apps], row.id if row else None
    lacking = [n for n, code in forecast.refused.items() if code == "usage_location_missing"] if forecast else []
    return page(
        "licences/many.html",
        status=_status(error),
        ids=ids,
        names=names,
        apps=choices,
        app=chosen,
        stock=stock,
        sku=sku,
        give=give,
        forecast=forecast,
        refused=[(explain(c), n) for c, n in Counter(forecast.refused.values()).items()] if forecast else [],
        lacking=lacking,
        refusal=explain(error.code, error.params) if error else None,
    )


def _status(error: ServiceError | None) -> int:
    """A licence that is not there is a field that is wrong, and no page that is missing."""
    return 200 if error is None else 422 if error.code == _UNKNOWN else error.status


def _names(session: Session, ids: Sequence[int]) -> list[str]:
    return [users.shown(_person(session, number).model_dump()) for number in ids]


def _person(session: Session, number: int) -> User:
    row = session.get(User, number)
    if row is None or row.tenant_id != g.tenant.id:
        raise NotFound("user_not_found")
    return row


def _app() -> int | None:
    text = request.form.get("app", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _said(error: Any) -> Remedy | None:
    return explain(str(error["code"]), error.get("params") or {}) if error else None
