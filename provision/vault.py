"""Seal and open secrets, so that a stolen database tells nothing. Owns the key ring; never logs or compares a secret.

AES-256-GCM with a random 96-bit nonce (NIST SP 800-38D, 8.2.2); the additional data is ``table|row|column|tenant``, so a
sealed value put into another row, column or tenant does not open.
"""

import base64
import binascii
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_FORM = b"\x01"


class VaultError(Exception):
    """A key ring that cannot be used, or a sealed value that does not open here."""


class Vault:
    """The key ring. The first key seals; every key opens what it sealed."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        if not keys or any(len(key) != 32 for key in keys.values()):
            raise VaultError("the key ring needs at least one key, each of 32 bytes")
        if any(not 0 < len(name.encode()) < 256 for name in keys):
            raise VaultError("a key's id must have 1 to 255 bytes")
        self._keys = dict(keys)
        self._newest = next(iter(self._keys))

    def __repr__(self) -> str:
        return f"Vault({', '.join(self._keys)})"

    @property
    def number(self) -> int:
        """How many keys the ring holds."""
        return len(self._keys)

    @property
    def newest(self) -> str:
        """The id of the key that seals and derives now."""
        return self._newest

    def seal(self, secret: bytes, *, table: str, row: int, column: str, tenant: int) -> bytes:
        """Encrypt for one place; the row must have its id already."""
        name, nonce = self._newest.encode(), os.urandom(12)
        sealed = AESGCM(self._keys[self._newest]).encrypt(nonce, secret, _place(table, row, column, tenant))
        return _FORM + bytes([len(name)]) + name + nonce + sealed

    def open(self, sealed: bytes, *, table: str, row: int, column: str, tenant: int) -> bytes:
        """Decrypt what was sealed for this very place. Raises VaultError for anything else."""
        try:
            if sealed[:1] != _FORM:
                raise VaultError("this is not a sealed value")
            end = 2 + sealed[1]
            key = self._keys[sealed[2:end].decode()]
            return AESGCM(key).decrypt(sealed[end : end + 12], sealed[end + 12 :], _place(table, row, column, tenant))
        except (InvalidTag, KeyError, IndexError, UnicodeDecodeError, ValueError) as error:
            raise VaultError("a sealed value does not open with the keys at hand, or was moved") from error

    def derived(self, purpose: str, key_id: str | None = None) -> bytes:
        """32 bytes for one purpose, from the newest key or from the one named: HKDF-SHA256 without salt (RFC 5869).

        Raises VaultError when that key is no longer in the ring.
        """
        name = key_id or self._newest
        if name not in self._keys:
            raise VaultError("the key that this was derived from is no longer in the key ring")
        hkdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=f"provision|{purpose}".encode())
        return hkdf.derive(self._keys[name])


def read_keys(text: str) -> dict[str, bytes]:
    """Parse ``id:base64,id:base64``. Raises VaultError without repeating any of it."""
    try:
        pairs = (part.strip().split(":", 1) for part in text.replace("\n", ",").split(",") if part.strip())
        return {name: base64.b64decode(value, validate=True) for name, value in pairs}
    except (ValueError, binascii.Error) as error:
        raise VaultError("the key ring is not of the form id:base64 of 32 bytes") from error


def keys_from_file(path: Path) -> dict[str, bytes]:
    """Read the key ring, or make one readable by its owner only. A file that others may read is refused."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        text = f"{secrets.token_hex(4)}:{base64.b64encode(os.urandom(32)).decode()}\n"
        unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(unfinished, path)  # two processes starting at once end with one ring
        except FileExistsError:
            pass
        finally:
            unfinished.unlink()
    if path.stat().st_mode & 0o077:
        raise VaultError(f"{path} can be read by others; run: chmod 600 {path}")
    return read_keys(path.read_text())


def _place(table: str, row: int, column: str, tenant: int) -> bytes:
    return f"{table}|{row}|{column}|{tenant}".encode()
