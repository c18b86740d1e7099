"""The leader's loop for mails: what is due is claimed, handed over with no transaction open, and settled one by one.

Owns the order of things. One mail's trouble is its own; a server's trouble makes all of them wait. Killed between handing
over and settling, a mail is sent once more, under the same Message-ID and with the same link.

    1. call off   what has lost its link
    2. claim      marked as taken → COMMIT
    3. write      the letter, with the link derived again; nothing of it is kept
    4. hand over  on a few ways out at once; each result is settled at once → COMMIT
"""

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event
from typing import Any

import sqlalchemy as sa
import structlog
from sqlmodel import Session, col, select

from provision.core.letters import Letter
from provision.core.post import Envelope, Mailer, NotSent, Trouble, Verdict, Way, decide, rest
from provision.core.tables import Mail, Setting, User
from provision.core.vocabulary import MailState, Outcome
from provision.db import among, for_update, unlocked
from provision.services import events, links
from provision.services.errors import NotFound
from provision.services.mail import pacing
from provision.services.mail.queueing import MAILS, QUEUED, call_off
from provision.services.mail.writing import Desk, Stationery, write
from provision.services.users.finding import shown

log = structlog.get_logger()
AT_ONCE = 40
LANES = 4
"""Ways out at once, so that a server which stalls on one mail does not hold up all others."""
_LOOK_AGAIN = timedelta(seconds=15)
_ACTOR = "mail"
_TROUBLE = "mail"


@dataclass(frozen=True)
class Post:
    """How mails reach the world: transactions, the way out, the clock and chance, and what letters need."""

    reading: Callable[[], AbstractContextManager[Session]]
    writing: Callable[[], AbstractContextManager[Session]]
    mailer: Mailer
    stationery: Stationery
    now: Callable[[], datetime]
    chance: Callable[[], float]
    cut: Callable[[], bool] = lambda: False
    lanes: int = LANES


@dataclass(frozen=True)
class _Ready:
    mail: Mail
    envelope: Envelope
    letter: Letter


@dataclass
class _Sweep:
    """What the lanes of one sweep share. ``halted``: the server has trouble, nobody's mail goes any more."""

    ready: deque[_Ready] = field(default_factory=deque)
    counts: Counter[str] = field(default_factory=Counter)
    halted: Event = field(default_factory=Event)
    taken: Event = field(default_factory=Event)


def recover(post: Post) -> int:
    """A new leader begins: what the last one was handing over is due again at once, since nobody knows."""
    with post.writing() as session:
        found: Any = session.execute(
            sa.update(MAILS).where(QUEUED, MAILS.c.taken_at.is_not(None)).values(taken_at=None, due_at=post.now())
        )
        return int(found.rowcount)


def deliver(post: Post) -> Counter[str]:
    """Hand over what is due, at most a few dozen mails, as the leader only. Returns how many of what became of them."""
    now = post.now()
    with post.reading() as session:
        until = _rests_until(session)
        waits = until is not None and until > now
        due = not waits and session.scalar(sa.select(MAILS.c.id).where(*_due(now)).limit(1)) is not None
    if not due:
        return Counter()
    with post.writing() as session:
        if session.get(Setting, _TROUBLE) is None:
            session.add(Setting(name=_TROUBLE, value={}))  # so that lanes change a row, and never two of them add it
        off, mails = call_off(session, now), _claim(session, post, now)
    sweep = _Sweep(counts=Counter(cancelled=off))
    _write_all(post, sweep, mails, now)
    _hand_over(post, sweep)
    return +sweep.counts


def ahead(session: Session, kinds: Mapping[Any, Any], until: datetime) -> bool:
    """Whether a mail may leave by then: not one that waits for its account, for the next hour, or for a resting server."""
    rests = _rests_until(session)
    if rests is not None and rests > until:
        return False
    leaves = links.may_leave(kinds, MAILS.c.activation_id)
    return session.scalar(sa.select(MAILS.c.id).where(*_due(until), leaves).limit(1)) is not None


def queued(session: Session) -> int:
    """How many mails of this installation wait."""
    return session.scalar(sa.select(sa.func.count()).select_from(MAILS).where(QUEUED)) or 0


def trouble(session: Session) -> Mapping[str, Any] | None:
    """What holds up every mail of this installation: code, params, at, until; None when nothing does."""
    row = session.get(Setting, _TROUBLE)
    return row.value if row and row.value else None


# -- Claim -----------------------------------------------------------------------------------------------------------------


def _due(now: datetime) -> tuple[Any, ...]:
    return (QUEUED, MAILS.c.taken_at.is_(None), MAILS.c.due_at <= now)


def _claim(session: Session, post: Post, now: datetime) -> list[Mail]:
    """Take the oldest that may leave. What still waits for its account is looked at again a little later."""
    leaves = links.may_leave(post.stationery.kinds, MAILS.c.activation_id)
    left = pacing.left(session, (*_due(now), leaves), now)
    read = (MAILS.c.id, MAILS.c.tenant_id, MAILS.c.template)
    oldest = sa.select(*read).where(*_due(now), leaves).order_by(MAILS.c.due_at, MAILS.c.id).limit(AT_ONCE)
    numbers = []
    for row in session.execute(unlocked(session, oldest)):
        if row.template in pacing.WITH_LINK:
            left[row.tenant_id] = left.get(row.tenant_id, 0) - 1
        if row.template not in pacing.WITH_LINK or left[row.tenant_id] >= 0:
            numbers.append(row.id)
    taken = {"taken_at": now, "attempts": MAILS.c.attempts + 1}
    session.execute(sa.update(MAILS).where(among(session, MAILS.c.id, numbers)).values(**taken))
    session.execute(sa.update(MAILS).where(*_due(now), sa.not_(leaves)).values(due_at=now + _LOOK_AGAIN))
    query = select(Mail).where(among(session, col(Mail.id), numbers)).order_by(col(Mail.due_at), col(Mail.id))
    mails = list(session.exec(query).all())
    session.expunge_all()
    return mails


def _write_all(post: Post, sweep: _Sweep, mails: Sequence[Mail], now: datetime) -> None:
    """Make the letters; one that cannot be made is settled as such and holds up nobody."""
    refused: list[tuple[Mail, NotSent]] = []
    with post.reading() as session:
        desk = Desk(session, post.stationery, now)
        for mail in mails:
            try:
                sweep.ready.append(_Ready(mail, *write(desk, mail)))
            except NotFound:
                refused.append((mail, NotSent("activation_over", Trouble.REFUSED)))
            except NotSent as not_sent:
                refused.append((mail, not_sent))
            except Exception:
                log.exception("a letter could not be written", mail=mail.id)
                refused.append((mail, NotSent("mail_unwritable", Trouble.LATER)))
    for mail, unfit in refused:
        _settle(post, sweep, mail, unfit)


# -- Hand over -------------------------------------------------------------------------------------------------------------


def _hand_over(post: Post, sweep: _Sweep) -> None:
    lanes = min(post.lanes, len(sweep.ready))
    if lanes <= 1:
        _lane(post, sweep)
    else:
        with ThreadPoolExecutor(lanes, "post") as pool:
            for done in [pool.submit(_lane, post, sweep) for _ in range(lanes)]:
                done.result()
    _give_back(post, sweep)


def _lane(post: Post, sweep: _Sweep) -> None:
    """One way out after the other, each for as many mails as it takes without trouble."""
    while sweep.ready and not sweep.halted.is_set() and not post.cut():
        with ExitStack() as stack:
            way: Way | None = None
            while not sweep.halted.is_set() and not post.cut():
                try:
                    one = sweep.ready.popleft()
                except IndexError:
                    return
                error = None
                try:
                    way = way or stack.enter_context(post.mailer.open())
                    way.send(one.envelope, one.letter)
                except NotSent as not_sent:
                    error = not_sent
                except Exception:
                    log.exception("a mail broke", mail=one.mail.id)
                    error = NotSent("mail_unwritable", Trouble.LATER)
                _settle(post, sweep, one.mail, error)
                if error is not None:
                    break


def _give_back(post: Post, sweep: _Sweep) -> None:
    """What nobody tried is as due as before."""
    numbers = [one.mail.id for one in sweep.ready]
    if numbers:
        with post.writing() as session:
            back = {"taken_at": None, "attempts": MAILS.c.attempts - 1}
            session.execute(sa.update(MAILS).where(among(session, MAILS.c.id, numbers)).values(**back))


# -- Settle ----------------------------------------------------------------------------------------------------------------


def _settle(post: Post, sweep: _Sweep, mail: Mail, error: NotSent | None) -> None:
    """Write down what became of one mail, unless somebody else has taken it since."""
    now = post.now()
    verdict = decide(error.trouble, mail.attempts, post.chance()) if error else Verdict(MailState.SENT)
    if error is not None and error.code == "activation_over":
        verdict = Verdict(MailState.CANCELLED)
    with post.writing() as session:
        if _write_down(session, mail, verdict, error, now):
            _effects(session, mail, verdict, now)
            if verdict.state not in (MailState.QUEUED, MailState.CANCELLED):
                events.append(session, mail.tenant_id, [_entry(session, mail, verdict, error)], now)
        if error is not None and error.trouble is Trouble.SERVER:
            sweep.halted.set()
            _rest(session, error, now)
        elif not sweep.taken.is_set():
            sweep.taken.set()
            _rested(session)
    sweep.counts["tried again" if verdict.state is MailState.QUEUED else verdict.state.value] += 1
    if error is not None:
        log.info("mail not sent", mail=mail.id, code=error.code, trouble=error.trouble.value)


def _write_down(session: Session, mail: Mail, verdict: Verdict, error: NotSent | None, now: datetime) -> bool:
    values: dict[str, Any] = {"taken_at": None}
    values["error"] = {"code": error.code, "params": error.params} if error else None
    if verdict.state is MailState.QUEUED:
        values["due_at"] = now + (verdict.wait or timedelta(0))
        values["attempts"] = mail.attempts if verdict.counts else mail.attempts - 1
    else:
        values |= {"state": verdict.state.value, "settled_at": now}
    mine: list[Any] = [MAILS.c.id == mail.id, MAILS.c.taken_at == mail.taken_at]
    if verdict.state is not MailState.SENT:
        mine.append(QUEUED)  # called off meanwhile stays called off; what was taken was taken all the same
    found: Any = session.execute(sa.update(MAILS).where(*mine).values(**values))
    return bool(found.rowcount)


def _effects(session: Session, mail: Mail, verdict: Verdict, now: datetime) -> None:
    """What the activation is told."""
    if mail.activation_id is None or mail.template not in pacing.WITH_LINK:
        return
    if verdict.state is MailState.SENT:
        links.sent(session, mail.activation_id, now)
    elif verdict.state in (MailState.BOUNCED, MailState.FAILED):
        links.bounced(session, mail.activation_id, now)


def _entry(session: Session, mail: Mail, verdict: Verdict, error: NotSent | None) -> events.Entry:
    person = session.get(User, mail.user_id) if mail.user_id else None
    names = {"user": shown(person.model_dump()), "address": person.email or ""} if person else {}
    text: dict[str, Any] = {"mail": mail.id, "template": mail.template.value, "to": mail.address}
    if error is not None:
        text |= {"code": error.code, "params": error.params}
    return events.Entry(
        actor=_ACTOR,
        action=f"mail.{verdict.state.value}",
        outcome=Outcome.DONE if error is None else Outcome.FAILED,
        user_id=mail.user_id,
        names=names,
        text=text,
    )


# -- The server's trouble --------------------------------------------------------------------------------------------------


def _rests_until(session: Session) -> datetime | None:
    told = trouble(session)
    return datetime.fromisoformat(told["until"]) if told else None


def _rest(session: Session, error: NotSent, now: datetime) -> None:
    row = _locked(session)
    if row.value and datetime.fromisoformat(row.value["until"]) > now:
        return  # another lane met the same trouble a moment ago
    tries = int(row.value.get("tries", 0)) + 1
    since = row.value.get("since") or now.isoformat()
    told = {"code": error.code, "params": error.params, "tries": tries, "since": since}
    row.value = {**told, "until": (now + rest(tries)).isoformat()}
    session.add(row)


def _rested(session: Session) -> None:
    """The server answers again, be it with a refusal of one mail."""
    if trouble(session):
        row = _locked(session)
        row.value = {}
        session.add(row)


def _locked(session: Session) -> Setting:
    found: Setting = session.exec(for_update(session, select(Setting).where(Setting.name == _TROUBLE))).one()
    return found
