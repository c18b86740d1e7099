"""What most tests stand on: a clock that stands still, a migrated database, a house, an application and the cast.

The database is SQLite in the test's own folder or, with TEST_DATABASE_URL (postgresql+psycopg://…), one on that server.
"""

import functools
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog
from flask import Flask
from hypothesis import HealthCheck
from hypothesis import settings as examples
from jinja2 import FileSystemBytecodeCache
from sqlmodel import Session
from werkzeug.routing import Rule

from provision.config import Settings
from provision.factory import create_app, open_house
from provision.house import House
from provision.sandbox import seed
from provision.services import operators
from tests.cast import Browser, Cast, Clock, assemble
from tests.databases import Databases, Hasty, patient
from tests.databases import databases as make_databases

# No property fails because the machine is busy. What else is usual stays, on a build machine its fixed examples too.
examples.register_profile("calm", deadline=None, suppress_health_check=[HealthCheck.too_slow])
examples.load_profile("calm")


@pytest.fixture(scope="session", autouse=True)
def hasty() -> Iterator[None]:
    """No test waits for the disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sqlite3.connect", functools.partial(patient, factory=Hasty))
        patch.setattr("sqlite3.dbapi2.connect", functools.partial(patient, factory=Hasty))
        yield


@pytest.fixture(scope="session", autouse=True)
def mapped() -> Iterator[None]:
    """Each test has an application of its own, the addresses are the same: how one is built is compiled once."""
    known: dict[tuple[object, ...], Callable[..., tuple[str, str]]] = {}
    compiling = Rule._compile_builder

    def _compile_builder(rule: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        if rule.defaults:
            return compiling(rule, append_unknown)
        key = (rule.rule, *rule._trace, append_unknown)
        if key not in known:
            known[key] = compiling(rule, append_unknown)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rule, "_compile_builder", _compile_builder)
        yield


@pytest.fixture(scope="session", autouse=True)
def signed() -> Iterator[None]:
    """The sandboxes of a whole run sign their tokens with one key: making and checking it takes a tenth of a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seed, "token_key", functools.cache(seed.token_key))
        yield


@pytest.fixture(autouse=True)
def loud() -> Iterator[None]:
    """What one test's command did to the log is none of the next one's affair."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2026, 11, 23, 9, 30, tzinfo=UTC))


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """Where migrated, empty databases come from."""
    here = make_databases(tmp_path_factory.mktemp("template"))
    yield here
    here.close()


@pytest.fixture(scope="session")
def migrated(databases: Databases) -> str:
    """An empty database with all tables, to be copied: a file's path, or the name of a template on the server."""
    return databases.template


@pytest.fixture
def database_url(databases: Databases, tmp_path: Path) -> Iterator[str]:
    """A migrated, empty database for this test alone."""
    (tmp_path / "data").mkdir(mode=0o700)
    yield databases.lend(tmp_path / "data")
    databases.take_back()


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(_env_file=None, data_dir=tmp_path / "data", database_url=database_url)  # type: ignore[call-arg]


@pytest.fixture
def house(settings: Settings, clock: Clock, databases: Databases) -> Iterator[House]:
    house = open_house(settings, now=clock)
    databases.remind(house.db)
    yield house
    house.db.close()


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> FileSystemBytecodeCache:
    """Where templates lie once they are compiled: each test has an application of its own, the templates are the same."""
    return FileSystemBytecodeCache(str(tmp_path_factory.mktemp("compiled")))


@pytest.fixture
def app(house: House, compiled: FileSystemBytecodeCache) -> Flask:
    app = create_app(house=house)
    app.testing = True
    app.jinja_env.bytecode_cache = compiled
    return app


@pytest.fixture
def session(house: House, cast: Cast) -> Iterator[Session]:
    """A writing transaction that commits when the test ends; tests that need it committed use ``house.db.writing()``."""
    with house.db.writing() as session:
        yield session


@pytest.fixture
def cast(house: House, clock: Clock) -> Cast:
    with house.db.writing() as session:
        return assemble(session, clock())


@pytest.fixture
def browser(app: Flask) -> Browser:
    """A browser in which nobody is signed in."""
    return Browser(app)


@pytest.fixture
def enter(app: Flask, house: House, clock: Clock) -> Callable[[int], Browser]:
    """Sign an operator in without a password: ``enter(cast.ada)`` is Ada's browser."""

    def _enter(operator_id: int) -> Browser:
        with house.db.writing() as session:
            token = operators.start(session, operator_id, secrets.token_bytes(32), clock())
        return Browser(app).sign_in(token)

    return _enter


@pytest.fixture
def ada(enter: Callable[[int], Browser], cast: Cast) -> Browser:
    """Ada's browser: owner of Contoso."""
    return enter(cast.ada)
