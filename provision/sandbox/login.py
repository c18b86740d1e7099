"""Owns the sign-in side: discovery, keys, the token endpoint and its AADSTS errors.
Never grants consent; `consent` does."""

# ruff: noqa: ARG001 - every endpoint has the same signature

import hmac
import re
import sqlite3
import uuid
from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import UTC
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from provision.sandbox.graph.cloud import Cloud
from provision.sandbox.graph.directory import domains
from provision.sandbox.store import body_of, fact, verify_password
from provision.sandbox.tokens import GRAPH_AUDIENCES, Refused, app_claims, issue, judge_assertion, public_keys
from provision.sandbox.wire import Answer, Call

MANY_TENANTS = ("common", "organizations", "consumers")
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
PLAIN_JSON = "application/json; charset=utf-8"

# Number: HTTP status, OAuth error, text.
ERRORS: dict[int, tuple[int, str, str]] = {
    50011: (400, "invalid_request", "The redirect URI of the request is not registered for the application."),
    50014: (400, "invalid_request", "The request's credential is not supported."),
    50027: (401, "invalid_client", "Invalid JWT token."),
    50034: (400, "invalid_grant", "The user account does not exist in the directory."),
    50055: (400, "invalid_grant", "The password is expired."),
    50057: (400, "invalid_grant", "The user account is disabled."),
    50126: (400, "invalid_grant", "Error validating credentials due to invalid username or password."),
    70003: (400, "unsupported_grant_type", "The app requested an unsupported grant type."),
    70011: (400, "invalid_scope", "The provided value for the input parameter 'scope' is not valid."),
    90002: (400, "invalid_request", "Tenant '{tenant}' not found. Check the tenant id and the cloud."),
    90013: (400, "invalid_request", "The form is too old or did not come from this page."),
    90023: (400, "invalid_request", "The tenant of the request can't be determined for this kind of token."),
    500011: (400, "invalid_resource", "The resource principal was not found in the tenant."),
    700016: (400, "unauthorized_client", "Application with identifier '{client}' was not found in the directory."),
    700024: (401, "invalid_client", "Client assertion is not within its valid time range."),
    700027: (401, "invalid_client", "The certificate or the signature of the client assertion is not accepted."),
    900023: (400, "invalid_request", "Specified tenant identifier '{tenant}' is neither a DNS name nor an identifier."),
    900144: (400, "invalid_request", "The request body must contain the following parameter: '{parameter}'."),
    7000215: (401, "invalid_client", "Invalid client secret provided. The value is expected, not the secret's id."),
    7000218: (401, "invalid_client", "The request must contain 'client_assertion' or 'client_secret'."),
    7000222: (401, "invalid_client", "The client secret keys for app '{client}' are expired."),
    7000229: (401, "invalid_client", "The client application {client} is missing its service principal in the tenant."),
}


class LoginError(Exception):
    """A refusal by the sign-in service; `number` is what clients may switch on."""

    def __init__(self, number: int, error: str | None = None, **words: str) -> None:
        super().__init__(f"AADSTS{number}")
        self.number = number
        self.error = error
        self.words = words


def answer(cloud: Cloud, call: Call) -> Answer | None:
    """Answer one request to the login host; None when its path is not a JSON endpoint of ours."""
    parts = [part for part in call.path.split("/") if part]
    for method, pattern, endpoint in ENDPOINTS:
        if method == call.method and len(parts) == len(pattern) and _fits(parts, pattern):
            try:
                return endpoint(cloud, call, parts[0])
            except LoginError as error:
                return error_answer(cloud, call, error)
    return None


def tenant_of(db: sqlite3.Connection, name: str) -> str:
    """Return the tenant's id for an id or a verified domain; LoginError 900023 or 90002 otherwise."""
    if not re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|([\w-]+\.)+[\w-]+", name):
        raise LoginError(900023, tenant=name)
    known = {fact(db, "tenant")} | {item["id"] for item in domains(db) if item["isVerified"]}
    if name.lower() not in known:
        raise LoginError(90002, tenant=name)
    tenant: str = fact(db, "tenant")
    return tenant


def error_answer(cloud: Cloud, call: Call, error: LoginError) -> Answer:
    """Write the error body every endpoint of the login host shares."""
    status, name, text = ERRORS[error.number]
    at = cloud.now().astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    trace, correlation = str(uuid.uuid4()), call.headers.get("client-request-id") or str(uuid.uuid4())
    message = f"AADSTS{error.number}: {text.format(**error.words)}"
    body = {
        "error": error.error or name,
        "error_description": f"{message} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {at}",
        "error_codes": [error.number],
        "timestamp": at,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": f"{cloud.login_url}/error?code={error.number}",
    }
    return Answer(status, body, content_type=PLAIN_JSON)


def _discovery(cloud: Cloud, call: Call, tenant: str) -> Answer:
    """The OpenID configuration; for `organizations` the issuer stays a pattern no client may take for a tenant."""
    if tenant.lower() in MANY_TENANTS:
        return Answer(200, _configuration(cloud, tenant.lower(), "{tenantid}"), content_type=PLAIN_JSON)
    with cloud.store.reading() as db:
        try:
            tenant_id = tenant_of(db, tenant)
        except LoginError as error:
            raise LoginError(error.number, "invalid_tenant", **error.words) from error
    return Answer(200, _configuration(cloud, tenant_id, tenant_id), content_type=PLAIN_JSON)


def _configuration(cloud: Cloud, tenant: str, issuer: str) -> dict[str, Any]:
    here = f"{cloud.login_url}/{tenant}"
    graph_host = urlsplit(cloud.graph_url).netloc
    return {
        "token_endpoint": f"{here}/oauth2/v2.0/token",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": f"{here}/discovery/v2.0/keys",
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": f"{cloud.login_url}/{issuer}/v2.0",
        "request_uri_parameter_supported": False,
        "userinfo_endpoint": f"{cloud.graph_url}/oidc/userinfo",
        "authorization_endpoint": f"{here}/oauth2/v2.0/authorize",
        "device_authorization_endpoint": f"{here}/oauth2/v2.0/devicecode",
        "http_logout_supported": True,
        "frontchannel_logout_supported": True,
        "end_session_endpoint": f"{here}/oauth2/v2.0/logout",
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "tid", "ver", "oid", "preferred_username"],
        "tenant_region_scope": "EU",
        "cloud_instance_name": urlsplit(cloud.login_url).netloc,
        "cloud_graph_host_name": graph_host,
        "msgraph_host": graph_host,
        "rbac_url": f"{cloud.graph_url}/rbac",
    }


def _instances(cloud: Cloud, call: Call, _: str) -> Answer:
    """What MSAL asks for aliases of a host: this one is only ever itself."""
    host = urlsplit(cloud.login_url).netloc
    with cloud.store.reading() as db:
        tenant = fact(db, "tenant")
    body = {
        "tenant_discovery_endpoint": f"{cloud.login_url}/{tenant}/v2.0/.well-known/openid-configuration",
        "api-version": "1.1",
        "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
    }
    return Answer(200, body, content_type=PLAIN_JSON)


def _keys(cloud: Cloud, call: Call, _: str) -> Answer:
    with cloud.store.reading() as db:
        return Answer(200, public_keys(db), content_type=PLAIN_JSON)


def _realm(cloud: Cloud, call: Call, _: str) -> Answer:
    """Tell whether a sign-in name's domain checks its own passwords; MSAL asks before sending one."""
    name = unquote(call.path.rpartition("/")[2])
    domain = name.rpartition("@")[2].lower()
    with cloud.store.reading() as db:
        known = next((item for item in domains(db) if item["id"] == domain and item["isVerified"]), None)
    kind = known["authenticationType"] if known else "Unknown"
    body = {"ver": "1.0", "account_type": kind, "domain_name": domain, "cloud_instance_name": "microsoftonline.com"}
    return Answer(200, body, content_type=PLAIN_JSON)


def _token(cloud: Cloud, call: Call, tenant: str) -> Answer:
    form = dict(parse_qsl(call.body.decode("utf-8", "replace"), keep_blank_values=True))
    with cloud.store.reading() as db:
        if tenant.lower() in MANY_TENANTS:
            raise LoginError(90023)
        tenant_of(db, tenant)
        grant = _required(form, "grant_type")
        form |= _basic_credentials(call)
        if grant not in GRANTS:
            raise LoginError(70003)
        return GRANTS[grant](cloud, db, form, tenant)


def _client_credentials(cloud: Cloud, db: sqlite3.Connection, form: Mapping[str, str], tenant: str) -> Answer:
    _judge_client(db, _required(form, "client_id"))
    by_certificate = _judge_credential(cloud, db, form, tenant)
    audience = _audience(cloud, _required(form, "scope"))
    at = cloud.moment()
    token, lifetime = issue(db, at, audience, app_claims(db, at, by_certificate))
    body = {"token_type": "Bearer", "expires_in": lifetime, "ext_expires_in": lifetime, "access_token": token}
    return Answer(200, body, {"Cache-Control": "no-store, no-cache", "Pragma": "no-cache"}, PLAIN_JSON)


def _password(cloud: Cloud, db: sqlite3.Connection, form: Mapping[str, str], tenant: str) -> Answer:
    """Sign somebody in by name and password."""
    _judge_client(db, _required(form, "client_id"))
    name, password = _required(form, "username"), _required(form, "password")
    body = recognise(db, name, password)
    claims = {"appid": form["client_id"], "idtyp": "user", "oid": body["id"], "upn": name, "scp": "User.Read profile"}
    token, lifetime = issue(db, cloud.moment(), GRAPH_AUDIENCES[0], claims)
    answered = {"token_type": "Bearer", "scope": "User.Read profile", "expires_in": lifetime, "access_token": token}
    return Answer(200, answered, {"Cache-Control": "no-store, no-cache"}, PLAIN_JSON)


def recognise(db: sqlite3.Connection, name: str, password: str) -> dict[str, Any]:
    """Return who signs in by this name and password; a federated domain keeps its passwords elsewhere, so none fits here.

    LoginError 50034, 50126, 50057 or 50055 (the password has to be changed first) otherwise.
    """
    row = db.execute(
        "SELECT id, password, body FROM users WHERE upn_key = ? AND deleted_at IS NULL", (name.casefold(),)
    ).fetchone()
    if row is None:
        raise LoginError(50034)
    if _federated(db, name) or not verify_password(password, row["password"]):
        raise LoginError(50126)
    body = body_of(row)
    if not body["accountEnabled"]:
        raise LoginError(50057)
    if (body.get("passwordProfile") or {}).get("forceChangePasswordNextSignIn"):
        raise LoginError(50055)
    return body


def _judge_client(db: sqlite3.Connection, client_id: str) -> None:
    if client_id.lower() != fact(db, "client_id"):
        raise LoginError(700016, client=client_id)
    if fact(db, "consent") is None:
        raise LoginError(7000229, client=client_id)


def _judge_credential(cloud: Cloud, db: sqlite3.Connection, form: Mapping[str, str], tenant: str) -> bool:
    """Check the secret or the assertion; return whether it was an assertion."""
    if form.get("client_assertion"):
        if form.get("client_assertion_type") != JWT_BEARER:
            raise LoginError(50014)
        try:
            judge_assertion(
                db, cloud.moment(), form["client_assertion"], form["client_id"], _token_urls(cloud, db, tenant)
            )
        except Refused as error:
            raise LoginError(error.number) from error
        return True
    if not form.get("client_secret"):
        raise LoginError(7000218)
    rows = db.execute("SELECT value, expires_at FROM credentials WHERE kind = 'secret'").fetchall()
    fitting = [row for row in rows if hmac.compare_digest(row["value"].encode(), form["client_secret"].encode())]
    if not fitting:
        raise LoginError(7000215)
    if all(row["expires_at"] is not None and row["expires_at"] <= cloud.moment() for row in fitting):
        raise LoginError(7000222, client=form["client_id"])
    return False


def _token_urls(cloud: Cloud, db: sqlite3.Connection, tenant: str) -> frozenset[str]:
    names = {tenant, fact(db, "tenant"), *(item["id"] for item in domains(db))}
    return frozenset(f"{cloud.login_url}/{name}{path}" for name in names for path in ("/oauth2/v2.0/token", "/v2.0"))


def _audience(cloud: Cloud, scope: str) -> str:
    """Return the resource of the one `…/.default` scope; openid scopes beside it are let through."""
    wanted = [item for item in scope.split() if item not in ("openid", "profile", "offline_access")]
    if len(wanted) != 1 or not wanted[0].endswith("/.default"):
        raise LoginError(70011)
    resource = wanted[0].removesuffix("/.default").rstrip("/")
    if resource not in (*GRAPH_AUDIENCES, cloud.graph_url):
        raise LoginError(500011)
    return resource


def _federated(db: sqlite3.Connection, name: str) -> bool:
    domain = name.rpartition("@")[2].lower()
    return any(item["id"] == domain and item["authenticationType"] == "Federated" for item in domains(db))


def _required(form: Mapping[str, str], name: str) -> str:
    if not form.get(name):
        raise LoginError(900144, parameter=name)
    return form[name]


def _basic_credentials(call: Call) -> dict[str, str]:
    scheme, _, encoded = str(call.headers.get("Authorization", "")).partition(" ")
    if scheme.lower() != "basic":
        return {}
    try:
        client, _, secret = b64decode(encoded, validate=True).decode().partition(":")
    except ValueError as error:
        raise LoginError(7000218) from error
    return {"client_id": unquote(client), "client_secret": unquote(secret)}


def _fits(parts: list[str], pattern: tuple[str, ...]) -> bool:
    return all(wanted in ("*", part.lower()) for part, wanted in zip(parts, pattern, strict=True))


GRANTS: dict[str, Callable[[Cloud, sqlite3.Connection, Mapping[str, str], str], Answer]] = {
    "client_credentials": _client_credentials,
    "password": _password,
}
ENDPOINTS: tuple[tuple[str, tuple[str, ...], Callable[[Cloud, Call, str], Answer]], ...] = (
    ("GET", ("*", "v2.0", ".well-known", "openid-configuration"), _discovery),
    ("GET", ("*", ".well-known", "openid-configuration"), _discovery),
    ("GET", ("common", "discovery", "instance"), _instances),
    ("GET", ("*", "discovery", "v2.0", "keys"), _keys),
    ("GET", ("common", "userrealm", "*"), _realm),
    ("POST", ("*", "oauth2", "v2.0", "token"), _token),
)
