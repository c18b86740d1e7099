"""Files that an app reads: uploaded ones, and those in the folder that a server's owner watches for a tenant.

Owns keeping them and finding them; what is in one is judged by the app's own connector. Holds no transaction while a file
is read.
"""

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from provision.core.headings import suggest
from provision.core.mapping import Row
from provision.core.ports import Check, OutsideError, Source, Unreachable, WatermarkLost
from provision.core.tables import Connector, UploadedFile, User
from provision.core.vocabulary import Direction, Lifecycle, MappingKind, Owner
from provision.services import connectors, mappings
from provision.services.connectors import Outside
from provision.services.connectors.rows import note
from provision.services.errors import Conflict, NotFound, ServiceError

LARGEST = 10 * 1024 * 1024
SETTLED = 2.0
"""Seconds for which nobody has written to a watched file before it is believed to be whole."""
GLANCED = 3
SAMPLE = (
    ("Ada", "Example", "ada.example", "ada.example@example.org", "Ada Example", "", "10001", "North", "Engineer"),
    ("Bo", "Sample", "bo.sample", "bo.sample@example.org", "Bo Sample", "", "10002", "South", "Nurse"),
)
"""Two people who are nobody: the beginning of the default profile, in its order."""
NOT_LEFT = col(User.lifecycle) != Lifecycle.LEFT
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


def watched(root: Path | None, slug: str, name: str, now: datetime) -> bytes | None:
    """The bytes of a file in the tenant's own folder below ``root``; None when it is not there, or not in there.

    Links are followed before that is judged, so that none leads out of the folder. Raises Unreachable while somebody
    still writes to it: half a file would say that people have left.
    """
    if root is None or not name:
        return None
    try:
        folder = (root / slug).resolve()
        place = (folder / name).resolve()
        if place.parent != folder:
            return None
        handle = os.open(place, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except (OSError, ValueError):
        return None
    with open(handle, "rb") as file:
        before = os.fstat(handle)
        if not stat.S_ISREG(before.st_mode):
            return None
        data = file.read(LARGEST + 1)
        after = os.fstat(handle)
    moved = (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns)
    if moved or abs(now.timestamp() - after.st_mtime) < SETTLED:
        raise Unreachable("csv_being_written", sent=False, name=name)
    return data


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
    return look_again(means, tenant_id, connector_id) if before is None else found


def look_again(means: Means, tenant_id: int, connector_id: int) -> Check:
    """Judge the file by the columns as they are mapped now, and keep what that tells. Raises Outside."""
    with means.writing() as session:
        row = connectors.get(session, tenant_id, connector_id)
    try:
        found = means.connect(row).check()
    except OutsideError as error:
        raise Outside(error) from None
    with means.writing() as session:
        row = connectors.get(session, tenant_id, connector_id, lock=True)
        row.facts = {**row.facts, **found.facts}
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
    """Keep the key that the first file had, and map the columns whose headings tell what they hold.

    A kind that has no setting for a key, or whose columns are always the same, is left as it began.
    """
    spec = kinds[row.kind]
    own = {name: label for name, label in mappings.user_attributes(session, row.tenant_id).items() if "." in name}
    headings = [str(name) for name in found.facts.get("headings") or ()]
    wanted = rows_of(suggest(headings, own))
    if "key" in spec.config.model_fields and not row.config.get("key"):
        before, row.config = dict(row.config), {**row.config, "key": str(found.facts["key"])}
        note(session, row, before, row.config, actor, "connector.saved", now)
    if wanted and spec.discover:
        mappings.save(session, row.tenant_id, row.id or 0, wanted, spec.attributes(row.facts), actor, now)


def columns(session: Session, tenant_id: int, connector_id: int) -> dict[str, str]:
    """Heading → attribute of ours, as plain rows have it."""
    rows = mappings.rows(session, tenant_id, connector_id)
    return {one.theirs: one.ours for one in rows if one.flows_in and one.kind is MappingKind.ATTRIBUTE}


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


def keep_columns(
    session: Session,
    kinds: Mapping[Any, Any],
    tenant_id: int,
    connector_id: int,
    columns: Mapping[str, str],
    digest: str,
    actor: str,
    now: datetime,
) -> None:
    """Keep which column goes where: heading → attribute of ours. Rows of another sort, made under mapping, stay.

    Raises Conflict when the file is another one by now, ServiceError when an attribute has two columns, Unfit.
    """
    row = connectors.get(session, tenant_id, connector_id, lock=True)
    if not kinds[row.kind].takes_file:
        raise NotFound("no_upload_here")
    if digest != row.facts.get("digest"):
        raise Conflict("file_changed")
    if len(set(columns.values())) != len(columns):
        raise ServiceError("column_twice")
    headings = set(row.facts.get("headings") or ())
    before = mappings.rows(session, tenant_id, connector_id)
    plain = {(one.theirs, one.ours): one for one in before if one.kind is MappingKind.ATTRIBUTE}
    kept = [one for one in before if one.kind is not MappingKind.ATTRIBUTE]
    wanted = [plain.get((one.theirs, one.ours), one) for one in rows_of(columns) if one.theirs in headings]
    mappings.save(session, tenant_id, connector_id, [*wanted, *kept], kinds[row.kind].attributes(row.facts), actor, now)


def glance(connect: Callable[[Connector], Source], row: Connector) -> list[dict[str, Any]]:
    """The first few rows, as they would be read; nothing when the file cannot be read now."""
    try:
        first = next(connect(row).changes([str(name) for name in row.facts.get("headings") or ()]), None)
    except (OutsideError, WatermarkLost):
        return []
    return [dict(one.values) for one in (first.seen if first else ())[:GLANCED]]


def everybody(
    session: Session, tenant_id: int, names: Sequence[str], *, among: Iterable[Any] = (NOT_LEFT,)
) -> Iterator[list[str | None]]:
    """The values of everybody who has not left, by name, in the order of these attributes; read as they are written.

    ``among``: other conditions on who is meant. Whoever left would be added anew by importing the file.
    """
    profile = [getattr(User, name) for name in names if not name.startswith(mappings.EXTRA)]
    query = sa.select(col(User.extra), *profile).where(col(User.tenant_id) == tenant_id, *among)
    own = [name for name in names if not name.startswith(mappings.EXTRA)]
    for extra, *values in session.execute(
        query.order_by(col(User.name_key), col(User.id)).execution_options(yield_per=1000)
    ):
        held = mappings.flat(dict(zip(own, values, strict=True)), extra or {})
        yield [held.get(name) for name in names]
