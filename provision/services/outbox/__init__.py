"""The outbox: one row per account that is to be brought in line, from the edit that leaves it to what became of it.

    edit → enqueue → (asks → approve | decline) → claim → [worker sends] → settle → done | failed | blocked
                                                     ↘ unknown → doubts → resolve ↗

reckoning   what is due for accounts at this moment
gathering   groups, and who of their people has an account in an app
drifting    what differs there from what the mapping owns
enqueueing  an edit leaves an operation behind, in its own transaction
scoping     what a rule about whom an app is for would do
answers     approve, decline, cancel, retry, and what asks
claiming    what may leave now; the brake on what takes away
settling    what became of it
settlement  the rows that a settlement writes
doubts      outcomes that nobody knows, and what a dead worker left
"""

from provision.services.outbox.answers import approve, asking, cancel, decline, retry
from provision.services.outbox.claiming import AT_ONCE, LEASE, Claim, Claimed, claim, open_for
from provision.services.outbox.doubts import Doubt, Look, doubts, recover, resolve
from provision.services.outbox.drifting import Met, drifting
from provision.services.outbox.enqueueing import (
    NOBODY_ASKED,
    ONE_OF_MANY,
    SOMEBODY_WAITS,
    Effect,
    Order,
    enqueue,
    enqueue_accounts,
    enqueue_groups,
    within_scope,
)
from provision.services.outbox.reckoning import App, Case, Row, accounts, app_of, apps, blank, reckon
from provision.services.outbox.scoping import WouldMove, plan_these, would_move
from provision.services.outbox.settling import settle

__all__ = [
    "AT_ONCE",
    "LEASE",
    "NOBODY_ASKED",
    "ONE_OF_MANY",
    "SOMEBODY_WAITS",
    "App",
    "Case",
    "Claim",
    "Claimed",
    "Doubt",
    "Effect",
    "Look",
    "Met",
    "Order",
    "Row",
    "WouldMove",
    "accounts",
    "app_of",
    "approve",
    "apps",
    "asking",
    "blank",
    "cancel",
    "claim",
    "decline",
    "doubts",
    "drifting",
    "enqueue",
    "enqueue_accounts",
    "enqueue_groups",
    "open_for",
    "plan_these",
    "reckon",
    "recover",
    "resolve",
    "retry",
    "settle",
    "within_scope",
    "would_move",
]
