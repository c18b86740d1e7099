"""Import Users: previewing and importing an app's people, watching it happen, and deciding what a rule cannot.

Owns how the page is asked and answered. It only asks for cycles: whoever leads runs them.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, g, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlmodel import Session

from provision.core.remedies import Remedy, explain
from provision.core.tables import Connector, Cycle
from provision.core.vocabulary import UNFINISHED_CYCLES, ConnectorState, CycleKind, CycleState, Decision, Feature, Role
from provision.services import connectors, cycles, users
from provision.services.cycles.preview import FILTERS
from provision.services.errors import NotFound, ServiceError
from provision.web import guard, names
from provision.web.page import TYPED_ABOVE, after, house, page, wants_part
from provision.web.provisioning import chosen

bp = Blueprint("imports", __name__)

PER_PAGE = 50
LISTED = 200
"""How many of a held list are shown; Allow is for all of them."""

PACES = (None, 15, 60, 240, 1440)


@bp.get("/t/<tenant>/imports")
@guard.may(Role.AUDITOR)
def show() -> Response:
    """The app's last import and what a next one would do; while one runs, htmx asks for the progress alone."""
    with house().db.reading() as session:
        row = chosen(session, request.args.get("app"))
        if row is None:
            return page("imports/show.html", apps=[], app=None)
        latest = cycles.latest(session, g.tenant.id, row.id or 0)
        if wants_part() and (latest is None or latest.state not in UNFINISHED_CYCLES):
            return after(url_for("imports.show", app=row.id))
        return _page(session, row, latest)


@bp.post("/t/<tenant>/imports")
@guard.may(Role.OPERATOR)
def start() -> Response:
    """Ask for a preview, an import of all that is certain, or of the chosen rows."""
    do = request.form.get("do", "import")
    picked = [int(number) for number in request.form.getlist("chosen") if _is_number(number)]
    if do == "chosen" and not picked:
        return _again(ServiceError("nothing_chosen"))
    try:
        with house().db.writing() as session:
            cycles.request(
                session, g.tenant.id, _app(session).id or 0, g.actor, g.now,
                preview=do == "preview", full=request.form.get("read") == "all",
                chosen=picked if do == "chosen" else None,
            )  # fmt: skip
    except ServiceError as error:
        return _again(error)
    return after(_here())


@bp.post("/t/<tenant>/imports/<int:cycle>/stop")
@guard.may(Role.OPERATOR)
def stop(cycle: int) -> Response:
    """Ask a running cycle to stop."""
    with house().db.writing() as session:
        row = cycles.stop(session, g.tenant.id, cycle, g.actor, g.now)
    return after(
        url_for("imports.show", app=row.connector_id), _("Stopping. What is written so far stays."), tone="info"
    )


@bp.post("/t/<tenant>/imports/<int:cycle>/release")
@guard.may(Role.OPERATOR)
def release(cycle: int) -> Response:
    """Answer the brake: allow exactly the list that was shown, or reject it."""
    allow = request.form.get("do") == "allow"
    try:
        with house().db.writing() as session:
            held = cycles.show(session, g.tenant.id, cycle)
            _must_be_typed(held, allow=allow)
            row = cycles.release(session, g.tenant.id, cycle, g.actor, g.now, kinds=house().kinds, allow=allow)
    except ServiceError as error:
        if isinstance(error, NotFound):
            raise
        return _again(error)
    told = (
        _("Allowed. The list was applied.")
        if allow
        else _("Rejected. Nobody was changed; the next import reads everyone.")
    )
    return after(url_for("imports.show", app=row.connector_id), told)


@bp.post("/t/<tenant>/imports/decide")
@guard.may(Role.OPERATOR)
def decide() -> Response:
    """Keep the decisions that were changed on the page; none of them takes effect before the next import."""
    try:
        with house().db.writing() as session:
            made = [_decide(session, *each) for each in _decisions()]
    except ServiceError as error:
        return _again(error)
    told = (
        ngettext("One decision is kept.", "%(num)d decisions are kept.", len(made))
        if made
        else _("Nothing was decided.")
    )
    return after(_here(), told, tone="done" if made else "info")


@bp.post("/t/<tenant>/imports/schedule")
@guard.may(Role.OPERATOR)
def schedule() -> Response:
    """How often this app is read by itself."""
    pace = request.form.get("every_minutes") or None
    with house().db.writing() as session:
        app = _app(session).id or 0
        connectors.settle(session, g.tenant.id, app, {"every_minutes": pace}, g.actor, g.now)
    return after(_here(), _("The timetable is kept."))


# -- Putting the page together -------------------------------------------------------------------------------------------


def _page(
    session: Session, row: Connector, latest: Cycle | None, *, status: int = 200, refusal: ServiceError | None = None
) -> Response:
    wanted = request.args.get("show", "different")
    running = latest if latest and latest.state in UNFINISHED_CYCLES else None
    return page(
        "imports/show.html",
        block="progress",
        kind=house().kinds[row.kind],
        status=status,
        apps=connectors.of(session, g.tenant.id),
        app=row,
        latest=latest,
        running=running,
        progress=_progress(row, running) if running else None,
        failure=_failure(latest),
        on=connectors.switched_on(row, Feature.IMPORT),
        refusal=explain(refusal.code, refusal.params) if refusal else None,
        shown=wanted if wanted in FILTERS else "different",
        history=cycles.history(session, g.tenant.id, row.id or 0, limit=10),
        paces=PACES,
        typed_above=TYPED_ABOVE,
        connected=connectors.connected(row),
        may_operate=g.role != Role.AUDITOR,
        **({} if running else _review(session, row, latest, wanted)),
    )


def _review(session: Session, row: Connector, latest: Cycle | None, wanted: str) -> dict[str, Any]:
    """What waits for a person: the held list, or the rows of the preview."""
    if latest is None:
        return {}
    held = cycles.held(session, g.tenant.id, row.id or 0)
    if held is not None:
        listed = cycles.leaving(session, held, house().kinds, limit=LISTED)
        return {"held": held, "listed": listed, "reasons": [_reason(told) for told in (held.held or {})["reasons"]]}
    counts = cycles.preview_counts(session, g.tenant.id, row.id or 0)
    after_id = request.args.get("after", "0")
    found = cycles.preview_rows(
        session,
        g.tenant.id,
        row.id or 0,
        house().kinds,
        show=wanted if wanted in FILTERS else "different",
        after=int(after_id) if _is_number(after_id) else 0,
        limit=PER_PAGE + 1,
    )
    more = found[PER_PAGE - 1].account_id if len(found) > PER_PAGE else None
    onward = _onward(session, row) if counts.certain else []
    shown = {"rows": found[:PER_PAGE], "called": names.called}
    return {"counts": counts, **shown, "more": more, "begins": after_id == "0", "onward": onward}


def _onward(session: Session, row: Connector) -> list[tuple[str, str]]:
    """The other apps that follow what is imported here: each one's name, and *review* if that is shown to a person first,
    *waits* while the app is stopped, else *automatic*."""
    followed = (Feature.CREATE, Feature.EDIT)
    return [
        (one.name, one.approval if one.state == ConnectorState.ACTIVE else "waits")
        for one in connectors.of(session, g.tenant.id)
        if one.id != row.id
        and house().kinds[one.kind].is_target
        and any(connectors.switched_on(one, each) for each in followed)
    ]


def _again(error: ServiceError) -> Response:
    """The same page, saying why not."""
    with house().db.reading() as session:
        row = _app(session)
        latest = cycles.latest(session, g.tenant.id, row.id or 0)
        return _page(session, row, latest, status=error.status, refusal=error)


def _app(session: Session) -> Connector:
    row = chosen(session, request.args.get("app"))
    if row is None:
        raise NotFound("no_such_app")
    return row


def _here() -> str:
    kept: dict[str, Any] = {name: request.args[name] for name in ("app", "show", "after") if name in request.args}
    return url_for("imports.show", **kept)


def _progress(row: Connector, cycle: Cycle) -> dict[str, Any]:
    """How far it is: people, of how many if that is known, per second, and the seconds left."""
    seen = int(cycle.counts.get("seen", 0))
    people = row.facts.get("people") if cycle.kind == CycleKind.INITIAL else None
    total = max(int(people), seen) if isinstance(people, int) else None
    spent = ((cycle.progress_at or g.now) - cycle.started_at).total_seconds() if cycle.started_at else 0.0
    rate = seen / spent if spent > 0.5 and seen else None
    left = timedelta(seconds=(total - seen) / rate) if total and rate else None
    return {"seen": seen, "total": total, "rate": rate, "left": left, "pages": int(cycle.counts.get("pages", 0))}


def _failure(cycle: Cycle | None) -> Remedy | None:
    if cycle is None or cycle.state != CycleState.FAILED or not cycle.error:
        return None
    return explain(str(cycle.error.get("code", "")), cycle.error.get("params") or {})


def _reason(told: dict[str, Any]) -> str:
    remedy = explain(f"brake_{told['code']}", told)
    return f"{remedy.what} {remedy.do}".strip()


def _must_be_typed(held: Cycle, *, allow: bool) -> None:
    number = int((held.held or {}).get("accounts", 0))
    if allow and number > TYPED_ABOVE and request.form.get("typed", "").strip() != str(number):
        raise ServiceError("number_not_typed", number=number)


def _decisions() -> Iterator[tuple[int, Decision]]:
    """Those that differ from what the page showed, so that a row nobody touched stays as it is."""
    for name, chosen_word in request.form.items():
        account = name.removeprefix("decision-")
        if name == account or not _is_number(account) or chosen_word not in tuple(Decision):
            continue
        if (
            chosen_word != request.form.get(f"shown-{account}")
            or request.form.get(f"user-{account}")
            or _named(account)
        ):
            yield int(account), Decision(chosen_word)


def _decide(session: Session, account: int, decision: Decision) -> int:
    user_id = None
    if decision is Decision.EXISTING:
        picked = request.form.get(f"user-{account}", "")
        named = _named(str(account))
        user_id = users.find(session, g.tenant.id, named).id if named else int(picked) if _is_number(picked) else None
    cycles.decide(session, g.tenant.id, account, decision, g.actor, g.now, user_id=user_id)
    return account


def _named(account: str) -> str:
    return request.form.get(f"who-{account}", "").strip()[:320]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19
