"""What a SCIM application's refusals mean for us.

Owns the tables from status and scimType to our six errors; never sends and never quotes what the application wrote.
https://www.rfc-editor.org/rfc/rfc7644#section-3.12
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from provision.connectors.http import Answer, throttled
from provision.core.ports import Missing, OutsideError, Refused, Taken, Unauthorised, Unreachable

REFUSALS: dict[str, str] = {
    "invalidValue": "value_refused_there",
    "invalidSyntax": "refused_there",
    "invalidPath": "attribute_unknown_at_app",
    "noTarget": "attribute_unknown_at_app",
    "mutability": "read_only_at_app",
    "sensitive": "refused_there",
    "tooMany": "refused_there",
    "invalidFilter": "refused_there",
    "invalidVers": "refused_there",
}
"""scimType of a 400 → remedy."""

PLAIN: dict[int, tuple[type[Unauthorised] | type[Refused] | type[Missing], str]] = {
    401: (Unauthorised, "app_refused_us"),
    403: (Refused, "not_allowed_there"),
    404: (Missing, "not_at_app"),
    405: (Refused, "not_able_there"),
    413: (Refused, "too_large_there"),
    501: (Refused, "not_able_there"),
}
"""Statuses that say all there is to say."""

LATER = frozenset({408, 412, 425})
"""Statuses below 500 that a later try gets past."""

_ATTRIBUTE = re.compile(r"[\"'`]?\b([A-Za-z][A-Za-z0-9]{1,40}(?:\.[A-Za-z0-9]{1,40})?)\b[\"'`]?")


def read(answer: Answer, now: datetime, *, creating: bool = False, known: frozenset[str] = frozenset()) -> OutsideError:
    """Read an answer that is no success. ``creating``: only a plain refusal says that nothing was made.

    ``known``: the attributes that were sent; the first of them that the refusal names goes into the error.
    """
    status, request_id = answer.status, answer.request_id
    if status == 429 or (status == 503 and "retry-after" in answer.headers and not creating):
        return throttled(answer, now)
    if status in PLAIN:
        kind, code = PLAIN[status]
        return kind(code, request_id=request_id)
    if status >= 500 or status in LATER:
        # 412: somebody else changed it since we looked, so nothing was written and it is planned again.
        return Unreachable("app_busy", sent=status != 412, request_id=request_id, status=status)
    if status < 400:
        return answer.unexpected("redirect" if status >= 300 else "no_error")
    return _refused(answer, known)


def _refused(answer: Answer, known: frozenset[str]) -> OutsideError:
    body = error_body(answer)
    kind = str(body.get("scimType") or "")
    named = _named(str(body.get("detail") or "")[:2000], known)
    told = {"attribute": named} if named else {}
    if kind == "uniqueness" or answer.status == 409:
        return Taken("value_taken_there", request_id=answer.request_id, **({"attribute": "userName"} | told))
    # Words that name an attribute are for refusals that do.
    code = REFUSALS.get(kind, "value_refused_there") if named else "refused_there"
    reason = kind if kind in REFUSALS else str(answer.status)
    return Refused(code, request_id=answer.request_id, reason=reason, **told)


def error_body(answer: Answer) -> Mapping[str, Any]:
    """Return the body of a SCIM error, empty when there is none."""
    try:
        body = answer.json()
    except Unreachable:
        return {}
    return body if isinstance(body, dict) else {}


def _named(detail: str, known: frozenset[str]) -> str:
    """The attribute that a text speaks of, if it is one that we sent: nothing else of the text goes on."""
    by_key = {name.casefold(): name for name in known}
    by_key |= {name.rpartition(".")[2].casefold(): name for name in known}
    for match in _ATTRIBUTE.finditer(detail):
        if (name := by_key.get(match[1].casefold())) is not None:
            return name
    return ""
