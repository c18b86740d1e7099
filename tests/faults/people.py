"""Who works at an installation while it is being killed: edits of every kind through the product's own services.

Owns what was promised: for every person added here, how they should stand at the end, noted after each commit.
"""

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, select

from provision.core.tables import Connector, Operation, Tenant
from provision.core.vocabulary import OperationState
from provision.house import House
from provision.services import cycles, outbox, users
from provision.services.errors import ServiceError
from provision.services.users import Move

WAITING = (OperationState.PENDING, OperationState.RUNNING, OperationState.UNKNOWN)
KINDS = ("add", "edit", "disable", "enable", "delete", "restore")
WEIGHTS = (25, 40, 11, 10, 8, 6)
_FROM = {"edit": ("active", "suspended"), "disable": ("active",), "enable": ("suspended",),
         "delete": ("active", "suspended"), "restore": ("left",)}  # fmt: skip
_THEN = {"disable": "suspended", "enable": "active", "delete": "left", "restore": "active"}
_WORDS = ("Quay", "O'Brien & <b>Sons</b>", "Größe", 'Night "shift"', "東京", "Ops", "Log\\istics", "Aft")


@dataclass
class Promise:
    """How a person should stand here, and there, when everything has come to rest."""

    lifecycle: str
    values: dict[str, str]


@dataclass
class Office:
    """One organisation's operator: edits as chance has it, and asks for imports."""

    house: House
    domain: str
    chance: random.Random
    promises: dict[int, Promise] = field(default_factory=dict)
    made: Counter[str] = field(default_factory=Counter)
    imports: int = 0

    def __post_init__(self) -> None:
        with self.house.db.reading() as session:
            self.tenant = session.exec(select(Tenant.id)).one() or 0
            self.app = session.exec(select(Connector.id)).one() or 0

    def settings(self, **scope: Any) -> None:
        """Automatic approval is set by command; the rest of an app's settings is written here."""
        with self.house.db.writing() as session:
            row = session.exec(select(Connector).where(Connector.id == self.app)).one()
            row.scope = {**row.scope, **scope}
            session.add(row)

    def order(self) -> outbox.Order:
        return outbox.Order("operator", self.house.now(), self.house.kinds)

    def edit(self) -> None:
        """One edit, of a kind and of a person that chance picks."""
        kind = self.chance.choices(KINDS, WEIGHTS)[0]
        chosen = self._somebody(_FROM[kind]) if kind in _FROM else None
        if kind in _FROM and chosen is None:
            kind = "add"
        getattr(self, f"_{kind}")(chosen) if kind in ("add", "edit") else self._move(kind, chosen or 0)
        self.made[kind] += 1

    def waiting(self) -> int:
        """How many operations are on their way."""
        query = sa.select(sa.func.count()).where(col(Operation.state).in_(WAITING))
        with self.house.db.reading() as session:
            return session.scalar(query) or 0

    def operations(self) -> int:
        """How many there have been."""
        with self.house.db.reading() as session:
            return session.scalar(sa.select(sa.func.count(col(Operation.id)))) or 0

    def read(self) -> None:
        """Ask for an import when none is under way, now and then for a full one."""
        with self.house.db.writing() as session:
            if cycles.unfinished(session, self.tenant, self.app) is None:
                full = self.chance.random() < 0.5
                cycles.request(session, self.tenant, self.app, "schedule", self.house.now(), full=full)
                self.imports += 1

    def press_retry(self) -> int:
        """What failed or has climbed the slow ladder is tried again, as an operator would; returns how many."""
        late = sa.and_(col(Operation.state) == OperationState.PENDING, col(Operation.attempts) >= 5)
        ended = sa.and_(
            col(Operation.state).in_((OperationState.FAILED, OperationState.BLOCKED)),
            col(Operation.id).in_(sa.select(sa.func.max(col(Operation.id))).group_by(col(Operation.account_id))),
        )
        with self.house.db.writing() as session:
            ids = session.exec(select(Operation.id).where(sa.or_(late, ended))).all()
            if ids:
                outbox.retry(session, self.tenant, [number or 0 for number in ids], self.order())
        return len(ids)

    def _add(self, _: int | None) -> None:
        number = len(self.promises) + 1
        given = {
            "given_name": f"Given{number}", "surname": self.chance.choice(_WORDS), "username": f"made{number}",
            "email": f"made{number}@{self.domain}", "display_name": f"Made {number}",
        }  # fmt: skip
        with self.house.db.writing() as session:
            saved = users.add(session, self.tenant, given, self.order())
        self.promises[saved.user_id] = Promise("active", {**given})

    def _edit(self, user_id: int | None) -> None:
        name = self.chance.choice(("given_name", "surname", "display_name"))
        value = f"{self.chance.choice(_WORDS)} {self.chance.randrange(10**4)}"
        with self.house.db.writing() as session:
            users.edit(session, self.tenant, user_id or 0, {name: value}, self.order())
        self.promises[user_id or 0].values[name] = value

    def _move(self, kind: str, user_id: int) -> None:
        try:
            with self.house.db.writing() as session:
                users.move(session, self.tenant, user_id, Move(kind), self.order())
        except ServiceError as refused:
            self.made[f"refused: {refused.code}"] += 1
            return
        self.promises[user_id].lifecycle = _THEN[kind]

    def _somebody(self, standing: tuple[str, ...]) -> int | None:
        """One of the latest few hundred, so that what is edited is often still on its way."""
        latest = list(self.promises)[-300:]
        fit = [number for number in latest if self.promises[number].lifecycle in standing]
        return self.chance.choice(fit) if fit else None
