"""What Microsoft's refusals mean: tables from its codes to the six errors and their remedies.

Owns the reading of error bodies; never decides what is tried again, and never repeats a value that was sent.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from provision.connectors.http import Answer, throttled
from provision.connectors.microsoft365.config import GUID
from provision.core.ports import Missing, OutsideError, Refused, Taken, Unauthorised, Unreachable

SIGN_IN: dict[int, str] = {
    7000215: "secret_wrong",
    7000222: "secret_expired",
    7000216: "secret_missing",
    7000218: "secret_missing",
    700016: "consent_missing",
    7000229: "consent_missing",
    65001: "consent_missing",
    650056: "consent_missing",
    90008: "consent_missing",
    70001: "registration_missing_there",
    700011: "registration_missing_there",
    70002: "secret_wrong",
    700027: "certificate_unknown",
    700024: "clock_differs",
    90002: "tenant_unknown",
    900023: "domain_malformed",
    500011: "cloud_refused",
    53003: "access_blocked",
    5000224: "tenant_closed",
}
"""AADSTS number → remedy. The numbers choose words only; what happens next follows from ``error``, as Microsoft asks:
https://learn.microsoft.com/entra/identity-platform/reference-error-codes."""

SIGN_IN_CLASS: dict[str, type[Refused] | type[Unauthorised]] = {
    "invalid_tenant": Refused,
    "invalid_request": Refused,
    "invalid_scope": Refused,
    "invalid_resource": Refused,
}
"""OAuth ``error`` → our error; everything else is about the credentials."""

PLAIN: dict[int, tuple[type[OutsideError], str]] = {
    401: (Unauthorised, "token_refused"),
    403: (Refused, "permission_missing"),
    404: (Missing, "not_there"),
}
"""Statuses that say all there is to say."""

CODES: dict[str, str] = {
    "Directory_QuotaExceeded": "quota_exceeded",
    "Authentication_RequestFromNonPremiumTenantOrB2CTenant": "premium_needed",
}
"""Codes of Graph's that say all there is to say, with whatever status they come."""

SAID: tuple[tuple[str, type[OutsideError], str, str], ...] = (
    (r"on-premises mastered|objects currently undergoing migration", Refused, "set_by_directory_sync", ""),
    (r"originated in an external service|mastered in exchange", Refused, "owned_by_exchange", ""),
    (r"source resource object or one of the objects being referenced", Missing, "not_there", ""),
    (r"password complexity|banned password|password does not comply", Refused, "password_weak", "password"),
    (r"password of a user in a federated domain", Refused, "password_federated", "password"),
    (r"temporary access pass policy|access pass.*(disabled|not (allowed|enabled))", Refused, "passes_off", ""),
    (r"lifetime must be|lifetimeinminutes", Refused, "pass_lifetime", ""),
    (r"password must be specified", Refused, "required_there", "password"),
    (r"verified domain names", Refused, "domain_not_verified_there", "userPrincipalName"),
    (r"property userprincipalname is invalid", Refused, "sign_in_name_refused", "userPrincipalName"),
    (r"one or more properties contains invalid values", Refused, "domain_federated", "userPrincipalName"),
    (r"be their own manager|manager of itself", Refused, "manager_circle", "manager"),
    (r"invalid usage location", Refused, "usage_location_missing", "usageLocation"),
    (r"not have any available licenses", Refused, "no_seat", ""),
    (r"mutually exclusive|conflicting service plans", Refused, "licence_conflict", ""),
    (r"depends on the service plan|dependent service plan", Refused, "licence_dependency", ""),
    (r"inherited from a group", Refused, "licence_inherited", ""),
    (r"not have a corresponding license", Refused, "licence_not_held", ""),
    (r"valid company license|'edm\.guid'|is not part of the license", Refused, "licence_unknown", ""),
    (
        r"not available in (the|this) (usage )?location|prohibited in usage location",
        Refused,
        "licence_not_sold_there",
        "",
    ),
)
"""What only the text of a 400 tells: pattern → our error, code and attribute. Texts may change: whatever fits none of
these is told as it is known, by the attribute it names or as *refused_by_microsoft*."""

_CLASH = (
    r"same value for property '?([A-Za-z]{1,64})'? already exists|conflicting object with one or more of the specified"
)
"""What tells of a clash where no detail does."""

LICENSING = frozenset(code for _, _, code, _ in SAID if code.startswith("licence_")) | {"no_seat"}

DETAILS: dict[str, str] = {"MissingValue": "required_there", "ReadOnly": "read_only_there"}
"""Code of a detail → remedy; an attribute that is named with any other code holds a value that was refused."""

PASSING = frozenset({408, 409, 423, 424})
"""Statuses below 500 that a later try gets past."""

BUSY = frozenset({"temporarily_unavailable", "server_error"})

WATERMARK = frozenset(
    {"syncstatenotfound", "resyncrequired", "resyncchangesapplydifferences", "resyncchangesuploaddifferences"}
)
"""Codes, in small letters, that come with some 4xx when a delta or skip token is too old, beside ``Directory_…``:
https://learn.microsoft.com/graph/delta-query-overview."""


def sign_in(body: Mapping[str, Any], *, status: int, request_id: str, **known: Any) -> OutsideError:
    """Read an OAuth error body (RFC 6749, section 5.2, with Microsoft's additions)."""
    word = str(body.get("error") or "")
    numbers = body.get("error_codes")
    number = numbers[0] if isinstance(numbers, list) and numbers and isinstance(numbers[0], int) else None
    trace = body.get("trace_id")
    request_id = trace[:64] if isinstance(trace, str) else request_id
    if word in BUSY:
        return Unreachable("service_busy", sent=True, request_id=request_id, status=status)
    code = SIGN_IN.get(number or 0, "sign_in_refused")
    kind = SIGN_IN_CLASS.get(word, Unauthorised)
    return kind(code, request_id=request_id, number=f"AADSTS{number}" if number else word[:64], **known)


def graph(answer: Answer, *, right: str, now: datetime) -> OutsideError:
    """Read a Graph error body. ``right`` names the permission that the call needed."""
    status, request_id = answer.status, answer.request_id
    if status == 429 or (status == 503 and "retry-after" in answer.headers):
        return throttled(answer, now)
    if status >= 500 or status in PASSING:
        # 424: a call of the batch that this one depended on has failed, so this one was not carried out.
        return Unreachable("service_busy", sent=status != 424, request_id=request_id, status=status)
    body = error_body(answer)
    kind, code = PLAIN.get(status, (Refused, ""))
    if status >= 400 and str(body.get("code")) in CODES:
        kind, code = Refused, CODES[str(body["code"])]
    if code:
        return kind(code, request_id=request_id, permission=right)
    if not body or status < 400:
        return answer.unexpected("redirect" if 300 <= status < 400 else "no_error_body")
    return _bad_request(body, request_id)


def error_body(answer: Answer) -> Mapping[str, Any]:
    """Return the ``error`` object of an answer, empty when there is none."""
    try:
        body = answer.json()
    except Unreachable:
        return {}
    error = body.get("error") if isinstance(body, dict) else None
    return error if isinstance(error, dict) else {}


def watermark_lost(answer: Answer) -> bool:
    """Tell whether an answer to a saved link means that everything has to be read anew."""
    if answer.status == 410:
        return True
    code = str(error_body(answer).get("code") or "").lower()
    return 400 <= answer.status < 500 and (code in WATERMARK or code.startswith("directory_expired"))


def _bad_request(body: Mapping[str, Any], request_id: str) -> OutsideError:
    given = body.get("details")
    details = [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []
    for detail in details:
        if detail.get("code") == "ObjectConflict":
            target = _word(detail.get("target"))
            return Taken("value_taken", request_id=request_id, attribute=target, **_holder(details))
    texts = [text[:2000] for text in (each.get("message") for each in (body, *details)) if isinstance(text, str)]
    said = _said(" ".join(texts), request_id)
    if said is not None:
        return said
    for detail in details:
        target = _word(detail.get("target"))
        if target:
            code = DETAILS.get(str(detail.get("code")), "value_refused")
            return Refused(code, request_id=request_id, attribute=target)
    clash = re.search(_CLASH, " ".join(texts), re.IGNORECASE)
    if clash:
        return Taken("value_taken", request_id=request_id, attribute=clash[1] or "")
    named = re.search(r"property '?([A-Za-z0-9_.]{1,64})'? of resource", texts[0]) if texts else None
    if named:
        return Refused("value_refused", request_id=request_id, attribute=named[1])
    return Refused("refused_by_microsoft", request_id=request_id, reason=_word(body.get("code")))


def _said(text: str, request_id: str) -> OutsideError | None:
    """Return the error that a text stands for. Of the text itself nothing goes on but the id of a licence."""
    for pattern, kind, code, attribute in SAID:
        if re.search(pattern, text, re.IGNORECASE):
            known = {"attribute": attribute} if attribute else {}
            sku = GUID.search(text.lower()) if code in LICENSING else None
            return kind(code, request_id=request_id, **known, **({"sku": sku[0]} if sku else {}))
    return None


def _holder(details: list[dict[str, Any]]) -> dict[str, str]:
    """Return who has the value already, where Microsoft tells: it names objects by their ids."""
    for detail in details:
        if detail.get("code") == "ConflictingObjects":
            found = GUID.search(f"{detail.get('message')} {detail.get('target')}".lower()[:2000])
            return {"holder": found[0]} if found else {}
    return {}


def _word(value: Any) -> str:
    """Return a code or a property's name, and nothing that could be a person's value."""
    return value if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_./-]{1,64}", value) else ""
