"""Adding and editing people: judged, saved with their version, and carried to wherever they have accounts.

Owns the rules of an operator's edit; writes through ``saving`` only.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, select

from provision.core import profile
from provision.core.tables import User
from provision.core.vocabulary import Lifecycle
from provision.services import mappings
from provision.services.errors import Conflict, Invalid
from provision.services.outbox import Order
from provision.services.users.finding import shown
from provision.services.users.saving import (
    MANAGER,
    Saved,
    Stale,
    entry,
    follow,
    judge_address,
    judge_clearing,
    load,
    make,
    now_of,
    put,
)

FARTHEST = 100
"""How many steps up the line of managers are looked at before it counts as a circle."""
ALONE = ("email", "username", "employee_id", MANAGER)
"""What tells people apart, or is judged by who they are: never set for several at once."""
SAMPLE = 5


@dataclass(frozen=True, slots=True)
class EditPreview:
    """What one value for many would mean: who changes, how many have it already, how many have left, and the first few as
    name, what is and what becomes.
    """

    going: tuple[int, ...]
    same: int
    left: int
    sample: Sequence[tuple[str, str, str]]


def add(session: Session, tenant_id: int, given: Mapping[str, Any], order: Order) -> Saved:
    """Add somebody, and their accounts wherever Create is on. ``given``: attribute → text, and ``manager_id``.

    Raises Invalid: attribute → remedy code, for all that is wrong at once.
    """
    values = _judged(session, tenant_id, None, given, creating=True)
    judge_address(session, tenant_id, None, str(values["email"]), order)
    user = make(session, tenant_id, values, order)
    kept = {name: value for name, value in values.items() if value is not None}
    told = entry(user, "user.added", order, {}, kept)
    return _saved(session, tenant_id, user, kept, {user.id or 0: told}, order)


def edit(
    session: Session,
    tenant_id: int,
    user_id: int,
    given: Mapping[str, Any],
    order: Order,
    *,
    version: int | None = None,
) -> Saved:
    """Change some of a person's values; what is not given stays.

    ``version``: the one that the form was made from; Stale shows both when somebody saved since. None: whatever it is now.
    A form that comes late and says only what is so already, as that of a second click does, counts as saved.
    Raises Invalid, NotFound, Conflict("user_has_left").
    """
    user = load(session, tenant_id, [user_id])[user_id]
    if version is not None and version != user.version:
        now = now_of(user, given)
        both = {name: (now[name], value) for name, value in given.items() if (now[name] or "") != (value or "")}
        if both or not given:
            raise Stale(user.version, version, both)
        return Saved(user_id, user.version, tuple(given), ())
    if user.lifecycle == Lifecycle.LEFT:
        raise Conflict("user_has_left")
    values = _judged(session, tenant_id, user_id, _touched(user, given))
    if values.get("email") and values["email"] != user.email:
        judge_address(session, tenant_id, user_id, str(values["email"]), order)
    judge_clearing(session, tenant_id, [user_id], values, order)
    moved = put(session, user, values, order)
    if not moved:
        return Saved(user_id, user.version, (), ())
    before, after = ({name: pair[side] for name, pair in moved.items()} for side in (0, 1))
    told = entry(user, "user.edited", order, before, after)
    return _saved(session, tenant_id, user, moved, {user_id: told}, order)


def edit_many(
    session: Session, tenant_id: int, ids: Collection[int], given: Mapping[str, Any], order: Order
) -> dict[int, Saved]:
    """Set the same values for many people who have not left; never one of ALONE.

    Raises Invalid, NotFound.
    """
    alone = {name: "one_person_only" for name in ALONE if name in given}
    if alone:
        raise Invalid(alone)
    values = _judged(session, tenant_id, None, given)
    judge_clearing(session, tenant_id, ids, values, order)
    told, moves, people = {}, {}, load(session, tenant_id, ids)
    for number, user in people.items():
        if user.lifecycle == Lifecycle.LEFT or not (moved := put(session, user, values, order)):
            continue
        before, after = ({name: pair[side] for name, pair in moved.items()} for side in (0, 1))
        told[number], moves[number] = entry(user, "user.edited", order, before, after), tuple(moved)
    effects = follow(session, tenant_id, told, order)
    return {number: Saved(number, people[number].version, moves[number], effects[number]) for number in told}


def preview_edit(
    session: Session, tenant_id: int, ids: Collection[int], given: Mapping[str, Any], order: Order
) -> EditPreview:
    """What ``edit_many`` would do with one value. Raises Invalid, NotFound."""
    (attribute,) = given
    if attribute in ALONE:
        raise Invalid({attribute: "one_person_only"})
    values = _judged(session, tenant_id, None, given)
    judge_clearing(session, tenant_id, ids, values, order)
    people = load(session, tenant_id, ids)
    staying = {number: user for number, user in people.items() if user.lifecycle != Lifecycle.LEFT}
    becomes = str(values[attribute] or "")
    held = {number: _held(user, attribute) for number, user in staying.items()}
    going = tuple(number for number, was in held.items() if was != becomes)
    sample = tuple((shown(people[number].model_dump()), held[number], becomes) for number in going[:SAMPLE])
    return EditPreview(going, len(staying) - len(going), len(people) - len(staying), sample)


def _held(user: User, attribute: str) -> str:
    own = attribute.startswith(mappings.EXTRA)
    return str((user.extra.get(attribute.removeprefix(mappings.EXTRA)) if own else getattr(user, attribute)) or "")


def _saved(
    session: Session, tenant_id: int, user: User, moved: Mapping[str, Any], told: Mapping[int, Any], order: Order
) -> Saved:
    effects = follow(session, tenant_id, told, order)
    return Saved(user.id or 0, user.version, tuple(moved), effects[user.id or 0])


def _judged(
    session: Session, tenant_id: int, user_id: int | None, given: Mapping[str, Any], *, creating: bool = False
) -> dict[str, Any]:
    texts = {name: value for name, value in given.items() if name != MANAGER}
    known = mappings.user_attributes(session, tenant_id)
    values, problems = profile.judge(texts, known, creating=creating)
    if MANAGER in given:
        manager = given[MANAGER]
        values[MANAGER] = manager
        if manager is not None and (code := _manager_problem(session, tenant_id, user_id, manager)):
            problems[MANAGER] = code
    if problems:
        limits = {name: profile.LIMITS.get(name, profile.LONGEST) for name in problems}
        raise Invalid(problems, limit=next(iter(limits.values())), limits=limits)
    return values


def _touched(user: User, given: Mapping[str, Any]) -> dict[str, Any]:
    """What is given without the values that stay: a form brings them all, and what a source brought is not judged here."""
    now = now_of(user, given)
    return {name: value for name, value in given.items() if value != now[name] or not value}


def _manager_problem(session: Session, tenant_id: int, user_id: int | None, manager: int) -> str | None:
    """Whoever is named must be here, and may not report to this person in turn."""
    above: int | None = manager
    for step in range(FARTHEST):
        query = select(User.manager_id, User.lifecycle).where(User.tenant_id == tenant_id, col(User.id) == above)
        found = session.exec(query).first()
        if found is None or (step == 0 and found[1] == Lifecycle.LEFT):
            return "manager_unknown"
        if above == user_id:
            return "manager_circle"
        above = found[0]
        if above is None:
            return None
    return "manager_circle"
