"""Onboarding Status as an administrator meets it: who stands where, sending, revoking, previewing, and what came of it."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from sqlmodel import col, select

from provision.core.onboarding import OnboardingSettings
from provision.core.tables import Activation, Connector, Mail
from provision.core.vocabulary import MailState
from provision.house import House
from provision.services import mail, settings, users
from tests import office as offices
from tests import populate
from tests.cast import Browser, Cast, Clock
from tests.services.test_activation import FACTS, somebody

LIST = "/t/contoso/onboarding"
SEND = "Send Activation Mail with Password Reset Link"


@pytest.fixture
def people(house: House, cast: Cast, clock: Clock) -> dict[str, int]:
    """Three who can be invited, three who cannot, each for a reason of their own."""
    with house.db.writing() as session:
        app = populate.app(session, cast.contoso, clock(), facts=FACTS, outside_id="there")
        return {
            "ann": somebody(session, app, clock, "ann"),
            "bea": somebody(session, app, clock, "bea", preferred_language="de"),
            "cat": somebody(session, app, clock, "cat"),
            "fed": somebody(session, app, clock, "fed", email="fed@fed.example"),
            "syn": somebody(session, app, clock, "syn", there={"standing": {"synced": True}}),
            "boss": somebody(session, app, clock, "boss", there={"anchor": "boss"}),
        }


def mails(house: House) -> list[Mail]:
    with house.db.reading() as session:
        return list(session.exec(select(Mail).order_by(col(Mail.id))).all())


def follow(browser: Browser, form: dict[str, Any]) -> str:
    answer = browser.post(LIST, form)
    assert answer.status_code == 303, answer.text
    return browser.get(answer.location).text


def test_W_1_the_tab_lists_people_with_where_they_stand(ada: Browser, people: dict[str, int]) -> None:
    text = ada.get(LIST).text
    assert re.search(r'aria-current="page">Onboarding Status', text)
    assert "Not invited <b>3</b>" in text
    assert "Cannot be invited <b>3</b>" in text
    assert "ann@home.example" in text
    assert "<b>6</b>Everyone" in text


def test_W_1_the_tab_stands_beside_the_user_list(ada: Browser, people: dict[str, int]) -> None:
    assert f'href="{LIST}">Onboarding Status' in ada.get("/t/contoso/users").text


def test_W_2_people_are_ticked_one_by_one_or_all(ada: Browser, people: dict[str, int]) -> None:
    text = ada.get(LIST).text
    assert len(re.findall(r'name="chosen" value="\d+" data-tick', text)) == 3
    assert "data-tick-all" in text


def test_W_3_the_action_stands_in_the_drop_down(ada: Browser, people: dict[str, int]) -> None:
    text = ada.get(LIST).text
    assert re.search(r"<label[^>]*>Select Action</label>", text)
    assert f'<option value="send">{SEND}</option>' in text
    assert "Apply" in text


def test_W_4_applying_sends_and_tells_each_persons_result(house: House, ada: Browser, people: dict[str, int]) -> None:
    text = follow(ada, {"do": "send", "chosen": [people["ann"], people["bea"], people["fed"]]})
    assert [(row.address, row.language) for row in mails(house)] == [
        ("ann@home.example", "en"),
        ("bea@home.example", "de"),
    ]
    assert text.count("Mail queued") == 3, "twice as a row, once as a count"
    assert text.count("Cannot be invited") == 1
    assert "kept elsewhere" in text or "Entra" in text or "directory" in text
    mail.deliver(house.post())
    assert {row.state for row in mails(house)} == {MailState.SENT}
    listed = ada.get(LIST).text
    assert "Sent <b>2</b>" in listed
    assert "Link works until" in listed


def test_W_8_who_cannot_be_helped_is_told_so_before_the_click(
    house: House, ada: Browser, people: dict[str, int]
) -> None:
    text = ada.get(f"{LIST}?state=blocked").text
    for name in ("fed", "syn", "boss"):
        assert re.search(rf'disabled aria-label="Select {name.title()}" aria-describedby="why-{people[name]}"', text)
        assert f'id="why-{people[name]}"' in text
    follow(ada, {"do": "send", "chosen": [people["fed"], people["syn"], people["boss"]]})
    assert mails(house) == []


def test_everybody_that_matches_is_counted_and_shown_before_anything_leaves(
    house: House, ada: Browser, people: dict[str, int]
) -> None:
    form = {"do": "send", "everyone": "on", "state": "not invited", "q": ""}
    asked = ada.post(LIST, form)
    assert "Send a link to 3 people?" in asked.text
    assert mails(house) == []
    token = re.search(r'name="token" value="(\w+)"', asked.text)
    assert token
    follow(ada, {**form, "token": token[1]})
    assert len(mails(house)) == 3


def test_an_answer_to_another_list_than_was_shown_sends_nothing(
    house: House, cast: Cast, clock: Clock, ada: Browser, people: dict[str, int]
) -> None:
    form = {"do": "send", "everyone": "on", "state": "not invited"}
    token = re.search(r'name="token" value="(\w+)"', ada.post(LIST, form).text)
    assert token
    with house.db.writing() as session:
        populate.person(
            session, cast.contoso, clock(), "New One", email="new@contoso.example", private_email="n@h.example"
        )
        app = populate.app(session, cast.contoso, clock(), name="Other", facts=FACTS, outside_id="elsewhere")
        somebody(session, app, clock, "dan")
    again = ada.post(LIST, {**form, "token": token[1]})
    assert "The list has changed since you looked." in again.text
    assert mails(house) == []


def test_sending_twice_by_a_double_click_leaves_one_live_link(
    house: House, ada: Browser, people: dict[str, int]
) -> None:
    for _ in range(2):
        follow(ada, {"do": "send", "chosen": [people["ann"]]})
    mail.deliver(house.post())
    with house.db.reading() as session:
        assert len(session.exec(select(Activation).where(col(Activation.revoked_at).is_(None))).all()) == 1
    assert [row.state for row in mails(house)] == [MailState.CANCELLED, MailState.SENT]


def test_the_fourth_mail_within_an_hour_is_refused_with_its_reason(
    house: House, ada: Browser, people: dict[str, int]
) -> None:
    for _ in range(3):
        follow(ada, {"do": "send", "chosen": [people["ann"]]})
    assert "Enough mails for now" in follow(ada, {"do": "send", "chosen": [people["ann"]]})


def test_revoking_ends_the_link_and_calls_off_its_mail(house: House, ada: Browser, people: dict[str, int]) -> None:
    follow(ada, {"do": "send", "chosen": [people["ann"]]})
    assert "One link was revoked." in follow(ada, {"do": "revoke", "chosen": [people["ann"]]})
    mail.deliver(house.post())
    assert [row.state for row in mails(house)] == [MailState.CANCELLED]


@pytest.mark.parametrize("form", [{"do": "send"}, {"chosen": ["1"]}, {"do": "send", "chosen": ["x", "9" * 30, "-1"]}])
def test_nothing_chosen_does_nothing_and_says_so(house: House, ada: Browser, people: dict[str, int], form: Any) -> None:
    text = follow(ada, form)
    assert "note warn" in text
    assert mails(house) == []


def test_another_tenants_people_cannot_be_sent_to_or_seen(
    house: House, enter: Callable[[int], Browser], cast: Cast, people: dict[str, int]
) -> None:
    cy = enter(cast.cy)
    answer = cy.post("/t/fabrikam/onboarding", {"do": "send", "chosen": [people["ann"]]})
    assert cy.get(answer.location).status_code == 404
    assert mails(house) == []
    assert cy.get(f"/t/fabrikam/onboarding/preview?user={people['ann']}").status_code == 404


def test_an_auditor_looks_and_sends_nothing(
    enter: Callable[[int], Browser], cast: Cast, people: dict[str, int]
) -> None:
    dee = enter(cast.dee)
    text = dee.get(LIST).text
    assert "Select Action" not in text
    assert dee.post(LIST, {"do": "send", "chosen": [people["ann"]]}).status_code == 403


def test_the_preview_speaks_the_persons_language_and_holds_no_live_link(ada: Browser, people: dict[str, int]) -> None:
    text = ada.get(f"{LIST}/preview?user={people['bea']}").text
    assert "Passwort festlegen" in text
    assert "bea@contoso.example" in text
    assert "/activate/…" in text
    assert "Définir mon mot de passe" in ada.get(f"{LIST}/preview?language=fr").text


def test_a_page_of_many_goes_on_behind_the_last(
    house: House, cast: Cast, clock: Clock, ada: Browser, people: dict[str, int]
) -> None:
    with house.db.writing() as session:
        for number in range(60):
            populate.person(session, cast.contoso, clock(), f"Person {number:03}", email=f"p{number}@contoso.example")
    seen, url = [], f"{LIST}?q=person"
    while url:
        text = ada.get(url).text
        seen += re.findall(r">(Person \d+)</a>", text)
        after = re.search(r'rel="next" href="([^"]+)"', text)
        url = after[1].replace("&amp;", "&") if after else ""
    assert seen == [f"Person {number:03}" for number in range(60)]


def test_a_hostile_person_is_text_on_every_page(house: House, cast: Cast, clock: Clock, ada: Browser) -> None:
    with house.db.writing() as session:
        person = populate.hostile(session, cast.contoso, clock())
        settings.save_onboarding(session, cast.contoso, OnboardingSettings(organisation="<b>&x"), "ada", clock())
    for url in (LIST, f"{LIST}/preview?user={person.id}", f"{LIST}?q=%3Cscript%3E&state=%27&after=-1"):
        answer = ada.get(url)
        assert answer.status_code == 200
        assert "<img src=x" not in answer.text
        assert "<b>&x" not in answer.text


@pytest.mark.parametrize("at", ["", "yesterday", "2026-11-23T09:30:00+00:00", "9999-12-31T23:59:59+00:00"])
def test_a_result_that_never_was_is_not_found(ada: Browser, people: dict[str, int], at: str) -> None:
    assert ada.get(f"{LIST}/sent", query_string={"at": at}).status_code == 404


def test_what_stops_a_whole_app_is_said_once_above_the_list(
    house: House, ada: Browser, people: dict[str, int], clock: Clock
) -> None:
    assert "may not set passwords" not in ada.get(LIST).text
    with house.db.writing() as session:
        app = session.exec(select(Connector)).one()
        rights = [{**one, "state": "missing"} for one in FACTS["rights"]]
        app.facts = {**app.facts, "rights": rights}
        session.add(app)
    text = ada.get(LIST).text
    assert text.count("the permission doctor on the app’s page shows the way") == 1
    assert f'href="/t/contoso/apps/{people_app(house)}">Open the app</a>' in text
    assert "Cannot be invited <b>6</b>" in text


def people_app(house: House) -> int:
    with house.db.reading() as session:
        return session.exec(select(Connector.id)).one() or 0


def test_before_anybody_is_here_there_is_nothing_to_count_and_nothing_to_search(ada: Browser) -> None:
    text = ada.get(LIST).text
    assert "Nobody here yet" in text
    assert 'class="funnel"' not in text
    assert 'role="search" aria-label="Filter people"' not in text


def test_whose_link_ended_reads_why_and_when(
    house: House, cast: Cast, clock: Clock, ada: Browser, people: dict[str, int]
) -> None:
    ada.post(LIST, {"do": "send", "chosen": [str(people["ann"]), str(people["bea"])]})
    mail.deliver(house.post())
    clock.forward(minutes=5)
    at = clock()
    with house.db.writing() as session:
        users.edit(session, cast.contoso, people["ann"], {"private_email": "new@home.example"}, offices.order(house))
    ada.post(LIST, {"do": "revoke", "chosen": [str(people["bea"])]})
    clock.forward(minutes=5)
    rows = re.findall(r"<tr>.*?</tr>", ada.get(LIST).text, re.S)
    told = {name: next(row for row in rows if f"{name}@contoso.example" in row) for name in ("ann", "bea", "cat")}
    assert "The link was ended: an address changed." in told["ann"]
    assert "The link was revoked." in told["bea"]
    assert [f'datetime="{at.isoformat()}' in row for row in told.values()] == [True, True, False]
    assert "link was" not in told["cat"]
    ada.post(LIST, {"do": "send", "chosen": [str(people["ann"])]})
    assert "an address changed" not in ada.get(LIST).text
