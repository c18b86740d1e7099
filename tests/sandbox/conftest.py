"""What the sandbox's tests stand on: a small directory in the test's own folder and somebody who calls it."""

import shutil
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from provision.sandbox import PERMISSIONS, Fault, Faults, Sandbox
from provision.sandbox.serve import Server, tls_context
from tests.cast import Clock

NEW = {
    "accountEnabled": True,
    "displayName": "Nélida Ødegård",
    "mailNickname": "nelida",
    "userPrincipalName": "nelida@fjordvik.example",
    "passwordProfile": {"password": "Korrekt-Horse-9", "forceChangePasswordNextSignIn": False},
    "usageLocation": "NO",
}


@dataclass
class Caller:
    """A client app with a token; paths are those of Graph, without host and version."""

    sandbox: Sandbox
    client: httpx2.Client
    token: str = ""

    def sign_in(self) -> "Caller":
        """Fetch a fresh token, so that roles granted meanwhile are in it."""
        self.token = self.ask_for_token().json()["access_token"]
        return self

    def ask_for_token(self, **form: str) -> httpx2.Response:
        known = self.sandbox.credentials()
        usual = {
            "grant_type": "client_credentials",
            "client_id": known["client_id"],
            "client_secret": known["client_secret"],
            "scope": f"{known['graph_url']}/.default",
        }
        sent = {name: value for name, value in (usual | form).items() if value}
        return self.client.post(f"{known['login_url']}/{known['tenant']}/oauth2/v2.0/token", data=sent)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        """Call Graph; `headers` are written with underscores. A full link is called as it is."""
        url = path if path.startswith("https://") else f"{self.sandbox.cloud.graph_url}/v1.0{path}"
        sent = {"Authorization": f"Bearer {self.token}"} | {n.replace("_", "-"): v for n, v in headers.items()}
        return self.client.request(method, url, json=body, headers=sent)

    def get(self, path: str, **headers: str) -> Any:
        """Return the JSON of a successful GET."""
        answer = self.call("GET", path, **headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refusal(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, str]:
        """Return status and code of a refused call."""
        answer = self.call(method, path, body, **headers)
        return answer.status_code, answer.json()["error"]["code"]

    def create(self, **different: Any) -> dict[str, Any]:
        """Create a person and return the answer's body."""
        answer = self.call("POST", "/users", NEW | different)
        assert answer.status_code == 201, answer.text
        created: dict[str, Any] = answer.json()
        return created

    def walk(self, path: str, **headers: str) -> tuple[list[dict[str, Any]], str]:
        """Follow a delta walk to its end; return all items and the deltaLink."""
        items: list[dict[str, Any]] = []
        while True:
            page = self.get(path, **headers)
            items += page["value"]
            if "@odata.deltaLink" in page:
                return items, page["@odata.deltaLink"]
            path = page["@odata.nextLink"]

    def person(self, accepts: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Return the first person of the directory who fits, with what the tests tell people apart by."""
        names = "id,displayName,userPrincipalName,accountEnabled,onPremisesSyncEnabled,userType,assignedLicenses"
        people = self.get(f"/users?$top=999&$select={names},usageLocation,department,mail,proxyAddresses")["value"]
        return next(person for person in people if accepts(person))

    def role_holder(self, role: str) -> dict[str, Any]:
        roles = {item["displayName"]: item["id"] for item in self.get("/directoryRoles")["value"]}
        holder: dict[str, Any] = self.get(f"/directoryRoles/{roles[role]}/members")["value"][0]
        return holder


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of sixty people, made once and copied by whoever wants to change it."""
    path = tmp_path_factory.mktemp("seeded") / "sandbox.db"
    Sandbox(path).close()
    return path


@pytest.fixture
def sandbox(tmp_path: Path, seeded: Path, clock: Clock) -> Iterator[Sandbox]:
    """A directory of sixty people whose registration is known and not yet consented to."""
    shutil.copy(seeded, tmp_path / "sandbox.db")
    sandbox = Sandbox(tmp_path / "sandbox.db", now=clock)
    yield sandbox
    sandbox.close()


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[httpx2.Client]:
    with httpx2.Client(transport=httpx2.WSGITransport(app=sandbox.wsgi)) as client:
        yield client


@pytest.fixture
def stranger(sandbox: Sandbox, client: httpx2.Client) -> Caller:
    """A client app nobody has consented to."""
    return Caller(sandbox, client)


@pytest.fixture
def graph(sandbox: Sandbox, stranger: Caller) -> Caller:
    """A client app with everything its registration asks for and the role User Administrator."""
    sandbox.grant_consent([*PERMISSIONS, "Group.ReadWrite.All"])
    sandbox.assign_role("User Administrator")
    return stranger.sign_in()


@pytest.fixture
def faults(sandbox: Sandbox) -> Faults:
    return sandbox.faults


@pytest.fixture
def served(sandbox: Sandbox, tmp_path: Path) -> Iterator[tuple[Sandbox, ssl.SSLContext]]:
    """The same sandbox on a port of its own over TLS, and a context that trusts it."""
    server = Server("127.0.0.1", 0, tls_context("127.0.0.1", tmp_path / "tls"))
    public = Sandbox(
        sandbox.store.path, now=sandbox.cloud.now, faults=sandbox.faults, login_url=server.url, graph_url=server.url
    )
    server.application = public.wsgi
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield public, ssl.create_default_context(cafile=str(tmp_path / "tls" / "ca.pem"))
    server.shutdown()
    thread.join()
    server.server_close()
    public.close()


def strike(kind: str, path: str = "/v1.0/*", **different: Any) -> Fault:
    """A fault on Graph paths, with its details beside the usual fields."""
    fields = {
        name: different.pop(name) for name in ("method", "skip", "times", "probability", "seed") if name in different
    }
    return Fault(kind, path=path, details=different, **fields)
