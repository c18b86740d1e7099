"""The command as scripts use it: in process, on a data directory of its own, against a sandbox tenant."""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from provision import cli
from provision.factory import doors
from provision.house import House
from provision.sandbox import Sandbox
from tests.databases import Databases
from tests.fakes.scim import ScimServer


@dataclass(frozen=True)
class Ran:
    """How a command ended: its status, what it printed, and what it said on standard error."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Command = Callable[..., Ran]


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PROVISION_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("PROVISION_LOG_LEVEL", "error")
    return tmp_path / "data"


@pytest.fixture
def provision(
    data_dir: Path, database_url: str, databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Command]:
    monkeypatch.setenv("PROVISION_DATABASE_URL", database_url)
    before = logging.getLogger().handlers[:]

    def open_house(**changed: Any) -> House:
        house = doors().open_house(**changed)
        databases.remind(house.db)
        return house

    def run(*arguments: str, stdin: str = "") -> Ran:
        lent = replace(doors(), open_house=open_house)
        result = CliRunner().invoke(cli.provision, arguments, input=stdin, obj=lent, prog_name="provision")
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)

    yield run
    logging.getLogger().handlers[:] = before


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScimServer]:
    """An application in the own network, as a second target."""
    monkeypatch.setenv("PROVISION_PRIVATE_NETWORKS", "127.0.0.0/8")
    server = ScimServer()
    yield server
    server.close()


@pytest.fixture
def sandbox(data_dir: Path) -> Sandbox:
    sandbox = Sandbox(data_dir / "sandbox.db", users=40)
    sandbox.grant_consent()
    return sandbox


@pytest.fixture
def connected(provision: Command, sandbox: Sandbox) -> Command:
    """A tenant whose app is connected, Import switched on."""
    assert provision("tenant", "add", "contoso", "--name", "Contoso").status == 0
    added = provision(
        "app", "add", "contoso", "microsoft365", "--name", "M365", "--domain", "fjordvik.example", "--cloud", "sandbox"
    )
    assert added.status == 0, added.err
    assert provision("app", "features", "contoso", "M365", "--import").status == 0
    return provision
