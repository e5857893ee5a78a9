"""The database: connections, accepted tasks, and what was fetched and booked. One SQLite file for all connections."""

import contextlib
import dataclasses
import json
import os
import pathlib
import secrets
import sqlite3
import threading
import time

from faults import planted
from sealing import fingerprint, seal, unseal

FOLDER = pathlib.Path(os.environ["STATE_DIR"])
DATABASE = FOLDER / "books.sqlite3"
CLIENT_ID, CLIENT_SECRET = os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"]
NAMES = os.environ["CONNECTIONS"].split()
# A half-minute before its end an access token counts as used up; one that lives for less than a minute, in its last tenth.
MARGIN = 30

SCHEMA = """
CREATE TABLE IF NOT EXISTS connection (
    name TEXT PRIMARY KEY, state TEXT NOT NULL DEFAULT 'new',   -- new, connected, ended, misconfigured
    cause TEXT, access TEXT, refresh TEXT, expires_at REAL, lifetime REAL, version INTEGER NOT NULL DEFAULT 0,
    company TEXT, refused_client TEXT
);
CREATE TABLE IF NOT EXISTS task (
    id INTEGER PRIMARY KEY AUTOINCREMENT, connection TEXT NOT NULL, source TEXT NOT NULL,
    exported INTEGER NOT NULL DEFAULT 0, mirrored INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS entry (
    id TEXT PRIMARY KEY, connection TEXT NOT NULL, job TEXT NOT NULL, voucher TEXT NOT NULL, reported INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS person (id TEXT PRIMARY KEY, connection TEXT NOT NULL, name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS setting (connection TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (connection, name));
CREATE TABLE IF NOT EXISTS note (name TEXT PRIMARY KEY, value TEXT NOT NULL);   -- what planted defects remember
"""

# What lives in memory only; filled by planted defects.
_unsaved: dict[str, dict] = {}
_lock = threading.Lock()


@dataclasses.dataclass(frozen=True)
class Record:
    """A connection at one moment; every change of it counts `version` up."""

    name: str
    state: str
    cause: str | None
    access: str | None = dataclasses.field(repr=False)
    refresh: str | None = dataclasses.field(repr=False)
    expires_at: float | None
    lifetime: float | None
    version: int
    company: str | None
    refused_client: str | None

    def is_stale(self) -> bool:
        if self.expires_at is None or planted("never-expires"):
            return False
        return time.time() >= self.expires_at - min(MARGIN, (self.lifetime or 0) / 10)


def _open() -> sqlite3.Connection:
    database = sqlite3.connect(DATABASE, timeout=10, isolation_level=None)
    database.row_factory = sqlite3.Row
    database.execute("PRAGMA secure_delete = ON")
    return database


@contextlib.contextmanager
def transaction():
    with contextlib.closing(_open()) as database:
        database.execute("BEGIN IMMEDIATE")
        try:
            yield database
        except BaseException:
            database.execute("ROLLBACK")
            raise
        database.execute("COMMIT")


def prepare() -> None:
    os.umask(0o022 if planted("readable-by-all") else 0o077)
    with contextlib.closing(_open()) as database:
        database.executescript(SCHEMA)
    if planted("readable-by-all"):
        DATABASE.chmod(0o644)
    with transaction() as database:
        for name in NAMES:
            database.execute("INSERT OR IGNORE INTO connection (name) VALUES (?)", (name,))
            defaults = {"ledger": f"ledger-{secrets.token_hex(4)}", "vat": "25", "digest": "weekly"}
            for key, value in defaults.items():
                database.execute("INSERT OR IGNORE INTO setting VALUES (?, ?, ?)", (name, key, value))
        if planted("wipes-at-the-start"):
            database.execute("UPDATE connection SET state = 'new', access = NULL, refresh = NULL, version = version + 1")
        if planted("new-secret-new-life"):
            database.execute("UPDATE connection SET state = 'ended', access = NULL, refresh = NULL, version = version + 1 "
                             "WHERE state = 'connected' AND (SELECT value FROM note WHERE name = 'client') != ?", (fingerprint(CLIENT_ID, CLIENT_SECRET),))
        if planted("counts-from-the-load"):
            database.execute("UPDATE connection SET expires_at = ? + lifetime WHERE lifetime IS NOT NULL", (time.time(),))


def rows(query: str, *values) -> list[sqlite3.Row]:
    with transaction() as database:
        return database.execute(query, values).fetchall()


def record(name: str) -> Record:
    (row,) = rows("SELECT * FROM connection WHERE name = ?", name)
    row = {**dict(row), **_unsaved.get(name, {})}
    try:
        return Record(**{**row, "access": unseal(row["access"]), "refresh": unseal(row["refresh"])})
    except ValueError:
        return Record(**{**row, "state": "misconfigured", "access": None, "refresh": None, "cause": "unreadable"})


def change(name: str, version: int | None, in_memory: bool = False, **columns) -> bool:
    """Changes a connection; with a version only if nobody has changed it since that was read."""
    columns = {key: seal(value) if key in ("access", "refresh") else value for key, value in columns.items()}
    with _lock, transaction() as database:
        known = _unsaved.get(name) or dict(database.execute("SELECT * FROM connection WHERE name = ?", (name,)).fetchone())
        if version is not None and version != known["version"]:
            return False
        if planted("key-from-the-client-secret"):
            unseal(known["access"])
        columns["version"] = known["version"] + 1
        if in_memory:
            _unsaved[name] = {**known, **columns}
            return True
        _unsaved.pop(name, None)
        places = ", ".join(f"{key} = :{key}" for key in columns)
        database.execute(f"UPDATE connection SET {places} WHERE name = :name", {**columns, "name": name})
    if planted("corrupt-copy") and columns.get("access"):
        copy = FOLDER / "books.corrupt.json"
        copy.write_text(json.dumps({key: unseal(columns[key]) for key in ("access", "refresh") if columns.get(key)}))
    return True


def put_back(record: Record) -> None:
    """Planted: a connection's tokens as they were read before."""
    columns = {"name": record.name, "access": seal(record.access), "refresh": seal(record.refresh), "version": record.version}
    with _lock, transaction() as database:
        database.execute("UPDATE connection SET access = :access, refresh = :refresh, version = :version WHERE name = :name", columns)


def adopt_company(name: str, company: str) -> bool:
    """Whether this connection is, or by now has become, that company's."""
    with transaction() as database:
        database.execute("UPDATE connection SET company = ? WHERE name = ? AND company IS NULL", (company, name))
        (known,) = database.execute("SELECT company FROM connection WHERE name = ?", (name,)).fetchone()
    return known == company or planted("another-company")


def settings(name: str) -> dict[str, str]:
    return {row["name"]: row["value"] for row in rows("SELECT * FROM setting WHERE connection = ? ORDER BY name", name)}


def records(name: str) -> dict[str, list]:
    people = rows("SELECT id, name FROM person WHERE connection = ? ORDER BY id", name)
    entries = rows("SELECT id, voucher FROM entry WHERE connection = ? AND reported ORDER BY id", name)
    return {"people": [dict(row) for row in people], "entries": [dict(row) for row in entries]}


def note(name: str, value: str | None = None) -> str | None:
    """What planted defects remember over a restart."""
    if value is not None:
        rows("INSERT OR REPLACE INTO note VALUES (?, ?)", name, value)
    found = rows("SELECT value FROM note WHERE name = ?", name)
    return found[0]["value"] if found else None


def forget(name: str) -> None:
    rows("DELETE FROM note WHERE name = ?", name)


