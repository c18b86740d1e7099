"""A SCIM filter and a sort order as SQL: each attribute that may be asked for has one place, everything else is refused.

Owns the list of those places, and the bounds of a filter (RFC 7644, 3.4.2.2). The grammar is the library's; a condition is
never null, so that *not* means what it says, and agrees with the library's own evaluation of the same filter.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from scim2_models import InvalidFilterException, InvalidPathException, Resource, ScimFilter
from scim2_models.path import (
    STRING_OPERATORS,
    AttrPath,
    CompareOperator,
    Comparison,
    FilterVisitor,
    LogicalExpr,
    LogicalOperator,
    Not,
    Present,
    ValuePath,
)
from scim2_models.path.resolution import coerce_value
from sqlmodel import Session

from provision.core.dialects import keepable
from provision.core.tables import Account, GroupMember
from provision.core.vocabulary import SCIM_ENTERPRISE as ENTERPRISE
from provision.db import binary, each
from provision.services.scim.bodies import META, SEARCHED, stamp
from provision.services.scim.models import GROUP, USER, comparable

ACCOUNTS: sa.Table = Account.__table__  # type: ignore[attr-defined]
_MEMBERS: sa.Table = GroupMember.__table__  # type: ignore[attr-defined]
LONGEST, DEEPEST = 2048, 5
_OBSERVED = ACCOUNTS.c.observed
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')


@dataclass(frozen=True, slots=True)
class Place:
    """Where one attribute's comparable form is kept, and what it is."""

    kind: Literal["text", "flag", "time"]
    read: Any


def _searched(name: str) -> Place:
    return Place("text", _OBSERVED[SEARCHED, name].as_string())


def _meta(name: str) -> Place:
    return Place("time", _OBSERVED[META, name].as_string())


_COMMON: dict[str, Place] = {
    "id": Place("text", sa.cast(ACCOUNTS.c.id, sa.Text)),
    "externalid": Place("text", ACCOUNTS.c.external_id),
    "meta.created": _meta("created"),
    "meta.lastmodified": _meta("lastModified"),
}
_USER: dict[str, Place] = {
    "username": Place("text", ACCOUNTS.c.name),
    "active": Place("flag", _OBSERVED["active"].as_boolean()),
    **{name.casefold(): _searched(name) for name in ("displayName", "nickName", "title", "userType")},
    **{f"name.{part}".casefold(): _searched(f"name.{part}") for part in ("givenName", "familyName", "formatted")},
}
_ENTERPRISE: dict[str, Place] = {
    name.casefold(): _searched(name)
    for name in ("employeeNumber", "department", "organization", "costCenter", "division")
} | dict.fromkeys(("manager", "manager.value"), Place("text", ACCOUNTS.c.superior))
PLACES: dict[str, Place] = {
    **{f"{urn}:{name}".casefold(): place for urn in (USER, GROUP) for name, place in _COMMON.items()},
    **{f"{USER}:{name}".casefold(): place for name, place in _USER.items()},
    **{f"{ENTERPRISE}:{name}".casefold(): place for name, place in _ENTERPRISE.items()},
    f"{GROUP}:displayName".casefold(): _searched("displayName"),
}
"""Every attribute that a filter may name, by its full name; ``emails`` and ``members`` beside them."""

SORTED: dict[str, Place] = {
    **PLACES,
    **{f"{USER}:{name}".casefold(): _searched("email.value") for name in ("emails", "emails.value")},
    f"{USER}:emails.type".casefold(): _searched("email.type"),
}
"""Every attribute by which may be sorted: of several addresses, by the primary one, else by the first."""

_NAME_PARTS = tuple(f"{USER}:name.{part}".casefold() for part in ("givenName", "familyName", "formatted"))
_EMAILS = f"{USER}:emails".casefold()
_MEMBERS_OF = f"{GROUP}:members".casefold()


def within_bounds(text: str) -> None:
    """Refuse a filter that is too long or nested too deep, before anything reads it. Raises InvalidFilterException."""
    if len(text) > LONGEST:
        raise InvalidFilterException(detail=f"The filter is longer than {LONGEST} characters")
    depth = 0
    for sign in _QUOTED.sub("", text):
        depth += (sign in "([") - (sign in ")]")
        if depth > DEEPEST:
            raise InvalidFilterException(detail=f"The filter is nested more than {DEEPEST} deep")
    if "\0" in text:
        raise InvalidFilterException(detail="The filter holds a character that no text holds")


def condition(session: Session, model: type[Resource[Any]], asked: ScimFilter[Any] | None) -> Any:
    """The rows of one resource type that a filter means."""
    if asked is None:
        return sa.true()
    bound: ScimFilter[Any] = asked if asked.models == (model,) else ScimFilter[model](str(asked))  # type: ignore[valid-type]
    return _Compiler(session, bound, model).visit(bound.ast)


def sort_place(model: type[Resource[Any]], path: Any) -> Place | None:
    """Where the attribute is kept by which one type is sorted; None when the type has none. Raises InvalidPathException."""
    binding = ScimFilter[model](f"{path} pr").resolve(_attr_path(str(path)), strict=False)  # type: ignore[valid-type]
    if binding is None:
        return None
    place = SORTED.get(binding.urn.casefold())
    if place is None:
        raise InvalidPathException(detail=f"Sorting by {path} is not supported")
    return place


def _attr_path(text: str) -> AttrPath:
    node = ScimFilter(f"{text} pr").ast
    assert isinstance(node, Present)  # noqa: S101 - it was written one line above
    return node.attr_path


class _Compiler(FilterVisitor[Any]):
    """One node after another becomes a condition."""

    def __init__(self, session: Session, bound: ScimFilter[Any], model: type[Resource[Any]]) -> None:
        self.session, self.bound, self.model = session, bound, model

    def visit_not(self, node: Not) -> Any:
        return sa.not_(self.visit(node.expr))

    def visit_logical_expr(self, node: LogicalExpr) -> Any:
        joined = sa.and_ if node.op == LogicalOperator.and_ else sa.or_
        return joined(*(self.visit(term) for term in node.terms))

    def visit_present(self, node: Present) -> Any:
        binding = self.bound.resolve(node.attr_path, strict=False)
        if binding is None:
            return sa.false()
        urn = binding.urn.casefold()
        if urn == f"{USER}:name".casefold():
            return sa.or_(*(_present(PLACES[part]) for part in _NAME_PARTS))
        if urn == _EMAILS or urn.startswith(f"{_EMAILS}."):
            name = urn.removeprefix(_EMAILS).lstrip(".")
            return self._some_email(lambda one: self._email_present(one, name))
        if urn == _MEMBERS_OF:
            return self._member(None)
        return _present(self._place(urn))

    def visit_comparison(self, node: Comparison) -> Any:
        _fits(node)
        binding = self.bound.resolve_comparison(node.attr_path, strict=False)
        if binding is None:
            return sa.false()
        value = coerce_value(binding, node.value, node.op)
        urn = binding.urn.casefold()
        if urn.startswith(f"{_EMAILS}."):
            return self._email_comparison(urn.removeprefix(f"{_EMAILS}."), node.op, value)
        if urn == f"{_MEMBERS_OF}.value" and node.op == CompareOperator.eq:
            return self._member(str(value))
        place = self._place(urn)
        if place.kind == "time" and node.op in STRING_OPERATORS:
            return sa.false()  # a time is no text, so none begins, ends or holds one
        return _compared(self.session, place, place.read, node.op, _prepared(place, binding, value))

    def visit_value_path(self, node: ValuePath) -> Any:
        binding = self.bound.resolve(node.attr_path, strict=False)
        if binding is None:
            return sa.false()
        urn = binding.urn.casefold()
        if urn == _MEMBERS_OF and isinstance(node.val_filter, Comparison):
            inner = node.val_filter
            if inner.attr_path.attr.casefold() == "value" and inner.op == CompareOperator.eq:
                return self._member(str(inner.value))
        if urn != _EMAILS:
            raise _unsupported(str(node.attr_path))
        return self._some_email(lambda one: _OneEmail(self.session, one).visit(node.val_filter))

    def _place(self, urn: str) -> Place:
        place = PLACES.get(urn)
        if place is None:
            raise _unsupported(urn)
        return place

    def _email_comparison(self, name: str, op: CompareOperator, value: Any) -> Any:
        if op == CompareOperator.ne:  # no address is this one
            equal = self._some_email(lambda one: _email(self.session, one, name, CompareOperator.eq, value))
            return sa.not_(equal)
        if value is None:
            raise _unsupported("emails with null")
        return self._some_email(lambda one: _email(self.session, one, name, op, value))

    def _some_email(self, wanted: Callable[[Mapping[str, Any]], Any]) -> Any:
        rows, text, flag = each(self.session, _OBSERVED, SEARCHED, "emails")
        one = {"value": text("value"), "type": text("type"), "primary": flag("primary")}
        return sa.exists(sa.select(sa.literal(1)).select_from(rows).where(wanted(one)))

    def _email_present(self, one: Mapping[str, Any], name: str) -> Any:
        if not name:
            return sa.true()
        if name not in one:
            raise _unsupported(f"emails.{name}")
        return one[name].is_not(None)

    def _member(self, value: str | None) -> Any:
        """The groups that somebody is in; the members are rows, so this is no search through texts."""
        inside = sa.select(_MEMBERS.c.group_id).where(_MEMBERS.c.tenant_id == ACCOUNTS.c.tenant_id)
        if value is not None:
            other = ACCOUNTS.alias("member")
            number = int(value) if value.isascii() and value.isdigit() and len(value) < 19 else 0
            inside = inside.join(other, other.c.user_id == _MEMBERS.c.user_id).where(
                other.c.connector_id == ACCOUNTS.c.connector_id, other.c.id == number
            )
        return ACCOUNTS.c.group_id.in_(inside.correlate(ACCOUNTS))


class _OneEmail(FilterVisitor[Any]):
    """The filter between the brackets, for one address."""

    def __init__(self, session: Session, one: Mapping[str, Any]) -> None:
        self.session, self.one = session, one

    def visit_not(self, node: Not) -> Any:
        return sa.not_(self.visit(node.expr))

    def visit_logical_expr(self, node: LogicalExpr) -> Any:
        joined = sa.and_ if node.op == LogicalOperator.and_ else sa.or_
        return joined(*(self.visit(term) for term in node.terms))

    def visit_present(self, node: Present) -> Any:
        name = node.attr_path.attr.casefold()
        if name not in self.one or node.attr_path.sub_attr:
            raise _unsupported(f"emails.{name}")
        return self.one[name].is_not(None)

    def visit_comparison(self, node: Comparison) -> Any:
        _fits(node)
        if node.attr_path.sub_attr:
            raise _unsupported(str(node.attr_path))
        return _email(self.session, self.one, node.attr_path.attr.casefold(), node.op, node.value)

    def visit_value_path(self, node: ValuePath) -> Any:
        raise _unsupported(str(node.attr_path))


def _email(session: Session, one: Mapping[str, Any], name: str, op: CompareOperator, value: Any) -> Any:
    if name not in one:
        raise _unsupported(f"emails.{name}")
    place = Place("flag" if name == "primary" else "text", one[name])
    if place.kind == "flag":
        value = value if isinstance(value, bool) else str(value).casefold() == "true"
    elif isinstance(value, str):
        value = comparable(_FOLDS, value)
    elif value is not None:
        raise _unsupported(f"emails.{name} with {value!r}")
    return _compared(session, place, one[name], op, value)


class _Folds:
    case_exact = False


_FOLDS = _Folds()


def _present(place: Place) -> Any:
    read = place.read
    return sa.and_(read.is_not(None), read != "") if place.kind == "text" else read.is_not(None)


def _prepared(place: Place, binding: Any, value: Any) -> Any:
    """The operand in the form of what is kept."""
    if place.kind == "time":
        return stamp(value) if isinstance(value, datetime) else None
    if place.kind == "text" and value is not None:
        if not isinstance(value, str):
            raise _unsupported(f"a text compared with {value!r}")
        return comparable(binding, value)
    return value


def _compared(session: Session, place: Place, read: Any, op: CompareOperator, value: Any) -> Any:
    """One comparison that is true or false, never null: a missing value differs from every other."""
    if value is None:
        told: dict[CompareOperator, Any] = {CompareOperator.eq: read.is_(None), CompareOperator.ne: read.is_not(None)}
        return told.get(op, sa.false())
    if place.kind == "flag":
        same = read.is_(sa.true()) if value else sa.func.coalesce(sa.not_(read), sa.false())
        return {CompareOperator.eq: same, CompareOperator.ne: sa.not_(same)}.get(op, sa.false())
    if op == CompareOperator.eq:
        # Without a function around it, so that an index is of use.
        return sa.and_(read.is_not(None), read == value)
    if op == CompareOperator.ne:
        return sa.func.coalesce(read != value, sa.true())
    return sa.func.coalesce(_ordered(session, read, op, value), sa.false())


def _ordered(session: Session, read: Any, op: CompareOperator, value: str) -> Any:
    length, given = sa.func.length(read), len(value)
    told: dict[CompareOperator, Callable[[], Any]] = {
        CompareOperator.gt: lambda: binary(session, read) > value,
        CompareOperator.ge: lambda: binary(session, read) >= value,
        CompareOperator.lt: lambda: binary(session, read) < value,
        CompareOperator.le: lambda: binary(session, read) <= value,
        # Not LIKE: SQLite's takes no notice of case, and its wildcards stand in names.
        CompareOperator.co: lambda: sa.func.replace(read, value, "") != read if value else read.is_not(None),
        CompareOperator.sw: lambda: sa.func.substr(read, 1, given) == value,
        CompareOperator.ew: lambda: sa.and_(length >= given, sa.func.substr(read, length - given + 1) == value),
    }
    return told[op]()


def _fits(node: Comparison) -> None:
    if isinstance(node.value, str) and not keepable(node.value):
        raise InvalidFilterException(detail="The filter holds a character that no text holds")


def _unsupported(what: str) -> InvalidFilterException:
    return InvalidFilterException(detail=f"A filter on {what} is not supported")
