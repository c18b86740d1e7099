"""Somebody with a link in their hand: an imported Office 365 on the real sandbox, which says who can sign in."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import httpx2
import sqlalchemy as sa
from sqlmodel import Session, col, select

from provision.core.choosing import Terms, first_unmet, judge
from provision.core.tables import Account, Activation, User
from provision.core.vocabulary import Lifecycle
from provision.house import House
from provision.sandbox.faults import Fault
from provision.services import activation, connectors, settings
from provision.services.cycles import Ways
from tests import office
from tests.cast import Clock

GOOD = "Loud-River-52-Ladder"
OTHER = "Quiet-Field-71-Kettle"


def race(lobby: "Lobby", token: str, passwords: Sequence[str]) -> list[tuple[str, activation.Redeemed]]:
    """Post all of these at once, each from a thread of its own."""
    results: list[tuple[str, activation.Redeemed]] = []
    start = threading.Barrier(len(passwords))

    def post(password: str) -> None:
        start.wait()
        results.append((password, lobby.redeem(token, password)))

    threads = [threading.Thread(target=post, args=(password,)) for password in passwords]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


class Lobby:
    """One tenant, its people as the sandbox has them, and the way from a link to a password."""

    def __init__(self, house: House, tenant: int, clock: Clock) -> None:
        self.house, self.tenant, self.clock = house, tenant, clock
        self.sandbox = house.sandbox()
        self.sandbox.assign_role("User Administrator")
        self.app = office.imported(house, tenant)
        clock.forward(minutes=1)

    def person(self, number: int = 0, **values: Any) -> User:
        """One of those a link can help, with a private address."""
        with self.house.db.writing() as session:
            row = self._plain(session)[number]
            row.private_email = f"somebody{number}@home.example"
            for name, value in values.items():
                setattr(row, name, value)
            session.add(row)
        return row

    def hire(self, number: int = 0, **values: Any) -> tuple[User, str]:
        """A person and the token of a fresh link."""
        row = self.person(number, **values)
        return row, self.invite(row.id or 0)

    def crowd(self, size: int) -> list[tuple[User, str]]:
        """So many people, each with the token of a fresh link."""
        with self.house.db.writing() as session:
            rows = self._plain(session)[:size]
            for row in rows:
                row.private_email = f"somebody{row.id}@home.example"
                session.add(row)
        assert len(rows) == size, "there are not so many whom a link can help"
        return [(row, self.invite(row.id or 0)) for row in rows]

    def invite(self, user_id: int) -> str:
        with self.house.db.writing() as session:
            given = {"vault": self.house.vault, "kinds": self.house.kinds}
            (result,) = activation.issue(session, self.tenant, [user_id], "ada", self.clock(), **given)
            assert result.activation_id is not None, result
            address = activation.link(session, self.house.vault, "", result.activation_id)
        return address.removeprefix("/activate/")

    def choose(self, **values: Any) -> None:
        """Change the tenant's settings."""
        with self.house.db.writing() as session:
            before = settings.onboarding(session, self.tenant)
            settings.save_onboarding(session, self.tenant, before.model_copy(update=values), "ada", self.clock())

    def ways(self, **changes: Any) -> Ways:
        return replace(self.house.ways(), **{"sleep": lambda seconds: None, **changes})

    def redeem(
        self, token: str, password: str = GOOD, again: str | None = None, hand: str = "", **changes: Any
    ) -> activation.Redeemed:
        chosen = (password, password if again is None else again)
        return activation.redeem(self.ways(**changes), token, *chosen, hand=hand)

    def row(self, user: User) -> Activation:
        with self.house.db.reading() as session:
            found = activation.latest(session, self.tenant, user.id or 0)
        assert found is not None
        return found

    def account(self, user: User) -> Account:
        with self.house.db.reading() as session:
            return session.exec(select(Account).where(Account.user_id == user.id)).one()

    def recheck(self) -> None:
        """Look anew at what the app may do."""
        connectors.check(self.house.db.writing, self.house.connect, self.tenant, self.app, "ada", self.house.now)

    def signs_in(self, user: User, password: str) -> bool:
        """Whether the stand-in cloud lets this person in."""
        known = self.sandbox.credentials()
        form = {"client_id": known["client_id"], "scope": "User.Read", "grant_type": "password"}
        form |= {"username": user.email or "", "password": password}
        with httpx2.Client(transport=httpx2.WSGITransport(app=self.sandbox.wsgi)) as client:
            answer = client.post(f"{known['login_url']}/{known['tenant']}/oauth2/v2.0/token", data=form)
        return answer.status_code == 200

    def strike(self, kind: str, path: str, **more: Any) -> None:
        fields = {name: more.pop(name) for name in ("method", "skip", "times", "probability") if name in more}
        self.sandbox.faults.add(Fault(kind, path=path, details=more, **fields))

    def _plain(self, session: Session) -> list[User]:
        query = (
            select(User, Account)
            .join(Account, col(Account.user_id) == col(User.id))
            .where(User.tenant_id == self.tenant, col(User.lifecycle) == Lifecycle.ACTIVE)
            .order_by(col(User.id))
        )
        people = [row.id for row, account in session.exec(query) if not account.standing.keys() & {"guest", "synced"}]
        wanted = session.exec(select(User).where(col(User.id).in_(people)).order_by(col(User.id))).all()
        for row in wanted:
            row.private_email = row.private_email or "x@home.example"
        session.flush()
        blocked = activation.why_blocked(session, self.tenant, [row.id or 0 for row in wanted], self.house.kinds)
        names = [(row, Terms(15, tuple((row.email or "").split("@")[0].split(".")))) for row in wanted]
        lent = (col(User.tenant_id) == self.tenant, col(User.private_email) == "x@home.example")
        session.execute(sa.update(User).where(*lent).values(private_email=None))
        for row in wanted:
            session.refresh(row)
        return [
            row for row, terms in names
            if blocked[row.id or 0].code is None and first_unmet(judge(GOOD, GOOD, terms)) is None
        ]  # fmt: skip
