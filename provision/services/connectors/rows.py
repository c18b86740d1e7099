"""The row of an app: what it is called, how it is connected, its sealed secret and its switches.

Owns every write to ``connectors`` that needs no answer from outside; never speaks to the outside.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, ValidationError
from sqlmodel import Session, col, select

from provision.core import tables
from provision.core.tables import Connector
from provision.core.vocabulary import Approval, ConnectorState, Feature, Kind, key
from provision.db import for_pointing, for_update
from provision.services import events
from provision.services.errors import Conflict, Invalid, NotFound, ServiceError
from provision.vault import Vault

GUESTS = "guests"
NAME_LIMIT = 80
LAST_POSITION = 1000
_PLAIN = {
    "missing": "required",
    "string_type": "required",
    "extra_forbidden": "setting_unknown",
    "string_too_long": "value_too_long",
    "literal_error": "setting_choice",
    "enum": "setting_choice",
    "bool_parsing": "setting_choice",
    "bool_type": "setting_choice",
}
"""What a settings model says → remedy; what it says in a sentence of its own stays."""


def add(  # noqa: PLR0913, PLR0917
    session: Session,
    vault: Vault,
    tenant_id: int,
    kinds: Mapping[str, Any],
    kind: str,
    name: str,
    config: Mapping[str, Any],
    secret: bytes | None,
    actor: str,
    now: datetime,
) -> Connector:
    """Add an app that so far may do nothing: all switches off, what goes out reviewed, the kind's default mapping.

    Raises Invalid (fields of ``config``, ``name``, ``kind``) and Conflict (the name is in use).
    """
    if kind not in kinds:
        raise Invalid({"kind": "kind_unknown"})
    if secret is not None and not (kinds[kind].secret or kinds[kind].consents):
        raise Invalid({"secret": "secret_not_asked"}, kind=kinds[kind].label)
    settings = judged(kinds[kind].config, config)
    row = Connector(
        tenant_id=tenant_id,
        kind=str(kind),
        name=_free_name(session, tenant_id, name),
        position=_next_position(session, tenant_id),
        config=settings,
        features={feature.value: False for feature in Feature},
        approval=Approval.REVIEW,
        when_gone=kinds[kind].when_gone,
        scope={GUESTS: "import"},
        created_at=now,
    )
    session.add(row)
    session.flush()
    note_attributes(session, tenant_id, now)
    for position, line in enumerate(kinds[kind].default_mappings):
        session.add(_default_row(row, line, position))
    said = [_entry(row, actor, "connector.added", after={"name": row.name, "kind": kind, **settings})]
    if secret is not None:
        said.append(_seal(session, vault, row, secret, actor, now))
    session.flush()
    events.append(session, tenant_id, said, now)
    return row


def withdraw(session: Session, tenant_id: int, connector_id: int, actor: str, now: datetime) -> None:
    """Take back an app that was added a moment ago and has never been connected. Raises Conflict for any other."""
    row = get(session, tenant_id, connector_id, lock=True)
    if row.outside_id is not None or row.facts_at is not None:
        raise Conflict("app_changed_meanwhile")
    session.execute(sa.delete(tables.Mapping).where(col(tables.Mapping.connector_id) == connector_id))
    session.delete(row)
    session.flush()
    events.append(session, tenant_id, [_entry(row, actor, "connector.withdrawn", before={"name": row.name})], now)


def save(
    session: Session,
    tenant_id: int,
    connector_id: int,
    kinds: Mapping[str, Any],
    *,
    name: str,
    config: Mapping[str, Any],
    actor: str,
    now: datetime,
) -> Connector:
    """Rename an app or change its settings. Says nothing about whether they work: ``checks.change`` asks first."""
    row = get(session, tenant_id, connector_id, lock=True)
    before = {"name": row.name, **row.config}
    settings = judged(kinds[row.kind].config, config)
    row.name = _free_name(session, tenant_id, name, row.id)
    row.config = settings
    note(session, row, before, {"name": row.name, **settings}, actor, "connector.saved", now)
    return row


def set_secret(
    session: Session, vault: Vault, tenant_id: int, connector_id: int, secret: bytes, actor: str, now: datetime
) -> Connector:
    """Seal a new secret into the row. It can be replaced and used from then on, but never read by a person."""
    row = get(session, tenant_id, connector_id, lock=True)
    events.append(session, tenant_id, [_seal(session, vault, row, secret, actor, now)], now)
    return row


def remove_secret(session: Session, tenant_id: int, connector_id: int, actor: str, now: datetime) -> Connector:
    """Forget an app's own secret; from then on the installation's registration is used."""
    row = get(session, tenant_id, connector_id, lock=True)
    if row.secret is not None:
        row.secret = None
        row.facts = with_notes(row, secret=None)
        session.add(row)
        events.append(session, tenant_id, [_entry(row, actor, "connector.secret_removed")], now)
    return row


def open_secret(vault: Vault, connector: Connector) -> bytes | None:
    """The secret as it was sealed, or None when the app has none of its own."""
    if connector.secret is None or connector.id is None:
        return None
    place = {"table": "connectors", "row": connector.id, "column": "secret", "tenant": connector.tenant_id}
    return vault.open(connector.secret, **place)  # type: ignore[arg-type]


def get(session: Session, tenant_id: int, connector_id: int, *, lock: bool = False, keep: bool = False) -> Connector:
    """One app of this tenant. Raises NotFound, also for someone else's.

    ``lock``: nobody else changes it before this transaction ends. ``keep``: nobody removes it; who is to write rows that
    point at it asks so before locking its accounts, as a removal goes from the app to its accounts too.
    """
    query = select(Connector).where(Connector.tenant_id == tenant_id, Connector.id == connector_id)
    asked = for_update(session, query) if lock else for_pointing(session, query) if keep else query
    row: Connector | None = session.exec(asked).first()
    if row is None:
        raise NotFound("no_such_app")
    return row


def of(session: Session, tenant_id: int) -> list[Connector]:
    """The apps of a tenant in the order in which they win over each other."""
    query = select(Connector).where(Connector.tenant_id == tenant_id)
    return list(session.exec(query.order_by(col(Connector.position), col(Connector.id))))


def meant(session: Session, tenant_id: int, text: str) -> Connector:
    """The app that a person means: by its name, by its kind when there is only one of it, or by its number. Raises NotFound,
    Conflict."""
    rows = of(session, tenant_id)
    named = [row for row in rows if row.name == text] or [row for row in rows if key(row.name) == key(text)]
    found = named or [row for row in rows if row.kind == text] or [row for row in rows if str(row.id) == text]
    if not found:
        raise NotFound("no_such_app")
    if len(found) > 1:
        raise Conflict("app_ambiguous", text=text, names=", ".join(row.name for row in found))
    return found[0]


def connected(connector: Connector) -> bool:
    """Whether the last look at the outside, with fresh credentials, succeeded."""
    return connector.outside_id is not None and connector.facts_at is not None and "trouble" not in notes(connector)


def switched_on(connector: Connector, feature: Feature) -> bool:
    """Whether a switch is on."""
    return bool(connector.features.get(feature.value))


def features(
    session: Session,
    tenant_id: int,
    connector_id: int,
    switches: Mapping[str, bool],
    approval: str | None,
    actor: str,
    now: datetime,
) -> Connector:
    """Set the switches that are named, leaving the others. Nothing is enqueued by it.

    Raises Invalid for an unknown word, and ServiceError when one would go on while the app is not connected.
    """
    row = get(session, tenant_id, connector_id, lock=True)
    unknown = sorted(set(switches) - {feature.value for feature in Feature})
    if unknown:
        raise Invalid({unknown[0]: "feature_unknown"})
    if approval is not None and approval not in tuple(Approval):
        raise Invalid({"approval": "approval_unknown"})
    rising = [name for name, on in switches.items() if on and not row.features.get(name)]
    if rising and not connected(row):
        raise _not_connected(row)
    before = {**row.features, "approval": str(row.approval)}
    row.features = {**{feature.value: False for feature in Feature}, **row.features, **switches}
    row.approval = Approval(approval) if approval else row.approval
    note(session, row, before, {**row.features, "approval": str(row.approval)}, actor, "connector.switched", now)
    return row


def pause(session: Session, tenant_id: int, connector_id: int, actor: str, now: datetime) -> Connector:
    """Stop everything that this app does, until resumed."""
    row = get(session, tenant_id, connector_id, lock=True)
    before, row.state = {"state": str(row.state)}, ConnectorState.PAUSED
    note(session, row, before, {"state": str(row.state)}, actor, "connector.paused", now)
    return row


def resume(session: Session, tenant_id: int, connector_id: int, actor: str, now: datetime) -> Connector:
    """Let a paused or quarantined app go on; if its credentials are still refused, the next cycle stops it again."""
    row = get(session, tenant_id, connector_id, lock=True)
    if row.state == ConnectorState.QUARANTINED:  # whoever says so knows; if they are wrong, it is a new stop
        row.rests_until = row.stopped_at = row.recovered_at = None
    before, row.state, row.reason = {"state": str(row.state)}, ConnectorState.ACTIVE, None
    note(session, row, before, {"state": str(row.state)}, actor, "connector.resumed", now)
    return row


# -- Shared with the neighbours: what we note in an app's facts beside what was found there ------------------------------


def notes(connector: Connector) -> dict[str, Any]:
    """What we wrote down ourselves: ``consent``, ``secret`` (when, by whom, fingerprint) and ``trouble``."""
    return dict(connector.facts.get("notes") or {})


def with_notes(connector: Connector, **changes: Any) -> dict[str, Any]:
    """The facts with some notes replaced; None removes one. Assign it: a JSON column does not see changes inside."""
    kept = {name: value for name, value in {**notes(connector), **changes}.items() if value is not None}
    return {**connector.facts, "notes": kept}


def note_attributes(session: Session, tenant_id: int, now: datetime) -> None:
    """Let every app that pushes know the attributes that the tenant has added: it may send them, so they can be mapped."""
    query = select(tables.CustomAttribute).where(tables.CustomAttribute.tenant_id == tenant_id)
    known = [[one.name, one.label] for one in session.exec(query.order_by(col(tables.CustomAttribute.name)))]
    for row in of(session, tenant_id):
        if row.kind == Kind.SCIM_SOURCE and known:
            row.facts = with_notes(row, own={"at": now.isoformat(), "attributes": known})
            session.add(row)
    session.flush()


def note(
    session: Session,
    row: Connector,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    actor: str,
    action: str,
    now: datetime,
    *,
    always: bool = False,
) -> None:
    """Keep the row, and one event with what differs; without a difference there is no event, unless ``always``."""
    session.add(row)
    session.flush()
    moved = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    if moved or always:
        was, becomes = ({name: side.get(name) for name in moved} for side in (before, after))
        events.append(session, row.tenant_id, [_entry(row, actor, action, before=was, after=becomes)], now)


def judged(model: type[BaseModel], given: Mapping[str, Any]) -> dict[str, Any]:
    """What a model makes of the given fields, as JSON. Raises Invalid with one sentence per field."""
    try:
        return model.model_validate(dict(given)).model_dump(mode="json")
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
    problems = {str((one["loc"] or ("",))[0]): _PLAIN.get(one["type"], one["msg"]) for one in reversed(found)}
    told: dict[str, Any] = {"names": ", ".join(model.model_fields)}
    for one in reversed(found):
        held = one.get("ctx") or {}
        told |= {"choices": held.get("expected", "true, false"), "limit": held.get("max_length", "")}
    raise Invalid(problems, **told)


def _entry(
    row: Connector,
    actor: str,
    action: str,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> events.Entry:
    return events.Entry(
        actor, action, connector_id=row.id, before=before or {}, after=after or {}, names={"app": row.name}
    )


def _seal(session: Session, vault: Vault, row: Connector, secret: bytes, actor: str, now: datetime) -> events.Entry:
    assert row.id is not None  # noqa: S101 - sealed for its own row, so the row comes first
    row.secret = vault.seal(secret, table="connectors", row=row.id, column="secret", tenant=row.tenant_id)
    told = {"at": now.isoformat(), "by": actor, "fingerprint": hashlib.sha256(secret).hexdigest()[:8]}
    row.facts = with_notes(row, secret=told)
    session.add(row)
    session.flush()
    return _entry(row, actor, "connector.secret_set", after={"fingerprint": told["fingerprint"]})


def _free_name(session: Session, tenant_id: int, name: str, own: int | None = None) -> str:
    name = " ".join(name.split())
    if not name or len(name) > NAME_LIMIT or not name.isprintable():
        raise Invalid({"name": "app_name_unfit"}, limit=NAME_LIMIT)
    for other in of(session, tenant_id):
        if other.id != own and key(other.name) == key(name):
            raise Invalid({"name": "app_name_taken"}, name=name)
    return name


def _next_position(session: Session, tenant_id: int) -> int:
    highest = session.scalar(
        sa.select(sa.func.max(col(Connector.position))).where(col(Connector.tenant_id) == tenant_id)
    )
    return 0 if highest is None else min(int(highest) + 1, LAST_POSITION)


def _default_row(row: Connector, line: Any, position: int) -> tables.Mapping:
    assert row.id is not None  # noqa: S101 - flushed before
    return tables.Mapping(
        tenant_id=row.tenant_id,
        connector_id=row.id,
        direction=line.direction,
        ours=line.ours,
        theirs=line.theirs,
        kind=line.kind,
        flow=line.flow,
        owner=line.owner,
        matching_priority=line.matching_priority,
        position=position,
    )


def _not_connected(row: Connector) -> ServiceError:
    trouble = notes(row).get("trouble")
    if trouble is None:
        return ServiceError("not_connected", app=row.name)
    return ServiceError(trouble["code"], **{**trouble["params"], "app": row.name})
