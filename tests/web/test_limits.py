"""An app's own limits on its page: said in plain words, judged at the field, kept as typed, and saved with the rest."""

import re
from html import unescape
from typing import Any

import pytest
from sqlmodel import col, select
from werkzeug.datastructures import MultiDict

from provision.core.tables import Event, EventDetail
from provision.house import House
from provision.services import connectors, mappings
from provision.services.errors import Invalid
from tests import office
from tests.cast import Browser, Cast
from tests.web.mapping_form import HERE, drawn, posted, put

LIMITS = {
    "hold_seconds": "10", "correlation": "", "limit_floor": "5", "limit_share": "10",
    "import_limit_floor": "5", "import_limit_share": "10", "position": "0",
}  # fmt: skip


@pytest.fixture
def o365(house: House, cast: Cast) -> int:
    return office.connected(house, cast.contoso)


@pytest.fixture
def form(ada: Browser, o365: int) -> MultiDict[str, str]:
    return drawn(ada.get(HERE).text)


@pytest.fixture
def stands(house: House, cast: Cast, o365: int):
    def _stands() -> dict[str, Any]:
        row = office.of(house, cast.contoso, o365)
        return connectors.Settled.now(row).model_dump(mode="json", include=set(LIMITS))

    return _stands


def section(page: str) -> str:
    """The part of the page that is about limits, as text of its tags."""
    start = page.index('id="limits"')
    return unescape(page[start : page.index("</section>", start)])


def test_each_limit_stands_there_with_what_it_means_and_what_is_usual(ada: Browser, o365: int, form) -> None:
    assert {name: form[name] for name in LIMITS} == LIMITS
    shown = section(ada.get(HERE).text)
    for words in ("From 0 to 60; usually 10.", "Usually 5, or 10 %.", "Usually none", "looked up as it was sent"):
        assert words in shown, words
    assert "%%" not in shown


def test_all_of_it_is_saved_at_once_and_written_down_from_before_to_after(
    ada: Browser, house: House, cast: Cast, form, stands
) -> None:
    wanted = {
        "hold_seconds": "0", "correlation": "extensionAttribute15", "limit_floor": "8", "limit_share": "29",
        "import_limit_floor": "3", "import_limit_share": "5", "position": "4",
    }  # fmt: skip
    for name, value in wanted.items():
        form[name] = value
    form["do"] = "save"
    assert posted(ada, form).status_code == 303
    assert {name: str(value) for name, value in stands().items()} == wanted
    with house.db.reading() as session:
        query = select(Event, EventDetail).join(EventDetail, col(EventDetail.event_id) == col(Event.id))
        found = session.exec(query.where(Event.action == "connector.settled", Event.tenant_id == cast.contoso)).all()
    ((event, detail),) = found
    assert event.actor == "ada@contoso.example"
    assert {name: str(value) for name, value in detail.after.items()} == wanted
    assert {name: "" if value is None else str(value) for name, value in detail.before.items()} == LIMITS
    again = drawn(ada.get(HERE).text)
    assert {name: again[name] for name in LIMITS} == wanted


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("hold_seconds", "61", "from 0 to 60"),
        ("hold_seconds", "", "from 0 to 60"),
        ("hold_seconds", "ten", "from 0 to 60"),
        ("hold_seconds", "9" * 9, "from 0 to 60"),
        ("limit_share", "101", "from 0 to 100"),
        ("limit_floor", "-1", "from 0 to 1000"),
        ("import_limit_share", "10.5", "from 0 to 100"),
        ("import_limit_floor", "٥", "from 0 to 1000"),
        ("position", "<b>", "from 0 to 1000"),
        ("correlation", "department", "department cannot keep a mark"),
        ("correlation", "mail", "mail cannot keep a mark"),
        ("correlation", "x" * 5000, "At most 80"),
        ("when_gone", "cry", "none of the choices"),
    ],
)
def test_what_cannot_be_is_said_at_its_field_and_stays_as_typed(
    ada: Browser, form, stands, name: str, value: str, says: str
) -> None:
    form["limit_floor"] = "9"
    form[name], before = value, stands()
    form["do"] = "save"
    answer = posted(ada, form)
    assert answer.status_code == 422
    assert says in unescape(answer.text)
    assert f'href="#f-{name}"' in answer.text
    assert drawn(answer.text)[name] == (value if name != "when_gone" else "keep")
    assert stands() == before
    if name in LIMITS:
        assert re.search(rf'id="f-{name}"[^>]*aria-describedby="f-{name}-err', answer.text)


def test_nothing_is_marked_in_an_attribute_that_a_row_uses(ada: Browser, form, stands) -> None:
    form["do"] = "add"
    grown = drawn(posted(ada, form).text)
    put(grown, "theirs", -1, "employeeId")
    put(grown, "ours", -1, "employee_id")
    grown["correlation"], grown["do"] = "employeeId", "save"
    refused = posted(ada, grown)
    assert refused.status_code == 422
    assert "A row of Attribute Mapping uses employeeId" in refused.text
    assert "Employee ID (mapped)" in refused.text
    assert stands()["correlation"] is None


def test_no_row_uses_the_attribute_in_which_accounts_are_marked(ada: Browser, form, stands) -> None:
    form["correlation"], form["do"] = "employeeId", "save"
    assert posted(ada, form).status_code == 303
    form = drawn(ada.get(HERE).text)
    form["do"] = "add"
    grown = drawn(posted(ada, form).text)
    put(grown, "theirs", -1, "employeeId")
    put(grown, "ours", -1, "employee_id")
    grown["do"] = "save"
    refused = posted(ada, grown)
    assert refused.status_code == 422
    assert "holds the mark of the accounts that are made from here" in refused.text
    assert f'href="#f-theirs-{len(grown.getlist("theirs")) - 1}"' in refused.text
    grown["correlation"] = ""
    assert posted(ada, grown).status_code == 303
    assert stands()["correlation"] is None


def test_who_changes_the_mark_reads_where_earlier_accounts_keep_theirs(ada: Browser, form) -> None:
    assert "Accounts made until now" not in ada.get(HERE).text
    form["correlation"], form["do"] = "extensionAttribute3", "save"
    posted(ada, form)
    assert "Accounts made until now keep their mark in extensionAttribute3." in ada.get(HERE).text


def test_a_stale_page_is_409_keeps_what_was_typed_and_means_it_the_second_time(
    ada: Browser, house: House, cast: Cast, o365: int, form, stands
) -> None:
    with house.db.writing() as session:
        connectors.settle(session, cast.contoso, o365, {"hold_seconds": 30}, "ben", house.now())
    form["limit_share"], form["do"] = "25", "save"
    answer = posted(ada, form)
    assert answer.status_code == 409
    again = drawn(answer.text)
    assert (again["limit_share"], again["hold_seconds"]) == ("25", "10")
    assert stands()["hold_seconds"] == 30
    again["do"] = "save"
    assert posted(ada, again).status_code == 303
    assert (stands()["limit_share"], stands()["hold_seconds"]) == (25, 10)


def test_who_may_not_own_sees_the_limits_and_cannot_change_them(enter, cast: Cast, form, stands) -> None:
    ben = enter(cast.ben)
    shown = ben.get(HERE).text
    assert "Undo hold, in seconds" in section(shown)
    assert re.search(r'<fieldset class="bare" disabled>', shown)
    form["hold_seconds"], form["do"] = "0", "save"
    assert posted(ben, form).status_code == 403
    assert stands()["hold_seconds"] == 10


def test_a_source_is_only_asked_what_means_something_for_it(ada: Browser, house: House, cast: Cast) -> None:
    with house.db.writing() as session:
        made = connectors.add(
            session, house.vault, cast.contoso, house.kinds, "csv", "HR", {}, None, "ada", house.now()
        ).id
    form = drawn(ada.get(HERE, query_string={"app": made}).text)
    assert {name for name in LIMITS if name in form} == {"import_limit_floor", "import_limit_share", "position"}


def test_a_scim_application_says_which_mark_it_always_has(ada: Browser, house: House, cast: Cast) -> None:
    config = {"base_url": "https://scim.example/v2"}
    with house.db.writing() as session:
        made = connectors.add(
            session, house.vault, cast.contoso, house.kinds, "scim", "Payroll", config, b"t", "ada", house.now()
        )
        number, schema = made.id or 0, house.kinds["scim"].attributes({})
    shown = ada.get(HERE, query_string={"app": number}).text
    assert "<code>externalId</code>" in section(shown)
    assert "correlation" not in drawn(shown)
    with house.db.writing() as session, pytest.raises(Invalid) as refused:
        mappings.settle(session, cast.contoso, number, {"correlation": "externalId"}, schema, "ada", house.now())
    assert refused.value.problems == {"correlation": "mark_brought"}
