"""Which tenant a domain belongs to, and the round trip of an administrator's consent.

Owns the addresses and the reading of what comes back; never believes it: the service checks the state and compares the
tenant with what a fresh token shows. https://learn.microsoft.com/entra/identity-platform/v2-admin-consent
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from provision.connectors.http import Answer, Cloud, Wire, World, patiently, throttled
from provision.connectors.microsoft365 import errors
from provision.connectors.microsoft365.clouds import CLOUDS, named
from provision.connectors.microsoft365.config import GUID
from provision.core.ports import Refused, Unreachable

DISCOVERY = "/{tenant}/v2.0/.well-known/openid-configuration"

DECLINED = frozenset({"access_denied", "permission_denied"})

REASONS: dict[str, str] = {
    "65004": "consent_declined",
    "90094": "consent_needs_administrator",
    "900941": "consent_needs_administrator",
    "650051": "registration_unusable",
    "650052": "registration_unusable",
    "650056": "registration_unusable",
    "700016": "registration_unknown",
    "50011": "registration_unusable",
}
"""AADSTS number of the error description → remedy; it chooses words only."""


def locate(wire: Wire, cloud: Cloud, domain: str, world: World) -> str:
    """Return the id of the tenant that a domain belongs to, from its discovery document, which needs no token."""
    document = patiently(world, lambda: _discover(wire, domain, world))
    other = named(document)
    if cloud.name != "custom" and other is not None and other != cloud.name and not _same_host(cloud, document):
        raise Refused("tenant_in_another_cloud", domain=domain, cloud=other)
    for field in ("issuer", "token_endpoint"):
        found = GUID.search(str(document.get(field) or "").lower())
        if found:
            return found[0]
    # ``common`` and its like answer with a literal "{tenantid}": they belong to everyone and to nobody.
    raise Refused("tenant_unknown", domain=domain)


def consent_url(cloud: Cloud, tenant: str, *, client_id: str, redirect_uri: str, state: str) -> str:
    """Return where the browser goes. Application permissions are granted by ``/.default`` only."""
    query = {
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": cloud.scope or f"{cloud.graph_url}/.default",
        "state": state,
    }
    return f"{cloud.browser_login_url or cloud.login_url}/{tenant}/v2.0/adminconsent?{urlencode(query)}"


def read_consent(params: Mapping[str, str]) -> str:
    """Return the tenant that a consent callback claims; raises Refused when it says anything but yes.

    An error comes first, since Microsoft sends ``admin_consent=True`` beside errors too.
    """
    if params.get("error"):
        raise _declined(params)
    if params.get("admin_consent", "").lower() != "true":
        raise Refused("consent_unreadable")
    tenant = params.get("tenant", "").lower()
    if not GUID.fullmatch(tenant):
        raise Refused("consent_unreadable")
    return tenant


def _discover(wire: Wire, domain: str, world: World) -> Mapping[str, Any]:
    answer = wire.send("GET", wire.url + DISCOVERY.replace("{tenant}", domain), template=DISCOVERY)
    if answer.status == 429 or (answer.status >= 500 and "retry-after" in answer.headers):
        raise throttled(answer, world.now())
    if answer.status >= 500:
        raise Unreachable("service_busy", sent=True, request_id=answer.request_id, status=answer.status)
    return _document(answer, domain)


def _document(answer: Answer, domain: str) -> Mapping[str, Any]:
    body = answer.json()
    if not isinstance(body, dict) or 300 <= answer.status < 400:
        raise answer.unexpected("discovery")
    if answer.status != 200:
        raise errors.sign_in(body, status=answer.status, request_id=answer.request_id, domain=domain)
    return body


def _same_host(cloud: Cloud, document: Mapping[str, Any]) -> bool:
    """Two government clouds share one sign-in; only the Graph host tells them apart."""
    graph_host = document.get("msgraph_host")
    return graph_host is None and CLOUDS.get(named(document) or "", cloud).login_url == cloud.login_url


def _declined(params: Mapping[str, str]) -> Refused:
    word = params["error"]
    number = re.search(r"AADSTS([0-9]{4,9})", params.get("error_description", ""))
    code = REASONS.get(number[1]) if number else None
    if code is None:
        code = "consent_declined" if word in DECLINED else "consent_failed"
    return Refused(code, reason=number[0] if number else re.sub(r"[^a-z_]", "", word[:64]))
