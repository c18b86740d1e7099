"""A form that comes twice: the second one waits for what becomes of the first, and says that the first one counts.

Owns that wait, and whom a used link may be told of: the *hand* that used it, a digest of what its browser drew when it opened
the link, for an hour. To everybody else a used link is over like any other. Nothing of a password is compared or kept.
"""

from datetime import timedelta

from provision.core.redeeming import LOOK, WAITING, Answer
from provision.services.activation import redeeming
from provision.services.activation.opening import reserved_by, used_by
from provision.services.activation.redeeming import Redeemed
from provision.services.cycles import Ways


def redeem(ways: Ways, token: str, password: str, again: str, *, hand: str = "") -> Redeemed:
    """Set a password by a link, once for all the forms that one browser sends. Raises nothing of the outside's."""
    told = redeeming.redeem(ways, token, (password, again), hand)
    if not hand or not (told.over or told.code == "activation_busy"):
        return told
    waited = timedelta(0)
    while (stage := _stage(ways, token, hand)) is None and waited < WAITING:
        ways.sleep(LOOK.total_seconds())
        waited += LOOK
    if stage is Answer.DONE:
        return Redeemed(Answer.BEFORE, "activation_twice")
    tries_again = waited and stage is Answer.LATER
    return redeeming.redeem(ways, token, (password, again), hand, counted=True) if tries_again else told


def _stage(ways: Ways, token: str, hand: str) -> Answer | None:
    """What became of this hand's other try: it set its password, it ended without, or (None) it is under way."""
    with ways.reading() as session:
        if used_by(session, token, hand, ways.now()) is not None:
            return Answer.DONE
        return None if reserved_by(session, token, hand, ways.now()) else Answer.LATER
