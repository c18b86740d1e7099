"""What Microsoft's refusals mean: tables from its codes to the six errors and their remedies.

Owns the reading of error bodies; never decides what is tried again, and never repeats a value that was sent.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from provision.connectors.http import Answer, throttled
from provision.core.ports import Missing, OutsideError, Refused, Taken, Unauthorised, Unreachable

SIGN_IN: dict[int, str] = {
    7000215: "secret_wrong",
    7000222: "secret_expired",
    7000216: "secret_missing",
    7000218: "secret_missing",
    700016: "consent_missing",
    7000229: "consent_missing",
    65001: "consent_missing",
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
    if status >= 500 or status == 409:
        return Unreachable("service_busy", sent=True, request_id=request_id, status=status)
    if status in PLAIN:
        kind, code = PLAIN[status]
        return kind(code, request_id=request_id, permission=right)
    body = error_body(answer)
    if not body or not 400 <= status < 500:
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
    details = body.get("details")
    for detail in details if isinstance(details, list) else ():
        if not isinstance(detail, dict):
            continue
        target = _word(detail.get("target"))
        if detail.get("code") == "ObjectConflict":
            return Taken("value_taken", request_id=request_id, attribute=target)
        if target:
            return Refused("value_refused", request_id=request_id, attribute=target)
    return Refused("refused_by_microsoft", request_id=request_id, reason=_word(body.get("code")))


def _word(value: Any) -> str:
    """Return a code or a property's name, and nothing that could be a person's value."""
    return value if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_./-]{1,64}", value) else ""
