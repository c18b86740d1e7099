"""Every word of the pages for everybody stands in every catalogue, with the same blanks."""

import re
from importlib import resources

import pytest
from babel.messages.pofile import read_po
from flask import Flask
from flask_babel import gettext

from provision.core.onboarding import LANGUAGES
from provision.core.remedies import codes
from provision.web import tongues
from tools.words import collected

OTHERS = [language for language in LANGUAGES if language != "en"]
BLANK = re.compile(r"%\(\w+\)[sd]|\{\w+\}")


@pytest.mark.parametrize("language", OTHERS)
def test_a_catalogue_has_every_word_and_no_other(language: str) -> None:
    with (resources.files("provision") / "translations" / f"{language}.po").open("rb") as file:
        known = {_key(message.id): message for message in read_po(file, locale=language) if message.id}
    wanted = {_key(message.id) for message in collected() if message.id}
    assert known.keys() == wanted, "run: python -m tools.words"
    for texts, message in known.items():
        translated = message.string if isinstance(message.string, (list, tuple)) else (message.string,)
        assert not message.fuzzy, texts
        for said in translated:
            assert said.strip() == said, texts
            assert said, texts
            assert sorted(BLANK.findall(said)) == sorted(BLANK.findall(texts[-1])), texts


@pytest.mark.parametrize("language", OTHERS)
def test_a_page_in_a_language_speaks_it(app: Flask, language: str) -> None:
    with app.test_request_context("/activate"):
        tongues.speak(language)
        assert gettext("Set your password") != "Set your password"


@pytest.mark.parametrize("language", ["xx", "../de", "", "en"])
def test_a_language_without_a_catalogue_leaves_the_words_as_they_are(language: str) -> None:
    assert tongues.catalogue(language).gettext("Set your password") == "Set your password"


@pytest.mark.parametrize(
    ("asked", "spoken"),
    [
        ("de", "de"),
        ("fr-CH, en;q=0.5", "fr"),
        ("sv, hi;q=0.7, en;q=0.3", "hi"),
        ("sv", "en"),
        ("", "en"),
        ("*", "en"),
        ("de;q=0", "en"),
        ("x" * 2_000, "en"),
    ],
)
def test_the_browsers_first_language_that_we_speak_is_taken(app: Flask, asked: str, spoken: str) -> None:
    with app.test_request_context("/activate", headers={"Accept-Language": asked}):
        assert tongues.preferred() == spoken


def test_the_remedies_of_these_pages_exist() -> None:
    assert set(tongues.SPOKEN) <= codes()


def _key(texts: object) -> tuple[str, ...]:
    return tuple(texts) if isinstance(texts, (list, tuple)) else (str(texts),)
