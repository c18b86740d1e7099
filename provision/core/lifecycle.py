"""How a person may move between staged, active, suspended and left, and what an import makes of them.

Owns the table of moves; never changes a person.
"""

from provision.core.vocabulary import Lifecycle, WhenGone

MOVED_BY = "lifecycle"
"""Under this name a person's origins remember which app moved them; what a person decides forgets it."""

MOVES: dict[Lifecycle, frozenset[Lifecycle]] = {
    Lifecycle.STAGED: frozenset({Lifecycle.ACTIVE, Lifecycle.SUSPENDED, Lifecycle.LEFT}),
    Lifecycle.ACTIVE: frozenset({Lifecycle.SUSPENDED, Lifecycle.LEFT}),
    Lifecycle.SUSPENDED: frozenset({Lifecycle.ACTIVE, Lifecycle.LEFT}),
    Lifecycle.LEFT: frozenset({Lifecycle.STAGED, Lifecycle.ACTIVE, Lifecycle.SUSPENDED}),
}
"""Where each may go. Back from *left* is a restore, to wherever the person stood; nobody becomes *staged* again otherwise."""


def may_become(now: Lifecycle, then: Lifecycle) -> bool:
    """Tell whether a person may move from one standing to another; staying is no move."""
    return then in MOVES[now]


def after_import(enabled: bool | None) -> Lifecycle:
    """Where a person begins who is first met in an import: an account disabled there makes them suspended here.

    None means that the system does not tell; then the account counts as enabled. Guests are judged alike.
    """
    return Lifecycle.SUSPENDED if enabled is False else Lifecycle.ACTIVE


def when_gone(setting: WhenGone, lifecycle: Lifecycle) -> Lifecycle | None:
    """Where a person goes whose account vanished there; None when nothing changes. The brake stands before this."""
    then = _GONE[setting]
    return then if then is not None and lifecycle is not Lifecycle.LEFT and then is not lifecycle else None


_GONE = {WhenGone.KEEP: None, WhenGone.SUSPEND: Lifecycle.SUSPENDED, WhenGone.LEAVE: Lifecycle.LEFT}
