"""The usual errors of Microsoft 365, made to happen: each arrives at what to do, and at a button if one helps."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, g

from provision.connectors.microsoft365 import errors
from provision.core.ports import LICENCES, Outcome, OutsideError, Throttled, WatermarkLost, Write
from provision.core.remedies import explain
from provision.core.vocabulary import OperationKind, Role
from provision.house import House
from provision.sandbox.faults import Fault
from provision.web.remedies import presses
from tests import office
from tests.cast import Cast

BY_ITSELF = frozenset({"throttled", "service_busy", "connection_lost", "timed_out"})
FOR_THE_PERSON = frozenset({"password_weak"})
NO_ACTION = BY_ITSELF | FOR_THE_PERSON
SPB = "cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46"
E3 = "05e9a617-0261-4cee-bb44-138d3ef5d965"


class Bench:
    """A connected app, and somebody there to whom things happen."""

    def __init__(self, house: House, tenant: int) -> None:
        self.house, app = house, office.connected(house, tenant)
        row = office.of(house, tenant, app)
        self.port: Any = house.connect(row)
        seen = [one for page in self.port.changes(("displayName",)) for one in page.seen]
        staff = [one for one in seen if one.values["assignedLicenses"] and not one.values["onPremisesSyncEnabled"]]
        staff = [one for one in staff if one.anchor not in row.facts["roles"]]
        self.one, self.other = staff[0], staff[1]
        self.bare = next(one for one in seen if one.values["userPrincipalName"].startswith("admin@"))

    def strike(self, kind: str, path: str = "/v1.0/users/*", **details: Any) -> None:
        self.house.sandbox().faults.add(Fault(kind, path=path, times=None, details=details))

    def update(self, anchor: str | None = None, **more: Any) -> OutsideError:
        write = Write(OperationKind.UPDATE, anchor or self.one.anchor, str(uuid.uuid4()), **more)
        (outcome,) = self.port.carry([write])
        return _error(outcome)

    def give(self, sku: str, to: Any = None) -> OutsideError:
        return self.update((to or self.one).anchor, licences={sku: True})

    def said(self, message: str, status: int = 400, code: str = "Request_BadRequest") -> OutsideError:
        self.strike("status", status=status, code=code, message=message)
        return self.update(values={"department": "Deck"})


def _error(outcome: Outcome) -> OutsideError:
    error = outcome.error or outcome.left.get(LICENCES) or next(iter(outcome.left.values()))
    assert isinstance(error, OutsideError)
    return error


def _password(bench: Bench) -> OutsideError:
    bench.house.sandbox().assign_role("User Administrator")
    bench.house.sandbox().expire_tokens()
    with pytest.raises(OutsideError) as raised:
        bench.port.set_password(bench.one.anchor, "password")
    return raised.value


def _secret(bench: Bench) -> OutsideError:
    bench.house.sandbox().expire_secrets()
    with pytest.raises(OutsideError) as raised:
        bench.port.check()
    return raised.value


def _consent(bench: Bench) -> OutsideError:
    bench.house.sandbox().revoke_consent()
    with pytest.raises(OutsideError) as raised:
        bench.port.check()
    return raised.value


def _throttled(bench: Bench) -> OutsideError:
    bench.strike("throttle", retry_after=7)
    error = bench.update(values={"department": "Deck"})
    assert isinstance(error, Throttled)
    return error


ROWS: dict[str, tuple[Callable[[Bench], OutsideError], str]] = {
    "sign-in name taken": (
        lambda at: at.update(values={"userPrincipalName": at.other.values["userPrincipalName"]}),
        "value_taken",
    ),
    "mail address taken": (
        lambda at: at.said("Another object with the same value for property proxyAddresses already exists."),
        "value_taken",
    ),
    "some value taken": (
        lambda at: at.said("A conflicting object with one or more of the specified property values is present."),
        "value_taken",
    ),
    "password refused": (_password, "password_weak"),
    "domain not verified": (
        lambda at: at.update(values={"userPrincipalName": "x@elsewhere.example"}),
        "domain_not_verified_there",
    ),
    "no country": (lambda at: at.give(SPB, at.bare), "usage_location_missing"),
    "no seat": (lambda at: at.give(E3), "no_seat"),
    "licences that exclude each other": (
        lambda at: at.said("License assignment failed because service plans a and b are mutually exclusive."),
        "licence_conflict",
    ),
    "a licence that needs another": (
        lambda at: at.said("License assignment failed because service plan a depends on the service plan(s) b."),
        "licence_dependency",
    ),
    "not allowed": (
        lambda at: at.said("Insufficient privileges to complete the operation.", 403, "Authorization_RequestDenied"),
        "protected_account",
    ),
    "gone": (lambda at: at.update("00000000-0000-4000-8000-00000000dead", values={"department": "x"}), "not_there"),
    "told to wait": (_throttled, "throttled"),
    "busy": (lambda at: at.said("", 503, "Service_ServiceUnavailable"), "service_busy"),
    "changed at the same time": (lambda at: at.said("", 409, "Directory_ConcurrencyViolation"), "service_busy"),
    "synced from a directory": (
        lambda at: at.said(
            "Unable to update the specified properties for on-premises mastered Directory Sync objects."
        ),
        "set_by_directory_sync",
    ),
    "secret expired": (_secret, "secret_expired"),
    "consent withdrawn": (_consent, "consent_not_replicated"),
    "directory full": (lambda at: at.said("", 400, "Directory_QuotaExceeded"), "quota_exceeded"),
    "a code nobody knows": (lambda at: at.said("Flux capacitor.", 400, "Request_Flux"), "refused_by_microsoft"),
}


@pytest.mark.parametrize("name", ROWS)
def test_each_arrives_at_its_remedy(app: Flask, house: House, cast: Cast, name: str) -> None:
    cause, code = ROWS[name]
    error = cause(Bench(house, cast.contoso))
    assert error.code == code
    remedy = explain(error.code, error.params)
    assert remedy.title
    assert remedy.do
    with app.test_request_context("/t/contoso/"):
        g.tenant, g.role = type("Place", (), {"slug": "contoso"}), Role.OWNER
        offered = presses(remedy, app=1, user=1, account=1)
    assert bool(offered) == (code not in NO_ACTION), [press.name for press in offered]


def test_what_nobody_knows_is_said_honestly_with_the_requests_id(house: House, cast: Cast) -> None:
    error = ROWS["a code nobody knows"][0](Bench(house, cast.contoso))
    remedy = explain(error.code, error.params)
    assert "Request_Flux" in remedy.what
    assert "Flux capacitor" not in remedy.what
    assert error.request_id


@pytest.mark.parametrize("kind", ["stale_token", "gone"])
def test_a_place_to_go_on_from_that_has_grown_too_old_needs_nobody(house: House, cast: Cast, kind: str) -> None:
    bench = Bench(house, cast.contoso)
    pages = list(bench.port.changes(("displayName",)))
    bench.strike(kind, path="/v1.0/users/delta")
    with pytest.raises(WatermarkLost):
        list(bench.port.changes(("displayName",), watermark=pages[-1].watermark))


@pytest.mark.parametrize(
    ("number", "word", "code"),
    [
        (7000222, "invalid_client", "secret_expired"), (7000215, "invalid_client", "secret_wrong"),
        (70002, "invalid_client", "secret_wrong"), (700011, "unauthorized_client", "registration_missing_there"),
        (70001, "unauthorized_client", "registration_missing_there"), (700016, "unauthorized_client", "consent_missing"),
        (90002, "invalid_tenant", "tenant_unknown"), (65001, "invalid_grant", "consent_missing"),
        (650056, "invalid_client", "consent_missing"), (90008, "invalid_grant", "consent_missing"),
        (424242, "invalid_client", "sign_in_refused"),
    ],
)  # fmt: skip
def test_each_number_of_the_sign_in_arrives_at_its_remedy(number: int, word: str, code: str) -> None:
    error = errors.sign_in({"error": word, "error_codes": [number]}, status=400, request_id="r")
    assert error.code == code
    remedy = explain(error.code, {**error.params, "domain": "acme.com"})
    assert remedy.actions
    assert f"AADSTS{number}" in remedy.what or code not in ("sign_in_refused", "registration_missing_there")
