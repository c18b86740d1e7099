"""What a try left behind that nobody settled: its process died, or the answer was lost. It is looked up, never repeated.

Owns the end of lapsed reservations; sends nothing but the question when a password was last changed.
"""

from sqlmodel import col, select

from provision.core.ports import OutsideError, Remembering
from provision.core.redeeming import Answer, moved
from provision.core.tables import Activation, User
from provision.core.vocabulary import Lifecycle, Offer
from provision.services.activation.telling import Knock, locked, spent
from provision.services.cycles import Ways
from provision.services.reaching import Place, called, places


def settle_lapsed(ways: Ways, activation_id: int) -> Answer:
    """Look up what became of a try that nobody settled. Done: the link is spent; later: it lives; doubt: nobody knows yet."""
    with ways.reading() as session:
        row = session.get(Activation, activation_id)
        if row is None or row.reserved_until is None or row.used_at is not None or row.reserved_until > ways.now():
            return Answer.LATER
        until, left = row.reserved_until, dict(row.outcomes)
        user = session.get(User, row.user_id)
        lifecycle = Lifecycle(user.lifecycle) if user else Lifecycle.LEFT
        _, there = places(session, row.tenant_id, row.user_id, ways.kinds, Offer(row.offer), lifecycle)
    try:
        marks = {place.account_id: left.get(str(place.connector.id), {}).get("mark") for place in there}
        changed = [place.connector for place in there if _changed(ways, place, marks[place.account_id])]
    except OutsideError:
        return Answer.DOUBT
    now = ways.now()
    with ways.writing() as session:
        row = locked(session, activation_id)
        if row is None or row.reserved_until != until or row.used_at is not None:
            return Answer.DOUBT
        row.reserved_until = None
        row.used_at = now if changed else None
        session.add(row)
        if changed:
            knocked = Knock(activation_id, row.tenant_id, row.user_id, there)
            spent(session, knocked, called(changed, ways.kinds), {"looked_up": True}, now)
    return Answer.DONE if changed else Answer.LATER


def lapsed(ways: Ways) -> list[int]:
    """Settle every try that was left behind; return which. A timer's work, so that no row waits for its person."""
    with ways.reading() as session:
        query = select(Activation.id).where(
            col(Activation.reserved_until) <= ways.now(),
            col(Activation.used_at).is_(None),
            col(Activation.revoked_at).is_(None),
        )
        waiting = [number for number in session.exec(query.order_by(col(Activation.id))).all() if number is not None]
    for number in waiting:
        settle_lapsed(ways, number)
    return waiting


def _changed(ways: Ways, place: Place, before: str | None) -> bool:
    port = ways.connect(place.connector)
    return before is not None and isinstance(port, Remembering) and moved(before, port.password_mark(place.anchor))
