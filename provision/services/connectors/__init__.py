"""The apps of a tenant: adding them, keeping their secrets, switching what they may do, proving and granting access.

Owns the rows of ``connectors`` and ``flows``; never reads people and never sends anything that a switch would have to allow.
"""

from provision.services.connectors.checks import Outside, change, check, locate, remember_check, renew_secret, try_again
from provision.services.connectors.consent import (
    NOT_YET,
    Consent,
    Forged,
    begin_consent,
    finish_consent,
    look_again,
    waits,
)
from provision.services.connectors.rows import (
    GUESTS,
    add,
    connected,
    features,
    get,
    judged,
    meant,
    note_attributes,
    notes,
    of,
    open_secret,
    pause,
    remove_secret,
    resume,
    save,
    set_secret,
    switched_on,
    withdraw,
)
from provision.services.connectors.settling import Settled, settle
from provision.services.connectors.stopping import due_again, recover, stop

__all__ = [
    "GUESTS",
    "NOT_YET",
    "Consent",
    "Forged",
    "Outside",
    "Settled",
    "add",
    "begin_consent",
    "change",
    "check",
    "connected",
    "due_again",
    "features",
    "finish_consent",
    "get",
    "judged",
    "locate",
    "look_again",
    "meant",
    "note_attributes",
    "notes",
    "of",
    "open_secret",
    "pause",
    "recover",
    "remember_check",
    "remove_secret",
    "renew_secret",
    "resume",
    "save",
    "set_secret",
    "settle",
    "stop",
    "switched_on",
    "try_again",
    "waits",
    "withdraw",
]
