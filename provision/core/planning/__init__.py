"""What is due, and how much may go at once: judgements on plain values, made again whenever they are needed.

plan      what one account needs, from the person, the mapping, the switches and what was last seen there
evidence  whether something found there is what we sent when the answer was lost
brake     how many may be taken away at once, coming in and going out
"""

from provision.core.planning.brake import STANDARD, Brake, BrakeVerdict, Reason, judge_leaving, judge_outgoing
from provision.core.planning.evidence import Found, Sent, judge_found
from provision.core.planning.plan import FEATURE_OF, Person, Plan, Rules, There, plan, satisfied

__all__ = [
    "FEATURE_OF",
    "STANDARD",
    "Brake",
    "BrakeVerdict",
    "Found",
    "Person",
    "Plan",
    "Reason",
    "Rules",
    "Sent",
    "There",
    "judge_found",
    "judge_leaving",
    "judge_outgoing",
    "plan",
    "satisfied",
]
