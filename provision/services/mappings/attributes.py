"""A tenant's own attributes of people, and the list of all that a person may have.

Owns the rows of ``attributes``; never touches a value.
"""

import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from provision.core.tables import CustomAttribute
from provision.core.vocabulary import USER_ATTRIBUTES
from provision.services import connectors, events
from provision.services.errors import Conflict, Invalid

EXTRA = "extra."


def user_attributes(session: Session, tenant_id: int) -> dict[str, str]:
    """Every attribute a person may have here: name → label, the tenant's own ones as ``extra.<name>``."""
    return {**USER_ATTRIBUTES, **{EXTRA + own.name: own.label for own in attributes(session, tenant_id)}}


def attributes(session: Session, tenant_id: int) -> list[CustomAttribute]:
    """The attributes that this tenant added."""
    return list(session.exec(_ADDED, params={"tenant": tenant_id}))


_ADDED = (
    select(CustomAttribute)
    .where(col(CustomAttribute.tenant_id) == sa.bindparam("tenant"))
    .order_by(col(CustomAttribute.name))
)


def add_attribute(session: Session, tenant_id: int, label: str, actor: str, now: datetime) -> CustomAttribute:
    """Give people one more attribute; its name follows from its label. Raises Invalid, Conflict."""
    label = " ".join(label.split())
    plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    if not name or not name[0].isalpha() or len(label) > 64:
        raise Invalid({"label": "attribute_label_unfit"})
    if name in USER_ATTRIBUTES or any(own.name == name for own in attributes(session, tenant_id)):
        raise Conflict("attribute_taken", label=label)
    row = CustomAttribute(tenant_id=tenant_id, name=name, label=label)
    session.add(row)
    session.flush()
    connectors.note_attributes(session, tenant_id, now)
    said = events.Entry(actor, "attribute.added", after={"name": name, "label": label})
    events.append(session, tenant_id, [said], now)
    return row


def flat(values: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, str | None]:
    """A person as mapping rows read them: plain columns, and the tenant's own attributes under ``extra.<name>``."""
    return {**values, **{EXTRA + name: value for name, value in extra.items()}}
