"""What differs there from what the mapping owns, for many accounts at a time: the question behind the daily comparison.

Owns reading both sides; writes nothing, chooses nothing and sends nothing.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlmodel import Session

from provision.core.mapping import Change
from provision.core.planning import Plan, differing, moved_there
from provision.services.outbox.reckoning import App, Case, Row, sides


@dataclass(frozen=True, slots=True)
class Met:
    """One account, its person, what of it differs from what the mapping owns, and which of that came about there."""

    account: Row
    person: Row | None
    differs: Sequence[Change]
    drifted: frozenset[str]

    @property
    def names(self) -> dict[str, str]:
        """What the log calls them."""
        return Case(self.account, self.person, Plan()).names


def drifting(session: Session, app: App, rows: Collection[Row]) -> list[Met]:
    """Compare these accounts with their people, in their order, in two statements whatever their number."""
    found = []
    for row, stored, person, there in sides(session, app, rows):
        differs = differing(person, there, app.rules) if person else []
        drifted = frozenset(one.attribute for one in differs if moved_there(there, one))
        found.append(Met(row, stored, differs, drifted))
    return found
