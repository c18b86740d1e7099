"""Secrets that expire, permissions that are taken back, seats that run out: on the real sandbox in process.

What cannot go out waits and says why; what can goes on; and when the door is open again nobody has to click.
"""

import pytest

from provision.core.vocabulary import ConnectorState, CycleState, OperationState
from provision.house import House
from provision.sandbox import PERMISSIONS
from provision.services import connectors, cycles
from provision.services.users import Move
from tests import office
from tests.cast import Cast, Clock
from tests.faults.road import TOKENS, Road
from tests.lobby import GOOD, Lobby


@pytest.fixture
def road(house: House, cast: Cast, clock: Clock) -> Road:
    return Road(house, cast.contoso, clock)


# -- The secret ------------------------------------------------------------------------------------------------------------


def test_an_expired_secret_stops_the_app_at_once_is_told_once_and_a_new_one_lets_all_go_on(road: Road) -> None:
    people = road.hire(*[f"p{number}" for number in range(30)])
    road.work()
    for number in people:
        road.edit(number, surname="Married")
    road.sandbox.expire_secrets()
    road.sandbox.expire_tokens()
    road.count(TOKENS)
    road.work(1)
    assert road.counted() <= 3
    assert (road.row.state, road.row.reason) == (ConnectorState.QUARANTINED, "secret_expired")
    assert "failed" not in road.states()
    for _ in range(12 * 4):
        road.work(1, seconds=900)
        road.tell()
    assert road.counted() <= 3 + 4, "after one hour, two, four and eight"
    assert [mail.template for mail in road.mails()] == ["quarantine"]
    assert road.states() == {"done": 30, "pending": 30}
    fresh = road.house.read_secret(road.sandbox.add_secret())
    connectors.renew_secret(
        road.house.db.writing, road.house.connect, road.house.vault, road.tenant, road.app, fresh, "ada", road.house.now
    )
    road.work(4)
    assert road.row.state == ConnectorState.ACTIVE
    assert road.states() == {"done": 60}
    road.clock.forward(minutes=15)
    road.tell()
    assert [mail.template for mail in road.mails()] == ["quarantine", "recovered"]
    assert (road.told("connector.quarantined"), road.told("connector.recovered")) == (1, 1)
    assert {road.named(f"p{number}@{office.DOMAIN}")[0]["surname"] for number in range(30)} == {"Married"}


# -- Permissions -----------------------------------------------------------------------------------------------------------


def without(road: Road, *taken: str) -> None:
    road.sandbox.grant_consent([one for one in (*PERMISSIONS, "User.Read.All") if one not in taken])
    road.sandbox.expire_tokens()


def create(road: Road, somebody: int) -> None:
    road.hire("newcomer")


def change(road: Road, somebody: int) -> None:
    road.edit(somebody, surname="Married")


def disable(road: Road, somebody: int) -> None:
    road.move(somebody, Move.DISABLE)


def delete(road: Road, somebody: int) -> None:
    road.move(somebody, Move.DELETE)


DEEDS = {"create": create, "update": change, "disable": disable, "delete": delete}


@pytest.mark.parametrize("deed", DEEDS)
def test_without_the_right_to_write_each_deed_waits_for_it_by_name_and_imports_go_on(road: Road, deed: str) -> None:
    (somebody,) = road.hire("somebody")
    road.work()
    road.read()
    without(road, "User.ReadWrite.All", "User.EnableDisableAccount.All", "User.DeleteRestore.All")
    DEEDS[deed](road, somebody)
    road.work(2)
    (waiting,) = [one for one in road.operations() if one.state == OperationState.BLOCKED]
    assert waiting.error is not None
    assert (waiting.error["code"], waiting.error["params"]) == (
        "permission_missing",
        {"permission": "User.ReadWrite.All"},
    )
    assert road.row.state == ConnectorState.ACTIVE
    road.read(full=True)
    with road.house.db.reading() as session:
        newest = cycles.latest(session, road.tenant, road.app)
    assert newest is not None
    assert (newest.state, newest.error) == (CycleState.DONE, None)


@pytest.mark.parametrize(
    ("taken", "named"),
    [
        (("User.Read.All", "User.ReadWrite.All"), "User.Read.All"),
        (("Organization.Read.All",), "Organization.Read.All"),
        (("Domain.Read.All",), "Domain.Read.All"),
        (("User.ReadWrite.All",), "User.ReadWrite.All"),
        (("RoleManagement.Read.Directory",), "RoleManagement.Read.Directory"),
        (("User-PasswordProfile.ReadWrite.All",), "User-PasswordProfile.ReadWrite.All"),
        (("LicenseAssignment.ReadWrite.All", "User.ReadWrite.All"), "LicenseAssignment.ReadWrite.All"),
    ],
)
def test_each_right_that_is_taken_back_is_named_by_the_next_check(
    road: Road, taken: tuple[str, ...], named: str
) -> None:
    def missing() -> set[str]:
        connectors.check(road.house.db.writing, road.house.connect, road.tenant, road.app, "ada", road.house.now)
        return {one["name"] for one in road.row.facts["rights"] if one["state"] == "missing"}

    without(road)
    before = missing()
    without(road, *taken)
    assert named in missing() - before <= {*taken, "User.Read.All"}


@pytest.mark.parametrize("right", ["User-PasswordProfile.ReadWrite.All", "administrator"])
def test_a_password_that_may_not_be_set_costs_no_link_and_is_stored_nowhere(
    house: House, cast: Cast, clock: Clock, right: str
) -> None:
    lobby = Lobby(house, cast.contoso, clock)
    user, token = lobby.hire()
    if right == "administrator":
        _promote(lobby, user.email or "")
    else:
        lobby.sandbox.grant_consent([one for one in PERMISSIONS if one != right])
    lobby.sandbox.expire_tokens()
    result = lobby.redeem(token)
    assert result.code == "activation_ask"
    assert lobby.row(user).used_at is None
    assert not lobby.signs_in(user, GOOD)
    house.db.engine.dispose()
    stored = b"".join(path.read_bytes() for path in house.settings.data_dir.glob("provision.db*"))
    assert GOOD.encode() not in stored


def _promote(lobby: Lobby, address: str) -> None:
    """Make somebody an administrator there, after the mail was sent."""
    with lobby.sandbox.store.writing() as db:
        role = db.execute("SELECT id FROM roles WHERE name = 'Global Administrator'").fetchone()["id"]
        person = db.execute("SELECT id FROM users WHERE upn_key = ?", (address.casefold(),)).fetchone()["id"]
        db.execute("INSERT INTO role_members VALUES (?, ?)", (role, person))


# -- Licences --------------------------------------------------------------------------------------------------------------

E3 = "05e9a617-0261-4cee-bb44-138d3ef5d965"
FLOW = "f30db892-07e9-47e9-837c-80727f46fd3d"
REFUSALS = {
    "no_seat": "Subscription with SKU 05e9a617-0261-4cee-bb44-138d3ef5d965 does not have any available licenses.",
    "usage_location_missing": "License assignment cannot be done for user with invalid usage location.",
    "licence_conflict": "License assignment failed because service plans a and b are mutually exclusive.",
    "licence_dependency": "License assignment failed because service plan a depends on the service plan(s) b.",
}


@pytest.mark.parametrize("code", REFUSALS)
def test_whatever_keeps_a_licence_away_the_person_is_created_once_and_the_licence_waits(road: Road, code: str) -> None:
    road.refuse("POST", "/v1.0/users/*/assignLicense", REFUSALS[code])
    people = road.hire(*[f"p{number}" for number in range(3)])
    road.wish(people, E3)
    road.work(1)
    assert road.states() == {"done": 3, "blocked": 3}
    assert road.codes() == {code: 3}
    road.work(3)
    assert [len(road.named(f"p{number}@{office.DOMAIN}")) for number in range(3)] == [1, 1, 1]
    road.seats(E3, 3)
    road.sandbox.faults.clear()
    if code != "no_seat":
        road.retry()
    road.work(2, seconds=450)
    assert road.states() == {"done": 6}
    assert [road.licences(number) for number in people] == [[E3]] * 3


def test_thirty_people_who_lack_seats_of_two_licences_are_told_of_twice_and_it_ends_by_itself(road: Road) -> None:
    road.sell_out(E3, FLOW)
    people = road.hire(*[f"p{number}" for number in range(30)])
    road.wish(people[:10], E3, FLOW)
    road.wish(people[10:20], E3)
    road.wish(people[20:], FLOW)
    road.work(1, seconds=1)
    assert road.codes() == {"no_seat": 30}
    seatless = [one for one in road.needs() if one[0] in ("unseated", "blocked", "unsent")]
    assert [(what, licence) for what, _n, licence in seatless] == [
        ("unseated", "Microsoft 365 E3"),
        ("unseated", "Power Automate Free"),
    ]
    assert sum(n for _what, n, _licence in seatless) == 30
    for _ in range(3 * 6):  # three hours in which nobody buys anything
        road.tell()
        road.work(1, seconds=600)
    mails = road.mails()
    assert [mail.template for mail in mails] == ["seats", "seats"]
    assert sorted(mail.params["licence"] for mail in mails) == ["Microsoft 365 E3", "Power Automate Free"]
    assert sum(int(mail.params["waiting"]) for mail in mails) == 30
    assert road.told("operation.blocked") == 0, "being created without it is told already, trying again is no news"
    road.seats(E3, 30)
    road.seats(FLOW, 30)
    road.work(2, seconds=600)
    road.tell()
    assert [one for one in road.needs() if one[0] in ("unseated", "blocked", "unsent")] == []
    assert road.states() == {"done": 60}
    assert len(road.mails()) == 2
    assert (road.told("licence.short"), road.told("licence.served")) == (2, 2)


def test_a_licence_that_is_short_again_is_told_again(road: Road) -> None:
    road.sell_out(E3)
    (first,) = road.hire("first")
    road.wish([first], E3)
    road.work(1, seconds=600)
    road.tell()
    road.seats(E3, 0)
    road.work(1, seconds=600)
    road.tell()
    road.sell_out(E3)
    (second,) = road.hire("second")
    road.wish([second], E3)
    road.work(1, seconds=600)
    road.tell()
    assert [mail.template for mail in road.mails()] == ["seats", "seats"]
