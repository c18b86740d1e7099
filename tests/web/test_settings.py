"""The settings pages: onboarding, the words of mails with their preview, and what may not be chosen."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from provision.core.letters import built_in
from provision.core.onboarding import OnboardingSettings
from provision.core.vocabulary import MailTemplate
from provision.house import House
from provision.services import settings
from tests.cast import Browser, Cast

PAGE = "/t/contoso/settings"
LETTER = f"{PAGE}/letters/activation/de"
BUILT_IN = built_in(MailTemplate.ACTIVATION, "de")
GOOD = {"subject": "Hallo {name}", "body": "Bitte:\n\n{link}"}


def chosen(house: House, cast: Cast) -> OnboardingSettings:
    with house.db.reading() as session:
        return settings.onboarding(session, cast.contoso)


def form(**changed: Any) -> dict[str, Any]:
    plain = {"recipient": "private", "language": "en", "link_hours": 72, "minimum_length": 15, "reminders": 0}
    return {**plain, "reminder_days": 2, "version": 0, **changed}


def test_what_is_chosen_is_kept(house: House, cast: Cast, ada: Browser) -> None:
    answer = ada.post(PAGE, form(organisation="Contoso AG", link_hours="24", automatic="on", recipient="manager"))
    assert answer.status_code == 303
    kept = chosen(house, cast)
    assert (kept.organisation, kept.link_hours, kept.automatic, kept.recipient) == ("Contoso AG", 24, True, "manager")
    assert 'value="Contoso AG"' in ada.get(PAGE).text


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("link_hours", "0", "A link works for: Only a whole number from 1 to 168 can stand here."),
        ("link_hours", "169", "A link works for: Only a whole number from 1 to 168 can stand here."),
        ("link_hours", "many", "A link works for: Only a whole number from 1 to 168 can stand here."),
        ("link_hours", "", "A link works for: Only a whole number from 1 to 168 can stand here."),
        ("minimum_length", "7", "A password has at least: Only a whole number from 8 to 64 can stand here."),
        ("sender", "a\r\nBcc: b@c.example", "Sender’s name: Only one line of up to 100 characters can stand here."),
        ("reply_to", "not an address", "Answers go to: An address looks like name@domain"),
        (
            "recipient",
            "everybody",
            "Activation mails go to: It is none of the choices. Choose one of: private, manager, primary.",
        ),
        ("organisation", "x" * 101, "Organisation: Only one line of up to 100 characters can stand here."),
        ("reminders", "99", "Reminders: Only a whole number from 0 to 5 can stand here."),
        ("mails_per_hour", "0", "Mails with a link in an hour: Only a whole number from 1 to 100000 can stand here."),
    ],
)
def test_what_cannot_be_is_said_at_its_field_and_nothing_is_kept(
    house: House, cast: Cast, ada: Browser, field: str, value: str, said: str
) -> None:
    answer = ada.post(PAGE, form(**{field: value}))
    assert answer.status_code == 422
    assert "One thing to correct" in answer.text
    assert said in answer.text
    assert chosen(house, cast) == OnboardingSettings()


def test_a_stale_form_is_told_and_saves_nothing(house: House, cast: Cast, ada: Browser) -> None:
    ada.post(PAGE, form(link_hours=24))
    answer = ada.post(PAGE, form(link_hours=48))
    assert answer.status_code == 409
    assert "saved by somebody else" in answer.text
    assert chosen(house, cast).link_hours == 24


def test_only_an_owner_saves(enter: Callable[[int], Browser], cast: Cast) -> None:
    ben = enter(cast.ben)
    assert "Only an owner may change these settings." in ben.get(PAGE).text
    assert ben.post(PAGE, form()).status_code == 403
    assert ben.post(LETTER, {**GOOD, "do": "save"}).status_code == 403


def test_own_words_are_kept_shown_and_taken_back(house: House, cast: Cast, ada: Browser) -> None:
    assert ada.post(LETTER, {**GOOD, "do": "save"}).status_code == 303
    with house.db.reading() as session:
        assert settings.words(session, cast.contoso, MailTemplate.ACTIVATION, "de").subject == "Hallo {name}"
        assert settings.words(session, cast.fabrikam, MailTemplate.ACTIVATION, "de") == built_in(
            MailTemplate.ACTIVATION, "de"
        )
    page = ada.get(LETTER).text
    assert "In your own words." in page
    assert "Hallo Ingrid Solberg" in page
    ada.post(LETTER, {"do": "reset"})
    with house.db.reading() as session:
        assert settings.words(session, cast.contoso, MailTemplate.ACTIVATION, "de") == built_in(
            MailTemplate.ACTIVATION, "de"
        )
    assert "In the built-in words." in ada.get(LETTER).text


def test_a_preview_shows_what_would_be_sent_and_keeps_nothing(house: House, cast: Cast, ada: Browser) -> None:
    text = ada.post(LETTER, {"subject": "S", "body": "<script>x</script> {name}\n\n{link}", "do": "look"}).text
    assert "&lt;script&gt;x&lt;/script&gt; Ingrid Solberg" in text
    assert "<script>x" not in text
    with house.db.reading() as session:
        assert settings.own_words(session, cast.contoso) == set()


def test_htmx_gets_the_preview_alone(ada: Browser) -> None:
    text = ada.post(LETTER, {**GOOD, "do": "look"}, headers={"HX-Request": "true"}).text
    assert text.strip().startswith('<section class="part" id="draft"')
    assert "<html" not in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"subject": "S", "body": "no link"}, "Without {link} this mail would lead nowhere."),
        ({"subject": "S {password}", "body": "{link}"}, "These placeholders mean nothing in this mail: {password}."),
        ({"subject": "", "body": "{link}"}, "Fill this in"),
    ],
)
def test_words_that_would_mislead_are_refused_at_their_field(ada: Browser, words: dict[str, str], said: str) -> None:
    answer = ada.post(LETTER, {**words, "do": "save"})
    assert answer.status_code == 422
    assert said.split("{", maxsplit=1)[0] in answer.text or re.search("required|Fill", answer.text)


@pytest.mark.parametrize("place", ["activation/xx", "nothing/en", "activation/../de"])
def test_a_letter_that_does_not_exist_is_not_found(ada: Browser, place: str) -> None:
    assert ada.get(f"{PAGE}/letters/{place}").status_code == 404
