"""What is due, and how much may go at once: judgements on plain values, made again whenever they are needed.

plan      what one account needs, from the person, the mapping, the switches and what was last seen there
evidence  whether something found there is what we sent when the answer was lost
drift     what differs there from what the mapping owns
groups    what one group needs
doubt     what was sent and is not confirmed yet, or was written a moment ago
brake     how many may be taken away at once, coming in and going out
"""

from provision.core.planning.brake import STANDARD, Brake, BrakeVerdict, Reason, judge_leaving, judge_outgoing
from provision.core.planning.doubt import WHOLE, answered, ours, outdated, sending, sent, settled_down
from provision.core.planning.drift import LICENCE, Compared, compared, differing, granted, moved_there, unlike
from provision.core.planning.evidence import Found, Sent, judge_found
from provision.core.planning.groups import Gathering, plan_group
from provision.core.planning.plan import (
    BY_HAND,
    FEATURE_OF,
    MARKED_IN,
    SENT_AS,
    Person,
    Plan,
    Rules,
    There,
    idle,
    plan,
    settled,
)

__all__ = [
    "BY_HAND",
    "FEATURE_OF",
    "LICENCE",
    "MARKED_IN",
    "SENT_AS",
    "STANDARD",
    "WHOLE",
    "Brake",
    "BrakeVerdict",
    "Compared",
    "Found",
    "Gathering",
    "Person",
    "Plan",
    "Reason",
    "Rules",
    "Sent",
    "There",
    "answered",
    "compared",
    "differing",
    "granted",
    "idle",
    "judge_found",
    "judge_leaving",
    "judge_outgoing",
    "moved_there",
    "ours",
    "outdated",
    "plan",
    "plan_group",
    "sending",
    "sent",
    "settled",
    "settled_down",
    "unlike",
]
