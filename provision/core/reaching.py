"""Who can be sent a link now, who only once their account is there, and who cannot be helped this way at all.

Owns the judgement about one person; reads nothing and issues nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from provision.core.onboarding import Recipient
from provision.core.protection import Protection
from provision.core.vocabulary import Lifecycle, Offer, Situation


@dataclass(frozen=True, slots=True)
class Door:
    """One account behind which a password may be set. ``lacks``: a right that its app has not been granted.

    ``coming``: an operation is under way that makes it, or brings it back.
    """

    app: str
    situation: Situation
    exists: bool
    enabled: bool | None
    protection: Protection
    guest: bool = False
    stopped: bool = False
    lacks: str = ""
    coming: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """What a link could do for one person. ``code`` is the remedy code of why nothing, None when it works.

    ``waits``: it works once their account is there, and its mail leaves no sooner.
    """

    code: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    waits: bool = False


def judge(lifecycle: Lifecycle, doors: Sequence[Door], *, addressed: bool, offer: Offer = Offer.PASSWORD) -> Standing:
    """Judge one person by their accounts. ``addressed``: there is an address their mail can go to."""
    if lifecycle in _AWAY:
        return Standing(_AWAY[lifecycle])
    waits, refused = False, None
    for door in doors:
        why = _bars(door, offer)
        if why is None and _open(door):
            return _addressed(addressed, Standing())
        waits = waits or (why is None and door.coming)
        refused = refused or why
    if waits:
        return _addressed(addressed, Standing(waits=True))
    return refused or Standing("activation_no_account")


def takes(door: Door, offer: Offer = Offer.PASSWORD) -> bool:
    """Whether something can be set behind this very door now."""
    return _bars(door, offer) is None and _open(door)


def stops(app: str, *, stopped: bool, lacks: str) -> Standing | None:
    """Why nothing can be set in a whole app, whoever it is for."""
    if stopped:
        return Standing("app_quarantined", {"app": app})
    return Standing("activation_right_missing", {"app": app, "right": lacks}) if lacks else None


def lacking(rights: Iterable[Mapping[str, Any]], needed: Sequence[str], *, known: bool) -> str:
    """The first needed right that a check found missing; empty when all are there, or nobody could tell."""
    states = {one.get("name"): one.get("state") for one in rights}
    for name in needed:
        if states.get(name) == "missing" or (known and states.get(name) == "unused"):
            return name
    return ""


def address_of(
    recipient: Recipient, *, private: str | None, manager: str | None, primary: str | None, mailbox: bool
) -> str | None:
    """Where a person's mail goes; None when there is no such address. ``mailbox``: the primary one receives already."""
    given = {Recipient.PRIVATE: private, Recipient.MANAGER: manager, Recipient.PRIMARY: primary if mailbox else None}
    return given[recipient] or None


_PROTECTED = {
    "holds_role": "password_holds_role",
    "break_glass": "password_break_glass",
    "protected_by_hand": "password_protected",
}
"""What protects an account from being disabled has words about that; here it is about passwords."""
_AWAY = {Lifecycle.LEFT: "activation_left", Lifecycle.SUSPENDED: "activation_suspended"}


def _open(door: Door) -> bool:
    return door.exists and door.situation is Situation.LINKED and door.enabled is not False


def _bars(door: Door, offer: Offer) -> Standing | None:
    """Why nothing can be set there, whether or not the account exists already."""
    guard, app = door.protection, {"app": door.app}
    shut = door.exists and door.situation is Situation.LINKED and door.enabled is False
    reasons = (
        (door.guest, Standing("activation_guest", app)),
        (guard.federated, Standing("password_federated")),
        (guard.synced and offer is Offer.PASSWORD, Standing("password_synced")),
        (guard.why, Standing(_PROTECTED.get(guard.why or "", guard.why))),
        (shut, Standing("activation_disabled_there", app)),
    )
    whole = stops(door.app, stopped=door.stopped, lacks=door.lacks)
    return whole or next((standing for holds, standing in reasons if holds), None)


def _addressed(addressed: bool, standing: Standing) -> Standing:
    return standing if addressed else Standing("activation_no_address")
