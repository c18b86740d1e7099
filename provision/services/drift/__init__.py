"""The drift inbox: what other hands changed there although the mapping owns it, and what a person chooses about it.

finding   what waits for a choice and what is left alone, both sides as they are now
choosing  accept in, push back, leave alone, ask again

What drifts is found by cycles (``cycles.comparing``); until somebody chooses, it is neither overwritten nor taken over.
"""

from provision.services.drift.choosing import Answer, Chosen, choose
from provision.services.drift.finding import (
    MANY,
    Item,
    attributes,
    called,
    counts,
    listed,
    of_person,
    open_by_app,
    whole,
)

__all__ = [
    "MANY",
    "Answer",
    "Chosen",
    "Item",
    "attributes",
    "called",
    "choose",
    "counts",
    "listed",
    "of_person",
    "open_by_app",
    "whole",
]
