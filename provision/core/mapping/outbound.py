"""What flows out: a person's values become an account's.

Owns which attributes should hold what there, and what that would change; never sends anything and never looks there.

    owner    an existing account                                                 a new account
    ours     our value replaces theirs; empty here empties there                 every value is sent
    theirs   nothing flows out, ever                                             every value is sent
    either   ours flows unless only they moved since the base (that flows in)    every value is sent
"""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from provision.core.mapping.rows import Row
from provision.core.mapping.source import Read, Values, moved_only_there, reader
from provision.core.ports import Attribute
from provision.core.text import clean, clean_nickname
from provision.core.vocabulary import Flow, Owner

User = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Change:
    """One attribute of an account as it is there and as it would become."""

    attribute: str
    was: str | None
    becomes: str | None

    @property
    def fingerprint(self) -> str:
        """Stands for exactly this difference: another value on either side is another one."""
        return hashlib.sha256(json.dumps([self.attribute, self.was, self.becomes]).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class _Line:
    target: str
    read: Read
    owner: Owner
    flow: Flow
    kept: bool


@dataclass(frozen=True, slots=True)
class Outbound:
    """The compiled outward rows. ``attributes``: our names that they read; ``targets``: their names that they write."""

    attributes: tuple[str, ...]
    targets: tuple[str, ...]
    _lines: tuple[_Line, ...] = field(repr=False)

    def wanted(
        self, user: User, there_now: Values | None, *, base: Values | None = None, creating: bool
    ) -> dict[str, str | None]:
        """Tell what an account should hold and does not: target attribute → text, or None to clear it.

        ``there_now``: what was last seen there, None when it is unknown or ``creating``. ``base``: what the account held
        when it was last taken over; None: never, and then *either* clears nothing. Required attributes, and those that a
        create fills in by itself, are never cleared.
        Lists are compared, and sent, as their texts joined by "; ".
        """
        if creating:
            read = ((line.target, _fitting(line, user)) for line in self._lines)
            return {target: value for target, value in read if value is not None}
        there = there_now if there_now is not None else {}
        wanted: dict[str, str | None] = {}
        for line in self._lines:
            if line.owner is Owner.THEIRS or line.flow is Flow.ON_CREATE:
                continue
            theirs = clean(there.get(line.target))
            if theirs is not None and line.flow is Flow.IF_EMPTY:
                continue
            ours = line.read(user) if theirs is not None else _fitting(line, user)
            if ours == theirs or (ours is None and line.kept):
                continue
            if line.owner is Owner.EITHER:
                was = None if base is None else clean(base.get(line.target))
                if moved_only_there(ours, theirs, was):
                    continue
            fitting = _fitting(line, user) if ours is not None else None
            if fitting != theirs and not (fitting is None and line.kept):
                wanted[line.target] = fitting
        return wanted

    def agrees(self, target: str, user: User, theirs: object) -> bool:
        """Tell whether an attribute holds what we would send: in the form they take, or its substitute if we hold none."""
        line = next((line for line in self._lines if line.target == target), None)
        return line is not None and _fitting(line, user) == clean(theirs)

    def owed(self, user: User, names: Collection[str]) -> dict[str, str | None]:
        """Tell what an account should hold in these attributes, whatever it holds; None to clear it."""
        lines = [line for line in self._lines if line.target in names and line.owner is not Owner.THEIRS]
        return {line.target: _fitting(line, user) for line in lines if not line.kept or line.read(user) is not None}


def compile_outbound(rows: Sequence[Row], schema: Sequence[Attribute] = ()) -> Outbound:
    """Compile once, then ask ``wanted`` once per person. ``schema`` tells what is required or cannot be written there.

    Expects rows without problems; raises ExpressionError.
    """
    known = {attribute.name: attribute for attribute in schema}
    lines: dict[str, _Line] = {}
    attributes: dict[str, None] = {}
    for row in sorted(rows, key=lambda row: row.position):
        there = known.get(row.theirs)
        if not row.flows_out or row.theirs in lines or (there is not None and not there.writable):
            continue
        read, needs = reader(row.kind, row.ours)
        # What a create fills in where we hold nothing is not emptied again afterwards.
        kept = (there is not None and there.required) or row.theirs in _SUBSTITUTES
        lines[row.theirs] = _Line(row.theirs, read, row.owner, row.flow, kept)
        attributes.update(dict.fromkeys(needs))
    return Outbound(tuple(attributes), tuple(lines), tuple(lines.values()))


def would_change(outbound: Outbound, user: User, observed: Values, *, base: Values | None = None) -> list[Change]:
    """Tell what an existing account would be changed to; empty when it is in line. ``base`` as for ``wanted``."""
    wanted = outbound.wanted(user, observed, base=base, creating=False)
    return [Change(name, clean(observed.get(name)), becomes) for name, becomes in wanted.items()]


# -- Attributes with a rule of their own ---------------------------------------------------------------------------------


def _full_name(user: User) -> str | None:
    return " ".join(filter(None, (clean(user.get("given_name")), clean(user.get("surname"))))) or None


def _local_part(user: User) -> str | None:
    return clean_nickname((user.get("email") or "").partition("@")[0])


# What an account needs that has none yet; never put in the place of a value that somebody chose.
_SUBSTITUTES: dict[str, Callable[[User], str | None]] = {"displayName": _full_name, "mailNickname": _local_part}
_FITTERS: dict[str, Callable[[str], str | None]] = {"mailNickname": clean_nickname}


def _fitting(line: _Line, user: User) -> str | None:
    """Our value in a form that the other side accepts, or its substitute."""
    value = line.read(user)
    fitter = _FITTERS.get(line.target)
    if value is not None and fitter is not None:
        value = fitter(value)
    if value is None and line.target in _SUBSTITUTES:
        return _SUBSTITUTES[line.target](user)
    return value
