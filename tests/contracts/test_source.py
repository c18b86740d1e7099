"""What every source promises, whoever stands behind it."""

import socket
from pathlib import Path

import pytest

from provision.core.ports import Consenting, Source, Throttled, Unauthorised, Unreachable, WatermarkLost
from tests.fakes.graph import MISDEEDS
from tests.fakes.grounds import MAPPED, Ground, Listener, Reader, SandboxGround, UnrulyGround, connector
from tests.fakes.misdeeds import exercise


def test_the_connector_fits_the_port(ground: Ground) -> None:
    assert isinstance(connector(ground), Source)
    assert isinstance(connector(ground), Consenting)


def test_a_check_tells_the_organisation(ground: Ground) -> None:
    check = connector(ground).check()
    assert check.outside_id == ground.tenant
    assert check.name
    assert ground.domain in {domain["name"] for domain in check.facts["domains"]}
    assert {"seats", "synced", "secret_expires_at", "people"} <= check.facts.keys()
    assert "User.Read.All" in {each.name for each in check.permissions if each.state == "granted"}


def test_the_tenant_is_found_by_its_domain(ground: Ground) -> None:
    assert connector(ground).locate() == ground.tenant


def test_a_full_walk_ends_in_the_truth(ground: Ground) -> None:
    reader = Reader().walk(lambda: connector(ground))
    assert reader.people == ground.truth()
    assert reader.position is None
    assert reader.watermark


def test_an_unchanged_directory_shows_nothing_since_the_watermark(ground: Ground) -> None:
    ground.calm()
    source = connector(ground)
    watermark = Reader().walk(lambda: source).watermark
    assert [seen for page in source.changes(MAPPED, watermark=watermark) for seen in page.seen] == []


def test_what_changed_since_the_watermark_and_only_that_is_seen(ground: Ground) -> None:
    ground.calm()
    reader = Reader().walk(lambda: connector(ground))
    ben, cy, *_ = ground.plain()
    ground.edit(ben, surname="Newly-Wed")
    ground.remove(cy)
    newcomer = ground.add(givenName="Åse", surname="Ødegård")
    before = dict(reader.people)
    reader.walk(lambda: connector(ground))
    assert reader.people == ground.truth()
    assert {anchor for anchor, values in reader.people.items() if before.get(anchor) != values} == {ben, newcomer}
    assert cy not in reader.people


def test_the_watermark_loses_nothing_over_many_walks(ground: Ground) -> None:
    reader = Reader().walk(lambda: connector(ground))
    for round_ in range(4):
        people = ground.plain()
        ground.edit(people[round_], surname=f"Round {round_}", department=None)
        ground.remove(people[round_ + 5])
        ground.add(givenName="New", surname=f"Comer {round_}")
        reader.walk(lambda: connector(ground))
        assert reader.people == ground.truth()


@pytest.mark.parametrize(("how", "removed"), [("remove", "restorable"), ("purge", "purged")])
def test_a_removed_person_is_told_apart_by_whether_they_can_come_back(ground: Ground, how: str, removed: str) -> None:
    ground.calm()
    reader = Reader().walk(lambda: connector(ground))
    someone = ground.plain()[0]
    getattr(ground, how)(someone)
    walk = connector(ground).changes(MAPPED, watermark=reader.watermark)
    assert [seen.removed for page in walk for seen in page.seen if seen.anchor == someone][-1:] == [removed]


@pytest.mark.parametrize("cut", [1, 2, 3, 4])
def test_a_walk_cut_short_goes_on_from_its_position(ground: Ground, cut: int) -> None:
    ground.calm()
    reader = Reader().walk(lambda: connector(ground), pages=cut)
    assert reader.position
    assert reader.watermark is None
    reader.walk(lambda: connector(ground))
    assert reader.people == ground.truth()


def test_a_walk_cut_after_every_single_page_ends_in_the_truth(ground: Ground) -> None:
    reader = Reader().walk(lambda: connector(ground), pages=1)
    while reader.position:
        reader.walk(lambda: connector(ground), pages=1)
    assert reader.people == ground.truth()


LOST = [
    ("gone", {}),
    ("stale_token", {"status": 400, "code": "syncStateNotFound"}),
    ("stale_token", {"status": 404, "code": "syncStateNotFound"}),
    ("stale_token", {"status": 400, "code": "resyncRequired"}),
    ("stale_token", {"status": 400, "code": "Directory_ExpiredPageToken"}),
]


@pytest.mark.parametrize(("what", "details"), LOST, ids=str)
def test_an_expired_watermark_is_lost(ground: Ground, what: str, details: dict[str, object]) -> None:
    watermark = Reader().walk(lambda: connector(ground)).watermark
    ground.befall(what, **details)
    with pytest.raises(WatermarkLost):
        list(connector(ground).changes(MAPPED, watermark=watermark))


@pytest.mark.parametrize(("what", "details"), LOST, ids=str)
def test_an_expired_position_is_lost(ground: Ground, what: str, details: dict[str, object]) -> None:
    ground.calm()
    position = Reader().walk(lambda: connector(ground), pages=2).position
    ground.befall(what, **details)
    with pytest.raises(WatermarkLost):
        list(connector(ground).changes(MAPPED, position=position))


def test_a_request_to_wait_carries_its_time(ground: Ground) -> None:
    ground.befall("throttle", retry_after=17)
    with pytest.raises(Throttled) as raised:
        list(connector(ground).changes(MAPPED))
    assert raised.value.after == 17


def test_a_wrong_secret_is_unauthorised(ground: Ground) -> None:
    with pytest.raises(Unauthorised) as raised:
        connector(ground, secret="not~the~secret").check()
    assert raised.value.code == "secret_wrong"
    with pytest.raises(Unauthorised):
        list(connector(ground, secret="not~the~secret").changes(MAPPED))


def test_a_login_host_that_is_down_is_unreachable_and_nothing_was_sent(ground: Ground) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(Unreachable) as raised:
        connector(ground, login_url=f"https://127.0.0.1:{port}", transport=None).check()
    assert (raised.value.code, raised.value.sent) == ("host_unreachable", False)


def test_an_expired_token_is_renewed_once_and_nobody_notices(ground: Ground) -> None:
    source = connector(ground)
    source.check()
    ground.befall("expired_token")
    assert Reader().walk(lambda: source).people == ground.truth()


def test_a_passing_failure_is_tried_again_in_place(ground: Ground) -> None:
    ground.calm()
    ground.befall("status", times=2, status=502)
    reader = Reader().walk(lambda: connector(ground))
    assert reader.people == ground.truth()
    assert reader.setbacks == []


def test_a_lasting_failure_is_unreachable(ground: Ground) -> None:
    ground.befall("status", times=3, status=500)
    with pytest.raises(Unreachable) as raised:
        list(connector(ground).changes(MAPPED))
    assert raised.value.code == "service_busy"


NONSENSE = [
    ("html", {}),
    ("empty", {}),
    ("truncated", {}),
    ("truncated", {"bytes": 64}),
    ("content_type", {}),
    ("oversized", {"megabytes": 21}),
]


@pytest.mark.parametrize(("what", "details"), NONSENSE, ids=str)
def test_nonsense_in_the_middle_yields_nothing_and_the_walk_goes_on_after_it(
    ground: Ground, what: str, details: dict[str, object]
) -> None:
    ground.calm()
    reader = Reader().walk(lambda: connector(ground), pages=2)
    before, ground_position = {**reader.people}, reader.position
    ground.befall(what, **details)
    walk = connector(ground).changes(MAPPED, position=ground_position)
    with pytest.raises(Unreachable) as raised:
        next(walk)
    assert (raised.value.code, raised.value.sent) == ("unexpected_reply", True)
    assert reader.people == before
    assert reader.walk(lambda: connector(ground)).people == ground.truth()


def test_a_link_to_another_host_gets_no_request(ground: Ground, stranger: Listener) -> None:
    ground.befall("foreign_link", host=stranger.host)
    with pytest.raises(Unreachable) as raised:
        list(connector(ground).changes(MAPPED))
    assert raised.value.code == "foreign_link"
    assert stranger.knocks() == 0


@pytest.mark.parametrize("which", ["watermark", "position"])
def test_a_stored_link_to_another_host_is_a_lost_watermark_and_gets_no_request(
    ground: Ground, stranger: Listener, which: str
) -> None:
    link = f"https://{stranger.host}/v1.0/users/delta?$deltatoken=x"
    with pytest.raises(WatermarkLost):
        list(connector(ground).changes(MAPPED, **{which: link}))
    assert stranger.knocks() == 0


def test_a_link_that_goes_in_circles_ends(ground: Ground) -> None:
    ground.befall("loop_link", times=5)
    with pytest.raises(Unreachable) as raised:
        list(connector(ground).changes(MAPPED))
    assert raised.value.params["reason"] == "loop"


def test_every_attribute_of_the_schema_can_be_walked(ground: Ground) -> None:
    ground.calm()
    source = connector(ground)
    names = [attribute.name for attribute in source.schema()]
    assert len(names) == len(set(names))
    seen = [each for page in source.changes(names) for each in page.seen]
    assert {name for each in seen for name in each.values} <= set(names)


def test_an_appearance_is_read_without_a_call(ground: Ground) -> None:
    source = connector(ground, transport=_no_transport)
    for values in ground.truth().values():
        seen = source.appearance(values)
        assert seen.name == values["userPrincipalName"]
        assert seen.enabled is values["accountEnabled"]
        assert seen.standing.get("guest", False) is (values["userType"] == "Guest")


@pytest.mark.parametrize("seed", range(8))
def test_on_every_walk_of_the_unruly_fake_everything_bad_happens_and_the_truth_comes_out(
    tmp_path: Path, seed: int
) -> None:
    ground = UnrulyGround(tmp_path, seed=seed)
    reader = Reader()
    for _ in range(3):
        walk_through_everything(ground, reader)


@pytest.mark.parametrize("misdeed", sorted(MISDEEDS))
def test_a_walk_on_which_one_of_them_did_not_happen_is_no_proof(tmp_path: Path, misdeed: str) -> None:
    ground = UnrulyGround(tmp_path)
    ground.fake.spare.add(misdeed)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        walk_through_everything(ground, Reader())


def walk_through_everything(ground: UnrulyGround, reader: Reader) -> None:
    """Walk once more, create somebody, and insist that all of the misdeeds were met on the way."""
    ground.fake.deeds.clear()
    reader.walk(lambda: connector(ground))
    assert reader.people == ground.truth()
    exercise(ground)
    assert set(+ground.fake.deeds) == MISDEEDS


def test_the_sandbox_at_its_worst_changes_nothing_about_the_truth(tmp_path: Path) -> None:
    ground = SandboxGround(tmp_path, tls=False)
    wrongs = ("replay_page", "duplicate_person", "empty_page", "partial_item", "drop_before", "drop_after", "gone")
    for wrong in wrongs:
        ground.befall(wrong)
    reader = Reader().walk(lambda: connector(ground))
    assert reader.people == ground.truth()
    assert all(ground.sandbox.faults.fired()[wrong] for wrong in wrongs)
    ground.close()


def _no_transport(url: str) -> object:
    raise AssertionError(f"a client for {url} was made")
