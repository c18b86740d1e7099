"""The bounds of a tenant's onboarding settings, and in which language somebody is addressed."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from provision.core.onboarding import LANGUAGES, OnboardingSettings, Recipient, language_of, lenient


def test_nothing_chosen_means_the_careful_defaults() -> None:
    chosen = OnboardingSettings()
    assert (chosen.link_hours, chosen.minimum_length, chosen.recipient) == (72, 15, Recipient.PRIVATE)
    assert chosen.reminders == 0
    assert not any((chosen.automatic, chosen.self_service, chosen.access_pass, chosen.sign_out))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("link_hours", 0),
        ("link_hours", 169),
        ("minimum_length", 7),
        ("language", "xx"),
        ("recipient", "anybody"),
        ("sender", "Eve\r\nBcc: all@contoso.example"),
        ("sender", "x" * 101),
        ("reply_to", "Eve <eve@contoso.example>"),
        ("reply_to", "a@b.example\nBcc: c@d.example"),
        ("reply_to", "a@b.example,c@d.example"),
    ],
)
def test_what_no_tenant_may_choose_is_refused(name: str, value: object) -> None:
    with pytest.raises(ValidationError):
        OnboardingSettings.model_validate({name: value})


def test_a_stored_value_that_is_no_longer_allowed_counts_as_not_chosen() -> None:
    assert lenient({"link_hours": 500, "minimum_length": 12, "gone": 1}) == OnboardingSettings(minimum_length=12)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(st.sampled_from([*OnboardingSettings.model_fields, "other"]), st.none() | st.text() | st.integers())
)
def test_whatever_was_stored_reads_as_settings(values: dict[str, object]) -> None:
    assert isinstance(lenient(values), OnboardingSettings)


@pytest.mark.parametrize(
    ("preferred", "spoken"),
    [("de", "de"), ("de-AT", "de"), ("pt_BR", "pt"), ("HI-in", "hi"), ("nb-NO", "fr"), (None, "fr"), ("", "fr")],
)
def test_somebody_is_addressed_in_their_language_or_else_the_tenants(preferred: str | None, spoken: str) -> None:
    assert language_of(preferred, "fr") == spoken


@settings(deadline=None)
@given(st.none() | st.text(), st.text())
def test_the_language_is_always_one_that_is_spoken(preferred: str | None, otherwise: str) -> None:
    assert language_of(preferred, otherwise) in LANGUAGES
