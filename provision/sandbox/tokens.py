"""Owns access tokens: making them, reading them, and judging a client's signed assertion.
Never answers a request."""

import base64
import sqlite3
import uuid
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from provision.sandbox.faults import knob
from provision.sandbox.store import fact

GRAPH_AUDIENCES = ("https://graph.microsoft.com", "00000003-0000-0000-c000-000000000000")
SKEW = 300.0  # seconds by which a client's clock may differ
KEY_ID = "sandbox-1"


class Refused(Exception):
    """A token or an assertion that isn't accepted; `number` is the AADSTS number when the client is to blame."""

    def __init__(self, reason: str, number: int = 0) -> None:
        super().__init__(reason)
        self.number = number


def issue(db: sqlite3.Connection, at: float, audience: str, claims: Mapping[str, Any]) -> tuple[str, int]:
    """Sign an access token for `audience`; return it with its lifetime in seconds."""
    lifetime = int(knob(db, "token_lifetime"))
    tenant = fact(db, "tenant")
    body = {
        "aud": audience,
        "iss": f"https://sts.windows.net/{tenant}/",
        "iat": int(at),
        "nbf": int(at),
        "exp": int(at) + lifetime,
        "tid": tenant,
        "ver": "1.0",
        "uti": uuid.uuid4().hex,
        "aio": str(fact(db, "token_generation")),
        **claims,
    }
    return jwt.encode(body, _key(db), algorithm="RS256", headers={"kid": KEY_ID}), lifetime


def app_claims(db: sqlite3.Connection, at: float, by_certificate: bool) -> dict[str, Any]:
    """The claims of an app-only token: roles are left out while there are none, as in the real service."""
    consent = fact(db, "consent") or {"roles": [], "at": at}
    roles = sorted(consent["roles"]) if at >= consent["at"] + knob(db, "consent_delay") else []
    principal = fact(db, "service_principal")
    claims = {
        "app_displayname": "Provision",
        "appid": fact(db, "client_id"),
        "appidacr": "2" if by_certificate else "1",
        "idtyp": "app",
        "oid": principal,
        "sub": principal,
        "wids": fact(db, "app_roles") or ["0997a1d0-0d1d-4acb-b408-d5ca73121e90"],
    }
    return claims | ({"roles": roles} if roles else {})


def verify(db: sqlite3.Connection, at: float, token: str, audiences: tuple[str, ...]) -> dict[str, Any]:
    """Return the claims of one of our own tokens; raises Refused with a reason to show."""
    try:
        claims: dict[str, Any] = jwt.decode(token, _key(db).public_key(), algorithms=["RS256"], options=_UNTIMED)  # type: ignore[arg-type]
    except jwt.PyJWTError as error:
        raise Refused("IDX14100: the token is malformed or its signature is invalid.") from error
    if str(claims.get("aud", "")).rstrip("/") not in audiences:
        raise Refused("Access token validation failure. Invalid audience.")
    if at >= claims["exp"] or claims["aio"] != str(fact(db, "token_generation")):
        raise Refused("Lifetime validation failed, the token is expired.")
    return claims


def public_keys(db: sqlite3.Connection) -> dict[str, Any]:
    """The key set that the discovery document points to."""
    described = jwt.algorithms.RSAAlgorithm.to_jwk(_key(db).public_key(), as_dict=True)
    return {"keys": [described | {"kid": KEY_ID, "use": "sig", "alg": "RS256"}]}


def thumbprints(pem: str) -> tuple[str, str]:
    """Return (SHA-1, SHA-256) thumbprints of a certificate, as assertions name it: base64url without padding."""
    certificate = x509.load_pem_x509_certificate(pem.encode())
    short = certificate.fingerprint(hashes.SHA1())  # noqa: S303 - the name of a certificate, not a proof of it
    return _unpadded(short), _unpadded(certificate.fingerprint(hashes.SHA256()))


def judge_assertion(
    db: sqlite3.Connection, at: float, assertion: str, client_id: str, audiences: frozenset[str]
) -> None:
    """Verify a client assertion against the registered certificates; Refused 700027, 700024 or 50027 otherwise.

    Deliberately lenient where MSAL is: padded thumbprints, fractional times, either algorithm.
    """
    try:
        header = jwt.get_unverified_header(assertion)
    except jwt.PyJWTError as error:
        raise Refused("the assertion is not a JSON web token", 50027) from error
    pem = _certificate(db, header)
    if pem is None:
        raise Refused("the certificate named by the assertion is not registered", 700027)
    key = x509.load_pem_x509_certificate(pem.encode()).public_key()
    try:
        claims = jwt.decode(assertion, key, algorithms=["RS256", "PS256"], options=_UNTIMED)  # type: ignore[arg-type]
    except jwt.PyJWTError as error:
        raise Refused("the assertion's signature does not verify", 700027) from error
    if claims.get("iss") != client_id or claims.get("sub") != client_id or claims.get("aud") not in audiences:
        raise Refused("issuer, subject or audience of the assertion is not what was expected", 700027)
    if not _timely(claims, at):
        raise Refused("the assertion is not within its valid time range", 700024)


_UNTIMED = {  # the sandbox has its own clock, which the library wouldn't ask
    "verify_aud": False,
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
}


def _key(db: sqlite3.Connection) -> rsa.RSAPrivateKey:
    """Loading checks the whole key, which is too slow to do for every call."""
    return _loaded(fact(db, "token_key"))


@lru_cache(maxsize=8)
def _loaded(pem: str) -> rsa.RSAPrivateKey:
    key = serialization.load_pem_private_key(pem.encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)  # noqa: S101 - the seed makes no other
    return key


def _timely(claims: Mapping[str, Any], at: float) -> bool:
    try:
        expires, begins = float(claims["exp"]), float(claims.get("nbf", claims.get("iat", at)))
    except (KeyError, TypeError, ValueError):
        return False
    return begins - SKEW <= at < expires + SKEW


def _certificate(db: sqlite3.Connection, header: Mapping[str, Any]) -> str | None:
    wanted = {str(header.get(name, "")).rstrip("=") for name in ("x5t", "x5t#S256")} - {""}
    rows = db.execute("SELECT value FROM credentials WHERE kind = 'certificate'").fetchall()
    return next((row["value"] for row in rows if wanted & set(thumbprints(row["value"]))), None)


def _unpadded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
