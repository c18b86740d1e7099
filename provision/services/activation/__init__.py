"""Onboarding: from picking people to the password that each of them chose.

reach       whom a link can help, whom only later, whom not at all
issuing     links for many at a time, and taking them back
status      where everybody stands
"""

from provision.services.activation.issuing import Issued, Sending, issue, revoke, why_blocked
from provision.services.activation.status import Line, Onboarding, Wanted, latest, matching, status
from provision.services.links import link

__all__ = [
    "Issued",
    "Line",
    "Onboarding",
    "Sending",
    "Wanted",
    "issue",
    "latest",
    "link",
    "matching",
    "revoke",
    "status",
    "why_blocked",
]
