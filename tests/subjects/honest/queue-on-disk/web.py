"""The web process: takes accounts in, shows how things stand, and lets the user connect Pleo."""

import base64
import hashlib
import hmac
import html
import http.cookies
import json
import os
import secrets
import signal
import threading
import time
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import common
import tokens
from common import log

LOGIN_LIFE = 600
SHOWN = {"new": "not connected", "active": "connected", "needs_login": "login required", "bad_client": "client error"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """No access log: it would hold authorisation codes."""

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if url.path == "/":
            self.home(query)
        elif url.path == "/health":
            self.json(200, self.health())
        elif url.path == "/accounts":
            self.json(200, [row["account"] for row in rows("SELECT account FROM outbox WHERE state = 'sent' ORDER BY account")])
        elif url.path.startswith("/accounts/"):
            self.account(urllib.parse.unquote(url.path.removeprefix("/accounts/")))
        elif url.path == "/settings":
            self.json(200, {row["name"]: row["value"] for row in rows("SELECT * FROM settings")})
        elif url.path == "/pleo/login":
            self.login(query.get("to", "/"))
        elif url.path == "/pleo/callback":
            self.callback(query)
        else:
            self.text(404, "There is nothing here.")

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/accounts":
            self.take(body)
        elif self.path == "/pleo/disconnect":
            self.disconnect()
        else:
            self.text(404, "There is nothing here.")

    def take(self, body: bytes) -> None:
        try:
            wish = json.loads(body)
            account = str(wish["id"])
            name = str(wish.get("name") or account)
        except (ValueError, KeyError, TypeError, AttributeError):
            self.json(400, {"problem": "id is missing"})
            return
        with common.transaction() as database:
            database.execute("INSERT OR IGNORE INTO outbox (account, name) VALUES (?, ?)", (account, name))
        self.json(202, {"id": account, "state": "waiting"})

    def account(self, account: str) -> None:
        found = rows("SELECT account, state, problem FROM outbox WHERE account = ?", account)
        self.json(200, dict(found[0])) if found else self.json(404, {"problem": "unknown"})

    def health(self) -> dict:
        waiting = rows("SELECT count(*) AS n FROM outbox WHERE state = 'waiting'")[0]["n"]
        known = rows("SELECT count(*) AS n FROM connection")[0]["n"]
        return {"pleo": SHOWN[common.connection()["state"]], "connections": known, "outbox": waiting}

    def home(self, query: dict) -> None:
        state, waiting = common.connection()["state"], self.health()["outbox"]
        here = urllib.parse.quote(self.path, safe="")
        body = {
            "new": f'<p>Connect Pleo to send it your accounts.</p><p><a href="/pleo/login?to={here}">Connect</a></p>',
            "active": "<p>Accounts are sent to Pleo.</p>",
            "bad_client": "<p>Sending is on hold while we fix a fault on our side. You need not do anything.</p>",
            "needs_login": '<p class="warning">Pleo no longer lets us in: the authorisation was revoked or has expired.'
            f' Please log in again; what waits is then sent.</p><p><a href="/pleo/login?to={here}">Log in to Pleo again</a></p>',
        }[state]
        page = f"<!doctype html><html lang=en><title>Chart of accounts</title><h1>Chart of accounts</h1>{body}<p>Waiting: {waiting}</p></html>"
        self.reply(200, "text/html; charset=utf-8", page.encode())

    def login(self, target: str) -> None:
        state, verifier, browser = (secrets.token_urlsafe(32) for _ in range(3))
        target = target if target.startswith("/") and not target.startswith("//") and "\\" not in target else "/"
        with common.transaction() as database:
            database.execute("DELETE FROM logins WHERE begun < ?", (time.time() - LOGIN_LIFE,))
            database.execute("INSERT INTO logins VALUES (?, ?, ?, ?, ?)", (state, verifier, browser, target, time.time()))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = urllib.parse.urlencode({
            "response_type": "code", "client_id": common.CLIENT_ID, "redirect_uri": common.REDIRECT_URI, "scope": common.SCOPE,
            "state": state, "code_challenge": challenge, "code_challenge_method": "S256",
        })
        log("info", "login_begun")
        cookie = f"pleo_login={browser}; Path=/pleo/callback; Max-Age={LOGIN_LIFE}; HttpOnly; SameSite=Lax"
        self.reply(302, "text/plain", b"", {"Location": f"{common.AUTHORIZE_URL}?{query}", "Set-Cookie": cookie})

    def callback(self, query: dict) -> None:
        cookies = http.cookies.SimpleCookie(self.headers.get("Cookie", ""))
        browser = cookies["pleo_login"].value if "pleo_login" in cookies else ""
        with common.transaction() as database:
            row = database.execute("SELECT * FROM logins WHERE state = ?", (query.get("state", ""),)).fetchone()
            known = row is not None and hmac.compare_digest(row["browser"], browser) and row["begun"] > time.time() - LOGIN_LIFE
            if known:
                database.execute("DELETE FROM logins WHERE state = ?", (row["state"],))
        if not known:
            log("warning", "callback_refused", reason="unknown_state")
            self.text(400, "This login was not begun here or is too old. Please start again.")
            return
        if not query.get("code"):
            log("warning", "login_not_completed", denied=query.get("error") == "access_denied")
            self.text(200, "Pleo was not connected. Nothing has changed; you can try again at any time.")
            return
        try:
            fresh = tokens.exchange(query["code"], row["verifier"])
        except tokens.Refused as refusal:
            log("error", "login_failed", reason=refusal.code)
            self.text(502, "Pleo did not accept the login. Please try again.")
            return
        except tokens.Unavailable as problem:
            log("error", "login_failed", reason=problem)
            self.text(503, "Pleo cannot be reached at the moment. Please try again.")
            return
        common.change(None, state="active", **fresh)
        with common.transaction() as database:
            database.execute("UPDATE outbox SET attempts = 0, due = 0 WHERE state = 'waiting'")
        log("info", "login_completed")
        self.reply(303, "text/plain", b"", {"Location": row["target"]})

    def disconnect(self) -> None:
        row = common.connection()
        if row["access_token"]:
            request = urllib.request.Request(common.API_URL + "/v1/installations/me", method="DELETE")
            request.add_header("Authorization", f"Bearer {row['access_token']}")
            try:
                tokens.OPENER.open(request, timeout=10).close()
            except OSError as problem:
                log("warning", "disconnect_not_told", reason=type(problem).__name__)
        common.change(None, state="new", access_token=None, refresh_token=None, expires_at=None)
        log("info", "disconnected")
        self.json(200, self.health())

    def json(self, status: int, body) -> None:
        self.reply(status, "application/json", json.dumps(body).encode())

    def text(self, status: int, words: str) -> None:
        self.reply(status, "text/html; charset=utf-8", f"<!doctype html><p>{html.escape(words)}</p><p><a href='/'>Back</a></p>".encode())

    def reply(self, status: int, kind: str, body: bytes, headers: dict | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def rows(query: str, *values) -> list:
    with common.transaction() as database:
        return database.execute(query, values).fetchall()


def main() -> None:
    common.prepare()
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler)
    server.daemon_threads = True
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    log("info", "web_started", port=os.environ["PORT"])
    server.serve_forever(poll_interval=0.2)


if __name__ == "__main__":
    main()
