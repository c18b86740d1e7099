"""What is wrong is told at its row and column, what cannot be kept is left out alone, and everything else is taken."""

import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.connectors import KINDS, World
from provision.core.profile import LIMITS, judge
from provision.core.remedies import explain
from provision.core.vocabulary import USER_ATTRIBUTES, Kind
from tests.connectors.csv_file.test_reading import written

NAMES = ("employee_id", "given_name", "surname", "username", "email", "usage_location", "department")
HEADINGS = tuple(USER_ATTRIBUTES[name] for name in NAMES)
GOES = dict(zip(HEADINGS, NAMES, strict=True))
ADA = {
    "employee_id": "1", "given_name": "Ada", "surname": "Ek", "username": "ada.ek", "email": "ada@there.example",
    "usage_location": "no", "department": "North",
}  # fmt: skip
BO = {**ADA, "employee_id": "2", "given_name": "Bo", "username": "bo.ek", "email": "bo@there.example"}


def source(*people: dict[str, str], **config: Any) -> Any:
    data = written([[*HEADINGS], *([person[name] for name in NAMES] for person in people)])
    spec = KINDS[Kind.CSV]
    given_ = {"key": "Employee ID", **config}
    return spec.build(spec.config(**given_), None, "csv:1", World({}, file=lambda _: data, goes=lambda: GOES))


def seen(one: Any) -> dict[str, Any]:
    return {each.anchor: dict(each.values) for page in one.changes(HEADINGS) for each in page.seen}


BAD_CELLS = [
    ("email", "ada at there", "email_malformed"),
    ("email", "ådä@there.example", "email_malformed"),
    ("email", "", "csv_value_missing"),
    ("given_name", "x" * 65, "value_too_long"),
    ("surname", "", "csv_value_missing"),
    ("username", "", "csv_value_missing"),
    ("usage_location", "Norway", "country_unknown"),
    ("department", "x" * 65, "value_too_long"),
]


@pytest.mark.parametrize(("name", "value", "code"), BAD_CELLS, ids=[f"{code}: {name}" for name, _, code in BAD_CELLS])
def test_a_cell_that_cannot_be_kept_is_told_at_its_place_and_left_out_alone(name: str, value: str, code: str) -> None:
    one = source(ADA, {**BO, name: value}, whole=True)
    facts = one.check().facts
    (problem,) = facts["problems"]
    heading = USER_ATTRIBUTES[name]
    assert (problem["row"], problem["column"], problem["code"], problem["anchor"]) == (3, heading, code, "2")
    assert (facts["people"], facts["unfit"], facts["doubtful"]) == (2, 0, 1)
    told = explain(problem["code"], problem["params"])
    assert told.what
    assert told.do
    assert "{" not in told.what
    whole, part = seen(source(ADA, BO))["2"], seen(one)["2"]
    assert heading not in part
    assert {**part, heading: whole[heading]} == whole


def test_two_rows_of_one_user_name_are_told_and_both_are_read() -> None:
    one = source(ADA, {**BO, "username": "ADA.EK"}, {**BO, "employee_id": "3", "username": "cy", "email": ADA["email"]})
    problems = one.check().facts["problems"]
    assert [(each["row"], each["column"], each["code"], each["params"]["first"]) for each in problems] == [
        (3, "Username", "csv_value_twice", 2), (4, "Email Address", "csv_value_twice", 2),
    ]  # fmt: skip
    assert {anchor: values["Username"] for anchor, values in seen(one).items()} == {
        "1": "ada.ek",
        "2": "ADA.EK",
        "3": "cy",
    }


def test_a_line_break_in_a_cell_is_a_space() -> None:
    assert seen(source({**ADA, "department": "North\n and\r\nEast"}))["1"]["Department"] == "North  and East"


def test_a_country_is_kept_in_capital_letters() -> None:
    assert seen(source(ADA))["1"]["Usage Location"] == "NO"


def test_what_goes_nowhere_is_not_judged() -> None:
    data = written([["Employee ID", "E-Mail"], ["1", "no address"]])
    spec = KINDS[Kind.CSV]
    one = spec.build(spec.config(key="Employee ID"), None, "csv:1", World({}, file=lambda _: data))
    assert one.check().facts["problems"] == []


def test_another_column_for_an_attribute_makes_the_same_file_another_one() -> None:
    data = written([["Employee ID", "A", "B"], ["1", "a", "b"]])
    spec = KINDS[Kind.CSV]
    digests = {
        spec.build(spec.config(), None, "x", World({}, file=lambda _: data, goes=goes.copy)).check().facts["digest"]
        for goes in ({"A": "title"}, {"B": "title"}, {"A": "department"})
    }
    assert len(digests) == 3


TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=80)
VALUE = st.one_of(st.just(""), TEXT, st.sampled_from(list(ADA.values())))


@given(
    rows=st.lists(
        st.fixed_dictionaries({name: VALUE for name in NAMES if name != "employee_id"}), min_size=1, max_size=6
    )
)
def test_every_cell_is_either_told_or_kept_as_a_person_would_have_typed_it(rows: list[dict[str, str]]) -> None:
    one = source(*({"employee_id": f"k{number}", **row} for number, row in enumerate(rows)))
    told = {
        (each["row"], each["column"]) for each in one.check().facts["problems"] if each["code"] != "csv_value_twice"
    }
    for row, values in enumerate(seen(one).values(), start=2):
        assert {heading for heading in HEADINGS if heading not in values} == {
            column for number, column in told if number == row
        }
        kept, wrong = judge({GOES[heading]: value for heading, value in values.items()}, GOES.values())
        assert wrong == {}
        assert kept == {GOES[heading]: value for heading, value in values.items()}


def test_a_walk_needs_little_more_memory_however_many_rows_there_are() -> None:
    def most(number: int) -> int:
        people = (
            {**ADA, "employee_id": f"{n}", "username": f"u{n}", "email": f"u{n}@there.example"} for n in range(number)
        )
        one = source(*people)
        pages = one.changes(HEADINGS)
        tracemalloc.start()
        for _ in pages:
            pass
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    few, many = most(3_000), most(9_000)
    assert (many - few) / 6_000 < 500, "bytes for each further row: what its key is compared by"


def test_the_limits_are_those_of_a_person() -> None:
    assert LIMITS["employee_id"] == 16
    (problem,) = source({**ADA, "employee_id": "x" * 17}).check().facts["problems"]
    assert (problem["code"], problem["params"]["limit"]) == ("value_too_long", 16)
