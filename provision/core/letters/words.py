"""The words of letters: built in per language, or written by a tenant, with placeholders and nothing else that acts.

Owns which placeholders there are and what a tenant may write; fills none of them.
"""

import functools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from provision.core.onboarding import LANGUAGES
from provision.core.vocabulary import MailTemplate

CURLY = re.compile(r"\{(\w+)\}")
"""A placeholder. It is a name and never an expression: nothing can be looked up or called from it."""

_PERSON = ("name", "organisation", "address")
PLACEHOLDERS: Mapping[MailTemplate, tuple[str, ...]] = {
    MailTemplate.ACTIVATION: (*_PERSON, "apps", "link", "until"),
    MailTemplate.REMINDER: (*_PERSON, "apps", "link", "until"),
    MailTemplate.CONFIRMATION: (*_PERSON, "apps", "time"),
    MailTemplate.TEST: ("organisation", "time"),
    MailTemplate.QUARANTINE: ("app", "organisation", "page"),
    MailTemplate.SECRET: ("app", "organisation", "page", "until"),
    MailTemplate.RECOVERED: ("app", "organisation", "page"),
    MailTemplate.SEATS: ("app", "licence", "organisation", "page", "waiting"),
}
"""What a letter may say → by these names."""

_NEEDED: Mapping[MailTemplate, tuple[str, ...]] = {
    MailTemplate.ACTIVATION: ("link",),
    MailTemplate.REMINDER: ("link",),
}
SAMPLES: Mapping[str, str] = {
    "name": "Ingrid Solberg",
    "address": "ingrid.solberg@contoso.example",
    "link": "https://provision.example/activate/…",
    "apps": "Microsoft 365",
    "app": "Payroll",
    "page": "https://provision.example/…",
    "licence": "Microsoft 365 E3",
    "waiting": "12",
}
"""What stands in a preview where there is no person yet."""

LONGEST = {"subject": 150, "body": 4000}


@dataclass(frozen=True, slots=True)
class Words:
    """What one letter says in one language: a line, and paragraphs between empty lines."""

    subject: str
    body: str


def built_in(template: MailTemplate, language: str) -> Words:
    """The words that come with the product."""
    text = _texts(language)[template.value]
    return Words(text["subject"], text["body"].strip())


def frame(template: MailTemplate, language: str) -> Mapping[str, str]:
    """What stands around the words: *button*, *below* the button, *footer*; and *moment*, the pattern of a time."""
    texts = _texts(language)
    return {
        "button": "",
        **texts["frame"],
        **{k: v for k, v in texts[template.value].items() if k in ("button", "footer")},
    }


def judge(template: MailTemplate, words: Words) -> dict[str, tuple[str, dict[str, Any]]]:
    """Field → remedy code and blanks of what a tenant may not write."""
    problems: dict[str, tuple[str, dict[str, Any]]] = {}
    allowed, needed = PLACEHOLDERS[template], _NEEDED.get(template, ())
    for field, text in (("body", words.body), ("subject", words.subject)):
        strange = sorted(set(CURLY.findall(text)) - set(allowed))
        if not text.strip():
            problems[field] = ("required", {})
        elif len(text) > LONGEST[field]:
            problems[field] = ("value_too_long", {})
        elif any(sign < " " and sign not in ("\n\t" if field == "body" else "") for sign in text):
            problems[field] = ("value_unfit", {})
        elif strange:
            problems[field] = ("placeholder_unknown", {"names": ", ".join(f"{{{one}}}" for one in strange)})
        elif field == "subject" and "link" in CURLY.findall(text):
            problems[field] = ("link_in_subject", {})
        elif field == "body" and (missing := [one for one in needed if one not in CURLY.findall(text)]):
            problems[field] = ("placeholder_missing", {"names": ", ".join(f"{{{one}}}" for one in missing)})
    return problems


@functools.cache
def _texts(language: str) -> Mapping[str, Mapping[str, str]]:
    file = resources.files(__package__) / f"{language if language in LANGUAGES else 'en'}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))
