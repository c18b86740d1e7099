"""A form that comes twice: the second one waits for what becomes of the first, and says that the first one counts; for a
pass it hands out another one, since a browser shows the last answer alone.

Owns that wait, and whom a used link may be told of: the *hand* that used it, a digest of what its browser drew when it opened
the link, for an hour. To everybody else a used link is over like any other. Nothing of a password is compared or kept.
"""

from datetime import timedelta

from provision.core.redeeming import LOOK, WAITING, Answer
from provision.services.activation import redeeming
from provision.services.activation.opening import newer, reserved_by, used_by
from provision.services.activation.redeeming import Redeemed
from provision.services.cycles import Ways


def redeem(ways: Ways, token: str, password: str, again: str, *, hand: str = "") -> Redeemed:
    """Set a password by a link, once for all the forms that one browser sends. Raises nothing of the outside's."""
    told = redeeming.redeem(ways, token, (password, again), hand)
    if not hand or not (told.over or told.code == "activation_busy"):
        return told
    stage, waited = _await(ways, token, hand)
    if stage is Answer.DONE:
        return Redeemed(Answer.BEFORE, "activation_twice")
    tries_again = waited and stage is Answer.LATER
    return redeeming.redeem(ways, token, (password, again), hand, counted=True) if tries_again else told


def hand_pass(ways: Ways, token: str, *, hand: str = "") -> Redeemed:
    """Hand out a pass by a link, to one browser as often as it sends the form within a moment: the last one counts.

    The outside replaces an earlier pass by a later one, and nobody has seen the earlier: its answer was given up.
    """
    told, counted = redeeming.hand_pass(ways, token, hand), False
    for _ in range(redeeming.TRIES):
        counted = counted or told.code == "activation_busy"
        if not hand or not (told.over or told.code == "activation_busy"):
            break
        stage, waited = _await(ways, token, hand)
        if stage is None or (stage is Answer.LATER and not waited):
            break
        if stage is Answer.DONE:
            _reopen(ways, token, hand)
        told = redeeming.hand_pass(ways, token, hand, counted=counted)
    return told


def _reopen(ways: Ways, token: str, hand: str) -> None:
    """Let the link of a pass that was just handed to this hand be used once more, unless there is a newer one."""
    with ways.writing() as session:
        found = used_by(session, token, hand, ways.now(), lock=True)
        if found is None or found[0].revoked_at is not None or newer(session, found[0]):
            return
        found[0].used_at = None
        session.add(found[0])


def _await(ways: Ways, token: str, hand: str) -> tuple[Answer | None, timedelta]:
    """What became of this hand's other try, and how long that took."""
    waited = timedelta(0)
    while (stage := _stage(ways, token, hand)) is None and waited < WAITING:
        ways.sleep(LOOK.total_seconds())
        waited += LOOK
    return stage, waited


def _stage(ways: Ways, token: str, hand: str) -> Answer | None:
    """What became of this hand's other try: it got what it wanted, it ended without, or (None) it is under way."""
    with ways.reading() as session:
        if used_by(session, token, hand, ways.now()) is not None:
            return Answer.DONE
        return None if reserved_by(session, token, hand, ways.now()) else Answer.LATER
