"""The building blocks of pages, rendered by themselves in a small application that refuses undefined names."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, flash, g, render_template, render_template_string
from flask_babel import Babel
from flask_wtf import CSRFProtect
from jinja2 import StrictUndefined

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
KINDS = re.findall(r"^  '(\w+)': \{$", (ROOT / "templates/macros/badges.html").read_text("utf-8"), re.M)


@pytest.fixture
def app() -> Flask:
    app = Flask(__name__, template_folder=str(ROOT / "templates"), static_folder=str(ROOT / "static"))
    app.config.update(SECRET_KEY="only for these tests", TESTING=True)
    app.jinja_env.undefined = StrictUndefined
    Babel(app, default_locale="en_GB")
    CSRFProtect(app)
    return app


def draw(app: Flask, source: str, path: str = "/", **given: Any) -> str:
    head = "".join(
        f'{{% import "macros/{name}.html" as {name} %}}'
        for name in ("form", "table", "badges", "diff", "timeline", "parts")
    )
    with app.test_request_context(path):
        g.now = NOW
        return render_template_string(head + source, **given)


def whole(app: Flask, template: str, theme: str = "", /, **given: Any) -> str:
    with app.test_request_context("/", headers={"Cookie": f"theme={theme}"} if theme else {}):
        g.now = NOW
        return render_template(template, **given)


# -- Status -----------------------------------------------------------------------------------------------------------------


def test_a_status_is_an_icon_and_a_word(app: Flask) -> None:
    html = draw(app, "{{ badges.state('operation', 'blocked', 'No free seat') }}")
    assert "#hand-stop" in html
    assert "Blocked" in html
    assert "No free seat" in html
    assert "st-warn" in html


def test_only_what_needs_a_person_is_tinted(app: Flask) -> None:
    assert "st-warn" not in draw(app, "{{ badges.state('operation', 'blocked', plain=true) }}")
    assert "st-ok" in draw(app, "{{ badges.state('user', 'active') }}")


def test_an_unknown_status_is_shown_as_it_is(app: Flask) -> None:
    html = draw(app, "{{ badges.state('user', '<odd>') }}")
    assert "&lt;odd&gt;" in html
    assert "<odd>" not in html
    assert "st-" not in html


def test_every_status_word_has_an_icon_of_the_sprite(app: Flask) -> None:
    table = (ROOT / "templates/macros/badges.html").read_text("utf-8")
    icons = re.findall(r"N_\('[^']+'\), '([a-z0-9-]+)', '(?:ok|plan|warn|bad|)'\)", table)
    sprite = (ROOT / "static/icons.svg").read_text("utf-8")
    assert len(icons) == table.count("(N_(") > 50
    assert [icon for icon in icons if f'<symbol id="{icon}"' not in sprite] == []


def test_the_table_knows_the_kinds_that_pages_name() -> None:
    assert {"user", "operation", "held", "account", "there", "row", "activation", "permission", "change"} <= set(KINDS)


# -- Changes ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("was", "becomes", "shown"),
    [
        ("Lead Physiotherapist", "Senior Physiotherapist", "<mark>Senior</mark> Physiotherapist"),
        ("Pharmacy", "Pharmacy & Compounding", "Pharmacy <mark>&amp; Compounding</mark>"),
        ("Head of North Ward", "Head of South Ward", "Head of <mark>South</mark> Ward"),
        ("Nurse", "Midwife", "Midwife"),
        ("Nurse of Ward", "Nurse Ward", "Nurse Ward"),
        ("a b a", "a b a b a", "a b a <mark>b a</mark>"),
    ],
)
def test_only_the_changed_words_are_marked(app: Flask, was: str, becomes: str, shown: str) -> None:
    html = draw(app, "{{ diff.changes([('Job title', was, becomes)]) }}", was=was, becomes=becomes)
    assert f"becomes </span>{shown}</ins>" in html


def test_missing_values_read_empty(app: Flask) -> None:
    html = draw(app, "{{ diff.changes([('Mobile', none, '1'), ('Fax', '2', '')]) }}")
    assert html.count(">empty<") == 2


def test_values_of_a_change_are_escaped(app: Flask) -> None:
    html = draw(app, "{{ diff.changes([('<b>', '<i> x', '<u> x')]) }}")
    assert not re.search(r"<[biu]>", html)


def test_a_planned_change_is_dashed_and_one_that_happened_is_not(app: Flask) -> None:
    assert 'class="diff tight will"' in draw(app, "{{ diff.changes([('a', 1, 2)], planned=true, look='tight') }}")
    assert 'class="diff"' in draw(app, "{{ diff.changes([('a', 1, 2)]) }}")


def test_a_new_account_shows_only_what_comes(app: Flask) -> None:
    html = draw(app, "{{ diff.changes([('Address', none, 'a@b.example')], new=true) }}")
    assert "empty" not in html
    assert "a@b.example" in html


def test_a_timeline_entry_tells_who_what_and_how_sure(app: Flask) -> None:
    source = (
        "{% call timeline.entry(at, 'check', 'ok', proof='Confirmed in 0.8 s') %}<b>Workday</b> changed it{% endcall %}"
    )
    html = draw(app, source, at=NOW)
    assert "<b>Workday</b> changed it" in html
    assert "09:30" in html
    assert 'class="meta">Confirmed in 0.8 s' in html


# -- Time -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("show", "ago", "words"),
    [
        ("relative", timedelta(hours=2), "2 hours ago"),
        ("relative", -timedelta(minutes=3), "in 3 minutes"),
        ("clock", timedelta(hours=2), "<span>07:30</span>"),
        ("clock", timedelta(days=4), "<span>19 Nov</span>"),
        ("day", timedelta(0), "<span>23 Nov</span>"),
        ("full", timedelta(0), "23 Nov 2026, 09:30"),
    ],
)
def test_a_time_is_told_as_asked(app: Flask, show: str, ago: timedelta, words: str) -> None:
    html = draw(app, "{{ parts.time(at, show) }}", at=NOW - ago, show=show)
    assert words in html
    assert f'datetime="{(NOW - ago).isoformat()}"' in html


def test_a_relative_time_always_carries_the_full_one(app: Flask) -> None:
    assert "23 Nov 2026, 09:30" in draw(app, "{{ parts.time(at) }}", at=NOW)


def test_no_time_reads_never(app: Flask) -> None:
    assert "never" in draw(app, "{{ parts.time(none) }}")


# -- Forms ------------------------------------------------------------------------------------------------------------------


def test_a_field_is_tied_to_its_label_hint_and_error(app: Flask) -> None:
    html = draw(app, "{{ form.field('email', 'Email', 'x', hint='Signs in with it.', error='It is taken.') }}")
    assert 'for="f-email"' in html
    assert 'aria-describedby="f-email-err f-email-hint"' in html
    assert 'aria-invalid="true"' in html
    assert 'id="f-email-err"' in html
    assert 'id="f-email-hint"' in html


def test_a_password_is_never_sent_back(app: Flask) -> None:
    assert "secret" not in draw(app, "{{ form.field('password', 'Password', 'secret', type='password') }}")


def test_a_hostile_value_stays_a_value(app: Flask) -> None:
    html = draw(
        app, "{{ form.field('a', 'A', value) }}{{ form.select('b', 'B', [(value, value)]) }}", value='"><script>'
    )
    assert "<script>" not in html


def test_the_present_choice_is_selected_also_when_it_is_none(app: Flask) -> None:
    options = "[(none, 'All'), ('Group', [(7, 'Seven')])]"
    assert 'value="" selected' in draw(app, f"{{{{ form.select('a', 'A', {options}, none) }}}}")
    assert 'value="7" selected' in draw(app, f"{{{{ form.select('a', 'A', {options}, '7') }}}}")


def test_the_summary_counts_and_leads_to_the_fields(app: Flask) -> None:
    html = draw(app, "{{ form.error_summary(errors) }}", errors={"email": "It is taken.", "": "Both differ."})
    assert "2 things to correct" in html
    assert 'href="#f-email"' in html
    assert "autofocus" in html
    assert "<li>Both differ.</li>" in html
    assert draw(app, "{{ form.error_summary({}) }}").strip() == ""


# -- Tables -----------------------------------------------------------------------------------------------------------------


def test_a_sorted_column_turns_round_and_drops_the_cursor(app: Flask) -> None:
    html = draw(app, "{{ table.sorted_header('Name', 'name', 'name') }}", "/users?q=a%26b&sort=name&after=zzz")
    assert 'aria-sort="ascending"' in html
    assert 'href="/users?q=a%26b&amp;sort=-name"' in html


def test_addresses_of_a_table_stay_on_this_page(app: Flask) -> None:
    html = draw(app, "{{ table.here({'sort': 'name'}) }}", "/users?_external=1&_scheme=javascript&_anchor=x")
    assert html.startswith("/users?")


def test_a_pager_offers_only_the_ways_there_are(app: Flask) -> None:
    html = draw(app, "{{ table.pager(none, '/users?after=a', '1–50 of 418', '#rows') }}")
    assert 'rel="next"' in html
    assert 'rel="prev"' not in html
    assert 'hx-target="#rows"' in html
    assert "btn" not in draw(app, "{{ table.pager(none, none, '3 people') }}")


@pytest.mark.parametrize(
    ("name", "letters"), [("Aoife Ní Bhraonáin", "AB"), ("Ólafur", "Ó"), ("Олена Шевченко", "ОШ"), ("", "·")]
)
def test_initials_are_the_first_and_the_last(app: Flask, name: str, letters: str) -> None:
    assert f">{letters}<" in draw(app, "{{ table.who(name) }}", name=name)


# -- Whole pages ------------------------------------------------------------------------------------------------------------


def frame(**more: Any) -> dict[str, Any]:
    people = [{"label": "User List", "url": "/users", "current": True}]
    return {
        "operator": {"name": "Åsa Lindholm", "email": "asa@fjordvik.example", "role": "Owner"},
        "tenant": {"name": "Fjordvik"},
        "tenants": [{"name": "Fjordvik", "url": "/f", "current": True}, {"name": "Contoso", "url": "/c"}],
        "nav": [{"label": "Users", "url": "/users", "icon": "users", "badge": 3, "urgent": True, "children": people}],
        "theme_url": "/theme",
        "signout_url": "/signout",
        "search_url": "/users",
    } | more


def test_the_frame_renders_with_everything_and_with_nothing(app: Flask) -> None:
    full, bare = whole(app, "layout.html", **frame()), whole(app, "layout.html")
    assert full.count("<h1>") == bare.count("<h1>") == 1
    assert 'aria-current="page">User List' in full
    assert "Contoso" in full
    assert full.count('action="/signout"') == 1
    assert "Sign out" not in bare


def test_signing_out_and_the_theme_are_posts_with_a_token(app: Flask) -> None:
    for form in re.findall(r'<form[^>]*method="post".*?</form>', whole(app, "layout.html", **frame()), re.S):
        assert 'name="csrf_token"' in form


@pytest.mark.parametrize(("cookie", "told"), [("dark", 'data-bs-theme="dark"'), ("system", ""), ('x" y="', "")])
def test_the_theme_comes_from_the_cookie_and_is_one_of_two(app: Flask, cookie: str, told: str) -> None:
    opening = re.search(r"<html[^>]*>", whole(app, "layout.html", cookie))
    assert opening
    assert (told in opening[0]) if told else ("data-bs-theme" not in opening[0])


def test_htmx_is_told_not_to_evaluate_and_to_swap_refusals(app: Flask) -> None:
    html = whole(app, "layout.html")
    for setting in ('"allowEval":false', '"includeIndicatorStyles":false', '"selfRequestsOnly":true', "(409|422)"):
        assert setting in html


def test_flashes_become_toasts_or_notices(app: Flask) -> None:
    with app.test_request_context("/"):
        flash("Mobile saved.", "ok")
        flash("Delete User is off.", "warn")
        html = render_template("layout.html")
    assert re.search(r'id="toasts".*Mobile saved\.', html, re.S)
    assert re.search(r'class="note warn".*Delete User is off\.', html, re.S)
    assert html.count("Mobile saved.") == html.count("Delete User is off.") == 1


def test_the_error_page_stands_in_the_console_only_for_someone_signed_in(app: Flask) -> None:
    told = {"status": 404, "title": "There is no such person", "happened": "Nobody has this address."}
    inside, outside = whole(app, "errors/error.html", **frame(**told)), whole(app, "errors/error.html", **told)
    assert 'id="side"' in inside
    assert 'id="side"' not in outside
    for html in (inside, outside):
        assert html.count("<h1>") == 1
        assert "<title>Error: There is no such person" in html


def test_sign_in_keeps_the_address_and_tells_the_refusal(app: Flask) -> None:
    given = {"form": {"email": "asa@fjordvik.example"}, "errors": {"": "The address or the password is not right."}}
    html = whole(app, "signin/signin.html", next="/t/fjordvik/", **given)
    assert 'value="asa@fjordvik.example"' in html
    assert 'role="alert"' in html
    assert 'value="/t/fjordvik/"' in html


def test_the_first_owner_chooses_a_password_for_a_known_address(app: Flask) -> None:
    html = whole(app, "signin/first.html", email="asa@fjordvik.example", minimum=12, errors={"again": "They differ."})
    assert html.count('autocomplete="new-password"') == 2
    assert "12 characters" in html
    assert "They differ." in html
