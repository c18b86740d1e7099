"""The permission doctor's table, and the page written from it."""

import re
from pathlib import Path

import pytest

from provision.connectors.microsoft365 import permissions
from provision.connectors.microsoft365.permissions import EXCESS, RIGHTS, USER_ADMINISTRATOR, excess, judge

PAGE = Path(__file__).parents[3] / "docs" / "permissions.md"


def states(*roles: str, wids: tuple[str, ...] = ()) -> dict[str, str]:
    return {each.name: each.state for each in judge(roles, wids)}


def test_with_nothing_granted_everything_this_version_uses_is_missing() -> None:
    found = states()
    assert {right.name for right in RIGHTS if right.needed} == {
        name for name, state in found.items() if state == "missing"
    }
    assert "granted" not in found.values()


@pytest.mark.parametrize("right", [right for right in RIGHTS if not right.role], ids=lambda right: right.name)
def test_each_permission_is_granted_by_itself_and_by_each_whole_alternative(right: permissions.Right) -> None:
    assert states(right.name)[right.name] == "granted"
    for together in right.instead:
        assert states(*together)[right.name] == "granted"
        for left_out in together:
            assert states(*(name for name in together if name != left_out))[right.name] != "granted"


def test_every_right_that_a_call_names_is_in_the_table() -> None:
    """What a refused call says is missing has its line in the doctor and on the page."""
    named = {
        right
        for path in Path(permissions.__file__).parent.glob("*.py")
        if path.name != "permissions.py"
        for right in re.findall(r'"([A-Z][A-Za-z-]+\.[A-Za-z]+\.(?:All|Directory))"', path.read_text(encoding="utf-8"))
    }
    assert len(named) > 5
    assert sorted(named - {right.name for right in RIGHTS}) == []


def test_the_broad_right_to_write_people_does_not_cover_passwords() -> None:
    found = states("User.ReadWrite.All", "Directory.ReadWrite.All")
    assert found["User-PasswordProfile.ReadWrite.All"] == "missing"


def test_passwords_need_a_directory_role_besides_the_permission() -> None:
    assert states("User-PasswordProfile.ReadWrite.All")["User Administrator"] == "missing"
    assert states(wids=(USER_ADMINISTRATOR,))["User Administrator"] == "granted"


def test_rights_that_are_too_much_are_named() -> None:
    assert excess(("User.ReadWrite.All", "Directory.ReadWrite.All")) == ["Directory.ReadWrite.All"]
    assert not {right.name for right in RIGHTS} & EXCESS.keys()


def rows() -> dict[str, list[str]]:
    lines = [
        re.split(r"\s*\|\s*", line.strip("| \n"))
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line[:1] == "|"
    ]
    return {re.sub(r"[`*]| \(directory role\)", "", cells[0]): cells[1:] for cells in lines}


def test_the_page_has_every_right_with_the_words_of_the_doctor() -> None:
    written = rows()
    for right in RIGHTS:
        alternatives = "; ".join(" + ".join(f"`{name}`" for name in together) for together in right.instead) or "–"
        assert written[right.name] == [right.feature, right.why, right.without, alternatives]


def test_the_page_names_what_is_too_much_and_nothing_that_the_table_does_not() -> None:
    written = rows()
    assert all(written[name] == [why] for name, why in EXCESS.items())
    heads = {"Permission", "---"}
    assert written.keys() - heads == {right.name for right in RIGHTS} | EXCESS.keys()
