"""Two administrators at one person, and fingers that click twice: nothing is overwritten unseen, nothing is done twice.

Real requests from threads of their own that start at the same moment.
"""

import os
import random
import threading
from collections.abc import Callable, Sequence

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlmodel import col, select
from werkzeug.test import TestResponse

from provision.core.tables import Operation, User
from provision.core.vocabulary import OperationKind
from provision.house import House
from tests.cast import Browser, Cast, Clock
from tests.services.outgoing import Desk

SEED = int(os.environ.get("FAULTS_SEED", random.SystemRandom().randrange(10**6)))
USERS = "/t/contoso/users"
FIELDS = ("title", "department", "surname")


@pytest.fixture
def desk(house: House, cast: Cast, clock: Clock, app: Flask) -> Desk:
    return Desk(house, cast.contoso, clock)


def at_once(*posts: Callable[[], TestResponse]) -> list[TestResponse]:
    """All of them, each from a thread of its own, in the order in which they were given."""
    start = threading.Barrier(len(posts))
    answers: list[TestResponse | None] = [None] * len(posts)

    def work(number: int) -> None:
        start.wait()
        answers[number] = posts[number]()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(posts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert None not in answers
    return [answer for answer in answers if answer is not None]


def row_of(desk: Desk, user_id: int) -> User:
    with desk.house.db.reading() as session:
        return session.exec(select(User).where(User.id == user_id)).one()


def race(desk: Desk, browsers: Sequence[Browser], pairs: int) -> None:
    """So many times, two forms that began from the same version: one is saved, the other one hears of it."""
    chance = random.Random(SEED)
    jane = desk.present("jane")
    for number in range(pairs):
        before = row_of(desk, jane)
        fields = [chance.choice(FIELDS) for _ in browsers]
        forms = [
            {"version": str(before.version), f"was-{name}": getattr(before, name) or "", name: f"{who} {number}"}
            for who, name in zip(("Ada’s", "Ben’s"), fields, strict=True)
        ]
        answers = at_once(*[
            lambda browser=browser, form=form: browser.post(f"{USERS}/{jane}/edit", form)  # type: ignore[misc]
            for browser, form in zip(browsers, forms, strict=True)
        ])  # fmt: skip
        assert sorted(answer.status_code for answer in answers) == [303, 409], (SEED, number)
        won = [answer.status_code for answer in answers].index(303)
        after = row_of(desk, jane)
        assert after.version == before.version + 1
        assert getattr(after, fields[won]) == forms[won][fields[won]], (SEED, number)
        lost = answers[1 - won].text
        assert forms[1 - won][fields[1 - won]] in lost, "what the slower one typed is kept"
        assert forms[won][fields[won]] in lost, "and what the quicker one saved is shown"


def test_of_two_who_save_at_once_one_is_saved_and_the_other_hears_of_it(
    desk: Desk, cast: Cast, enter: Callable[[int], Browser]
) -> None:
    race(desk, [enter(cast.ada), enter(cast.ben)], 8)


@pytest.mark.faults
def test_of_two_hundred_pairs_who_save_at_once_none_is_overwritten_unseen(
    desk: Desk, cast: Cast, enter: Callable[[int], Browser], counted: Callable[[str], None]
) -> None:
    race(desk, [enter(cast.ada), enter(cast.ben)], 200)
    counted(f"seed {SEED}: 200 racing pairs, 0 silent overwrites")


def click_twice(desk: Desk, house: House, browsers: Sequence[Browser], people: int) -> None:
    """Everybody is added, edited and deleted by forms that are sent twice at the same moment."""
    jane = {"given_name": "Jane", "surname": "Doe"}
    for number in range(people):
        form = {**jane, "username": f"jane{number}", "email": f"jane{number}@there.example"}
        answers = at_once(*[
            lambda browser=browser: browser.post(f"{USERS}/new", form) for browser in browsers  # type: ignore[misc] # noqa: B023
        ])  # fmt: skip
        assert [answer.status_code for answer in answers] == [303, 303], number
        assert answers[0].location.partition("?")[0] == answers[1].location.partition("?")[0]
    query = sa.select(sa.func.count())
    with house.db.reading() as session:
        added = session.scalar(query.where(col(User.username).startswith("jane")))
        creates = session.scalar(query.where(col(Operation.kind) == OperationKind.CREATE))
    assert (added, creates) == (people, people)


@pytest.fixture
def fingers(enter: Callable[[int], Browser], cast: Cast) -> list[Browser]:
    """One browser, and a second connection of the same session."""
    one = enter(cast.ada)
    two = Browser(one.app)
    with one.client.session_transaction() as mine:
        kept = dict(mine)
    with two.client.session_transaction() as theirs:
        theirs.update(kept)
    return [one, two]


def test_a_form_sent_twice_at_once_adds_one_and_leaves_one_operation(
    desk: Desk, house: House, fingers: list[Browser]
) -> None:
    click_twice(desk, house, fingers, 6)


@pytest.mark.faults
def test_five_hundred_forms_sent_twice_leave_five_hundred_operations(
    desk: Desk, house: House, fingers: list[Browser], counted: Callable[[str], None]
) -> None:
    click_twice(desk, house, fingers, 500)
    counted("500 double posts: 500 people, 500 operations")


def test_an_edit_and_a_deletion_sent_twice_at_once_leave_one_operation_each(desk: Desk, fingers: list[Browser]) -> None:
    jane = desk.present("jane")
    row = row_of(desk, jane)
    form = {"version": str(row.version), "surname": "Mate", "was-surname": "Here"}
    answers = at_once(*[lambda browser=browser: browser.post(f"{USERS}/{jane}/edit", form) for browser in fingers])  # type: ignore[misc]
    assert [answer.status_code for answer in answers] == [303, 303]
    assert (row_of(desk, jane).version, len(desk.operations(jane))) == (row.version + 1, 1)
    desk.drain()
    sure = {"version": str(row.version + 1), "sure": "yes"}
    at_once(*[lambda browser=browser: browser.post(f"{USERS}/{jane}/delete", sure) for browser in fingers])  # type: ignore[misc]
    assert [(one.kind, one.state) for one in desk.operations(jane)] == [("update", "done"), ("delete", "pending")]
