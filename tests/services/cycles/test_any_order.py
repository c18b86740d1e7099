"""Pages come shuffled, repeated and replayed: whatever the order, the end is the same."""

from collections.abc import Sequence
from copy import deepcopy
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from provision.core.ports import Seen
from tests.cast import Cast, Clock
from tests.fakes.directory import Directory
from tests.services.cycles.conftest import Desk, app_of

NUMBERS = count(1)
EMPTY = -1


def everybody(desk: Desk) -> None:
    """People who are certain, doubtful, rivals, disabled, guests, and one whose account was seen before."""
    directory = desk.directory
    directory.add_many(7)
    directory.add("off", accountEnabled=False)
    directory.add("guest", userType="Guest")
    directory.add("rival-a", employeeId="7")
    directory.add("rival-b", employeeId="7")
    directory.add("certain", employeeId="8")
    directory.add("several", employeeId="9")


def another_desk(desk: Desk) -> Desk:
    """The same tenant's next app would meet the people of this one; a tenant of its own meets nobody."""
    from provision.core.tables import Tenant

    with desk.house.db.writing() as session:
        tenant = Tenant(slug=f"t{next(NUMBERS)}", name="T", created_at=desk.clock())
        session.add(tenant)
        session.flush()
        number = tenant.id or 0
    fresh = Desk(desk.house, number, app_of(desk.house, number, desk.clock), Directory(), desk.clock)
    for address, employee in (("x@h.example", "7"), ("y@h.example", "8"), ("z1@h.example", "9"), ("z2@h.example", "9")):
        fresh.hire(address, employee_id=employee)
    everybody(fresh)
    return fresh


@pytest.fixture
def truth(desk: Desk) -> Any:
    plain = another_desk(desk)
    plain.run()
    return plain.state()


@st.composite
def disorders(draw: st.DrawFn) -> tuple[int, list[int]]:
    """A page size, and which pages are told in which order; every page at least once, some again, empty ones between."""
    size = draw(st.integers(1, 13))
    pages = -(-13 // size)
    again = draw(st.lists(st.integers(EMPTY, pages - 1), max_size=4))
    return size, draw(st.permutations([*range(pages), *again]))


def meet(desk: Desk, truth: Any, disorder: tuple[int, Sequence[int]]) -> None:
    """Import what is told in this order, twice, and compare with what was told once and in order."""
    size, order = disorder
    other = another_desk(desk)
    other.directory.page_size = size
    other.directory.shuffle = lambda pages: [[] if index == EMPTY else deepcopy(pages[index]) for index in order]
    other.run()
    assert other.state() == truth
    assert other.run(full=True).state == "done"
    assert other.state() == truth


@settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(disorder=disorders())
def test_any_shuffle_and_repetition_of_pages_ends_the_same(
    desk: Desk, truth: Any, disorder: tuple[int, Sequence[int]]
) -> None:
    meet(desk, truth, disorder)


@pytest.mark.faults
@settings(
    max_examples=2000,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(disorder=disorders())
def test_two_thousand_shuffles_and_repetitions_end_the_same(
    desk: Desk, truth: Any, disorder: tuple[int, Sequence[int]]
) -> None:
    meet(desk, truth, disorder)


@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(sights=st.lists(st.sampled_from(["Older", "Old", None]), min_size=1, max_size=4), page_size=st.integers(1, 5))
def test_the_last_sight_of_a_person_counts(
    desk: Desk, clock: Clock, cast: Cast, sights: list[str | None], page_size: int
) -> None:
    other = another_desk(desk)
    stale = [Seen("person000", {"surname": sight, "accountEnabled": False}) for sight in sights]

    def with_stale_sights(pages: list[list[Seen]]) -> list[list[Seen]]:
        told = [*stale, *(seen for page in pages for seen in page)]
        return [told[start : start + page_size] for start in range(0, len(told), page_size)]

    other.directory.shuffle = with_stale_sights
    other.run()
    assert other.people()["person000@there.example"].surname == "There"
    assert other.accounts()["person000"].enabled is True
