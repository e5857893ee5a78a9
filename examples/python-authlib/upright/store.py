"""Everything this integration remembers, in one SQLite file that survives kill -9 and may be shared by processes.

Tokens and PKCE verifiers are stored encrypted; the key comes from the environment and never lies beside the data.
What is deleted is also overwritten: `secure_delete` zeroes freed pages, and the rollback journal (no WAL, which would
keep old pages for an unknown time) is gone when the transaction is.

`generation` counts every change of the connection. Whoever wants to write the outcome of something slow names the
generation it started from; if the user reconnected or disconnected meanwhile, nothing is written.
"""

import contextlib
import json
import os
import sqlite3
import sys
import time
from dataclasses import dataclass

from cryptography.fernet import Fernet, InvalidToken

CONNECTED = "connected"
UNAUTHENTICATED = "unauthenticated"

ATTEMPT_LIFETIME = 600  # seconds a user may take at Pleo's login and consent pages

_SCHEMA = """
CREATE TABLE IF NOT EXISTS connection (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    state      TEXT NOT NULL,
    reason     TEXT,                -- why it is unauthenticated
    problem    TEXT,                -- what is wrong although it is connected
    since      REAL NOT NULL,
    generation INTEGER NOT NULL,
    company    TEXT,                -- whose data this is; survives the loss of access
    access     BLOB,
    refresh    BLOB,
    use_until  REAL                 -- when to refresh unasked; NULL: Pleo named no lifetime
);
CREATE TABLE IF NOT EXISTS attempt (
    state    TEXT PRIMARY KEY,      -- a hash: the value itself is only in the user's address bar
    browser  TEXT NOT NULL,
    verifier BLOB NOT NULL,
    back_to  TEXT NOT NULL,
    made     REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS request (id INTEGER PRIMARY KEY AUTOINCREMENT, made REAL NOT NULL);
CREATE TABLE IF NOT EXISTS employee (id TEXT PRIMARY KEY, company TEXT, name TEXT, email TEXT, code TEXT);
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT OR IGNORE INTO connection (id, state, reason, since, generation) VALUES (1, 'unauthenticated', 'never_connected', 0, 0);
INSERT OR IGNORE INTO setting VALUES ('department', 'Finance'), ('include_codes', 'yes');
"""


@dataclass(frozen=True)
class Pair:
    """What a token answer gave us: `refresh` may be None, `use_until` None means until it is refused."""

    access: str
    refresh: str | None
    use_until: float | None


@dataclass(frozen=True)
class Connection:
    """The connection as stored at one moment; `pair` is None unless it is connected."""

    state: str
    reason: str | None
    problem: str | None
    since: float
    generation: int
    company: str | None
    pair: Pair | None


@dataclass(frozen=True)
class Attempt:
    """One visit to Pleo's authorise page that this browser began."""

    verifier: str
    back_to: str


class Store:
    def __init__(self, directory: str, key: str) -> None:
        self._path = os.path.join(directory, "employee-sync.db")
        self._box = Fernet(key)
        with self._open() as db:
            db.executescript(_SCHEMA)

    # The connection.

    def connection(self) -> Connection:
        with self._open() as db:
            row = db.execute("SELECT * FROM connection").fetchone()
        pair = self._pair(row) if row["state"] == CONNECTED else None
        if row["state"] == CONNECTED and pair is None:
            # The key was changed or lost: nothing can be read, so nothing can be used. Reconnecting overwrites it.
            return Connection(UNAUTHENTICATED, "unreadable", None, row["since"], row["generation"], row["company"], None)
        return Connection(row["state"], row["reason"], row["problem"], row["since"], row["generation"], row["company"], pair)

    def connect(self, pair: Pair, company: str | None) -> None:
        """A user has just given consent: their pair replaces whatever was there."""
        with self._open() as db:
            db.execute(
                "UPDATE connection SET state = ?, reason = NULL, problem = NULL, since = ?, generation = generation + 1,"
                " company = coalesce(?, company), access = ?, refresh = ?, use_until = ?",
                (CONNECTED, time.time(), company, *self._sealed(pair)),
            )

    def renew(self, generation: int, pair: Pair) -> bool:
        """Both tokens in one write, or nothing if the connection changed since `generation`."""
        with self._open() as db:
            changed = db.execute(
                "UPDATE connection SET generation = generation + 1, access = ?, refresh = ?, use_until = ?"
                " WHERE generation = ? AND state = ?",
                (*self._sealed(pair), generation, CONNECTED),
            )
            return changed.rowcount == 1

    def end(self, generation: int, reason: str) -> bool:
        """Purges both tokens and marks the connection, unless it changed since `generation`. Everything else stays."""
        with self._open() as db:
            changed = db.execute(
                "UPDATE connection SET state = ?, reason = ?, problem = NULL, since = ?, generation = generation + 1,"
                " access = NULL, refresh = NULL, use_until = NULL WHERE generation = ? AND state = ?",
                (UNAUTHENTICATED, reason, time.time(), generation, CONNECTED),
            )
            return changed.rowcount == 1

    def disconnect(self) -> Pair | None:
        """The user's own wish: purges, forgets whose data it was, and hands out the last pair once, for telling Pleo."""
        with self._open() as db:
            row = db.execute("SELECT * FROM connection").fetchone()
            db.execute(
                "UPDATE connection SET state = ?, reason = 'disconnected_by_user', problem = NULL, since = ?,"
                " generation = generation + 1, company = NULL, access = NULL, refresh = NULL, use_until = NULL",
                (UNAUTHENTICATED, time.time()),
            )
        return self._pair(row) if row["state"] == CONNECTED else None

    def set_problem(self, problem: str | None) -> None:
        with self._open() as db:
            db.execute("UPDATE connection SET problem = ? WHERE state = ? AND problem IS NOT ?", (problem, CONNECTED, problem))

    # Visits to Pleo's authorise page.

    def add_attempt(self, state: str, browser: str, attempt: Attempt) -> None:
        with self._open() as db:
            db.execute("DELETE FROM attempt WHERE made < ?", (time.time() - ATTEMPT_LIFETIME,))
            verifier = self._box.encrypt(attempt.verifier.encode())
            db.execute("INSERT INTO attempt VALUES (?, ?, ?, ?, ?)", (state, browser, verifier, attempt.back_to, time.time()))

    def take_attempt(self, state: str, browser: str) -> Attempt | None:
        """The attempt with this state, once: a second callback with the same state finds nothing."""
        with self._open() as db:
            row = db.execute(
                "DELETE FROM attempt WHERE state = ? AND browser = ? AND made >= ? RETURNING verifier, back_to",
                (state, browser, time.time() - ATTEMPT_LIFETIME),
            ).fetchone()
        verifier = self._unsealed(row["verifier"]) if row else None
        return Attempt(verifier, row["back_to"]) if verifier else None

    # Requests for a synchronisation: kept until one that began later has succeeded.

    def add_request(self) -> int:
        with self._open() as db:
            return db.execute("INSERT INTO request (made) VALUES (?)", (time.time(),)).lastrowid

    def latest_request(self) -> int | None:
        with self._open() as db:
            return db.execute("SELECT max(id) FROM request").fetchone()[0]

    def waiting_requests(self) -> int:
        with self._open() as db:
            return db.execute("SELECT count(*) FROM request").fetchone()[0]

    def finish_requests(self, up_to: int) -> None:
        with self._open() as db:
            db.execute("DELETE FROM request WHERE id <= ?", (up_to,))

    def withdraw_request(self, request: int) -> None:
        with self._open() as db:
            db.execute("DELETE FROM request WHERE id = ?", (request,))

    # The users' data. Rows are only added and updated: an answer that lacks somebody is no order to delete.

    def save_employees(self, employees: list[dict]) -> None:
        rows = [
            (e["id"], e.get("companyId"), f"{e.get('firstName', '')} {e.get('lastName', '')}".strip(), e.get("email"), e.get("code"))
            for e in employees
        ]
        with self._open() as db:
            db.executemany("INSERT OR REPLACE INTO employee VALUES (?, ?, ?, ?, ?)", rows)

    def employees(self) -> list[dict]:
        with self._open() as db:
            return [dict(row) for row in db.execute("SELECT * FROM employee ORDER BY id")]

    def settings(self) -> dict:
        with self._open() as db:
            return dict(db.execute("SELECT name, value FROM setting ORDER BY name").fetchall())

    def change_settings(self, values: dict) -> None:
        with self._open() as db:
            db.executemany("UPDATE setting SET value = ? WHERE name = ?", [(value, name) for name, value in values.items()])

    # Inside.

    @contextlib.contextmanager
    def _open(self):
        db = sqlite3.connect(self._path, timeout=10, isolation_level=None)
        try:
            db.row_factory = sqlite3.Row
            db.execute("PRAGMA journal_mode = DELETE")
            db.execute("PRAGMA secure_delete = ON")
            db.execute("PRAGMA synchronous = FULL")
            db.execute("BEGIN IMMEDIATE")
            yield db
            if db.in_transaction:
                db.execute("COMMIT")
        finally:
            db.close()  # rolls back what was not committed

    def _sealed(self, pair: Pair) -> tuple:
        refresh = self._box.encrypt(pair.refresh.encode()) if pair.refresh else None
        return self._box.encrypt(pair.access.encode()), refresh, pair.use_until

    def _pair(self, row) -> Pair | None:
        access = self._unsealed(row["access"])
        return Pair(access, self._unsealed(row["refresh"]), row["use_until"]) if access else None

    def _unsealed(self, sealed: bytes | None) -> str | None:
        if sealed is None:
            return None
        try:
            return self._box.decrypt(sealed).decode()
        except InvalidToken:
            return None


def dump(store: Store) -> dict:
    """What the file holds, decrypted: for an operator with the key, and for audits of what was really purged."""
    with store._open() as db:
        rows = {name: [dict(row) for row in db.execute(f"SELECT * FROM {name}")] for name in ("connection", "attempt")}
    sealed = {"access", "refresh", "verifier"}
    return {
        table: [{k: store._unsealed(v) if k in sealed else v for k, v in row.items()} for row in content]
        for table, content in rows.items()
    }


if __name__ == "__main__":
    print(json.dumps(dump(Store(os.environ["DATA_DIR"], os.environ["STORE_KEY"])), indent=1), file=sys.stdout)
