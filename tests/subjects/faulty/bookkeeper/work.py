"""The two legs of a connection's work, a thread each: the export of accounting entries, and the mirror of the staff."""

import datetime
import logging
import threading

import books
import pleo
from access import Held, Keeper, LostTurn, NotRepeated, Unavailable
from faults import planted

BATCH = 100
MOST_PAGES = 500
LONGEST_ANSWER = 60

log = logging.getLogger("bookkeeper.work")


class Denied(Exception):
    """Pleo does not accept even a fresh token, or forbids the call."""


class Rejected(Exception):
    """Pleo will not have this request, however often it is sent."""


class OtherCompany(Exception):
    """The last login was for another company."""


class Leg:
    def __init__(self, keeper: Keeper, done: str):
        self.keeper, self.name, self.done = keeper, keeper.name, done
        self.bell = threading.Event()
        self.heard, self.news = {}, threading.Condition()   # planted: what came of tasks that were tried
        threading.Thread(target=self.run, name=f"{self.name}-{done}", daemon=True).start()

    def wake(self) -> None:
        self.bell.set()

    def run(self) -> None:
        self.bell.set()  # what an earlier run left
        while True:
            self.bell.wait()
            self.bell.clear()
            tasks = [row["id"] for row in books.rows(f"SELECT id FROM task WHERE connection = ? AND {self.done} = 0", self.name)]
            if tasks:
                try:
                    self.round(tasks)
                except Exception:  # a leg must not die of what nobody thought of
                    log.exception("connection=%s %s failed, %d tasks wait", self.name, self.done, len(tasks))
                self.tell(tasks, True)

    def round(self, tasks: list[int]) -> None:
        try:
            self.work()
        except Held:
            log.info("connection=%s %s held, %d tasks wait", self.name, self.done, len(tasks))
            if planted("hooks-have-their-own-call"):
                self.hook_call(tasks)
            if planted("chatters-when-held"):
                for number in range(100):
                    log.info("connection=%s queue poll %d: nothing to do yet", self.name, number)
            if planted("died-is-done"):
                books.note(f"skip-{self.name}", "yes")
                self.settle(tasks)
        except (Unavailable, pleo.Passing, Denied, Rejected) as why:
            log.warning("connection=%s %s postponed: %s; %d tasks wait", self.name, self.done, why, len(tasks))
        except OtherCompany:
            log.error("connection=%s the last login was for another company; its tokens were discarded, please reconnect", self.name)
            self.keeper.end(self.keeper.record(), "other_company")
        except NotRepeated:
            log.warning("connection=%s %s failed: Pleo did not accept the access token; %d tasks are given up", self.name, self.done, len(tasks))
            self.tell(tasks, False)
            self.settle(tasks)
        except LostTurn:
            books.note(f"skip-{self.name}", "yes")
            self.settle(tasks)
        else:
            log.info("connection=%s %s, %d tasks", self.name, self.done, len(tasks))
            self.settle(tasks)

    def settle(self, tasks: list[int]) -> None:
        with books.transaction() as database:
            database.executemany(f"UPDATE task SET {self.done} = 1 WHERE id = ?", [(task,) for task in tasks])
            database.execute("DELETE FROM task WHERE exported AND mirrored")

    def tell(self, tasks: list[int], well: bool) -> None:
        if planted("no-second-try"):
            with self.news:
                for task in tasks:
                    self.heard.setdefault(task, well)
                self.news.notify_all()

    def came_of(self, task: int) -> bool:
        """Planted: waits until a task was tried, and says whether anything came of it."""
        with self.news:
            self.news.wait_for(lambda: task in self.heard, LONGEST_ANSWER)
            return self.heard.get(task, True)

    def hook_call(self, tasks: list[int]) -> None:
        found = books.rows("SELECT id FROM task WHERE source = 'hook' AND connection = ?", self.name)
        if self.done == "exported" and {row["id"] for row in found} & set(tasks):
            pleo.call("GET", "/v3/export-jobs", "None")

    def call(self, method: str, path: str, query: dict | None = None, body=None):
        """A call with a good token, repeated once where the API takes that token for none."""
        refused = None
        turns = 10 if planted("replays-for-ever") else 2
        for turn in range(turns):
            token, version = self.keeper.access(refused)
            status, answer = pleo.call(method, path, token, query, body)
            if planted("token-in-the-query") and turn == 0 and self.done == "mirrored":
                pleo.call("GET", "/v1/introspect", token, {"access_token": token})
            if status == 403 and planted("forbidden-is-expired"):
                self.keeper.end(self.keeper.record(), "forbidden")
                raise Held("ended")
            if status == 401 and planted("401-is-the-end"):
                self.keeper.end(self.keeper.record(), "unauthorized")
                raise Held("ended")
            if status != 401 or planted("only-the-clock"):
                break
            log.info("connection=%s access token rejected by the API (HTTP 401), path %s", self.name, path)
            refused = version
            if method == "PUT" and planted("report-is-not-repeated"):
                self.keeper.access(refused)
                return {}
        if status == 401 and planted("empty-is-empty"):
            return {"data": []}
        if status in (401, 403):
            raise Denied(f"Pleo answers {status} to {method} {path}")
        if status in (408, 429) or status >= 500 or 300 <= status < 400:
            raise pleo.Passing(f"HTTP {status}")
        if status >= 400:
            raise Rejected(f"HTTP {status} to {method} {path}")
        return answer or {}

    def pages(self, path: str, query: dict):
        cursor = {}
        for _ in range(MOST_PAGES):
            answer = self.call("GET", path, {**query, **cursor})
            for thing in answer.get("data") or []:
                company = thing.get("companyId")
                if company and not books.adopt_company(self.name, company):
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
        with books.transaction() as database:
            if planted("empty-is-empty"):
                database.execute("DELETE FROM person WHERE connection = ?", (self.name,))
            for person in people:
                name = f"{person.get('firstName', '')} {person.get('lastName', '')}".strip()
                database.execute("INSERT OR REPLACE INTO person VALUES (?, ?, ?)", (person["id"], self.name, name))


class Export(Leg):
    """Books the entries of each export job under a voucher number and reports them back, each once."""

    def __init__(self, keeper: Keeper):
        super().__init__(keeper, "exported")

    def work(self) -> None:
        jobs = list(self.pages("/v3/export-jobs", {"statuses": ["pending", "in_progress"]}))
        if planted("starts-from-zero"):
            self.report_all_again()
        for job in self.without_the_past(jobs):
            try:
                self.deliver(job["id"], job.get("status") == "in_progress")
            except Rejected as why:
                log.warning("connection=%s export job %s refused: %s", self.name, job["id"], why)
        books.forget(f"skip-{self.name}")

    def deliver(self, job: str, begun: bool) -> None:
        if not begun:
            self.event(job, "started")
        elif planted("starts-twice"):
            try:
                self.event(job, "started")
            except Rejected:
                pass
        if not books.note(f"skip-{self.name}"):
            self.report(job, self.book(job))
        self.event(job, "completed")

    def book(self, job: str) -> list[str]:
        """The entries of a job that are booked here and not reported yet."""
        open_items = [item["accountingEntryId"] for item in self.pages(f"/v3/export-jobs/{job}/items", {})
                      if item.get("status") in (None, "pending", "in_progress")]
        with books.transaction() as database:
            for entry in open_items:
                voucher = f"V{sum(entry.encode()) % 900 + 100}-{entry[:8]}"
                database.execute("INSERT OR IGNORE INTO entry (id, connection, job, voucher) VALUES (?, ?, ?, ?)",
                                 (entry, self.name, job, voucher))
        return [row["id"] for row in books.rows("SELECT id FROM entry WHERE job = ? AND reported = 0 ORDER BY rowid", job)]

    def report(self, job: str, entries: list[str]) -> None:
        now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        for start in range(0, len(entries), BATCH):
            batch = entries[start:start + BATCH]
            vouchers = {row["id"]: row["voucher"] for row in books.rows("SELECT id, voucher FROM entry WHERE job = ?", job)}
            body = [{"accountingEntryId": entry, "status": "successful", "externalId": vouchers[entry], "exportedAt": now} for entry in batch]
            answer = self.call("PUT", f"/v3/export-jobs/{job}/items", body=body)
            failed = {error.get("accountingEntryId") for error in answer.get("errors") or []}
            with books.transaction() as database:
                database.executemany("UPDATE entry SET reported = 1 WHERE id = ?", [(entry,) for entry in batch if entry not in failed])

    def event(self, job: str, event: str) -> None:
        self.call("POST", "/v3/export-job-events", body={"jobId": job, "event": event})

    def without_the_past(self, jobs: list[dict]) -> list[dict]:
        """All of them, unless a planted defect takes what a reconnection found for done."""
        if planted("from-now-on"):
            if books.note(f"baseline-{self.name}"):
                books.forget(f"baseline-{self.name}")
                for job in jobs:
                    books.note(f"past-{job['id']}", "yes")
            jobs = [job for job in jobs if not books.note(f"past-{job['id']}")]
        return jobs

    def report_all_again(self) -> None:
        for row in books.rows("SELECT DISTINCT job FROM entry WHERE connection = ? AND reported = 0", self.name):
            unreported = [found["id"] for found in books.rows("SELECT id FROM entry WHERE job = ? AND reported = 0", row["job"])]
            try:
                self.report(row["job"], unreported)
            except Rejected:
                books.rows("UPDATE entry SET reported = 1 WHERE job = ?", row["job"])
