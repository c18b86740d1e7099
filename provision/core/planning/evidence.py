"""Whether something found there is what we sent when the answer was lost.

Owns the evidence that allows an adoption; never looks and never adopts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from provision.core.mapping import clean
from provision.core.ports import Record
from provision.core.retry import LOOK_UP_WAITS, VISIBLE_WITHIN
from provision.core.vocabulary import key

CLOCKS_DIFFER = timedelta(minutes=5)


class Found(StrEnum):
    """*ours*: adopt it. *foreign*: somebody else has the name. *wait*: look again. *nobody*: send the same again."""

    OURS = "ours"
    FOREIGN = "foreign"
    WAIT = "wait"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Sent:
    """What is known of the create whose outcome is open.

    ``values``: its sign-in name, display name and nickname. ``correlated``: a correlation value went along, so a namesake
    without it is somebody else. ``conflicted``: the outside answered that the name is taken, so something is there even if
    it is not visible yet. ``looks`` counts the look-ups, this one included.
    """

    values: Mapping[str, str | None]
    at: datetime
    correlated: bool
    conflicted: bool
    looks: int


def judge_found(
    by_correlation: Record | None, by_name: Record | None, created_at: datetime | None, sent: Sent, now: datetime
) -> Found:
    """Judge what a look-up found. ``created_at``: when the outside says that ``by_name`` was made."""
    if by_correlation is not None:
        return Found.OURS
    if by_name is not None:
        alike = all(key(clean(by_name.values.get(name))) == key(value) for name, value in sent.values.items())
        young = created_at is not None and created_at >= sent.at - CLOCKS_DIFFER
        return Found.OURS if alike and young and not sent.correlated else Found.FOREIGN
    if sent.conflicted:
        # Uniqueness is enforced where writes arrive; what is read may lag behind it.
        return Found.WAIT if (now - sent.at).total_seconds() < VISIBLE_WITHIN else Found.FOREIGN
    return Found.NOBODY if sent.looks >= len(LOOK_UP_WAITS) else Found.WAIT
