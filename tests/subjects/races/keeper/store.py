"""The store that all instances share: one SQLite file in WAL mode. Every change of the connection counts its generation up, and whoever writes
what an answer of Pleo brought names the generation that the question was asked in."""

import contextlib
import dataclasses
import os
import pathlib
import secrets
import sqlite3
import threading
import time

from faults import planted
from sealing import fingerprint, seal, unseal

FOLDER = pathlib.Path(os.environ["STATE_DIR"])
DATABASE = FOLDER / "keeper.sqlite3"
PROCESS = os.environ.get("PROCESS") or "0"
# A half-minute before its end an access token counts as used up; one that lives for less than a minute, in its last tenth.
MARGIN = 30
BUSY = 5000
# For calls under way; a planted defect waits for them.
A_MOMENT = 0.2

SCHEMA = """
CREATE TABLE IF NOT EXISTS connection (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    state TEXT NOT NULL DEFAULT 'new',          -- new, connected, ended, misconfigured
    cause TEXT, access TEXT, refresh TEXT, expires_at REAL, lifetime REAL,
    generation INTEGER NOT NULL DEFAULT 0,      -- counts the changes
    user_act INTEGER NOT NULL DEFAULT 0,        -- the login or disconnection that it comes from
    failures INTEGER NOT NULL DEFAULT 0,        -- counts the refreshes that came to nothing; no change
    not_before REAL NOT NULL DEFAULT 0, refused_client TEXT, company TEXT
);
INSERT OR IGNORE INTO connection (id) VALUES (1);
CREATE TABLE IF NOT EXISTS lease (
    id INTEGER PRIMARY KEY CHECK (id = 1), holder TEXT, process TEXT, fence INTEGER NOT NULL DEFAULT 0, until REAL NOT NULL DEFAULT 0
);
INSERT OR IGNORE INTO lease (id) VALUES (1);
CREATE TABLE IF NOT EXISTS act (id INTEGER PRIMARY KEY AUTOINCREMENT);
CREATE TABLE IF NOT EXISTS login (
    state TEXT PRIMARY KEY, session TEXT NOT NULL, verifier TEXT NOT NULL, target TEXT NOT NULL, begun REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS task (
    id INTEGER PRIMARY KEY AUTOINCREMENT, exported INTEGER NOT NULL DEFAULT 0, mirrored INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS entry (id TEXT PRIMARY KEY, job TEXT NOT NULL, voucher TEXT NOT NULL, reported INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS person (id TEXT PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
BLANK = {"access": None, "refresh": None, "expires_at": None, "lifetime": None}


@dataclasses.dataclass(frozen=True)
class Record:
    """The connection at one moment."""

    state: str
    cause: str | None
    access: str | None = dataclasses.field(repr=False)
    refresh: str | None = dataclasses.field(repr=False)
    expires_at: float | None
    lifetime: float | None
    generation: int
    failures: int
    not_before: float
    refused_client: str | None

    def is_stale(self) -> bool:
        if self.expires_at is None:
            return False
        return time.time() >= self.expires_at - min(MARGIN, (self.lifetime or 0) / 10)


_own = threading.local()


def database() -> sqlite3.Connection:
    """This thread's connection."""
    if not hasattr(_own, "database"):
        _own.database = sqlite3.connect(DATABASE, timeout=BUSY / 1000, isolation_level=None)
        _own.database.row_factory = sqlite3.Row
        _own.database.execute("PRAGMA secure_delete = ON")
    return _own.database


@contextlib.contextmanager
def transaction():
    db = database()
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def prepare() -> None:
    os.umask(0o077)
    db = database()
    db.execute("PRAGMA journal_mode = WAL")
    db.executescript(SCHEMA)
    defaults = {"ledger": f"ledger-{secrets.token_hex(4)}", "vat": "25", "digest": "weekly"}
    with transaction():
        db.executemany("INSERT OR IGNORE INTO setting VALUES (?, ?)", defaults.items())


def rows(query: str, *values) -> list[sqlite3.Row]:
    return database().execute(query, values).fetchall()


def record() -> Record:
    (row,) = rows("SELECT * FROM connection")
    row = {field.name: row[field.name] for field in dataclasses.fields(Record)}
    try:
        return Record(**{**row, "access": unseal(row["access"]), "refresh": unseal(row["refresh"])})
    except ValueError:
        return Record(**{**row, "state": "misconfigured", "access": None, "refresh": None, "cause": "unreadable"})


def change(since: Record | None, fence: int | None = None, by_state: bool = False, **columns) -> bool:
    """Changes the connection; if it is due to an answer, only while the record that was asked for is the current one, and the lease is ours."""
    columns = {key: seal(value) if key in ("access", "refresh") else value for key, value in columns.items()}
    with transaction() as db:
        if since is not None and not _is_current(db, since, by_state) or fence is not None and not _is_ours(db, fence):
            return False
        _write(db, columns)
    return True


def _is_current(db: sqlite3.Connection, since: Record, by_state: bool) -> bool:
    now = db.execute("SELECT generation, state FROM connection").fetchone()
    return now["state"] == since.state if by_state else now["generation"] == since.generation


def _is_ours(db: sqlite3.Connection, fence: int) -> bool:
    return db.execute("SELECT fence FROM lease").fetchone()["fence"] == fence


def _write(db: sqlite3.Connection, columns: dict, counted: bool = True) -> None:
    places = ", ".join(f"{key} = :{key}" for key in columns)
    db.execute(f"UPDATE connection SET {places}{', generation = generation + 1' if counted else ''}", columns)


def save(since: Record, fence: int | None, fresh: dict) -> bool:
    """Puts a refreshed pair in the place of the one that it was made from."""
    columns = {"state": "connected", "cause": None, "refused_client": None, "not_before": 0, **fresh}
    if planted("pair-in-two-writes"):
        refresh = columns.pop("refresh")
        if not change(since, fence, **columns):
            return False
        with transaction() as db:
            _write(db, {"refresh": seal(refresh)}, counted=False)
        return True
    anyway = planted("last-reply-wins") or planted("lease-without-a-fence")
    return change(None if anyway else since, fence, by_state=planted("late-success-overwrites"), **columns)


def end(since: Record, fence: int | None, cause: str) -> bool:
    """The grant is over: its tokens go, everything else stays."""
    anyway = any(map(planted, ("late-refusal-wins", "loser-purges", "last-reply-wins", "lease-without-a-fence")))
    if planted("marks-then-purges"):
        if not change(since, fence, state="ended", cause=cause):
            return False
        time.sleep(A_MOMENT)
        with transaction() as db:
            _write(db, BLANK, counted=False)
        return True
    return change(None if anyway else since, fence, state="ended", cause=cause, **BLANK)


def failed(not_before: float) -> None:
    """A refresh came to nothing; whoever waited for it, in whichever process, need not try the same at once."""
    with transaction() as db:
        db.execute("UPDATE connection SET failures = failures + 1, not_before = max(not_before, ?)", (not_before,))


def act() -> int:
    """A number for what the user does now, higher than all before."""
    with transaction() as db:
        number = db.execute("INSERT INTO act DEFAULT VALUES").lastrowid
        db.execute("DELETE FROM act WHERE id < ?", (number,))
    return number


def connect(number: int, fresh: dict) -> bool:
    """Takes the pair of a login over whatever was there, unless the user has logged in again or disconnected since."""
    fresh = {key: seal(value) if key in ("access", "refresh") else value for key, value in fresh.items()}
    with transaction() as db:
        before = db.execute("SELECT user_act FROM connection").fetchone()["user_act"]
        if before >= number and not planted("two-logins-disagree"):
            return False
        _write(db, {**fresh, "state": "connected", "cause": None, "refused_client": None, "not_before": 0, "user_act": number})
    return True


def disconnect() -> str | None:
    """Forgets the tokens because the user says so; returns the access token for the farewell."""
    number = act()
    with transaction() as db:
        access = db.execute("SELECT access FROM connection").fetchone()["access"]
        counted = not planted("disconnects-uncounted")
        _write(db, {**BLANK, "state": "new", "cause": None, "company": None, "refused_client": None, "user_act": number}, counted)
    return unseal(access)


def adopt_company(company: str) -> bool:
    """Whether the connection is, or by now has become, that company's."""
    with transaction() as db:
        db.execute("UPDATE connection SET company = ? WHERE company IS NULL", (company,))
        (known,) = db.execute("SELECT company FROM connection").fetchone()
    return known == company


def begin_login(state: str, session: str, verifier: str, target: str) -> None:
    with transaction() as db:
        db.execute("INSERT INTO login VALUES (?, ?, ?, ?, ?)", (fingerprint(state), fingerprint(session), seal(verifier), target, time.time()))


def take_login(state: str, session: str, oldest: float) -> dict | None:
    """Uses up a login that this browser has begun."""
    with transaction() as db:
        db.execute("DELETE FROM login WHERE begun < ?", (oldest,))
        what = "SELECT * FROM login" if planted("login-used-up-late") else "DELETE FROM login"
        found = f"{what} WHERE state = ? AND session = ?{'' if what.startswith('SELECT') else ' RETURNING *'}"
        row = db.execute(found, (fingerprint(state), fingerprint(session))).fetchone()
    return dict(row, verifier=unseal(row["verifier"])) if row else None


def forget_login(state: str) -> None:
    """Planted: what `take_login` does in one step."""
    with transaction() as db:
        db.execute("DELETE FROM login WHERE state = ?", (fingerprint(state),))


def settings() -> dict[str, str]:
    return {row["name"]: row["value"] for row in rows("SELECT * FROM setting ORDER BY name")}


def records() -> dict[str, list]:
    people = rows("SELECT id, name FROM person ORDER BY id")
    entries = rows("SELECT id, voucher FROM entry WHERE reported ORDER BY id")
    return {"people": [dict(row) for row in people], "entries": [dict(row) for row in entries]}
