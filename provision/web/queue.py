"""The Queue: what is about to be done in other systems, and what people answer to it.

Owns how the page is asked and answered; what may still be answered is the outbox's affair.
"""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, g, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlmodel import Session

from provision.core.remedies import explain
from provision.core.vocabulary import Role
from provision.services import connectors, licences, outbox
from provision.services.errors import Conflict, NotFound, ServiceError
from provision.services.reports import queue
from provision.services.reports.queue import ASKING, MOVING, VIEWS, Change, Item, View
from provision.web import guard
from provision.web.page import TYPED_ABOVE, after, house, page

bp = Blueprint("queue", __name__)

PER_PAGE = 50
_ANSWERS = ("approve", "decline", "cancel", "retry")


@bp.get("/t/<tenant>/queue")
@guard.may(Role.AUDITOR)
def show() -> Response:
    """What waits, by what it waits for; htmx asks for the live part alone."""
    with house().db.reading() as session:
        return _page(session)


@bp.post("/t/<tenant>/queue")
@guard.may(Role.OPERATOR)
def answer() -> Response:
    """Approve, decline, cancel or try again: one operation, the ticked ones, or the whole list that was shown."""
    verb, _dash, whom = request.form.get("do", "").partition("-")
    if verb not in _ANSWERS:
        raise NotFound("page_not_found")
    try:
        with house().db.writing() as session:
            number = _answer(session, verb, _whom(session, verb, whom))
    except ServiceError as error:
        with house().db.reading() as session:
            return _page(session, refusal=error)
    return after(_person() if request.form.get("person") else _here(), _told(verb, number))


# -- Answering -----------------------------------------------------------------------------------------------------------


def _answer(session: Session, verb: str, shown: Mapping[int, str | None]) -> int:
    tenant, actor, now = g.tenant.id, g.actor, g.now
    if verb == "approve":
        return len(outbox.approve(session, tenant, shown, actor, now))
    if verb == "decline":
        return len(outbox.decline(session, tenant, shown.keys(), actor, now))
    if verb == "cancel":
        return len(outbox.cancel(session, tenant, shown.keys(), actor, now))
    return len(outbox.retry(session, tenant, list(shown), outbox.Order(actor, now, house().kinds)))


def _whom(session: Session, verb: str, whom: str) -> dict[int, str | None]:
    """Operation → the fingerprint that was shown. Raises Conflict when "all" is no longer what was shown."""
    if whom == "all":
        found = queue.whole(session, g.tenant.id, _wanted(), g.now, _app(), _sku())
        if queue.seal(found) != request.form.get("seal"):
            raise Conflict("queue_changed")
        _must_be_typed(verb, len(found))
        return found
    ids = [whom] if whom else request.form.getlist("chosen")
    picked = [int(number) for number in ids if _is_number(number)]
    if not picked:
        raise ServiceError("nothing_chosen")
    return {number: request.form.get(f"seen-{number}") or None for number in picked}


def _must_be_typed(verb: str, number: int) -> None:
    if verb == "approve" and _wanted() == "brake" and number > TYPED_ABOVE:
        typed = request.form.get("typed", "").strip()
        if typed != str(number):
            raise ServiceError("number_not_typed", number=number)


def _told(verb: str, number: int) -> str:
    if verb == "approve":
        return str(ngettext("One change may go.", "%(num)d changes may go.", number))
    if verb == "decline":
        return str(ngettext("One change is declined.", "%(num)d changes are declined.", number))
    if verb == "cancel":
        return str(ngettext("One change is cancelled.", "%(num)d changes are cancelled.", number))
    if not number:
        return str(_("Nothing had to be sent: everything is in line."))
    return str(ngettext("One change is tried again.", "%(num)d changes are tried again.", number))


# -- Putting the page together -------------------------------------------------------------------------------------------


def _page(session: Session, *, refusal: ServiceError | None = None) -> Response:
    view, app, sku, kinds = _wanted(), _app(), _sku(), house().kinds
    counts = queue.counts(session, g.tenant.id, g.now, app)
    if "show" not in request.args and not counts[view]:
        view = next((one for one in ("brake", *VIEWS) if counts[one]), view)
    place = request.args.get("after", "")
    first = int(place) if _is_number(place) else 0
    found = queue.listed(session, g.tenant.id, kinds, view, g.now, app_id=app, sku=sku, after=first, limit=PER_PAGE + 1)
    shown = queue.whole(session, g.tenant.id, view, g.now, app, sku)
    return page(
        "queue/show.html",
        block="live",
        status=refusal.status if refusal else 200,
        apps=connectors.of(session, g.tenant.id),
        app=app,
        view=view,
        counts=counts,
        n=len(shown),
        licence=licences.name_of(session, g.tenant.id, app, sku) if app and sku else "",
        items=found[:PER_PAGE],
        more=found[PER_PAGE - 1].id if len(found) > PER_PAGE else None,
        begins=not first,
        seal=queue.seal(shown),
        resting=queue.resting(session, g.tenant.id, g.now),
        live=any(counts[one] for one in MOVING),
        asking=view in ASKING,
        typed_above=TYPED_ABOVE,
        refusal=explain(refusal.code, refusal.params) if refusal else None,
        may_operate=g.role != Role.AUDITOR,
    )


def _wanted() -> View:
    wanted = request.args.get("show", "review")
    return wanted if wanted in VIEWS else "review"


def _app() -> int | None:
    text = request.args.get("app", "")
    return int(text) if _is_number(text) else None


def _sku() -> str:
    """The licence of one app that what is shown waits for a seat of; none where no app is chosen."""
    return request.args.get("licence", "")[:100] if _app() and _wanted() == "blocked" else ""


def _here() -> str:
    kept: dict[str, Any] = {name: request.args[name] for name in ("app", "show", "licence") if name in request.args}
    return url_for("queue.show", **kept)


def _person() -> str:
    text = request.form.get("person", "")
    return url_for("users.show", user=int(text)) if _is_number(text) else _here()


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


@bp.app_template_global()
def planned(item: Item) -> list[tuple[str, Any, Any]]:
    """What an operation writes, as label, value there and value that it becomes."""
    return [_pair(change) for change in item.changes]


def _pair(change: Change) -> tuple[str, Any, Any]:
    if change.name == "enabled":
        said = {True: _("allowed"), False: _("blocked"), None: _("not known")}
        return str(_("Sign-in")), said.get(change.was, change.was), said.get(change.becomes, change.becomes)
    if change.name == "manager":
        return str(_("Manager")), change.was, change.becomes
    if change.name.startswith("licences."):
        said = {True: _("given"), False: _("not given")}
        return f"{_('Licence')} {change.label}", said.get(change.was), said.get(change.becomes)
    return change.label, change.was, change.becomes


@bp.app_template_global()
def remedy_of(error: Mapping[str, Any] | None) -> Any:
    """The words for what an operation met; None when nothing."""
    return explain(str(error.get("code", "")), error.get("params") or {}) if error else None
