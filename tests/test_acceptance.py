"""The rows an administrator's guide sets, from prerequisites to passwords and reports: each has a test of its name.

A row that is no page, or only partly true before people can be created, is tested here.
"""

import ast
import re
from pathlib import Path

import pytest

from provision.connectors import KINDS
from provision.core.mapping import Row, clean_nickname, compile_outbound
from provision.core.vocabulary import Direction, Flow, Kind

TESTS = Path(__file__).parent
NAMED = re.compile(r"^test_([PAICEDWR])_(\d+)_")

ROWS = {
    "P_1": "free seats per licence where one connects; a shortfall is a warning with its number",
    "P_2": "directory sync is detected and shown, its people are marked, and there is advice",
    "P_3": "our own prerequisites: public address, administrator, mail, clock",
    "A_1": "signing in opens the console with Apps, Provisioning, Users and Reports on the left",
    "A_2": "Apps lists applications; one is created or an existing one edited",
    "A_3": "a new app may skip the federating step until everybody is imported",
    "A_4": "the tenant is named by a verified domain or its onmicrosoft name; a wrong one is refused with the reason",
    "A_5": "Grant Administrator Consent opens Microsoft's sign-in in a window of its own",
    "A_6": "the note about the onmicrosoft Global Admin; no password is ever asked for here",
    "A_7": "consent granted shows who, when and which tenant; declined, foreign, forged and replayed ones say why",
    "A_8": "Save keeps the app; no feature can be switched on before consent",
    "A_9": "Provisioning opens with the drop-down of applications",
    "A_10": "choosing an application loads its settings",
    "A_11": "Attribute Mapping has target, kind and value",
    "A_12": "the four default rows",
    "A_13": "profile and custom attributes may be assigned; rows change",
    "A_14": "four independent switches",
    "A_15": "what is saved is obeyed by every way in",
    "A_16": "the default mapping alone is enough to create somebody",
    "I_1": "Import Users is a tab with a drop-down",
    "I_2": "the application is chosen there",
    "I_3": "Import creates people, shows progress and counts",
    "I_4": "imported people are in the User List",
    "I_5": "importing again adds nobody; refused while Import User is off",
    "C_1": "Add User on the User List opens the form",
    "C_2": "the form has at least first name, last name, username and address",
    "C_3": "Create User creates here and there; both outcomes are shown, and the report has a row",
    "C_4": "with Create User off somebody is created here only, and the page says so",
    "E_1": "Actions, Edit opens the filled form",
    "E_2": "Save changes here and there, and sends only what changed",
    "E_3": "with Edit User off the change stays here, and the page says so",
    "D_1": "Actions, Delete opens a pop-up",
    "D_2": "Yes deletes here and puts the account there into the recycle bin; the report has a row",
    "D_3": "leaving the pop-up changes nothing",
    "D_4": "with Delete User off the account there stays untouched, with the reason",
    "W_1": "Onboarding Status is a tab of Users and lists people with their state",
    "W_2": "people are ticked one by one, or all",
    "W_3": "Select Action offers Send Activation Mail with Password Reset Link",
    "W_4": "Apply sends, tells each person's result, and states change",
    "W_5": "the link in the mail leads to the page that sets a password",
    "W_6": "the new password is set in Microsoft 365, and what came of it is shown",
    "W_7": "a link that was used, replaced or revoked is over, and another can be sent",
    "W_8": "who cannot be helped is named with the reason before the click",
    "R_1": "Reports leads to the Provisioning Report",
    "R_2": "Enduser Identifier and Application Name, both optional",
    "R_3": "a timespan: presets, or from and to",
    "R_4": "Search shows the rows that match",
    "R_5": "Search without filters shows everything of the timespan",
    "R_6": "a row: time, user, application, operation, status, message, actor, changes; pages and export",
}


def carried(folder: Path) -> set[str]:
    """The rows whose names tests in this folder carry."""
    return {
        "_".join(named.groups())
        for path in folder.rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and (named := NAMED.match(node.name))
    }


def test_every_row_of_the_guide_has_a_test_that_carries_its_name() -> None:
    found = carried(TESTS)
    assert sorted(ROWS.keys() - found) == [], "rows without a test"
    assert sorted(found - ROWS.keys()) == [], "tests that carry the name of no row"


def test_a_row_without_a_test_is_missed_and_a_name_of_no_row_is_found(tmp_path: Path) -> None:
    tests = [f"def test_{row}_and_more(): ..." for row in ROWS if row != "I_3"]
    (tmp_path / "test_some.py").write_text(
        "\n".join([*tests, "def test_I_99_is_no_row(): ...", "def test_else(): ..."])
    )
    found = carried(tmp_path)
    assert ROWS.keys() - found == {"I_3"}
    assert found - ROWS.keys() == {"I_99"}


@pytest.fixture
def defaults() -> list[Row]:
    """The mapping of an app to which nobody has changed anything."""
    given = KINDS[Kind.MICROSOFT365].default_mappings
    return [
        Row(row.direction, row.ours, row.theirs, row.kind, row.flow, row.owner, row.matching_priority, position)
        for position, row in enumerate(given)
    ]


def test_A_16_the_default_mapping_alone_gives_a_new_account_all_that_microsoft_365_asks_for(
    defaults: list[Row],
) -> None:
    """Names, sign-in name and nickname. ``accountEnabled``, the first password and the check that the address ends in a
    verified domain are no rows of a mapping: they come with Create."""
    outbound = compile_outbound(defaults)
    person = {"given_name": "Łukasz", "surname": "Żak", "username": "Łukasz Ż.", "email": "lukasz.zak@acme.example"}
    assert outbound.wanted(person, None, creating=True) == {
        "givenName": "Łukasz",
        "surname": "Żak",
        "mailNickname": "LukaszZ",
        "userPrincipalName": "lukasz.zak@acme.example",
        "displayName": "Łukasz Żak",
    }


def test_A_16_somebody_without_a_username_gets_the_nickname_from_the_address(defaults: list[Row]) -> None:
    outbound = compile_outbound(defaults)
    wanted = outbound.wanted({"given_name": "Ada", "email": "ada.l@acme.example"}, None, creating=True)
    assert (wanted["mailNickname"], wanted["displayName"]) == ("ada.l", "Ada")


@pytest.mark.parametrize(
    ("written", "sent"),
    [("anna@home", "annahome"), ('(x) [y] \\;:<>,"', "xy"), (".dots.", "dots"), ("n" * 80, "n" * 64)],
)
def test_A_16_a_nickname_is_cleaned_to_what_microsoft_365_allows(written: str, sent: str) -> None:
    assert clean_nickname(written) == sent


def test_A_16_the_four_rows_of_the_guide_flow_out_by_default(defaults: list[Row]) -> None:
    outward = {
        row.theirs: row.ours for row in defaults if row.direction is not Direction.IN and row.flow is Flow.ALWAYS
    }
    assert {"givenName": "given_name", "surname": "surname", "mailNickname": "username",
            "userPrincipalName": "email"}.items() <= outward.items()  # fmt: skip
