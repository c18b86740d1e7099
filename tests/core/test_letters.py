"""Words and values become letters: in six languages, with placeholders only, and every value is taken for hostile."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provision.core.letters import CURLY, PLACEHOLDERS, Letter, Seal, Words, built_in, compose, frame, judge
from provision.core.logos import judge as judge_logo
from provision.core.onboarding import LANGUAGES
from provision.core.vocabulary import MailTemplate
from provision.factory import assets
from tests import pictures

CSS = (assets("static") / "letter.css").read_text()
LINK = "https://provision.example/activate/abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ"
VALUES = {
    "name": "Jo Olsen",
    "organisation": "Contoso",
    "address": "jo@contoso.example",
    "link": LINK,
    "until": "Thursday",
    "time": "Monday",
    "apps": "Microsoft 365",
    "app": "Office 365",
    "page": "https://provision.example/t/contoso/apps/1",
    "licence": "Microsoft 365 E3",
    "waiting": "12",
}
EVERY = [(template, language) for template in MailTemplate for language in LANGUAGES]


def letter(
    template: MailTemplate = MailTemplate.ACTIVATION,
    language: str = "en",
    words: Words | None = None,
    seal: Seal | None = None,
    **values: str,
) -> Letter:
    return compose(
        words or built_in(template, language),
        {**VALUES, **values},
        frame(template, language),
        css=CSS,
        language=language,
        organisation=values.get("organisation", "Contoso"),
        seal=seal,
    )


@pytest.mark.parametrize(("template", "language"), EVERY)
def test_every_letter_is_written_in_every_language_and_keeps_its_own_rules(
    template: MailTemplate, language: str
) -> None:
    words = built_in(template, language)
    assert judge(template, words) == {}
    english = built_in(template, "en")
    assert set(CURLY.findall(words.body)) == set(CURLY.findall(english.body))
    made = letter(template, language)
    assert "{" not in made.subject + made.text + made.inside
    assert "…" not in made.subject + made.text
    assert f'lang="{language}"' in made.html
    if language != "en":
        assert words != english


@pytest.mark.parametrize(("template", "language"), EVERY)
def test_a_letter_loads_nothing_from_outside_and_needs_no_style_sheet(template: MailTemplate, language: str) -> None:
    html = letter(template, language).html
    assert not re.search(r"<(img|script|link|iframe|object|form)\b", html)
    assert not re.search(r"url\(|@import|src=", html)
    assert 'style="' in html
    assert set(re.findall(r'href="([^"]+)"', html)) <= {VALUES["link"], VALUES["page"]}
    assert all(len(line) < 998 for line in html.splitlines())


def test_a_link_on_a_line_of_its_own_is_a_button_and_stands_there_to_be_copied() -> None:
    made = letter()
    assert f'<a class="l-button" href="{LINK}">Set your password</a>' in made.inside
    assert made.inside.count(f'href="{LINK}"') == 2
    assert f"\n\n{LINK}\n\n" in made.text


def test_a_confirmation_holds_no_link() -> None:
    assert "http" not in letter(MailTemplate.CONFIRMATION).text
    assert "href" not in letter(MailTemplate.CONFIRMATION).html


@pytest.mark.parametrize("evil", ["https://evil.example", "Win www.evil.example", "evil.example/login now"])
def test_a_name_that_would_become_a_link_is_left_out(evil: str) -> None:
    made = letter(name=evil)
    assert "evil" not in made.text + made.html


@pytest.mark.parametrize("name", ["Novo A/S", "J.R. Tolkien", "O’Brien & Sons", "Ærø–Ñandú", "अदिति"])
def test_an_ordinary_name_is_kept_as_it_is(name: str) -> None:
    assert name in letter(name=name).text


_TEXT = st.text(max_size=200)


@settings(max_examples=80, deadline=None)
@given(_TEXT, _TEXT, _TEXT)
def test_no_value_becomes_markup_a_line_or_a_placeholder(name: str, organisation: str, address: str) -> None:
    plain = letter()
    made = letter(name=name, organisation=organisation, address=address)
    assert "\n" not in made.subject
    assert "\r" not in made.subject
    assert made.text.count("\n") == plain.text.count("\n")
    tags = re.compile(r"<[a-z/!][^>]*>")
    assert tags.findall(made.inside) == tags.findall(plain.inside)


def test_a_value_that_looks_like_a_placeholder_is_not_filled_again() -> None:
    assert letter(name="{link}").text.count(LINK) == 1


@pytest.mark.parametrize(
    ("subject", "body", "problems"),
    [
        ("Hello", "no link here", {"body": "placeholder_missing"}),
        ("Hello {password}", "{link}", {"subject": "placeholder_unknown"}),
        ("See {link}", "{link}", {"subject": "link_in_subject"}),
        ("two\nlines", "{link}", {"subject": "value_unfit"}),
        ("", " ", {"subject": "required", "body": "required"}),
        ("x" * 151, "{link}" + "y" * 4000, {"subject": "value_too_long", "body": "value_too_long"}),
        ("Hi", "{link} {name.__class__} {0} {{ 7*7 }}", {"body": "placeholder_unknown"}),
        ("Hi", "{link} {{ config }} {% if %}", {}),
    ],
)
def test_what_a_tenant_may_not_write_is_told_at_its_field(subject: str, body: str, problems: dict[str, str]) -> None:
    found = judge(MailTemplate.ACTIVATION, Words(subject, body))
    assert {field: code for field, (code, _) in found.items()} == problems


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300), st.text(max_size=60))
def test_whatever_a_tenant_writes_stays_text(body: str, subject: str) -> None:
    words = Words(subject, f"<script>alert(1)</script>{body}\n\n{{link}}")
    made = letter(words=words)
    assert "<script" not in made.html
    assert set(re.findall(r'href="([^"]+)"', made.inside)) <= {LINK}


def test_every_placeholder_that_a_letter_knows_can_be_filled() -> None:
    assert {name for names in PLACEHOLDERS.values() for name in names} == set(VALUES)


@pytest.mark.parametrize(("sides", "alone"), [((400, 80), True), ((64, 64), False)])
def test_a_logo_stands_for_the_name_or_beside_it_and_comes_with_the_mail(sides: tuple[int, int], alone: bool) -> None:
    content = pictures.png(*sides)
    seal = Seal(judge_logo(content), content, "/logo/x")
    made = letter(seal=seal)
    assert f'src="cid:{seal.cid}"' in made.html
    assert "/logo/x" not in made.html
    assert 'src="/logo/x"' in made.inside
    head = made.inside.splitlines()[0]
    assert ('alt="Contoso"' in head, "> Contoso<" in head) == (alone, not alone)
    assert (made.text, made.subject) == (letter().text, letter().subject)
