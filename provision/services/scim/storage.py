"""Where the SCIM library reads and writes: a resource is an account of the one app whose token came along.

Owns the translation between resources and accounts, versions, uniqueness, and the transaction of one operation. What a change
means for people is decided on the road of every import; nothing of another client is ever seen.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from scim2_models import (
    InvalidValueException,
    NotFoundException,
    PreconditionFailedException,
    Resource,
    ResourceType,
    ResponseParameters,
    ScimProvider,
    SearchRequest,
    UnauthorizedException,
    UniquenessException,
)
from scim2_server.storage import ScimStorage, SearchPage
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from provision.core.vocabulary import key
from provision.services import cycles, outbox
from provision.services.cycles import Client, Item
from provision.services.scim import members, searching
from provision.services.scim.bodies import body_of, filled, observed_of, version_of
from provision.services.scim.models import PeopleGroup

Opening = Callable[[], AbstractContextManager[Session]]
Show = Callable[..., Any]
"""How a row becomes what is answered: by default a resource of the library's (``bodies.filled``)."""


@dataclass(frozen=True)
class Doors:
    """How one request reaches the database, and what time it is."""

    reading: Opening
    writing: Opening
    now: Callable[[], datetime]


class Accounts(ScimStorage):
    """The accounts of one app, for the length of one request.

    ``writes``: whether its operations may change anything. ``quiet``: nobody is shown what was changed, so the groups of a
    person need not be read. ``show``: how what is only read is answered.
    """

    supports_cursors = True

    def __init__(
        self,
        doors: Doors,
        client: Client,
        served: ScimProvider,
        *,
        writes: bool,
        quiet: bool = False,
        show: Show = filled,
    ) -> None:
        self.doors, self.client, self.writes = doors, client, writes
        self._unseen = frozenset({"groups"}) if writes and quiet else frozenset()
        self._show = filled if writes else show
        self._models = {
            str(kind.name): cast(type[Resource[Any]], served.model_for(kind)) for kind in served.resource_types
        }
        self._open: Session | None = None
        self._app: Any = None
        self._held: dict[int, Item] = {}

    @contextmanager
    def operation(self) -> Iterator[None]:
        """One transaction; writers of one app come one after another, so that no name is taken twice."""
        with (self.doors.writing if self.writes else self.doors.reading)() as session:
            if self.writes:
                self._app = cycles.enter(session, self.client)
                if self._app is None:
                    raise UnauthorizedException(detail="The app of this token was removed")
            self._open = session
            try:
                yield
            finally:
                self._open = None
                self._held.clear()

    def get(
        self,
        resource_type: ResourceType,
        resource_id: str,
        *,
        response_parameters: ResponseParameters[Any] | None = None,
    ) -> Resource[Any]:
        """One resource of this client. Raises NotFound."""
        with self._session() as session:
            rows = [self._row(session, resource_type, resource_id)]
            return self._shown(session, rows, left_out=searching.left_out(response_parameters))[0]

    def search(
        self, resource_types: list[ResourceType], search_request: SearchRequest[Any], *, position: Any = None
    ) -> SearchPage:
        """A page of resources of this client. Raises InvalidFilter, InvalidPath, InvalidCursor."""
        models = {str(kind.name): self._models[str(kind.name)] for kind in resource_types}
        with self._session() as session:
            found = searching.search(session, self.client.connector_id, models, search_request, position)
            shown = self._shown(session, found.rows, left_out=searching.left_out(search_request))
        return SearchPage(found.total, shown, found.next, found.previous)

    def create(self, resource_type: ResourceType, resource: Resource[Any]) -> Resource[Any]:
        """A new account, absorbed at once. Raises Uniqueness."""
        body = body_of(resource)
        with self._session() as session:
            now = self.doors.now()
            if isinstance(resource, PeopleGroup):
                observed, order = observed_of(body, {}, now), self._order(now)
                number = members.create(session, self.client, observed, _members(resource) or [], order)
            else:
                self._refuse_taken(session, body, None)
                item = cycles.returning(session, self.client, key(body.get("userName")), body.get("externalId"))
                number = self._push(session, item, body, now)
            return self._shown(session, [self._row(session, resource_type, str(number))])[0]

    def update(
        self, resource_type: ResourceType, resource: Resource[Any], *, expected_version: str | None = None
    ) -> Resource[Any]:
        """The account as it is now, absorbed at once. Raises NotFound, PreconditionFailed, Uniqueness."""
        body = body_of(resource)
        with self._session() as session:
            now = self.doors.now()
            row = self._row(session, resource_type, str(resource.id), expected_version)
            if isinstance(resource, PeopleGroup):
                observed, order = observed_of(body, row["observed"], now), self._order(now)
                members.update(session, self.client, row, observed, _members(resource) or [], order)
            else:
                item = self._held[row["id"]]
                self._refuse_taken(session, body, item)
                self._push(session, item, body, now)
            return self._shown(session, [self._row(session, resource_type, str(resource.id))])[0]

    def delete(self, resource_type: ResourceType, resource_id: str, *, expected_version: str | None = None) -> None:
        """The account is gone for its client; its person waits for the brake. Raises NotFound, PreconditionFailed."""
        with self._session() as session:
            now = self.doors.now()
            row = self._row(session, resource_type, resource_id, expected_version)
            if row["group_id"] is not None:
                members.remove(session, self.client, row, self._order(now))
                return
            cycles.take_away(session, self.client, self._app, self._held[row["id"]], now)

    @contextmanager
    def _session(self) -> Iterator[Session]:
        """The operation's transaction, or one for this call alone."""
        if self._open is not None:
            yield self._open
            return
        with self.operation():
            assert self._open is not None  # noqa: S101 - just opened
            yield self._open

    def _push(self, session: Session, item: Item | None, body: dict[str, Any], now: datetime) -> int:
        observed = observed_of(body, item.observed if item else {}, now)
        try:
            item = cycles.push(session, self.client, self._app, item, observed, now)
        except IntegrityError:  # nothing of this operation stays: its transaction ends with it
            raise UniquenessException(detail="A value of this person belongs to somebody else") from None
        self._held[item.id] = item
        if item.user_id is not None:
            members.admit(session, self.client, self._order(now))
        return item.id

    def _row(self, session: Session, kind: ResourceType, number: str, expected: str | None = None) -> Any:
        """One account's row, kept until the transaction ends where it may change. Raises NotFound, PreconditionFailed."""
        wanted = searching.number_of(number)
        if self.writes and kind.name == "User":
            row = self._person(session, wanted)
        else:
            row = searching.one(session, self.client.connector_id, str(kind.name), wanted, lock=self.writes)
        if row is None:
            raise NotFoundException(detail=f"{kind.name} {number!r} not found")
        if expected is not None and version_of(row["observed"]) != expected:
            raise PreconditionFailedException
        return row

    def _person(self, session: Session, number: int) -> Any:
        """Somebody's row, read whole and once in an operation: nobody else changes it meanwhile."""
        item = self._held.get(number) or cycles.standing(session, self.client, number)
        if item is None:
            return None
        self._held[number] = item
        return {"id": item.id, "user_id": item.user_id, "group_id": None, "name": item.name, "observed": item.observed}

    def _refuse_taken(self, session: Session, body: dict[str, Any], own: Item | None) -> None:
        name = key(body.get("userName"))
        if not name:
            raise InvalidValueException(detail="userName is empty")
        if own is not None and own.name == name:
            return
        if searching.named(session, self.client.connector_id, name) - {own.id if own else 0}:
            raise UniquenessException(detail="userName is taken")

    def _shown(
        self, session: Session, rows: Sequence[Any], *, left_out: frozenset[str] = frozenset()
    ) -> list[Resource[Any]]:
        """Rows as resources, in their order; the groups of people and the members of groups in one query each."""
        left_out |= self._unseen
        people = [row["user_id"] for row in rows if row["user_id"] is not None and "groups" not in left_out]
        groups = members.memberships(session, self.client, people)
        sets = [row for row in rows if row["group_id"] is not None and "members" not in left_out]
        inside = members.inside(session, self.client, sets) if sets else {}
        return [self._resource(row, groups.get(row["user_id"], []), inside.get(row["id"], [])) for row in rows]

    def _resource(self, row: Any, groups: Sequence[Any], inside: Sequence[Any]) -> Resource[Any]:
        kind = "User" if row["group_id"] is None else "Group"
        more = {"groups": groups} if groups else {"members": inside} if inside else {}
        return cast(Resource[Any], self._show(self._models[kind], row["id"], kind, row["observed"], **more))

    def _order(self, now: datetime) -> outbox.Order:
        return outbox.Order(self.client.actor, now, self.client.kinds, priority=outbox.NOBODY_ASKED, hold=False)


def _members(group: PeopleGroup) -> list[int] | None:
    """The accounts that a group names. Raises InvalidValue for what is no number of ours."""
    if group.members is None:
        return None
    numbers = [searching.number_of(str(one.value or "")) for one in group.members]
    if 0 in numbers:
        raise InvalidValueException(detail="members: a value names nobody")
    return sorted(set(numbers))
