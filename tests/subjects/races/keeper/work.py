"""The two legs of the work, a thread each: the export of accounting entries, and the mirror of the staff. Tasks lie in the store."""

import datetime
import logging
import threading

import pleo
import store
from access import Keeper
from coordination.flock import locked
from problems import Held, Passing, Unavailable

BATCH = 100
MOST_PAGES = 500
# Pleo wants one export at a time. Whoever waits for another process waits as long as that takes.
EXPORT_LOCK = store.FOLDER / "export.lock"
A_DAY = 86400

log = logging.getLogger("keeper.work")


class Denied(Exception):
    """Pleo does not accept even a fresh token, or forbids the call."""


class Rejected(Exception):
    """Pleo will not have this request, however often it is sent."""


class OtherCompany(Exception):
    """The last login was for another company."""


class Leg:
    def __init__(self, keeper: Keeper, done: str):
        self.keeper, self.done = keeper, done
        self.bell = threading.Event()
        threading.Thread(target=self.run, name=done, daemon=True).start()

    def wake(self) -> None:
        self.bell.set()

    def run(self) -> None:
        self.bell.set()  # what an earlier run left
        while True:
            self.bell.wait()
            self.bell.clear()
            try:
                self.round()
            except Exception:  # a leg must not die of what nobody thought of
                log.exception("%s failed", self.done)

    def round(self) -> None:
        tasks = [row["id"] for row in store.rows(f"SELECT id FROM task WHERE {self.done} = 0")]
        if not tasks:
            return
        try:
            self.work()
        except Held:
            log.info("%s held, %d tasks wait", self.done, len(tasks))
        except (Unavailable, Passing, Denied, Rejected) as why:
            log.warning("%s postponed: %s; %d tasks wait", self.done, why, len(tasks))
        except OtherCompany:
            log.error("the last login was for another company; its tokens were discarded, please reconnect")
        else:
            log.info("%s, %d tasks", self.done, len(tasks))
            self.settle(tasks)

    def work(self) -> None:
        raise NotImplementedError

    def settle(self, tasks: list[int]) -> None:
        with store.transaction() as database:
            database.executemany(f"UPDATE task SET {self.done} = 1 WHERE id = ?", [(task,) for task in tasks])
            database.execute("DELETE FROM task WHERE exported AND mirrored")

    def call(self, method: str, path: str, query: dict | None = None, body=None):
        """A call with a good token, repeated once where the API takes that token for none."""
        refused = None
        for _ in range(2):
            token, generation = self.keeper.access(refused, self.done)
            status, answer = pleo.call(method, path, token, query, body)
            if status != 401:
                break
            log.info("access token rejected by the API (HTTP 401), path %s", path)
            refused = generation
        if status in (401, 403):
            raise Denied(f"Pleo answers {status} to {method} {path}")
        if status in (408, 429) or status >= 500 or 300 <= status < 400:
            raise Passing(f"HTTP {status}")
        if status >= 400:
            raise Rejected(f"HTTP {status} to {method} {path}")
        return answer or {}

    def pages(self, path: str, query: dict):
        cursor = {}
        for _ in range(MOST_PAGES):
            before = self.keeper.record()
            answer = self.call("GET", path, {**query, **cursor})
            for thing in answer.get("data") or []:
                company = thing.get("companyId")
                if company and not store.adopt_company(company):
                    self.keeper.end(before, None, "other_company")
                    raise OtherCompany
                yield thing
            page = answer.get("pagination") or {}
            if not page.get("hasNextPage") or not page.get("endCursor"):
                return
            cursor = {"after": page["endCursor"]}


class Mirror(Leg):
    """Keeps a copy of who works there."""

    def __init__(self, keeper: Keeper):
        super().__init__(keeper, "mirrored")

    def work(self) -> None:
        people = list(self.pages("/v2/employees", {}))
        with store.transaction() as database:
            for person in people:
                name = f"{person.get('firstName', '')} {person.get('lastName', '')}".strip()
                database.execute("INSERT OR REPLACE INTO person VALUES (?, ?)", (person["id"], name))


class Export(Leg):
    """Books the entries of each export job under a voucher number and reports them back, each once."""

    def __init__(self, keeper: Keeper):
        super().__init__(keeper, "exported")

    def round(self) -> None:
        with locked(EXPORT_LOCK, A_DAY):
            super().round()

    def work(self) -> None:
        for job in list(self.pages("/v3/export-jobs", {"statuses": ["pending", "in_progress"]})):
            try:
                self.deliver(job["id"], job.get("status") == "in_progress")
            except Rejected as why:
                log.warning("export job %s refused: %s", job["id"], why)

    def deliver(self, job: str, begun: bool) -> None:
        if not begun:
            self.event(job, "started")
        self.report(job, self.book(job))
        self.event(job, "completed")

    def book(self, job: str) -> list[str]:
        """The entries of a job that are booked here and not reported yet."""
        open_items = [item["accountingEntryId"] for item in self.pages(f"/v3/export-jobs/{job}/items", {})
                      if item.get("status") in (None, "pending", "in_progress")]
        with store.transaction() as database:
            for entry in open_items:
                voucher = f"V{sum(entry.encode()) % 900 + 100}-{entry[:8]}"
                database.execute("INSERT OR IGNORE INTO entry (id, job, voucher) VALUES (?, ?, ?)", (entry, job, voucher))
        return [row["id"] for row in store.rows("SELECT id FROM entry WHERE job = ? AND reported = 0 ORDER BY rowid", job)]

    def report(self, job: str, entries: list[str]) -> None:
        now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        vouchers = {row["id"]: row["voucher"] for row in store.rows("SELECT id, voucher FROM entry WHERE job = ?", job)}
        for start in range(0, len(entries), BATCH):
            batch = entries[start:start + BATCH]
            body = [{"accountingEntryId": entry, "status": "successful", "externalId": vouchers[entry], "exportedAt": now} for entry in batch]
            answer = self.call("PUT", f"/v3/export-jobs/{job}/items", body=body)
            failed = {error.get("accountingEntryId") for error in answer.get("errors") or []}
            with store.transaction() as database:
                database.executemany("UPDATE entry SET reported = 1 WHERE id = ?", [(entry,) for entry in batch if entry not in failed])

    def event(self, job: str, event: str) -> None:
        self.call("POST", "/v3/export-job-events", body={"jobId": job, "event": event})
