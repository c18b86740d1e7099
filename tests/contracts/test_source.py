"""What every source promises, whoever stands behind it: the truth in the end, whatever was cut short, and nothing twice."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from provision.core.ports import OutsideError, Source, Throttled, Unreachable
from provision.core.remedies import explain
from tests.contracts.ground import Ground, People, plain_values
from tests.contracts.grounds import SOURCES
from tests.fakes.callers import Reader
from tests.fakes.grounds import Listener

WHOLE = ("down", "locked out", "failing")
"""Troubles that last as long as they last, and meet every call."""


def walked(ground: Ground) -> Reader:
    return Reader(ground.mapped).walk(ground.source)


def people(ground: Ground, reader: Reader) -> People:
    return plain_values(reader.people, ground.mapped)


@pytest.fixture
def troubled(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Ground, str]]:
    name, what = request.param
    ground = SOURCES[name](tmp_path)
    yield ground, what
    ground.close()


def meets(what: str) -> Any:
    """Every ground with everything of a sort that can happen on it."""
    pairs = [(name, one) for name, make in SOURCES.items() for one in getattr(make, what)]
    return pytest.mark.parametrize("troubled", pairs, indirect=True, ids=": ".join)


def test_the_connector_fits_the_port(ground: Ground) -> None:
    assert isinstance(ground.source(), Source)


# -- Looking -------------------------------------------------------------------------------------------------------------


def test_a_check_tells_which_one_it_is_and_how_many_are_there(ground: Ground) -> None:
    found = ground.source().check()
    assert found.outside_id
    assert found.name
    assert found.facts["people"] in (None, len(ground.truth()))
    assert json.loads(json.dumps(found.facts)) == found.facts
    assert all(one.state in ("granted", "missing", "unused") for one in found.permissions)


def test_an_app_stays_itself(ground: Ground) -> None:
    known = ground.source().check().outside_id
    assert ground.source(known).check().outside_id == known


def test_every_attribute_of_the_schema_can_be_walked(ground: Ground) -> None:
    names = [attribute.name for attribute in ground.source().schema()]
    assert len(names) == len(set(names))
    assert set(ground.mapped) <= {*names, ground.sign_in, "externalId"}
    assert set(Reader(names).walk(ground.source).people) == set(ground.truth())


def test_an_appearance_is_read_without_a_call(ground: Ground) -> None:
    seen = walked(ground).people
    ground.trouble("down")
    for values in seen.values():
        appearance = ground.source().appearance(values)
        assert appearance.name == values[ground.sign_in]
        assert appearance.enabled in (True, False, None)
        assert json.loads(json.dumps(appearance.standing)) == appearance.standing


# -- Walking -------------------------------------------------------------------------------------------------------------


def test_a_full_walk_ends_in_the_truth(ground: Ground) -> None:
    reader = walked(ground)
    assert people(ground, reader) == ground.truth()
    assert reader.position is None
    assert reader.watermark


def test_an_unchanged_outside_shows_nothing_new_since_the_watermark(ground: Ground) -> None:
    ground.settle()
    reader = walked(ground)
    before = dict(reader.people)
    assert reader.walk(ground.source).people == before


def test_what_changed_since_the_watermark_and_only_that_is_another_one(ground: Ground) -> None:
    ground.settle()
    reader = walked(ground)
    before, changed = people(ground, reader), ground.plain()[3]
    ground.edit(changed, ground.surname, "Newly-Wed")
    newcomer = ground.add("Åse", "Ødegård")
    after = people(ground, reader.walk(ground.source))
    assert after == ground.truth()
    assert {anchor for anchor in after if before.get(anchor) != after[anchor]} == {changed, newcomer}


def test_what_was_emptied_is_empty(ground: Ground) -> None:
    reader = walked(ground)
    someone = ground.plain()[2]
    ground.edit(someone, ground.department, None)
    assert people(ground, reader.walk(ground.source)) == ground.truth()


def test_who_was_removed_is_told_or_is_missing_from_the_next_walk_through_everybody(ground: Ground) -> None:
    ground.settle()
    reader = walked(ground)
    someone = ground.plain()[1]
    ground.remove(someone)
    assert (someone in reader.walk(ground.source).people) is not ground.tells_who_left
    assert people(ground, walked(ground)) == ground.truth()


def test_the_watermark_loses_nothing_over_many_walks(ground: Ground) -> None:
    reader = walked(ground)
    for turn in range(3):
        someone = ground.plain()[turn + 2]
        ground.edit(someone, ground.surname, f"Turn {turn}")
        ground.add("New", f"Comer {turn}")
        assert people(ground, reader.walk(ground.source)) == ground.truth()


# -- Cut short -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_walk_cut_short_goes_on_from_its_position(ground: Ground, cut: int) -> None:
    ground.settle()
    reader = Reader(ground.mapped).walk(ground.source, pages=cut)
    assert reader.position
    assert reader.watermark is None
    assert people(ground, reader.walk(ground.source)) == ground.truth()


def test_a_walk_cut_after_every_single_page_ends_in_the_truth(ground: Ground) -> None:
    reader = Reader(ground.mapped).walk(ground.source, pages=1)
    while reader.position:
        reader.walk(ground.source, pages=1)
    assert people(ground, reader) == ground.truth()


def test_nobody_is_missed_when_somebody_leaves_in_the_middle_of_a_walk(ground: Ground) -> None:
    ground.settle()
    reader = Reader(ground.mapped).walk(ground.source, pages=2)
    for anchor in ground.plain()[:3]:
        ground.remove(anchor)
    assert set(reader.walk(ground.source).people) >= set(ground.truth())


MARKS = [
    "",
    "x",
    "[]",
    "{}",
    "null",
    '{"full": 1, "start": -1, "known": "x"}',
    "/",
    "/etc/passwd/1",
    "https://{host}/v1.0/users/delta?$deltatoken=x",
]


@pytest.mark.parametrize("which", ["watermark", "position"])
def test_a_place_that_means_nothing_is_lost_or_the_beginning_and_leads_nowhere_else(
    ground: Ground, stranger: Listener, which: str
) -> None:
    ground.settle()
    for mark in MARKS:
        reader = Reader(ground.mapped)
        setattr(reader, which, mark.replace("{host}", stranger.host))
        assert people(ground, reader.walk(ground.source)) == ground.truth()
        assert set(reader.setbacks) <= {"watermark_lost"}
    assert stranger.knocks() == 0


# -- In trouble ----------------------------------------------------------------------------------------------------------


@meets("troubles")
def test_trouble_in_the_middle_yields_nothing_is_named_and_the_walk_goes_on_after_it(
    troubled: tuple[Ground, str], stranger: Listener
) -> None:
    ground, what = troubled
    ground.settle()
    reader = Reader(ground.mapped).walk(ground.source, pages=2)
    before = {**reader.people}
    ground.trouble(what, stranger.host)
    with pytest.raises(ground.troubles[what]) as raised:
        _end(ground, reader.position)
    told(raised.value)
    assert reader.people == before
    ground.over()
    assert people(ground, reader.walk(ground.source)) == ground.truth()
    assert stranger.knocks() == 0


@meets("troubles")
def test_a_check_in_trouble_says_what_it_is_or_looks_elsewhere(
    troubled: tuple[Ground, str], stranger: Listener
) -> None:
    ground, what = troubled
    ground.trouble(what, stranger.host)
    try:
        ground.source().check()
    except OutsideError as error:
        told(error)
    else:
        assert what not in WHOLE
    assert stranger.knocks() == 0


@meets("passing")
def test_trouble_that_passes_is_noticed_by_nobody(troubled: tuple[Ground, str]) -> None:
    ground, what = troubled
    ground.settle()
    ground.trouble(what)
    reader = walked(ground)
    assert people(ground, reader) == ground.truth()
    assert reader.setbacks == []


def _end(ground: Ground, position: str | None) -> None:
    """Read to the end; what goes in circles shows only after a few pages."""
    for page in ground.source().changes(ground.mapped, position=position):
        assert page.watermark is None, "the trouble was met"


def told(error: BaseException) -> None:
    """An error says what to do in words, and how long to wait; what came before the first answer was sent for nothing."""
    if isinstance(error, OutsideError):
        assert explain(error.code, error.params).title
    if isinstance(error, Throttled):
        assert error.after == 17
    if isinstance(error, Unreachable):
        assert isinstance(error.sent, bool)
