"""Why? The five steps of one person in every app: in scope, matched, mapped, sent, answered.

Owns how they are drawn; what they say is the service's affair.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, g
from flask_babel import gettext as _
from sqlmodel import Session

from provision.core.steps import ASKED, SAID, Step
from provision.core.vocabulary import Outcome, Role
from provision.services import users
from provision.services.reports import Row
from provision.web import guard
from provision.web.page import house, page

bp = Blueprint("tracing", __name__)

_SIGNS = {"yes": "check", "no": "x", "waits": "clock", "nothing": "minus"}


@bp.get("/t/<tenant>/users/<int:user>/why")
@guard.may(Role.AUDITOR)
def show(user: int) -> Response:
    """The steps as they stand now; while something is under way, htmx asks again."""
    with house().db.reading() as session:
        person = users.show(session, g.tenant.id, user, kinds=house().kinds, limit=1)
        found = users.trace(session, g.tenant.id, house().kinds, user)
    return page(
        "tracing/show.html",
        block="live",
        person=person,
        traces=found,
        moving=any(one.moving for one in found),
        may_operate=g.role != Role.AUDITOR,
    )


def of_row(session: Session, row: Row) -> Sequence[Step]:
    """The steps behind one row of the report: what was sent and came back then; scope, match and mapping as they are now."""
    if row.user_id is None or row.app_id is None or not row.action.startswith(("account.", "operation.")):
        return ()
    found = users.trace(session, g.tenant.id, house().kinds, row.user_id, app_id=row.app_id)
    if not found:
        return ()
    sent = Step("sent", "yes", "sent.done", pairs=tuple(row.changes))
    if not row.changes:
        sent = next(step for step in found[0].steps if step.about == "sent")
    return (*(replace(step, pairs=()) for step in found[0].steps[:3]), sent, _came_back(row, found[0].steps[4]))


def _came_back(row: Row, now: Step) -> Step:
    """What the log noted of the answer; for rows that noted none, the last one."""
    took = _("%(ms)s ms", ms=row.ms) if row.ms is not None else ""
    if row.outcome is Outcome.DONE:
        return Step("answer", "yes", "answer.done", proof=str(took)) if row.ms is not None else now
    return replace(now, proof=str(took))


@bp.app_template_global()
def told_step(step: Step) -> dict[str, Any]:
    """A step in the reader's language: its question, its sentence, and the icon of its verdict."""
    return {
        "asked": str(_(ASKED[step.about])),
        "said": str(_(SAID[step.said], **{name: str(value) for name, value in step.blanks.items()})),
        "icon": _SIGNS[step.verdict],
        "look": {"yes": "ok", "no": "no"}.get(step.verdict, ""),
    }
