"""What an answer to a password means for the link that it came by: spent, alive, or to be looked up.

Owns the judgement; sends nothing.

    answer there                        for the link
    accepted                            spent, once nothing better can come of another try
    refused for the password itself     alive: the person chooses another one
    nobody there, told to wait          alive: later
    lost after it was sent              alive, but nothing is sent until it was looked up
    refused for any other reason        alive: somebody has to mend something first
"""

from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum

from provision.core.ports import Missing, OutsideError, Refused, Throttled, Unreachable

RESERVATION = timedelta(minutes=2)
"""How long one try may take at most; after that a dead process is assumed, and what it left behind is looked up."""
SENDING = timedelta(minutes=1)
"""How late after the reservation a password may still be sent: what is begun by then has ended, one way or the other, before
somebody else looks. Who was held up for longer sends nothing."""
WAITING, LOOK = timedelta(seconds=15), timedelta(milliseconds=250)
"""So long, looking so often, a form that came twice waits for what becomes of the first."""
KNOWN = timedelta(hours=1)
"""So long after a link was used, who used it is told so; later, and to everybody else, it is over like any other."""
UNSEEN = timedelta(minutes=2)
"""So long after a pass was handed out, the browser that it was handed to may have another one in its place."""
SETTLING = timedelta(minutes=30)
"""So long after a create a person may not be visible there yet."""


class Answer(StrEnum):
    """What became of a password in one app, or by a link. *before*: an earlier try by the same link had set its own."""

    DONE = "done"
    BEFORE = "before"
    WEAK = "weak"
    LATER = "later"
    DOUBT = "doubt"
    FAILED = "failed"


STOPS = (Answer.WEAK, Answer.LATER, Answer.DOUBT)
"""After one of these the other apps are not asked: a later try sets the password everywhere."""
_UNFIT = frozenset({"password_weak"})


def answer(error: OutsideError | None, *, settling: bool = False) -> Answer:
    """Judge one app's answer. ``settling``: the account was made so lately that it may not be visible yet."""
    match error:
        case None:
            return Answer.DONE
        case Refused() if error.code in _UNFIT:
            return Answer.WEAK
        case Unreachable(sent=True):
            return Answer.DOUBT
        case Unreachable() | Throttled():
            return Answer.LATER
        case Missing() if settling:
            return Answer.LATER
        case _:
            return Answer.FAILED


def together(answers: Sequence[Answer]) -> Answer:
    """What all of them mean: done when one accepted and none asks for another try, else the first that asks for one."""
    for each in answers:
        if each in STOPS:
            return each
    return Answer.DONE if Answer.DONE in answers else Answer.FAILED


def moved(before: str | None, now: str) -> bool:
    """Whether the password was changed since it was last looked at; without a look nobody can say so."""
    return before is not None and now != before
