"""Sealed values open in their own place, with their own keys, and nowhere else."""

import base64
import os
from pathlib import Path

import pytest

from provision.vault import Vault, VaultError, keys_from_file, read_keys

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
PLACE = {"table": "connectors", "row": 7, "column": "secret", "tenant": 3}


def test_what_is_sealed_opens_in_its_place() -> None:
    vault = Vault({"a": OLD})
    assert vault.open(vault.seal(b"swordfish", **PLACE), **PLACE) == b"swordfish"  # type: ignore[arg-type]


def test_the_same_secret_never_looks_the_same() -> None:
    vault = Vault({"a": OLD})
    sealed = {vault.seal(b"swordfish", **PLACE) for _ in range(50)}  # type: ignore[arg-type]
    assert len(sealed) == 50
    assert not any(b"swordfish" in one for one in sealed)


@pytest.mark.parametrize("moved", [{"table": "users"}, {"row": 8}, {"column": "config"}, {"tenant": 4}])
def test_a_value_moved_elsewhere_does_not_open(moved: dict[str, object]) -> None:
    vault = Vault({"a": OLD})
    sealed = vault.seal(b"swordfish", **PLACE)  # type: ignore[arg-type]
    with pytest.raises(VaultError):
        vault.open(sealed, **{**PLACE, **moved})  # type: ignore[arg-type]


def test_a_value_changed_in_any_byte_does_not_open() -> None:
    vault = Vault({"a": OLD})
    sealed = vault.seal(b"swordfish", **PLACE)  # type: ignore[arg-type]
    for index in range(len(sealed)):
        broken = sealed[:index] + bytes([sealed[index] ^ 1]) + sealed[index + 1 :]
        with pytest.raises(VaultError):
            vault.open(broken, **PLACE)  # type: ignore[arg-type]
    for length in range(len(sealed)):
        with pytest.raises(VaultError):
            vault.open(sealed[:length], **PLACE)  # type: ignore[arg-type]


def test_a_new_key_seals_and_the_old_one_still_opens() -> None:
    before = Vault({"old": OLD}).seal(b"swordfish", **PLACE)  # type: ignore[arg-type]
    both = Vault({"new": NEW, "old": OLD})
    assert both.open(before, **PLACE) == b"swordfish"  # type: ignore[arg-type]
    after = both.seal(b"swordfish", **PLACE)  # type: ignore[arg-type]
    assert Vault({"new": NEW}).open(after, **PLACE) == b"swordfish"  # type: ignore[arg-type]
    with pytest.raises(VaultError):
        Vault({"old": OLD}).open(after, **PLACE)  # type: ignore[arg-type]


def test_keys_for_different_purposes_tell_nothing_of_each_other() -> None:
    vault = Vault({"a": OLD})
    assert vault.derived("cookies") == vault.derived("cookies")
    assert len({vault.derived("cookies"), vault.derived("links"), OLD}) == 3
    assert Vault({"a": NEW}).derived("cookies") != vault.derived("cookies")


def test_nothing_of_a_key_shows() -> None:
    assert repr(Vault({"a": OLD, "b": NEW})) == "Vault(a, b)"


@pytest.mark.parametrize("ring", [{}, {"a": b"short"}, {"": OLD}, {"x" * 256: OLD}])
def test_a_ring_that_cannot_be_used_is_refused(ring: dict[str, bytes]) -> None:
    with pytest.raises(VaultError):
        Vault(ring)


def test_a_ring_is_read_from_text_in_order() -> None:
    text = f"new:{base64.b64encode(NEW).decode()}, old:{base64.b64encode(OLD).decode()}\n"
    assert list(read_keys(text)) == ["new", "old"]


@pytest.mark.parametrize("text", ["no colon", "a:not/base64!", "a:" + "%" * 44])
def test_a_ring_that_does_not_parse_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(VaultError) as refused:
        read_keys(text)
    assert text not in str(refused.value)


def test_a_missing_ring_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "keys"
    first = keys_from_file(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert keys_from_file(path) == first
    assert [file.name for file in path.parent.iterdir()] == ["keys"]


def test_a_ring_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    keys_from_file(path)
    os.chmod(path, 0o640)
    with pytest.raises(VaultError, match="chmod 600"):
        keys_from_file(path)
