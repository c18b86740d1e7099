"""An app's own limits by command: what stands, what is set, and what is refused with a reason."""

import pytest

from tests.cli.conftest import Command

HERE = ("app", "settings", "contoso", "M365")


def test_what_stands_is_printed_when_nothing_is_given(connected: Command) -> None:
    stands = connected(*HERE, "--json").json
    assert stands == {
        "every_minutes": None, "when_gone": "keep", "when_left": "disable", "guests": "import", "position": 0,
        "hold_seconds": 10, "correlation": None, "limit_share": 10, "limit_floor": 5,
        "import_limit_share": 10, "import_limit_floor": 5,
    }  # fmt: skip
    shown = connected(*HERE)
    assert "hold_seconds" in shown.out
    assert "Kept." not in shown.err


def test_every_setting_is_kept_and_the_rest_stays(connected: Command) -> None:
    before = connected(*HERE, "--json").json
    wanted = {
        "--hold": ("hold_seconds", 0), "--correlation": ("correlation", "employeeId"), "--limit-share": ("limit_share", 20),
        "--limit-floor": ("limit_floor", 8), "--import-limit-share": ("import_limit_share", 5),
        "--import-limit-floor": ("import_limit_floor", 3), "--when-gone": ("when_gone", "suspend"),
        "--guests": ("guests", "leave"), "--every": ("every_minutes", 60), "--rank": ("position", 7),
    }  # fmt: skip
    for option, (name, value) in wanted.items():
        assert connected(*HERE, option, str(value), "--json").json == {**before, name: value}, option
        before[name] = value
    assert connected(*HERE, "--correlation", "none", "--every", "none", "--json").json == {
        **before,
        "correlation": None,
        "every_minutes": None,
    }


@pytest.mark.parametrize(
    ("given", "status", "words"),
    [
        (("--hold", "61"), 1, "from 0 to 60"),
        (("--hold", "-1"), 1, "from 0 to 60"),
        (("--hold", "soon"), 2, "not a valid integer"),
        (("--limit-share", "101"), 1, "from 0 to 100"),
        (("--import-limit-floor", "1001"), 1, "from 0 to 1000"),
        (("--rank", "1001"), 1, "from 0 to 1000"),
        (("--every", "1"), 1, "every 5 minutes"),
        (("--correlation", "department"), 1, "Choose one of: employeeId, extensionAttribute1"),
        (("--correlation", "displayName"), 1, "cannot keep a mark"),
        (("--when-gone", "cry"), 2, "keep"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_kept(
    connected: Command, given: tuple[str, ...], status: int, words: str
) -> None:
    before = connected(*HERE, "--json").json
    refused = connected(*HERE, "--limit-floor", "9", *given)
    assert (refused.status, words in refused.err) == (status, True), refused.err
    assert connected(*HERE, "--json").json == before


def test_a_source_has_no_limits_on_what_goes_out(connected: Command) -> None:
    assert connected("app", "add", "contoso", "csv", "--name", "HR").status == 0
    there = ("app", "settings", "contoso", "HR")
    stands = connected(*there, "--json").json
    assert set(stands) == {"every_minutes", "when_gone", "position", "import_limit_share", "import_limit_floor"}
    for given in (("--hold", "0"), ("--limit-share", "20"), ("--correlation", "employeeId")):
        refused = connected(*there, *given)
        assert (refused.status, "it is a source" in refused.err) == (1, True), given
    assert "guest" in connected(*there, "--guests", "leave").err
    assert connected(*there, "--import-limit-floor", "50", "--json").json["import_limit_floor"] == 50
