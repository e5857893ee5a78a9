"""What the web process and the worker share: the database, the log format, the configuration."""

import contextlib
import os
import pathlib
import sqlite3
import sys
import time

AUTHORIZE_URL = os.environ["AUTHORIZE_URL"]
TOKEN_URL = os.environ["TOKEN_URL"]
API_URL = os.environ["API_URL"].rstrip("/")
CLIENT_ID = os.environ["CLIENT_ID"]
CLIENT_SECRET = os.environ["CLIENT_SECRET"]
REDIRECT_URI = os.environ["REDIRECT_URI"]
SCOPE = "accounts:read accounts:write"
DATABASE = pathlib.Path(os.environ["STATE"]) / "ledger.db"

SCHEMA = """
CREATE TABLE IF NOT EXISTS connection (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    state TEXT NOT NULL DEFAULT 'new',          -- new, active, needs_login, bad_client
    access_token TEXT, refresh_token TEXT, expires_at REAL,
    version INTEGER NOT NULL DEFAULT 0          -- grows with every change
);
INSERT OR IGNORE INTO connection (id) VALUES (1);
CREATE TABLE IF NOT EXISTS logins (
    state TEXT PRIMARY KEY, verifier TEXT NOT NULL, browser TEXT NOT NULL, target TEXT NOT NULL, begun REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS outbox (
    account TEXT PRIMARY KEY, name TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting',      -- waiting, sent, refused
    attempts INTEGER NOT NULL DEFAULT 0, due REAL NOT NULL DEFAULT 0, problem TEXT
);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT OR IGNORE INTO settings VALUES ('prefix', ''), ('archive_unused', 'no');
"""


def connect() -> sqlite3.Connection:
    """One connection per use; callers write inside `transaction`."""
    database = sqlite3.connect(DATABASE, timeout=10, isolation_level=None)
    database.row_factory = sqlite3.Row
    # Deleted tokens must not linger in free pages or in a write-ahead log.
    database.execute("PRAGMA secure_delete = ON")
    return database


def prepare() -> None:
    os.umask(0o077)
    with contextlib.closing(connect()) as database:
        database.executescript(SCHEMA)


@contextlib.contextmanager
def transaction():
    with contextlib.closing(connect()) as database:
        database.execute("BEGIN IMMEDIATE")
        try:
            yield database
        except BaseException:
            database.execute("ROLLBACK")
            raise
        database.execute("COMMIT")


def connection() -> sqlite3.Row:
    with contextlib.closing(connect()) as database:
        return database.execute("SELECT * FROM connection").fetchone()


def change(version: int | None, **columns) -> bool:
    """Changes the connection; with a version only if nobody has changed it since that was read."""
    names = ", ".join(f"{name} = :{name}" for name in columns)
    guard = "" if version is None else " WHERE version = :at"
    with transaction() as database:
        done = database.execute(f"UPDATE connection SET {names}, version = version + 1{guard}", {**columns, "at": version})
        return done.rowcount == 1


def log(level: str, event: str, **fields) -> None:
    """One logfmt line."""
    def quoted(value) -> str:
        text = str(value)
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"' if not text or set(text) & set(' "=\n') else text

    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    words = [f"ts={now}", f"level={level}", f"event={event}", *(f"{name}={quoted(value)}" for name, value in fields.items())]
    print(" ".join(words), file=sys.stderr, flush=True)
