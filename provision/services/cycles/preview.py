"""What an import would do, row by row, derived from what was observed; and what a person decided about a row.

Owns no record of its own: the accounts say it all. Takes nothing over.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, select

from provision.core.tables import Account, Connector, User
from provision.core.vocabulary import Decision, Lifecycle, Outcome, Situation
from provision.db import for_update
from provision.services import events
from provision.services.cycles.absorbing import KEPT
from provision.services.cycles.frame import Frame, Item, looking
from provision.services.cycles.judging import take
from provision.services.cycles.observing import ACCOUNTS, load
from provision.services.cycles.people import Person
from provision.services.cycles.people import load as load_people
from provision.services.errors import Conflict, NotFound, ServiceError

_DIFFERENT = ("new", "exact", "changed", "kept", "gone", "disputed")
FILTERS = ("different", *_DIFFERENT, "ignored", "same")


@dataclass(frozen=True, slots=True)
class PreviewCounts:
    """How many accounts an import would add, link, change, leave as they are, mark gone, or cannot decide.

    Every account that is known there is counted once. ``kept``: both sides hold something else, and ours stays.
    """

    new: int = 0
    exact: int = 0
    changed: int = 0
    kept: int = 0
    same: int = 0
    gone: int = 0
    disputed: int = 0
    ignored: int = 0

    @property
    def different(self) -> int:
        """All that is not the same."""
        return self.known - self.same - self.ignored

    @property
    def known(self) -> int:
        """All of them."""
        return sum(getattr(self, name) for name in self.__dataclass_fields__)

    @property
    def certain(self) -> int:
        """All that an import would take over without a question."""
        return self.new + self.exact + self.changed


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """One account: what it is there, what fits here, what an import would change, and what a person decided.

    ``user_id``: whose it is already; such a row may be disputed by its values, but nothing about it can be decided here.

    ``changes``: attribute → (now, then); ``empties`` are those of them that would be empty then. ``candidates``: the people
    it might be. ``what``: one of ``FILTERS``.
    """

    account_id: int
    name: str
    display_name: str
    what: str
    situation: Situation
    reason: str
    rule: tuple[str, str] | None
    candidates: Sequence[Person]
    changes: Mapping[str, tuple[Any, Any]]
    kept: Mapping[str, tuple[Any, Any]]
    standing: Mapping[str, Any]
    decision: Decision | None
    user_id: int | None = None
    removed: str | None = None
    empties: Sequence[str] = field(default_factory=tuple)


def preview_counts(session: Session, tenant_id: int, connector_id: int) -> PreviewCounts:
    """Count what an import would do, from what was last observed. One query."""
    what = _what()
    query = (
        sa.select(what, sa.func.count())
        .where(ACCOUNTS.c.tenant_id == tenant_id, ACCOUNTS.c.connector_id == connector_id)
        .group_by(what)
    )
    found = {name: number for name, number in session.execute(query) if name}
    return PreviewCounts(**{name: found.get(name, 0) for name in PreviewCounts.__dataclass_fields__})


def preview_rows(
    session: Session,
    tenant_id: int,
    connector_id: int,
    kinds: Mapping[str, Any],
    *,
    show: str = "different",
    after: int = 0,
    limit: int = 50,
) -> list[PreviewRow]:
    """Some rows in order of account id, from behind ``after``. ``show`` is one of ``FILTERS``."""
    frame = looking(session, tenant_id, connector_id, kinds)
    wanted = _DIFFERENT if show == "different" else (show,)
    items = load(session, frame, _what().in_(wanted), ACCOUNTS.c.id > after, limit=limit)
    ids = {item.user_id for item in items if item.user_id} | {
        person for item in items for person in item.verdict.get("candidates", ())
    }
    people = load_people(session, frame.tenant_id, ids)
    return [_row(frame, item, people) for item in items]


def decide(
    session: Session,
    tenant_id: int,
    account_id: int,
    decision: Decision,
    actor: str,
    now: datetime,
    *,
    user_id: int | None = None,
) -> Account:
    """Keep a person's choice for one row; the next import obeys it.

    *ignore* sets the account aside until someone chooses otherwise; *new* adds a person although somebody may fit;
    *existing* links to ``user_id``; *exact* goes back to what the rules say. Choosing somebody whose account is gone moves
    them to this one. Refused for an account that is somebody's or gone, and for somebody who has another account here.
    """
    query = select(Account).where(Account.tenant_id == tenant_id, Account.id == account_id)
    account: Account | None = session.exec(for_update(session, query)).first()
    if account is None or account.group_id is not None:
        raise NotFound("no_such_account")
    if account.user_id is not None or account.situation == Situation.GONE:
        raise Conflict("account_linked")
    verdict = {name: value for name, value in account.verdict.items() if name not in ("decision", "user_id", "judged")}
    judged = account.verdict.get("judged", account.situation)
    if decision is Decision.EXISTING:
        if user_id is None:
            raise ServiceError("choose_person")
        _free(session, account, user_id)
        verdict["user_id"] = user_id
    if decision is not Decision.EXACT:
        verdict |= {"decision": decision.value, "judged": judged}
    # Where the rules' own verdict is not known any more, the next cycle finds it again.
    back = Situation.UNMATCHED if judged == Situation.IGNORED else Situation(judged)
    account.situation = _DECIDED.get(decision, back)
    account.verdict, account.stale = verdict, decision is not Decision.IGNORE
    session.add(account)
    _write_down(session, account, decision, actor, now, user_id)
    return account


_DECIDED = {
    Decision.IGNORE: Situation.IGNORED,
    Decision.NEW: Situation.UNMATCHED,
    Decision.EXISTING: Situation.UNLINKED,
}


def _free(session: Session, account: Account, user_id: int) -> None:
    person = session.exec(select(User).where(User.tenant_id == account.tenant_id, User.id == user_id)).first()
    if person is None or person.lifecycle == Lifecycle.LEFT:
        raise NotFound("user_not_found")
    other = session.exec(
        select(Account).where(Account.connector_id == account.connector_id, Account.user_id == user_id)
    ).first()
    if other is None or other.id == account.id:
        return
    if other.situation != Situation.GONE:
        raise Conflict("person_has_account", name=other.name)
    other.user_id = None
    session.add(other)
    session.flush()


def _write_down(
    session: Session, account: Account, decision: Decision, actor: str, now: datetime, user_id: int | None
) -> None:
    app = session.exec(
        select(Connector.name).where(Connector.tenant_id == account.tenant_id, Connector.id == account.connector_id)
    ).one()
    entry = events.Entry(
        actor=actor,
        action="account.ignored" if decision is Decision.IGNORE else "account.decided",
        outcome=Outcome.DONE,
        user_id=user_id,
        account_id=account.id,
        connector_id=account.connector_id,
        names={"user": str(account.observed.get("displayName") or account.name), "address": account.name, "app": app},
        text={"decision": decision.value},
    )
    events.append(session, account.tenant_id, [entry], now)


def _what() -> Any:
    """The account's line in the preview, as SQL, so that counts and rows never disagree."""
    situation, stale = ACCOUNTS.c.situation, ACCOUNTS.c.stale
    leaving = sa.or_(ACCOUNTS.c.removed.is_not(None), ACCOUNTS.c.withheld.is_not(None))
    return sa.case(
        (sa.or_(situation == Situation.GONE.value, ACCOUNTS.c.group_id.is_not(None)), None),
        (situation == Situation.IGNORED.value, "ignored"),
        (ACCOUNTS.c.removed.is_not(None), "gone"),
        (situation == Situation.DISPUTED.value, "disputed"),
        (sa.and_(situation == Situation.UNMATCHED.value, stale), "new"),
        (sa.and_(situation == Situation.UNLINKED.value, stale), "exact"),
        (sa.and_(situation == Situation.LINKED.value, stale, ~leaving, ACCOUNTS.c.verdict[KEPT].as_boolean()), KEPT),
        (sa.and_(situation == Situation.LINKED.value, sa.or_(stale, leaving)), "changed"),
        else_="same",
    )


def _row(frame: Frame, item: Item, people: Mapping[int, Person]) -> PreviewRow:
    verdict = item.verdict
    person_id = item.user_id or verdict.get("user_id")
    candidates = [people[number] for number in verdict.get("candidates", ()) if number in people]
    if person_id is None and item.situation == Situation.UNLINKED and candidates:
        person_id = candidates[0].id
    person = people.get(person_id) if person_id is not None else None
    creating = person is None and item.situation == Situation.UNMATCHED
    now_values = person.values if person else {}
    if person is None or creating:
        taken = frame.inbound.take(item.observed, now_values, None, creating=creating)
    else:
        taken = take(frame, item, person)
    then, empties = taken.values, [name for name in item.empties or taken.emptied if name not in taken.values]
    rule = verdict.get("rule")
    decision = verdict.get("decision")
    return PreviewRow(
        account_id=item.id,
        name=item.name or item.anchor,
        display_name=_shown(frame, item, person),
        what=_named(item),
        situation=Situation(item.situation),
        reason=str(verdict.get("reason", "")),
        rule=(rule[0], rule[1]) if rule else None,
        candidates=candidates,
        changes={name: (now_values.get(name), then.get(name)) for name in (*taken.values, *empties)},
        kept=taken.kept,
        standing=item.standing,
        decision=Decision(decision) if decision else None,
        user_id=item.user_id,
        removed=item.removed,
        empties=empties,
    )


def _shown(frame: Frame, item: Item, person: Person | None) -> str:
    """What the account is called there, else its person here, else what its values would make of somebody."""
    called = str(item.observed.get("displayName") or "")
    if not called and person is None:
        person = Person(0, "", 0, frame.inbound.take(item.observed, {}, None, creating=True).values)
    return called or (person.shown(item.name or item.anchor) if person else "")


def _named(item: Item) -> str:
    if item.situation == Situation.IGNORED:
        return "ignored"
    if item.removed is not None:
        return "gone"
    names = {Situation.DISPUTED: "disputed", Situation.UNMATCHED: "new", Situation.UNLINKED: "exact"}
    known = names.get(Situation(item.situation))
    if known == "disputed" or (known and item.stale):
        return known
    if item.stale and not item.withheld and item.verdict.get(KEPT):
        return KEPT
    return "changed" if item.stale or item.withheld else "same"
