"""The expression language: what it computes, what it refuses, and that nothing written in it can do harm."""

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provision.core.expressions import (
    FUNCTIONS,
    MAX_DEPTH,
    MAX_PARTS,
    MAX_SOURCE,
    MAX_TEXT,
    Expression,
    ExpressionError,
    as_text,
    compile_expression,
)
from provision.core.transliteration import to_ascii

ADA = {
    "given_name": "Ada",
    "surname": "Lovelace-Byron",
    "email": "ada@contoso.com",
    "title": None,
    "extra.badge": "007",
}


def compute(text: str, values: Mapping[str, object] = ADA) -> str | None:
    return compile_expression(text).evaluate(values)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("given_name", "Ada"),
        ("[given_name]", "Ada"),
        ("[ given_name ]", "Ada"),
        ("extra.badge", "007"),
        ("title", None),
        ("nobody_knows_this", None),
        ('"It says ""hi"""', 'It says "hi"'),
        ("'It''s'", "It's"),
        ("42", "42"),
        ('given_name + " " & surname', "Ada Lovelace-Byron"),
        ('(given_name + ".") + surname', "Ada.Lovelace-Byron"),
        ("given_name + title", "Ada"),
        ("lower(given_name)", "ada"),
        ("ToUpper(given_name)", "ADA"),
        ('trim("  x ")', "x"),
        ('StripSpaces("a b  c")', "abc"),
        ('title("ada LOVELACE-byron o\'neil")', "Ada Lovelace-Byron O'neil"),
        ("initials(given_name + ' ' + surname)", "ALB"),
        ("first(given_name, 1) + last(surname, 5)", "AByron"),
        ("first(given_name, 0)", None),
        ("last(given_name, 0)", None),
        ("last(given_name, 99)", "Ada"),
        ("mid(given_name, 2, 1)", "d"),
        ("mid(given_name, 0, 2)", "Ad"),
        ("mid(given_name, 9, 2)", None),
        ("replace(email, 'contoso', 'fabrikam')", "ada@fabrikam.com"),
        ("replace(email, '', 'x')", "ada@contoso.com"),
        ("replace(email, 'ada', '')", "@contoso.com"),
        ("before(email, '@')", "ada"),
        ("after(email, '@')", "contoso.com"),
        ("before(email, '')", "ada@contoso.com"),
        ("after(email, '')", "ada@contoso.com"),
        ("before(given_name, '@')", "Ada"),
        ("after(given_name, '@')", None),
        ("join(' ', given_name, title, surname)", "Ada Lovelace-Byron"),
        ("coalesce(title, '', given_name)", "Ada"),
        ("coalesce(title)", None),
        ("if(title = '', 'none', title)", "none"),
        ("if(given_name = 'ADA', 'same', 'other')", "same"),
        ("if(given_name <> 'Ada', 'other', 'same')", "same"),
        ("if(given_name <> surname, 'other', 'same')", "other"),
        ("IIF(title, 'has', 'has not')", "has not"),
        ("if(given_name, 'has', 'has not')", "has"),
        ("ascii('Łukasz Żółć')", "Lukasz Zolc"),
        ("lower(NormalizeDiacritics('Ærøskøbing'))", "aeroskobing"),
        ("  given_name\n+\tsurname ", "AdaLovelace-Byron"),
        ("first", None),
    ],
)
def test_an_expression_computes(text: str, value: str | None) -> None:
    assert compute(text) == value


@pytest.mark.parametrize(
    ("text", "code", "position"),
    [
        ("", "empty", 0),
        ("   ", "empty", 0),
        ('given_name + "x', "unclosed_text", 13),
        ("'x", "unclosed_text", 0),
        ("[given_name", "unclosed_name", 0),
        ("[]", "unclosed_name", 0),
        ("given_name ; surname", "strange_character", 11),
        ("__class__", "strange_character", 0),
        ("given_name.__class__()", "unknown_function", 0),
        ("eval('1')", "unknown_function", 0),
        ("given_name surname", "unexpected", 11),
        ("given_name + ", "unfinished", 13),
        ("lower(given_name", "unfinished", 16),
        ("lower(given_name]", "strange_character", 16),
        ("lower()", "argument_count", 0),
        ("lower(a, b)", "argument_count", 0),
        ("join(',')", "argument_count", 0),
        ("lower(a b)", "unexpected", 8),
        ("if()", "argument_count", 0),
        ("if(a, b)", "argument_count", 0),
        ("if(a, b, c, d)", "argument_count", 0),
        ("a = b", "comparison", 2),
        ("if(a, b = c, d)", "comparison", 8),
        ("if(= a, b, c)", "comparison", 3),
        ("first(a, b)", "number_needed", 9),
        ("first(a, 99999)", "number_needed", 9),
        ("first(a, 9999999999999999999999)", "number_needed", 9),
        ("first(a, '1')", "number_needed", 9),
        ("first(a, -1)", "number_needed", 9),
        (")", "unexpected", 0),
        ("+", "unexpected", 0),
    ],
)
def test_what_does_not_compile_says_why_and_where(text: str, code: str, position: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text)
    assert (caught.value.code, caught.value.position) == (code, position)
    assert str(caught.value).endswith(".")


def test_attributes_are_named_once_in_order_of_appearance() -> None:
    assert compile_expression("surname + lower(given_name) + [surname] + [a/b c]").attributes == (
        "surname",
        "given_name",
        "a/b c",
    )


@pytest.mark.parametrize("nesting", ["(", "lower(", "if("])
def test_a_million_levels_of_nesting_are_refused(nesting: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(nesting * 1_000_000)
    assert caught.value.code == "too_long"


@pytest.mark.parametrize("nesting", ["(", "lower(", "if(x,y,"])
def test_nesting_is_allowed_up_to_its_bound(nesting: str) -> None:
    compile_expression(nesting * MAX_DEPTH + "x" + ")" * MAX_DEPTH)
    with pytest.raises(ExpressionError) as caught:
        compile_expression(nesting * (MAX_DEPTH + 1) + "x" + ")" * (MAX_DEPTH + 1))
    assert caught.value.code == "too_deep"


def test_the_number_of_parts_and_the_length_are_bounded() -> None:
    assert compile_expression("+".join(["a"] * MAX_PARTS)).parts == MAX_PARTS
    with pytest.raises(ExpressionError) as caught:
        compile_expression("+".join(["a"] * (MAX_PARTS + 1)))
    assert caught.value.code == "too_many_parts"
    with pytest.raises(ExpressionError) as caught:
        compile_expression("a" * (MAX_SOURCE + 1))
    assert caught.value.code == "too_long"


@pytest.mark.parametrize(
    "text",
    [
        "a + a",
        "replace(a, 'x', a)",
        "join(a, a, a)",
        "upper(a)",
        "ascii(a)",
        "replace(replace(a, 'x', a), 'x', a)",
        "a",
    ],
)
def test_no_value_outgrows_the_bound(text: str) -> None:
    value = compute(text, {"a": "xß" * MAX_TEXT})
    assert value is not None
    assert len(value) == MAX_TEXT


class Counted(dict[str, object]):
    """Values that count how often they are read."""

    reads = 0

    def get(self, key: str, default: object = None) -> object:
        self.reads += 1
        return super().get(key, default)


@pytest.mark.parametrize("size", [1, 10, 100, MAX_PARTS])
def test_the_steps_of_an_evaluation_grow_with_the_expression_and_with_nothing_else(size: int) -> None:
    expression = compile_expression("+".join(["a"] * size))
    values = Counted(a="x")
    expression.evaluate(values)
    assert values.reads == expression.parts == size


def test_only_the_branch_taken_is_evaluated() -> None:
    values = Counted(a="x")
    compile_expression("if('', a + a + a, a)").evaluate(values)
    assert values.reads == 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", "x"),
        (None, ""),
        (True, "true"),
        (False, "false"),
        (7, "7"),
        (1.5, "1.5"),
        (["a", None, 1, "", {"b": 1}, ["c"]], "a; 1"),
        (("+43 1 234",), "+43 1 234"),
        ([], ""),
        ({"a": 1}, ""),
        (object(), ""),
        ("x" * (MAX_TEXT + 1), "x" * MAX_TEXT),
        (["x" * MAX_TEXT, "y"], "x" * MAX_TEXT),
    ],
)
def test_whatever_a_directory_holds_becomes_text(value: object, text: str) -> None:
    assert as_text(value) == text


def test_letters_beyond_what_is_remembered_are_spelled_all_the_same() -> None:
    everything = "".join(map(chr, range(0x80, 0x8000)))
    assert to_ascii(everything) == to_ascii(everything)
    assert to_ascii("𝐀𝐝𝐚") == "Ada"


def test_an_integer_that_python_refuses_to_print_is_empty() -> None:
    assert as_text(10**5000) == ""


@pytest.mark.parametrize(
    ("name", "ascii_"),
    [
        ("Ada", "Ada"),
        ("Straße", "Strasse"),
        ("GROẞ", "GROSS"),
        ("Þór Æsir", "Thor Aesir"),
        ("Đorđević", "Dordevic"),
        ("Nguyễn Thị Hồng", "Nguyen Thi Hong"),
        ("Щербаков", "Shcherbakov"),
        ("Юлия", "Iuliia"),
        ("Йосип", "Iosip"),
        ("Гоголь", "Gogol"),
        ("Αλέξανδρος", "Alexandros"),
        ("İbrahim Işık", "Ibrahim Isik"),
        ("O’Neil", "O'Neil"),
        ("李小龙", ""),
    ],
)
def test_names_are_spelled_in_ascii(name: str, ascii_: str) -> None:
    assert to_ascii(name) == ascii_


def test_the_function_names_on_offer_are_all_understood() -> None:
    for name in FUNCTIONS:
        with pytest.raises(ExpressionError) as caught:
            compile_expression(f"{name}()")
        assert caught.value.code == "argument_count"


# -- Whatever is written -------------------------------------------------------------------------------------------------

_PIECES = "lower( ascii( first( replace( join( coalesce( if( iif( eval( ) , + & = <> ' \" [ ] a 3 __class__ 'x' [b]"
pieces = st.sampled_from([*_PIECES.split(), "9" * 20, " ", "\x00", "\ud800", "é", "\\", "{0}", "%s"])
written = st.one_of(st.text(max_size=200), st.lists(pieces, max_size=60).map("".join))
held = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=50),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=1_000, deadline=None)
@given(written)
def test_reading_any_text_ends_in_an_expression_or_an_expression_error(text: str) -> None:
    result: Expression | ExpressionError
    try:
        result = compile_expression(text)
    except ExpressionError as error:
        result = error
    if isinstance(result, Expression):
        assert result.parts <= len(text)
    else:
        assert 0 <= result.position <= len(text)
        assert str(result)


def expressions() -> st.SearchStrategy[Expression]:
    """Well-formed expressions of every shape."""
    leaf = st.sampled_from(["a", "b", "[c d]", "'x'", '"@"', "''", "12"])

    def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        one = st.sampled_from(["lower", "upper", "title", "trim", "strip", "ascii", "initials"])
        return st.one_of(
            st.builds("{}({})".format, one, inner),
            st.builds("{}({}, {})".format, st.sampled_from(["first", "last"]), inner, st.integers(0, 20)),
            st.builds("mid({}, {}, {})".format, inner, st.integers(0, 5), st.integers(0, 5)),
            st.builds("replace({}, {}, {})".format, inner, inner, inner),
            st.builds("{}({}, {})".format, st.sampled_from(["before", "after", "join", "coalesce"]), inner, inner),
            st.builds("if({} {} {}, {}, {})".format, inner, st.sampled_from(["=", "<>"]), inner, inner, inner),
            st.builds("({} + {})".format, inner, inner),
        )

    return st.recursive(leaf, grow, max_leaves=12).map(compile_expression)


@settings(max_examples=1_000, deadline=None)
@given(expressions(), st.dictionaries(st.sampled_from(["a", "b", "c d"]), held))
def test_evaluating_never_raises_and_never_outgrows_the_bound(
    expression: Expression, values: dict[str, object]
) -> None:
    value = expression.evaluate(values)
    assert value is None or 0 < len(value) <= MAX_TEXT
    assert value == expression.evaluate(values)
