"""Where an app with an address of its own may lead."""

import ipaddress
import socket
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.connectors.http import FREE_BODY_LIMIT, FREE_PATIENCE, Cloud, Wire, World
from provision.connectors.reach import Reach, is_public, networks
from provision.core.ports import Unreachable
from tests.fakes.grounds import Listener

PUBLIC = "93.184.215.14"


def resolving(*addresses: str, **names: str) -> Any:
    """A resolver that answers with these."""

    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (each, port)) for each in addresses]

    return resolve


def wire(url: str, reach: Reach, answer: Any = None) -> tuple[Wire, list[httpx2.Request]]:
    asked: list[httpx2.Request] = []
    answer = answer or (lambda _: httpx2.Response(200, json={}))
    transport = httpx2.MockTransport(lambda request: asked.append(request) or answer(request))
    cloud = Cloud("scim", url, url, transport=lambda _: transport)
    return Wire(url, cloud, World(clouds={}, reach=reach), reach), asked


INTERNAL = [
    "127.0.0.1", "127.1.2.3", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
    "224.0.0.1", "255.255.255.255", "198.18.0.1", "::1", "::", "fe80::1", "fd00::1", "::ffff:127.0.0.1",
    "::ffff:169.254.169.254", "64:ff9b::7f00:1", "2002:7f00:1::", "ff02::1",
]  # fmt: skip


@pytest.mark.parametrize("address", INTERNAL)
def test_no_internal_address_is_public_however_it_is_wrapped(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", [PUBLIC, "8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
def test_what_lies_in_the_open_internet_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", INTERNAL)
def test_a_name_that_leads_inside_gets_no_connection(address: str) -> None:
    line, asked = wire("https://app.example/scim", Reach(resolve=resolving(address)))
    with pytest.raises(Unreachable) as raised:
        line.send("GET", "https://app.example/scim/Users", template="/Users")
    assert (raised.value.code, raised.value.sent) == ("address_not_allowed", False)
    assert asked == []


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "0.0.0.0", "2130706433", "0x7f.1", "localhost", "127.1"])
def test_spellings_of_this_machine_are_seen_through_and_nobody_knocks(host: str) -> None:
    listener = Listener()
    port = listener.host.rpartition(":")[2]
    url = f"https://{host}:{port}"
    line = Wire(url, Cloud("scim", url, url), World(clouds={}), Reach())
    with pytest.raises(Unreachable) as raised:
        line.send("GET", url, template="/")
    assert raised.value.code in ("address_not_allowed", "host_unreachable")
    assert listener.knocks() == 0
    listener.close()


def test_one_internal_address_among_public_ones_is_enough_to_refuse() -> None:
    line, asked = wire("https://app.example", Reach(resolve=resolving(PUBLIC, "10.0.0.7")))
    with pytest.raises(Unreachable):
        line.send("GET", "https://app.example/Users", template="/Users")
    assert asked == []


def test_a_name_that_changes_its_mind_is_judged_anew_before_every_call() -> None:
    answers = [[PUBLIC], ["169.254.169.254"]]

    def rebinding(host: str, port: int, **_: Any) -> list[Any]:
        return resolving(*answers.pop(0))(host, port)

    line, asked = wire("https://app.example", Reach(resolve=rebinding))
    line.send("GET", "https://app.example/Users", template="/Users")
    with pytest.raises(Unreachable):
        line.send("GET", "https://app.example/Users", template="/Users")
    assert [request.url.host for request in asked] == [PUBLIC]


def test_the_judged_address_is_connected_to_under_the_name_that_was_typed() -> None:
    line, asked = wire("https://app.example:8443/scim", Reach(resolve=resolving(PUBLIC)))
    line.send("GET", "https://app.example:8443/scim/Users?a=b", template="/Users")
    (request,) = asked
    assert str(request.url) == f"https://{PUBLIC}:8443/scim/Users?a=b"
    assert request.headers["host"] == "app.example:8443"
    assert request.extensions["sni_hostname"] == "app.example"


def test_plain_http_is_for_this_machine_only_and_only_where_it_is_allowed() -> None:
    inside = networks(["127.0.0.0/8", "10.0.0.0/8"])
    for address, allowed, code in (
        ("127.0.0.1", inside, None),
        ("127.0.0.1", (), "address_not_allowed"),
        ("10.0.0.7", inside, "address_not_https"),
        (PUBLIC, inside, "address_not_allowed"),
    ):
        reach = Reach(allowed, resolving(address))
        if code is None:
            assert reach.address("http", "app.test", 8080) == address
            continue
        with pytest.raises(Unreachable) as raised:
            reach.address("http", "app.test", 8080)
        assert raised.value.code == code
    with pytest.raises(Unreachable) as raised:
        Reach(resolve=resolving(PUBLIC)).address("http", "app.test", 443)
    assert raised.value.code == "address_not_https"


def test_on_the_open_internet_only_the_ports_of_web_applications_are_knocked_at() -> None:
    reach = Reach(resolve=resolving(PUBLIC))
    assert reach.address("https", "app.example", 443) == PUBLIC
    for port in (22, 25, 3306, 6379, 11211):
        with pytest.raises(Unreachable):
            reach.address("https", "app.example", port)


def test_a_name_that_nobody_knows_is_unreachable() -> None:
    def nobody(*_: Any, **__: Any) -> Any:
        raise socket.gaierror

    with pytest.raises(Unreachable) as raised:
        Reach(resolve=nobody).address("https", "nowhere.example", 443)
    assert (raised.value.code, raised.value.sent) == ("host_unreachable", False)


def test_a_redirect_to_the_inside_is_an_answer_and_is_not_followed() -> None:
    line, asked = wire(
        "https://app.example",
        Reach(resolve=resolving(PUBLIC)),
        lambda _: httpx2.Response(302, headers={"location": "http://169.254.169.254/latest/meta-data"}),
    )
    assert line.send("GET", "https://app.example/Users", template="/Users").status == 302
    assert len(asked) == 1


def test_a_body_beyond_the_smaller_limit_is_dropped() -> None:
    line, _ = wire(
        "https://app.example",
        Reach(resolve=resolving(PUBLIC)),
        lambda _: httpx2.Response(200, content=b"x" * (FREE_BODY_LIMIT + 1)),
    )
    with pytest.raises(Unreachable) as raised:
        line.send("GET", "https://app.example/Users", template="/Users")
    assert raised.value.params["reason"] == "too_large"


def test_an_answer_may_take_ten_seconds() -> None:
    assert FREE_PATIENCE == 10


@given(st.text(max_size=40))
def test_any_host_is_judged_or_unreachable(host: str) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror

    with pytest.raises(Unreachable):
        Reach(resolve=unknown).address("https", host, 443)
