"""The languages that pages speak: the catalogues beside the code, read as they are, and which one a request gets.

Owns the look-up of words; the console speaks English, pages for everybody the language of whoever reads them. A catalogue
is a plain ``.po`` file, compiled in memory when it is first needed, so nothing has to be built.
"""

import functools
import io
from importlib import resources

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations
from flask import Flask, g, request
from flask_babel import Babel, Domain, get_locale, refresh

from provision.core.onboarding import LANGUAGES, language_of

SPOKEN = (
    "activation_already", "activation_ask", "activation_busy", "activation_closed", "activation_doubt", "activation_later",
    "activation_over", "activation_tries", "activation_twice", "chosen_classes", "chosen_common", "chosen_name",
    "chosen_short", "chosen_signs", "chosen_unprintable", "password_differs", "password_long", "password_weak",
    "too_many_requests",
)  # fmt: skip
"""The remedies that people read on these pages, so that they stand in every catalogue."""


class Catalogues(Domain):  # type: ignore[misc]
    """The library's look-up, from our files."""

    def get_translations(self) -> Translations:
        """The catalogue of the request's language."""
        locale = get_locale()
        return catalogue(locale.language if locale else "en")


def install(app: Flask) -> None:
    """Give the application its languages."""
    babel = Babel(app, locale_selector=lambda: g.get("language"))
    babel.domain_instance = Catalogues()


def speak(language: str) -> None:
    """Answer this request in a language of ``LANGUAGES``."""
    g.language = "en_GB" if language == "en" else language
    refresh()


def preferred(otherwise: str = "en") -> str:
    """The first language that the browser asks for and we speak: *fr-CH* before *en* is French."""
    wanted = (language_of(tag, "") for tag, quality in request.accept_languages if quality > 0 and _spoken(tag))
    return next(wanted, otherwise)


def _spoken(tag: str) -> bool:
    return tag.replace("_", "-").partition("-")[0].lower() in LANGUAGES


@functools.cache
def catalogue(language: str) -> Translations:
    """One language's words; of English, and of languages without a file, the words as they stand in the code."""
    file = resources.files("provision") / "translations" / f"{language}.po"
    if not language.isalpha() or not file.is_file():
        return Translations()
    compiled = io.BytesIO()
    with file.open("rb") as source:
        write_mo(compiled, read_po(source, locale=language))
    compiled.seek(0)
    return Translations(compiled)
