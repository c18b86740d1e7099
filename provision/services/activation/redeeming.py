"""Redeeming a link: reserve it, set the password wherever the person has an account, spend it only on success.

Owns the order of the steps, each in a short transaction of its own and none open while the outside is asked; keeps no
password and no pass anywhere.

    knock → look at when passwords last changed there → reserve → set → settle

A reservation that nobody settled lapses after two minutes. Then a later change of the password there spends the link, and
without one it lives on. So that nobody who was held up overwrites what came after them, nothing is sent late.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
import structlog
from sqlmodel import Session

from provision.core.choosing import Rule, first_unmet, judge
from provision.core.ports import Expelling, OutsideError, Passing, Remembering, Unreachable
from provision.core.redeeming import RESERVATION, SENDING, SETTLING, STOPS, Answer, answer, together
from provision.core.tables import Activation
from provision.core.vocabulary import Lifecycle, Offer
from provision.db import among, for_update
from provision.services import settings
from provision.services.activation.lapsing import settle_lapsed
from provision.services.activation.opening import live, terms
from provision.services.activation.telling import Knock, failed, locked, public, refused, spent
from provision.services.cycles import Ways
from provision.services.outbox.reckoning import IN_FLIGHT, stands
from provision.services.reaching import ACCOUNTS, OPERATIONS, Place, called, places

log = structlog.get_logger()
TRIES, WITHIN = 5, timedelta(minutes=10)
PASS_MINUTES = 60
Deed = Callable[[Any, str], str | None]


@dataclass(frozen=True, slots=True)
class Redeemed:
    """How a try ended. ``code`` is the remedy of what to tell, None on success; ``rule`` the rule that was not met.

    ``over``: the link does not hold, for whatever reason. ``handed``: a pass, to be shown once. ``partly``: apps in which
    the password could not be set although it was elsewhere.
    """

    answer: Answer
    code: str | None = None
    rule: Rule | None = None
    over: bool = False
    handed: str | None = field(default=None, repr=False)
    partly: tuple[str, ...] = ()


OVER = Redeemed(Answer.FAILED, "activation_over", over=True)


@dataclass(frozen=True)
class _Seen:
    """One app as it was looked at. The same port sets the password, so that nobody waits for a second sign-in there."""

    port: Any
    told: Mapping[str, Any]


@dataclass(frozen=True)
class Knocking:
    """What a try comes with: the link, what it shall give, the password twice; ``counted``: it was counted before."""

    token: str
    offer: Offer
    chosen: tuple[str, str] | None = field(default=None, repr=False)
    counted: bool = False


class _Busy(Exception):
    """Something else is going on with the link or the account; what was begun is taken back."""


def redeem(ways: Ways, token: str, chosen: tuple[str, str], hand: str = "", *, counted: bool = False) -> Redeemed:
    """Set a password by a link. Raises nothing of the outside's; whatever goes wrong there is in the rows.

    ``chosen``: the password and once more; ``hand``: who holds the link, kept beside a try that is under way; ``counted``:
    this try was counted before.
    """
    knocking = Knocking(token, Offer.PASSWORD, chosen, counted)
    return _redeem(ways, knocking, lambda port, anchor: port.set_password(anchor, chosen[0]), hand)


def hand_pass(ways: Ways, token: str, hand: str = "", *, counted: bool = False) -> Redeemed:
    """Hand out a Temporary Access Pass by a link, where the tenant offers one."""
    return _redeem(ways, Knocking(token, Offer.PASS, counted=counted), _pass, hand)


def _pass(port: Any, anchor: str) -> str | None:
    return port.access_pass(anchor, PASS_MINUTES) if isinstance(port, Passing) else None


def _redeem(ways: Ways, knocking: Knocking, deed: Deed, hand: str) -> Redeemed:
    knocked = _admitted(ways, knocking)
    if isinstance(knocked, Redeemed):
        return knocked
    seen: dict[int, _Seen] = {}
    for place in knocked.there:
        looked = _look(ways, place, knocking.offer)
        if isinstance(looked, OutsideError):
            return _give_up(ways, knocked, place, looked)
        seen[place.connector.id or 0] = looked
    try:
        until = _reserve(ways, knocked, seen, hand)
    except _Busy:
        return Redeemed(Answer.LATER, "activation_busy")
    return OVER if until is None else _settle(ways, knocked, until, *_do(ways, knocked, seen, until, deed))


def _admitted(ways: Ways, knocking: Knocking) -> Knock | Redeemed:
    """Knock; if somebody left the link reserved, first find out what became of that."""
    knocked = knock(ways, knocking)
    if isinstance(knocked, Redeemed) or not knocked.lapsed:
        return knocked
    left = settle_lapsed(ways, knocked.activation_id)
    if left is Answer.LATER:
        return knock(ways, replace(knocking, counted=True))
    if left is Answer.DONE:
        return Redeemed(Answer.BEFORE, "activation_already")
    return Redeemed(left, "activation_later")


def knock(ways: Ways, knocking: Knocking) -> Knock | Redeemed:
    """The first step: does the link hold, was it tried too often, is the password good, is there anywhere to set it.

    A password that is refused here was sent nowhere.
    """
    now, offer, chosen = ways.now(), knocking.offer, knocking.chosen
    with ways.writing() as session:
        found = live(session, knocking.token, now, lock=True)
        if found is None or found[0].offer != offer:
            return OVER
        row, user, tenant = found
        if not knocking.counted and not _count(session, row, now):
            return Redeemed(Answer.FAILED, "activation_tries")
        if row.reserved_until is not None and row.reserved_until > now:
            return Redeemed(Answer.LATER, "activation_busy")
        conditions = settings.onboarding(session, row.tenant_id)
        standing, there = places(session, row.tenant_id, row.user_id, ways.kinds, offer, Lifecycle(user.lifecycle))
        if chosen is not None:
            unmet = first_unmet(judge(*chosen, terms(user, tenant, conditions, there, ways.kinds)))
            if unmet is not None:
                return Redeemed(Answer.WEAK, unmet.code, rule=unmet)
        knocked = Knock(
            row.id or 0, row.tenant_id, row.user_id, there, conditions.sign_out, lapsed=row.reserved_until is not None
        )
        if standing.code is not None or not there:
            error = {"code": standing.code or "activation_no_account", "params": dict(standing.params)}
            refused(session, knocked, {"error": error}, now)
            return Redeemed(Answer.FAILED, "activation_ask")
        return knocked


# -- Below: the steps --------------------------------------------------------------------------------------------------


def _count(session: Session, row: Activation, now: datetime) -> bool:
    """Note the try and that the page was used; False when there were too many lately."""
    recent = [at for at in row.tried.get("at", ()) if datetime.fromisoformat(at) > now - WITHIN]
    if len(recent) >= TRIES:
        return False
    row.tried = {**row.tried, "at": [*recent, now.isoformat()]}
    row.opened_at = row.opened_at or now
    session.add(row)
    return True


def _look(ways: Ways, place: Place, offer: Offer) -> _Seen | OutsideError:
    """Note when the password was last changed there: what a later look is compared with."""
    told: dict[str, Any] = {"app": place.connector.name}
    try:
        port = ways.connect(place.connector)
        if offer is Offer.PASSWORD and isinstance(port, Remembering):
            told["mark"] = port.password_mark(place.anchor)
    except OutsideError as error:
        return error
    return _Seen(port, told)


def _reserve(ways: Ways, knocked: Knock, seen: Mapping[int, _Seen], hand: str) -> datetime | None:
    """Take the link and the accounts for two minutes; None when the link no longer holds. Raises _Busy."""
    now = ways.now()
    until = now + RESERVATION
    with ways.writing() as session:
        row = locked(session, knocked.activation_id)
        if row is None or row.used_at is not None or row.revoked_at is not None or row.expires_at <= now:
            return None
        if row.reserved_until is not None:
            raise _Busy
        _take(session, [place.account_id for place in knocked.there], now, until)
        row.reserved_at, row.reserved_until = now, until
        row.tried = {**row.tried, "by": hand}
        row.outcomes = {**row.outcomes, **{str(number): dict(one.told) for number, one in seen.items()}}
        session.add(row)
    return until


def _take(session: Session, accounts: Sequence[int], now: datetime, until: datetime) -> None:
    """Lock the accounts against the worker, unless something about them is on its way. Locked first, then looked at."""
    mine = among(session, ACCOUNTS.c.id, accounts)
    session.execute(for_update(session, sa.select(ACCOUNTS.c.id).where(mine).order_by(ACCOUNTS.c.id)))
    flying = sa.exists().where(OPERATIONS.c.account_id == ACCOUNTS.c.id, stands(OPERATIONS.c.state, *IN_FLIGHT))
    free = sa.or_(ACCOUNTS.c.busy_until.is_(None), ACCOUNTS.c.busy_until <= now)
    taken: Any = session.execute(sa.update(ACCOUNTS).where(mine, free, sa.not_(flying)).values(busy_until=until))
    if taken.rowcount != len(accounts):
        raise _Busy


def _do(
    ways: Ways, knocked: Knock, seen: Mapping[int, _Seen], until: datetime, deed: Deed
) -> tuple[list[Answer], dict[str, Any], str | None]:
    """Ask one app after the other, no transaction open; stop where a later try will set the password everywhere anew."""
    answers, outcomes, handed = [], {}, None
    for place in knocked.there:
        port, told = seen[place.connector.id or 0].port, seen[place.connector.id or 0].told
        failed: OutsideError | None = None
        try:
            if ways.now() >= until - RESERVATION + SENDING:
                raise Unreachable("activation_held_up", sent=False)
            handed = deed(port, place.anchor) or handed
        except OutsideError as error:
            failed = error
        said = {**told, **_said(failed, place, ways.now())}
        answers.append(Answer(said["answer"]))
        if failed is None and knocked.sign_out and isinstance(port, Expelling):
            said["sessions"] = _expel(port, place.anchor)
        outcomes[str(place.connector.id)] = said
        if answers[-1] in STOPS:
            break
    return answers, outcomes, handed


def _said(error: OutsideError | None, place: Place, now: datetime) -> dict[str, Any]:
    """One app's answer as the row keeps it: a code and its blanks, and nothing that was sent."""
    settling = place.sent_at is not None and place.sent_at > now - SETTLING
    said: dict[str, Any] = {"answer": answer(error, settling=settling).value, "at": now.isoformat()}
    if error is not None:
        plain = {name: value for name, value in error.params.items() if isinstance(value, str | int | float)}
        said |= {"code": error.code, "params": plain, "request_id": error.request_id}
    return said


def _expel(port: Expelling, anchor: str) -> str:
    """The password is set whatever comes of this, so a refusal is only noted."""
    try:
        port.end_sessions(anchor)
    except OutsideError as error:
        log.warning("sessions live on", code=error.code, request_id=error.request_id)
        return error.code
    return "ended"


def _settle(
    ways: Ways,
    knocked: Knock,
    until: datetime,
    answers: Sequence[Answer],
    outcomes: Mapping[str, Any],
    handed: str | None,
) -> Redeemed:
    """Write down what became of it. Only who still holds the reservation may say that it succeeded."""
    verdict, now = together(answers), ways.now()
    with ways.writing() as session:
        row = locked(session, knocked.activation_id)
        if row is None or row.reserved_until != until or row.used_at is not None:
            return OVER
        row.outcomes = {**row.outcomes, **outcomes}
        # In doubt link and accounts stay taken: nothing is sent again, by this link or another, before that has lapsed.
        row.reserved_until = kept = until if verdict is Answer.DOUBT else None
        row.used_at = now if verdict is Answer.DONE else None
        session.add(row)
        free = sa.update(ACCOUNTS).where(among(session, ACCOUNTS.c.id, [place.account_id for place in knocked.there]))
        session.execute(free.values(busy_until=kept))
        if verdict is Answer.DONE:
            taken = [place.connector for place in knocked.there if _took(outcomes, place)]
            spent(session, knocked, called(taken, ways.kinds), {"outcomes": public(outcomes)}, now)
        else:
            failed(session, knocked, outcomes, now)
    partly = tuple(one["app"] for one in outcomes.values() if one["answer"] != Answer.DONE)
    return Redeemed(verdict, _CODES[verdict], handed=handed if verdict is Answer.DONE else None, partly=partly)


def _took(outcomes: Mapping[str, Any], place: Place) -> bool:
    said: Mapping[str, Any] = outcomes.get(str(place.connector.id), {})
    return said.get("answer") == Answer.DONE.value


_CODES: Mapping[Answer, str | None] = {
    Answer.DONE: None,
    Answer.WEAK: "password_weak",
    Answer.LATER: "activation_later",
    Answer.DOUBT: "activation_doubt",
    Answer.FAILED: "activation_ask",
}


def _give_up(ways: Ways, knocked: Knock, place: Place, error: OutsideError) -> Redeemed:
    """Nothing was sent and nothing reserved: write down why, and tell the person."""
    now = ways.now()
    said = {"app": place.connector.name, **_said(error, place, now)}
    with ways.writing() as session:
        row = locked(session, knocked.activation_id)
        if row is not None and row.reserved_until is None:
            row.outcomes = {**row.outcomes, str(place.connector.id): said}
            session.add(row)
        failed(session, knocked, {str(place.connector.id): said}, now)
    # A look changes nothing there, so an answer that was lost leaves no doubt.
    verdict = Answer.LATER if said["answer"] == Answer.DOUBT else Answer(said["answer"])
    return Redeemed(verdict, _CODES[verdict])
