"""What users see and do: pages rendered here, a status in JSON, and the way to Pleo's consent page and back."""

import base64
import hashlib
import html
import http.cookies
import http.server
import json
import logging
import secrets
import time
import urllib.parse

import pleo
import store
from access import Keeper, plain
from faults import planted
from problems import ClientRefused, Passing, Refused

SCOPES = "export-jobs:read export-jobs:write users:read"
LOGIN_LIFE = 600
FAREWELL_LIMIT = 3
SHOWN = {"new": "not connected", "connected": "connected", "ended": "reauthorise", "misconfigured": "misconfigured"}

log = logging.getLogger("keeper.pages")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    keeper: Keeper
    legs: list = []

    def log_message(self, *words):
        """No access log: it would hold authorisation codes."""

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if url.path == "/":
            self.page("Books Pleo's accounting entries.")
        elif url.path == "/people":
            names = "".join(f"<li>{html.escape(person['name'])}</li>" for person in store.records()["people"])
            self.page(f"Staff:</p><ul>{names}</ul><p>")
        elif url.path == "/health":
            self.json(self.health())
        elif url.path == "/settings":
            self.json(store.settings())
        elif url.path == "/records":
            self.json(store.records())
        elif url.path == "/connect":
            self.connect(query)
        elif url.path == "/callback":
            self.callback(query)
        else:
            self.text(404, "There is nothing here.")

    def do_POST(self):
        url = urllib.parse.urlsplit(self.path)
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if url.path in ("/export", "/hooks/pleo"):
            self.take()
        elif url.path == "/disconnect":
            self.disconnect()
        else:
            self.text(404, "There is nothing here.")

    def take(self) -> None:
        """Accepted work is in the store before it is acknowledged."""
        with store.transaction() as database:
            task = database.execute("INSERT INTO task DEFAULT VALUES").lastrowid
        self.wake()
        self.json({"task": task}, 202)

    def wake(self) -> None:
        for leg in self.legs:
            leg.wake()

    def health(self) -> dict:
        (waiting,) = store.rows("SELECT count(*) AS tasks FROM task")
        record = self.keeper.record()
        connections = [] if record.state == "new" else ["pleo"]
        return {"pleo": SHOWN[record.state], "cause": record.cause, "waiting": waiting["tasks"], "connections": connections}

    def page(self, content: str) -> None:
        again = urllib.parse.urlencode({"next": self.path})
        link = f'<a href="/connect?{html.escape(again)}">Connect with Pleo</a>'
        notice = {
            "new": f"Not connected with Pleo yet. {link}",
            "connected": "Connected with Pleo.",
            "misconfigured": f"Pleo access has ended: Pleo refuses this application. Its operator has to look at it; if that does not help: {link}",
            "ended": f"Pleo access has ended: the authorisation expired or was revoked. Your settings are kept and your work waits. {link}",
        }[self.keeper.record().state]
        self.text(200, f"{content}</p><p class=notice>{notice}")

    def connect(self, query: dict) -> None:
        again = self.keeper.record().state == "ended"
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        session = self.cookie() or secrets.token_urlsafe(24)
        store.begin_login(state, session, verifier, local(query.get("next")))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code", "client_id": pleo.CLIENT_ID, "redirect_uri": pleo.REDIRECT_URI, "scope": SCOPES, "state": state,
            "code_challenge": challenge, "code_challenge_method": "S256",
        }
        log.info("%s started: the user was sent to Pleo", "reauthentication" if again else "authorisation")
        cookie = f"keeper={session}; Path=/; HttpOnly; SameSite=Lax"
        self.redirect(f"{pleo.AUTHORIZE_URL}?{urllib.parse.urlencode(asked)}", {"Set-Cookie": cookie})

    def callback(self, query: dict) -> None:
        login = store.take_login(query.get("state", ""), self.cookie(), time.time() - LOGIN_LIFE)
        if login is None:
            log.warning("a callback was refused: its login was not begun here")
            return self.text(400, "This login was not begun here, or it is over. Nothing has changed.")
        if not query.get("code"):
            log.warning("login not completed")
            return self.text(200, "Pleo was not connected. Nothing has changed.")
        number = store.act()
        try:
            fresh = pleo.exchange(query["code"], login["verifier"])
            if not fresh["refresh"]:
                raise Passing("no refresh token came with the grant")
        except (Refused, ClientRefused, Passing) as problem:
            what = plain(problem.code) if isinstance(problem, Refused) else type(problem).__name__
            log.error("login failed: %s", what)
            return self.text(502, "Pleo did not complete the login. Nothing has changed; please try again.")
        if planted("login-used-up-late"):
            store.forget_login(query["state"])
        self.keeper.connect(number, fresh)
        self.wake()
        self.redirect(login["target"])

    def disconnect(self) -> None:
        """The tokens go first; whether Pleo hears of it changes nothing."""
        token = self.keeper.disconnect()
        if token:
            try:
                status, _ = pleo.call("DELETE", "/v1/installations/me", token, limit=FAREWELL_LIMIT)
            except Passing as problem:
                status = problem
            log.info("Pleo was told of the disconnection: %s", status)
        self.json(self.health())

    def cookie(self) -> str:
        cookies = http.cookies.SimpleCookie(self.headers.get("Cookie", ""))
        return cookies["keeper"].value if "keeper" in cookies else ""

    def json(self, body, status: int = 200) -> None:
        self.reply(status, "application/json", json.dumps(body).encode())

    def text(self, status: int, words: str) -> None:
        head = "<!doctype html><html lang=en><title>Keeper</title><h1>Keeper</h1>"
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
