"""The sandbox over TLS: MSAL, kept-alive connections, dying connections, an orderly end."""

import http.client
import json
import signal
import ssl
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import msal
import pytest

from provision.sandbox import Faults, Sandbox
from tests.processes import PATIENCE, Program
from tests.sandbox.conftest import NEW, Caller, strike

Served = tuple[Sandbox, ssl.SSLContext]

SERVE = """
import json, sys
from provision.sandbox.serve import serve

serve(
    sys.argv[1] + "/sandbox.db", tls_dir=sys.argv[1] + "/tls", users=20, faults_file=sys.argv[1] + "/faults.json",
    ready=lambda url, known: print(json.dumps(known), flush=True),
)
print("ended", flush=True)
"""


@pytest.fixture
def https(served: Served) -> Caller:
    sandbox, context = served
    sandbox.grant_consent()
    sandbox.assign_role("User Administrator")
    with httpx2.Client(verify=context, trust_env=False, timeout=PATIENCE) as client:
        yield Caller(sandbox, client).sign_in()


def connect(served: Served) -> http.client.HTTPSConnection:
    sandbox, context = served
    parts = urlsplit(sandbox.cloud.graph_url)
    return http.client.HTTPSConnection(str(parts.hostname), parts.port, context=context, timeout=PATIENCE)


def test_msal_signs_in_unchanged(served: Served) -> None:
    sandbox, context = served
    sandbox.grant_consent()
    known = sandbox.credentials()
    with httpx2.Client(verify=context, trust_env=False, timeout=PATIENCE) as client:
        app = msal.ConfidentialClientApplication(
            known["client_id"],
            client_credential=known["client_secret"],
            authority=f"{known['login_url']}/{known['domain']}",
            instance_discovery=False,
            azure_region=False,
            http_client=client,
        )
        found = app.acquire_token_for_client([f"{known['graph_url']}/.default"])
    assert found["token_source"] == "identity_provider"


def test_the_credentials_are_told(served: Served) -> None:
    sandbox, context = served
    with httpx2.Client(verify=context, trust_env=False, timeout=PATIENCE) as client:
        told = client.get(f"{sandbox.cloud.login_url}/.well-known/sandbox.json").json()
    assert told == sandbox.credentials()
    assert set(told) == {"tenant", "domain", "client_id", "client_secret", "login_url", "graph_url"}


def test_links_lead_back_to_where_they_came_from(https: Caller) -> None:
    items, link = https.walk("/users/delta?$select=id", Prefer="odata.maxpagesize=7")
    assert len(items) == 60
    assert link.startswith(f"{https.sandbox.cloud.graph_url}/v1.0/")


def test_one_connection_carries_many_requests(served: Served, https: Caller) -> None:
    connection = connect(served)
    sockets = set()
    for method, path, body in (
        ("GET", "/v1.0/users?$top=1", None),
        ("POST", "/v1.0/users", json.dumps(NEW)),
        ("PATCH", "/v1.0/users/nelida@fjordvik.example", '{"city": "Ålesund"}'.encode()),
        ("GET", "/v1.0/users/nobody", None),
        ("DELETE", "/v1.0/users/nelida@fjordvik.example", None),
    ):
        connection.request(method, path, body, {"Authorization": f"Bearer {https.token}"})
        answer = connection.getresponse()
        answer.read()
        sockets.add(id(connection.sock))
        assert answer.version == 11
    assert len(sockets) == 1
    connection.close()


def test_a_body_may_come_in_chunks(served: Served, https: Caller) -> None:
    connection = connect(served)
    pieces = [piece.encode() for piece in (json.dumps(NEW)[:20], json.dumps(NEW)[20:])]
    headers = {"Authorization": f"Bearer {https.token}"}
    connection.request("POST", "/v1.0/users", iter(pieces), headers, encode_chunked=True)
    assert connection.getresponse().status == 201
    connection.close()


def test_a_length_that_makes_no_sense_is_refused(served: Served) -> None:
    for length, status in (("many", 400), (str(2**40), 413)):
        connection = connect(served)
        connection.putrequest("POST", "/v1.0/users")
        connection.putheader("Content-Length", length)
        connection.endheaders()
        assert connection.getresponse().status == status
        connection.close()


def test_a_lost_answer_is_a_closed_connection_and_the_write_stays(https: Caller, faults: Faults) -> None:
    faults.add(strike("drop_after", "/v1.0/users", method="POST"))
    with pytest.raises(httpx2.TransportError):
        https.call("POST", "/users", NEW)
    assert https.get("/users/nelida@fjordvik.example")["displayName"] == "Nélida Ødegård"


def test_somebody_who_does_not_trust_us_disturbs_nobody(served: Served, https: Caller) -> None:
    with httpx2.Client(trust_env=False) as distrustful, pytest.raises(httpx2.ConnectError):
        distrustful.get(served[0].cloud.graph_url)
    assert https.call("GET", "/organization").status_code == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_writes_its_authority_obeys_its_faults_and_ends_when_told(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "faults.json").write_text('{"faults": [{"kind": "html", "path": "/v1.0/domains", "times": null}]}')
    process = Program([sys.executable, "-c", SERVE, str(tmp_path)], tmp_path / "output", cwd=Path(__file__).parents[2])
    known: dict[str, Any] = json.loads(process.line("client_secret"))
    context = ssl.create_default_context(cafile=str(tmp_path / "tls" / "ca.pem"))
    with httpx2.Client(verify=context, trust_env=False, timeout=PATIENCE) as client:
        assert client.get(f"{known['login_url']}/.well-known/sandbox.json").json() == known
        sandbox = Sandbox(tmp_path / "sandbox.db", login_url=known["login_url"], graph_url=known["graph_url"])
        sandbox.grant_consent()
        answer = Caller(sandbox, client).sign_in().call("GET", "/domains")
        assert answer.headers["Content-Type"].startswith("text/html")
        sandbox.close()
        assert process.stop(number) == 0  # although somebody is still connected
    assert process.printed.endswith("ended\n")
