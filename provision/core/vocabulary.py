"""The words of the house as closed sets, and the one way to make comparison keys.

Owns every enumeration that a table, a form or a log line may contain; never decides anything with them.
"""

import functools
import unicodedata
from enum import StrEnum
from typing import Any


class Role(StrEnum):
    """What an operator may do in a tenant: owner everything, operator people and imports, auditor reads."""

    OWNER = "owner"
    OPERATOR = "operator"
    AUDITOR = "auditor"


class Kind(StrEnum):
    """The outside systems that code has to name; the registry holds all there are."""

    MICROSOFT365 = "microsoft365"
    SCIM = "scim"
    SCIM_SOURCE = "scim_source"
    CSV = "csv"


class Feature(StrEnum):
    """The four switches of an app. Create covers restore; Edit covers update, disable and enable."""

    IMPORT = "import"
    CREATE = "create"
    EDIT = "edit"
    DELETE = "delete"


class ConnectorState(StrEnum):
    """Paused: a person stopped it. Quarantined: refused credentials or too many failures stopped it."""

    ACTIVE = "active"
    PAUSED = "paused"
    QUARANTINED = "quarantined"


class Approval(StrEnum):
    """Whether what goes out is shown to a person first."""

    REVIEW = "review"
    AUTOMATIC = "automatic"


class WhenGone(StrEnum):
    """What happens here to a person whose account vanished there."""

    KEEP = "keep"
    SUSPEND = "suspend"
    LEAVE = "leave"


class WhenLeft(StrEnum):
    """What happens there to the account of a person who left here."""

    DISABLE = "disable"
    DELETE = "delete"
    NOTHING = "nothing"


class TokenScope(StrEnum):
    """What a client that pushes to us may do: read what it brought, or change it too."""

    READ = "read"
    WRITE = "write"


class Lifecycle(StrEnum):
    """Where a person stands: known but not begun, working, held back, gone."""

    STAGED = "staged"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    LEFT = "left"


class Situation(StrEnum):
    """How an account relates to our people.

    *linked* to one; *unlinked*: exactly one fits, unconfirmed; *unmatched*: nobody fits; *disputed*: several fit, or the
    one is taken; *ignored*: a person said so; *gone*: was there and no longer is; *absent*: ours, not created there yet.
    """

    LINKED = "linked"
    UNLINKED = "unlinked"
    UNMATCHED = "unmatched"
    DISPUTED = "disputed"
    IGNORED = "ignored"
    GONE = "gone"
    ABSENT = "absent"


class Direction(StrEnum):
    """Which way a mapping row flows. Constants and expressions flow one way only."""

    BOTH = "both"
    IN = "in"
    OUT = "out"


class MappingKind(StrEnum):
    """What the source side of a mapping row holds: an attribute's name, a constant, or an expression."""

    ATTRIBUTE = "attribute"
    CONSTANT = "constant"
    EXPRESSION = "expression"


class Flow(StrEnum):
    """When a row flows."""

    ALWAYS = "always"
    ON_CREATE = "on create"
    IF_EMPTY = "if empty"


class Owner(StrEnum):
    """Who wins when both sides hold a value. *either*: a three-way merge against what was last observed."""

    OURS = "ours"
    THEIRS = "theirs"
    EITHER = "either"


class OperationKind(StrEnum):
    """What an operation is expected to do; a forecast, planned again when it runs."""

    CREATE = "create"
    UPDATE = "update"
    DISABLE = "disable"
    ENABLE = "enable"
    DELETE = "delete"
    RESTORE = "restore"


class OperationState(StrEnum):
    """pending → running → done or failed; unknown: sent, outcome not known; blocked: needs a person or a seat."""

    PENDING = "pending"
    RUNNING = "running"
    UNKNOWN = "unknown"
    BLOCKED = "blocked"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Asks(StrEnum):
    """Why an operation waits for a person: review mode or a switch planned it, or the brake held it."""

    REVIEW = "review"
    BRAKE = "brake"


class CycleKind(StrEnum):
    """Initial reads everything; incremental reads what changed since the watermark."""

    INITIAL = "initial"
    INCREMENTAL = "incremental"


class CycleState(StrEnum):
    """requested → running → done, failed, stopped (by a person) or held (by the brake)."""

    REQUESTED = "requested"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"
    HELD = "held"


UNFINISHED_CYCLES = (CycleState.REQUESTED, CycleState.RUNNING)


class Decision(StrEnum):
    """What a person chose for one row of a preview: link it to whom it fits, add, link to another, or leave out."""

    EXACT = "exact"
    NEW = "new"
    EXISTING = "existing"
    IGNORE = "ignore"


class DriftChoice(StrEnum):
    """What was chosen about a value that differs there. Open: nobody has chosen yet. Alone: it stays as it is there."""

    OPEN = "open"
    ALONE = "alone"


class Outcome(StrEnum):
    """How an event ended."""

    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"
    HELD = "held"


class Offer(StrEnum):
    """What a link gives its person: a password of their own choice, or a pass with which Microsoft lets them choose one."""

    PASSWORD = "password"  # noqa: S105 - the word, not one
    PASS = "pass"  # noqa: S105 - likewise


class Invited(StrEnum):
    """Where a person stands on the way to a password. *blocked*: no link can be issued, for a reason that is told."""

    NOT_INVITED = "not invited"
    QUEUED = "queued"
    SENT = "sent"
    OPENED = "opened"
    PASSWORD_SET = "password set"  # noqa: S105 - a state
    BOUNCED = "bounced"
    EXPIRED = "expired"
    BLOCKED = "blocked"


class Ended(StrEnum):
    """Why a link was ended before its time; each is the remedy code that says so."""

    ADDRESS = "link_ended_address"
    REVOKED = "link_ended_revoked"
    REPLACED = "link_ended_replaced"
    AWAY = "link_ended_away"


class MailTemplate(StrEnum):
    """What a mail is about. The first three go to people, the others to operators."""

    ACTIVATION = "activation"
    REMINDER = "reminder"
    CONFIRMATION = "confirmation"
    TEST = "test"
    QUARANTINE = "quarantine"
    SECRET = "secret"  # noqa: S105 - what it tells of
    SEATS = "seats"
    RECOVERED = "recovered"


class MailState(StrEnum):
    """queued → sent, bounced (refused for good), failed (tried for days) or cancelled (its link is over)."""

    QUEUED = "queued"
    SENT = "sent"
    BOUNCED = "bounced"
    FAILED = "failed"
    CANCELLED = "cancelled"


class PictureKind(StrEnum):
    """What a logo may be: pictures of dots, which cannot carry a program."""

    PNG = "png"
    JPEG = "jpeg"
    GIF = "gif"
    WEBP = "webp"


USER_ATTRIBUTES: dict[str, str] = {
    "given_name": "First Name",
    "surname": "Last Name",
    "username": "Username",
    "email": "Email Address",
    "display_name": "Display Name",
    "private_email": "Private Email",
    "employee_id": "Employee ID",
    "department": "Department",
    "title": "Job Title",
    "company": "Company",
    "usage_location": "Usage Location",
    "preferred_language": "Preferred Language",
    "mobile": "Mobile Phone",
}
"""The default user profile: column of ``users`` → label on screen. Custom attributes stand beside it in ``extra``."""


SCIM_ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
SCIM_PERSON = "urn:provision:scim:schemas:extension:person:2.0:User"
"""Our own SCIM extension: what the profile knows and the standard does not, and the attributes that a tenant added."""


def camel(name: str) -> str:
    """An attribute's name as SCIM writes names: *cost_centre* → *costCentre*."""
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


@functools.lru_cache(maxsize=4096)  # one address is compared, stored and told within a moment
def key(text: str | None) -> str:
    """Return the one form in which names and addresses are compared, made unique and sorted.

    NFKC, then casefold, then NFKC again (casefolding may undo composition), white space at the ends removed. Unicode
    Standard, section 3.13, definition D146 (identifier caseless matching) with NFKC in place of NFKD.
    """
    if not text:
        return ""
    if text.isascii():  # nothing to normalise
        return text.lower().strip()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).strip()


def exact(text: Any) -> str | None:
    """The one form in which names that mean their case are compared; None for what is no name."""
    return unicodedata.normalize("NFC", text) if isinstance(text, str) and text else None
