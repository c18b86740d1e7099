"""What Graph's refusals become."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from provision.connectors.http import Answer
from provision.connectors.microsoft365 import errors
from provision.core.ports import Missing, OutsideError, Refused, Taken, Throttled, Unauthorised, Unreachable

NOW = datetime(2026, 11, 23, tzinfo=UTC)
KIND = {"content-type": "application/json"}


def error(status: int, body: Any = None, **headers: str) -> OutsideError:
    text = b"" if body is None else json.dumps({"error": body}).encode()
    answer = Answer(status, KIND | headers, text, "theirs")
    return errors.graph(answer, right="User.Read.All", now=NOW)


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (401, {"code": "InvalidAuthenticationToken"}, Unauthorised, "token_refused"),
        (403, {"code": "Authorization_RequestDenied"}, Refused, "permission_missing"),
        (403, None, Refused, "permission_missing"),
        (404, {"code": "Request_ResourceNotFound"}, Missing, "not_there"),
        (404, None, Missing, "not_there"),
        (409, {"code": "Directory_ConcurrencyViolation"}, Unreachable, "service_busy"),
        (429, {"code": "TooManyRequests"}, Throttled, "throttled"),
        (500, {"code": "InternalServerError"}, Unreachable, "service_busy"),
        (504, None, Unreachable, "service_busy"),
        (400, {"code": "Request_BadRequest"}, Refused, "refused_by_microsoft"),
        (400, {"code": "Request_BadRequest", "details": "x"}, Refused, "refused_by_microsoft"),
        (400, {"code": "Request_BadRequest", "details": ["x", {}]}, Refused, "refused_by_microsoft"),
        (412, {"code": "PreconditionFailed"}, Refused, "refused_by_microsoft"),
        (400, None, Unreachable, "unexpected_reply"),
        (302, None, Unreachable, "unexpected_reply"),
    ],
)
def test_each_status_says_what_the_caller_does_next(
    status: int, body: Any, kind: type[OutsideError], code: str
) -> None:
    found = error(status, body)
    assert (type(found), found.code, found.request_id) == (kind, code, "theirs")


def test_a_busy_service_that_names_a_time_is_a_rest() -> None:
    found = error(503, **{"retry-after": "30"})
    assert isinstance(found, Throttled)
    assert found.after == 30


def test_a_taken_value_names_its_attribute() -> None:
    details = [{"code": "ObjectConflict", "target": "userPrincipalName", "message": "asa@fjordvik.example"}]
    found = error(400, {"code": "Request_BadRequest", "details": details})
    assert isinstance(found, Taken)
    assert found.params == {"attribute": "userPrincipalName"}


def test_a_refused_value_names_its_attribute_and_not_itself() -> None:
    details = [{"code": "InvalidValue", "target": "mailNickname", "message": "naveen.mills,.jr."}]
    found = error(400, {"code": "Request_BadRequest", "message": "naveen.mills,.jr.", "details": details})
    assert (type(found), found.code, found.params) == (Refused, "value_refused", {"attribute": "mailNickname"})


@pytest.mark.parametrize("target", ["<b>x</b>", "two words", "å", 7, None, "x" * 65])
def test_what_is_no_name_of_an_attribute_is_not_repeated(target: Any) -> None:
    found = error(400, {"code": target, "details": [{"code": "InvalidValue", "target": target}]})
    assert (found.code, found.params) == ("refused_by_microsoft", {"reason": ""})


@pytest.mark.parametrize(
    ("status", "code", "lost"),
    [
        (410, "anything", True),
        (400, "syncStateNotFound", True),
        (400, "SyncStateNotFound", True),
        (404, "resyncRequired", True),
        (403, "resyncChangesApplyDifferences", True),
        (400, "Directory_ExpiredPageToken", True),
        (400, "Request_BadRequest", False),
        (404, "Request_ResourceNotFound", False),
        (500, "syncStateNotFound", False),
        (200, "syncStateNotFound", False),
    ],
)
def test_a_lost_watermark_is_known_by_its_code_in_any_refusal(status: int, code: str, lost: bool) -> None:
    answer = Answer(status, KIND, json.dumps({"error": {"code": code}}).encode())
    assert errors.watermark_lost(answer) is lost


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'{"error":7}', b"<html>", b'{"error":[]}'])
def test_a_body_of_no_known_shape_is_no_error_body(body: bytes) -> None:
    assert errors.error_body(Answer(400, KIND, body)) == {}
