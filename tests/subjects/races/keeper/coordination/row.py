"""A transaction that is held during the refresh, as `SELECT ... FOR UPDATE` would. SQLite locks whole databases, so the row lies in one of its
own, and the store stays free. The operating system ends the transaction of a holder that is killed."""

import contextlib
import sqlite3

import store
from faults import planted
from problems import Unavailable

from .design import PATIENCE, Design

FILE = store.FOLDER / "turn.sqlite3"


class Row(Design):
    def __init__(self, keeper):
        super().__init__(keeper)
        with contextlib.closing(sqlite3.connect(FILE, timeout=PATIENCE, isolation_level=None)) as row:
            row.execute("CREATE TABLE IF NOT EXISTS turn (id INTEGER PRIMARY KEY)")

    @contextlib.contextmanager
    def turn(self, leg: str):
        with contextlib.closing(sqlite3.connect(FILE, timeout=PATIENCE, isolation_level=None)) as row:
            try:
                row.execute("BEGIN DEFERRED" if planted("deferred-transaction") else "BEGIN IMMEDIATE")
                row.execute("SELECT id FROM turn").fetchall()
            except sqlite3.OperationalError:
                raise Unavailable("another caller is refreshing") from None
            try:
                yield None
            finally:
                row.execute("ROLLBACK")
