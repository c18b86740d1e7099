"""A SCIM client for tests: it has a token, and talks to the application as any client would."""

import secrets
from typing import Any

import sqlalchemy as sa
from flask import Flask
from sqlmodel import col, select
from werkzeug.test import TestResponse

from provision.core.tables import Account, Connector, User
from provision.core.vocabulary import TokenScope
from provision.house import House
from provision.services import connectors, cycles, tokens
from provision.services.scim import bodies
from provision.web import scim_entry
from tests.cast import Clock

MEDIA = "application/scim+json"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
OURS = "urn:provision:scim:schemas:extension:person:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"


class Pusher:
    """One client of one tenant, with its app and its token."""

    def __init__(self, app: Flask, house: House, tenant: int, clock: Clock, name: str = "Okta", **config: Any) -> None:
        self.app, self.house, self.tenant, self.clock = app, house, tenant, clock
        self.http = app.test_client()
        with house.db.writing() as session:
            row = connectors.add(
                session, house.vault, tenant, house.kinds, "scim_source", name, config, None, "ada", clock()
            )
            row.outside_id, row.facts_at, row.features = f"scim:{name}", clock(), {**row.features, "import": True}
            self.connector = row.id or 0
        self.token = self.issue()
        app.extensions[scim_entry.LIMITS] = scim_entry.Limits(rate=1e6, burst=1e6)

    def issue(self, scope: TokenScope = TokenScope.WRITE, days: int = 30) -> str:
        given = {"scope": scope, "days": days, "actor": "ada", "now": self.clock(), "token_bytes": secrets.token_bytes}
        with self.house.db.writing() as session:
            return tokens.issue(session, self.tenant, self.connector, **given)[1]  # type: ignore[arg-type]

    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {self.token}", **more.pop("headers", {})}
        if body is not None:
            more = {"json": body, **more}
            headers.setdefault("Content-Type", MEDIA)
        return self.http.open(f"/scim/v2{path}", method=method, headers=headers, buffered=True, **more)

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.ask("GET", path, **more)

    def post(self, path: str, body: Any, **more: Any) -> TestResponse:
        return self.ask("POST", path, body, **more)

    def hire(self, name: str, **values: Any) -> str:
        """Somebody new; returns the id."""
        given, _, family = name.partition(".")
        body = {
            "schemas": [USER],
            "userName": f"{name}@there.example",
            "name": {"givenName": given.title(), "familyName": (family or "Here").title()},
            "displayName": name.replace(".", " ").title(),
            "active": True,
            **values,
        }
        answer = self.post("/Users", body)
        assert answer.status_code == 201, answer.text
        return str(answer.json["id"])  # type: ignore[index]

    def patch(self, path: str, *operations: Any, **more: Any) -> TestResponse:
        return self.ask("PATCH", path, {"schemas": [PATCH], "Operations": list(operations)}, **more)

    def end(self) -> None:
        """Let the leader run what was asked for: the brake speaks, and what takes away is applied."""
        cycles.run_requested(self.house.ways())

    def account(self, number: str) -> Account:
        with self.house.db.reading() as session:
            return session.exec(select(Account).where(col(Account.id) == int(number))).one()

    def person(self, number: str) -> User:
        """Whose account it is."""
        account = self.account(number)
        with self.house.db.reading() as session:
            return session.exec(select(User).where(col(User.id) == account.user_id)).one()

    def connected(self, **values: Any) -> None:
        with self.house.db.writing() as session:
            row = session.exec(select(Connector).where(col(Connector.id) == self.connector)).one()
            for name, value in values.items():
                setattr(row, name, value)
            session.add(row)


def crowd(okta: Pusher, number: int) -> list[str]:
    """That many people whom the client brought, as pushes leave them; their ids."""
    now, first = okta.clock(), 1000
    numbers = range(first, first + number)
    people, accounts = [], []
    for each in numbers:
        name = f"p{each}@there.example"
        own = {"id": each, "tenant_id": okta.tenant, "created_at": now, "changed_at": now, "extra": {}, "origins": {}}
        people.append(
            {
                **own,
                "lifecycle": "active",
                "username": name,
                "email": name,
                "email_key": name,
                "name_key": name,
                "version": 1,
            }
        )
        seen = {
            "observed": bodies.observed_of({"userName": name}, {}, now),
            "observed_at": now,
            "enabled": True,
            "stale": False,
        }
        empty: dict[str, Any] = {"absorbed": {}, "verdict": {}, "standing": {}, "intent": {}}
        whose = {
            "id": each,
            "tenant_id": okta.tenant,
            "connector_id": okta.connector,
            "user_id": each,
            "anchor": str(each),
        }
        accounts.append({**whose, **seen, **empty, "name": name, "situation": "linked"})
    with okta.house.db.writing() as session:
        session.execute(sa.insert(User), people)
        session.execute(sa.insert(Account), accounts)
    return [str(each) for each in numbers]  # fmt: skip


class sent:  # noqa: N801 - reads as a word
    """The statements sent within the block."""

    def __init__(self, house: House) -> None:
        self.engine = house.db.engine
        self.statements: list[str] = []

    def __enter__(self) -> list[str]:
        sa.event.listen(self.engine, "before_cursor_execute", self._note)
        return self.statements

    def __exit__(self, *_: Any) -> None:
        sa.event.remove(self.engine, "before_cursor_execute", self._note)

    def _note(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        self.statements.append(statement)
