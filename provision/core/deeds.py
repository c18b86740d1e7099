"""What the log's actions mean to a reader: one table of action → kind of change and sentence.

Owns the words of what was done; knows no event and no language but the one they are written in (pages translate them).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from provision.core.vocabulary import USER_ATTRIBUTES


@dataclass(frozen=True, slots=True)
class Deed:
    """``kind`` and ``value`` name the state that a badge shows; ``sentence`` has blanks: app, attributes, number."""

    kind: str
    value: str
    sentence: str


DEEDS: Mapping[str, Deed] = {
    "account.adopted": Deed("change", "create", "Found in %(app)s after an answer was lost, and linked"),
    "account.created": Deed("change", "create", "Created in %(app)s"),
    "account.deleted": Deed("change", "delete", "Deleted in %(app)s"),
    "account.disabled": Deed("change", "disable", "Sign-in blocked in %(app)s"),
    "account.disputed": Deed(
        "account", "disputed", "More than one person fits this account in %(app)s; a person decides"
    ),
    "account.decided": Deed("change", "link", "Somebody decided whose account in %(app)s this is"),
    "account.failed": Deed("change", "import", "The account in %(app)s could not be taken in"),
    "account.drifted": Deed("there", "drifted", "Drift seen in %(app)s: %(attributes)s"),
    "account.enabled": Deed("change", "enable", "Sign-in allowed in %(app)s"),
    "account.gone": Deed("account", "gone", "The account in %(app)s is gone"),
    "account.ignored": Deed("account", "ignored", "This account in %(app)s is left alone"),
    "account.linked": Deed("change", "link", "Linked to the account in %(app)s"),
    "account.left_alone": Deed("account", "ignored", "Left as it is in %(app)s: %(attributes)s"),
    "account.pushed_back": Deed("change", "restore", "To be put back in %(app)s: %(attributes)s"),
    "account.returned": Deed("change", "restore", "The account in %(app)s is back"),
    "account.create_chosen": Deed("change", "create", "A new account beside the deleted one was chosen"),
    "account.protected": Deed("change", "update", "Protected in %(app)s"),
    "account.restore_chosen": Deed("change", "restore", "The deleted account in %(app)s was chosen"),
    "account.watched": Deed("there", "drifted", "Asked about again, in %(app)s: %(attributes)s"),
    "account.unlinked": Deed("change", "link", "The account in %(app)s, which is gone, was let go"),
    "account.unprotected": Deed("change", "update", "No longer protected in %(app)s"),
    "account.restored": Deed("change", "restore", "Restored in %(app)s"),
    "account.updated": Deed("change", "update", "Changed in %(app)s: %(attributes)s"),
    "activation.ended": Deed("change", "update", "The link ended, because an address changed"),
    "activation.failed": Deed("change", "update", "A password was not accepted"),
    "activation.issued": Deed("change", "update", "A link to set the password was issued"),
    "activation.redeemed": Deed("change", "update", "The password was set by a link"),
    "activation.refused": Deed("change", "update", "No link was sent"),
    "activation.revoked": Deed("change", "update", "The link to set the password was revoked"),
    "connector.quarantined": Deed("change", "update", "%(app)s was stopped, because its credentials are refused"),
    "connector.removed": Deed("change", "delete", "%(app)s was removed here"),
    "connector.recovered": Deed("change", "update", "%(app)s goes on"),
    "cycle.allowed": Deed("change", "import", "What the brake had stopped was allowed"),
    "cycle.done": Deed("change", "import", "Import from %(app)s finished"),
    "cycle.failed": Deed("change", "import", "Import from %(app)s failed"),
    "cycle.held": Deed("change", "import", "The brake stopped the import from %(app)s; nobody was taken away"),
    "cycle.rejected": Deed("change", "import", "What the brake had stopped was rejected"),
    "cycle.started": Deed("change", "import", "Import from %(app)s began"),
    "cycle.stopped": Deed("change", "import", "Import from %(app)s was stopped"),
    "group.added": Deed("change", "create", "A group was added"),
    "group.deleted": Deed("change", "delete", "A group was deleted"),
    "group.renamed": Deed("change", "update", "A group was changed"),
    "licence.short": Deed("operation", "blocked", "People wait for a seat in %(app)s"),
    "licence.served": Deed("change", "update", "Nobody waits for a seat in %(app)s any more"),
    "licence.let_go": Deed("change", "update", "That a licence is gone in %(app)s was accepted"),
    "licence.assigned": Deed("change", "update", "A licence was assigned"),
    "licence.removed": Deed("change", "update", "A licence was taken away"),
    "operation.approved": Deed("change", "update", "A change was approved"),
    "operation.blocked": Deed("change", "update", "A change in %(app)s waits for a person"),
    "operation.cancelled": Deed("change", "update", "A change was called off"),
    "operation.declined": Deed("change", "update", "A change was declined"),
    "operation.failed": Deed("change", "update", "A change in %(app)s failed"),
    "operation.retried": Deed("change", "update", "A change was asked for again"),
    "operations.held": Deed("held", "brake", "The brake stopped what would have been taken away in %(app)s"),
    "letter.saved": Deed("change", "update", "The words of a mail were changed"),
    "mail.bounced": Deed("activation", "bounced", "A mail was refused for good"),
    "mail.failed": Deed("activation", "bounced", "A mail could not be delivered for days"),
    "mail.sent": Deed("activation", "sent", "A mail was sent"),
    "settings.saved": Deed("change", "update", "Settings saved: %(attributes)s"),
    "token.issued": Deed("change", "create", "A token for %(app)s was made"),
    "token.revoked": Deed("change", "delete", "A token of %(app)s was revoked"),
    "user.added": Deed("change", "create", "Added here"),
    "user.created": Deed("change", "create", "Added from %(app)s"),
    "user.deleted": Deed("user", "left", "Deleted here"),
    "user.disabled": Deed("user", "suspended", "Disabled here"),
    "user.edited": Deed("change", "update", "Changed here: %(attributes)s"),
    "user.enabled": Deed("user", "active", "Enabled here"),
    "user.joined_group": Deed("change", "update", "Joined a group"),
    "user.kept": Deed("change", "update", "Stays as it is here: %(app)s says something else"),
    "user.left": Deed("user", "left", "Left here, because the account in %(app)s is gone or inactive"),
    "user.parted_group": Deed("change", "update", "Taken out of a group"),
    "user.password_pushed": Deed("change", "update", "A password that %(app)s sent was set"),
    "user.reactivated": Deed("user", "active", "Active again, because %(app)s says so"),
    "user.restored": Deed("user", "active", "Restored here"),
    "user.suspended": Deed("user", "suspended", "Suspended here, because the account in %(app)s is gone or inactive"),
    "user.updated": Deed("change", "update", "Taken over from %(app)s: %(attributes)s"),
}

_OTHERS = {
    "lifecycle": "Status",
    "manager_id": "Manager",
    "members": "Members",
    "manager": "Manager",
    "enabled": "Sign-in",
    "group": "Group",
    "name": "Name",
    "description": "Description",
}
_LICENCES = "licences."
MANAGER_ID = "manager_id"
"""Held as a person's number, told as ``#`` and the number; who draws it may put the name in its place."""
_ORDER = {name: number for number, name in enumerate(USER_ATTRIBUTES)}
PEOPLE = ("user.", "account.", "activation.", "group.", "mail.", "operation.", "operations.")
RUNS = ("cycle.", "connector.removed")


def deed(action: str) -> Deed:
    """The words for an action; of one that has none, the action itself."""
    return DEEDS.get(action) or Deed("change", action.rpartition(".")[2], action.replace("%", "%%"))


def blanks(names: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, str]:
    """What fills a sentence's blanks: the app's name, and the labels of the attributes that changed."""
    changed = dict.fromkeys(label(name) for name in changed_names(before, after))
    return {"app": str(names.get("app") or "…"), "attributes": ", ".join(changed) or "…"}


def changed_names(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What changed, in the order of the profile: a JSON column keeps none."""
    return sorted({*before, *after}, key=lambda name: (_ORDER.get(name, len(_ORDER)), name))


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Label, value before and value after of what changed, in the order of the profile; a status as a word."""
    return [
        # A licence is told by its id: who draws it may put the name in its place.
        (
            name if name.startswith(_LICENCES) else label(name),
            _told(name, before.get(name)),
            _told(name, after.get(name)),
        )
        for name in changed_names(before, after)
    ]


def label(attribute: str) -> str:
    """An attribute as people read it."""
    if attribute in _OTHERS:
        return _OTHERS[attribute]
    if attribute.startswith(_LICENCES):
        return "Licences"
    return USER_ATTRIBUTES.get(attribute, attribute.removeprefix("extra."))


def _told(attribute: str, value: Any) -> Any:
    if attribute == MANAGER_ID and value:
        return f"#{value}"
    return str(value).capitalize() if attribute == "lifecycle" and value else value
