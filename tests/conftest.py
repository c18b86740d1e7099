"""What most tests stand on: a clock that stands still, a migrated database, a house, an application and the cast.

The database is SQLite in the test's own folder, or, with TEST_DATABASE_URL (postgresql+psycopg://…), one database per
test on that server, copied from a migrated template.
"""

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.engine import make_url
from sqlmodel import Session

from provision.config import Settings
from provision.db import Database
from provision.factory import create_app, open_house
from provision.house import House
from provision.services import operators
from tests.cast import Browser, Cast, Clock, assemble

SERVER = os.environ.get("TEST_DATABASE_URL", "")


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2026, 11, 23, 9, 30, tzinfo=UTC))


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An empty database with all tables: a file to copy, or the name of a template on the server."""
    if not SERVER:
        folder = tmp_path_factory.mktemp("template")
        file = folder / "provision.db"
        _migrate(f"sqlite:///{file}", folder)
        yield str(file)
        return
    name = f"provision_template_{secrets.token_hex(4)}"
    _on_server(f'CREATE DATABASE "{name}"')
    _migrate(_url_of(name), tmp_path_factory.mktemp("template"))
    yield name
    _on_server(f'DROP DATABASE "{name}"')


@pytest.fixture
def database_url(migrated: str, tmp_path: Path) -> Iterator[str]:
    """A migrated, empty database of the test's own."""
    if not SERVER:
        (tmp_path / "data").mkdir(mode=0o700)
        shutil.copy(migrated, tmp_path / "data" / "provision.db")
        yield f"sqlite:///{tmp_path / 'data' / 'provision.db'}"
        return
    name = f"provision_{secrets.token_hex(6)}"
    _on_server(f'CREATE DATABASE "{name}" TEMPLATE "{migrated}"')
    yield _url_of(name)
    _on_server(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(_env_file=None, data_dir=tmp_path / "data", database_url=database_url)  # type: ignore[call-arg]


@pytest.fixture
def house(settings: Settings, clock: Clock) -> Iterator[House]:
    house = open_house(settings, now=clock)
    yield house
    house.db.close()


@pytest.fixture
def app(house: House) -> Flask:
    app = create_app(house=house)
    app.testing = True
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


def _migrate(url: str, folder: Path) -> None:
    database = Database(url, lock_dir=folder)
    database.migrate()
    database.close()


def _on_server(statement: str) -> None:
    engine = sa.create_engine(SERVER, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)


def _url_of(name: str) -> str:
    return make_url(SERVER).set(database=name).render_as_string(hide_password=False)
