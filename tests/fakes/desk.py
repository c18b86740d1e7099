"""The writing half of the unruly fake: a desk that takes batches, and loses, delays or half-answers what it is asked to.

Owns the rules that a write meets there and the order in which a batch is carried out, which is a different one every
time; never tells a lie about what it did, except by silence.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx2

if TYPE_CHECKING:
    from tests.fakes.graph import UnrulyGraph

Reply = tuple[int, Any, dict[str, str]]
FIXED = ("displayName", "mailNickname", "userPrincipalName", "accountEnabled", "usageLocation")
LIMITS = {"employeeId": 16, "givenName": 64, "surname": 64, "department": 64, "jobTitle": 128}
SHOWN = ("id", "displayName", "givenName", "surname", "jobTitle", "mobilePhone", "businessPhones", "userPrincipalName")
BIN = "/directory/deletedItems"


@dataclass
class Strike:
    """One misfortune waiting: what, for which calls, after how many of them, how often."""

    what: str
    method: str
    path: str
    skip: int
    times: int
    details: dict[str, Any]

    def hits(self, method: str, path: str) -> bool:
        if not self.times or not fnmatchcase(method, self.method) or not fnmatchcase(path, self.path):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True


class Desk:
    """Takes writes for one fake. ``seats`` are the free ones by licence, ``groups`` their names by id."""

    def __init__(self, fake: "UnrulyGraph", domain: str, root: str) -> None:
        self.fake, self.domain, self.root = fake, domain, root
        self.strikes: list[Strike] = []
        self.seats: dict[str, int] = {}
        self.groups: dict[str, str] = {}
        self.bin: dict[str, dict[str, Any]] = {}
        self.references: list[str] = []

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        """A batch, or a call that came by itself."""
        if request.url.path == "/v1.0/$batch":
            return self._batch(request)
        path = request.url.raw_path.decode().removeprefix("/v1.0")
        return _response(*self._item(request.method, path, json.loads(request.content) if request.content else None))

    def _batch(self, request: httpx2.Request) -> httpx2.Response:
        """Carry out the items in one order and answer them in another."""
        items = json.loads(request.content)["requests"]
        ids = [item["id"].lower() for item in items]
        if not 0 < len(items) <= 20 or len(set(ids)) < len(ids):
            return _response(400, _error("BadRequest"))
        strike = self._struck("POST", "/$batch")
        if strike and strike.what == "drop_before":
            raise httpx2.ReadTimeout("the request got lost on its way")
        if strike and strike.what == "throttle":
            return _response(429, _error("TooManyRequests"), {"Retry-After": str(strike.details["retry_after"])})
        if strike and strike.what == "status":
            return _response(strike.details["status"], _error(strike.details.get("code", "UnknownError")))
        self.fake.chance.shuffle(items)
        responses = [self._respond(item) for item in items]
        if strike and strike.what == "drop_after":
            raise httpx2.ReadError("the answer got lost after everything was done")
        if strike and strike.what == "partial":
            responses = [each for each in responses if each["id"] not in strike.details["ids"]]
        if strike and strike.what == "html":
            return httpx2.Response(200, headers={"Content-Type": "text/html"}, content=b"<h1>Sign in</h1>")
        self.fake.chance.shuffle(responses)
        return _response(200, {"responses": responses})

    def _respond(self, item: Mapping[str, Any]) -> dict[str, Any]:
        headers = {name.lower(): value for name, value in item["headers"].items()}
        self.references.append(headers["client-request-id"])
        if "body" in item and headers.get("content-type") != "application/json":
            return {"id": item["id"], "status": 400, "headers": {}, "body": _error("BadRequest")}
        status, body, more = self._item(item["method"], item["url"], item.get("body"))
        response = {
            "id": item["id"],
            "status": status,
            "headers": {"request-id": f"theirs-{len(self.references)}"} | more,
        }
        return response if body is None else {**response, "body": body}

    def _item(self, method: str, url: str, body: Any) -> Reply:
        path, query = unquote(urlsplit(url).path), parse_qs(urlsplit(url).query)
        strike = self._struck(method, path)
        if strike and strike.what == "throttle":
            return 429, _error("TooManyRequests"), {"Retry-After": str(strike.details["retry_after"])}
        if strike and strike.what == "status":
            return strike.details["status"], strike.details.get("body") or _error("UnknownError"), {}
        reply = self._routed(method, path, {name: values[0] for name, values in query.items()}, body)
        if strike and strike.what == "status_after":
            return strike.details["status"], _error("UnknownError"), {}
        return reply

    def _routed(self, method: str, path: str, query: Mapping[str, str], body: Any) -> Reply:  # noqa: PLR0911
        if (method, path) == ("POST", "/users"):
            return self._create(body)
        if path.startswith(BIN):
            return self._recycled(method, path.removeprefix(BIN), query, body)
        if path == "/subscribedSkus":
            skus = [{"skuId": sku, "skuPartNumber": f"PART_{sku[:4]}"} for sku in self.seats]
            return 200, {"value": skus}, {}
        if path.startswith("/groups/"):
            return 200, {"displayName": self.groups[path.removeprefix("/groups/")]}, {}
        anchor, _, rest = path.removeprefix("/users/").partition("/")
        person = self.fake.people.get(anchor)
        if person is None:
            return _absent(anchor)
        if person["_visible"] > self.fake.now() and "late_404" not in self.fake.spare:
            self.fake.deeds["late_404"] += 1
            return _absent(anchor)
        return self._about(method, rest, person, body)

    def _about(self, method: str, rest: str, person: dict[str, Any], body: Any) -> Reply:
        if method == "GET":
            return 200, {name: value for name, value in person.items() if name[0] != "_"}, {}
        if method == "PATCH":
            return self._update(person, body)
        if rest == "manager/$ref":
            return self._manage(method, person, body)
        if rest == "assignLicense":
            return self._assign(person, body)
        assert (method, rest) == ("DELETE", ""), (method, rest)
        self.fake.remove(person["id"])
        return 204, None, {}

    def _create(self, body: dict[str, Any]) -> Reply:
        if not (body.get("passwordProfile") or {}).get("password"):
            return 400, _error("Request_BadRequest", "A password must be specified to create a new user."), {}
        refusal = self._judge(body, None)
        if refusal:
            return refusal
        values = {name: value for name, value in body.items() if name != "passwordProfile"}
        anchor = self.fake.add(**values, _password=body["passwordProfile"]["password"])
        return 201, {name: self.fake.people[anchor].get(name) for name in SHOWN}, {}

    def _update(self, person: dict[str, Any], body: dict[str, Any]) -> Reply:
        if person["onPremisesSyncEnabled"] and body.keys() - {"usageLocation"}:
            return (
                400,
                _error("Request_BadRequest", "Unable to update on-premises mastered Directory Sync objects."),
                {},
            )
        if person.get("_admin") and body.keys() & {"accountEnabled", "mobilePhone", "passwordProfile"}:
            return 403, _error("Authorization_RequestDenied"), {}
        refusal = self._judge(body, person)
        if refusal:
            return refusal
        changes = {name: value for name, value in body.items() if name != "passwordProfile"}
        if "passwordProfile" in body:
            changes["_password"] = body["passwordProfile"]["password"]
        holder = "onPremisesExtensionAttributes"
        if holder in changes:
            changes[holder] = {**(person.get(holder) or {}), **changes[holder]}
        self.fake.edit(person["id"], **changes)
        return 204, None, {}

    def _judge(self, body: Mapping[str, Any], person: Mapping[str, Any] | None) -> Reply | None:
        for name, value in body.items():
            if value == "" or (value is None and name in FIXED) or len(str(value)) > LIMITS.get(name, 1024):
                return 400, _error("Request_BadRequest", code="InvalidValue", target=name), {}
        if "password" in str((body.get("passwordProfile") or {}).get("password")).lower():
            text = "The specified password does not comply with password complexity requirements."
            return 400, _error("Request_BadRequest", text), {}
        name = body.get("userPrincipalName")
        if name is None:
            return None
        if name.rpartition("@")[2].lower() != self.domain:
            text = "You must use one of the verified domain names in your organization."
            return 400, _error("Request_BadRequest", text, code="InvalidValue", target="userPrincipalName"), {}
        for other in self.fake.people.values():
            if other is not person and other["userPrincipalName"].casefold() == name.casefold():
                return 400, _error("Request_BadRequest", code="ObjectConflict", target="userPrincipalName"), {}
        return None

    def _manage(self, method: str, person: dict[str, Any], body: Any) -> Reply:
        if method == "DELETE":
            return (204, None, {}) if person.pop("_manager", None) else _absent("manager")
        match = re.fullmatch(re.escape(self.root) + r"/v1\.0/users/([0-9a-f-]+)", body["@odata.id"])
        if match is None or match[1] not in self.fake.people:
            return _absent("manager")
        person["_manager"] = match[1]
        return 204, None, {}

    def _assign(self, person: dict[str, Any], body: dict[str, Any]) -> Reply:
        held = {each["skuId"]: each for each in person["assignedLicenses"]}
        direct = {each["skuId"] for each in person.get("licenseAssignmentStates") or () if not each["assignedByGroup"]}
        wanted = {each["skuId"]: each for each in body["addLicenses"]}
        if wanted and not person.get("usageLocation"):
            text = "License assignment cannot be done for user with invalid usage location."
            return 400, _error("Request_BadRequest", text), {}
        for sku in wanted.keys() - held.keys():
            if self.seats.get(sku, 0) < 1:
                text = f"Subscription with SKU {sku} does not have any available licenses."
                return 400, _error("Request_BadRequest", text), {}
        if set(body["removeLicenses"]) - direct:
            return 400, _error("Request_BadRequest", "User does not have a corresponding license."), {}
        for sku in wanted.keys() - held.keys():
            self.seats[sku] -= 1
        for sku in body["removeLicenses"]:
            self.seats[sku] += 1
            held.pop(sku)
        held |= wanted
        states = [{**each, "assignedByGroup": None} for each in wanted.values()]
        kept = [
            each
            for each in person.get("licenseAssignmentStates") or ()
            if each["assignedByGroup"] or each["skuId"] not in {*wanted, *body["removeLicenses"]}
        ]
        self.fake.edit(person["id"], assignedLicenses=list(held.values()), licenseAssignmentStates=[*kept, *states])
        return 200, {name: person.get(name) for name in SHOWN}, {}

    def _recycled(self, method: str, rest: str, query: Mapping[str, str], body: Any) -> Reply:
        if method == "GET":
            found = list(self.bin.values())
            match = re.fullmatch(r"endsWith\(userPrincipalName,'(.*)'\)", query.get("$filter", ""))
            if match:
                wanted = match[1].replace("''", "'").casefold()
                found = [each for each in found if each["userPrincipalName"].casefold().endswith(wanted)]
            shown = [{name: value for name, value in each.items() if name[0] != "_"} for each in found]
            return 200, {"value": shown}, {}
        anchor = rest.strip("/").partition("/")[0]
        person = self.bin.get(anchor)
        if person is None:
            return _absent(anchor)
        name = body.get("newUserPrincipalName") or person["userPrincipalName"].removeprefix(anchor.replace("-", ""))
        refusal = self._judge({"userPrincipalName": name}, None)
        if refusal:
            return refusal
        del self.bin[anchor]
        back = {**person, "userPrincipalName": name, "_visible": self.fake.now()}
        back.pop("deletedDateTime")
        self.fake.people[anchor] = back
        self.fake.log.append((anchor, "changed"))
        return 200, {"id": anchor, "userPrincipalName": name}, {}

    def _struck(self, method: str, path: str) -> Strike | None:
        return next((strike for strike in self.strikes if strike.hits(method, path)), None)


def _absent(name: str) -> Reply:
    return 404, _error("Request_ResourceNotFound", f"Resource '{name}' does not exist."), {}


def _error(word: str, message: str = "…", **detail: str) -> dict[str, Any]:
    return {"error": {"code": word, "message": message, **({"details": [detail]} if detail else {})}}


def _response(status: int, body: Any, headers: Mapping[str, str] | None = None) -> httpx2.Response:
    kind = {} if body is None else {"Content-Type": "application/json;charset=utf-8"}
    content = b"" if body is None else json.dumps(body).encode()
    return httpx2.Response(status, headers={**kind, **(headers or {})}, content=content)
