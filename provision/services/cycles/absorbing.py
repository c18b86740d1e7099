"""Account rows become people: who is certain is taken over, who is not waits for a person.

Owns what is done about each verdict, and the bulk statements on people; judges nobody itself.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlmodel import Session

from provision.core.lifecycle import MOVED_BY, after_import
from provision.core.matching import Verdict
from provision.core.ports import ENABLED, MANAGER
from provision.core.vocabulary import Lifecycle, Situation, key
from provision.db import moment
from provision.services import events
from provision.services.cycles.frame import Frame, Item
from provision.services.cycles.judging import AWAITED, Case, judge
from provision.services.cycles.people import Person, email_holders, insert, move, update

KEPT = "kept"
"""What is counted, and noted in a verdict, where both sides moved and ours stays."""


def absorb(
    session: Session,
    frame: Frame,
    items: Sequence[Item],
    counts: Counter[str],
    now: datetime,
    suitors: Mapping[int, int] | None = None,
) -> list[events.Entry]:
    """Judge the items, take over what is certain where this cycle may, and return what there is to write down.

    Items are changed in place; the caller stores them. Nobody is linked to a person who was here before until all
    accounts are known: two of them may fit the same person, pages apart, and the first of several is nobody. So without
    ``suitors`` (person → how many accounts fit them) such accounts are only noted; ``waiting_suitors`` counts them.
    """
    cases = judge(session, frame, [item for item in items if item.removed is None], suitors)
    entries: list[events.Entry] = []
    creating, changing = [], []
    for case in cases:
        if case.item.situation == Situation.GONE:
            _returned(frame, case, entries)
        situation = case.verdict.situation
        if case.verdict.reason == AWAITED:
            _note(case.item, case.verdict)
        elif situation is Situation.DISPUTED or situation is Situation.IGNORED or _left_alone(frame, case):
            _set_aside(frame, case, counts, entries)
        elif not _may_take_over(frame, case.item):
            _preview(frame, case)
        elif situation is Situation.UNMATCHED:
            creating.append(case)
        elif situation is Situation.LINKED or suitors is not None:
            changing.append(case)
        else:
            _note(case.item, case.verdict)
    _create(session, frame, creating, counts, entries, now)
    _change(session, frame, changing, counts, entries, now)
    return entries


def _may_take_over(frame: Frame, item: Item) -> bool:
    return frame.takes_over or (frame.chosen is not None and item.id in frame.chosen)


def _left_alone(frame: Frame, case: Case) -> bool:
    """A guest, where guests are not imported, unless somebody decided about this one."""
    guest = frame.leaves_guests and case.item.standing.get("guest") and case.item.user_id is None
    return bool(guest) and case.verdict.reason != "decided"


def _returned(frame: Frame, case: Case, entries: list[events.Entry]) -> None:
    """An account that had vanished is there again; its person is not moved by that."""
    entries.append(_entry(frame, case, "account.returned"))
    if case.item.user_id is not None:
        case.item.situation, case.item.touched = Situation.LINKED.value, True


def _preview(frame: Frame, case: Case) -> None:
    if case.verdict.situation is not Situation.LINKED:
        _note(case.item, case.verdict)
    elif not case.taken and not case.taken.kept:
        _settle(frame, case)
    else:
        if case.item.situation != Situation.LINKED:
            _note(case.item, case.verdict)
        _remember_kept(case.item, kept=not case.taken)


def _remember_kept(item: Item, *, kept: bool) -> None:
    """Note whether an import would only keep ours: it is counted without looking at values."""
    if bool(item.verdict.get(KEPT)) != kept:
        rest = {name: value for name, value in item.verdict.items() if name != KEPT}
        item.verdict, item.touched = {**rest, KEPT: True} if kept else rest, True


def _set_aside(frame: Frame, case: Case, counts: Counter[str], entries: list[events.Entry]) -> None:
    """Disputed, ignored, or a guest that this app leaves alone: nothing is guessed and nobody is changed."""
    if case.verdict.situation is Situation.DISPUTED and not _left_alone(frame, case):
        if _note(case.item, case.verdict):
            entries.append(_entry(frame, case, "account.disputed"))
        return
    counts["left_alone"] += 1
    if case.verdict.situation is not Situation.IGNORED:
        case.verdict = Verdict(Situation.UNMATCHED, reason="guest")
    _note(case.item, case.verdict)
    if case.item.stale:
        case.item.stale, case.item.touched = False, True


def _create(
    session: Session,
    frame: Frame,
    cases: Sequence[Case],
    counts: Counter[str],
    entries: list[events.Entry],
    now: datetime,
) -> None:
    origin = _origin(frame, now)
    people = [
        Person(
            0,
            after_import(case.item.enabled).value,
            0,
            dict(case.taken.values),
            dict.fromkeys(case.taken.values, origin),
        )
        for case in cases
    ]
    insert(session, frame.tenant_id, people, [case.item.name for case in cases], moment(session, now))
    for case, person in zip(cases, people, strict=True):
        case.person = person
        case.verdict = Verdict(Situation.LINKED, person.id, reason="created")
        _settle(frame, case)
        counts["created"] += 1
        counts["suspended"] += person.lifecycle == Lifecycle.SUSPENDED
        entries.append(_entry(frame, case, "user.created", after={**case.taken.values, "lifecycle": person.lifecycle}))


def _change(
    session: Session,
    frame: Frame,
    cases: Sequence[Case],
    counts: Counter[str],
    entries: list[events.Entry],
    now: datetime,
) -> None:
    changed = []
    back = _coming_back(session, frame, cases)
    for case in cases:
        adopting = case.item.user_id is None
        if adopting or case.taken.values or not case.taken.emptied:  # what went empty counts when it is taken away
            stays = KEPT if case.taken.kept else "unchanged"
            counts["linked" if adopting else "updated" if case.taken.values else stays] += 1
        if adopting:
            entries.append(_entry(frame, case, "account.linked"))
        _settle(frame, case)
        # What goes empty waits for the brake, unless somebody accepts just that.
        emptied = case.taken.emptied if case.item.id in frame.accepting else ()
        if case.person is None or not (case.taken.values or case.taken.kept or emptied):
            continue
        moved = {**case.taken.values, **dict.fromkeys(emptied)}
        before = {name: case.person.values.get(name) for name in moved}
        conflicts = {name: list(pair) for name, pair in case.taken.kept.items()}
        if moved:
            kept = {name: value for name, value in case.person.values.items() if name not in emptied}
            case.person.values = {**kept, **case.taken.values}
            case.person.origins.update(dict.fromkeys(moved, _origin(frame, now)))
            changed.append(case.person)
        text = {"kept": conflicts} if conflicts else {}
        action = "user.updated" if moved else "user.kept"
        entries.append(_entry(frame, case, action, before=before, after=moved, text=text))
    update(session, changed, moment(session, now))
    for case in back:
        assert case.person is not None  # noqa: S101 - whoever comes back was somebody
        was, case.person.lifecycle = case.person.lifecycle, Lifecycle.ACTIVE.value
        del case.person.origins[MOVED_BY]
        entries.append(
            _entry(frame, case, "user.reactivated", {"lifecycle": was}, {"lifecycle": Lifecycle.ACTIVE.value})
        )
    move(session, [case.person for case in back if case.person is not None], moment(session, now))


def _coming_back(session: Session, frame: Frame, cases: Sequence[Case]) -> list[Case]:
    """Who is active there again after this app said otherwise, and nobody here decided anything since."""
    if not frame.pushes:
        return []
    ours = [
        case
        for case in cases
        if case.person is not None
        and case.item.enabled is not False
        and case.person.lifecycle in (Lifecycle.SUSPENDED, Lifecycle.LEFT)
        and case.person.origins.get(MOVED_BY, (0,))[0] == frame.connector_id
    ]
    addresses = {key(case.person.values.get("email")): case.person.id for case in ours if case.person is not None}
    holders = email_holders(session, frame.tenant_id, addresses)
    taken = {number for address, number in addresses.items() if holders.get(address, number) != number}
    return [case for case in ours if case.person is not None and case.person.id not in taken]


def _settle(frame: Frame, case: Case) -> None:
    """The account is its person's, and what it holds is the base of the next merge.

    What went empty there keeps its old base until the brake has spoken: if somebody edits it here meanwhile, both moved.
    What is ours keeps the base on which both sides last agreed: so it shows who moved since.
    """
    item, emptied = case.item, case.taken.emptied
    if (accepted := frame.accepting.get(item.id)) is not None:
        _settle_accepted(frame, item, accepted)
        return
    if item.user_id is None or item.situation != Situation.LINKED:
        item.verdict = _told(case.verdict)
    _remember_kept(item, kept=False)
    before = item.base or {}
    held_back = {name for target in emptied for name in frame.inbound.sources(target)} if emptied else set()
    if before and case.person is not None:
        held_back |= {name for name in frame.inbound.unsettled(item.observed, case.person.values) if name in before}
    item.absorbed = {name: before[name] for name in frame.outward if name in before} | {
        name: before.get(name) if name in held_back else item.observed.get(name) for name in frame.inbound.attributes
    }
    if MANAGER in before:  # whom they report to is taken over when everybody is known
        item.absorbed[MANAGER] = before[MANAGER]
    if case.person is None or (item.enabled is False) == (case.person.lifecycle == Lifecycle.SUSPENDED):
        item.absorbed[ENABLED] = item.enabled  # both sides agree about the switch
    elif ENABLED in before:
        item.absorbed[ENABLED] = before[ENABLED]
    item.user_id, item.situation = case.verdict.user_id, Situation.LINKED.value
    item.withheld = _withheld(frame, case)
    item.stale, item.touched = False, True


def _withheld(frame: Frame, case: Case) -> dict[str, Any] | None:
    """What waits for the brake: values that went empty, and that a person who stands here is no longer active there."""
    waits: dict[str, Any] = {"empties": list(case.taken.emptied)} if case.taken.emptied else {}
    stands = case.person is not None and case.person.lifecycle in (Lifecycle.STAGED, Lifecycle.ACTIVE)
    if frame.pushes and case.item.enabled is False and stands:
        waits["inactive"] = True
    return waits or None


def _settle_accepted(frame: Frame, item: Item, accepted: Collection[str]) -> None:
    """What was accepted is the base of the next merge; everything else of the account waits as it did."""
    names = {name for target in accepted for name in frame.inbound.sources(target)}
    item.absorbed = {**item.absorbed, **{name: item.observed.get(name) for name in names}}
    left = [name for name in item.empties if name not in accepted]
    item.withheld, item.touched = {"empties": left} if left else None, True


def _note(item: Item, verdict: Verdict) -> bool:
    """Note what an unabsorbed account is; tells whether that is news."""
    told = _told(verdict)
    told.update({name: item.verdict[name] for name in ("decision", "user_id") if name in item.verdict})
    if item.situation == verdict.situation.value and item.verdict == told:
        return False
    item.situation, item.verdict, item.touched = verdict.situation.value, told, True
    return True


def _told(verdict: Verdict) -> dict[str, Any]:
    told: dict[str, Any] = {"reason": verdict.reason}
    if verdict.rule is not None:
        told["rule"] = [verdict.rule.ours, verdict.rule.theirs]
    if verdict.candidates:
        told["candidates"] = list(verdict.candidates)
    return told


def _origin(frame: Frame, now: datetime) -> list[Any]:
    return [frame.connector_id, now.isoformat(timespec="seconds")]


def _entry(
    frame: Frame,
    case: Case,
    action: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    *,
    text: Mapping[str, Any] | None = None,
) -> events.Entry:
    person = case.person
    user_id = person.id if person is not None else case.verdict.user_id
    address = (person.values.get("email") if person else None) or case.item.name
    name = person.shown(case.item.name) if person else str(case.item.observed.get("displayName") or case.item.name)
    return events.Entry(
        actor=frame.actor,
        action=action,
        user_id=user_id,
        account_id=case.item.id or None,
        connector_id=frame.connector_id,
        cycle_id=frame.cycle_id or None,
        before=before or {},
        after=after or {},
        names={"user": name, "address": address, "app": frame.app},
        text=text or {},
    )
