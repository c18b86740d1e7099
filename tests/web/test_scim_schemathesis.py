"""The endpoints as a description, and a generator of requests that fit it and do not: no fault of ours, SCIM's own shape."""

from typing import Any

import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings

from provision.house import House
from tests.cast import Cast, Clock
from tests.web.scim import Pusher

_ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
_SEARCH = [
    {"name": name, "in": "query", "schema": {"type": kind}}
    for name, kind in (
        ("filter", "string"), ("sortBy", "string"), ("sortOrder", "string"), ("startIndex", "integer"), ("count", "integer"),
        ("attributes", "string"), ("excludedAttributes", "string"), ("cursor", "string"),
    )
]  # fmt: skip
_ANY = {"description": "whatever it is", "content": {"application/scim+json": {"schema": {"type": "object"}}}}


def _body(schema: Any) -> Any:
    return {"required": True, "content": {"application/scim+json": {"schema": schema}}}


_USER = {
    "type": "object",
    "properties": {
        "schemas": {"type": "array", "items": {"enum": ["urn:ietf:params:scim:schemas:core:2.0:User", "x"]}},
        "userName": {"type": "string"},
        "active": {"type": ["boolean", "string"]},
        "emails": {"type": "array", "items": {"type": "object", "properties": {"value": {"type": "string"}}}},
        "name": {"type": "object"},
    },
}
_PATCH = {
    "type": "object",
    "properties": {
        "schemas": {"const": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"]},
        "Operations": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"op": {"enum": ["add", "replace", "remove", "x"]}, "path": {"type": "string"}},
            },
        },
    },
}
_BULK = {"type": "object", "properties": {"schemas": {"type": "array"}, "Operations": {"type": "array"}}}


def _deed(*parameters: Any, body: Any = None) -> Any:
    return {"parameters": list(parameters), "responses": {"default": _ANY}, **({"requestBody": body} if body else {})}


_PATHS = {
    **{
        path: {"get": _deed(*_SEARCH), "post": _deed(body=_body(_USER))}
        for path in ("/scim/v2/Users", "/scim/v2/Groups")
    },
    **{
        f"{path}/{{id}}": {
            "get": _deed(_ID),
            "put": _deed(_ID, body=_body(_USER)),
            "patch": _deed(_ID, body=_body(_PATCH)),
            "delete": _deed(_ID),
        }
        for path in ("/scim/v2/Users", "/scim/v2/Groups")
    },
    "/scim/v2/Bulk": {"post": _deed(body=_body(_BULK))},
    "/scim/v2/.search": {"post": _deed(body=_body({"type": "object"}))},
    "/scim/v2/Schemas/{id}": {"get": _deed(_ID)},
}


def test_no_generated_request_is_a_fault_of_ours(app: Flask, house: House, cast: Cast, clock: Clock) -> None:
    app.testing = False
    okta = Pusher(app, house, cast.contoso, clock)
    okta.hire("jane.doe")
    described = {"openapi": "3.1.0", "info": {"title": "SCIM", "version": "2"}, "paths": _PATHS}
    schema = schemathesis.openapi.from_dict(described)
    schema.app = app
    met = 0
    for found in schema.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=6, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        def meet(case: Any) -> None:
            nonlocal met
            answer = case.call(headers={"Authorization": f"Bearer {okta.token}"})
            assert answer.status_code < 500 or answer.status_code == 501, (case, answer.text)
            met += 1

        given(operation.as_strategy())(meet)()
    assert met > 50
