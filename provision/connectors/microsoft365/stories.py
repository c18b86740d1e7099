"""One write under way: what was confirmed so far, what did not follow, and the calls that are made for it.

Owns the state of a single write; never sends anything itself.
"""

import re
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from provision.connectors.http import Answer
from provision.connectors.microsoft365.batch import RIGHT, Call
from provision.connectors.microsoft365.bodies import SWITCH
from provision.core.ports import ENABLED, Missing, Outcome, OutsideError, Record, Refused, Taken, Unreachable, Write
from provision.core.vocabulary import OperationKind

USER = "/users/{id}"
ANCHOR = re.compile(r"[A-Za-z0-9-]{1,128}")

Telling = Generator[Call, Answer, None]
"""Yields a call, is sent its answer; a call that failed raises one of the six errors where it was yielded."""


@dataclass(slots=True)
class Story:
    """One write. ``root`` is Graph's own address, ``names`` the known licence names by sku.

    ``stopped``: an error after which nothing more is tried in this carrying.
    """

    write: Write
    root: str
    names: dict[str, str]
    anchor: str = ""
    written: dict[str, Any] = field(default_factory=dict)
    left: dict[str, OutsideError] = field(default_factory=dict)
    confirmed: bool = False
    is_new: bool = False
    gone: bool = False
    stopped: OutsideError | None = None
    request_id: str | None = None

    def __post_init__(self) -> None:
        self.anchor = self.write.anchor or ""

    def call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, right: str = RIGHT, **names: str
    ) -> Call:
        return Call(method, path, right, self.write.reference, body, names)

    def read(
        self,
        path: str,
        params: Mapping[str, str],
        *,
        right: str = "User.Read.All",
        headers: Mapping[str, str] | None = None,
        **names: str,
    ) -> Call:
        return Call("GET", path, right, self.write.reference, None, names, params, headers or {})

    def made(self, record: Record) -> None:
        """Somebody was created."""
        self.anchor, self.is_new = record.anchor, True
        self.confirm(record.values)

    def confirm(self, values: Mapping[str, Any]) -> None:
        """The outside has confirmed these values."""
        self.confirmed = True
        self.written |= values

    def leave(self, names: Iterable[str], error: OutsideError) -> None:
        """These did not follow."""
        self.left |= {ENABLED if name == SWITCH else name: error for name in names}

    def stop(self, error: OutsideError, names: Iterable[str]) -> None:
        """These did not follow, and nothing else shall be tried; raises the error when nothing was done before it."""
        if not self.confirmed:
            raise error
        self.stopped = error
        self.leave(names, error)

    def outcome(self, error: OutsideError | None = None) -> Outcome:
        """What became of it. ``error``: what ended it."""
        if self.gone:
            return Outcome(request_id=self.request_id)
        record = Record(self.anchor, self.written) if self.anchor and self._is_known(error) else None
        failed = error or self._failure()
        request_id = failed.request_id if failed is not None and failed.request_id else self.request_id
        # First what time alone mends: whoever judges by the first shall not give up because of a later one.
        left = dict(sorted(self.left.items(), key=lambda item: isinstance(item[1], Refused | Taken)))
        return Outcome(record, failed, left, request_id)

    def _is_known(self, error: OutsideError | None) -> bool:
        """Whether there is something to tell; a write that asked for nothing is true as it stands."""
        return self.confirmed or (error is None and not self.left)

    def _failure(self) -> OutsideError | None:
        """Why the write itself failed: nothing of it followed, or not the one thing that it is named for."""
        if not self.confirmed and self.left:
            # What tells that the account is not there says more than any attribute of it.
            return min(self.left.values(), key=lambda each: not isinstance(each, Missing))
        if self.write.kind in (OperationKind.ENABLE, OperationKind.DISABLE):
            return self.left.get(ENABLED)
        return None


def undoubted(error: OutsideError) -> OutsideError:
    """Return the error as it stands for a read: whatever came of it, nothing was changed."""
    if isinstance(error, Unreachable) and error.sent:
        return Unreachable(error.code, sent=False, request_id=error.request_id, **error.params)
    return error


def read_object(answer: Answer) -> dict[str, Any]:
    """Return the JSON object that a read brought. Raises Unreachable, not in doubt, for anything else."""
    try:
        body = answer.json()
    except Unreachable as error:
        raise undoubted(error) from None
    if not isinstance(body, dict):
        raise undoubted(answer.unexpected("shape"))
    return body
