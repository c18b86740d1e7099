"""Who changed a person since a form was opened, and what: read from the log, newest first. Changes nobody."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from provision.core.deeds import changed_names, label
from provision.core.tables import Event, EventDetail

MOST = 5
_MOVES = (
    "user.created", "user.deleted", "user.disabled", "user.edited", "user.enabled", "user.left", "user.reactivated",
    "user.restored", "user.suspended", "user.updated",
)  # fmt: skip
"""The events that each move a person one version on."""


@dataclass(frozen=True, slots=True)
class Change:
    """One of them. ``app``: whose import brought it, if one did; ``attributes``: labels of what moved."""

    at: datetime
    actor: str
    app: str
    attributes: tuple[str, ...]


def meanwhile(session: Session, tenant_id: int, user_id: int, versions: int) -> list[Change]:
    """The last changes of a person, as many as the form is ``versions`` behind; one at least, five at most."""
    query = (
        select(Event, EventDetail)
        .join(EventDetail, col(EventDetail.event_id) == col(Event.id), isouter=True)
        .where(Event.tenant_id == tenant_id, Event.user_id == user_id, col(Event.action).in_(_MOVES))
        .order_by(col(Event.id).desc())
        .limit(min(max(versions, 1), MOST))
    )
    return [_change(event, detail) for event, detail in session.exec(query)]


def _change(event: Event, detail: EventDetail | None) -> Change:
    """Details are kept for a while only; who and when stay."""
    if detail is None:
        return Change(event.at, event.actor, "", ())
    labels = dict.fromkeys(label(name) for name in changed_names(detail.before, detail.after))
    return Change(event.at, event.actor, str(detail.names.get("app") or ""), tuple(labels))
