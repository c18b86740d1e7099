"""Whom nobody's automation may disable or delete, and what cannot be changed here at all, known before the click.

Owns the judgement about one account; never looks anything up and never stops anybody itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from provision.core.vocabulary import OperationKind, key

LISTED = "break_glass"
"""In an app's scope: the sign-in names of accounts kept for emergencies."""
BY_HAND = "protected"
"""In an account's intent: somebody picked it by hand."""
_TAKING = (OperationKind.DISABLE, OperationKind.DELETE)


@dataclass(frozen=True, slots=True)
class Protection:
    """What holds for one account. ``why`` is a remedy code: *holds_role*, *break_glass*, *protected_by_hand*, or None.

    ``roles``: the directory roles it holds; ``known`` is False when they could not be read: then only people may disable
    or delete it. ``synced``: a directory there owns its attributes. ``federated``: its password is kept elsewhere.
    """

    why: str | None = None
    roles: tuple[str, ...] = ()
    known: bool = True
    synced: bool = False
    federated: bool = False

    @property
    def needs_owner(self) -> bool:
        """Whether only an owner may disable or delete it."""
        return self.why is not None

    @property
    def password(self) -> str | None:
        """Why no password can be set from here."""
        return "password_federated" if self.federated else "password_synced" if self.synced else None

    def bars(self, kind: OperationKind, *, automatic: bool) -> str | None:
        """Why this may not be done; None when it may."""
        if self.synced and kind not in (OperationKind.UPDATE, OperationKind.CREATE):
            return "set_by_directory_sync"
        if kind in _TAKING and automatic:
            return self.why or (None if self.known else "protection_unknown")
        return None


def judge(
    anchor: str | None,
    name: str,
    standing: Mapping[str, Any],
    intent: Mapping[str, Any],
    facts: Mapping[str, Any],
    scope: Mapping[str, Any],
) -> Protection:
    """Judge an account by its row and by its app's ``facts`` and ``scope``.

    ``facts["roles"]`` is anchor → names of directory roles, absent when there is no permission to read them;
    ``facts["domains"]`` tells which domains are federated. An account that does not exist yet holds no role.
    """
    roles = facts.get("roles")
    held = tuple(roles.get(anchor, ())) if isinstance(roles, Mapping) and anchor else ()
    listed = {key(one) for one in scope.get(LISTED) or ()}
    why = "break_glass" if key(name) in listed and name else "protected_by_hand" if intent.get(BY_HAND) else None
    domain = key(name).rpartition("@")[2]
    return Protection(
        why=why or ("holds_role" if held else None),
        roles=held,
        known=isinstance(roles, Mapping) or anchor is None,
        synced=bool(standing.get("synced")),
        federated=any(key(one.get("name")) == domain and one.get("federated") for one in facts.get("domains") or ()),
    )
