"""One Office 365 on the real sandbox in process, everything switched on and sent at once, and somebody who works with it.

Owns the road there and back; a test says what goes wrong on it.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx2
from sqlmodel import col, select

from provision.core.tables import Account, Connector, Event, Mail, Mapping, Operation
from provision.house import House
from provision.sandbox.faults import Fault
from provision.sandbox.graph.directory import seats_used
from provision.services import connectors, notices, outbox, reports, users, worker
from provision.services.cycles import Ways
from tests import office
from tests.cast import Clock

ALL = ("import", "create", "edit", "delete")
TOKENS = "/*/oauth2/v2.0/token"


class Road:
    """One tenant, its app and its worker, driven by a clock that a test moves."""

    def __init__(self, house: House, tenant: int, clock: Clock) -> None:
        self.house, self.tenant, self.clock = house, tenant, clock
        self.sandbox = house.sandbox()
        self._token = (clock(), "")
        self.sandbox.faults.turn(lag_get=0, lag_list=0, lag_index=0)
        self.app = office.connected(house, tenant, on=ALL)
        self.change(approval="automatic", scope={**self.row.scope, "hold_seconds": 0, "limit_floor": 10_000})
        with house.db.writing() as session:
            session.add(Mapping(tenant_id=tenant, connector_id=self.app, ours="usage_location", theirs="usageLocation"))
        self.memory = worker.Memory(clock=lambda: clock().timestamp())

    @property
    def row(self) -> Connector:
        return office.of(self.house, self.tenant, self.app)

    def change(self, **values: Any) -> None:
        """Change the app's row and nothing else."""
        with self.house.db.writing() as session:
            row = connectors.get(session, self.tenant, self.app)
            for name, value in values.items():
                setattr(row, name, value)
            session.add(row)

    def ways(self) -> Ways:
        def sleep(seconds: float) -> None:
            self.clock.forward(seconds=max(seconds, 0.001))

        return replace(self.house.ways(), sleep=sleep, chance=lambda: 0.5)

    def order(self) -> outbox.Order:
        return outbox.Order("ada", self.clock(), self.house.kinds)

    # -- What people do here -----------------------------------------------------------------------------------------

    def hire(self, *names: str, **values: Any) -> list[int]:
        with self.house.db.writing() as session:
            return [users.add(session, self.tenant, _given(name, values), self.order()).user_id for name in names]

    def edit(self, user_id: int, **values: Any) -> None:
        with self.house.db.writing() as session:
            users.edit(session, self.tenant, user_id, values, self.order())

    def move(self, user_id: int, how: users.Move) -> None:
        with self.house.db.writing() as session:
            users.move(session, self.tenant, user_id, how, self.order())

    def restore(self, user_id: int, name: str | None = None) -> None:
        """Out of the bin, here and there, under another address if one is named."""
        with self.house.db.writing() as session:
            email = f"{name}@{office.DOMAIN}" if name else None
            users.restore(session, self.tenant, user_id, self.order(), email=email)

    def read(self, **options: Any) -> None:
        office.run(self.house, self.tenant, self.app, **options)

    def work(self, times: int = 3, seconds: float = 61) -> None:
        """The worker's turns, and so much time after each."""
        for _ in range(times):
            self.memory.of(self.app).bucket.take(-1000.0)
            worker.drain(self.ways(), self.app, memory=self.memory, width=1)
            self.clock.forward(seconds=seconds)

    def tell(self) -> None:
        notices.tell_owners(self.house.db.writing, self.tenant, self.clock(), "https://here.example")

    def wish(self, people: Sequence[int], *skus: str) -> None:
        """Somebody decided that they should have these licences, wherever seats are counted."""
        for number in people:
            with self.house.db.writing() as session:
                row = session.exec(select(Account).where(Account.user_id == number)).one()
                row.intent = {**row.intent, "licences": dict.fromkeys(skus, True)}
                session.add(row)
        with self.house.db.writing() as session:
            outbox.enqueue(session, self.tenant, people, self.order())

    def retry(self) -> None:
        """Press the button on all that is blocked."""
        blocked = [one.id or 0 for one in self.operations() if one.state == "blocked"]
        with self.house.db.writing() as session:
            outbox.retry(session, self.tenant, blocked, self.order())

    # -- What happens there ------------------------------------------------------------------------------------------

    def call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Somebody else's tool calls Graph."""
        known = self.sandbox.credentials()
        form = {"grant_type": "client_credentials", "scope": f"{known['graph_url']}/.default",
                "client_id": known["client_id"], "client_secret": known["client_secret"]}  # fmt: skip
        with httpx2.Client(transport=httpx2.WSGITransport(app=self.sandbox.wsgi)) as client:
            if self._token[0] <= self.clock():
                signed = client.post(f"{known['login_url']}/{known['tenant']}/oauth2/v2.0/token", data=form).json()
                self._token = (self.clock() + timedelta(minutes=30), signed["access_token"])
            bearer = {"Authorization": f"Bearer {self._token[1]}"}
            answer = client.request(method, f"{known['graph_url']}/v1.0{path}", json=body, headers=bearer)
        answer.raise_for_status()
        return dict(answer.json()) if answer.content else {}

    def abroad(self, name: str, **values: Any) -> str:
        """Somebody else's tool creates this person; returns the anchor."""
        body = {
            "accountEnabled": True, "displayName": f"Somebody Else {name}", "mailNickname": name,
            "userPrincipalName": f"{name}@{office.DOMAIN}", "passwordProfile": {"password": "correct Horse 9 battery"},
            **values,
        }  # fmt: skip
        return str(self.call("POST", "/users", body)["id"])

    def refuse(self, method: str, path: str, message: str) -> None:
        """Let calls of this path be refused with Microsoft's words until the faults are cleared."""
        details = {"status": 400, "code": "Request_BadRequest", "message": message}
        self.sandbox.faults.add(Fault("status", method, path, times=None, details=details))

    def seats(self, sku: str, free: int) -> None:
        """Buy so many seats."""
        with self.sandbox.store.writing() as db:
            body = json.loads(db.execute("SELECT body FROM skus WHERE id = ?", (sku,)).fetchone()["body"])
            body["prepaidUnits"] |= {"enabled": body.get("consumedUnits", 0) + 10_000 + free}
            db.execute("UPDATE skus SET body = ? WHERE id = ?", (json.dumps(body), sku))

    def sell_out(self, *skus: str) -> None:
        """Let not a single seat be free."""
        with self.sandbox.store.writing() as db:
            for sku in skus:
                body = json.loads(db.execute("SELECT body FROM skus WHERE id = ?", (sku,)).fetchone()["body"])
                body["prepaidUnits"] = {**dict.fromkeys(body["prepaidUnits"], 0), "enabled": seats_used(db, sku)}
                db.execute("UPDATE skus SET body = ? WHERE id = ?", (json.dumps(body), sku))

    # -- What can be seen ------------------------------------------------------------------------------------------------

    def account(self, user_id: int) -> Account:
        with self.house.db.reading() as session:
            return session.exec(select(Account).where(Account.user_id == user_id)).one()

    def operations(self, user_id: int | None = None) -> list[Operation]:
        query = select(Operation).join(Account, col(Account.id) == Operation.account_id).order_by(col(Operation.id))
        if user_id is not None:
            query = query.where(Account.user_id == user_id)
        with self.house.db.reading() as session:
            return list(session.exec(query).all())

    def states(self) -> Counter[str]:
        return Counter(one.state.value for one in self.operations())

    def codes(self) -> Counter[str]:
        """The remedies of what waits or has failed."""
        return Counter(str(one.error["code"]) for one in self.operations() if one.error and one.state != "done")

    def told(self, action: str) -> int:
        """How often something stands in the log."""
        with self.house.db.reading() as session:
            return len(session.exec(select(Event.id).where(Event.action == action)).all())

    def mails(self) -> Sequence[Mail]:
        with self.house.db.reading() as session:
            return list(session.exec(select(Mail).order_by(col(Mail.id))).all())

    def there(self) -> dict[str, dict[str, Any]]:
        """Everybody there who is not in the bin, as the cloud keeps them."""
        with self.sandbox.store.reading() as db:
            rows = db.execute("SELECT id, body FROM users WHERE deleted_at IS NULL").fetchall()
        return {row["id"]: json.loads(row["body"]) for row in rows}

    def named(self, name: str) -> list[dict[str, Any]]:
        return [one for one in self.there().values() if one["userPrincipalName"].casefold() == name.casefold()]

    def licences(self, user_id: int) -> list[str]:
        """What somebody holds there."""
        with self.sandbox.store.reading() as db:
            rows = db.execute("SELECT * FROM assignments WHERE user = ?", (self.account(user_id).anchor,)).fetchall()
        return [row["sku"] for row in rows]

    def needs(self) -> list[tuple[str, int, str]]:
        """What stands on Home, how many it is about, and the licence's name where it is about one."""
        with self.house.db.reading() as session:
            found = reports.home(session, self.tenant, self.clock()).needs
        return [(need.what, need.n, "".join(need.names) if need.sku else "") for need in found]

    def count(self, path: str, method: str = "*") -> None:
        """Count calls of this path from now on, without disturbing them; see ``counted``."""
        self.sandbox.faults.clear()
        self.sandbox.faults.add(Fault("slow", method, path, times=None, details={"seconds": 0}))

    def counted(self) -> int:
        return int(self.sandbox.faults.fired().get("slow", 0))


def _given(name: str, values: dict[str, Any]) -> dict[str, Any]:
    return {
        "username": name, "email": f"{name}@{office.DOMAIN}", "given_name": name.title(), "surname": "Here",
        "display_name": f"{name.title()} Here", "usage_location": "NO", **values,
    }  # fmt: skip
