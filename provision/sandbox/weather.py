"""Owns what happens around a call: quotas, faults before and after it, and pages made to misbehave.
Never decides which fault strikes; `faults` does."""

# ruff: noqa: ARG001, S311 - every fault has the same signature; a seeded choice shall come again

import random
import sqlite3
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from provision.sandbox.faults import Fault, Faults, knob
from provision.sandbox.graph.cloud import VERSION, Cloud
from provision.sandbox.graph.delta import restart_link
from provision.sandbox.graph.errors import GraphError
from provision.sandbox.wire import Answer, Call, LostAnswer

WRITES, WRITE_WINDOW = 3_000, 150.0  # an app in a tenant
UNIT_WINDOW = 10.0
Proceed = Callable[[], Answer]


@dataclass(frozen=True)
class Weather:
    """The faults around every call of one sandbox; `sleep` is what slow answers wait with."""

    faults: Faults
    sleep: Callable[[float], None] = time.sleep

    def around(self, cloud: Cloud, call: Call, units: int, proceed: Proceed) -> Answer:
        """Charge the call, carry it out, and do to it what was asked for."""
        share = _charge(cloud, call, units)
        struck = self.faults.strike(call.method, f"{VERSION}/{call.path}")
        for fault in struck:
            if fault.kind in BEFORE:
                BEFORE[fault.kind](self, cloud, call, fault)
        answer = _marked(proceed(), units, share)
        for fault in struck:
            if fault.kind in AFTER:
                answer = AFTER[fault.kind](call, answer, fault)
        return answer

    def login(self, call: Call, proceed: Callable[[], Answer | None]) -> Answer | None:
        """Do the same around a call to the login host, whose paths have no version."""
        struck = self.faults.strike(call.method, call.path)
        for fault in struck:
            if fault.kind == "slow":
                self.sleep(float(fault.details.get("seconds", 1)))
            if fault.kind == "drop_before":
                raise LostAnswer(applied=False)
            if fault.kind in ("status", "throttle"):
                return _login_refusal(fault)
        answer = proceed()
        for fault in struck:
            if fault.kind in AFTER and answer is not None:
                answer = AFTER[fault.kind](call, answer, fault)
        return answer


def _charge(cloud: Cloud, call: Call, units: int) -> float:
    """Take the call from its buckets; GraphError 429 when one is empty, else how full the fullest use is (0…1)."""
    with cloud.store.reading() as db:
        limits = []
        if knob(db, "write_quota") and call.method != "GET" and not call.path.lower().endswith("$batch"):
            limits.append(("Write", float(WRITES), WRITE_WINDOW, 1.0))
        if knob(db, "unit_quota"):
            limits.append(("ResourceUnit", knob(db, "unit_quota"), UNIT_WINDOW, float(units)))
    if not limits:
        return 0.0
    with cloud.store.writing() as db:
        waits = {name: _draw(db, cloud.moment(), name, *limit) for name, *limit in limits}
    for name, (wait, _) in waits.items():
        if wait > 0:
            raise _too_many(call, wait, f"{name}LimitExceeded", "Write" if name == "Write" else "ReadWrite")
    return max(share for _, share in waits.values())


def _draw(db: sqlite3.Connection, at: float, name: str, size: float, window: float, cost: float) -> tuple[float, float]:
    """Draw from a token bucket; a refused call is charged too, so knocking early makes the wait longer."""
    row = db.execute("SELECT level, at FROM buckets WHERE name = ?", (name,)).fetchone()
    level = min(size, row["level"] + (at - row["at"]) * size / window) if row else size
    left = max(level - cost, -size / 10)
    db.execute("INSERT OR REPLACE INTO buckets VALUES (?, ?, ?)", (name, left, at))
    wait = 0.0 if level >= cost else (cost - left) * window / size
    return wait, 1.0 - max(left, 0.0) / size


def _marked(answer: Answer, units: int, share: float) -> Answer:
    headers = {"x-ms-resource-unit": str(units)}
    if share >= 0.8:
        headers["x-ms-throttle-limit-percentage"] = f"{share:.1f}"
    return answer.with_headers(headers)


def _too_many(call: Call, wait: float | str, information: str, limit: str) -> GraphError:
    scope = f"Tenant_Application/{limit}/{call.claims.get('appid', '')}/{call.claims.get('tid', '')}"
    headers = {"x-ms-throttle-scope": scope, "x-ms-throttle-information": information}
    if wait != "":
        headers["Retry-After"] = wait if isinstance(wait, str) else str(max(1, round(wait + 0.5)))
    return GraphError(429, "TooManyRequests", "Please retry again later.", headers=headers)


def _refuse(weather: Weather, cloud: Cloud, call: Call, fault: Fault) -> None:
    raise _refusal(fault)


def _refusal(fault: Fault) -> GraphError:
    details = fault.details
    headers = dict(details.get("headers", {}))
    if "retry_after" in details:
        headers["Retry-After"] = str(details["retry_after"])
    message = details.get("message", "The service is temporarily unavailable.")
    return GraphError(int(details.get("status", 503)), details.get("code", "UnknownError"), message, headers=headers)


def _throttle(weather: Weather, cloud: Cloud, call: Call, fault: Fault) -> None:
    wait = fault.details.get("retry_after", "")
    raise _too_many(call, str(wait), fault.details.get("information", "CPULimitExceeded"), "ReadWrite")


def _drop_before(weather: Weather, cloud: Cloud, call: Call, fault: Fault) -> None:
    raise LostAnswer(applied=False)


def _slow(weather: Weather, cloud: Cloud, call: Call, fault: Fault) -> None:
    weather.sleep(float(fault.details.get("seconds", 1)))


def _gone(weather: Weather, cloud: Cloud, call: Call, fault: Fault) -> None:
    headers = {"Location": restart_link(cloud, call)}
    raise GraphError(410, fault.details.get("code", "resyncRequired"), "A full walk is needed.", headers=headers)


def _stale_token(weather: Weather, cloud: Cloud, call: Call, fault: Fault) -> None:
    code = fault.details.get("code", "syncStateNotFound")
    raise GraphError(int(fault.details.get("status", 400)), code, "The sync state generation is not found.")


def _expired_token(weather: Weather, cloud: Cloud, call: Call, fault: Fault) -> None:
    challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    message = "Lifetime validation failed, the token is expired."
    raise GraphError(401, "InvalidAuthenticationToken", message, headers=challenge)


def _drop_after(call: Call, answer: Answer, fault: Fault) -> Answer:
    raise LostAnswer(applied=True)


def _status_after(call: Call, answer: Answer, fault: Fault) -> Answer:
    raise _refusal(fault)


def _html(call: Call, answer: Answer, fault: Fault) -> Answer:
    text = "<!doctype html><title>Welcome</title><h1>Please sign in to use this network</h1>"
    return Answer(200, text, content_type="text/html; charset=utf-8")


def _empty(call: Call, answer: Answer, fault: Fault) -> Answer:
    return replace(answer, status=200, body=b"")


def _truncated(call: Call, answer: Answer, fault: Fault) -> Answer:
    whole = answer.encoded()
    return replace(answer, body=whole[: int(fault.details.get("bytes", len(whole) // 2))])


def _content_type(call: Call, answer: Answer, fault: Fault) -> Answer:
    return replace(answer, content_type=fault.details.get("content_type", "text/plain"))


def _oversized(call: Call, answer: Answer, fault: Fault) -> Answer:
    padding = b" " * (int(fault.details.get("megabytes", 50)) * 1024 * 1024)
    return replace(answer, body=answer.encoded() + padding)


def _foreign_link(call: Call, answer: Answer, fault: Fault) -> Answer:
    host = fault.details.get("host", "graph.attacker.invalid")
    return _linked(answer, f"https://{host}/v1.0/users/delta?$skiptoken=stolen")


def _loop_link(call: Call, answer: Answer, fault: Fault) -> Answer:
    return _linked(answer, call.url or answer.here or "")


def _replay_page(call: Call, answer: Answer, fault: Fault) -> Answer:
    """The next link leads to this very page once more, by another token."""
    return _linked(answer, answer.here or "")


def _empty_page(call: Call, answer: Answer, fault: Fault) -> Answer:
    """Nothing on this page, yet a link to go on: what belongs here comes next."""
    return _linked(_with_items(answer, []), answer.here or "")


def _duplicate_person(call: Call, answer: Answer, fault: Fault) -> Answer:
    """The page comes in falling order, and one person on it three times: twice as they once were, then as they are."""
    items = list(reversed(_items(answer)))
    chosen = next((place for place, item in enumerate(items) if "@removed" not in item), None)
    if chosen is None:
        return answer
    person = items.pop(chosen)
    older = [
        person | ({"displayName": f"{text} of old"} if "displayName" in person else {}) for text in ("Name", "Title")
    ]
    return _with_items(answer, [older[0], *items[:1], older[1], *items[1:], person])


def _partial_item(call: Call, answer: Answer, fault: Fault) -> Answer:
    """One person comes a second time, with a single property besides the id; the rest is unchanged, not empty."""
    items = _items(answer)
    whole = [item for item in items if "@removed" not in item]
    if not whole:
        return answer
    person = random.Random(fault.seed).choice(whole)
    kept = [name for name in person if name != "id" and not name.startswith("@")][:1]
    return _with_items(answer, [*items, {name: person[name] for name in ("id", *kept) if name in person}])


def _somebody_else(call: Call, answer: Answer, fault: Fault) -> Answer:
    """The answer is about another person than was asked for."""
    if not isinstance(answer.body, dict) or "id" not in answer.body:
        return answer
    return replace(answer, body=answer.body | {"id": str(uuid.UUID(int=0, version=4))})


def _items(answer: Answer) -> list[dict[str, Any]]:
    return list(answer.body["value"]) if isinstance(answer.body, dict) and "value" in answer.body else []


def _with_items(answer: Answer, items: list[dict[str, Any]]) -> Answer:
    return replace(answer, body={**answer.body, "value": items}) if isinstance(answer.body, dict) else answer


def _linked(answer: Answer, link: str) -> Answer:
    """Put a next link in place of whatever link the page had."""
    if not isinstance(answer.body, dict) or "value" not in answer.body or not link:
        return answer
    kept = {name: value for name, value in answer.body.items() if name != "@odata.deltaLink"}
    return replace(answer, body={**kept, "@odata.nextLink": link})


def _login_refusal(fault: Fault) -> Answer:
    status = int(fault.details.get("status", 429 if fault.kind == "throttle" else 503))
    headers = {"Retry-After": str(fault.details["retry_after"])} if "retry_after" in fault.details else {}
    body = {
        "error": "temporarily_unavailable",
        "error_description": "AADSTS90033: A transient error has occurred. Please try again.",
        "error_codes": [90033],
        "trace_id": str(uuid.uuid4()),
    }
    return Answer(status, body, headers, "application/json; charset=utf-8")


BEFORE: dict[str, Callable[[Weather, Cloud, Call, Fault], None]] = {
    "drop_before": _drop_before,
    "expired_token": _expired_token,
    "gone": _gone,
    "slow": _slow,
    "stale_token": _stale_token,
    "status": _refuse,
    "throttle": _throttle,
}
AFTER: dict[str, Callable[[Call, Answer, Fault], Answer]] = {
    "content_type": _content_type,
    "drop_after": _drop_after,
    "duplicate_person": _duplicate_person,
    "empty": _empty,
    "empty_page": _empty_page,
    "foreign_link": _foreign_link,
    "html": _html,
    "loop_link": _loop_link,
    "oversized": _oversized,
    "partial_item": _partial_item,
    "replay_page": _replay_page,
    "somebody_else": _somebody_else,
    "status_after": _status_after,
    "truncated": _truncated,
}
