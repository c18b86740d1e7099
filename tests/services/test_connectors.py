"""Apps as the services keep them: first contact, secrets, switches, looking at the outside, consent."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlmodel import Session, col, select

from provision.core.ports import Check, Unauthorised
from provision.core.tables import Account, Connector, ConsentFlow, Event
from provision.core.vocabulary import ConnectorState
from provision.house import House
from provision.sandbox.faults import Fault
from provision.scheduler import try_what_is_stopped
from provision.services import connectors, mappings
from provision.services.errors import Conflict, Invalid, NotFound, ServiceError
from tests import office
from tests.cast import Cast, Clock

BACK = "http://127.0.0.1:8000/connect/microsoft365/callback"


@pytest.fixture
def app(house: House, cast: Cast) -> int:
    return office.added(house, cast.contoso)


@pytest.fixture
def row(house: House, cast: Cast, app: int) -> Connector:
    return office.of(house, cast.contoso, app)


# -- First contact ---------------------------------------------------------------------------------------------------------


def test_a_new_app_may_do_nothing_and_what_goes_out_is_reviewed(row: Connector) -> None:
    assert row.features == {"import": False, "create": False, "edit": False, "delete": False}
    assert (row.approval, row.when_gone, row.scope) == ("review", "keep", {"guests": "import"})
    assert row.outside_id is None
    assert not connectors.connected(row)


def test_a_new_app_behind_the_last_rank_takes_the_last_rank_too(
    session: Session, house: House, cast: Cast, app: int
) -> None:
    connectors.settle(session, cast.contoso, app, {"position": 1000}, "ada", house.now())
    given = ("csv", "HR file", {}, None, "ada", house.now())
    made = connectors.add(session, house.vault, cast.contoso, house.kinds, *given)
    assert connectors.Settled.now(made).position == 1000


def test_A_12_a_new_app_begins_with_the_rows_of_its_kind(session: Session, cast: Cast, app: int) -> None:
    rows = {row.theirs: row.ours for row in mappings.rows(session, cast.contoso, app)}
    assert rows == {
        "givenName": "given_name",
        "surname": "surname",
        "mailNickname": "username",
        "userPrincipalName": "email",
        "displayName": "display_name",
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("domain", "not a domain"),
        ("domain", "https://acme.com"),
        ("cloud", "mars"),
        ("client_id", "17"),
        ("surprise", "x"),
    ],
)
def test_settings_that_cannot_be_taken_are_named_by_field(house: House, cast: Cast, field: str, value: str) -> None:
    with pytest.raises(Invalid) as refused:
        office.added(house, cast.contoso, **{field: value})
    assert list(refused.value.problems) == [field]


def test_a_name_is_given_once_whatever_its_letters(house: House, cast: Cast, app: int) -> None:
    with pytest.raises(Invalid) as refused:
        office.added(house, cast.contoso, name="OFFICE  365")
    assert refused.value.problems == {"name": "app_name_taken"}


def test_two_organisations_may_use_one_name(house: House, cast: Cast, app: int) -> None:
    assert office.added(house, cast.fabrikam) != app


def test_an_unknown_kind_is_refused(house: House, cast: Cast, session: Session) -> None:
    with pytest.raises(Invalid):
        connectors.add(session, house.vault, cast.contoso, house.kinds, "fax", "Fax", {}, None, "ada", house.now())


# -- Finding ---------------------------------------------------------------------------------------------------------------


def test_someone_elses_app_is_not_there(session: Session, cast: Cast, app: int) -> None:
    with pytest.raises(NotFound):
        connectors.get(session, cast.fabrikam, app)


@pytest.mark.parametrize("text", ["Office 365", "office 365", "microsoft365"])
def test_an_app_is_meant_by_its_name_or_its_kind(session: Session, cast: Cast, app: int, text: str) -> None:
    assert connectors.meant(session, cast.contoso, text).id == app


def test_an_app_is_meant_by_its_number_too_in_its_own_tenant(session: Session, cast: Cast, app: int) -> None:
    assert connectors.meant(session, cast.contoso, str(app)).id == app
    with pytest.raises(NotFound):
        connectors.meant(session, cast.fabrikam, str(app))


def test_a_kind_that_two_apps_have_names_neither(house: House, cast: Cast, app: int) -> None:
    office.added(house, cast.contoso, name="Second")
    with house.db.reading() as session, pytest.raises(Conflict):
        connectors.meant(session, cast.contoso, "microsoft365")


# -- Secrets ---------------------------------------------------------------------------------------------------------------


def test_a_secret_is_sealed_and_only_its_fingerprint_shows(house: House, cast: Cast, app: int) -> None:
    with house.db.writing() as session:
        connectors.set_secret(session, house.vault, cast.contoso, app, b"correct horse", "ada", house.now())
    kept = office.of(house, cast.contoso, app)
    assert connectors.open_secret(house.vault, kept) == b"correct horse"
    assert b"correct horse" not in (kept.secret or b"")
    assert connectors.notes(kept)["secret"]["by"] == "ada"
    assert "horse" not in str(kept.facts)


def test_a_secret_is_forgotten(house: House, cast: Cast, app: int) -> None:
    with house.db.writing() as session:
        connectors.set_secret(session, house.vault, cast.contoso, app, b"correct horse", "ada", house.now())
    with house.db.writing() as session:
        connectors.remove_secret(session, cast.contoso, app, "ada", house.now())
    kept = office.of(house, cast.contoso, app)
    assert connectors.open_secret(house.vault, kept) is None
    assert "secret" not in connectors.notes(kept)


def test_a_new_secret_that_does_not_work_leaves_the_working_one(house: House, cast: Cast) -> None:
    app = office.connected(house, cast.contoso)
    before = office.of(house, cast.contoso, app)
    wrong = b'{"client_secret": "nobody-gave-me-out", "certificate_pem": null}'
    with pytest.raises(connectors.Outside) as refused:
        connectors.renew_secret(
            house.db.writing, house.connect, house.vault, cast.contoso, app, wrong, "ada", house.now
        )
    assert refused.value.code == "secret_wrong"
    assert office.of(house, cast.contoso, app) == before


def test_a_new_secret_that_works_is_kept(house: House, cast: Cast) -> None:
    app = office.connected(house, cast.contoso)
    good = f'{{"client_secret": "{house.sandbox().add_secret()}", "certificate_pem": null}}'.encode()
    connectors.renew_secret(house.db.writing, house.connect, house.vault, cast.contoso, app, good, "ada", house.now)
    assert connectors.open_secret(house.vault, office.of(house, cast.contoso, app)) == good


# -- Looking ---------------------------------------------------------------------------------------------------------------


def test_a_look_remembers_what_is_there(house: House, cast: Cast) -> None:
    kept = office.of(house, cast.contoso, office.connected(house, cast.contoso))
    assert connectors.connected(kept)
    assert kept.outside_id == house.sandbox().credentials()["tenant"]
    assert {domain["name"] for domain in kept.facts["domains"]} >= {office.DOMAIN}
    assert all({"name", "why", "without", "state"} <= set(right) for right in kept.facts["rights"])
    assert kept.facts["seats"]


def test_a_refused_look_keeps_everything_but_says_why(house: House, cast: Cast) -> None:
    app = office.connected(house, cast.contoso, on=("import",))
    before = office.of(house, cast.contoso, app)
    house.sandbox().expire_secrets()
    with pytest.raises(connectors.Outside) as refused:
        connectors.check(house.db.writing, house.connect, cast.contoso, app, "ada", house.now)
    after = office.of(house, cast.contoso, app)
    assert refused.value.code == "secret_expired"
    assert (after.state, after.features, after.outside_id) == ("active", before.features, before.outside_id)
    assert after.facts["domains"] == before.facts["domains"]
    assert connectors.notes(after)["trouble"]["code"] == after.reason == "secret_expired"
    assert not connectors.connected(after)


def test_a_look_that_succeeds_ends_quarantine_but_not_a_pause(house: House, cast: Cast) -> None:
    app = office.connected(house, cast.contoso)
    for state, then in ((ConnectorState.QUARANTINED, "active"), (ConnectorState.PAUSED, "paused")):
        with house.db.writing() as session:
            connectors.get(session, cast.contoso, app).state = state
        connectors.check(house.db.writing, house.connect, cast.contoso, app, "ada", house.now)
        assert office.of(house, cast.contoso, app).state == then


def test_a_stopped_app_that_only_imports_is_tried_by_itself_and_goes_on(house: House, cast: Cast, clock: Clock) -> None:
    app = office.connected(house, cast.contoso, on=("import",))
    house.sandbox().faults.add(Fault("status", path="/*/oauth2/v2.0/token", times=None, details={"status": 401}))
    house.sandbox().expire_tokens()
    with house.db.writing() as session:
        row = connectors.get(session, cast.contoso, app)
        connectors.stop(row, Unauthorised("token_refused"), {}, clock())
    looks = []
    for hour in range(1, 9):
        clock.forward(hours=1)
        before = office.of(house, cast.contoso, app).rests_until
        try_what_is_stopped(house)
        row = office.of(house, cast.contoso, app)
        looks += [hour] if row.rests_until != before else []
        assert row.state == ConnectorState.QUARANTINED
    assert looks == [1, 2, 4, 8]
    house.sandbox().faults.clear()
    clock.forward(hours=8)
    try_what_is_stopped(house)
    row = office.of(house, cast.contoso, app)
    assert (row.state, row.rests_until, row.recovered_at) == (ConnectorState.ACTIVE, None, clock())
    with house.db.reading() as session:
        query = select(Event.action).where(col(Event.action).startswith("connector."))
        told = session.exec(query.order_by(col(Event.sequence))).all()
    assert told[-1] == "connector.recovered"


def test_an_app_that_somebody_paused_stays_paused_when_what_was_under_way_is_refused(
    session: Session, cast: Cast, clock: Clock, app: int
) -> None:
    row = connectors.pause(session, cast.contoso, app, "ada", clock())
    assert connectors.stop(row, Unauthorised("token_refused"), {}, clock()) == []
    assert (row.state, row.reason, row.rests_until, row.stopped_at) == (ConnectorState.PAUSED, None, None, None)
    assert connectors.due_again(session, clock()) == []


def test_a_renewed_secret_lets_what_rested_go_on_at_once(house: House, cast: Cast, clock: Clock) -> None:
    app = office.connected(house, cast.contoso)
    with house.db.writing() as session:
        connectors.stop(connectors.get(session, cast.contoso, app), Unauthorised("secret_expired"), {}, clock())
    connectors.check(house.db.writing, house.connect, cast.contoso, app, "ada", house.now)
    assert office.of(house, cast.contoso, app).rests_until is None


def test_one_microsoft_tenant_is_bound_once_and_the_other_app_is_named(house: House, cast: Cast) -> None:
    office.connected(house, cast.contoso, name="First")
    second = office.added(house, cast.contoso, name="Second")
    with pytest.raises(Conflict) as refused:
        connectors.check(house.db.writing, house.connect, cast.contoso, second, "ada", house.now)
    assert (refused.value.code, refused.value.params["app"]) == ("bound_here", "First")
    assert office.of(house, cast.contoso, second).outside_id is None


def test_another_organisation_learns_nothing_but_that_the_tenant_is_bound(house: House, cast: Cast) -> None:
    office.connected(house, cast.contoso, name="Secret project")
    second = office.added(house, cast.fabrikam)
    with pytest.raises(Conflict) as refused:
        connectors.check(house.db.writing, house.connect, cast.fabrikam, second, "cy", house.now)
    assert refused.value.code == "bound_elsewhere"
    assert "Secret project" not in str(refused.value.params)


def test_what_was_found_with_old_settings_is_not_kept_for_new_ones(house: House, cast: Cast, app: int) -> None:
    house.sandbox().grant_consent()

    def meanwhile(row: Connector) -> Any:
        with house.db.writing() as session:
            config = {**row.config, "domain": "other.example"}
            connectors.save(
                session, cast.contoso, app, house.kinds, name="Office 365", config=config, actor="ben", now=house.now()
            )
        return house.connect(row)

    with pytest.raises(Conflict) as refused:
        connectors.check(house.db.writing, meanwhile, cast.contoso, app, "ada", house.now)
    assert refused.value.code == "app_changed_meanwhile"
    assert office.of(house, cast.contoso, app).outside_id is None


def test_an_unknown_domain_is_refused_before_anything_is_stored(house: House, cast: Cast) -> None:
    with pytest.raises(connectors.Outside) as refused:
        connectors.locate(house.connect, cast.contoso, "microsoft365", {"domain": "nobody.example", "cloud": "sandbox"})
    assert (refused.value.code, refused.value.status) == ("tenant_unknown", 422)


def test_an_app_with_people_does_not_move_to_another_organisation(house: House, cast: Cast) -> None:
    app = office.connected(house, cast.contoso)
    with house.db.writing() as session:
        account = Account(tenant_id=cast.contoso, connector_id=app, anchor="a", name="a", situation="unmatched")
        session.add(account)
    with pytest.raises(Conflict) as refused:
        connectors.check(house.db.writing, office.leading_elsewhere(house.connect), cast.contoso, app, "ada", house.now)
    assert refused.value.code == "other_organisation"


def test_changing_the_domain_to_an_unknown_one_changes_nothing(house: House, cast: Cast) -> None:
    app = office.connected(house, cast.contoso)
    before = office.of(house, cast.contoso, app)
    with pytest.raises(connectors.Outside):
        connectors.change(
            house.db.writing, house.connect, house.vault, cast.contoso, app, house.kinds,
            name="New name", config={**before.config, "domain": "nobody.example"}, actor="ada", now=house.now,
        )  # fmt: skip
    assert office.of(house, cast.contoso, app) == before


def test_another_domain_of_the_same_tenant_is_taken(house: House, cast: Cast) -> None:
    app = office.connected(house, cast.contoso)
    before = office.of(house, cast.contoso, app)
    other = next(d["name"] for d in before.facts["domains"] if d["name"] != office.DOMAIN and d["verified"])
    connectors.change(
        house.db.writing, house.connect, house.vault, cast.contoso, app, house.kinds,
        name="New name", config={**before.config, "domain": other}, actor="ada", now=house.now,
    )  # fmt: skip
    after = office.of(house, cast.contoso, app)
    assert (after.name, after.config["domain"], after.outside_id) == ("New name", other, before.outside_id)


# -- Where a secret goes ---------------------------------------------------------------------------------------------------

PAYROLL = {"base_url": "https://payroll.example/scim/v2"}
OAUTH = {
    **PAYROLL, "auth": "client_credentials", "client_id": "us", "token_url": "https://login.payroll.example/token",
}  # fmt: skip
ELSEWHERE = [
    ({**PAYROLL, "base_url": "https://payroll.example:8443/scim/v2"}, "https://payroll.example:8443"),
    ({**PAYROLL, "base_url": "http://payroll.example/scim/v2"}, "http://payroll.example"),
    ({**PAYROLL, "base_url": "https://payroll.example.attacker.example/scim/v2"}, "payroll.example.attacker.example"),
    (OAUTH, "https://login.payroll.example"),
]


class Payroll:
    """An application that answers a look."""

    def check(self) -> Check:
        return Check("payroll", "Payroll", {})


def payroll(house: House, cast: Cast, config: dict[str, Any] = PAYROLL) -> int:
    with house.db.writing() as session:
        given = ("scim", "Payroll", config, house.read_secret("quiet-token-41"), "ada", house.now())
        return connectors.add(session, house.vault, cast.contoso, house.kinds, *given).id or 0


def moved(
    house: House, cast: Cast, app: int, config: dict[str, Any], secret: str = "", bound: bool = True
) -> list[Any]:
    """Change an app that has been connected; who was looked at, and with which secret."""
    seen: list[Any] = []

    def look(row: Connector) -> Any:
        sealed = connectors.open_secret(house.vault, row)
        seen.append((row.config["base_url"], sealed and json.loads(sealed)["client_secret"]))
        return Payroll()

    with house.db.writing() as session:
        connectors.get(session, cast.contoso, app).outside_id = "payroll" if bound else None
    sealed = house.read_secret(secret) if secret else None
    connectors.change(
        house.db.writing, look, house.vault, cast.contoso, app, house.kinds,
        name="Payroll", config=config, secret=sealed, actor="ada", now=house.now,
    )  # fmt: skip
    return [(url, shown) for url, shown in seen if shown]


@pytest.mark.parametrize("bound", [True, False])
@pytest.mark.parametrize(("config", "place"), ELSEWHERE)
def test_a_kept_secret_is_not_shown_to_another_server(
    house: House, cast: Cast, config: dict[str, Any], place: str, bound: bool
) -> None:
    app = payroll(house, cast)
    with pytest.raises(Invalid) as refused:
        moved(house, cast, app, config, bound=bound)
    assert refused.value.problems == {"secret_again": "secret_for_elsewhere"}
    assert place in refused.value.params["place"]
    assert office.of(house, cast.contoso, app).config["base_url"] == PAYROLL["base_url"]


def test_a_token_url_on_another_server_asks_for_the_secret_too(house: House, cast: Cast) -> None:
    app = payroll(house, cast, OAUTH)
    with pytest.raises(Invalid):
        moved(house, cast, app, {**OAUTH, "token_url": "https://login.attacker.example/token"})
    assert moved(house, cast, app, {**OAUTH, "token_url": "https://login.payroll.example/v2/token"})


@pytest.mark.parametrize("url", ["https://payroll.example/scim/v3", "https://PAYROLL.example:443/scim/v2"])
def test_another_path_on_the_same_server_keeps_the_secret(house: House, cast: Cast, url: str) -> None:
    app = payroll(house, cast)
    assert moved(house, cast, app, {"base_url": url}) == [(url, "quiet-token-41")]


def test_the_secret_that_comes_with_another_address_is_tried_there_and_kept(house: House, cast: Cast) -> None:
    app = payroll(house, cast)
    config, _ = ELSEWHERE[0]
    assert moved(house, cast, app, config, "loud-token-42") == [(config["base_url"], "loud-token-42")]
    sealed = connectors.open_secret(house.vault, office.of(house, cast.contoso, app))
    assert sealed is not None
    assert json.loads(sealed)["client_secret"] == "loud-token-42"


def test_an_app_without_a_secret_of_its_own_goes_where_it_is_told(house: House, cast: Cast) -> None:
    app = payroll(house, cast)
    with house.db.writing() as session:
        connectors.remove_secret(session, cast.contoso, app, "ada", house.now())
    config, _ = ELSEWHERE[0]
    assert moved(house, cast, app, config) == []
    assert office.of(house, cast.contoso, app).config["base_url"] == config["base_url"]


def test_a_client_secret_of_microsoft_does_not_follow_into_another_cloud(house: House, cast: Cast) -> None:
    app = office.added(house, cast.contoso, cloud="usgov")
    with house.db.writing() as session:
        secret = house.read_secret("quiet-token-41")
        connectors.set_secret(session, house.vault, cast.contoso, app, secret, "ada", house.now())
    config = office.of(house, cast.contoso, app).config
    kinds = house.kinds["microsoft365"]
    assert kinds.shown_to({**config, "cloud": "dod"}) == kinds.shown_to(config)  # they sign in at one place
    with pytest.raises(Invalid) as refused:
        connectors.change(
            house.db.writing, lambda _: pytest.fail("asked"), house.vault, cast.contoso, app, house.kinds,
            name="Office 365", config={**config, "cloud": "custom"}, actor="ada", now=house.now,
        )  # fmt: skip
    assert refused.value.problems == {"secret_again": "secret_for_elsewhere"}


# -- Switches --------------------------------------------------------------------------------------------------------------


def test_A_8_no_switch_goes_on_before_the_app_is_connected(house: House, cast: Cast, app: int) -> None:
    with house.db.writing() as session, pytest.raises(ServiceError) as refused:
        connectors.features(session, cast.contoso, app, {"import": True}, None, "ada", house.now())
    assert refused.value.code == "not_connected"


def test_the_refusal_of_a_switch_says_what_the_last_look_said(house: House, cast: Cast, app: int) -> None:
    with pytest.raises(connectors.Outside):
        connectors.check(house.db.writing, house.connect, cast.contoso, app, "ada", house.now)
    with house.db.writing() as session, pytest.raises(ServiceError) as refused:
        connectors.features(session, cast.contoso, app, {"import": True}, None, "ada", house.now())
    assert refused.value.code == "consent_not_replicated"


def test_A_14_switches_are_independent_and_unnamed_ones_stay(house: House, cast: Cast) -> None:
    app = office.connected(house, cast.contoso, on=("import", "delete"))
    with house.db.writing() as session:
        connectors.features(session, cast.contoso, app, {"import": False}, "automatic", "ada", house.now())
    kept = office.of(house, cast.contoso, app)
    assert kept.features == {"import": False, "create": False, "edit": False, "delete": True}
    assert kept.approval == "automatic"


def test_a_switch_goes_off_even_when_the_app_is_not_connected(house: House, cast: Cast) -> None:
    app = office.connected(house, cast.contoso, on=("import",))
    house.sandbox().revoke_consent()
    with pytest.raises(connectors.Outside):
        connectors.check(house.db.writing, house.connect, cast.contoso, app, "ada", house.now)
    with house.db.writing() as session:
        connectors.features(session, cast.contoso, app, {"import": False}, None, "ada", house.now())
    assert not office.of(house, cast.contoso, app).features["import"]


@pytest.mark.parametrize(("switches", "approval"), [({"explode": True}, None), ({}, "sometimes")])
def test_unknown_words_are_refused(
    house: House, cast: Cast, app: int, switches: dict[str, bool], approval: str | None
) -> None:
    with house.db.writing() as session, pytest.raises(Invalid):
        connectors.features(session, cast.contoso, app, switches, approval, "ada", house.now())


def test_pause_and_resume(house: House, cast: Cast, app: int) -> None:
    for act, state in ((connectors.pause, "paused"), (connectors.resume, "active")):
        with house.db.writing() as session:
            act(session, cast.contoso, app, "ada", house.now())
        assert office.of(house, cast.contoso, app).state == state


def test_what_is_settled_is_kept_and_the_rest_stays(house: House, cast: Cast, app: int) -> None:
    with house.db.writing() as session:
        connectors.settle(session, cast.contoso, app, {"every_minutes": "60", "guests": "leave"}, "ada", house.now())
    kept = office.of(house, cast.contoso, app)
    assert (kept.every_minutes, kept.scope["guests"], kept.when_gone) == (60, "leave", "keep")


@pytest.mark.parametrize("given", [{"every_minutes": 1}, {"guests": "eat"}, {"when_gone": "cry"}, {"nonsense": 1}])
def test_what_cannot_be_settled_is_refused(house: House, cast: Cast, app: int, given: dict[str, Any]) -> None:
    with house.db.writing() as session, pytest.raises(Invalid) as refused:
        connectors.settle(session, cast.contoso, app, given, "ada", house.now())
    assert set(refused.value.problems) == set(given)


def test_every_change_is_written_down_and_a_repetition_is_not(house: House, cast: Cast, app: int) -> None:
    for _again in range(2):
        with house.db.writing() as session:
            connectors.settle(session, cast.contoso, app, {"every_minutes": 60}, "ada", house.now())
    with house.db.reading() as session:
        actions = session.exec(select(Event.action).where(Event.tenant_id == cast.contoso)).all()
    assert actions.count("connector.settled") == 1


# -- Consent ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def state(house: House, cast: Cast, app: int) -> str:
    with house.db.writing() as session:
        return connectors.begin_consent(session, cast.contoso, app, cast.ada, house.now(), lambda n: b"x" * n)


@pytest.fixture
def back(house: House, state: str) -> dict[str, str]:
    """What Microsoft's redirect says after Accept."""
    house.sandbox().grant_consent()
    return {"admin_consent": "True", "tenant": house.sandbox().credentials()["tenant"], "state": state}


@pytest.fixture
def finish(house: House, cast: Cast) -> Iterator[Any]:
    def _finish(params: dict[str, str], operator: int = 0, **ways: Any) -> connectors.Consent:
        connect = ways.get("connect", house.connect)
        return connectors.finish_consent(
            house.db.writing, connect, house.kinds, params, operator or cast.ada, "ada", house.now
        )

    return _finish


def test_only_a_digest_of_the_state_is_kept(house: House, state: str) -> None:
    with house.db.reading() as session:
        flow = session.exec(select(ConsentFlow)).one()
    assert state.encode() not in flow.digest
    assert len(flow.digest) == 32


def test_A_7_an_accepted_consent_connects_the_app(
    house: House, cast: Cast, app: int, back: dict[str, str], finish: Any
) -> None:
    assert finish(back).state == "granted"
    kept = office.of(house, cast.contoso, app)
    told = connectors.notes(kept)["consent"]
    assert connectors.connected(kept)
    assert (told["by"], told["tenant"], told["at"]) == ("ada", back["tenant"], house.now().isoformat())


def test_a_state_works_once(back: dict[str, str], finish: Any) -> None:
    finish(back)
    with pytest.raises(connectors.Forged) as refused:
        finish(back)
    assert refused.value.status == 400


def test_a_state_is_spent_by_a_refusal_too(back: dict[str, str], finish: Any) -> None:
    assert finish({**back, "error": "access_denied"}).state == "refused"
    with pytest.raises(connectors.Forged):
        finish(back)


def test_a_state_belongs_to_whoever_began(cast: Cast, back: dict[str, str], finish: Any) -> None:
    with pytest.raises(connectors.Forged):
        finish(back, operator=cast.ben)


def test_a_state_lasts_ten_minutes(clock: Clock, back: dict[str, str], finish: Any) -> None:
    clock.forward(minutes=10)
    with pytest.raises(connectors.Forged):
        finish(back)


@pytest.mark.parametrize("state", ["", "AAAA", "x" * 5000])
def test_an_invented_state_is_refused(finish: Any, back: dict[str, str], state: str) -> None:
    with pytest.raises(connectors.Forged):
        finish({**back, "state": state})


def test_A_7_a_declined_consent_is_told_even_when_it_claims_success(
    house: House, cast: Cast, app: int, back: dict[str, str], finish: Any
) -> None:
    told = finish({**back, "error": "access_denied", "error_description": "AADSTS65004: declined <b>"})
    kept = office.of(house, cast.contoso, app)
    assert (told.state, told.code, told.status) == ("refused", "consent_declined", 403)
    assert not connectors.connected(kept)
    assert connectors.notes(kept)["refused_consent"]["code"] == "consent_declined"


def test_A_7_the_consent_of_another_tenant_is_refused(
    house: House, cast: Cast, app: int, back: dict[str, str], finish: Any
) -> None:
    told = finish({**back, "tenant": "11111111-2222-4333-8444-555555555555"})
    assert (told.state, told.code, told.status) == ("refused", "consent_other_organisation", 409)
    assert office.of(house, cast.contoso, app).outside_id is None


def test_the_tenant_is_proved_by_a_fresh_token_and_not_by_the_address(
    house: House, cast: Cast, app: int, back: dict[str, str], finish: Any
) -> None:
    told = finish(back, connect=office.leading_elsewhere(house.connect))
    assert (told.state, told.code) == ("refused", "consent_other_organisation")
    assert office.of(house, cast.contoso, app).outside_id is None


def test_a_consent_that_has_not_spread_waits_and_then_works(
    house: House, clock: Clock, cast: Cast, app: int, back: dict[str, str], finish: Any
) -> None:
    house.sandbox().faults.turn(consent_delay=30.0)
    assert finish(back).state == "waiting"
    assert connectors.waits(office.of(house, cast.contoso, app), house.now())
    assert connectors.look_again(house.db.writing, house.connect, cast.contoso, app, house.now).state == "waiting"
    clock.forward(seconds=31)
    assert connectors.look_again(house.db.writing, house.connect, cast.contoso, app, house.now).state == "granted"
    kept = office.of(house, cast.contoso, app)
    assert connectors.connected(kept)
    assert connectors.notes(kept)["consent"]["by"] == "ada"


def test_waiting_is_written_down_once(house: House, cast: Cast, app: int, back: dict[str, str], finish: Any) -> None:
    house.sandbox().faults.turn(consent_delay=600.0)
    finish(back)
    for _again in range(3):
        connectors.look_again(house.db.writing, house.connect, cast.contoso, app, house.now)
    with house.db.reading() as session:
        actions = session.exec(select(Event.action).where(Event.tenant_id == cast.contoso)).all()
    assert actions.count("connector.consent_waits") == 1


def test_asking_again_ends_after_ten_minutes(
    house: House, clock: Clock, cast: Cast, app: int, back: dict[str, str], finish: Any
) -> None:
    house.sandbox().faults.turn(consent_delay=6000.0)
    finish(back)
    clock.forward(minutes=10)
    assert not connectors.waits(office.of(house, cast.contoso, app), house.now())


def test_a_declined_consent_leaves_an_earlier_one_as_it_was(
    house: House, cast: Cast, app: int, back: dict[str, str], finish: Any
) -> None:
    finish(back)
    with house.db.writing() as session:
        again = connectors.begin_consent(session, cast.contoso, app, cast.ada, house.now(), lambda n: b"y" * n)
    finish({**back, "state": again, "error": "access_denied"})
    kept = office.of(house, cast.contoso, app)
    assert connectors.connected(kept)
    assert connectors.notes(kept)["consent"]["state"] == "granted"
