"""A lease in the store, with an end and a number. It lasts longer than an attempt may take. Whoever was too slow all the same, because the
process stood still for so long, finds another number there and may not write."""

import contextlib
import os
import secrets
import time

import store
from faults import planted
from problems import Overtaken, Unavailable

from .design import LOOK, PATIENCE, Design

LASTS = 0.8 if planted("lease-without-a-fence") else float(os.environ.get("LEASE_SECONDS") or 10)
# What must be left of it when the answer to an attempt is there.
RESERVE = LASTS / 5


class Lease(Design):
    def __init__(self, keeper):
        super().__init__(keeper)
        # What an earlier life of this process held is nobody's.
        with store.transaction() as db:
            db.execute("UPDATE lease SET holder = NULL, fence = fence + 1, until = 0 WHERE process = ?", (store.PROCESS,))

    @contextlib.contextmanager
    def turn(self, leg: str):
        holder = secrets.token_hex(8)
        until = time.monotonic() + PATIENCE
        while (fence := self.taken(holder)) is None:
            if time.monotonic() > until:
                raise Unavailable("another caller is refreshing")
            time.sleep(LOOK)
        try:
            yield None if planted("lease-without-a-fence") else fence
        finally:
            with store.transaction() as db:
                db.execute("UPDATE lease SET holder = NULL, until = 0 WHERE holder = ?", (holder,))

    def taken(self, holder: str) -> int | None:
        (lease,) = store.rows("SELECT * FROM lease")
        if lease["holder"] is not None and lease["until"] > time.time():
            return None
        with store.transaction() as db:
            now = time.time()
            taken = db.execute(
                "UPDATE lease SET holder = ?, process = ?, fence = fence + 1, until = ? WHERE holder IS NULL OR until <= ? RETURNING fence",
                (holder, store.PROCESS, now + LASTS, now),
            ).fetchone()
        return taken["fence"] if taken else None

    def renew(self, fence: int | None) -> float:
        if fence is None:
            return self.keeper.limit
        with store.transaction() as db:
            if db.execute("UPDATE lease SET until = ? WHERE fence = ?", (time.time() + LASTS, fence)).rowcount == 0:
                raise Overtaken
        return min(self.keeper.limit, LASTS - RESERVE)
