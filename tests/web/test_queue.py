"""The Queue as a browser sees it: what waits, what it would write, and what answering does."""

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from provision.core.tables import Connector, Event, Operation, User
from provision.core.vocabulary import Asks, OperationKind, OperationState, Outcome
from provision.house import House
from provision.services import outbox
from tests import populate
from tests.cast import Browser, Cast, Clock

QUEUE = "/t/contoso/queue"
ON = {"import": True, "create": True, "edit": True, "delete": True}


@pytest.fixture
def office(house: House, cast: Cast, clock: Clock) -> Connector:
    with house.db.writing() as session:
        return populate.app(session, cast.contoso, clock(), features=ON)


@pytest.fixture
def kim(house: House, cast: Cast, clock: Clock, office: Connector) -> User:
    """Kim, whose first name here is not the one there: one change waits for review."""
    with house.db.writing() as session:
        values = {"email": "kim@contoso.example", "username": "kim", "given_name": "Kimberly", "surname": "Lee"}
        kim = populate.person(session, cast.contoso, clock(), "Kim Lee", **values)
        populate.account(session, office, kim, clock(), anchor="kim", observed={"givenName": "Kim"})
        outbox.enqueue(session, cast.contoso, [populate.number(kim)], _order(house, clock, review=True))
        return kim


def _order(house: House, clock: Clock, **more: Any) -> outbox.Order:
    return outbox.Order("ada@contoso.example", clock(), house.kinds, **more)


def _someone(house: House, cast: Cast, clock: Clock, office: Connector, name: str, **operation: Any) -> int:
    """A person with an operation in some state, written as the worker leaves it."""
    with house.db.writing() as session:
        person = populate.person(session, cast.contoso, clock(), name, email=f"{name.lower()}@contoso.example")
        account = populate.account(session, office, person, clock(), anchor=name, observed={"userPrincipalName": "old"})
        given = {
            "kind": OperationKind.UPDATE,
            "due_at": clock(),
            "created_at": clock(),
            "created_by": "ben",
            **operation,
        }
        row = Operation(
            tenant_id=cast.contoso,
            connector_id=populate.number(office),
            account_id=populate.number(account),
            **given,
        )
        session.add(row)
        session.flush()
        return populate.number(row)


def _state(house: House, cast: Cast) -> dict[int, tuple[OperationState, Asks | None]]:
    with house.db.reading() as session:
        query = select(Operation).where(Operation.tenant_id == cast.contoso)
        rows = session.exec(query.order_by(col(Operation.id))).all()
        return {row.id or 0: (row.state, row.asks) for row in rows}


def _only(house: House, cast: Cast) -> tuple[OperationState, Asks | None]:
    return next(iter(_state(house, cast).values()))


def _field(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None, name
    return found[1]


def test_an_empty_queue_says_so_and_does_not_ask_again(ada: Browser, office: Connector) -> None:
    page = ada.get(QUEUE).text
    assert "Nothing to review" in page
    assert "every 2s" not in page


def test_what_asks_is_shown_with_the_value_there_and_the_value_it_becomes(ada: Browser, kim: User) -> None:
    page = ada.get(QUEUE).text
    assert "Queue, 1 to review" in page
    assert "Kim Lee" in page
    assert '<del class="was"><span class="vh">was </span>Kim</del>' in page
    assert "Kimberly" in page


def test_the_navigation_counts_what_is_not_settled(ada: Browser, kim: User) -> None:
    assert re.search(r'href="/t/contoso/queue">Queue<span class="n">1</span>', ada.get("/t/contoso/apps").text)


def test_approving_one_lets_exactly_what_was_shown_go(ada: Browser, house: House, cast: Cast, kim: User) -> None:
    number = next(iter(_state(house, cast)))
    seen = _field(ada.get(QUEUE).text, f"seen-{number}")
    answer = ada.post(QUEUE, {"do": f"approve-{number}", f"seen-{number}": seen})
    assert answer.status_code == 303
    assert _only(house, cast) == (OperationState.PENDING, None)
    assert "One change may go." in ada.get(answer.location).text


def test_what_would_write_something_else_by_now_is_not_approved(
    ada: Browser, house: House, cast: Cast, clock: Clock, kim: User
) -> None:
    number = next(iter(_state(house, cast)))
    seen = _field(ada.get(QUEUE).text, f"seen-{number}")
    with house.db.writing() as session:
        row = session.get(User, kim.id)
        assert row is not None
        row.surname = "Lee-Park"
        session.add(row)
        outbox.enqueue(session, cast.contoso, [populate.number(kim)], _order(house, clock, review=True))
    answer = ada.post(QUEUE, {"do": f"approve-{number}", f"seen-{number}": seen})
    assert answer.status_code == 409
    assert "The change is another one by now" in answer.text
    assert _only(house, cast) == (OperationState.PENDING, Asks.REVIEW)


def test_declining_the_ticked_ones_ends_them(ada: Browser, house: House, cast: Cast, kim: User) -> None:
    number = next(iter(_state(house, cast)))
    answer = ada.post(QUEUE, {"do": "decline", "chosen": str(number)})
    assert answer.status_code == 303
    assert _only(house, cast)[0] == OperationState.CANCELLED


def test_approving_the_ticked_ones_lets_those_go_and_leaves_the_others_asking(
    ada: Browser, house: House, cast: Cast, clock: Clock, office: Connector
) -> None:
    ids = [_someone(house, cast, clock, office, f"P{one}", asks=Asks.REVIEW, fingerprint=f"f{one}") for one in range(5)]
    page = ada.get(QUEUE).text
    ticked = [ids[0], ids[3]]
    assert all(re.search(rf'type="checkbox"[^>]* name="chosen" value="{number}"', page) for number in ids)
    seen = {f"seen-{number}": _field(page, f"seen-{number}") for number in ids}
    answer = ada.post(QUEUE, {"do": "approve", "chosen": [str(number) for number in ticked], **seen})
    assert answer.status_code == 303
    assert "2 changes may go." in ada.get(answer.location).text
    assert {number: asks for number, (_, asks) in _state(house, cast).items()} == {
        number: None if number in ticked else Asks.REVIEW for number in ids
    }
    assert {state for state, _ in _state(house, cast).values()} == {OperationState.PENDING}


def test_of_the_ticked_ones_none_goes_when_one_is_another_by_now(
    ada: Browser, house: House, cast: Cast, clock: Clock, office: Connector
) -> None:
    ids = [_someone(house, cast, clock, office, f"P{one}", asks=Asks.REVIEW, fingerprint=f"f{one}") for one in range(3)]
    seen = {f"seen-{ids[0]}": "f0", f"seen-{ids[1]}": "what it was before"}
    answer = ada.post(QUEUE, {"do": "approve", "chosen": [str(number) for number in ids[:2]], **seen})
    assert answer.status_code == 409
    assert {asks for _, asks in _state(house, cast).values()} == {Asks.REVIEW}


def test_all_means_the_list_that_was_shown(
    ada: Browser, house: House, cast: Cast, clock: Clock, office: Connector, kim: User
) -> None:
    seal = _field(ada.get(QUEUE).text, "seal")
    _someone(house, cast, clock, office, "Lou", asks=Asks.REVIEW, fingerprint="f")
    answer = ada.post(QUEUE, {"do": "approve-all", "seal": seal})
    assert answer.status_code == 409
    assert "The list is another one by now" in answer.text
    assert {asks for _, asks in _state(house, cast).values()} == {Asks.REVIEW}
    again = ada.post(QUEUE, {"do": "approve-all", "seal": _field(answer.text, "seal")})
    assert again.status_code == 303
    assert {asks for _, asks in _state(house, cast).values()} == {None}


def test_answering_without_choosing_says_so(ada: Browser, kim: User) -> None:
    answer = ada.post(QUEUE, {"do": "approve"})
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text


def test_the_brakes_list_is_allowed_by_typing_its_number(
    ada: Browser, house: House, cast: Cast, clock: Clock, office: Connector
) -> None:
    for number in range(26):
        _someone(house, cast, clock, office, f"P{number}", kind=OperationKind.DELETE, asks=Asks.BRAKE, fingerprint="f")
    page = ada.get(f"{QUEUE}?show=brake").text
    assert "26 accounts would be disabled or deleted" in page
    seal = _field(page, "seal")
    refused = ada.post(f"{QUEUE}?show=brake", {"do": "approve-all", "seal": seal, "typed": "25"})
    assert refused.status_code == 422
    assert {asks for _, asks in _state(house, cast).values()} == {Asks.BRAKE}
    allowed = ada.post(f"{QUEUE}?show=brake", {"do": "approve-all", "seal": seal, "typed": "26"})
    assert allowed.status_code == 303
    assert {asks for _, asks in _state(house, cast).values()} == {None}


def test_rejecting_the_brakes_list_sends_nothing(
    ada: Browser, house: House, cast: Cast, clock: Clock, office: Connector
) -> None:
    _someone(house, cast, clock, office, "Lou", kind=OperationKind.DISABLE, asks=Asks.BRAKE, fingerprint="f")
    page = ada.get(QUEUE).text
    assert "Held by the brake" in page
    ada.post(f"{QUEUE}?show=brake", {"do": "decline-all", "seal": _field(page, "seal")})
    assert _only(house, cast)[0] == OperationState.CANCELLED


def test_a_failure_tells_its_remedy_and_is_tried_again(
    ada: Browser, house: House, cast: Cast, clock: Clock, office: Connector
) -> None:
    error = {"code": "sign_in_name_refused", "params": {}}
    more = {"state": OperationState.FAILED, "settled_at": clock(), "request_id": "req-1", "error": error}
    number = _someone(house, cast, clock, office, "Lou", **more)
    page = ada.get(f"{QUEUE}?show=failed").text
    assert "Microsoft refused the address" in page
    assert "req-1" in page
    answer = ada.post(f"{QUEUE}?show=failed", {"do": f"retry-{number}"})
    assert answer.status_code == 303
    after = ada.get(answer.location).text
    assert "One change is tried again." in after
    assert "Nothing failed in the last 30 days." in after


def test_a_failure_that_was_tried_again_since_is_gone_from_the_list(
    ada: Browser, house: House, cast: Cast, clock: Clock, office: Connector
) -> None:
    _someone(house, cast, clock, office, "Lou", state=OperationState.FAILED, settled_at=clock() - timedelta(days=31))
    assert "Nothing failed in the last 30 days." in ada.get(f"{QUEUE}?show=failed").text


def test_blocked_changes_are_cancelled_one_by_one(
    ada: Browser, house: House, cast: Cast, clock: Clock, office: Connector
) -> None:
    error = {"code": "no_seat", "params": {"licence": "Business Premium"}}
    number = _someone(house, cast, clock, office, "Lou", state=OperationState.BLOCKED, error=error)
    page = ada.get(QUEUE).text
    assert "No seat is left of Business Premium" in page
    ada.post(f"{QUEUE}?show=blocked", {"do": f"cancel-{number}"})
    assert _only(house, cast)[0] == OperationState.CANCELLED


def test_who_waits_for_a_seat_is_told_once_per_licence_and_led_to_exactly_those(
    ada: Browser, house: House, cast: Cast, clock: Clock, office: Connector
) -> None:
    for name, sku, licence in (
        ("Lou", "e3", "Microsoft 365 E3"),
        ("Kim", "e3", "Microsoft 365 E3"),
        ("Ida", "p1", "P1"),
    ):
        error = {"code": "no_seat", "params": {"sku": sku, "licence": licence}}
        _someone(house, cast, clock, office, name, state=OperationState.BLOCKED, error=error)
    other = {"code": "usage_location_missing", "params": {}}
    _someone(house, cast, clock, office, "Max", state=OperationState.BLOCKED, error=other)
    home = ada.get("/t/contoso/").text
    assert "Microsoft 365 E3: 2 people wait for a seat" in home
    assert "P1: one person waits for a seat" in home
    assert "One change in Office 365 is blocked" in home
    link = html.unescape(re.search(r'href="([^"]*licence=e3[^"]*)"', home)[1])  # type: ignore[index]
    page = ada.get(link).text
    assert "Shown: 2 people who wait for a seat of Microsoft 365 E3." in page
    assert [name in page for name in ("Lou", "Kim", "Ida", "Max")] == [True, True, False, False]
    assert "Try all 2 again" in page


def test_a_licence_in_the_address_leads_to_nobody_elses_queue(enter: Any, cast: Cast, office: Connector) -> None:
    answer = enter(cast.cy).get(f"/t/fabrikam/queue?show=blocked&app={office.id}&licence=e3")
    assert answer.status_code == 404


def test_what_moves_is_asked_again_and_its_answer_is_the_live_part_alone(
    ada: Browser, house: House, cast: Cast, clock: Clock, office: Connector
) -> None:
    _someone(house, cast, clock, office, "Lou", state=OperationState.RUNNING, sent_at=clock())
    assert "every 2s" in ada.get(QUEUE).text
    part = ada.get(f"{QUEUE}?show=running", headers={"HX-Request": "true"}).text
    assert part.lstrip().startswith('<div id="live"')
    assert "<html" not in part


def test_a_resting_app_says_until_when(ada: Browser, house: House, clock: Clock, office: Connector) -> None:
    with house.db.writing() as session:
        row = session.get(Connector, office.id)
        assert row is not None
        row.rests_until = clock() + timedelta(minutes=3)
        session.add(row)
    assert "asked us to slow down until" in ada.get(QUEUE).text


def test_an_auditor_reads_and_is_offered_no_button(ada: Browser, enter: Any, cast: Cast, kim: User) -> None:
    page = enter(cast.dee).get(QUEUE).text
    assert "Kim Lee" in page
    assert 'name="do"' not in page


def test_nobody_answers_for_another_organisation(enter: Any, house: House, cast: Cast, kim: User) -> None:
    number = next(iter(_state(house, cast)))
    answer = enter(cast.cy).post("/t/fabrikam/queue", {"do": f"approve-{number}"})
    assert answer.status_code == 404
    assert _only(house, cast)[1] == Asks.REVIEW


def test_the_reports_drawer_shows_what_came_back_and_tries_again(
    ada: Browser, house: House, cast: Cast, clock: Clock, office: Connector
) -> None:
    error = {"code": "sign_in_name_refused", "params": {}}
    number = _someone(
        house,
        cast,
        clock,
        office,
        "Lou",
        state=OperationState.FAILED,
        settled_at=clock(),
        request_id="req-1",
        error=error,
    )
    with house.db.writing() as session:
        more = {"operation_id": number, "ms": 120, "outcome": Outcome.FAILED}
        text = {"attempt": 2, "request_id": "req-1", **error}
        populate.told(session, cast.contoso, clock(), "account.updated", text=text, **more)
        event = session.exec(select(Event.id).order_by(Event.id.desc())).first()  # type: ignore[union-attr]
    page = ada.get(f"/t/contoso/reports?event={event}").text
    for told in ("req-1", "120 ms", "Correct the address, then save.", "Try again"):
        assert told in page, told
    assert f'value="retry-{number}"' in page
