"""Settings are read once, refused at the door, and never show a secret."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy.engine import make_url

from provision.config import Settings
from provision.db import Database


def settings(**given: Any) -> Settings:
    return Settings(_env_file=None, **given)


def test_without_any_setting_it_runs_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PROVISION_DATA_DIR", "PROVISION_DATABASE_URL", "PROVISION_PUBLIC_URL"):
        monkeypatch.delenv(name, raising=False)
    plain = settings()
    assert make_url(plain.database).database == str(Path("data").resolve() / "provision.db")
    assert not plain.secure


@pytest.mark.parametrize("name", ["Größe & Co.", "what?", "50%25 #1", "a:b@c"])
def test_the_database_lies_in_the_data_directory_whatever_that_is_called(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    database = Database(settings(data_dir=folder, database_url="").database, lock_dir=folder)
    database.migrate()
    database.close()
    assert (folder / "provision.db").is_file()
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_the_environment_is_read_by_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROVISION_PUBLIC_URL", "https://provision.example.com/")
    assert settings().public_url == "https://provision.example.com"
    assert settings().secure


@pytest.mark.parametrize("name", ["DATA_DIR", "PUBLIC_URL", "CUSTOM_CA_BUNDLE", "MICROSOFT_CERTIFICATE", "LOG_LEVEL"])
def test_an_empty_setting_is_not_set(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv(f"PROVISION_{name}", raising=False)
    unset = settings()
    monkeypatch.setenv(f"PROVISION_{name}", "")
    assert settings() == unset


@pytest.mark.parametrize(
    "url",
    ["provision.example.com", "ftp://x.example", "http://provision.example.com", "http://10.0.0.1:8000", "https://"],
)
def test_an_address_that_would_send_cookies_in_the_open_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="PROVISION_PUBLIC_URL"):
        settings(public_url=url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://localhost", "http://[::1]:9", "https://a.example"])
def test_this_machine_and_https_are_fine(url: str) -> None:
    assert settings(public_url=url).public_url == url


@pytest.mark.parametrize("name", ["custom_login_url", "custom_graph_url"])
def test_a_cloud_of_ones_own_needs_https(name: str) -> None:
    with pytest.raises(ValidationError, match=f"PROVISION_{name.upper()}"):
        settings(**{name: "http://graph.example"})


def test_secrets_do_not_show() -> None:
    shown = repr(settings(microsoft_client_secret="swordfish", keys="k:swordfish", smtp_url="smtp://u:swordfish@h"))
    assert "swordfish" not in shown


def test_settings_do_not_change_but_can_be_derived() -> None:
    first = settings(session_hours=4)
    with pytest.raises(ValidationError):
        first.session_hours = 5  # type: ignore[misc]
    assert first.changed(session_hours=5).session_hours == 5
    with pytest.raises(ValidationError):
        first.changed(public_url="http://elsewhere.example")
