"""Files that an app reads: uploaded ones, and those in the folder that a server's owner watches for a tenant.

Owns keeping them and finding them; what is in one is judged by the app's own connector. Holds no transaction while a file
is read.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlmodel import Session, select

from provision.core.headings import suggest
from provision.core.mapping import Row
from provision.core.ports import Check, OutsideError, Source
from provision.core.tables import Connector, UploadedFile
from provision.core.vocabulary import Direction, Owner
from provision.services import connectors, mappings
from provision.services.connectors import Outside
from provision.services.connectors.rows import note
from provision.services.errors import NotFound, ServiceError

LARGEST = 10 * 1024 * 1024
_NAME = 200
_MATCHING = {"email": 1, "employee_id": 2}


def of(session: Session, tenant_id: int, connector_id: int) -> UploadedFile | None:
    """The newest upload of one app."""
    query = select(UploadedFile).where(UploadedFile.tenant_id == tenant_id, UploadedFile.connector_id == connector_id)
    return session.exec(query).first()


def content(session: Session, tenant_id: int, connector_id: int) -> bytes | None:
    """The bytes of the newest upload; None when there is none."""
    row = of(session, tenant_id, connector_id)
    return None if row is None else row.content


def watched(root: Path | None, slug: str, name: str) -> bytes | None:
    """The bytes of a file in the tenant's own folder below ``root``; None when it is not there, or not in there.

    Links are followed before that is judged, so that none leads out of the folder.
    """
    if root is None or not name:
        return None
    folder = (root / slug).resolve()
    place = (folder / name).resolve()
    if place.parent != folder or not place.is_file():
        return None
    with place.open("rb") as file:
        return file.read(LARGEST + 1)


@dataclass(frozen=True)
class Means:
    """What taking a file needs of the house: transactions, ports, the registry of kinds, and the clock."""

    writing: Callable[[], AbstractContextManager[Session]]
    connect: Callable[[Connector], Source]
    kinds: Mapping[Any, Any]
    now: Callable[[], datetime]


def take(means: Means, tenant_id: int, connector_id: int, name: str, data: bytes, actor: str) -> Check:
    """Keep a new file for an app, after looking whether it is one; a first file also suggests the mapping and its key.

    Raises Outside with what is wrong with it; then the file from before stays. Nobody is imported by this.
    """
    if len(data) > LARGEST:
        raise ServiceError("csv_too_large", limit=LARGEST // 1024 // 1024)
    with means.writing() as session:
        row = connectors.get(session, tenant_id, connector_id, lock=True)
        if not means.kinds[row.kind].takes_file or row.config.get("watched"):
            raise NotFound("no_upload_here")
        before = _put(session, row, name, data, actor, means.now())
    try:
        found = means.connect(row).check()
    except OutsideError as error:
        with means.writing() as session:
            _put_back(session, tenant_id, connector_id, before)
        raise Outside(error) from None
    with means.writing() as session:
        row = connectors.get(session, tenant_id, connector_id, lock=True)
        connectors.remember_check(session, row, found, actor, means.now(), action="file.uploaded")
        if before is None:
            _suggest(session, row, means.kinds, found, actor, means.now())
    return found


def _put(session: Session, row: Connector, name: str, data: bytes, actor: str, now: datetime) -> dict[str, Any] | None:
    """Write the file; return what was there before."""
    kept = of(session, row.tenant_id, row.id or 0)
    before = None if kept is None else kept.model_dump(exclude={"id", "tenant_id", "connector_id"})
    shown = "".join(sign for sign in Path(name).name if sign.isprintable())[:_NAME] or "people.csv"
    given: dict[str, Any] = {
        "name": shown,
        "content": data,
        "size": len(data),
        "uploaded_by": actor,
        "uploaded_at": now,
    }
    kept = kept or UploadedFile(tenant_id=row.tenant_id, connector_id=row.id or 0, **given)
    session.add(kept.sqlmodel_update(given))
    session.flush()
    return before


def _put_back(session: Session, tenant_id: int, connector_id: int, before: Mapping[str, Any] | None) -> None:
    kept = of(session, tenant_id, connector_id)
    if kept is None:
        return
    if before is None:
        session.delete(kept)
    else:
        session.add(kept.sqlmodel_update(dict(before)))


def _suggest(
    session: Session, row: Connector, kinds: Mapping[Any, Any], found: Check, actor: str, now: datetime
) -> None:
    """Keep the key that the first file had, and map the columns whose headings tell what they hold."""
    own = {name: label for name, label in mappings.user_attributes(session, row.tenant_id).items() if "." in name}
    headings = [str(name) for name in found.facts.get("headings") or ()]
    wanted = rows_of(suggest(headings, own))
    if not row.config.get("key"):
        before, row.config = dict(row.config), {**row.config, "key": str(found.facts["key"])}
        note(session, row, before, row.config, actor, "connector.saved", now)
    if wanted:
        schema = kinds[row.kind].attributes(row.facts)
        mappings.save(session, row.tenant_id, row.id or 0, wanted, schema, actor, now)


def rows_of(columns: Mapping[str, str]) -> list[Row]:
    """Mapping rows for columns: heading → attribute of ours. What a file says about people is theirs."""
    return [
        Row(
            Direction.IN,
            ours,
            heading,
            owner=Owner.THEIRS,
            matching_priority=_MATCHING.get(ours),
            position=position,
        )
        for position, (heading, ours) in enumerate(columns.items())
    ]
