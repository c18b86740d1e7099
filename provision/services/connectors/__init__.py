"""The apps of a tenant: adding them, keeping their secrets, switching what they may do, proving and granting access.

Owns the rows of ``connectors`` and ``flows``; never reads people and never sends anything that a switch would have to allow.
"""

from provision.services.connectors.checks import Outside, change, check, locate, remember_check, renew_secret
from provision.services.connectors.consent import Consent, Forged, begin_consent, finish_consent, look_again, waits
from provision.services.connectors.rows import (
    GUESTS,
    Settled,
    add,
    by_name_or_kind,
    connected,
    features,
    get,
    judged,
    notes,
    of,
    open_secret,
    pause,
    remove_secret,
    resume,
    save,
    set_secret,
    settle,
    switched_on,
)

__all__ = [
    "GUESTS",
    "Consent",
    "Forged",
    "Outside",
    "Settled",
    "add",
    "begin_consent",
    "by_name_or_kind",
    "change",
    "check",
    "connected",
    "features",
    "finish_consent",
    "get",
    "judged",
    "locate",
    "look_again",
    "notes",
    "of",
    "open_secret",
    "pause",
    "remember_check",
    "remove_secret",
    "renew_secret",
    "resume",
    "save",
    "set_secret",
    "settle",
    "switched_on",
    "waits",
]
