"""How Microsoft 365 is read beyond what every source promises: consent, the bin, delta links, and a fake at its worst."""

from pathlib import Path

import pytest

from provision.core.ports import Consenting, Source, Unauthorised, Unreachable, WatermarkLost
from tests.fakes.callers import Reader
from tests.fakes.graph import MISDEEDS
from tests.fakes.grounds import MAPPED, Ground, Listener, SandboxGround, UnrulyGround, connector
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


def test_what_changed_since_the_watermark_and_only_that_is_seen(ground: Ground) -> None:
    ground.calm()
    reader = Reader(MAPPED).walk(lambda: connector(ground))
    ben, cy, *_ = ground.plain()
    ground.edit(ben, surname="Newly-Wed")
    ground.remove(cy)
    newcomer = ground.add(givenName="Åse", surname="Ødegård")
    before = dict(reader.people)
    reader.walk(lambda: connector(ground))
    assert reader.people == ground.truth()
    assert {anchor for anchor, values in reader.people.items() if before.get(anchor) != values} == {ben, newcomer}
    assert cy not in reader.people


@pytest.mark.parametrize(("how", "removed"), [("remove", "restorable"), ("purge", "purged")])
def test_a_removed_person_is_told_apart_by_whether_they_can_come_back(ground: Ground, how: str, removed: str) -> None:
    ground.calm()
    reader = Reader(MAPPED).walk(lambda: connector(ground))
    someone = ground.plain()[0]
    getattr(ground, how)(someone)
    walk = connector(ground).changes(MAPPED, watermark=reader.watermark)
    assert [seen.removed for page in walk for seen in page.seen if seen.anchor == someone][-1:] == [removed]


LOST = [
    ("gone", {}),
    ("stale_token", {"status": 400, "code": "syncStateNotFound"}),
    ("stale_token", {"status": 404, "code": "syncStateNotFound"}),
    ("stale_token", {"status": 400, "code": "resyncRequired"}),
    ("stale_token", {"status": 400, "code": "Directory_ExpiredPageToken"}),
]


@pytest.mark.parametrize(("what", "details"), LOST, ids=str)
def test_an_expired_watermark_is_lost(ground: Ground, what: str, details: dict[str, object]) -> None:
    watermark = Reader(MAPPED).walk(lambda: connector(ground)).watermark
    ground.befall(what, **details)
    with pytest.raises(WatermarkLost):
        list(connector(ground).changes(MAPPED, watermark=watermark))


@pytest.mark.parametrize(("what", "details"), LOST, ids=str)
def test_an_expired_position_is_lost(ground: Ground, what: str, details: dict[str, object]) -> None:
    ground.calm()
    position = Reader(MAPPED).walk(lambda: connector(ground), pages=2).position
    ground.befall(what, **details)
    with pytest.raises(WatermarkLost):
        list(connector(ground).changes(MAPPED, position=position))


def test_a_wrong_secret_is_unauthorised(ground: Ground) -> None:
    with pytest.raises(Unauthorised) as raised:
        connector(ground, secret="not~the~secret").check()
    assert raised.value.code == "secret_wrong"
    with pytest.raises(Unauthorised):
        list(connector(ground, secret="not~the~secret").changes(MAPPED))


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
    reader = Reader(MAPPED).walk(lambda: connector(ground), pages=2)
    before, ground_position = {**reader.people}, reader.position
    ground.befall(what, **details)
    walk = connector(ground).changes(MAPPED, position=ground_position)
    with pytest.raises(Unreachable) as raised:
        next(walk)
    assert (raised.value.code, raised.value.sent) == ("unexpected_reply", True)
    assert reader.people == before
    assert reader.walk(lambda: connector(ground)).people == ground.truth()


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
    reader = Reader(MAPPED)
    for _ in range(3):
        walk_through_everything(ground, reader)


@pytest.mark.parametrize("misdeed", sorted(MISDEEDS))
def test_a_walk_on_which_one_of_them_did_not_happen_is_no_proof(tmp_path: Path, misdeed: str) -> None:
    ground = UnrulyGround(tmp_path)
    ground.fake.spare.add(misdeed)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        walk_through_everything(ground, Reader(MAPPED))


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
    reader = Reader(MAPPED).walk(lambda: connector(ground))
    assert reader.people == ground.truth()
    assert all(ground.sandbox.faults.fired()[wrong] for wrong in wrongs)
    ground.close()


def _no_transport(url: str) -> object:
    raise AssertionError(f"a client for {url} was made")
