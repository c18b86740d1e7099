"""What a person chooses about what drifted, many at a time: accept in, push back, leave alone, or ask again.

Owns what each answer does. *Push back* only leaves operations, *accept in* is the take-over of an import for just that
attribute; nothing is sent from here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import sqlalchemy as sa
from sqlmodel import Session

from provision.core.mapping import Change
from provision.core.planning import BY_HAND, LICENCE
from provision.core.ports import ENABLED, LICENCES, MANAGER
from provision.core.tables import Account
from provision.core.vocabulary import DriftChoice
from provision.db import among
from provision.services import cycles, events, outbox, users
from provision.services.drift.finding import DRIFTS, Side, present, sides
from provision.services.errors import Conflict, Invalid, NotFound, ServiceError
from provision.services.outbox import Effect, Order

BONDS = frozenset({ENABLED, MANAGER})
_HOW = {"allowed": users.Move.ENABLE, "blocked": users.Move.DISABLE}
_ACCOUNTS: sa.Table = Account.__table__  # type: ignore[attr-defined]


class Answer(StrEnum):
    """Accept theirs here; push ours back there; leave it as it is; or ask again about what was left."""

    ACCEPT = "accept"
    PUSH = "push"
    LEAVE = "leave"
    WATCH = "watch"


@dataclass(frozen=True, slots=True)
class Chosen:
    """What became of an answer: how many values it settled, what follows in which app, how many could not be accepted.

    ``disputed``: accounts whose accepted value belongs to somebody else here.
    """

    done: int
    left: int = 0
    disputed: int = 0
    effects: Sequence[Effect] = ()


@dataclass
class _Pick:
    """One app's part of an answer: what was chosen of which account, as it differs now."""

    side: Side
    met: Mapping[int, outbox.Met]
    picked: dict[int, list[tuple[int, Change]]] = field(default_factory=dict)

    @property
    def ids(self) -> list[int]:
        return [number for pairs in self.picked.values() for number, _ in pairs]


def choose(session: Session, tenant_id: int, answer: Answer, shown: Mapping[int, str | None], order: Order) -> Chosen:
    """Answer for these rows: id → the fingerprint that was shown (None: whatever it is now).

    Raises NotFound when one is not there, Conflict("drift_changed") when one is not what was shown, and ServiceError with
    what bars the answer for all of an app, or for the only one that was chosen.
    """
    picks, gone = _picks(session, tenant_id, shown, order)
    if gone:
        session.execute(sa.delete(DRIFTS).where(among(session, DRIFTS.c.id, gone)))
    if answer is Answer.PUSH:
        return _push(session, tenant_id, picks, order)
    if answer is Answer.ACCEPT:
        return _accept(session, tenant_id, picks, order)
    return _keep(session, tenant_id, picks, order, answer)


def _picks(
    session: Session, tenant_id: int, shown: Mapping[int, str | None], order: Order
) -> tuple[list[_Pick], list[int]]:
    """By app, and the ids of what is in line again."""
    query = sa.select(DRIFTS).where(DRIFTS.c.tenant_id == tenant_id, among(session, DRIFTS.c.id, list(shown)))
    rows = list(session.execute(query.order_by(DRIFTS.c.id)).mappings())
    if len(rows) != len(shown):
        raise NotFound("drift_gone")
    picks, gone = [], []
    kept = sides(session, tenant_id, order.kinds, (row["connector_id"] for row in rows), keep=True)
    if any(row["connector_id"] not in kept for row in rows):
        raise NotFound("drift_gone")
    for number, side in kept.items():
        own = [row for row in rows if row["connector_id"] == number]
        pick = _Pick(side, present(session, side, (row["account_id"] for row in own), lock=True))
        if any(row["account_id"] not in pick.met for row in own):
            raise NotFound("drift_gone")
        for row in own:
            differs = pick.met[row["account_id"]].differs
            now = next((one for one in differs if one.attribute == row["attribute"]), None)
            if now is None:
                gone.append(row["id"])
            elif now.fingerprint != row["fingerprint"] or row["fingerprint"] != (shown[row["id"]] or now.fingerprint):
                raise Conflict("drift_changed")
            else:
                pick.picked.setdefault(row["account_id"], []).append((row["id"], now))
        picks.append(pick)
    return picks, gone


def _push(session: Session, tenant_id: int, picks: Sequence[_Pick], order: Order) -> Chosen:
    """Forget the drift: from now on ours belongs there again, and an operation brings the account in line."""
    entries: list[events.Entry] = []
    effects: list[Effect] = []
    done = 0
    for pick in picks:
        if code := pick.side.bars_push:
            raise ServiceError(code, app=pick.side.app.name)
        done += len(pick.ids)
        session.execute(sa.delete(DRIFTS).where(among(session, DRIFTS.c.id, pick.ids)))
        accounts = list(pick.picked)
        _decide_switches(session, pick)
        _wish_licences(session, pick)
        declined = (among(session, _ACCOUNTS.c.id, accounts), _ACCOUNTS.c.declined.is_not(None))
        session.execute(sa.update(_ACCOUNTS).where(*declined).values(declined=None))
        effects += outbox.enqueue_accounts(session, pick.side.app, accounts, order)
        entries += _entries(pick, "account.pushed_back", order)
    events.append(session, tenant_id, entries, order.now)
    return Chosen(done, effects=effects)


def _accept(session: Session, tenant_id: int, picks: Sequence[_Pick], order: Order) -> Chosen:
    """Take over, then let every other app follow."""
    entries: list[events.Entry] = []
    people: set[int] = set()
    effects: list[Effect] = []
    done = left = disputed = 0
    for pick in picks:
        left += _leave_unfit(pick)
        more = _accept_bonds(session, tenant_id, pick, order)
        entries += _let_go(session, pick, order)
        left, effects = left + more.left, [*effects, *more.effects]
        chosen = {
            account: frozenset(pick.side.takes[one.attribute] for _, one in pairs if not _binds(one))
            for account, pairs in pick.picked.items()
            if any(not _binds(one) for _, one in pairs)
        }
        told = cycles.accept(session, tenant_id, pick.side.app.id, chosen, order.actor, order.now, order.kinds)
        for clashed in {entry.account_id for entry in told if entry.action == "account.disputed"}:
            disputed += pick.picked.pop(clashed or 0, None) is not None
        session.execute(sa.delete(DRIFTS).where(among(session, DRIFTS.c.id, pick.ids)))
        people |= {pick.met[account].account["user_id"] for account in pick.picked}
        entries += told
        done += len(pick.ids)
    effects += outbox.enqueue(session, tenant_id, sorted(people), order) if people else []
    events.append(session, tenant_id, entries, order.now)
    return Chosen(done, left, disputed, effects)


def _decide_switches(session: Session, pick: _Pick) -> None:
    """Whether somebody may sign in there was decided by a person: the plan then does it by itself."""
    for account, _one in _bonds(pick, ENABLED):
        intent = {**pick.met[account].account["intent"], **_decided(pick, account)}
        session.execute(sa.update(_ACCOUNTS).where(_ACCOUNTS.c.id == account).values(intent=intent))


def _decided(pick: _Pick, account: int) -> dict[str, bool]:
    """What was decided about the switch of this account, if anything was."""
    chosen = next((one for number, one in _bonds(pick, ENABLED) if number == account), None)
    return {} if chosen is None else {ENABLED: True} if chosen.becomes == "allowed" else {BY_HAND: True}


def _wish_licences(session: Session, pick: _Pick) -> None:
    """What was given from here is to be given again; where no seat is left it waits like any other."""
    for account, skus in _skus(pick).items():
        before = pick.met[account].account["intent"]
        wish = {**(before.get(LICENCES) or {}), **dict.fromkeys(skus, True)}
        row = sa.update(_ACCOUNTS).where(_ACCOUNTS.c.id == account)
        session.execute(row.values(intent={**before, **_decided(pick, account), LICENCES: wish}))


def _let_go(session: Session, pick: _Pick, order: Order) -> list[events.Entry]:
    """That somebody else took them away is right: they are no longer ours, and are not asked about again."""
    for account, skus in _skus(pick).items():
        kept = {sku: True for sku in pick.met[account].account["given"] if sku not in skus}
        session.execute(sa.update(_ACCOUNTS).where(_ACCOUNTS.c.id == account).values(given=kept))
    own = {
        account: [(number, one) for number, one in pairs if one.attribute.startswith(LICENCE)]
        for account, pairs in pick.picked.items()
    }
    gone = _Pick(pick.side, pick.met, {account: pairs for account, pairs in own.items() if pairs})
    return _entries(gone, "licence.let_go", order)


def _skus(pick: _Pick) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for account, pairs in pick.picked.items():
        for _, one in pairs:
            if one.attribute.startswith(LICENCE):
                found.setdefault(account, []).append(one.attribute.removeprefix(LICENCE))
    return found


def _accept_bonds(session: Session, tenant_id: int, pick: _Pick, order: Order) -> Chosen:
    """Take over what no row of the mapping carries: whether somebody may sign in, and whom they report to.

    Whoever may not be moved here is left out: nothing is agreed about them, so their difference stays and is asked again.
    """
    effects: list[Effect] = []
    refused: set[tuple[int, str]] = set()
    for how in users.Move.ENABLE, users.Move.DISABLE:
        people = {
            _whose(pick, account): account for account, one in _bonds(pick, ENABLED) if _HOW[one.was or ""] is how
        }
        moved = users.move_many(session, tenant_id, list(people), how, order)
        effects += moved.effects
        refused |= {(people[number], ENABLED) for number in people.keys() - {*moved.moved}}
    for account, one in _bonds(pick, MANAGER):
        try:
            saved = users.edit(session, tenant_id, _whose(pick, account), {"manager_id": _boss(pick, one)}, order)
            effects += saved.effects
        except (Invalid, Conflict):
            refused.add((account, MANAGER))
    _leave_out(pick, refused)
    _agree(session, pick)
    return Chosen(0, left=len(refused), effects=effects)


def _agree(session: Session, pick: _Pick) -> None:
    """Both sides are the same from here on, as it is there."""
    for account, pairs in pick.picked.items():
        told = {
            one.attribute: one.was == "allowed" if one.attribute == ENABLED else one.was
            for _, one in pairs
            if one.attribute in BONDS
        }
        if not told:
            continue
        base = {**pick.met[account].account["absorbed"], **told}
        session.execute(sa.update(_ACCOUNTS).where(_ACCOUNTS.c.id == account).values(absorbed=base))


def _leave_out(pick: _Pick, refused: set[tuple[int, str]]) -> None:
    kept = {
        account: [(number, one) for number, one in pairs if (account, one.attribute) not in refused]
        for account, pairs in pick.picked.items()
    }
    pick.picked = {account: pairs for account, pairs in kept.items() if pairs}


def _binds(one: Change) -> bool:
    """Whether no row of the mapping carries it."""
    return one.attribute in BONDS or one.attribute.startswith(LICENCE)


def _whose(pick: _Pick, account: int) -> int:
    return int(pick.met[account].account["user_id"])


def _bonds(pick: _Pick, attribute: str) -> list[tuple[int, Change]]:
    return [(account, one) for account, pairs in pick.picked.items() for _, one in pairs if one.attribute == attribute]


def _boss(pick: _Pick, one: Change) -> int | None:
    return pick.side.bosses[one.was][0] if one.was else None


def _leave_unfit(pick: _Pick) -> int:
    """Leave out what cannot be accepted, and say how many; when nothing is left, say why."""
    fit = {
        account: [(number, one) for number, one in pairs if pick.side.bars_accept(one) is None]
        for account, pairs in pick.picked.items()
    }
    every = [one for pairs in pick.picked.values() for _, one in pairs]
    pick.picked = {account: pairs for account, pairs in fit.items() if pairs}
    if every and not pick.picked:
        code = pick.side.bars_accept(every[0]) or "unknown"
        raise ServiceError(code, app=pick.side.app.name, attribute=every[0].attribute)
    return len(every) - len(pick.ids)


def _keep(session: Session, tenant_id: int, picks: Sequence[_Pick], order: Order, answer: Answer) -> Chosen:
    """Remember the choice for exactly this difference; another value asks again."""
    alone = answer is Answer.LEAVE
    choice = DriftChoice.ALONE if alone else DriftChoice.OPEN
    entries: list[events.Entry] = []
    done = 0
    for pick in picks:
        chosen = {"choice": choice, "chosen_by": order.actor, "chosen_at": order.now}
        session.execute(sa.update(DRIFTS).where(among(session, DRIFTS.c.id, pick.ids)).values(**chosen))
        entries += _entries(pick, "account.left_alone" if alone else "account.watched", order)
        done += len(pick.ids)
    events.append(session, tenant_id, entries, order.now)
    return Chosen(done)


def _entries(pick: _Pick, action: str, order: Order) -> list[events.Entry]:
    return [
        events.Entry(
            actor=order.actor,
            action=action,
            user_id=pick.met[account].account["user_id"],
            account_id=account,
            connector_id=pick.side.app.id,
            before={one.attribute: one.was for _, one in pairs},
            after={one.attribute: one.becomes if action == "account.pushed_back" else one.was for _, one in pairs},
            names={**pick.met[account].names, "app": pick.side.app.name},
        )
        for account, pairs in pick.picked.items()
    ]
