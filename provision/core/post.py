"""What can become of a mail on its way out, and what follows: judged on plain values.

Owns the port that mails leave by, the kinds of trouble, the ladder of tries and what an address may look like; sends nothing.
"""

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from provision.core.letters import Letter
from provision.core.vocabulary import MailState

_ADDRESS = re.compile(r"[^\s@<>\",;:()\[\]\\\x00-\x20\x7f]{1,64}@[^\s@<>\",;:()\[\]\\\x00-\x20\x7f]{1,189}")


class Trouble(StrEnum):
    """Whose trouble it is, so what may be tried again.

    *refused*: this mail, for good. *later*: this mail, not now. *server*: nobody's mail goes at this moment.
    *doubt*: it was handed over and no clear answer came; only then may a mail arrive twice.
    """

    REFUSED = "refused"
    LATER = "later"
    SERVER = "server"
    DOUBT = "doubt"


class NotSent(Exception):
    """A mail was not taken, or nobody knows. ``code`` is a remedy key, ``params`` fill its blanks."""

    def __init__(self, code: str, trouble: Trouble, /, **params: Any) -> None:
        super().__init__(code)
        self.code, self.trouble, self.params = code, trouble, params


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who to whom. ``message_id`` is 32 hexadecimal digits, the same at every try; ``at`` is when it was first asked for."""

    message_id: str
    recipient: str
    sender_name: str
    reply_to: str
    language: str
    at: datetime


class Way(Protocol):
    """An open way out; several mails may take it one after the other, until one of them has trouble."""

    def send(self, envelope: Envelope, letter: Letter) -> None:
        """Hand it over. Raises NotSent; then the way is closed, and the next mail needs a new one."""


class Mailer(Protocol):
    """Where mails go from this installation. ``keeps``: they stay here as files instead of leaving."""

    @property
    def sender(self) -> str:
        """The address in every mail."""

    @property
    def keeps(self) -> bool:
        """Whether mails stay here as files."""

    def open(self) -> AbstractContextManager[Way]:
        """A way out for some mails. Raises NotSent with the trouble *server* when there is none."""

    def kept(self, message_id: str) -> bytes | None:
        """A mail that stays here; None when there is none of that id, or mails leave for real."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of the mail, and after how long it is tried again (None: never). ``counts``: it was a try of its own."""

    state: MailState
    wait: timedelta | None = None
    counts: bool = True


LADDER: Sequence[timedelta] = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(hours=1),
    timedelta(hours=4),
    timedelta(hours=12),
    timedelta(hours=24),
)
"""How long a mail waits after its first, second … try that came to nothing. Greylisting lets in what comes back."""

RESTS: Sequence[timedelta] = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 15))
"""How long the whole queue rests after the server's first, second … trouble in a row."""


def decide(trouble: Trouble, attempts: int, chance: float) -> Verdict:
    """What follows. ``attempts`` counts this try; ``chance`` (0 to 1) spreads what failed together over a tenth."""
    if trouble is Trouble.REFUSED:
        return Verdict(MailState.BOUNCED)
    if trouble is Trouble.SERVER:
        return Verdict(MailState.QUEUED, timedelta(0), counts=False)
    if attempts > len(LADDER):
        return Verdict(MailState.FAILED)
    return Verdict(MailState.QUEUED, LADDER[attempts - 1] * (0.95 + chance / 10))


def rest(tries: int) -> timedelta:
    """How long nothing is handed to a server that had trouble ``tries`` times in a row."""
    return RESTS[min(max(tries, 1), len(RESTS)) - 1]


def judge_address(text: str | None) -> str | None:
    """An address that a mail can go to, or None: one line, one @, nothing that could end it, begin another
    header, or be read as an encoded word, in which both could hide."""
    text = (text or "").strip(" ")
    return text if _ADDRESS.fullmatch(text) and "=?" not in text else None
