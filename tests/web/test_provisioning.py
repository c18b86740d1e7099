"""Provisioning: the four switches and Attribute Mapping, edited without script, tried on real people before saving."""

import re
from html import unescape

import pytest
from werkzeug.datastructures import MultiDict

from provision.core.mapping import Row
from provision.core.vocabulary import Direction, MappingKind
from provision.house import House
from provision.services import connectors, mappings
from tests import office
from tests.cast import Browser, Cast
from tests.web.mapping_form import HERE, drawn, posted, put


@pytest.fixture
def o365(house: House, cast: Cast) -> int:
    return office.connected(house, cast.contoso)


@pytest.fixture
def rows(house: House, cast: Cast, o365: int):
    def _rows() -> list[Row]:
        with house.db.reading() as session:
            return mappings.rows(session, cast.contoso, o365)

    return _rows


@pytest.fixture
def form(ada: Browser, o365: int) -> MultiDict[str, str]:
    return drawn(ada.get(HERE).text)


# -- What stands there -------------------------------------------------------------------------------------------------------


def test_without_an_app_the_page_leads_to_apps(ada: Browser) -> None:
    assert "/t/contoso/apps" in ada.get(HERE).text


def test_A_9_and_A_10_the_drop_down_chooses_the_app_whose_settings_load(
    ada: Browser, house: House, cast: Cast, o365: int
) -> None:
    other = office.added(house, cast.contoso, name="Other tenant")
    shown = ada.get(HERE, query_string={"app": other}).text
    assert re.search(rf'<option value="{other}" selected>Other tenant', shown)
    assert "Other tenant is not connected yet" in shown


def test_A_11_the_section_has_the_guides_columns(ada: Browser, o365: int) -> None:
    shown = ada.get(HERE).text
    assert [
        name for name in ("Attribute Mapping", "Target Attributes", "provision Attribute", "Value") if name not in shown
    ] == []


def test_A_12_the_default_rows_are_the_guides(ada: Browser, o365: int) -> None:
    shown = ada.get(HERE).text
    for theirs, label in (
        ("givenName", "First Name"),
        ("surname", "Last Name"),
        ("mailNickname", "Username"),
        ("userPrincipalName", "Email Address"),
    ):
        row = shown[shown.index(f"<code>{theirs}</code>") :]
        row = row[: row.index("</tr>")]
        assert re.search(rf"<option value=\"\w+\" selected>{label}</option>", row)
        assert re.search(r'<option value="profile" selected>Default User Profile', row)


def test_A_14_there_are_four_switches_by_the_guides_names(ada: Browser, o365: int) -> None:
    shown = ada.get(HERE).text
    assert re.findall(r'role="switch"[^>]*><span>([^<]+)</span>', shown) == [
        "Import User",
        "Create User",
        "Edit User",
        "Delete User",
    ]


def test_A_8_before_consent_no_switch_can_be_turned_on(ada: Browser, house: House, cast: Cast) -> None:
    app = office.added(house, cast.contoso)
    shown = ada.get(HERE).text
    assert len(re.findall(r'role="switch"[^>]* disabled', shown)) == 4
    form = drawn(shown)
    form["import"] = "on"
    form["do"] = "save"
    answer = posted(ada, form)
    assert answer.status_code == 422
    assert "consent" in answer.text
    assert not office.of(house, cast.contoso, app).features["import"]


# -- Saving ------------------------------------------------------------------------------------------------------------------


def test_A_15_save_keeps_the_switches_and_says_so(ada: Browser, house: House, cast: Cast, o365: int, form) -> None:
    form["import"] = "on"
    form["delete"] = "on"
    form["do"] = "save"
    answer = posted(ada, form, follow_redirects=True)
    assert "Saved. Nothing was sent." in answer.text
    kept = office.of(house, cast.contoso, o365)
    assert kept.features == {"import": True, "create": False, "edit": False, "delete": True}


def test_A_13_a_row_is_added_changed_and_removed_without_script(ada: Browser, rows, form) -> None:
    form["do"] = "add"
    grown = drawn(posted(ada, form).text)
    assert len(grown.getlist("theirs")) == len(rows()) + 1
    put(grown, "theirs", -1, "jobTitle")
    put(grown, "ours", -1, "title")
    grown["do"] = "save"
    assert posted(ada, grown).status_code == 303
    assert (rows()[-1].theirs, rows()[-1].ours) == ("jobTitle", "title")
    again = drawn(ada.get(HERE).text)
    again["do"] = f"remove:{len(rows()) - 1}"
    shrunk = drawn(posted(ada, again).text)
    shrunk["do"] = "save"
    posted(ada, shrunk)
    assert "jobTitle" not in [row.theirs for row in rows()]


def test_a_row_is_moved_without_script(ada: Browser, rows, form) -> None:
    form["do"] = "down:0"
    moved = drawn(posted(ada, form).text)
    moved["do"] = "save"
    posted(ada, moved)
    assert [row.theirs for row in rows()][:2] == ["surname", "givenName"]


def test_A_13_a_custom_attribute_and_an_expression_can_be_the_value(
    ada: Browser, house: House, cast: Cast, rows, form
) -> None:
    ada.post(f"{HERE}/attribute", {"label": "Licence number"})
    for kind, ours, theirs in (
        ("custom", "extra.licence_number", "extensionAttribute4"),
        ("expression", "upper(department)", "department"),
        ("constant", "Fjordvik", "companyName"),
    ):
        form["do"] = "add"
        form = drawn(posted(ada, form).text)
        for name, value in (("theirs", theirs), ("shown", kind), ("ours", ours)):
            put(form, name, -1, value)
    form["do"] = "save"
    assert posted(ada, form).status_code == 303
    kept = {row.theirs: row for row in rows()}
    assert kept["extensionAttribute4"].direction is Direction.BOTH
    assert kept["department"].kind is MappingKind.EXPRESSION
    assert (kept["companyName"].kind, kept["companyName"].direction) == (MappingKind.CONSTANT, Direction.OUT)


def test_a_changed_kind_forgets_the_value_of_the_old_kind(ada: Browser, rows, form) -> None:
    put(form, "shown", 0, "custom")
    form["do"] = "save"
    answer = posted(ada, form)
    assert answer.status_code == 422
    assert rows()[0].ours == "given_name"


def test_a_row_keeps_its_new_kind_while_its_value_is_still_to_be_chosen(ada: Browser, form) -> None:
    ada.post(f"{HERE}/attribute", {"label": "Berth"})
    put(form, "shown", 0, "custom")
    form["do"] = "look"
    answer = posted(ada, form)
    again = drawn(answer.text)
    assert again.getlist("shown")[0] == "custom"
    assert again.getlist("ours")[0] == ""
    assert '<option value="extra.berth">Berth</option>' in answer.text


@pytest.mark.parametrize(
    ("theirs", "kind", "ours", "place", "says"),
    [
        ("jobTitle", "expression", "lower(", "ours", "It ends where something is still missing"),
        ("jobTitle", "expression", "explode(title)", "ours", "there is no function “explode”"),
        ("mail", "expression", "lower(email)", "theirs", "mail cannot be written"),
        ("jobTitle", "constant", "x" * 129, "ours", "jobTitle holds at most 128 characters"),
    ],
)
def test_what_cannot_work_is_said_at_its_field_and_nothing_is_saved(
    ada: Browser, rows, form, theirs: str, kind: str, ours: str, place: str, says: str
) -> None:
    before = rows()
    form["do"] = "add"
    form = drawn(posted(ada, form).text)
    for name, value in (("theirs", theirs), ("shown", kind), ("ours", ours), ("direction", "out")):
        put(form, name, -1, value)
    form["do"] = "save"
    answer = posted(ada, form)
    assert answer.status_code == 422
    assert says in unescape(answer.text)
    assert f'href="#f-{place}-{len(before)}"' in answer.text
    assert f'aria-describedby="f-{place}-{len(before)}-err"' in answer.text
    assert rows() == before


def test_markup_in_an_expression_is_shown_as_text(ada: Browser, form) -> None:
    put(form, "shown", 0, "expression")
    put(form, "ours", 0, '"><script>alert(1)</script>')
    form["do"] = "save"
    answer = posted(ada, form)
    assert answer.status_code == 422
    assert "<script>alert(1)" not in answer.text


def test_a_stale_page_is_409_and_keeps_what_was_typed(
    ada: Browser, house: House, cast: Cast, o365: int, rows, form
) -> None:
    with house.db.writing() as session:
        connectors.features(session, cast.contoso, o365, {"create": True}, None, "ben", house.now())
    put(form, "owner", 0, "theirs")
    form["do"] = "save"
    answer = posted(ada, form)
    assert answer.status_code == 409
    assert "Somebody else saved this meanwhile" in answer.text
    again = drawn(answer.text)
    assert again.getlist("owner")[0] == "theirs"
    again["do"] = "save"
    assert posted(ada, again).status_code == 303
    assert rows()[0].owner == "theirs"


def test_nonsense_in_every_field_is_no_fault(ada: Browser, form) -> None:
    for name in ("theirs", "shown", "ours", "flow", "owner", "direction", "match"):
        form.setlist(name, ["\x07<&\"'{{7*7}}" for _one in form.getlist(name)])
    for do in ("save", "look", "remove:99", "up:x", "down:-1", "add:"):
        form["do"] = do
        assert posted(ada, form).status_code in (200, 422)


# -- What saving would do ----------------------------------------------------------------------------------------------------


@pytest.fixture
def people(house: House, cast: Cast, o365: int) -> int:
    with house.db.writing() as session:
        connectors.features(session, cast.contoso, o365, {"import": True}, None, "ada", house.now())
    office.run(house, cast.contoso, o365)
    return o365


def test_saving_is_counted_before_it_happens(ada: Browser, people: int, rows) -> None:
    form = drawn(ada.get(HERE).text)
    put(form, "shown", 1, "constant")
    put(form, "ours", 1, "Somebody")
    put(form, "owner", 1, "ours")
    part = posted(ada, form, "/look", headers={"HX-Request": "true"})
    assert part.status_code == 200
    assert part.text.lstrip().startswith("<section")
    assert 'id="forecast"' in part.text
    assert re.search(r"Would change \d+ people", part.text)
    assert "Edit User is off, so nothing goes out" in part.text
    assert "Somebody" in part.text
    assert rows()[1].ours == "surname"


def test_a_real_persons_values_are_shown_before_saving(ada: Browser, people: int) -> None:
    form = drawn(ada.get(HERE).text)
    put(form, "shown", 0, "expression")
    put(form, "direction", 0, "out")
    put(form, "ours", 0, "upper(given_name)")
    put(form, "owner", 0, "ours")
    form["who"] = "anneliese"
    form["do"] = "look"
    shown = posted(ada, form).text
    assert "Anneliese Köster" in shown
    assert "ANNELIESE" in shown


def test_nobody_of_that_name_is_said(ada: Browser, people: int) -> None:
    form = drawn(ada.get(HERE).text)
    form["who"] = "Nobody Atall"
    form["do"] = "look"
    assert "Nobody here is called “Nobody Atall”" in unescape(posted(ada, form).text)


def test_rows_with_a_fault_are_not_counted(ada: Browser, people: int) -> None:
    form = drawn(ada.get(HERE).text)
    put(form, "shown", 0, "expression")
    put(form, "ours", 0, "lower(")
    part = posted(ada, form, "/look", headers={"HX-Request": "true"})
    assert part.status_code == 200  # looking is answered, whatever the draft: nothing was refused
    assert "needs correcting first" in part.text


def test_looking_changes_nothing(ada: Browser, house: House, cast: Cast, people: int, rows) -> None:
    before = (rows(), office.of(house, cast.contoso, people))
    form = drawn(ada.get(HERE).text)
    put(form, "owner", 0, "theirs")
    form["import"] = ""
    posted(ada, form, "/look")
    assert (rows(), office.of(house, cast.contoso, people)) == before


# -- Who may -----------------------------------------------------------------------------------------------------------------


def test_only_an_owner_saves(enter, cast: Cast, o365: int) -> None:
    for operator in (cast.ben, cast.dee):
        browser = enter(operator)
        shown = browser.get(HERE)
        assert shown.status_code == 200
        assert 'value="save"' not in shown.text
        assert browser.post(HERE, {"do": "save"}).status_code == 403
        assert browser.post(f"{HERE}/look", headers={"HX-Request": "true"}).status_code == 200


def test_cy_reaches_nobody_elses_app(enter, cast: Cast, o365: int) -> None:
    cy = enter(cast.cy)
    assert cy.get(HERE).status_code == 404
    assert cy.get("/t/fabrikam/provisioning", query_string={"app": o365}).status_code == 404
    assert cy.post("/t/fabrikam/provisioning", {"do": "save"}, query_string={"app": o365}).status_code == 404


@pytest.mark.parametrize("number", ["0", "x", "-1", "9" * 40, "1 OR 1=1"])
def test_an_app_that_is_none_is_404(ada: Browser, o365: int, number: str) -> None:
    assert ada.get(HERE, query_string={"app": number}).status_code == 404


# -- Whom it is for ----------------------------------------------------------------------------------------------------------


def _conditions(house: House, cast: Cast, app: int) -> list[tuple[str, str, str]]:
    with house.db.reading() as session:
        kept = connectors.Settled.now(connectors.get(session, cast.contoso, app)).rule
    return [(one.attribute, one.operator, one.value) for one in kept]


def test_a_condition_is_added_kept_and_taken_away_again(
    ada: Browser, house: House, cast: Cast, o365: int, form: MultiDict[str, str]
) -> None:
    assert form.getlist("rule_attribute") == [""]
    put(form, "rule_attribute", 0, "department")
    put(form, "rule_operator", 0, "one of")
    put(form, "rule_value", 0, 'Deck, "Galley" <b>')
    form["do"] = "save"
    assert posted(ada, form).status_code == 303
    assert _conditions(house, cast, o365) == [("department", "one of", 'Deck, "Galley" <b>')]
    again = drawn(ada.get(HERE).text)
    assert again.getlist("rule_attribute") == ["department", ""]
    assert again.getlist("rule_value")[0] == 'Deck, "Galley" <b>'
    assert "<b>" not in ada.get(HERE).text.partition('id="rule"')[2].partition("</section>")[0].replace("</b>", "")
    put(again, "rule_attribute", 0, "")
    again["do"] = "save"
    assert posted(ada, again).status_code == 303
    assert _conditions(house, cast, o365) == []


@pytest.mark.parametrize(
    ("attribute", "operator", "value", "says"),
    [
        ("department", "is", " ", "There is nothing to compare department with."),
        ("department", "sounds like", "x", "none of the comparisons"),
        ("password_hash", "is", "x", "People here have no attribute password_hash."),
        ("department", "is", "x" * 201, "at most 200 plain characters"),
    ],
)
def test_a_condition_that_cannot_work_is_refused_at_its_place(
    ada: Browser, o365: int, form: MultiDict[str, str], attribute: str, operator: str, value: str, says: str
) -> None:
    for name, text in (("attribute", attribute), ("operator", operator), ("value", value)):
        put(form, f"rule_{name}", 0, text)
    form["do"] = "save"
    answer = posted(ada, form)
    assert answer.status_code == 422
    assert says in unescape(answer.text)
    assert 'id="f-rule-0-err"' in answer.text
    assert drawn(ada.get(f"{HERE}?app={o365}").text).getlist("rule_attribute") == [""]


def test_what_a_rule_would_do_stands_there_before_it_is_saved_and_can_be_planned_after(
    ada: Browser, house: House, cast: Cast, o365: int, form: MultiDict[str, str]
) -> None:
    with house.db.writing() as session:
        on = dict.fromkeys(("import", "create", "edit", "delete"), True)
        connectors.features(session, cast.contoso, o365, on, "automatic", "ada", house.now())
    office.run(house, cast.contoso, o365)
    form = drawn(ada.get(HERE).text)
    put(form, "rule_attribute", 0, "department")
    put(form, "rule_operator", 0, "is filled")
    looked = unescape(posted(ada, form, "/look").text)
    assert "come or go" in looked
    assert "Would be switched off there" in looked
    assert "Plan these" not in looked
    form["do"] = "save"
    assert posted(ada, form).status_code == 303
    saved = drawn(ada.get(HERE).text)
    saved["do"] = "look"
    assert "Plan these" in posted(ada, saved).text
    answer = posted(ada, MultiDict(), "/plan")
    assert answer.status_code == 303
    assert "wait for review" in unescape(ada.get(answer.location).text)
