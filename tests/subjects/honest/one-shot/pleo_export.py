#!/usr/bin/env python3
"""Exports Pleo's accounting entries to a journal file. Run by a scheduler; it does one thing and ends.

  pleo_export.py connect          print the address at which a user signs in
  pleo_export.py finish URL       complete the sign-in with the address the browser ended at
  pleo_export.py export           export what Pleo lists
  pleo_export.py status           say how things stand
  pleo_export.py disconnect       give the access back

Exit status, as in sysexits.h: 0 done; 69 Pleo is not available, try again later; 77 a user has to sign in (again);
78 the configuration is wrong; 64 wrong usage.
"""

import contextlib
import fcntl
import hashlib
import hmac
import base64
import http.client
import json
import logging
import os
import secrets
import smtplib
import sqlite3
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from email.message import EmailMessage
from pathlib import Path

OK, USAGE, UNAVAILABLE, SIGN_IN, CONFIGURATION = 0, 64, 69, 77, 78
HOME = Path(os.environ.get("PLEO_EXPORT_HOME", "."))
SCOPES = "export-jobs:read export-jobs:write export-items:read"
LOGIN_LIFE = 3600
EARLY = 120
log = logging.getLogger("pleo-export")


class Ending(Exception):
    """Ends the program with this status; the text says why."""

    def __init__(self, status: int, text: str):
        super().__init__(text)
        self.status = status


# --- what is kept -------------------------------------------------------------------------------------------------------

class Books:
    """The database; one process at a time works with it."""

    def __init__(self) -> None:
        os.umask(0o077)
        HOME.mkdir(parents=True, exist_ok=True)
        self.db = sqlite3.connect(HOME / "pleo-export.db", isolation_level=None, timeout=30)
        self.db.execute("PRAGMA secure_delete = ON")
        self.db.executescript(
            """
            CREATE TABLE IF NOT EXISTS grant_ (access TEXT NOT NULL, refresh TEXT NOT NULL, expires REAL);
            CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT);
            CREATE TABLE IF NOT EXISTS login (state TEXT PRIMARY KEY, verifier TEXT NOT NULL, begun REAL NOT NULL);
            CREATE TABLE IF NOT EXISTS journal (entry TEXT PRIMARY KEY, number INTEGER NOT NULL, booked TEXT NOT NULL, told INTEGER NOT NULL DEFAULT 0);
            """
        )

    @contextlib.contextmanager
    def change(self):
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield self.db
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    def tokens(self):
        return self.db.execute("SELECT access, refresh, expires FROM grant_").fetchone()

    def keep(self, access: str, refresh: str, expires: float | None) -> None:
        with self.change() as db:
            db.execute("DELETE FROM grant_")
            db.execute("INSERT INTO grant_ VALUES (?, ?, ?)", (access, refresh, expires))
            db.execute("DELETE FROM fact WHERE name IN ('ended', 'client_refused', 'untold')")

    def forget(self, why: str, untold: bool = False) -> None:
        with self.change() as db:
            db.execute("DELETE FROM grant_")
            db.execute("INSERT OR REPLACE INTO fact VALUES ('ended', ?)", (why,))
            if untold:
                db.execute("INSERT OR REPLACE INTO fact VALUES ('untold', 'yes')")

    def told(self) -> None:
        self.db.execute("DELETE FROM fact WHERE name = 'untold'")

    def fact(self, name: str):
        row = self.db.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def note(self, name: str, value: str) -> None:
        self.db.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (name, value))


@contextlib.contextmanager
def alone():
    """One run at a time: the next one waits for its turn."""
    HOME.mkdir(parents=True, exist_ok=True)
    with open(HOME / "lock", "w") as file:
        until = time.monotonic() + 60
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise Ending(UNAVAILABLE, "another run does not end") from None
                time.sleep(0.05)
        yield


# --- Pleo ---------------------------------------------------------------------------------------------------------------

class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


opener = urllib.request.build_opener(Stay)


def send(request: urllib.request.Request, seconds: int) -> tuple[int, bytes]:
    try:
        with opener.open(request, timeout=seconds) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as answer:
        with answer:
            try:
                return answer.code, answer.read()
            except (OSError, http.client.HTTPException):
                return answer.code, b""
    except (OSError, http.client.HTTPException) as problem:
        host = urllib.parse.urlsplit(request.full_url).path
        raise Ending(UNAVAILABLE, f"no answer from {host}: {type(problem).__name__}") from None


def client_fingerprint() -> str:
    """Tells whether the credentials were changed since they were refused."""
    return hashlib.sha256(f"{setting('CLIENT_ID')}\0{setting('CLIENT_SECRET')}".encode()).hexdigest()[:16]


def token_request(**fields: str) -> tuple[int, dict]:
    user, password = (urllib.parse.quote_plus(setting(name)) for name in ("CLIENT_ID", "CLIENT_SECRET"))
    request = urllib.request.Request(setting("TOKEN_URL"), urllib.parse.urlencode(fields).encode())
    request.add_header("Authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())
    status, raw = send(request, 10)
    try:
        body = json.loads(raw)
    except ValueError:
        body = None
    return status, body if isinstance(body, dict) else {}


class Pleo:
    """Calls on behalf of the company that granted access."""

    def __init__(self, books: Books) -> None:
        self.books = books

    def call(self, method: str, path: str, body=None, fine=()) -> tuple[int, dict]:
        token = self.token()
        status, raw = self.once(method, path, body, token)
        if status == 401:
            log.info("Pleo rejected the access token; asking for a new one")
            status, raw = self.once(method, path, body, self.token(rejected=token))
        if not 200 <= status < 300 and status not in fine:
            raise Ending(UNAVAILABLE, f"Pleo answered {status} to {method} {path.partition('?')[0]}")
        try:
            return status, json.loads(raw) if raw else {}
        except ValueError:
            raise Ending(UNAVAILABLE, f"Pleo's answer to {method} {path.partition('?')[0]} is no JSON") from None

    def once(self, method: str, path: str, body, token: str) -> tuple[int, bytes]:
        request = urllib.request.Request(setting("API_URL") + path, method=method, data=None if body is None else json.dumps(body).encode())
        request.add_header("Authorization", "Bearer " + token)
        request.add_header("Content-Type", "application/json")
        return send(request, 30)

    def token(self, rejected: str | None = None) -> str:
        kept = self.books.tokens()
        if kept is None:
            raise Ending(SIGN_IN, "there is no access to Pleo: run `connect`, and let a user sign in")
        if self.books.fact("client_refused") == client_fingerprint():
            raise Ending(CONFIGURATION, "Pleo refused these client credentials before: configure the right ones")
        access, refresh, expires = kept
        if access != rejected and (expires is None or time.time() < expires - EARLY):
            return access
        return self.refresh(refresh)

    def refresh(self, old: str) -> str:
        log.info("refreshing the access token")
        asked = time.time()
        status, body = token_request(grant_type="refresh_token", refresh_token=old)
        error, access = body.get("error"), body.get("access_token")
        if status == 200 and isinstance(access, str) and access:
            self.books.keep(access, body.get("refresh_token") or old, lifetime(asked, body))
            log.info("the access token was refreshed")
            return access
        if status in (400, 401, 403) and error == "invalid_client":
            self.books.note("client_refused", client_fingerprint())
            log.error("refresh failed: invalid_client; the client's credentials were refused")
            raise Ending(CONFIGURATION, "Pleo refuses the client's credentials")
        # Some servers refuse with the status of a success.
        refused = status == 200 or (400 <= status < 500 and status not in (408, 429))
        if refused and error:
            log.error("refresh failed: %s", error)
            self.books.forget(str(error), untold=True)
            log.error("the authorisation was revoked or has expired; tokens were deleted")
            raise Ending(SIGN_IN, "a user has to reauthenticate: run `connect`")
        log.warning("refresh failed: status %d, to be tried again by a later run", status)
        raise Ending(UNAVAILABLE, f"the token endpoint answered {status}")

    def all(self, path: str):
        after = ""
        while True:
            _, page = self.call("GET", path + (f"&after={urllib.parse.quote(after)}" if after else ""))
            yield from page["data"]
            if not page["pagination"]["hasNextPage"]:
                return
            after = page["pagination"]["endCursor"]


def lifetime(asked: float, body: dict) -> float | None:
    try:
        return asked + float(body["expires_in"])
    except (KeyError, TypeError, ValueError):
        return None


# --- the operator -------------------------------------------------------------------------------------------------------

def tell_the_operator(books: Books) -> None:
    """Mails once that access has ended. A mail that could not be sent is sent by a later run."""
    if not books.fact("untold"):
        return
    server = urllib.parse.urlsplit(setting("SMTP_URL"))
    mail = EmailMessage()
    mail["Subject"] = "The export from Pleo has stopped: please sign in again"
    mail["From"], mail["To"] = "pleo-export@localhost", os.environ.get("OPERATOR", "root@localhost")
    mail.set_content("Pleo has ended our access. Exports wait until somebody signs in again:\n\n    pleo_export.py connect\n")
    try:
        with smtplib.SMTP(server.hostname, server.port or 25, timeout=10) as to:
            to.send_message(mail)
    except (OSError, smtplib.SMTPException) as problem:
        log.warning("the operator could not be told: %s", type(problem).__name__)
        return
    books.told()
    log.info("the operator was told by mail")


# --- commands -----------------------------------------------------------------------------------------------------------

def connect(books: Books) -> int:
    state, verifier = secrets.token_hex(32), secrets.token_hex(32)
    with books.change() as db:
        db.execute("DELETE FROM login WHERE begun < ?", (time.time() - LOGIN_LIFE,))
        db.execute("INSERT INTO login VALUES (?, ?, ?)", (state, verifier, time.time()))
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    query = {
        "response_type": "code", "client_id": setting("CLIENT_ID"), "redirect_uri": setting("REDIRECT_URI"), "scope": SCOPES,
        "state": state, "code_challenge": challenge, "code_challenge_method": "S256",
    }
    print(setting("AUTHORIZE_URL") + "?" + urllib.parse.urlencode(query))
    return OK


def finish(books: Books, url: str) -> int:
    answer = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
    with books.change() as db:
        logins = db.execute("SELECT state, verifier FROM login WHERE begun > ?", (time.time() - LOGIN_LIFE,)).fetchall()
        found = next((login for login in logins if hmac.compare_digest(login[0], answer.get("state", ""))), None)
        if found:
            db.execute("DELETE FROM login WHERE state = ?", (found[0],))
    if not found:
        raise Ending(USAGE, "this address does not belong to a sign-in that was begun here")
    if "code" not in answer:
        raise Ending(SIGN_IN, "the user did not grant access")
    asked = time.time()
    fields = {"grant_type": "authorization_code", "code": answer["code"], "redirect_uri": setting("REDIRECT_URI"), "code_verifier": found[1]}
    status, body = token_request(**fields)
    if status != 200 or not body.get("access_token") or not body.get("refresh_token"):
        log.error("the sign-in failed: status %d, error %s", status, body.get("error"))
        raise Ending(UNAVAILABLE, "Pleo did not complete the sign-in")
    books.keep(body["access_token"], body["refresh_token"], lifetime(asked, body))
    log.info("connected with Pleo")
    return OK


def export(books: Books) -> int:
    pleo = Pleo(books)
    jobs = list(pleo.all("/v3/export-jobs?statuses=in_progress&statuses=pending"))
    for job in jobs:
        export_job(books, pleo, job)
    log.info("exported %d jobs", len(jobs))
    return OK


def export_job(books: Books, pleo: Pleo, job: dict) -> None:
    where = "/v3/export-jobs/" + urllib.parse.quote(job["id"], safe="") + "/items"
    if job["status"] == "pending":
        pleo.call("POST", "/v3/export-job-events", {"jobId": job["id"], "event": "started"}, fine=(422,))
    open_ = [item["accountingEntryId"] for item in pleo.all(where + "?limit=100") if item["status"] in ("pending", "in_progress")]
    with books.change() as db:
        for entry in open_:
            (last,) = db.execute("SELECT coalesce(max(number), 0) FROM journal").fetchone()
            now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            db.execute("INSERT OR IGNORE INTO journal (entry, number, booked) VALUES (?, ?, ?)", (entry, last + 1, now))
    untold = []
    for entry in open_:
        number, booked, told = books.db.execute("SELECT number, booked, told FROM journal WHERE entry = ?", (entry,)).fetchone()
        if not told:
            untold.append({"accountingEntryId": entry, "status": "successful", "externalId": str(number), "exportedAt": booked})
    for start in range(0, len(untold), 100):
        batch = untold[start : start + 100]
        status, _ = pleo.call("PUT", where, batch, fine=(404, 422))
        if status >= 400:
            log.warning("job %s is no longer open at Pleo", job["id"])
            return
        with books.change() as db:
            db.executemany("UPDATE journal SET told = 1 WHERE entry = ?", [(update["accountingEntryId"],) for update in batch])
    pleo.call("POST", "/v3/export-job-events", {"jobId": job["id"], "event": "completed"}, fine=(422,))


def status(books: Books) -> int:
    if books.tokens() is None:
        ended = books.fact("ended")
        print(f"Not connected: Pleo ended the access ({ended}). Please run `connect` to sign in again." if ended else "Not connected.")
        return SIGN_IN
    if books.fact("client_refused") == client_fingerprint():
        print("Connected, but Pleo refuses the client's credentials.")
        return CONFIGURATION
    print("Connected.")
    return OK


def disconnect(books: Books) -> int:
    if books.tokens() is not None:
        try:
            Pleo(books).call("DELETE", "/v1/installations/me", fine=(404,))
        except Ending as problem:
            log.warning("Pleo was not told: %s", problem)
    books.forget("disconnected here")
    log.info("disconnected")
    return OK


def journal(books: Books) -> int:
    for entry, number, booked in books.db.execute("SELECT entry, number, booked FROM journal ORDER BY number"):
        print(number, booked, entry)
    return OK


def setting(name: str) -> str:
    try:
        return os.environ[name]
    except KeyError:
        raise Ending(CONFIGURATION, f"{name} is not set") from None


def main() -> int:
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s: %(message)s")
    commands = {"connect": connect, "finish": finish, "export": export, "status": status, "disconnect": disconnect, "journal": journal}
    command = commands.get(sys.argv[1] if len(sys.argv) > 1 else "")
    if command is None or len(sys.argv) != (3 if command is finish else 2):
        print(__doc__, file=sys.stderr)
        return USAGE
    try:
        if command in (status, journal):
            return command(Books())
        with alone():
            books = Books()
            try:
                return command(books, *sys.argv[2:])
            finally:
                tell_the_operator(books)
    except Ending as ending:
        log.error("%s", ending)
        return ending.status


if __name__ == "__main__":
    sys.exit(main())
