"""What flows in: an account's values become a person's.

Owns the merge; never writes, and never empties anything itself: what would become empty is named apart, for the brake.

    owner    an existing person                                                  a new person
    ours     nothing flows in, ever                                              every value is taken
    theirs   their value replaces ours; empty there empties here                 every value is taken
    either   only they moved since the base: theirs flows in                     every value is taken
             only we moved: ours stays; both moved to different values: ours stays and the pair is reported

The base is what the account held when it was last taken over. At first contact there is none: then everything that is
there counts as moved, so *either* fills only what is empty here, reports where both hold different values, and empties
nothing. A flow narrows this further: *on create* flows to new people only, *if empty* only where ours is empty.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from provision.core.mapping.rows import Row
from provision.core.mapping.source import Read, Values, moved_only_there, reader
from provision.core.matching import Rule
from provision.core.text import clean
from provision.core.vocabulary import Flow, Owner


@dataclass(frozen=True, slots=True)
class Taken:
    """What one account means for one person.

    ``values``: attribute → text to set here (never empty); ``emptied``: attributes that would go from a value to none, to
    be applied at the end of the cycle if the brake lets them; ``kept``: attribute → (ours, theirs) where both moved.
    """

    values: dict[str, str] = field(default_factory=dict)
    emptied: tuple[str, ...] = ()
    kept: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """True when the person would change."""
        return bool(self.values or self.emptied)


@dataclass(frozen=True, slots=True)
class _Line:
    target: str
    read: Read
    needs: frozenset[str]
    owner: Owner
    flow: Flow


@dataclass(frozen=True, slots=True)
class Inbound:
    """The compiled inward rows. ``attributes``: outside names to read, matching included; ``rules``: in asking order."""

    attributes: tuple[str, ...]
    rules: tuple[Rule, ...]
    targets: tuple[str, ...]
    _lines: tuple[_Line, ...] = field(repr=False)
    _standing: tuple[_Line, ...] = field(repr=False)

    def sources(self, target: str) -> frozenset[str]:
        """The outside names that one of our attributes is read from."""
        return next((line.needs for line in self._lines if line.target == target), frozenset())

    def unsettled(self, values_there: Values, user_now: Mapping[str, str | None]) -> set[str]:
        """The outside names whose value is not what ours says although it is ours: nothing of it is taken over, ever."""
        ours = (line for line in self._lines if line.owner is Owner.OURS)
        return {
            name for line in ours if line.read(values_there) != clean(user_now.get(line.target)) for name in line.needs
        }

    def accept(self, values_there: Values, user_now: Mapping[str, str | None], targets: Collection[str]) -> Taken:
        """What a person accepts from an account, for these attributes of ours alone, whoever owns them."""
        taken = {line.target: line.read(values_there) for line in self._lines if line.target in targets}
        moved = {name: value for name, value in taken.items() if value != clean(user_now.get(name))}
        values = {name: value for name, value in moved.items() if value is not None}
        return Taken(values, tuple(name for name in moved if name not in values))

    def take(
        self, values_there: Values, user_now: Mapping[str, str | None], base: Values | None, *, creating: bool
    ) -> Taken:
        """Merge one account into one person.

        ``user_now`` is flat, custom attributes under ``extra.<name>``; it is not read when ``creating``. An attribute that
        ``values_there`` does not carry at all was never read and changes nothing; None means empty there.
        """
        if creating:
            read = ((line.target, line.read(values_there)) for line in self._lines)
            return Taken({target: value for target, value in read if value is not None})
        before = base if base is not None else {}
        values: dict[str, str] = {}
        emptied: list[str] = []
        kept: dict[str, tuple[str | None, str | None]] = {}
        for line in self._standing:
            if line.needs and line.needs.isdisjoint(values_there):
                continue
            theirs = line.read(values_there)
            ours = clean(user_now.get(line.target))
            if theirs == ours or (line.flow is Flow.IF_EMPTY and ours is not None):
                continue
            if line.owner is Owner.EITHER:
                was = None if base is None else line.read(before)
                if not moved_only_there(ours, theirs, was):
                    if theirs != was:
                        kept[line.target] = (ours, theirs)
                    continue
            if theirs is None:
                emptied.append(line.target)
            else:
                values[line.target] = theirs
        return Taken(values, tuple(emptied), kept)


def compile_inbound(rows: Sequence[Row]) -> Inbound:
    """Compile once per cycle, then ``take`` once per account. Expects rows without problems; raises ExpressionError."""
    lines: dict[str, _Line] = {}
    attributes: dict[str, None] = {}
    rules = sorted((row.rule for row in rows if row.rule), key=lambda rule: rule.priority)
    for row in sorted(rows, key=lambda row: row.position):
        if row.flows_in and row.ours not in lines:
            read, needs = reader(row.kind, row.theirs)
            lines[row.ours] = _Line(row.ours, read, frozenset(needs), row.owner, row.flow)
            attributes.update(dict.fromkeys(needs))
    attributes.update(dict.fromkeys(rule.theirs for rule in rules))
    standing = tuple(
        line for line in lines.values() if line.owner is not Owner.OURS and line.flow is not Flow.ON_CREATE
    )
    return Inbound(tuple(attributes), tuple(rules), tuple(lines), tuple(lines.values()), standing)
