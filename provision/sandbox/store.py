"""Owns the sandbox's SQLite file: its tables, its connections, its transactions and the signatures of its links.
Never knows what a row means to Graph."""

import base64
import hashlib
import hmac
import json
import os
import queue
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

TABLES = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE domains (name TEXT PRIMARY KEY, position INTEGER NOT NULL, body TEXT NOT NULL);
CREATE TABLE redirects (uri TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE credentials (id TEXT PRIMARY KEY, kind TEXT NOT NULL, value TEXT NOT NULL, expires_at REAL);
CREATE TABLE users (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, upn_key TEXT NOT NULL, created_at REAL NOT NULL,
    deleted_at REAL, password TEXT, body BLOB NOT NULL);
CREATE UNIQUE INDEX users_upn ON users (upn_key) WHERE deleted_at IS NULL;
CREATE INDEX users_deleted ON users (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE TABLE keys (
    property TEXT NOT NULL, value TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (property, value, id)) WITHOUT ROWID;
CREATE INDEX keys_id ON keys (id);
CREATE TABLE managers (id TEXT PRIMARY KEY, manager TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX managers_manager ON managers (manager);
CREATE TABLE groups (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, created_at REAL NOT NULL, deleted_at REAL, body BLOB NOT NULL);
CREATE TABLE members (grp TEXT NOT NULL, member TEXT NOT NULL, PRIMARY KEY (grp, member)) WITHOUT ROWID;
CREATE INDEX members_member ON members (member);
CREATE TABLE owners (grp TEXT NOT NULL, owner TEXT NOT NULL, PRIMARY KEY (grp, owner)) WITHOUT ROWID;
CREATE TABLE roles (id TEXT PRIMARY KEY, template TEXT NOT NULL UNIQUE, name TEXT NOT NULL, description TEXT NOT NULL);
CREATE TABLE role_members (role TEXT NOT NULL, member TEXT NOT NULL, PRIMARY KEY (role, member)) WITHOUT ROWID;
CREATE INDEX role_members_member ON role_members (member);
CREATE TABLE skus (id TEXT PRIMARY KEY, position INTEGER NOT NULL, body TEXT NOT NULL);
CREATE TABLE assignments (
    user TEXT NOT NULL, sku TEXT NOT NULL, by_group TEXT NOT NULL DEFAULT '', disabled TEXT NOT NULL DEFAULT '[]',
    error TEXT NOT NULL DEFAULT 'None', at REAL NOT NULL, PRIMARY KEY (user, sku, by_group)) WITHOUT ROWID;
CREATE INDEX assignments_sku ON assignments (sku, user);
CREATE TABLE group_licences (
    grp TEXT NOT NULL, sku TEXT NOT NULL, disabled TEXT NOT NULL, PRIMARY KEY (grp, sku)) WITHOUT ROWID;
CREATE TABLE licence_queue (grp TEXT PRIMARY KEY, due_at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE passes (id TEXT PRIMARY KEY, user TEXT NOT NULL, hash TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX passes_user ON passes (user);
CREATE TABLE changes (
    number INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,
    what TEXT NOT NULL, properties TEXT NOT NULL DEFAULT '');
CREATE INDEX changes_kind ON changes (kind, number);
CREATE TABLE faults (
    id INTEGER PRIMARY KEY, fault TEXT NOT NULL, seen INTEGER NOT NULL DEFAULT 0, fired INTEGER NOT NULL DEFAULT 0);
CREATE TABLE knobs (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE buckets (name TEXT PRIMARY KEY, level REAL NOT NULL, at REAL NOT NULL) WITHOUT ROWID;
"""
SEEDING_CACHE = 64 * 1024  # kilobytes: the look-up keys of a hundred thousand people come in no order
PATIENCE = 30.0  # seconds a writer waits for another process's transaction


class BadToken(ValueError):
    """A paging or delta token that this directory never handed out."""


class Store:
    """One directory file, shared by any number of threads and processes.

    A writing transaction is on the disk when its block ends (WAL with synchronous=FULL), so an answer sent afterwards
    may be believed even across a power cut.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._idle: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue()
        self._process = os.getpid()
        self._signing_key = b""

    def create(self, fill: Callable[[sqlite3.Connection], None]) -> None:
        """Make the tables and fill them in one transaction; an existing directory is left as it is."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.writing() as db:
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'facts'").fetchone():
                db.execute(f"PRAGMA cache_size = -{SEEDING_CACHE}")
                for statement in filter(str.strip, TABLES.split(";")):
                    db.execute(statement)
                set_fact(db, "signing_key", os.urandom(32).hex())
                fill(db)
        self.close()
        with self.reading() as db:
            self._signing_key = bytes.fromhex(fact(db, "signing_key"))

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection that sees one moment of the directory."""
        with self._transaction("BEGIN", "ROLLBACK") as db:
            yield db

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection in an immediate transaction; committed, and durable, when the block ends."""
        with self._transaction("BEGIN IMMEDIATE", "COMMIT") as db:
            yield db

    def close(self) -> None:
        """Close the connections nobody uses; the directory may be used again afterwards."""
        with suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()

    def sign(self, token: dict[str, Any]) -> str:
        """Make an opaque token out of `token`."""
        text = json.dumps(token, separators=(",", ":"), sort_keys=True).encode()
        return base64.urlsafe_b64encode(self._mac(text) + text).rstrip(b"=").decode()

    def unsign(self, text: str) -> dict[str, Any]:
        """Read a token of `sign`; raises BadToken for anything else."""
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except ValueError as error:
            raise BadToken(text) from error
        mac, body = raw[:12], raw[12:]
        if not hmac.compare_digest(mac, self._mac(body)):
            raise BadToken(text)
        token: dict[str, Any] = json.loads(body)
        return token

    def _mac(self, text: bytes) -> bytes:
        return hmac.digest(self._signing_key, text, "sha256")[:12]

    @contextmanager
    def _transaction(self, begin: str, end: str) -> Iterator[sqlite3.Connection]:
        db = self._take()
        try:
            db.execute(begin)
            yield db
            db.execute(end)
        finally:
            if db.in_transaction:
                db.execute("ROLLBACK")
            self._idle.put(db)

    def _take(self) -> sqlite3.Connection:
        if self._process != os.getpid():  # a connection must not travel through a fork
            self._idle, self._process = queue.LifoQueue(), os.getpid()
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            return _connect(self.path)


def fact(db: sqlite3.Connection, name: str) -> Any:
    """Return one stored fact about the tenant; raises KeyError when it was never stored."""
    row = db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise KeyError(name)
    return json.loads(row[0])


def set_fact(db: sqlite3.Connection, name: str, value: Any) -> None:
    db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, json.dumps(value)))


def record_change(
    db: sqlite3.Connection, kind: str, object_id: str, what: str, at: float, properties: str = ""
) -> None:
    """Leave an entry for delta readers. `what`: new, changed, removed, restored, purged; `properties` by commas."""
    db.execute(
        "INSERT INTO changes (at, kind, id, what, properties) VALUES (?, ?, ?, ?, ?)",
        (at, kind, object_id, what, properties),
    )


def body_of(row: sqlite3.Row) -> dict[str, Any]:
    """Decode the stored properties of a user or group."""
    body: dict[str, Any] = msgspec.json.decode(row["body"])
    return body


def encode_body(body: dict[str, Any]) -> bytes:
    return msgspec.json.encode(body)


def hash_password(password: str, salt: bytes | None = None) -> str:
    """Return a salted scrypt hash; the cost is small because the people are invented and creates shall be quick."""
    salt = salt or os.urandom(16)
    digest = hashlib.scrypt(password.encode(), salt=salt, n=2**10, r=8, p=1)
    return f"{salt.hex()}:{digest.hex()}"


def verify_password(password: str, stored: str | None) -> bool:
    """Compare in constant time; someone without a password can't sign in with any."""
    if not stored:
        return False
    salt = bytes.fromhex(stored.partition(":")[0])
    return hmac.compare_digest(hash_password(password, salt), stored)


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
    db.row_factory = sqlite3.Row
    _switch_to_wal(db)
    db.execute("PRAGMA synchronous = FULL")
    return db


def _switch_to_wal(db: sqlite3.Connection) -> None:
    """Two processes creating the file together meet a lock here that SQLite doesn't wait for by itself."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
