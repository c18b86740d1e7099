"""How a tenant brings people to their first password: its settings with their bounds, and the language of a person.

Owns the defaults and what may be chosen; keeps nothing and sends nothing.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

LANGUAGES: Mapping[str, str] = {
    "en": "English",
    "de": "Deutsch",
    "fr": "Français",
    "es": "Español",
    "pt": "Português",
    "hi": "हिन्दी",
}
"""The languages that mails and public pages speak → their own names."""

_Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]
_Address = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, max_length=254, pattern=r"^(?:[^\s@<>\",;:]{1,64}@[^\s@<>\",;:]{1,189})?$"
    ),
]


class Recipient(StrEnum):
    """Where an activation mail goes. *primary* is the sign-in address, which works only for who can read it already."""

    PRIVATE = "private"
    MANAGER = "manager"
    PRIMARY = "primary"


class OnboardingSettings(BaseModel):
    """One tenant's choices. Anything not chosen is as it stands here.

    ``organisation``: the name people read, the tenant's own when empty. ``sender``: the name beside the sender's address,
    the organisation's when empty. ``automatic``: an activation mail follows by itself when a create has settled.
    ``reminders``: how many times somebody is reminded, each ``reminder_days`` after the mail before. ``sign_out``: other
    sessions end when a password was set. ``self_service``: a page where people ask for a link themselves.
    ``access_pass``: a Temporary Access Pass is offered instead of a password. ``mails_per_hour``: how many mails with a
    link leave within an hour; the others wait their turn.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    organisation: _Line = ""
    sender: _Line = ""
    reply_to: _Address = ""
    recipient: Recipient = Recipient.PRIVATE
    language: Annotated[str, Field(pattern=f"^(?:{'|'.join(LANGUAGES)})$")] = "en"
    link_hours: Annotated[int, Field(ge=1, le=168)] = 72
    minimum_length: Annotated[int, Field(ge=8, le=64)] = 15
    automatic: bool = False
    reminders: Annotated[int, Field(ge=0, le=5)] = 0
    reminder_days: Annotated[int, Field(ge=1, le=30)] = 2
    sign_out: bool = False
    self_service: bool = False
    access_pass: bool = False
    mails_per_hour: Annotated[int, Field(ge=1, le=100_000)] = 1500


def judge(values: Mapping[str, Any]) -> tuple[OnboardingSettings | None, dict[str, tuple[str, dict[str, Any]]]]:
    """Settings as somebody entered them; or None, and field → remedy code and blanks of what cannot be."""
    try:
        return OnboardingSettings.model_validate(values), {}
    except ValidationError as error:
        return None, {name: _why(name) for name in (str(problem["loc"][0]) for problem in error.errors())}


def _why(name: str) -> tuple[str, dict[str, Any]]:
    field = OnboardingSettings.model_fields[name]
    if field.annotation is bool:
        return "setting_choice", {"choices": "yes, no"}
    if field.annotation is int:
        least, most = (
            next(getattr(one, bound) for one in field.metadata if hasattr(one, bound)) for bound in ("ge", "le")
        )
        return "setting_number", {"least": least, "most": most}
    if name in _CHOICES:
        return "setting_choice", {"choices": ", ".join(_CHOICES[name])}
    return ("email_malformed", {}) if name == "reply_to" else ("setting_line", {"most": 100})


_CHOICES: Mapping[str, tuple[str, ...]] = {"recipient": tuple(Recipient), "language": tuple(LANGUAGES)}


def lenient(values: Mapping[str, Any]) -> OnboardingSettings:
    """Settings from what was once stored: a value that is no longer allowed counts as not chosen."""
    kept = dict(values)
    while True:
        try:
            return OnboardingSettings.model_validate(kept)
        except ValidationError as error:
            unfit = {str(problem["loc"][0]) for problem in error.errors() if problem["loc"]} & kept.keys()
            if not unfit:
                return OnboardingSettings()
            kept = {name: value for name, value in kept.items() if name not in unfit}


def language_of(preferred: str | None, otherwise: str = "en") -> str:
    """The language to address somebody in: their preferred one (a BCP 47 tag such as ``de-AT``) if spoken here."""
    primary = (preferred or "").strip().replace("_", "-").partition("-")[0].lower()
    return primary if primary in LANGUAGES else otherwise if otherwise in LANGUAGES else "en"
