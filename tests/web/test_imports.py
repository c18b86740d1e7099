"""Import Users: preview, import, progress, decisions and the brake, on the sandbox's people. The tests run the cycles."""

import re
from html import unescape
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import col, select

from provision.core.mapping import Row
from provision.core.tables import Account, Cycle, User
from provision.core.vocabulary import Direction
from provision.house import House
from provision.services import connectors, cycles, mappings
from tests import office
from tests.cast import Browser, Cast, Clock

HERE = "/t/contoso/imports"
PEOPLE = 60


@pytest.fixture
def o365(house: House, cast: Cast) -> int:
    return office.connected(house, cast.contoso, on=("import",))


@pytest.fixture
def people(house: House, cast: Cast) -> int:
    return office.imported(house, cast.contoso)


def _run(house: House) -> None:
    cycles.run_requested(house.ways())


def _users(house: House) -> int:
    with house.db.reading() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(User)) or 0


def _latest(house: House, cast: Cast, app: int) -> Cycle:
    with house.db.reading() as session:
        found = cycles.latest(session, cast.contoso, app)
    assert found is not None
    return found


def _shown(browser: Browser, **query: Any) -> str:
    return unescape(browser.get(HERE, query_string=query).text)


# -- Import ------------------------------------------------------------------------------------------------------------------


def test_without_an_app_the_page_leads_to_apps(ada: Browser) -> None:
    assert "/t/contoso/apps" in ada.get(HERE).text


def test_I_1_and_I_2_the_tab_has_a_drop_down_of_apps(ada: Browser, house: House, cast: Cast, o365: int) -> None:
    other = office.added(house, cast.contoso, name="Other tenant")
    assert re.search(rf'<option value="{other}" selected>Other tenant', _shown(ada, app=other))
    assert "Import User is off for Other tenant" in _shown(ada, app=other)


def test_an_app_that_is_not_connected_is_neither_chosen_first_nor_said_to_lack_a_switch_only(
    ada: Browser, house: House, cast: Cast
) -> None:
    bare = office.added(house, cast.contoso, name="Bare")
    assert re.search(rf'<option value="{bare}" selected>', _shown(ada))
    assert f'<a href="/t/contoso/apps/{bare}">Connect it</a>' in _shown(ada)
    other = office.connected(house, cast.contoso, name="Ready")
    assert re.search(rf'<option value="{other}" selected>', _shown(ada))


def test_I_3_import_creates_the_people_and_counts_them(ada: Browser, house: House, cast: Cast, o365: int) -> None:
    answer = ada.post(HERE, {"do": "import"})
    assert (answer.status_code, answer.location) == (303, HERE)
    assert "Waiting to begin" in _shown(ada)
    _run(house)
    shown = _shown(ada)
    assert _users(house) == PEOPLE
    assert re.search(rf"<b>{PEOPLE}</b><span[^>]*><svg[^>]*><use[^>]*/></svg>Created", shown)
    assert all(word in shown for word in ("Linked", "Skipped, the same", "Failed"))


def test_I_4_the_counts_lead_to_the_people(ada: Browser, people: int) -> None:
    assert f'href="/t/contoso/users?app={people}"' in _shown(ada)


def test_I_5_importing_again_makes_nobody_twice(ada: Browser, house: House, people: int) -> None:
    ada.post(HERE, {"do": "import", "read": "all"})
    _run(house)
    assert _users(house) == PEOPLE


def test_I_5_import_is_neither_offered_nor_done_while_import_user_is_off(
    ada: Browser, house: House, cast: Cast
) -> None:
    app = office.connected(house, cast.contoso)
    shown = _shown(ada)
    assert "Import User is off" in shown
    assert f'href="/t/contoso/provisioning?app={app}"' in shown
    assert 'value="import"' not in shown
    answer = ada.post(HERE, {"do": "import"})
    assert answer.status_code == 422
    assert "Switch on Import User" in answer.text
    with house.db.reading() as session:
        assert session.exec(select(Cycle)).all() == []


def test_a_double_click_asks_once(ada: Browser, house: House, o365: int) -> None:
    for _click in range(2):
        assert ada.post(HERE, {"do": "import"}).status_code == 303
    with house.db.reading() as session:
        assert len(session.exec(select(Cycle)).all()) == 1


def test_a_paused_app_says_why_it_does_not_import(ada: Browser, house: House, cast: Cast, o365: int) -> None:
    with house.db.writing() as session:
        connectors.pause(session, cast.contoso, o365, "ada", house.now())
    assert ada.post(HERE, {"do": "import"}).status_code == 422
    assert "is paused" in _shown(ada)


def test_a_failed_import_is_explained_with_its_remedy(ada: Browser, house: House, o365: int) -> None:
    house.sandbox().expire_secrets()
    ada.post(HERE, {"do": "import"})
    _run(house)
    shown = _shown(ada)
    assert "<title>Error: Import Users" in shown
    assert "is in quarantine" in shown or "Make a new client secret" in shown
    assert "Traceback" not in shown


# -- While it runs -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def running(ada: Browser, house: House, clock: Clock, cast: Cast, o365: int) -> int:
    """A cycle in the middle of its work, as the leader's commits would leave it."""
    ada.post(HERE, {"do": "import"})
    begun = clock()
    clock.forward(seconds=4)
    with house.db.writing() as session:
        cycle = session.exec(select(Cycle)).one()
        cycle.state, cycle.started_at, cycle.progress_at = "running", begun, clock()
        cycle.counts = {"seen": 40, "pages": 2, "created": 38, "disputed": 2}
        return cycle.id or 0


def test_progress_shows_how_many_of_how_many_how_fast_and_how_long(ada: Browser, running: int) -> None:
    shown = _shown(ada)
    assert "<title>Importing, 40 of 60" in shown
    assert "<b>40</b> of 60 accounts" in shown
    assert "2 pages" in shown
    assert "10 a second" in shown
    assert "about 2 seconds left" in shown


def test_the_progress_block_asks_again_until_the_end_and_then_loads_the_page(
    ada: Browser, house: House, clock: Clock, running: int, o365: int
) -> None:
    part = ada.get(HERE, query_string={"app": o365}, headers={"HX-Request": "true"})
    assert part.text.lstrip().startswith('<div id="progress"')
    assert 'hx-trigger="every 2s"' in part.text
    with house.db.writing() as session:
        cycle = session.exec(select(Cycle)).one()
        cycle.state, cycle.ended_at = "done", clock()
    last = ada.get(HERE, query_string={"app": o365}, headers={"HX-Request": "true"})
    assert (last.status_code, last.headers["HX-Redirect"]) == (204, f"{HERE}?app={o365}")


def test_without_script_the_progress_page_reloads_itself(ada: Browser, running: int) -> None:
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in ada.get(HERE).text


def test_stop_is_asked_for_once_and_said(ada: Browser, house: House, cast: Cast, running: int, o365: int) -> None:
    answer = ada.post(f"{HERE}/{running}/stop", follow_redirects=True)
    assert "Stopping" in answer.text
    assert _latest(house, cast, o365).stop_requested
    assert re.search(r"<button[^>]* disabled[^>]*>.*?Stop", answer.text, re.DOTALL)


# -- Preview and decisions ---------------------------------------------------------------------------------------------------


def _twin(house: House, cast: Cast, employee: str) -> int:
    """Somebody here who looks like one of them."""
    with house.db.writing() as session:
        user = User(
            tenant_id=cast.contoso, email="twin@elsewhere.example", email_key="twin@elsewhere.example",
            display_name="Twin Here", name_key="twin here", employee_id=employee,
            created_at=house.now(), changed_at=house.now(),
        )  # fmt: skip
        session.add(user)
        session.flush()
        return user.id or 0


@pytest.fixture
def previewed(ada: Browser, house: House, o365: int) -> int:
    ada.post(HERE, {"do": "preview"})
    _run(house)
    return o365


def _account(house: House, name: str) -> int:
    with house.db.reading() as session:
        return session.exec(select(Account.id).where(Account.name == name)).one() or 0


def test_a_preview_shows_everybody_and_adds_nobody(ada: Browser, house: House, previewed: int) -> None:
    shown = _shown(ada)
    assert f"Import {PEOPLE} people" in shown
    assert "Anneliese Köster" in shown + _shown(ada, after=_last(shown))
    assert all(word in shown for word in ("New", "Changed", "Same", "Gone", "Disputed"))
    assert _users(house) == 0


def _last(shown: str) -> str:
    return re.findall(r'name="chosen" value="(\d+)"', shown)[-1]


def test_rows_go_on_page_by_page(ada: Browser, previewed: int) -> None:
    first = _shown(ada)
    assert "Show more" in first
    second = _shown(ada, after=_last(first))
    ids = [set(re.findall(r'name="chosen" value="(\d+)"', shown)) for shown in (first, second)]
    assert [len(each) for each in ids] == [50, PEOPLE - 50]
    assert not ids[0] & ids[1]


def test_only_the_chosen_are_imported(ada: Browser, house: House, previewed: int) -> None:
    wanted = re.findall(r'name="chosen" value="(\d+)"', _shown(ada))[:3]
    assert ada.post(HERE, {"do": "chosen", "chosen": wanted}).status_code == 303
    _run(house)
    assert _users(house) == 3


def test_choosing_nothing_imports_nothing_and_says_so(ada: Browser, house: House, previewed: int) -> None:
    answer = ada.post(HERE, {"do": "chosen"})
    assert answer.status_code == 422
    assert "Nothing was chosen" in answer.text


def test_an_ignored_row_stays_out(ada: Browser, house: House, previewed: int) -> None:
    account = re.findall(r'name="chosen" value="(\d+)"', _shown(ada))[0]
    kept = ada.post(
        f"{HERE}/decide", {f"decision-{account}": "ignore", f"shown-{account}": "new"}, follow_redirects=True
    )
    assert "One decision is kept" in kept.text
    ada.post(HERE, {"do": "import"})
    _run(house)
    assert _users(house) == PEOPLE - 1
    assert "Stays out" in _shown(ada, show="ignored")


def test_a_row_nobody_touched_is_no_decision(ada: Browser, previewed: int) -> None:
    account = re.findall(r'name="chosen" value="(\d+)"', _shown(ada))[0]
    kept = ada.post(f"{HERE}/decide", {f"decision-{account}": "new", f"shown-{account}": "new"}, follow_redirects=True)
    assert "Nothing was decided" in kept.text


def test_existing_links_to_the_named_person(ada: Browser, house: House, cast: Cast, previewed: int) -> None:
    here = _twin(house, cast, "none")
    account = re.findall(r'name="chosen" value="(\d+)"', _shown(ada))[0]
    form = {f"decision-{account}": "existing", f"shown-{account}": "new", f"who-{account}": "twin@elsewhere.example"}
    assert ada.post(f"{HERE}/decide", form).status_code == 303
    ada.post(HERE, {"do": "import"})
    _run(house)
    with house.db.reading() as session:
        assert session.exec(select(Account.user_id).where(Account.id == int(account))).one() == here
    assert _users(house) == PEOPLE


@pytest.mark.parametrize(("who", "status"), [("", 422), ("nobody@nowhere.example", 404)])
def test_existing_without_a_person_is_refused(
    ada: Browser, house: House, previewed: int, who: str, status: int
) -> None:
    account = re.findall(r'name="chosen" value="(\d+)"', _shown(ada))[0]
    form = {f"decision-{account}": "existing", f"shown-{account}": "new", f"who-{account}": who}
    answer = ada.post(f"{HERE}/decide", form)
    assert answer.status_code == status
    with house.db.reading() as session:
        assert session.exec(select(Account.verdict).where(Account.id == int(account))).one().get("decision") is None


def test_someone_elses_person_cannot_be_linked(ada: Browser, house: House, cast: Cast, previewed: int) -> None:
    with house.db.writing() as session:
        at = house.now()
        user = User(tenant_id=cast.fabrikam, email_key="x@y.example", name_key="x", created_at=at, changed_at=at)
        session.add(user)
        session.flush()
        theirs = user.id
    account = re.findall(r'name="chosen" value="(\d+)"', _shown(ada))[0]
    form = {f"decision-{account}": "existing", f"shown-{account}": "new", f"user-{account}": theirs}
    assert ada.post(f"{HERE}/decide", form).status_code == 404


def test_a_disputed_row_offers_the_people_it_might_be(ada: Browser, house: House, cast: Cast, o365: int) -> None:
    ada.post(HERE, {"do": "import"})
    _run(house)
    with house.db.writing() as session:
        first, second = session.exec(select(Account).order_by(col(Account.id)).limit(2)).all()
        first.user_id, first.situation = None, "disputed"
        first.verdict = {"reason": "several", "candidates": [second.user_id], "rule": ["email", "userPrincipalName", 1]}
        number, candidate = first.id, second.user_id
    shown = _shown(ada, app=o365, show="disputed")
    assert "1 row" in shown or "One row" in shown
    assert "several people fit" in shown
    assert f'name="user-{number}" value="{candidate}"' in shown
    assert "Choose…" in shown


def test_an_unknown_filter_and_a_broken_cursor_are_no_fault(ada: Browser, previewed: int) -> None:
    for query in ({"show": "<script>"}, {"after": "x"}, {"after": "9" * 30}, {"after": "-1"}):
        assert ada.get(HERE, query_string=query).status_code == 200


def test_a_value_with_markup_is_shown_as_text(ada: Browser, house: House, previewed: int) -> None:
    with house.db.writing() as session:
        account = session.exec(select(Account).order_by(col(Account.id))).first()
        assert account is not None
        account.observed = {**account.observed, "displayName": "<img src=x onerror=alert(1)>"}
    raw = ada.get(HERE).text
    assert "<img src=x" not in raw
    assert "&lt;img src=x" in raw


# -- The brake ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def held(ada: Browser, house: House, cast: Cast, people: int) -> int:
    """An import after which half the people seem to be gone there."""
    with house.db.writing() as session:
        ids = session.exec(select(Account.id).order_by(col(Account.id)).limit(30)).all()
        session.execute(sa.update(Account).where(col(Account.id).in_(ids)).values(removed="restorable"))
    ada.post(HERE, {"do": "import"})
    _run(house)
    cycle = _latest(house, cast, people)
    assert cycle.state == "held"
    return cycle.id or 0


def test_what_the_brake_holds_is_listed_with_its_reason(ada: Browser, held: int) -> None:
    shown = _shown(ada)
    assert "Stopped by the brake: 30 people would be taken away" in shown
    assert "the limit is" in shown
    assert shown.count("deleted there, in the recycle bin") == 30
    assert "Nobody was changed" in shown


def test_allow_needs_the_number_typed(ada: Browser, house: House, cast: Cast, people: int, held: int) -> None:
    assert ada.post(f"{HERE}/{held}/release", {"do": "allow"}, query_string={"app": people}).status_code == 422
    assert _latest(house, cast, people).state == "held"
    answer = ada.post(f"{HERE}/{held}/release", {"do": "allow", "typed": "30"}, query_string={"app": people})
    assert answer.status_code == 303
    assert _latest(house, cast, people).state == "done"


def test_reject_changes_nobody(ada: Browser, house: House, cast: Cast, people: int, held: int) -> None:
    ada.post(f"{HERE}/{held}/release", {"do": "reject"}, query_string={"app": people})
    assert _latest(house, cast, people).state == "stopped"
    with house.db.reading() as session:
        gone = session.scalar(sa.select(sa.func.count()).where(col(Account.situation) == "gone"))
    assert gone == 0


def test_a_list_is_answered_once(ada: Browser, people: int, held: int) -> None:
    for status in (303, 409):
        answer = ada.post(f"{HERE}/{held}/release", {"do": "reject"}, query_string={"app": people})
        assert answer.status_code == status


# -- The timetable -----------------------------------------------------------------------------------------------------------


def test_the_timetable_is_kept_inline(ada: Browser, house: House, cast: Cast, o365: int) -> None:
    ada.post(f"{HERE}/schedule", {"every_minutes": "60"})
    assert office.of(house, cast.contoso, o365).every_minutes == 60
    assert re.search(r'<option value="60" selected>every hour', _shown(ada))
    ada.post(f"{HERE}/schedule", {"every_minutes": ""})
    assert office.of(house, cast.contoso, o365).every_minutes is None


@pytest.mark.parametrize("pace", ["1", "-5", "soon", "9" * 30])
def test_a_pace_that_cannot_be_is_refused(ada: Browser, house: House, cast: Cast, o365: int, pace: str) -> None:
    assert ada.post(f"{HERE}/schedule", {"every_minutes": pace}).status_code == 422
    assert office.of(house, cast.contoso, o365).every_minutes is None


# -- History and who may -----------------------------------------------------------------------------------------------------


def test_earlier_imports_stand_below(ada: Browser, people: int) -> None:
    shown = _shown(ada)
    assert "Earlier imports" in shown
    assert f"{PEOPLE} created, 0 linked, 0 updated, 0 the same" in shown


def test_an_auditor_sees_and_starts_nothing(enter, cast: Cast, people: int) -> None:
    dee = enter(cast.dee)
    shown = dee.get(HERE)
    assert shown.status_code == 200
    assert 'value="import"' not in shown.text
    for path in ("", "/decide", "/schedule", "/1/stop", "/1/release"):
        assert dee.post(HERE + path).status_code == 403


def test_an_operator_imports(enter, house: House, cast: Cast, o365: int) -> None:
    assert enter(cast.ben).post(HERE, {"do": "import"}).status_code == 303


def test_cy_reaches_neither_app_nor_cycle_nor_account(enter, house: House, cast: Cast, people: int) -> None:
    cy = enter(cast.cy)
    with house.db.reading() as session:
        account = session.exec(select(Account.id)).first()
        cycle = session.exec(select(Cycle.id)).first()
    assert cy.get(HERE).status_code == 404
    assert cy.get("/t/fabrikam/imports", query_string={"app": people}).status_code == 404
    assert cy.post("/t/fabrikam/imports", {"do": "import"}, query_string={"app": people}).status_code == 404
    assert cy.post(f"/t/fabrikam/imports/{cycle}/stop").status_code == 404
    assert cy.post(f"/t/fabrikam/imports/{cycle}/release", {"do": "allow"}).status_code == 404
    office.added(house, cast.fabrikam, name="Own")
    answer = cy.post("/t/fabrikam/imports/decide", {f"decision-{account}": "ignore", f"shown-{account}": ""})
    assert answer.status_code == 404


# -- What the numbers count --------------------------------------------------------------------------------------------------


def _tiles(shown: str, label: str) -> dict[str, int]:
    """The numbers of a strip by what stands under them."""
    strip = shown[shown.index(f'aria-label="{label}"') :]
    found = re.findall(r"<b>([\d,]+)</b><span[^>]*>(?:<svg.*?</svg>)?([^<]+)", strip[: strip.index("</section>")])
    return {name.strip(): int(number.replace(",", "")) for number, name in found}


@pytest.fixture
def late(ada: Browser, house: House, cast: Cast, people: int) -> int:
    """An attribute mapped after the import, of which one person has another value here."""
    with house.db.writing() as session:
        ours = session.exec(select(User).where(User.tenant_id == cast.contoso).order_by(col(User.id))).all()
        ours[3].department = "Of our own"
        rows = mappings.rows(session, cast.contoso, people)
        schema = house.kinds["microsoft365"].schema
        row = Row(Direction.BOTH, "department", "department", position=9)
        mappings.save(session, cast.contoso, people, [*rows, row], schema, "ada", house.now())
    ada.post(HERE, {"do": "preview"})
    _run(house)
    return people


def test_the_numbers_of_a_preview_add_up_and_the_import_does_what_it_said(
    ada: Browser, house: House, cast: Cast, late: int
) -> None:
    shown = _shown(ada)
    said = _tiles(shown, "What this import would do")
    assert said["Kept"] == 1
    assert said["Changed"] > 1
    assert said.pop("Not the same") == said["New"] + said["Changed"] + said["Kept"] + said["Gone"] + said["Disputed"]
    assert sum(said.values()) == PEOPLE
    assert f"Each of the {PEOPLE} accounts that are known there is counted once." in shown
    ada.post(HERE, {"do": "import"})
    _run(house)
    done = _latest(house, cast, late).counts
    assert (done["updated"], done["kept"]) == (said["Changed"], said["Kept"])
    shown = _shown(ada)
    assert _tiles(shown, "Result")["Updated"] == said["Changed"]
    assert "What a preview had read before was taken over, too." in shown


def test_a_row_whose_value_stays_says_what_is_here_and_there(ada: Browser, late: int) -> None:
    assert "Department stays “Of our own”; there it is “" in _shown(ada, show="kept")
    assert "Of our own" not in _shown(ada, show="changed")


def test_a_preview_of_no_change_says_what_was_read_and_what_is_counted(ada: Browser, house: House, people: int) -> None:
    ada.post(HERE, {"do": "preview"})
    _run(house)
    shown = _shown(ada)
    assert "0 accounts read" in shown
    assert _tiles(shown, "What this import would do")["Same"] == PEOPLE


def test_what_was_kept_once_is_changed_when_it_moves_again(ada: Browser, house: House, late: int) -> None:
    with house.db.writing() as session:
        person = session.exec(select(User).where(User.department == "Of our own")).one()
        person.department = None
    ada.post(HERE, {"do": "preview", "read": "all"})
    _run(house)
    assert _tiles(_shown(ada), "What this import would do").get("Kept", 0) == 0


def test_a_persons_page_drift_and_provisioning_say_the_same_of_what_was_mapped_late(
    ada: Browser, house: House, cast: Cast, late: int
) -> None:
    with house.db.writing() as session:
        connectors.features(session, cast.contoso, late, {"edit": True}, None, "ada", house.now())
    ada.post(HERE, {"do": "import"})
    _run(house)
    office.run(house, cast.contoso, late, compare=True)
    with house.db.reading() as session:
        person = session.exec(select(User.id).where(User.department == "Of our own")).one()
        rows = mappings.rows(session, cast.contoso, late)
        would = mappings.would_change(session, cast.contoso, late, rows, house.kinds["microsoft365"].schema)
    page = unescape(ada.get(f"/t/contoso/users/{person}").text)
    assert "Not sent yet" in page
    assert "Drifted" not in page
    assert [number for number, _name, _changes in would.there.sample] == [person]
    assert "Of our own" not in unescape(ada.get("/t/contoso/drift").text)
