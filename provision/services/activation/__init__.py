"""Onboarding: from picking people to the password that each of them chose.

issuing     links for many at a time, and taking them back
status      where everybody stands
opening     whose link a token is, and what its page may show
redeeming   the way from a link to a password, spent only on success
twice       a form that comes twice waits for the first, which counts
lapsing     tries that nobody settled, looked up
telling     what is written down about a try
asking      people who ask for a link themselves
"""

from provision.services.activation.asking import Serving, ask, ask_again, serves
from provision.services.activation.issuing import Issued, Sending, issue, revoke, why_blocked
from provision.services.activation.lapsing import lapsed
from provision.services.activation.opening import Bearer, look, look_back
from provision.services.activation.redeeming import PASS_MINUTES, Redeemed
from provision.services.activation.status import Line, Onboarding, Wanted, latest, matching, obstacles, status
from provision.services.activation.twice import hand_pass, redeem
from provision.services.links import link

__all__ = [
    "PASS_MINUTES",
    "Bearer",
    "Issued",
    "Line",
    "Onboarding",
    "Redeemed",
    "Sending",
    "Serving",
    "Wanted",
    "ask",
    "ask_again",
    "hand_pass",
    "issue",
    "lapsed",
    "latest",
    "link",
    "look",
    "look_back",
    "matching",
    "obstacles",
    "redeem",
    "revoke",
    "serves",
    "status",
    "why_blocked",
]
