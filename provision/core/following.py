"""Whether somebody is to be reminded now. Owns that judgement; reads and sends nothing."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from provision.core.vocabulary import MailTemplate


def reminds(sent: Sequence[tuple[MailTemplate, datetime]], now: datetime, *, reminders: int, days: int) -> bool:
    """Judge by the mails that a person got, oldest first: the last one is old enough, and not too many followed.

    Reminders count from the last activation mail, so that an invitation sent again by hand begins anew.
    """
    if not sent:
        return False
    after = 0
    for template, _ in sent:
        after = 0 if template is MailTemplate.ACTIVATION else after + 1
    return after < reminders and now - sent[-1][1] >= timedelta(days=days)
