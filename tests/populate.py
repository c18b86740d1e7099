"""Rows for tests that need people, an app and accounts without running an import: written as an import leaves them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from provision.core.onboarding import Recipient
from provision.core.tables import Account, Activation, Connector, Cycle, Mail, Mapping, User
from provision.core.vocabulary import (
    CycleKind,
    CycleState,
    Flow,
    Kind,
    Lifecycle,
    MailState,
    MailTemplate,
    MappingKind,
    Outcome,
    Owner,
    Situation,
    key,
)
from provision.services import events

_CONFIG = {"domain": "contoso.example", "cloud": "sandbox"}
HOSTILE = '"><img src=x onerror=alert(1)>{{7*7}}\n=cmd|calc'
ROWS = (
    ("given_name", "givenName"),
    ("surname", "surname"),
    ("username", "mailNickname"),
    ("email", "userPrincipalName"),
)


def app(session: Session, tenant: int, now: datetime, name: str = "Office 365", **values: Any) -> Connector:
    """An app with the four plain rows of the default mapping."""
    given: dict[str, Any] = {
        "facts_at": now,
        "features": {"import": True},
        "config": _CONFIG,
        "created_at": now,
        "kind": Kind.MICROSOFT365,
        **values,
    }
    row = Connector(tenant_id=tenant, name=name, **given)
    session.add(row)
    session.flush()
    for position, (ours, theirs) in enumerate(ROWS):
        mapping = Mapping(
            tenant_id=tenant,
            connector_id=number(row),
            ours=ours,
            theirs=theirs,
            kind=MappingKind.ATTRIBUTE,
            flow=Flow.ALWAYS,
            owner=Owner.EITHER,
            position=position,
        )
        session.add(mapping)
    session.flush()
    return row


def person(session: Session, tenant: int, now: datetime, display_name: str, **values: Any) -> User:
    """A person; the keys follow from name and address."""
    given: dict[str, Any] = {"lifecycle": Lifecycle.ACTIVE, "created_at": now, "changed_at": now, **values}
    row = User(
        tenant_id=tenant,
        display_name=display_name,
        name_key=key(display_name),
        email_key=key(given.get("email")),
        **given,
    )
    session.add(row)
    session.flush()
    return row


def account(session: Session, connector: Connector, owner: User | None, now: datetime, **values: Any) -> Account:
    """An account as last seen; what it shows is what its person holds unless ``observed`` says otherwise."""
    seen = {theirs: getattr(owner, ours) for ours, theirs in ROWS} if owner else {}
    observed = {**seen, **values.pop("observed", {})}
    given: dict[str, Any] = {"situation": Situation.LINKED, "enabled": True, "observed_at": now, **values}
    row = Account(
        tenant_id=connector.tenant_id,
        connector_id=number(connector),
        user_id=owner.id if owner else None,
        name=key(observed.get("userPrincipalName")),
        observed=observed,
        absorbed=given.pop("absorbed", observed),
        **given,
    )
    session.add(row)
    session.flush()
    return row


def link(session: Session, person: User, now: datetime, **values: Any) -> Activation:
    """A link that the person's own address is told to have gone to: a server took its mail."""
    given: dict[str, Any] = {
        "recipient": Recipient.PRIMARY.value, "sent_to": person.email or "", "sent_for": person.email or "",
        "digest": f"link {person.id}".encode(), "nonce": b"n", "key_id": "k", "outcomes": {}, "tried": {},
        "created_at": now, "created_by": "ada", "sent_at": now, "expires_at": now + timedelta(hours=72),
    }  # fmt: skip
    row = Activation(tenant_id=person.tenant_id, user_id=person.id or 0, **{**given, **values})
    session.add(row)
    session.flush()
    mail = {"template": MailTemplate.ACTIVATION, "state": MailState.SENT, "address": row.sent_to, "language": "en"}
    session.add(Mail(tenant_id=row.tenant_id, user_id=row.user_id, activation_id=row.id, message_id=f"{row.id}",
                     created_at=now, due_at=now, settled_at=now, attempts=1, **mail))  # fmt: skip
    session.flush()
    return row


def cycle(session: Session, connector: Connector, now: datetime, state: CycleState, **values: Any) -> Cycle:
    """A run that ended now."""
    row = Cycle(
        tenant_id=connector.tenant_id,
        connector_id=number(connector),
        kind=CycleKind.INITIAL,
        state=state,
        requested_by="ada@contoso.example",
        requested_at=now,
        ended_at=now,
        **values,
    )
    session.add(row)
    session.flush()
    return row


def told(
    session: Session, tenant: int, now: datetime, action: str, who: User | None = None, **values: Any
) -> Sequence[events.Entry]:
    """One entry of the log about a person."""
    names = {"user": who.display_name, "address": who.email} if who else {}
    names |= values.pop("names", {"app": "Office 365"})
    entry = events.Entry(
        actor=values.pop("actor", "ada@contoso.example"),
        action=action,
        outcome=values.pop("outcome", Outcome.DONE),
        user_id=who.id if who else None,
        names=names,
        **values,
    )
    events.append(session, tenant, [entry], now)
    return [entry]


def hostile(session: Session, tenant: int, now: datetime) -> User:
    """Somebody whose every value attacks whoever shows it, with an app, an account, a run and a log to match."""
    profile = ("given_name", "surname", "username", "email", "private_email", "employee_id", "department", "title")
    values: dict[str, Any] = dict.fromkeys((*profile, "company", "mobile"), HOSTILE)
    row = person(session, tenant, now, HOSTILE, **values, extra={"badge": HOSTILE}, origins={})
    evil = app(session, tenant, now, name=HOSTILE)
    trouble = {"code": HOSTILE, "params": {"app": HOSTILE}, "at": now.isoformat()}
    evil.facts = {
        "name": HOSTILE,
        "people": 1,
        "domains": [{"name": HOSTILE, "verified": True, "federated": True}],
        "seats": [{"sku": HOSTILE, "part": HOSTILE, "name": HOSTILE, "total": 2, "used": 2, "free": 0}],
        "excess": [HOSTILE],
        "rights": [{"name": HOSTILE, "why": HOSTILE, "without": HOSTILE, "state": "missing"}],
        "notes": {"trouble": trouble},
    }
    session.add(evil)
    seen = {"givenName": f"other {HOSTILE}"}
    account(session, evil, row, now, anchor=HOSTILE, observed=seen, standing={"guest": True, "roles": [HOSTILE]})
    cycle(session, evil, now, CycleState.FAILED, error={"code": HOSTILE, "params": {"app": HOSTILE}})
    change = {"before": {"title": HOSTILE}, "after": {"title": f"new {HOSTILE}", HOSTILE: HOSTILE}}
    failure = {"text": {"error": {"code": "unknown", "params": {"code": HOSTILE}}, "kept": {"title": [HOSTILE, "b"]}}}
    told(session, tenant, now, "user.updated", row, actor=HOSTILE, names={"app": HOSTILE}, **change, **failure)
    return row


def number(row: Any) -> int:
    """The id of a row that has one."""
    if row.id is None:
        raise AssertionError("this row has not been written yet")
    return int(row.id)
