"""Reports: the Provisioning Report with its filters, its chart, one row in the drawer, and the exports.

Owns how the report is asked for in an address; page, chart and exports all ask the same service with the same filter.
"""

import base64
import binascii
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal

from flask import Blueprint, Response, g, request, stream_with_context, url_for
from flask_babel import format_date, format_time
from flask_babel import gettext as _
from sqlmodel import Session

from provision.core import sheet
from provision.core.remedies import Remedy, explain
from provision.core.vocabulary import Outcome, Role
from provision.services import connectors, removing, reports, users
from provision.services.errors import ServiceError
from provision.services.reports import Filter, Row, Summary, queue
from provision.web import guard, names, tracing
from provision.web.chart import WIDE, Chart, chart
from provision.web.forms import Cursor, Form, Line, Maybe, Number, read
from provision.web.page import house, page

bp = Blueprint("reports", __name__)

_MOST = 2**63 - 1
_SPANS = {
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "month": timedelta(days=30),
    "quarter": timedelta(days=90),
}
_BEGIN = datetime(2000, 1, 1, tzinfo=UTC)


class Wanted(Form):
    """What the address of the report may say. ``since`` and ``until`` are days, both included, for the span *dates*."""

    who: Line = ""
    app: Number = None
    span: Literal["day", "week", "month", "quarter", "all", "dates"] = "day"
    since: Annotated[date | None, Maybe] = None
    until: Annotated[date | None, Maybe] = None
    result: Annotated[Outcome | None, Maybe] = None
    after: Cursor = None
    event: Number = None

    def filter(self, now: datetime) -> Filter:
        """The same as the service asks it."""
        since, until = self._times(now)
        return Filter(since, until, self.who, self.app, self.result, _place(self.after))

    def _times(self, now: datetime) -> tuple[datetime, datetime]:
        if self.span == "dates":
            until = datetime.combine(self.until, time.max, UTC) if self.until else now
            return (datetime.combine(self.since, time.min, UTC) if self.since else _BEGIN), until
        return (_BEGIN if self.span == "all" else now - _SPANS[self.span]), now


@bp.get("/t/<tenant>/reports", endpoint="list")
@guard.may(Role.AUDITOR)
def provisioning() -> Response:
    """The report; without a filter the last 24 hours. With ``event`` one row is open beside the list."""
    wanted, problems = _wanted()
    asked = wanted.filter(g.now)
    with house().db.reading() as session:
        apps = [(app.id, app.name) for app in connectors.of(session, g.tenant.id)]
        apps += [(app.id, _("%(app)s (removed)", app=app.name)) for app in removing.removed(session, g.tenant.id)]
        opened = reports.row(session, g.tenant.id, wanted.event) if wanted.event else None
        operation = _operation(session, opened)
        steps = tracing.of_row(session, opened) if opened else ()
        alone = _alone(session, wanted)
        (changed,) = names.filled(session, [opened.changes if opened else []])
        found = reports.page(session, g.tenant.id, asked)
        counted = reports.summary(session, g.tenant.id, asked)
    return page(
        "reports/list.html",
        block="drawer" if request.headers.get("HX-Target") == "drawer" else "rows",
        wanted=wanted,
        problems=problems,
        apps=apps,
        opened=opened,
        remedy=_remedy(opened),
        operation=operation,
        steps=steps,
        alone=alone,
        changed=changed,
        left=_left(opened),
        found=found,
        counted=counted,
        chart=_chart(counted),
        older=_told_place(found.older),
    )


@bp.get("/t/<tenant>/reports.csv")
@guard.may(Role.AUDITOR)
def as_csv() -> Response:
    """All rows of the filter as a spreadsheet."""
    return _file(
        "csv", "text/csv; charset=utf-8", lambda rows: sheet.lines(reports.COLUMNS, map(reports.as_cells, rows))
    )


@bp.get("/t/<tenant>/reports.json")
@guard.may(Role.AUDITOR)
def as_json() -> Response:
    """All rows of the filter as one JSON array."""
    return _file("json", "application/json", _array)


def _file(ending: str, kind: str, write: Any) -> Response:
    """Written while it is read, so that the length of the report costs no memory."""
    wanted, _problems = _wanted()
    asked = wanted.model_copy(update={"after": None}).filter(g.now)
    tenant, where = g.tenant.id, house().db

    def _lines() -> Iterator[str]:
        with where.reading() as session:
            yield from write(reports.rows(session, tenant, asked))

    name = f"provisioning-{g.tenant.slug}-{g.now:%Y-%m-%d}.{ending}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(stream_with_context(_lines()), content_type=kind, headers=headers)


def _array(rows: Iterator[Row]) -> Iterator[str]:
    separator = "[\n"
    for row in rows:
        yield separator + json.dumps(reports.as_object(row), ensure_ascii=False)
        separator = ",\n"
    yield "[]\n" if separator == "[\n" else "\n]\n"


def _wanted() -> tuple[Wanted, dict[str, str]]:
    """The filter, and what of it could not be read: that part is left out and said at its field."""
    wanted, problems = read(Wanted, request.args)
    if wanted is None:
        wanted = Wanted.model_validate({name: v for name, v in request.args.items() if name not in problems})
    if wanted.span == "dates" and wanted.since and wanted.until and wanted.since > wanted.until:
        problems["until"] = explain("time_span").what
    return wanted, problems


def _remedy(row: Row | None) -> Remedy | None:
    """The explanation of a failure, when one was noted."""
    error = (row.text.get("error") or row.text) if row else None
    if isinstance(error, dict) and error.get("code"):
        return explain(str(error["code"]), error.get("params") or {})
    return None


def _operation(session: Session, row: Row | None) -> queue.Item | None:
    """The operation of a row as it stands now."""
    if row is None or row.operation_id is None or row.gone:
        return None
    return queue.one(session, g.tenant.id, house().kinds, row.operation_id)


def _alone(session: Session, wanted: Wanted) -> tuple[int, str] | None:
    """The one person whom the filter means, so that "why did nothing happen?" can be answered."""
    who = wanted.who.strip().removeprefix("#")
    if not who:
        return None
    try:
        user = users.find(session, g.tenant.id, who)
    except ServiceError:
        found = users.search(session, g.tenant.id, users.Query(text=who, limit=2)).rows
        return (found[0].id, found[0].name) if len(found) == 1 else None
    return user.id or 0, users.shown(user.model_dump())


def _left(row: Row | None) -> list[tuple[str, Remedy]]:
    """What did not follow although the rest did: attribute and why."""
    left = row.text.get("left") if row else None
    if not isinstance(left, dict):
        return []
    return [(name, explain(str(why.get("code", "")), why.get("params") or {})) for name, why in left.items()]


def _chart(counted: Summary) -> Chart:
    slots = counted.slots
    every = max(1, len(slots) // 4)
    hours = counted.step < timedelta(days=1)
    labels = [
        (format_time(slot.at, "HH:mm") if hours else format_date(slot.at, "d MMM")) if n % every == 0 else ""
        for n, slot in enumerate(slots)
    ]
    return chart([(slot.done, slot.failed) for slot in slots], labels, WIDE)


def _place(cursor: str | None) -> tuple[datetime, int] | None:
    """A place to continue from, as the address carried it; what is none of ours begins at the top."""
    if not cursor:
        return None
    try:
        at, number = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        moment = datetime.fromisoformat(at).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error):
        return None
    return (moment, number) if type(number) is int and 0 <= number <= _MOST else None


def _told_place(place: tuple[datetime, int] | None) -> str | None:
    if place is None:
        return None
    told = json.dumps([place[0].isoformat(), place[1]]).encode()
    return base64.urlsafe_b64encode(told).decode().rstrip("=")


@bp.app_template_global()
def sentence(row: Row) -> str:
    """What was done, in the reader's language."""
    return str(_(row.deed.sentence, **row.blanks | names.attributes(row.before, row.after)))


@bp.app_template_global()
def called_outside(name: str) -> str:
    """An attribute by its label, where the log holds its outside name."""
    return names.outside(name)


@bp.app_template_global()
def report_of(person: int) -> str:
    """The report about one person, of all times."""
    return url_for("reports.list", who=f"#{person}", span="all")
