"""A small directory behind the Carrier port: it keeps a truth, lags behind it, and goes wrong on request.

Owns what was really applied, and how often; never forgets to apply what it said it did.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from provision.connectors.microsoft365 import schema
from provision.core.ports import (
    MANAGER,
    Appearance,
    Attribute,
    Discarded,
    Missing,
    Outcome,
    OutsideError,
    Record,
    Refused,
    Taken,
    Unreachable,
    Write,
)
from provision.core.vocabulary import OperationKind
from tests.fakes.directory import Directory

DOMAIN = "there.example"


class Death(BaseException):
    """The process ends here; nobody catches it."""


class TargetDirectory(Directory):
    """People by anchor, a recycle bin, and a queue of misfortunes, one per write.

    ``befall``: *lost before* and *lost after* lose the answer before or after the write was applied; *unsent* never sends
    it; *die before*, *die after* end the process; an error is answered as it is. ``lag`` is in seconds: so long a new
    object is invisible to look-ups. ``left``: anchor's name → what does not follow when it is written.
    """

    def __init__(self, clock: Callable[[], datetime], page_size: int = 50) -> None:
        super().__init__(page_size)
        self.clock = clock
        self.lag = 0.0
        self.bin: dict[str, dict[str, Any]] = {}
        self.made: dict[str, datetime] = {}
        self.misfortunes: deque[str | OutsideError | None] = deque()
        self.left: dict[str, OutsideError] = {}
        self.applied: list[tuple[OperationKind, str]] = []
        self.calls: list[list[Write]] = []
        self.marks: Counter[str] = Counter()
        self.passwords: dict[str, str] = {}
        self.witness: Callable[[Sequence[Write]], None] = lambda writes: None
        self._number = 0

    # -- What happens there ------------------------------------------------------------------------------------------

    def befall(self, *what: str | OutsideError | None) -> None:
        """One misfortune (or None for none) for each of the next writes."""
        self.misfortunes.extend(what)

    def named(self, name: str) -> dict[str, Any] | None:
        """Who signs in by this name."""
        return next((values for values in self.people.values() if values["userPrincipalName"] == name), None)

    # -- The port ----------------------------------------------------------------------------------------------------

    def schema(self) -> Sequence[Attribute]:
        return schema.ATTRIBUTES

    def appearance(self, values: Mapping[str, Any]) -> Appearance:
        return schema.appearance(values)

    def find(self, attributes: Sequence[str], *, anchor: str | None = None, **key: str) -> Record | None:
        if anchor is not None:
            found = [anchor] if anchor in self.people else []
        else:
            ((name, value),) = key.items()
            found = [
                number
                for number, values in self.people.items()
                if str(values.get(name) or "").casefold() == value.casefold()
            ]
        seen = [number for number in found if self._visible(number)]
        if len(seen) > 1:
            raise Refused("found_several", attribute=next(iter(key), ""))
        return self._record(seen[0]) if seen else None

    def carry(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        self.witness(writes)
        self.calls.append(list(writes))
        return [self._carried(write) for write in writes]

    def set_password(self, anchor: str, password: str) -> None:
        if anchor not in self.people:
            raise Missing("not_there")
        self.passwords[anchor] = password

    def discarded(self, attributes: Sequence[str]) -> Iterator[Discarded]:
        for anchor, values in self.bin.items():
            yield Discarded(anchor, values["userPrincipalName"], values, None, None)

    # -- Below: how --------------------------------------------------------------------------------------------------

    def _visible(self, anchor: str) -> bool:
        made = self.made.get(anchor)
        return made is None or self.clock() >= made + timedelta(seconds=self.lag)

    def _record(self, anchor: str) -> Record:
        return Record(anchor, {name: value for name, value in self.people[anchor].items() if name != "licences"})

    def _carried(self, write: Write) -> Outcome:
        what = self.misfortunes.popleft() if self.misfortunes else None
        if what == "die before":
            raise Death
        if what == "lost before":
            return Outcome(error=Unreachable("timed_out", sent=True))
        if what == "unsent":
            return Outcome(error=Unreachable("host_unreachable", sent=False))
        if isinstance(what, OutsideError):
            return Outcome(error=what)
        try:
            record = self._apply(write)
        except OutsideError as error:
            return Outcome(error=error)
        if what == "die after":
            raise Death
        if what == "lost after":
            return Outcome(error=Unreachable("connection_lost", sent=True))
        return Outcome(record, left=self._left(write), request_id=write.reference)

    def _left(self, write: Write) -> dict[str, OutsideError]:
        touched = {*write.values, *(["licences"] if write.licences else [])}
        return {name: error for name, error in self.left.items() if name in touched}

    def _apply(self, write: Write) -> Record | None:
        anchor = write.anchor or ""
        if write.kind is OperationKind.CREATE:
            anchor = self._create(write)
        elif write.kind is OperationKind.RESTORE:
            self._restore(write)
        elif anchor not in self.people or not self._visible(anchor):
            raise Missing("not_there")
        self.applied.append((write.kind, anchor))
        if write.kind is OperationKind.DELETE:
            self.bin[anchor] = self.people[anchor]
            self.remove(anchor)
            return None
        self._free(write.values.get("userPrincipalName"), anchor)
        changed = {name: value for name, value in write.values.items() if name not in self.left}
        if write.enabled is not None:
            changed["accountEnabled"] = write.enabled  # type: ignore[assignment]
        if write.moves_manager:
            changed[MANAGER] = write.manager
        if write.licences and "licences" not in self.left:
            held = {sku for sku, wish in write.licences.items() if wish}
            changed["licences"] = sorted({*self.people[anchor].get("licences", []), *held})  # type: ignore[assignment]
        self.edit(anchor, **changed)
        return self._record(anchor)

    def _create(self, write: Write) -> str:
        name = str(write.values["userPrincipalName"])
        self._free(name, "")
        assert write.password is not None
        assert len(write.password) >= 32
        twin = next((one for one, values in self.bin.items() if values["userPrincipalName"] == name), None)
        if twin is not None and not write.despite_bin:
            raise Refused("in_recycle_bin", anchor=twin, name=name)
        self._number += 1
        anchor = f"made{self._number:04}"
        self.add(anchor, userPrincipalName=name, createdDateTime=self.clock().astimezone(UTC).isoformat())
        if write.correlation is not None:
            self.people[anchor][write.correlation[0]] = write.correlation[1]
            self.marks[write.correlation[1]] += 1
        self.made[anchor] = self.clock()
        return anchor

    def _restore(self, write: Write) -> None:
        anchor = write.anchor or ""
        if anchor in self.people:
            return
        if anchor not in self.bin:
            raise Missing("not_there")
        name = write.values.get("userPrincipalName") or self.bin[anchor]["userPrincipalName"]
        self._free(name, anchor)
        self.people[anchor] = self.bin.pop(anchor)
        self.edit(anchor)

    def _free(self, name: str | None, own: str) -> None:
        """Uniqueness is enforced where writes arrive, whatever look-ups see."""
        if name is None:
            return
        for anchor, values in self.people.items():
            if anchor != own and str(values["userPrincipalName"]).casefold() == name.casefold():
                raise Taken("value_taken", attribute="userPrincipalName")
