"""How attributes flow: rows judged before they are saved, values taken in, values wanted there."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provision.core.mapping import (
    Change,
    Row,
    RowProblem,
    Taken,
    clean,
    clean_nickname,
    compile_inbound,
    compile_outbound,
    judge_rows,
    would_change,
)
from provision.core.matching import Rule
from provision.core.ports import Attribute
from provision.core.vocabulary import USER_ATTRIBUTES, Direction, Flow, MappingKind, Owner

BOTH, IN, OUT = Direction
ATTRIBUTE, CONSTANT, EXPRESSION = MappingKind
OURS, THEIRS, EITHER = Owner

HERE = {*USER_ATTRIBUTES, "extra.badge"}
SCHEMA = [
    Attribute("givenName", max_length=64),
    Attribute("surname", max_length=64),
    Attribute("displayName", required=True),
    Attribute("mailNickname", required=True),
    Attribute("userPrincipalName", required=True, unique=True),
    Attribute("mobilePhone"),
    Attribute("businessPhones", kind="list"),
    Attribute("employeeOrgData", kind="object"),
    Attribute("mail", writable=False, reason="follows_the_mailbox"),
]
GUIDE = [
    Row(BOTH, "given_name", "givenName", position=1),
    Row(BOTH, "surname", "surname", position=2),
    Row(BOTH, "username", "mailNickname", position=3),
    Row(BOTH, "email", "userPrincipalName", matching_priority=1, position=4),
    Row(BOTH, "display_name", "displayName", position=5),
]
ADA = {
    "given_name": "Ada",
    "surname": "Lovelace",
    "username": "ada",
    "email": "ada@contoso.com",
    "display_name": "Ada Lovelace",
}
ADA_THERE = {
    "givenName": "Ada",
    "surname": "Lovelace",
    "mailNickname": "ada",
    "userPrincipalName": "ada@contoso.com",
    "displayName": "Ada Lovelace",
}
PHONE = Row(BOTH, "mobile", "mobilePhone")


# -- Rows ----------------------------------------------------------------------------------------------------------------


def problems(*rows: Row, schema: list[Attribute] | None = None) -> list[tuple[int | None, str, str]]:
    optional = [replace(attribute, required=False) for attribute in SCHEMA]
    found = judge_rows(rows, HERE, optional if schema is None else schema)
    return [(problem.row, problem.field, problem.message_code) for problem in found]


def test_the_rows_of_the_guide_are_in_order() -> None:
    assert judge_rows(GUIDE, HERE, SCHEMA) == []


@pytest.mark.parametrize(
    "row",
    [
        Row(IN, "email", "mail"),
        Row(IN, "mobile", "businessPhones"),
        Row(IN, "company", "Contoso", CONSTANT),
        Row(OUT, "Contoso", "surname", CONSTANT),
        Row(OUT, "lower(given_name) + [extra.badge]", "mobilePhone", EXPRESSION),
        Row(IN, "display_name", "join(' ', givenName, surname)", EXPRESSION),
        Row(BOTH, "extra.badge", "mobilePhone", matching_priority=2),
    ],
)
def test_a_sound_row_has_no_problem(row: Row) -> None:
    assert problems(row) == []


@pytest.mark.parametrize(
    ("row", "field", "code"),
    [
        (Row(BOTH, "shoe_size", "givenName"), "ours", "unknown_attribute"),
        (Row(BOTH, "given_name", "shoeSize"), "theirs", "unknown_attribute"),
        (Row(BOTH, "email", "mail"), "theirs", "read_only"),
        (Row(OUT, "email", "mail"), "theirs", "read_only"),
        (Row(IN, "company", "employeeOrgData"), "theirs", "not_text"),
        (Row(BOTH, "Contoso", "givenName", CONSTANT), "direction", "one_way_only"),
        (Row(BOTH, "lower(email)", "givenName", EXPRESSION), "direction", "one_way_only"),
        (Row(OUT, " ", "givenName", CONSTANT), "ours", "empty_source"),
        (Row(BOTH, "", " "), "theirs", "empty_row"),
        (Row(OUT, "", "", CONSTANT), "theirs", "empty_row"),
        (Row(IN, "company", "", EXPRESSION), "theirs", "empty_source"),
        (Row(IN, "shoe_size", "Contoso", CONSTANT), "ours", "unknown_attribute"),
        (Row(OUT, "Contoso", "shoeSize", CONSTANT), "theirs", "unknown_attribute"),
        (Row(OUT, "x" * 65, "givenName", CONSTANT), "ours", "too_long"),
        (Row(OUT, "lower(", "givenName", EXPRESSION), "ours", "expression_unfinished"),
        (Row(IN, "given_name", "givenName +", EXPRESSION), "theirs", "expression_unfinished"),
        (Row(OUT, "givenName + surname", "givenName", EXPRESSION), "ours", "unknown_attribute"),
        (Row(IN, "given_name", "given_name", EXPRESSION), "theirs", "unknown_attribute"),
        (Row(OUT, "x", "givenName", CONSTANT, matching_priority=1), "matching_priority", "match_needs_attribute"),
        (Row(BOTH, "given_name", "givenName", matching_priority=1), "matching_priority", "match_not_unique"),
        (Row(BOTH, "email", "businessPhones", matching_priority=1), "matching_priority", "match_not_unique"),
    ],
)
def test_a_row_that_cannot_work_says_where_and_why(row: Row, field: str, code: str) -> None:
    assert problems(row) == [(0, field, code)]


def test_the_reason_of_the_schema_and_the_place_in_the_expression_are_passed_on() -> None:
    (read_only,) = judge_rows([Row(OUT, "email", "mail")], HERE, [replace(SCHEMA[-1])])
    assert read_only == RowProblem(0, "theirs", "read_only", {"attribute": "mail", "reason": "follows_the_mailbox"})
    (broken,) = judge_rows([Row(OUT, "email + nope()", "mobilePhone", EXPRESSION)], HERE, [Attribute("mobilePhone")])
    assert broken.params == {"name": "nope", "position": 8}


def test_a_target_may_be_filled_by_one_row_only_in_each_direction() -> None:
    here = [Row(IN, "given_name", "givenName"), Row(BOTH, "given_name", "surname")]
    there = [Row(OUT, "given_name", "surname"), Row(BOTH, "surname", "surname")]
    assert problems(*here) == [(1, "ours", "target_twice")]
    assert problems(*there) == [(1, "theirs", "target_twice")]
    assert problems(Row(IN, "given_name", "givenName"), Row(OUT, "surname", "givenName")) == []


def test_two_matching_rules_may_not_be_asked_at_once() -> None:
    rows = [
        Row(BOTH, "email", "userPrincipalName", matching_priority=1),
        Row(BOTH, "username", "mailNickname", matching_priority=1),
    ]
    assert problems(*rows) == [(1, "matching_priority", "priority_twice")]


def test_what_is_required_there_needs_a_row_unless_nothing_goes_out() -> None:
    assert problems(*GUIDE[:-1], schema=SCHEMA) == [(None, "theirs", "required_without_source")]
    assert problems(Row(IN, "given_name", "givenName"), schema=SCHEMA) == []


# -- Cleaning ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Ada", "Ada"),
        (" Ada ", "Ada"),
        ("", None),
        (None, None),
        ("\n\t ", None),
        ("Ada\r\nLovelace", "Ada Lovelace"),
        ("Ada\x00\x1b[31m", "Ada [31m"),
        ("abc\u202ecod.exe", "abc cod.exe"),
        ("a\u2028b", "a b"),
        ("\ud800x", "x"),
        ("نیم‌فاصله", "نیم‌فاصله"),
        ("<b>Ada</b>", "<b>Ada</b>"),
        (True, "true"),
        (["+43 1", "+43 2"], "+43 1; +43 2"),
        ({"division": "x"}, None),
        ("x" * 20_000, "x" * 10_000),
    ],
)
def test_a_value_becomes_one_clean_line_or_nothing(value: object, text: str | None) -> None:
    assert clean(value) == text


@pytest.mark.parametrize(
    ("text", "nickname"),
    [
        ("ada", "ada"),
        ("Łukasz Żółć", "LukaszZolc"),
        ("naveen.mills,.jr.", "naveen.mills.jr"),
        ('a@b(c)d\\e[f]g"h;i:j<k>l,m n', "abcdefghijklmn"),
        ("o'neil_x-y#z", "o'neil_x-y#z"),
        ("...", None),
        ("李小龙", None),
        ("x" * 63 + ".y", "x" * 63),
    ],
)
def test_a_mail_nickname_holds_only_what_entra_allows(text: str, nickname: str | None) -> None:
    assert clean_nickname(text) == nickname


# -- In ------------------------------------------------------------------------------------------------------------------


def take(
    row: Row,
    there: object,
    here: str | None,
    base: object = None,
    *,
    known: bool = True,
) -> Taken:
    """What one row brings; ``known`` False stands for first contact."""
    inbound = compile_inbound([row])
    return inbound.take(
        {"mobilePhone": there}, {"mobile": here}, {"mobilePhone": base} if known else None, creating=False
    )


def test_a_new_person_takes_every_value_whoever_owns_it_and_whenever_it_flows() -> None:
    rows = [
        Row(BOTH, "given_name", "givenName", owner=OURS),
        Row(BOTH, "surname", "surname", owner=THEIRS, flow=Flow.ON_CREATE),
        Row(IN, "display_name", "join(' ', givenName, surname)", EXPRESSION, flow=Flow.IF_EMPTY),
        Row(IN, "company", "Contoso", CONSTANT),
        Row(IN, "mobile", "mobilePhone"),
        Row(IN, "department", "department"),
        Row(OUT, "title", "jobTitle"),
    ]
    there = {"givenName": "Ada\n", "surname": "Lovelace", "mobilePhone": None, "jobTitle": "Countess"}
    assert compile_inbound(rows).take(there, {}, None, creating=True) == Taken(
        {"given_name": "Ada", "surname": "Lovelace", "display_name": "Ada Lovelace", "company": "Contoso"}
    )


@pytest.mark.parametrize(
    ("owner", "flow", "there", "here", "base", "taken"),
    [
        # either: who moved since the base?
        (EITHER, Flow.ALWAYS, "new", "old", "old", Taken({"mobile": "new"})),
        (EITHER, Flow.ALWAYS, "old", "new", "old", Taken()),
        (EITHER, Flow.ALWAYS, "new", "new", "old", Taken()),
        (EITHER, Flow.ALWAYS, "theirs", "ours", "old", Taken(kept={"mobile": ("ours", "theirs")})),
        (EITHER, Flow.ALWAYS, None, "old", "old", Taken(emptied=("mobile",))),
        (EITHER, Flow.ALWAYS, None, "ours", "old", Taken(kept={"mobile": ("ours", None)})),
        (EITHER, Flow.ALWAYS, "theirs", None, "old", Taken(kept={"mobile": (None, "theirs")})),
        (EITHER, Flow.ALWAYS, "old", None, "old", Taken()),
        (EITHER, Flow.ALWAYS, "new", None, None, Taken({"mobile": "new"})),
        (EITHER, Flow.ALWAYS, " old\n", "old", "old", Taken()),
        # theirs: what is there, is here
        (THEIRS, Flow.ALWAYS, "theirs", "ours", "theirs", Taken({"mobile": "theirs"})),
        (THEIRS, Flow.ALWAYS, None, "ours", None, Taken(emptied=("mobile",))),
        (THEIRS, Flow.ALWAYS, None, None, "old", Taken()),
        # ours: nothing ever
        (OURS, Flow.ALWAYS, "new", "old", "old", Taken()),
        (OURS, Flow.IF_EMPTY, "new", None, "old", Taken()),
        # flows
        (EITHER, Flow.ON_CREATE, "new", "old", "old", Taken()),
        (THEIRS, Flow.ON_CREATE, "new", None, None, Taken()),
        (THEIRS, Flow.IF_EMPTY, "new", "old", "old", Taken()),
        (THEIRS, Flow.IF_EMPTY, "new", None, "old", Taken({"mobile": "new"})),
        (EITHER, Flow.IF_EMPTY, "new", None, None, Taken({"mobile": "new"})),
        (EITHER, Flow.IF_EMPTY, None, "old", "old", Taken()),
    ],
)
def test_what_flows_into_an_existing_person(
    owner: Owner, flow: Flow, there: str | None, here: str | None, base: str | None, taken: Taken
) -> None:
    assert take(replace(PHONE, owner=owner, flow=flow), there, here, base) == taken


@pytest.mark.parametrize(
    ("owner", "there", "here", "taken"),
    [
        (EITHER, "theirs", None, Taken({"mobile": "theirs"})),
        (EITHER, "theirs", "ours", Taken(kept={"mobile": ("ours", "theirs")})),
        (EITHER, None, "ours", Taken()),
        (THEIRS, "theirs", "ours", Taken({"mobile": "theirs"})),
        (THEIRS, None, "ours", Taken(emptied=("mobile",))),
        (OURS, "theirs", None, Taken()),
    ],
)
def test_first_contact_fills_gaps_and_reports_differences(
    owner: Owner, there: str | None, here: str | None, taken: Taken
) -> None:
    assert take(replace(PHONE, owner=owner), there, here, known=False) == taken


def test_an_attribute_that_was_never_read_empties_nothing() -> None:
    phone = compile_inbound([replace(PHONE, owner=THEIRS)])
    assert phone.take({}, {"mobile": "ours"}, {"mobilePhone": "ours"}, creating=False) == Taken()
    name = compile_inbound([Row(IN, "display_name", "givenName + surname", EXPRESSION, owner=THEIRS)])
    assert name.take({}, {"display_name": "Ada"}, None, creating=False) == Taken()
    assert name.take({"surname": "L"}, {"display_name": "Ada"}, None, creating=False) == Taken({"display_name": "L"})


def test_a_constant_flows_in_like_any_other_value() -> None:
    inbound = compile_inbound([Row(IN, "company", "Contoso", CONSTANT, owner=THEIRS)])
    assert inbound.take({}, {"company": "Fabrikam"}, {}, creating=False) == Taken({"company": "Contoso"})


def test_taken_is_true_when_the_person_would_change() -> None:
    assert Taken({"mobile": "1"})
    assert Taken(emptied=("mobile",))
    assert not Taken(kept={"mobile": ("1", "2")})


def test_the_names_to_read_and_the_rules_are_known_before_anyone_is_read() -> None:
    rows = [
        Row(BOTH, "employee_id", "employeeId", matching_priority=2, position=2),
        Row(OUT, "username", "mailNickname", matching_priority=3, position=1),
        Row(BOTH, "email", "userPrincipalName", matching_priority=1, position=3),
        Row(IN, "display_name", "givenName + userPrincipalName", EXPRESSION, position=0),
        Row(OUT, "Contoso", "companyName", CONSTANT, position=4, matching_priority=9),
    ]
    inbound = compile_inbound(rows)
    assert inbound.attributes == ("givenName", "userPrincipalName", "employeeId", "mailNickname")
    assert inbound.targets == ("display_name", "employee_id", "email")
    assert inbound.rules == (
        Rule("email", "userPrincipalName", 1),
        Rule("employee_id", "employeeId", 2),
        Rule("username", "mailNickname", 3),
    )


def test_the_first_row_wins_where_two_fill_the_same_target() -> None:
    rows = [Row(IN, "mobile", "second", CONSTANT, position=2), Row(IN, "mobile", "first", CONSTANT, position=1)]
    assert compile_inbound(rows).take({}, {}, None, creating=True).values == {"mobile": "first"}
    out = [
        Row(OUT, "second", "mobilePhone", CONSTANT, position=2),
        Row(OUT, "first", "mobilePhone", CONSTANT, position=1),
    ]
    assert compile_outbound(out).wanted({}, None, creating=True) == {"mobilePhone": "first"}


# -- Out -----------------------------------------------------------------------------------------------------------------


def test_the_rows_of_the_guide_are_enough_to_create() -> None:
    assert compile_outbound(GUIDE, SCHEMA).wanted(ADA, None, creating=True) == ADA_THERE


def test_a_new_account_gets_a_name_and_a_nickname_even_if_the_person_has_none() -> None:
    outbound = compile_outbound(GUIDE, SCHEMA)
    bruce = {"given_name": "Bruce", "surname": "Lee", "username": "李小龙", "email": "bruce.@contoso.com"}
    wanted = outbound.wanted(bruce, None, creating=True)
    assert (wanted["displayName"], wanted["mailNickname"]) == ("Bruce Lee", "bruce")
    assert outbound.wanted({}, None, creating=True) == {}


@pytest.mark.parametrize(
    ("owner", "flow", "there", "here", "base", "wanted"),
    [
        (EITHER, Flow.ALWAYS, "old", "new", "old", {"mobilePhone": "new"}),
        (EITHER, Flow.ALWAYS, "new", "old", "old", {}),
        (EITHER, Flow.ALWAYS, "theirs", "ours", "old", {"mobilePhone": "ours"}),
        (EITHER, Flow.ALWAYS, "old", None, "old", {"mobilePhone": None}),
        (EITHER, Flow.ALWAYS, None, "old", "old", {}),
        (EITHER, Flow.ALWAYS, None, "new", None, {"mobilePhone": "new"}),
        (OURS, Flow.ALWAYS, "new", "old", "old", {"mobilePhone": "old"}),
        (OURS, Flow.ALWAYS, "theirs", None, "old", {"mobilePhone": None}),
        (OURS, Flow.ALWAYS, "same\n", "same", "old", {}),
        (THEIRS, Flow.ALWAYS, None, "ours", "old", {}),
        (OURS, Flow.ON_CREATE, "old", "new", "old", {}),
        (OURS, Flow.IF_EMPTY, "old", "new", "old", {}),
        (OURS, Flow.IF_EMPTY, None, "new", "old", {"mobilePhone": "new"}),
    ],
)
def test_what_an_existing_account_should_hold(
    owner: Owner, flow: Flow, there: str | None, here: str | None, base: str | None, wanted: dict[str, str | None]
) -> None:
    outbound = compile_outbound([replace(PHONE, owner=owner, flow=flow)])
    found = outbound.wanted({"mobile": here}, {"mobilePhone": there}, base={"mobilePhone": base}, creating=False)
    assert found == wanted


def test_a_new_account_gets_every_value_whoever_owns_it() -> None:
    rows = [replace(PHONE, owner=THEIRS, flow=Flow.ON_CREATE), Row(OUT, "Contoso", "companyName", CONSTANT)]
    wanted = compile_outbound(rows).wanted({"mobile": "1"}, None, creating=True)
    assert wanted == {"mobilePhone": "1", "companyName": "Contoso"}


def test_without_a_base_nothing_is_cleared_there_that_both_may_change() -> None:
    outbound = compile_outbound([PHONE])
    assert outbound.wanted({"mobile": None}, {"mobilePhone": "1"}, creating=False) == {}
    assert outbound.wanted({"mobile": "2"}, {"mobilePhone": "1"}, creating=False) == {"mobilePhone": "2"}
    assert outbound.wanted({"mobile": "2"}, None, creating=False) == {"mobilePhone": "2"}


def test_what_is_required_there_is_never_cleared_and_what_is_read_only_never_written() -> None:
    rows = [replace(row, owner=OURS) for row in [*GUIDE, Row(OUT, "private_email", "mail")]]
    outbound = compile_outbound(rows, SCHEMA)
    wanted = outbound.wanted({"username": "李小龙", "private_email": "x@y"}, ADA_THERE, creating=False)
    assert wanted == {"givenName": None, "surname": None}
    assert "mail" not in outbound.targets
    assert outbound.attributes == ("given_name", "surname", "username", "email", "display_name")


def test_a_derived_display_name_never_replaces_one_that_somebody_chose() -> None:
    outbound = compile_outbound([replace(row, owner=OURS) for row in GUIDE], SCHEMA)
    ada = {**ADA, "display_name": None}
    assert outbound.wanted(ada, {**ADA_THERE, "displayName": "The Countess"}, creating=False) == {}
    assert outbound.wanted(ada, {**ADA_THERE, "displayName": None}, creating=False) == {"displayName": "Ada Lovelace"}


def test_a_nickname_that_only_looks_different_is_left_alone() -> None:
    outbound = compile_outbound([replace(row, owner=OURS) for row in GUIDE], SCHEMA)
    assert outbound.wanted({**ADA, "username": "ädä"}, {**ADA_THERE, "mailNickname": "ada"}, creating=False) == {}
    kept = {**ADA_THERE, "mailNickname": "a(d)a"}
    assert outbound.wanted({**ADA, "username": "a(d)a"}, kept, creating=False) == {}


def test_would_change_shows_what_was_and_what_would_be() -> None:
    outbound = compile_outbound([*GUIDE, PHONE], SCHEMA)
    married = {**ADA, "surname": "King", "mobile": "1"}
    changes = would_change(outbound, married, ADA_THERE, base=ADA_THERE)
    assert changes == [Change("mobilePhone", None, "1"), Change("surname", "Lovelace", "King")]
    assert would_change(outbound, ADA, ADA_THERE) == []


def test_an_expression_is_computed_from_the_person() -> None:
    outbound = compile_outbound([Row(OUT, "upper(surname) + ', ' + given_name", "displayName", EXPRESSION)])
    assert outbound.attributes == ("surname", "given_name")
    assert would_change(outbound, ADA, ADA_THERE) == [Change("displayName", "Ada Lovelace", "LOVELACE, Ada")]


# -- Both ways, again and again ------------------------------------------------------------------------------------------

raw = st.none() | st.sampled_from(["", "a", "b", "c", " a", "a\nb", "\u202ea"]) | st.text(max_size=5)
tidy = raw.map(clean)
Text = str | None
NAMES = {"mobile": "mobilePhone"}
here_values = st.fixed_dictionaries(dict.fromkeys(NAMES, tidy))
there_values = st.fixed_dictionaries(dict.fromkeys(NAMES.values(), raw))
owners = st.sampled_from(list(Owner))
flows = st.sampled_from(list(Flow))


class Pair:
    """A person here, their account there, and cycles between them."""

    def __init__(self, here: Mapping[str, str | None], there: Mapping[str, object], **row: Owner | Flow) -> None:
        rows = [Row(BOTH, ours, theirs, **row) for ours, theirs in NAMES.items()]  # type: ignore[arg-type]
        self.inbound, self.outbound = compile_inbound(rows), compile_outbound(rows)
        self.here, self.there = dict(here), dict(there)
        self.base: dict[str, object] | None = None

    def absorb(self) -> Taken:
        taken = self.inbound.take(self.there, self.here, self.base, creating=False)
        self.here |= taken.values
        self.here |= dict.fromkeys(taken.emptied)
        self.base = dict(self.there)
        return taken

    def push(self) -> dict[str, str | None]:
        wanted = self.outbound.wanted(self.here, self.there, base=self.base, creating=False)
        self.there |= wanted
        if self.base is not None:
            self.base |= wanted
        return wanted

    def cycle(self) -> bool:
        """Both ways; tells whether anything moved."""
        taken = self.absorb()
        return bool(self.push()) or bool(taken)


@settings(max_examples=500, deadline=None)
@given(here_values, there_values, there_values, owners, flows)
def test_taking_twice_is_taking_once(here, there, base, owner, flow) -> None:  # type: ignore[no-untyped-def]
    pair = Pair(here, there, owner=owner, flow=flow)
    pair.base = base
    pair.absorb()
    assert not pair.absorb()
    pair.base = base
    assert not pair.absorb()


def settle(before: Text, there: Text, edited: Text, moved: Text, owner: Owner, flow: Flow) -> None:
    """Edit both sides once; the next cycle must settle it for good."""
    pair = Pair({"mobile": before}, {"mobilePhone": there}, owner=owner, flow=flow)
    pair.cycle()
    pair.here, pair.there = {"mobile": edited}, {"mobilePhone": moved}
    pair.cycle()
    settled = pair.here["mobile"], pair.there["mobilePhone"]
    assert [pair.cycle() for _ in range(3)] == [False, False, False]
    assert (pair.here["mobile"], pair.there["mobilePhone"]) == settled


def lose_nothing(before: Text, edited: Text, moved: Text) -> None:
    """Edit both sides of what either may edit; both end with the one edit, or with ours and theirs reported."""
    pair = Pair({"mobile": before}, {"mobilePhone": before})
    pair.absorb()
    pair.here, pair.there = {"mobile": edited}, {"mobilePhone": moved}
    taken = pair.absorb()
    pair.push()
    there = clean(moved)
    we_moved, they_moved = edited != before, there != before
    assert pair.here["mobile"] == clean(pair.there["mobilePhone"]) == (there if they_moved and not we_moved else edited)
    conflict = we_moved and they_moved and edited != there
    assert taken.kept == ({"mobile": (edited, there)} if conflict else {})


FEW_HERE = [None, "a", "b", "c", "a b"]
FEW_THERE = [*FEW_HERE, "", " a", "a\nb"]


@pytest.mark.parametrize("owner", list(Owner))
@pytest.mark.parametrize("flow", list(Flow))
def test_no_pair_of_edits_plays_ping_pong(owner: Owner, flow: Flow) -> None:
    for before, there, edited, moved in product(FEW_HERE, FEW_THERE, FEW_HERE, FEW_THERE):
        settle(before, there, edited, moved, owner, flow)


def test_no_edit_is_lost_where_both_sides_may_edit() -> None:
    for before, edited, moved in product(FEW_HERE, FEW_HERE, FEW_THERE):
        lose_nothing(before, edited, moved)


@settings(max_examples=500, deadline=None)
@given(tidy, raw, tidy, raw, owners, flows)
def test_no_pair_of_strange_texts_plays_ping_pong_or_gets_lost(before, there, edited, moved, owner, flow) -> None:  # type: ignore[no-untyped-def]
    settle(before, there, edited, moved, owner, flow)
    lose_nothing(before, edited, moved)


@settings(max_examples=500, deadline=None)
@given(here_values, here_values, there_values)
def test_a_push_before_the_next_import_overwrites_nothing_but_what_we_edited(before, edited, moved) -> None:  # type: ignore[no-untyped-def]
    pair = Pair(before, {theirs: before[ours] for ours, theirs in NAMES.items()})
    pair.absorb()
    pair.here, pair.there = dict(edited), dict(moved)
    pair.push()
    for ours, theirs in NAMES.items():
        if edited[ours] == before[ours]:
            assert pair.there[theirs] == moved[theirs]


@settings(max_examples=500, deadline=None)
@given(here_values, there_values, st.none() | there_values, flows)
def test_nothing_ever_flows_into_what_is_ours_nor_out_of_what_is_theirs(here, there, base, flow) -> None:  # type: ignore[no-untyped-def]
    ours = Pair(here, there, owner=OURS, flow=flow)
    theirs = Pair(here, there, owner=THEIRS, flow=flow)
    ours.base = theirs.base = base
    assert ours.absorb() == Taken()
    assert theirs.push() == {}


@settings(max_examples=500, deadline=None)
@given(here_values, there_values)
def test_first_contact_empties_nothing_and_loses_nothing(here, there) -> None:  # type: ignore[no-untyped-def]
    pair = Pair(here, there)
    taken = pair.absorb()
    assert taken.emptied == ()
    assert all(pair.here[name] == value for name, value in here.items() if value is not None)


def test_what_a_create_filled_in_by_itself_is_not_emptied_afterwards() -> None:
    row = Row(Direction.BOTH, "display_name", "displayName", owner=Owner.OURS)
    compiled = compile_outbound([row], [Attribute("displayName")])
    nora = {"given_name": "Nora", "surname": "Newcomer", "display_name": None}
    made = compiled.wanted(nora, None, creating=True)
    assert made == {"displayName": "Nora Newcomer"}
    assert compiled.wanted(nora, made, base=made, creating=False) == {}
