"""Looking at the outside: does the name exist, do the credentials work, what may we do there, what is there.

Owns what an app knows about its outside system; never holds a transaction across a call, and never stops an app: only who
meets the refusal while working puts one into quarantine.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, select

from provision.core.ports import Check, Consenting, OutsideError, Source, Throttled, Unreachable
from provision.core.tables import Account, Connector
from provision.core.vocabulary import ConnectorState, Outcome
from provision.services import events
from provision.services.connectors import stopping
from provision.services.connectors.rows import connected, get, judged, note, notes, save, set_secret, with_notes
from provision.services.errors import Conflict, Invalid, ServiceError
from provision.vault import Vault, VaultError

log = structlog.get_logger()
Writing = Callable[[], AbstractContextManager[Session]]
Connect = Callable[[Connector], Source]


class Outside(ServiceError):
    """An answer from outside that a person should read: the same code, with the status that fits its kind."""

    def __init__(self, error: OutsideError) -> None:
        super().__init__(error.code, **error.params)
        self.request_id = error.request_id
        self.status = STATUS.get(type(error), 422)


STATUS: dict[type[OutsideError], int] = {Unreachable: 502, Throttled: 503}


def locate(connect: Connect, tenant_id: int, kind: str, config: Mapping[str, Any]) -> str | None:
    """Ask whose name this is, before anything is stored. None for kinds that have no such question. Raises Outside."""
    candidate = Connector(tenant_id=tenant_id, kind=kind, name="", config=dict(config))
    try:
        port = connect(candidate)
        return port.locate() if isinstance(port, Consenting) else None
    except OutsideError as error:
        raise Outside(error) from None


def check(
    writing: Writing, connect: Connect, tenant_id: int, connector_id: int, actor: str, now: Callable[[], datetime]
) -> Check:
    """Look with fresh credentials and remember what was found.

    Refused: raises Outside; what was known stays, switches and state too, and the reason is remembered until the next look.
    """
    with writing() as session:
        row = get(session, tenant_id, connector_id)
    try:
        found = connect(row).check()
    except OutsideError as error:
        with writing() as session:
            remember_trouble(session, get(session, tenant_id, connector_id, lock=True), error, actor, now())
        raise Outside(error) from None
    with writing() as session:
        remember_check(session, unchanged(session, row), found, actor, now())
    return found


def change(  # noqa: PLR0913
    writing: Writing,
    connect: Connect,
    vault: Vault,
    tenant_id: int,
    connector_id: int,
    kinds: Mapping[str, Any],
    *,
    name: str,
    config: Mapping[str, Any],
    actor: str,
    now: Callable[[], datetime],
    secret: bytes | None = None,
) -> Connector:
    """Save an app's settings, after looking at what they lead to: a bound app is checked, another one at least located.

    Settings that would show the secret to another server need it again (``secret``): whoever may point an app elsewhere
    is not thereby told what opens the old place. Refused there: nothing is saved. Raises Outside, Conflict (another
    organisation), Invalid.
    """
    with writing() as session:
        row = get(session, tenant_id, connector_id)
    settings = judged(kinds[row.kind].config, config)
    _refuse_to_show(kinds[row.kind], row, settings, secret)
    found = None
    if settings != row.config or secret is not None:
        located = locate(connect, tenant_id, row.kind, settings)
        if row.outside_id is not None:
            sealed = row.secret if secret is None else _sealed(vault, row, secret)
            found = _look(connect, _like(row, config=settings, secret=sealed, outside_id=located or row.outside_id))
    with writing() as session:
        unchanged(session, row)
        row = save(session, tenant_id, connector_id, kinds, name=name, config=config, actor=actor, now=now())
        if secret is not None:
            row = set_secret(session, vault, tenant_id, connector_id, secret, actor, now())
        return remember_check(session, row, found, actor, now()) if found else row


def renew_secret(
    writing: Writing,
    connect: Connect,
    vault: Vault,
    tenant_id: int,
    connector_id: int,
    secret: bytes,
    actor: str,
    now: Callable[[], datetime],
) -> Connector:
    """Replace an app's secret. While the old one works, the new one must work too, or the old one stays. Raises Outside.

    An app that is not connected takes it as it is, since more than the secret may be missing; look again afterwards.
    """
    with writing() as session:
        row = get(session, tenant_id, connector_id)
    found = None
    if connected(row):
        found = _look(connect, _like(row, secret=_sealed(vault, row, secret)))
    with writing() as session:
        unchanged(session, row)
        row = set_secret(session, vault, tenant_id, connector_id, secret, actor, now())
        return remember_check(session, row, found, actor, now()) if found else row


def remember_check(
    session: Session, row: Connector, found: Check, actor: str, now: datetime, *, action: str = "connector.checked"
) -> Connector:
    """Keep what a look found. A second app on the same organisation is refused with Conflict, wherever the first one is."""
    if row.outside_id not in (None, found.outside_id) and _has_accounts(session, row):
        raise Conflict("other_organisation", app=row.name, name=found.name)
    _refuse_second(session, row, found)
    news = {"outside_id": found.outside_id, "name": found.name, "missing": _missing(found)}
    olds = {"outside_id": row.outside_id, "name": row.facts.get("name"), "missing": _missing_before(row)}
    rights = [asdict(permission) for permission in found.permissions]
    row.facts = {**found.facts, "name": found.name, "rights": rights, "notes": notes(row)}
    row.facts = with_notes(row, trouble=None)
    row.facts_at, row.outside_id = now, found.outside_id
    goes_on = stopping.recover(row, now)
    row.reason = None
    session.add(row)
    try:
        with session.begin_nested():
            session.flush()
    except IntegrityError:
        raise Conflict("bound_elsewhere", name=found.name) from None
    note(session, row, olds, news, actor, action, now, always=True)
    events.append(session, row.tenant_id, goes_on, now)
    return row


def try_again(
    writing: Writing, connect: Connect, tenant_id: int, connector_id: int, now: Callable[[], datetime]
) -> bool:
    """Look whether a stopped app lets us in by now. Whoever comes first looks alone, and the next time comes later.

    Raises Conflict when it leads elsewhere by now, or was changed meanwhile.
    """
    with writing() as session:
        row = get(session, tenant_id, connector_id, lock=True)
        if row.state != ConnectorState.QUARANTINED or (row.rests_until is not None and row.rests_until > now()):
            return False
        row.rests_until = stopping.next_try(row, now())
        session.add(row)
    try:
        found = connect(row).check()
    except (OutsideError, VaultError) as error:
        log.info("still refused", connector=connector_id, error=str(error))
        return False
    with writing() as session:
        remember_check(session, unchanged(session, row), found, "schedule", now())
    return True


def remember_trouble(session: Session, row: Connector, error: OutsideError, actor: str, now: datetime) -> None:
    """Keep why the last look was refused. Nothing else changes: what was known may still be true."""
    told = {"code": error.code, "params": plain(error.params), "at": now.isoformat(), "request_id": error.request_id}
    row.facts = with_notes(row, trouble=told)
    row.reason = error.code
    session.add(row)
    session.flush()
    said = events.Entry(
        actor,
        "connector.check_refused",
        outcome=Outcome.REFUSED,
        connector_id=row.id,
        names={"app": row.name},
        text={"code": error.code, "params": plain(error.params), "request_id": error.request_id},
    )
    events.append(session, row.tenant_id, [said], now)


def unchanged(session: Session, seen: Connector) -> Connector:
    """The row again, unless its settings or its secret were changed while we looked with the old ones."""
    assert seen.id is not None  # noqa: S101 - it was read from the table
    row = get(session, seen.tenant_id, seen.id, lock=True)
    if (row.config, row.secret) != (seen.config, seen.secret):
        raise Conflict("app_changed_meanwhile", app=row.name)
    return row


def _refuse_to_show(kind: Any, row: Connector, settings: Mapping[str, Any], secret: bytes | None) -> None:
    strangers = kind.shown_to(settings) - kind.shown_to(row.config)
    if strangers and row.secret is not None and secret is None:
        raise Invalid({"secret_again": "secret_for_elsewhere"}, place=", ".join(sorted(strangers)))


def _look(connect: Connect, candidate: Connector) -> Check:
    try:
        return connect(candidate).check()
    except OutsideError as error:
        raise Outside(error) from None


def _like(row: Connector, **changes: Any) -> Connector:
    """A copy that no session knows, to be tried before anything is kept."""
    return Connector(**{**row.model_dump(), **changes})


def _sealed(vault: Vault, row: Connector, secret: bytes) -> bytes:
    return vault.seal(secret, table="connectors", row=row.id or 0, column="secret", tenant=row.tenant_id)


def _has_accounts(session: Session, row: Connector) -> bool:
    query = select(Account.id).where(Account.tenant_id == row.tenant_id, Account.connector_id == row.id)
    return session.exec(query.limit(1)).first() is not None


def _refuse_second(session: Session, row: Connector, found: Check) -> None:
    query = select(Connector).where(Connector.outside_id == found.outside_id, Connector.id != row.id)
    other = session.exec(query).first()
    if other is not None and other.tenant_id == row.tenant_id:
        raise Conflict("bound_here", name=found.name, app=other.name)
    if other is not None:  # whose it is would tell one organisation about another
        raise Conflict("bound_elsewhere", name=found.name)


def _missing(found: Check) -> list[str]:
    return [permission.name for permission in found.permissions if permission.state == "missing"]


def _missing_before(row: Connector) -> list[str]:
    return [one["name"] for one in row.facts.get("rights") or () if one["state"] == "missing"]


def plain(params: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value if isinstance(value, str | int | float | bool) else str(value) for name, value in params.items()
    }
