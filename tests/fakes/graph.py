"""A small directory behind a transport that speaks Graph and behaves worse than any real one.

Owns people, their history and a fixed list of misdeeds, every one of which happens on every walk; never forgets a
change and never invents one, so whoever merges rightly ends with the truth.
"""

import json
import random
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, quote
from uuid import UUID

import httpx2
import jwt

from tests.fakes.desk import BIN, Desk

LOGIN = "https://login.unruly.invalid"
GRAPH = "https://graph.unruly.invalid"
EVIL = "https://graph.unruly.invalid.evil.invalid"
TENANT = "7c1f4d0a-92be-4b6d-8f53-0be1a6c4d2e7"
DOMAIN = "unruly.example"
CLIENT = "0c5a2f0e-0000-4000-8000-00000000cafe"
SECRET = "a~plain~secret~of~forty~letters"
ROLES = ("User.ReadWrite.All", "User-PasswordProfile.ReadWrite.All", "Organization.Read.All", "Domain.Read.All")
LAG = timedelta(seconds=120)
PAGE = 5

KNOWN: dict[str, dict[str, Any]] = {
    "/organization": {"id": TENANT, "displayName": "Unruly", "verifiedDomains": []},
    "/domains": {"id": DOMAIN, "isDefault": True, "isVerified": True, "authenticationType": "Managed"},
}

MISDEEDS = frozenset(
    {"replay", "three_times", "empty_page", "partial_item", "foreign_link", "gone", "late_404", "lost_answer"}
)


@dataclass
class Walk:
    """One round of delta: its answers were fixed when it began, its misdeeds are paid for as it goes."""

    pages: list[list[dict[str, Any]]]
    select: int
    upto: int
    foreign_at: int
    gone_at: int
    empty_at: int
    replay_at: int
    done: set[str]


class UnrulyGraph:
    """People, and the walks over them. ``now`` is its clock; ``spare`` names misdeeds it leaves out."""

    def __init__(self, seed: int = 1, people: int = 23, *, now: Callable[[], datetime]) -> None:
        self.chance = random.Random(seed)
        self.now = now
        self.spare: set[str] = set()
        self.deeds: Counter[str] = Counter()
        self.asked: list[httpx2.Request] = []
        self.people: dict[str, dict[str, Any]] = {}
        self.log: list[tuple[str, str]] = []
        self.walks: list[Walk] = []
        self.selects: dict[int, list[str]] = {}
        self.next_answers: list[Callable[[httpx2.Request], httpx2.Response]] = []
        self.secret = SECRET
        self.wids: list[str] = []
        self.desk = Desk(self, DOMAIN, GRAPH)
        for number in range(people):
            self.add(givenName=f"Given{number}", surname=f"Sur{number}", department=f"Dep{number % 3}", _at=-999)

    # -- What happens over there, behind everybody's back ----------------------------------------------------------

    def add(self, _at: float = 0, **values: Any) -> str:
        """Create somebody; reads by id or filter do not see them for two minutes."""
        anchor = str(UUID(int=self.chance.getrandbits(128), version=4))
        name = f"{values.get('givenName', 'x')}.{values.get('surname', 'y')}.{anchor[:4]}".lower()
        self.people[anchor] = {
            "id": anchor,
            "accountEnabled": True,
            "userType": "Member",
            "userPrincipalName": f"{name}@{DOMAIN}",
            "displayName": f"{values.get('givenName')} {values.get('surname')}",
            "mailNickname": name,
            "employeeId": anchor[:8],
            "onPremisesSyncEnabled": None,
            "createdDateTime": "2026-01-02T03:04:05Z",
            "lastPasswordChangeDateTime": None,
            "assignedLicenses": [],
            "_visible": self.now() + timedelta(seconds=_at) + LAG,
            "usageLocation": None,
            "licenseAssignmentStates": [],
            **values,
        }
        self.log.append((anchor, "changed"))
        return anchor

    def edit(self, anchor: str, **values: Any) -> None:
        self.people[anchor].update(values)
        self.log.append((anchor, "changed"))

    def remove(self, anchor: str, reason: str = "changed") -> None:
        person = self.people.pop(anchor)
        if reason == "changed":
            mangled = anchor.replace("-", "") + person["userPrincipalName"]
            deleted = self.now().strftime("%Y-%m-%dT%H:%M:%SZ")
            self.desk.bin[anchor] = {**person, "userPrincipalName": mangled, "deletedDateTime": deleted}
        self.log.append((anchor, reason))

    def befall(self, what: str, details: dict[str, Any]) -> None:
        """Let the next call about people meet a misfortune, whatever it asks for."""
        self.next_answers.append(lambda request: MISFORTUNES[what](self, request, details))

    def truth(self) -> dict[str, dict[str, Any]]:
        """Everybody as they are, by id, without the id."""
        return {
            anchor: {name: value for name, value in person.items() if name != "id" and name[0] != "_"}
            for anchor, person in self.people.items()
        }

    # -- The wire --------------------------------------------------------------------------------------------------

    def transport(self, _: str = "") -> httpx2.BaseTransport:
        return httpx2.MockTransport(self._answer)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        origin = f"{request.url.scheme}://{request.url.host}"
        if origin == LOGIN:
            return self._login(request)
        assert origin == GRAPH, f"a request left for {origin}"
        if request.headers.get("authorization") != f"Bearer {self._token()}":
            return _error(401, "InvalidAuthenticationToken")
        if self.next_answers and request.url.path.startswith("/v1.0/users"):
            return self.next_answers.pop(0)(request)
        return self.answer(request)

    def _login(self, request: httpx2.Request) -> httpx2.Response:
        tenant = request.url.path.split("/")[1]
        if tenant not in (TENANT, DOMAIN):
            return _aadsts(400, 90002, "invalid_tenant")
        if request.method == "GET":
            here = f"{LOGIN}/{TENANT}"
            return _json(
                200,
                {
                    "issuer": f"{here}/v2.0",
                    "authorization_endpoint": f"{here}/oauth2/v2.0/authorize",
                    "token_endpoint": f"{here}/oauth2/v2.0/token",
                },
            )
        form = parse_qs(request.content.decode())
        if form["client_secret"] != [self.secret]:
            return _aadsts(401, 7000215, "invalid_client")
        return _json(200, {"token_type": "Bearer", "expires_in": 3599, "access_token": self._token()})

    def _token(self) -> str:
        claims = {"roles": ROLES, "wids": self.wids, "tid": TENANT, "appid": CLIENT}
        return jwt.encode(claims, "k" * 32, algorithm="HS256")

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path.removeprefix("/v1.0")
        query = {name: values[0] for name, values in parse_qs(request.url.query.decode()).items()}
        if path == "/users" and request.method == "POST":
            return self._create(json.loads(request.content))
        if (
            path == "/$batch"
            or request.method in ("PATCH", "PUT", "DELETE")
            or path.startswith((BIN, "/groups/"))
            or (self.desk.seats and path == "/subscribedSkus")
        ):
            return self.desk.answer(request)
        if path in KNOWN:
            return _json(200, {"value": [KNOWN[path]]})
        routes = {"/users/delta": self._delta, "/users": self._filtered}
        if path in routes:
            return routes[path](query)
        if path.startswith("/users/") and "$" not in path:
            return self._one(path.removeprefix("/users/"), query)
        return _error(403, "Authorization_RequestDenied")

    # -- Single people ---------------------------------------------------------------------------------------------

    def _create(self, body: dict[str, Any]) -> httpx2.Response:
        if any(each["userPrincipalName"] == body["userPrincipalName"] for each in self.people.values()):
            detail = {"code": "ObjectConflict", "target": "userPrincipalName"}
            return _error(400, "Request_BadRequest", details=[detail])
        anchor = self.add(**{name: value for name, value in body.items() if name != "passwordProfile"})
        if "lost_answer" not in self.spare:
            self.deeds["lost_answer"] += 1
            raise httpx2.ReadError("the answer got lost after the person was created")
        return _json(201, {"id": anchor, **body})

    def _one(self, anchor: str, query: dict[str, str]) -> httpx2.Response:
        person = self.people.get(anchor)
        if person is None:
            return _error(404, "Request_ResourceNotFound")
        if person["_visible"] > self.now() and "late_404" not in self.spare:
            self.deeds["late_404"] += 1
            return _error(404, "Request_ResourceNotFound")
        return _json(200, {"@odata.context": f"{GRAPH}/v1.0/$metadata#users/$entity", **_chosen(person, query)})

    def _filtered(self, query: dict[str, str]) -> httpx2.Response:
        name, _, literal = query["$filter"].partition(" eq ")
        wanted = literal.removeprefix("'").removesuffix("'").replace("''", "'")
        holder, _, inner = name.partition("/")
        found = [
            each
            for each in self.people.values()
            if ((each.get(holder) or {}).get(inner) if inner else each.get(name)) == wanted
            and each["_visible"] <= self.now()
        ]
        return _json(200, {"value": [_chosen(person, query) for person in found[: int(query.get("$top", "100"))]]})

    # -- Walks -----------------------------------------------------------------------------------------------------

    def _delta(self, query: dict[str, str]) -> httpx2.Response:
        if "$skiptoken" in query:
            number, page = map(int, query["$skiptoken"].split("."))
            return self._page(number, page)
        if "$deltatoken" in query:
            select, since = query["$deltatoken"].split("!")
            number = self._begin(int(select), since=int(since))
        else:
            self.selects[len(self.selects)] = query["$select"].split(",")
            number = self._begin(len(self.selects) - 1, since=None)
        return self._page(number, 0)

    def _begin(self, select: int, since: int | None) -> int:
        names = self.selects[select]
        items = self._everybody(names) if since is None else self._changed(names, since)
        self.chance.shuffle(items)
        if items:
            items = self._with_stale_sights(items)
        pages = [items[at : at + PAGE] for at in range(0, len(items), PAGE)] or [[]]
        middle = len(pages) // 2
        if "empty_page" not in self.spare:
            pages.insert(middle, [])
        if "replay" not in self.spare:
            pages.insert(middle + 1, deepcopy(pages[middle + 1] if len(pages) > middle + 1 else pages[0]))
        # Whoever starts over because of the 410 has met it; the walk after a finished one meets it anew.
        last = self.walks[-1].done if self.walks else {"finished"}
        paid = set() if "finished" in last else last & {"gone"}
        self.walks.append(
            Walk(pages, select, len(self.log), self._anywhere(pages), self._anywhere(pages), middle, middle + 1, paid)
        )
        return len(self.walks) - 1

    def _anywhere(self, pages: list[list[dict[str, Any]]]) -> int:
        """A page that has one after it, since only those carry a nextLink; the first when there is but one."""
        return self.chance.randrange(max(1, len(pages) - 1))

    def _everybody(self, names: list[str]) -> list[dict[str, Any]]:
        return [_named(person, names) for person in self.people.values()]

    def _changed(self, names: list[str], since: int) -> list[dict[str, Any]]:
        latest = dict(self.log[since:])
        return [
            _named(self.people[anchor], names)
            if anchor in self.people
            else {"id": anchor, "@removed": {"reason": reason}}
            for anchor, reason in latest.items()
        ]

    def _with_stale_sights(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Let one person be seen three times, each sight less stale than the one before, and one in two parts."""
        whole = [item for item in items if "@removed" not in item]
        if whole and "partial_item" not in self.spare:
            self.deeds["partial_item"] += 1
            true = whole[0]
            items[items.index(true)] = {**true, "department": "before it was mended"}
            items.append({"id": true["id"], "department": true.get("department")})
        if whole and "three_times" not in self.spare:
            self.deeds["three_times"] += 1
            true = whole[-1]
            older = [{**true, "surname": f"{age} behind the truth", "accountEnabled": False} for age in (2, 1)]
            at = self.chance.randint(0, max(i for i, item in enumerate(items) if item["id"] == true["id"]))
            items[at:at] = older[1:]
            items[at // 2 : at // 2] = older[:1]
        return items

    def _page(self, number: int, page: int) -> httpx2.Response:
        walk = self.walks[number]
        if page == walk.gone_at and self._does(walk, "gone"):
            return _error(410, "resyncRequired", headers={"Location": f"{GRAPH}/v1.0/users/delta?$deltatoken="})
        body: dict[str, Any] = {"@odata.context": f"{GRAPH}/v1.0/$metadata#users", "value": walk.pages[page]}
        if page + 1 < len(walk.pages):
            self._count(walk, page)
            foreign = page == walk.foreign_at and self._does(walk, "foreign_link")
            here = EVIL if foreign else GRAPH
            body["@odata.nextLink"] = f"{here}/v1.0/users/delta?$skiptoken={number}.{page + 1}"
        else:
            walk.done.add("finished")
            token = quote(f"{walk.select}!{walk.upto}")
            body["@odata.deltaLink"] = f"{GRAPH}/v1.0/users/delta?$deltatoken={token}"
        return _json(200, body)

    def _count(self, walk: Walk, page: int) -> None:
        if page == walk.empty_at and not walk.pages[page]:
            self.deeds["empty_page"] += 1
        if page == walk.replay_at and walk.pages[page] and walk.pages[page] == walk.pages[page + 1]:
            self.deeds["replay"] += 1

    def _does(self, walk: Walk, deed: str) -> bool:
        if deed in self.spare or deed in walk.done:
            return False
        walk.done.add(deed)
        self.deeds[deed] += 1
        return True


Misfortune = Callable[[UnrulyGraph, httpx2.Request, dict[str, Any]], httpx2.Response]


def _linked(fake: UnrulyGraph, request: httpx2.Request, link: str) -> httpx2.Response:
    body = fake.answer(request).json()
    body.pop("@odata.deltaLink", None)
    return _json(200, {**body, "@odata.nextLink": link})


def _truncated(fake: UnrulyGraph, request: httpx2.Request, details: dict[str, Any]) -> httpx2.Response:
    whole = fake.answer(request)
    return httpx2.Response(200, headers=whole.headers, content=whole.content[: details.get("bytes", 400)])


def _oversized(fake: UnrulyGraph, request: httpx2.Request, details: dict[str, Any]) -> httpx2.Response:
    whole = fake.answer(request)
    padding = b" " * (details["megabytes"] * 1024 * 1024)
    return httpx2.Response(200, headers={"Content-Type": "application/json"}, content=whole.content + padding)


MISFORTUNES: dict[str, Misfortune] = {
    "throttle": lambda fake, request, details: _error(
        429, "TooManyRequests", headers={"Retry-After": str(details["retry_after"])}
    ),
    "status": lambda fake, request, details: _error(details["status"], details.get("code", "UnknownError")),
    "stale_token": lambda fake, request, details: _error(details["status"], details["code"]),
    "gone": lambda fake, request, details: _error(410, "resyncRequired", headers={"Location": f"{GRAPH}/v1.0/users"}),
    "expired_token": lambda fake, request, details: _error(401, "InvalidAuthenticationToken"),
    "html": lambda fake, request, details: httpx2.Response(
        200, headers={"Content-Type": "text/html"}, content=b"<h1>Sign in to the guest network</h1>"
    ),
    "empty": lambda fake, request, details: httpx2.Response(200, headers={"Content-Type": "application/json"}),
    "somebody_else": lambda fake, request, details: _json(200, {**fake.answer(request).json(), "id": str(UUID(int=1))}),
    "content_type": lambda fake, request, details: httpx2.Response(
        200, headers={"Content-Type": "text/plain"}, content=fake.answer(request).content
    ),
    "truncated": _truncated,
    "oversized": _oversized,
    "foreign_link": lambda fake, request, details: _linked(
        fake, request, f"https://{details['host']}/v1.0/users/delta"
    ),
    "loop_link": lambda fake, request, details: _linked(fake, request, str(request.url)),
}


def _named(person: dict[str, Any], names: list[str]) -> dict[str, Any]:
    return {"id": person["id"], **{name: deepcopy(person.get(name)) for name in names if name != "id"}}


def _chosen(person: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
    return _named(person, query["$select"].split(","))


def _json(status: int, body: Any, headers: dict[str, str] | None = None) -> httpx2.Response:
    kind = {"Content-Type": "application/json;odata.metadata=minimal;charset=utf-8"}
    return httpx2.Response(status, headers={**kind, **(headers or {})}, content=json.dumps(body).encode())


def _error(status: int, code: str, *, headers: dict[str, str] | None = None, **more: Any) -> httpx2.Response:
    return _json(status, {"error": {"code": code, "message": "…", **more}}, headers)


def _aadsts(status: int, number: int, error: str) -> httpx2.Response:
    body = {"error": error, "error_description": f"AADSTS{number}: …", "error_codes": [number], "trace_id": "t"}
    return _json(status, body)
