"""Drift: what other hands changed in an app although the mapping owns it, and what people choose about it.

Owns how the page is asked and answered; what a choice does is the service's affair.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, Response, g, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlmodel import Session

from provision.core.remedies import explain
from provision.core.vocabulary import DriftChoice, Role
from provision.services import connectors, cycles, drift, outbox
from provision.services.drift import Answer, Chosen
from provision.services.errors import Conflict, NotFound, ServiceError
from provision.services.reports.queue import seal
from provision.web import guard
from provision.web.page import TYPED_ABOVE, after, house, page

bp = Blueprint("drift", __name__)

PER_PAGE = 50


@bp.get("/t/<tenant>/drift")
@guard.may(Role.AUDITOR)
def show() -> Response:
    """What waits for a choice, or what is left alone."""
    with house().db.reading() as session:
        return _page(session)


@bp.post("/t/<tenant>/drift")
@guard.may(Role.OPERATOR)
def answer() -> Response:
    """Accept in, push back, leave alone or ask again: one value, the ticked ones, or the whole list that was shown."""
    verb, _dash, whom = request.form.get("do", "").partition("-")
    if verb not in tuple(Answer):
        raise NotFound("page_not_found")
    try:
        with house().db.writing() as session:
            order = outbox.Order(g.actor, g.now, house().kinds)
            chosen = drift.choose(session, g.tenant.id, Answer(verb), _whom(session, verb, whom), order)
    except ServiceError as error:
        with house().db.reading() as session:
            return _page(session, refusal=error)
    return after(_back(), _told(Answer(verb), chosen))


@bp.post("/t/<tenant>/drift/compare")
@guard.may(Role.OPERATOR)
def compare() -> Response:
    """Ask for a comparison now instead of once a day."""
    app = _app(request.form)
    try:
        with house().db.writing() as session:
            cycles.request(session, g.tenant.id, app or 0, g.actor, g.now, compare=True)
    except ServiceError as error:
        with house().db.reading() as session:
            return _page(session, refusal=error)
    return after(url_for("drift.show", app=app), str(_("The comparison begins. Nothing is changed by it.")))


# -- Answering -----------------------------------------------------------------------------------------------------------


def _whom(session: Session, verb: str, whom: str) -> dict[int, str | None]:
    """Row → the fingerprint that was shown. Raises Conflict when "all" is no longer what was shown."""
    if whom == "all":
        found = drift.whole(session, g.tenant.id, _wanted(), _app(request.args), _attribute())
        if seal(found) != request.form.get("seal"):
            raise Conflict("queue_changed")
        if verb in (Answer.ACCEPT, Answer.PUSH) and len(found) > TYPED_ABOVE:
            _must_be_typed(len(found))
        return found
    ids = [whom] if whom else request.form.getlist("chosen")
    picked = [int(number) for number in ids if _is_number(number)]
    if not picked:
        raise ServiceError("nothing_chosen")
    return {number: request.form.get(f"seen-{number}") or None for number in picked}


def _must_be_typed(number: int) -> None:
    if request.form.get("typed", "").strip() != str(number):
        raise ServiceError("number_not_typed", number=number)


def _told(answer: Answer, chosen: Chosen) -> str:
    n = chosen.done
    said = {
        Answer.ACCEPT: ngettext("One value was accepted.", "%(num)d values were accepted.", n),
        Answer.PUSH: ngettext("One value goes back.", "%(num)d values go back.", n),
        Answer.LEAVE: ngettext("One value is left alone.", "%(num)d values are left alone.", n),
        Answer.WATCH: ngettext("One value is asked about again.", "%(num)d values are asked about again.", n),
    }
    parts = [said[answer] if n else _("Nothing had to be done: both sides are in line.")]
    if chosen.left:
        parts.append(ngettext("One cannot be accepted and stays.", "%(num)d cannot be accepted and stay.", chosen.left))
    if chosen.disputed:
        parts.append(
            ngettext(
                "One belongs to somebody else here: see Import Users.",
                "%(num)d belong to somebody else here: see Import Users.",
                chosen.disputed,
            )
        )
    if any(effect.asks for effect in chosen.effects):
        parts.append(_("What goes out waits in the Queue for approval."))
    return " ".join(str(part) for part in parts if n or part is not parts[0] or len(parts) == 1)


# -- Putting the page together -------------------------------------------------------------------------------------------


def _page(session: Session, *, refusal: ServiceError | None = None) -> Response:
    tenant, kinds, choice, app, attribute = g.tenant.id, house().kinds, _wanted(), _app(request.args), _attribute()
    place = request.args.get("after", "")
    first = int(place) if _is_number(place) else 0
    given: dict[str, Any] = {"app_id": app, "attribute": attribute, "after": first, "limit": PER_PAGE + 1}
    found = drift.listed(session, tenant, kinds, choice, **given)
    apps = [one for one in connectors.of(session, tenant) if kinds[one.kind].is_target]
    compared = [_compared(session, one) for one in apps if app in (None, one.id)]
    return page(
        "drift/show.html",
        block="live",
        status=refusal.status if refusal else 200,
        apps=apps,
        app=app,
        choice=choice,
        attribute=attribute,
        counts=drift.counts(session, tenant, app, attribute),
        attributes={
            name: (_called(name, apps), number)
            for name, number in drift.attributes(session, tenant, choice, app).items()
        },
        items=found[:PER_PAGE],
        more=found[PER_PAGE - 1].id if len(found) > PER_PAGE else None,
        begins=not first,
        seal=seal(drift.whole(session, tenant, choice, app, attribute)),
        compared=compared,
        running=any(one["running"] for one in compared),
        typed_above=TYPED_ABOVE,
        refusal=explain(refusal.code, refusal.params) if refusal else None,
        may_operate=g.role != Role.AUDITOR,
    )


def _compared(session: Session, app: Any) -> dict[str, Any]:
    """When an app was compared, whether it is being compared now, and what keeps it from being."""
    last, running = cycles.last_comparison(session, app), cycles.unfinished(session, g.tenant.id, app.id)
    barred = cycles.barred(app)
    return {
        "app": app,
        "at": last.ended_at if last else None,
        "state": last.state if last else None,
        "next_at": None if barred else cycles.next_comparison(session, app),
        "running": running is not None,
        "barred": explain(barred, {"app": app.name}) if barred else None,
    }


def _called(name: str, apps: Sequence[Any]) -> str:
    """What differs, as people read it, by the first app that knows a better word for it."""
    return next((word for one in apps if (word := drift.called(name, one.facts)) != name), name)


def _wanted() -> DriftChoice:
    wanted = request.args.get("show", "")
    return DriftChoice(wanted) if wanted in tuple(DriftChoice) else DriftChoice.OPEN


def _app(given: Mapping[str, str]) -> int | None:
    text = given.get("app", "")
    return int(text) if _is_number(text) else None


def _attribute() -> str:
    return request.args.get("attribute", "").replace("\0", "")[:256]


def _back() -> str:
    """The person's page, when it asked; else this list as it was filtered."""
    text = request.form.get("person", "")
    if _is_number(text):
        return url_for("users.show", user=int(text))
    kept: dict[str, Any] = {name: request.args[name] for name in ("app", "show", "attribute") if name in request.args}
    return url_for("drift.show", **kept)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19
