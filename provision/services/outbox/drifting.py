"""What differs there from what the mapping owns, for many accounts at a time: the question behind the daily comparison.

Owns reading both sides; writes nothing, chooses nothing and sends nothing.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlmodel import Session

from provision.core.mapping import Change
from provision.core.planning import Plan, drifted
from provision.services.outbox.reckoning import App, Case, Row, sides


@dataclass(frozen=True, slots=True)
class Met:
    """One account, its person, and what of it differs from what the mapping owns."""

    account: Row
    person: Row | None
    differs: Sequence[Change]

    @property
    def names(self) -> dict[str, str]:
        """What the log calls them."""
        return Case(self.account, self.person, Plan()).names


def drifting(session: Session, app: App, rows: Collection[Row]) -> list[Met]:
    """Compare these accounts with their people, in their order, in two statements whatever their number."""
    return [
        Met(row, stored, drifted(person, there, app.rules) if person else ())
        for row, stored, person, there in sides(session, app, rows)
    ]
