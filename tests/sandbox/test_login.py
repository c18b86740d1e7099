"""Discovery, tokens and the errors of the sign-in side."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import jwt
import msal
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from provision.sandbox import Sandbox
from tests.cast import Clock
from tests.sandbox.conftest import NEW, Caller

LOGIN = "https://login.sandbox.invalid"
BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def discover(client: httpx2.Client, tenant: str) -> httpx2.Response:
    return client.get(f"{LOGIN}/{tenant}/v2.0/.well-known/openid-configuration")


def number(answer: httpx2.Response) -> int:
    codes: list[int] = answer.json()["error_codes"]
    return codes[0]


@pytest.mark.parametrize("name", ["fjordvik.example", "FJORDVIK.onmicrosoft.com", "skerry.example"])
def test_a_verified_domain_leads_to_the_tenant(client: httpx2.Client, sandbox: Sandbox, name: str) -> None:
    tenant = sandbox.credentials()["tenant"]
    found = discover(client, name).json()
    assert found["issuer"] == f"{LOGIN}/{tenant}/v2.0"
    assert found["token_endpoint"] == f"{LOGIN}/{tenant}/oauth2/v2.0/token"
    assert found["msgraph_host"] == "graph.sandbox.invalid"


@pytest.mark.parametrize("name", ["nowhere.example", "fjordvik-cruises.example"])
def test_an_unknown_or_unverified_domain_is_no_tenant(client: httpx2.Client, name: str) -> None:
    answer = discover(client, name)
    assert (answer.status_code, answer.json()["error"], number(answer)) == (400, "invalid_tenant", 90002)


def test_something_that_is_no_domain_at_all_is_called_malformed(client: httpx2.Client) -> None:
    assert number(discover(client, "fjord vik")) == 900023


def test_organizations_names_no_tenant(client: httpx2.Client) -> None:
    assert discover(client, "organizations").json()["issuer"] == f"{LOGIN}/{{tenantid}}/v2.0"


def test_an_error_body_has_everything_clients_look_at(stranger: Caller) -> None:
    body = stranger.ask_for_token().json()
    assert {"error", "error_description", "error_codes", "timestamp", "trace_id", "correlation_id", "error_uri"} == set(
        body
    )
    assert body["error_description"].startswith("AADSTS7000229: ")


def test_without_consent_there_is_no_service_principal(stranger: Caller) -> None:
    answer = stranger.ask_for_token()
    assert (answer.status_code, number(answer)) == (401, 7000229)


@pytest.mark.parametrize(
    ("form", "status", "code"),
    [
        ({"client_secret": "wrong"}, 401, 7000215),
        ({"client_secret": ""}, 401, 7000218),
        ({"client_id": "11111111-1111-1111-1111-111111111111"}, 400, 700016),
        ({"scope": "https://graph.sandbox.invalid/User.Read.All"}, 400, 70011),
        ({"scope": "https://graph.microsoft.us/.default"}, 400, 500011),
        ({"scope": ""}, 400, 900144),
        ({"grant_type": ""}, 400, 900144),
        ({"grant_type": "refresh_token"}, 400, 70003),
        ({"client_secret": "", "client_assertion": "x.y.z", "client_assertion_type": BEARER}, 401, 50027),
    ],
)
def test_a_bad_token_request_gets_its_number(graph: Caller, form: dict[str, str], status: int, code: int) -> None:
    answer = graph.ask_for_token(**form)
    assert (answer.status_code, number(answer)) == (status, code)


def test_an_expired_secret_is_told_from_a_wrong_one(graph: Caller, clock: Clock) -> None:
    graph.sandbox.expire_secrets()
    fresh = graph.sandbox.add_secret(expires_at=clock() + timedelta(days=1))
    assert number(graph.ask_for_token()) == 7000222
    assert graph.ask_for_token(client_secret=fresh).status_code == 200
    clock.forward(days=2)
    assert number(graph.ask_for_token(client_secret=fresh)) == 7000222


def test_the_pair_may_come_by_basic_authentication(graph: Caller) -> None:
    known = graph.sandbox.credentials()
    pair = base64.b64encode(f"{known['client_id']}:{known['client_secret']}".encode()).decode()
    answer = graph.client.post(
        f"{LOGIN}/{known['domain']}/oauth2/v2.0/token",
        data={"grant_type": "client_credentials", "scope": "https://graph.microsoft.com/.default"},
        headers={"Authorization": f"Basic {pair}"},
    )
    assert answer.status_code == 200


def test_a_token_says_who_may_do_what_and_verifies_against_the_published_keys(graph: Caller) -> None:
    known = graph.sandbox.credentials()
    keys = graph.client.get(discover(graph.client, known["domain"]).json()["jwks_uri"]).json()
    token = graph.ask_for_token().json()["access_token"]
    key = jwt.PyJWKSet.from_dict(keys)[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key, audience=known["graph_url"], options={"verify_exp": False, "verify_iat": False})
    assert claims["tid"] == known["tenant"]
    assert claims["appid"] == known["client_id"]
    assert claims["idtyp"] == "app"
    assert "User.ReadWrite.All" in claims["roles"]
    assert "fe930be7-5e62-47db-91af-98c3a49a38b1" in claims["wids"]


def test_a_token_expires_by_the_clock(graph: Caller, clock: Clock) -> None:
    clock.forward(seconds=3598)
    assert graph.call("GET", "/organization").status_code == 200
    clock.forward(seconds=2)
    answer = graph.call("GET", "/organization")
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "InvalidAuthenticationToken")
    assert "WWW-Authenticate" in answer.headers


def test_a_token_of_somebody_else_is_refused(graph: Caller) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    graph.token = jwt.encode({"aud": "https://graph.microsoft.com", "roles": ["User.ReadWrite.All"]}, key, "RS256")
    assert graph.refusal("GET", "/users") == (401, "InvalidAuthenticationToken")


def test_msal_gets_a_token_by_secret(graph: Caller) -> None:
    found = application(graph, graph.sandbox.credentials()["client_secret"]).acquire_token_for_client(scopes(graph))
    assert found["token_source"] == "identity_provider"


@pytest.mark.parametrize("by_thumbprint", [True, False])
def test_msal_gets_a_token_by_certificate(graph: Caller, clock: Clock, by_thumbprint: bool) -> None:
    clock.now = datetime.now(UTC)
    key, certificate = self_signed()
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    graph.sandbox.register_certificate(pem)
    named = (
        {"thumbprint": certificate.fingerprint(hashes.SHA1()).hex()} if by_thumbprint else {"public_certificate": pem}
    )
    found = application(graph, {"private_key": private(key), **named}).acquire_token_for_client(scopes(graph))
    claims = jwt.decode(found["access_token"], options={"verify_signature": False})
    assert claims["appidacr"] == "2"


def test_a_certificate_nobody_registered_is_refused(graph: Caller, clock: Clock) -> None:
    clock.now = datetime.now(UTC)
    key, certificate = self_signed()
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    found = application(graph, {"private_key": private(key), "public_certificate": pem}).acquire_token_for_client(
        scopes(graph)
    )
    assert found["error_codes"] == [700027]


def test_a_registered_certificate_with_another_key_is_refused(graph: Caller, clock: Clock) -> None:
    clock.now = datetime.now(UTC)
    _, certificate = self_signed()
    other, _ = self_signed()
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    graph.sandbox.register_certificate(pem)
    found = application(graph, {"private_key": private(other), "public_certificate": pem}).acquire_token_for_client(
        scopes(graph)
    )
    assert found["error_codes"] == [700027]


def test_an_assertion_outside_its_time_is_refused(graph: Caller, clock: Clock) -> None:
    clock.now = datetime.now(UTC) + timedelta(hours=2)
    key, certificate = self_signed()
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    graph.sandbox.register_certificate(pem)
    found = application(graph, {"private_key": private(key), "public_certificate": pem}).acquire_token_for_client(
        scopes(graph)
    )
    assert found["error_codes"] == [700024]


def test_msal_may_ask_for_aliases_of_the_host(client: httpx2.Client) -> None:
    found = client.get(f"{LOGIN}/common/discovery/instance?api-version=1.1").json()
    assert found["metadata"][0]["aliases"] == ["login.sandbox.invalid"]


def sign_in(graph: Caller, name: str, password: str) -> httpx2.Response:
    return graph.ask_for_token(grant_type="password", username=name, password=password, scope="openid")


def test_somebody_signs_in_with_the_password_that_was_set(graph: Caller) -> None:
    person = graph.create()
    assert sign_in(graph, "Nelida@Fjordvik.example", "Korrekt-Horse-9").status_code == 200
    assert number(sign_in(graph, person["userPrincipalName"], "Korrekt-Horse-8")) == 50126


def test_sign_in_is_refused_to_those_who_may_not(graph: Caller) -> None:
    person = graph.create()
    graph.call("PATCH", f"/users/{person['id']}", {"accountEnabled": False})
    assert number(sign_in(graph, person["userPrincipalName"], "Korrekt-Horse-9")) == 50057
    graph.create(
        userPrincipalName="kit@skerry.example", mailNickname="kit", onPremisesImmutableId="a2l0",
    )  # fmt: skip
    assert number(sign_in(graph, "kit@skerry.example", "Korrekt-Horse-9")) == 50126
    assert number(sign_in(graph, "nobody@fjordvik.example", "Korrekt-Horse-9")) == 50034


def test_a_password_that_has_to_be_changed_does_not_sign_in(graph: Caller) -> None:
    graph.create(passwordProfile=NEW["passwordProfile"] | {"forceChangePasswordNextSignIn": True})
    assert number(sign_in(graph, NEW["userPrincipalName"], "Korrekt-Horse-9")) == 50055


def test_passwords_are_kept_as_salted_hashes_only(graph: Caller) -> None:
    for name in ("ann", "bob"):
        graph.create(userPrincipalName=f"{name}@fjordvik.example", mailNickname=name)
    with graph.sandbox.store.reading() as db:
        kept = [row[0] for row in db.execute("SELECT password FROM users WHERE password IS NOT NULL")]
    assert len(set(kept)) == 2
    files = graph.sandbox.store.path.parent.glob("sandbox.db*")
    assert all(b"Korrekt-Horse" not in file.read_bytes() for file in files)


def application(graph: Caller, credential: object) -> msal.ConfidentialClientApplication:
    known = graph.sandbox.credentials()
    return msal.ConfidentialClientApplication(
        known["client_id"],
        client_credential=credential,
        authority=f"{known['login_url']}/{known['domain']}",
        instance_discovery=False,
        azure_region=False,
        http_client=Door(graph.client),
    )


class Door:
    """MSAL hands over the assertion as bytes, which httpx2 would write as `b'…'` into the form."""

    def __init__(self, client: httpx2.Client) -> None:
        self.client = client

    def get(self, url: str, **options: Any) -> httpx2.Response:
        return self.client.get(url, **options)

    def post(self, url: str, data: dict[str, Any], **options: Any) -> httpx2.Response:
        form = {name: value.decode() if isinstance(value, bytes) else value for name, value in data.items()}
        return self.client.post(url, data=form, **options)


def scopes(graph: Caller) -> list[str]:
    return [f"{graph.sandbox.credentials()['graph_url']}/.default"]


def self_signed() -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "provision")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    dated = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    return key, dated.sign(key, hashes.SHA256())


def private(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
