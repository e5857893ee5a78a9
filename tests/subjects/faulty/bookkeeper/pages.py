"""What users see and do: pages rendered here, a status in JSON, and the way to Pleo's consent page and back."""

import base64
import hashlib
import html
import http.cookies
import http.server
import json
import logging
import secrets
import threading
import time
import urllib.parse

import books
import pleo
from access import Keeper, _plain
from faults import planted

SCOPES = "export-jobs:read export-jobs:write users:read"
LOGIN_LIFE = 600
FAREWELL_LIMIT = 3
SHOWN = {"new": "not connected", "connected": "connected", "ended": "reauthorise", "misconfigured": "misconfigured"}

log = logging.getLogger("bookkeeper.pages")
logins: dict[str, dict] = {}
logins_lock = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    legs: dict = {}

    def log_message(self, *words):
        """No access log: it would hold authorisation codes."""
        if planted("default-access-log"):
            super().log_message(*words)

    def do_GET(self):
        url, query = self.asked()
        if planted("one-lock-for-all"):
            with self.keeper.turn:
                while self.keeper.refreshing is not None:
                    self.keeper.turn.wait()
        if url.path == "/":
            self.page("Books Pleo's accounting entries.")
        elif url.path == "/people":
            names = "".join(f"<li>{html.escape(person['name'])}</li>" for person in books.records(self.name)["people"])
            self.page(f"Staff:</p><ul>{names}</ul><p>")
        elif url.path == "/health":
            self.json(self.health())
        elif url.path == "/settings":
            self.json(books.settings(self.name))
        elif url.path == "/records":
            self.json(books.records(self.name))
        elif url.path == "/connect":
            self.connect(query)
        elif url.path == "/callback":
            self.callback(query)
        else:
            self.text(404, "There is nothing here.")

    def do_POST(self):
        url, _ = self.asked()
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if url.path == "/export":
            self.take("user")
        elif url.path == "/hooks/pleo":
            self.take("hook")
        elif url.path == "/disconnect":
            self.disconnect()
        else:
            self.text(404, "There is nothing here.")

    def asked(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        name = query.get("connection", books.NAMES[0])
        self.name = name if name in books.NAMES else books.NAMES[0]
        self.keeper = Keeper.keepers[self.name]
        return url, query

    def take(self, source: str) -> None:
        """Accepted work is in the database before it is acknowledged."""
        with books.transaction() as database:
            task = database.execute("INSERT INTO task (connection, source) VALUES (?, ?)", (self.name, source)).lastrowid
        for leg in self.legs[self.name]:
            leg.wake()
        if planted("no-second-try") and not all([leg.came_of(task) for leg in self.legs[self.name]]):
            return self.json({"error": "Pleo did not accept the access token"}, 502)
        self.json({"task": task}, 202)

    def state(self) -> str:
        state = self.keeper.record().state
        if planted("row-exists") or (planted("hides-the-misconfiguration") and state == "misconfigured"):
            return "connected" if state != "new" else state
        if planted("health-in-memory") and state == "ended" and self.keeper.dead_refresh is None:
            return "connected"
        if planted("one-healthy-hides-another") and any(books.record(name).state == "connected" for name in books.NAMES):
            return "connected"
        if books.note(f"latched-{self.name}") or (planted("marks-the-account") and books.note("account-ended") not in (None, self.name)):
            return "ended"
        return state

    def health(self) -> dict:
        waiting = len(books.rows("SELECT id FROM task WHERE connection = ?", self.name))
        state = self.state()
        connections = [] if state == "new" else [self.name] + [self.name] * len(books.note("second") or "")
        shown = {"pleo": SHOWN[state], "cause": self.keeper.record().cause, "waiting": waiting, "connections": connections}
        if planted("status-with-everything"):
            shown["token"] = self.keeper.record().access
        return shown

    def page(self, content: str) -> None:
        state, again = self.state(), urllib.parse.urlencode({"connection": self.name, "next": self.path})
        link = f'<a href="/connect?{html.escape(again)}">Connect with Pleo</a>'
        if planted("blip-asks-the-user") and self.keeper.failures and state == "connected":
            state = "ended"
        if planted("no-way-back") and state == "ended":
            link = ""
        notice = {
            "new": f"Not connected with Pleo yet. {link}",
            "connected": "Connected with Pleo.",
            "misconfigured": f"Pleo access has ended: Pleo refuses this application. Its operator has to look at it; if that does not help: {link}",
            "ended": f"Pleo access has ended: the authorisation expired or was revoked. Your settings are kept and your work waits. {link}",
        }[state]
        if planted("an-error-field-nobody-reads"):
            notice = link if state == "ended" else "Connected with Pleo."
        self.text(200, f"{content}</p><p class=notice>{notice}")

    def connect(self, query: dict) -> None:
        before = self.keeper.record()
        again = before.state == "ended"
        if again and planted("connected-already"):
            return self.redirect("/")
        if again and planted("detours") and query.get("step", "") != "...":
            more = urllib.parse.urlencode({**query, "step": query.get("step", "") + "."})
            return self.text(200, f'Did you know? <a href="/connect?{html.escape(more)}">Go on</a>')
        if planted("clears-before-asking"):
            books.change(self.name, None, access=None, refresh=None)
        state = format(int(time.time() * 1000), "x") if planted("state-from-the-clock") else secrets.token_urlsafe(32)
        verifier = secrets.token_urlsafe(48)
        session = self.cookie() or secrets.token_urlsafe(24)
        login = {"verifier": verifier, "session": session, "connection": self.name, "next": local(query.get("next")), "at": time.monotonic()}
        with logins_lock:
            for old in [key for key, value in logins.items() if time.monotonic() - value["at"] > LOGIN_LIFE]:
                del logins[old]
            logins[state] = login
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code", "client_id": pleo.CLIENT_ID, "redirect_uri": pleo.REDIRECT_URI, "scope": SCOPES, "state": state,
            "code_challenge": challenge, "code_challenge_method": "S256",
        }
        if again and planted("asks-for-less-again"):
            asked["scope"] = "export-jobs:read export-jobs:write"
        if again and planted("the-old-way-back"):
            del asked["code_challenge"], asked["code_challenge_method"]
        if planted("login-stays-on-disk"):
            books.note("login", f"{state} {verifier}")
        if not planted("never-asks-in-the-log"):
            log.info("connection=%s %s started: the user was sent to Pleo", self.name, "reauthentication" if again else "authorisation")
        cookie = f"books={session}; Path=/; HttpOnly; SameSite=Lax"
        self.redirect(f"{pleo.AUTHORIZE_URL}?{urllib.parse.urlencode(asked)}", {"Set-Cookie": cookie})

    def callback(self, query: dict) -> None:
        with logins_lock:
            login = logins.get(query.get("state", ""))
            if "state" not in query and planted("state-only-if-sent"):
                login = next(reversed(logins.values()), None)
            if login and login["session"] != self.cookie():
                login = None
            if login and not planted("login-is-good-twice"):
                logins.pop(query.get("state", ""), None)
        if login is None:
            log.warning("a callback was refused: its login was not begun here")
            return self.text(400, "This login was not begun here, or it is over. Nothing has changed.")
        keeper = Keeper.keepers[login["connection"]]
        if not query.get("code"):
            log.warning("connection=%s login not completed", keeper.name)
            return self.text(200, "Pleo was not connected. Nothing has changed.")
        try:
            fresh = pleo.exchange(query["code"], login["verifier"])
            if not fresh["refresh"]:
                raise pleo.Passing("no refresh token came with the grant")
        except (pleo.Refused, pleo.ClientRefused, pleo.Passing) as problem:
            what = _plain(problem.code) if isinstance(problem, pleo.Refused) else type(problem).__name__
            log.error("connection=%s login failed: %s", keeper.name, what)
            if planted("stores-the-failed-exchange"):
                books.change(keeper.name, None, access="None", refresh="None")
            return self.text(502, "Pleo did not complete the login. Nothing has changed; please try again.")
        if keeper.record().state == "ended" and planted("a-second-connection"):
            books.note("second", (books.note("second") or "") + "x")
        keeper.paused = planted("stays-paused") and keeper.record().state == "ended"
        try:
            keeper.connect(fresh)
        except ValueError as problem:
            log.error("connection=%s the login could not be stored: %s", keeper.name, problem)
            return self.text(500, "Something went wrong here. Nothing has changed.")
        for leg in self.legs[keeper.name]:
            leg.wake()
        self.redirect("/" if planted("forgets-the-place") else login["next"])

    def disconnect(self) -> None:
        """The tokens go first; whether Pleo hears of it changes nothing."""
        if planted("pleo-must-agree"):
            token = self.keeper.record().access
            status = pleo.call("DELETE", "/v1/installations/me", token, limit=FAREWELL_LIMIT)[0]
            if status >= 300:
                return self.text(502, "Pleo did not agree.")
        token = self.keeper.disconnect()
        if token and not planted("leaves-without-a-word"):
            try:
                status, _ = pleo.call("DELETE", "/v1/installations/me", token, limit=FAREWELL_LIMIT)
            except pleo.Passing as problem:
                status = problem
            log.info("connection=%s Pleo was told of the disconnection: %s", self.name, status)
        self.json(self.health())

    def cookie(self) -> str:
        cookies = http.cookies.SimpleCookie(self.headers.get("Cookie", ""))
        return cookies["books"].value if "books" in cookies else ""

    def json(self, body, status: int = 200) -> None:
        self.reply(status, "application/json", json.dumps(body).encode())

    def text(self, status: int, words: str) -> None:
        head = "<!doctype html><html lang=en><title>Bookkeeper</title><h1>Bookkeeper</h1>"
        self.reply(status, "text/html; charset=utf-8", f"{head}<p>{words}</p></html>".encode())

    def redirect(self, where: str, headers: dict | None = None) -> None:
        self.reply(303, "text/plain", b"", {"Location": where, **(headers or {})})

    def reply(self, status: int, kind: str, body: bytes, headers: dict | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def local(place: str | None) -> str:
    """A place in this program; anything else is the front page."""
    fine = place and place.startswith("/") and not place.startswith("//") and place.isascii() and place.isprintable() and "\\" not in place
    return place if fine else "/"
