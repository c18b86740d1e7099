"""How a call to Graph is made."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.connectors.http import Cloud, Wire, World
from provision.connectors.microsoft365.graph import Graph
from provision.core.ports import Throttled, Unauthorised, Unreachable
from tests.fakes.grounds import MAPPED, UnrulyGround, connector

HOME = "https://graph.example"


class Issuer:
    """Hands out numbered tokens."""

    def __init__(self) -> None:
        self.issued = 1

    def get(self, *, fresh: bool = False) -> "Issuer":
        self.issued += fresh
        return self

    @property
    def value(self) -> str:
        return f"token{self.issued}"

    @property
    def roles(self) -> frozenset[str]:
        return frozenset({"User.Read.All"})


def graph(answer: Callable[[httpx2.Request], httpx2.Response]) -> tuple[Graph, list[httpx2.Request], Issuer]:
    asked: list[httpx2.Request] = []

    def remembered(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return answer(request)

    cloud = Cloud("custom", HOME, HOME, transport=lambda _: httpx2.MockTransport(remembered))
    world = World(clouds={}, sleep=lambda _: None)
    issuer = Issuer()
    return Graph(Wire(HOME, cloud, world), issuer, world), asked, issuer  # type: ignore[arg-type]


def test_a_refused_token_is_renewed_once_and_the_call_repeated_once() -> None:
    client, asked, issuer = graph(
        lambda request: httpx2.Response(200 if request.headers["authorization"] == "Bearer token2" else 401, json={})
    )
    assert client.read("/me", right="x") == {}
    assert (len(asked), issuer.issued) == (2, 2)


def test_a_token_that_stays_refused_does_not_make_a_loop() -> None:
    client, asked, _ = graph(lambda request: httpx2.Response(401))
    with pytest.raises(Unauthorised):
        client.get("/me", right="x")
    assert len(asked) == 2


@pytest.mark.parametrize("answer", [httpx2.Response(500), httpx2.Response(503), httpx2.Response(429)])
def test_a_write_is_never_repeated_by_itself(answer: httpx2.Response) -> None:
    client, asked, _ = graph(lambda request: answer)
    with pytest.raises((Unreachable, Throttled)):
        client.send("POST", "/users", b"{}", right="x")
    assert len(asked) == 1


def test_a_write_carries_its_body_and_says_what_it_is() -> None:
    client, asked, _ = graph(lambda request: httpx2.Response(204))
    assert client.send("PATCH", "/users/{id}", b'{"a":1}', right="x", id="i").status == 204
    assert (asked[0].method, asked[0].content, asked[0].headers["content-type"]) == (
        "PATCH",
        b'{"a":1}',
        "application/json",
    )


def test_an_object_is_asked_for_and_a_list_is_unexpected() -> None:
    client, _, _ = graph(lambda request: httpx2.Response(200, json=[1]))
    with pytest.raises(Unreachable):
        client.read("/me", right="x")


@given(
    st.text(st.characters(exclude_categories=("Cs",)) | st.sampled_from("./\\%?#"), min_size=1).filter(
        lambda t: t.strip(".")
    )
)
def test_no_name_or_value_breaks_out_of_its_place_in_an_address(text: str) -> None:
    client, _, _ = graph(lambda request: httpx2.Response(204))
    parts = urlsplit(client.address("/users/{id}/x", {"$filter": text}, id=text))
    assert parts.netloc == "graph.example"
    assert parts.path.count("/") == 4
    assert parse_qs(parts.query, keep_blank_values=True) == {"$filter": [text]}
    assert not parts.fragment
    assert httpx2.URL(client.address("/users/{id}/x", id=text)).path == f"/v1.0/users/{text}/x"


@pytest.mark.parametrize("name", ["", ".", "..", "..."])
def test_dots_alone_are_no_name(name: str) -> None:
    client, _, _ = graph(lambda request: httpx2.Response(204))
    with pytest.raises(ValueError, match="not a name"):
        client.address("/users/{id}", id=name)


def test_a_foreign_link_is_refused_before_a_token_is_even_asked_for() -> None:
    client, asked, _ = graph(lambda request: httpx2.Response(200))
    with pytest.raises(Unreachable) as raised:
        client.follow("https://evil.example/v1.0", template="/")
    assert (raised.value.code, asked) == ("foreign_link", [])


def test_everything_a_walk_sends_is_marked_as_able_to_wait(tmp_path: Path) -> None:
    ground = UnrulyGround(tmp_path)
    ground.calm()
    list(connector(ground).changes(MAPPED))
    walked = [request for request in ground.fake.asked if request.url.path.endswith("/users/delta")]
    assert {request.headers["x-ms-throttle-priority"] for request in walked} == {"low"}
    first, *others = walked
    assert "$select" in str(first.url)
    assert not any("select" in str(request.url) for request in others), "links are followed as they are"
