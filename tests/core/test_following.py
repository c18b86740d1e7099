"""When somebody is reminded."""

from datetime import UTC, datetime, timedelta

import pytest

from provision.core.following import reminds
from provision.core.vocabulary import MailTemplate

NOW = datetime(2026, 11, 23, tzinfo=UTC)
INVITED, REMINDED = MailTemplate.ACTIVATION, MailTemplate.REMINDER


@pytest.mark.parametrize(
    ("sent", "due"),
    [
        ([], False),
        ([(INVITED, 1)], False),
        ([(INVITED, 2)], True),
        ([(INVITED, 9), (REMINDED, 1)], False),
        ([(INVITED, 9), (REMINDED, 3)], True),
        ([(INVITED, 9), (REMINDED, 6), (REMINDED, 3)], False),
        ([(INVITED, 9), (REMINDED, 8), (REMINDED, 7), (INVITED, 3)], True),
    ],
)
def test_a_reminder_is_due_days_after_the_last_mail_and_so_many_times(
    sent: list[tuple[MailTemplate, int]], due: bool
) -> None:
    mails = [(template, NOW - timedelta(days=days)) for template, days in sent]
    assert reminds(mails, NOW, reminders=2, days=2) is due


def test_a_tenant_that_wants_no_reminders_gets_none() -> None:
    assert not reminds([(INVITED, NOW - timedelta(days=30))], NOW, reminders=0, days=1)
