"""Pleo as this program speaks to it: the token endpoint and the API, over `http.client`, one connection a request."""

import base64
import http.client
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request

from faults import log_to, planted

AUTHORIZE_URL = os.environ["AUTHORIZE_URL"]
TOKEN_URL = os.environ["TOKEN_URL"]
API_URL = os.environ["API_URL"].rstrip("/")
CLIENT_ID = os.environ["CLIENT_ID"]
CLIENT_SECRET = os.environ["CLIENT_SECRET"]
REDIRECT_URI = os.environ["REDIRECT_URI"]

TOKEN_LIMIT = 8
API_LIMIT = 15
FINAL = {"invalid_grant", "invalid_token", "invalid_refresh_token", "unauthorized_client"}
PATIENCE = {"temporarily_unavailable", "server_error", "slow_down"}


class Refused(Exception):
    """Pleo refuses the token, and means it."""

    def __init__(self, code: str, status: int):
        super().__init__(code)
        self.code, self.status = code, status


class ClientRefused(Exception):
    """Pleo refuses the credentials of this program."""


class Passing(Exception):
    """No usable answer: another attempt may fare better."""

    def __init__(self, what: str, wait: float | None = None, repeat: bool = True):
        super().__init__(what)
        self.wait, self.repeat = wait, repeat


def exchange(code: str, verifier: str) -> dict:
    return _tokens(grant_type="authorization_code", code=code, redirect_uri=REDIRECT_URI, code_verifier=verifier)


def refresh(token: str) -> dict:
    return _tokens(grant_type="refresh_token", refresh_token=token)


def own_token() -> None:
    """Planted: asks for tokens without the user."""
    try:
        _tokens(grant_type="client_credentials")
    except (Refused, ClientRefused, Passing):
        pass


def call(method: str, path: str, token: str | None, query: dict | None = None, body=None, limit: float = API_LIMIT):
    """One API call: status and answer."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    target = API_URL + path + ("?" + urllib.parse.urlencode(query, doseq=True) if query else "")
    status, _, raw = _send(method, target, headers, None if body is None else json.dumps(body).encode(), limit)
    try:
        return status, json.loads(raw) if raw else None
    except ValueError:
        raise Passing(f"unreadable answer with HTTP {status}") from None


def _tokens(**form: str) -> dict:
    refreshing = form["grant_type"] == "refresh_token"
    login = f"{urllib.parse.quote(CLIENT_ID, safe='')}:{urllib.parse.quote(CLIENT_SECRET, safe='')}"
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    if not (refreshing and planted("refresh-without-credentials")):
        headers["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
    body = urllib.parse.urlencode(form)
    if planted("unescaped-secret"):
        del headers["Authorization"]
        body += f"&client_id={CLIENT_ID}&client_secret={CLIENT_SECRET.replace('%', '%25').replace('&', '%26')}"
    asked = time.time()
    status, answer_headers, raw = _token_request(body, headers, refreshing)
    try:
        answer = json.loads(raw)
    except ValueError:
        answer = None
    if planted("logs-the-answer"):
        log_to("pleo.tokens", "token endpoint answered %s %s", status, raw.decode(errors="replace"))
    answer = answer if isinstance(answer, dict) else {}
    _judge(status, answer, _seconds(answer_headers.get("retry-after")))
    if planted("lifetime-is-needed") and refreshing:
        answer["expires_in"] = int(answer["expires_in"])
    lifetime = _number(answer.get("expires_in"))
    return {
        "access": answer.get("access_token"),
        "refresh": answer.get("refresh_token") if isinstance(answer.get("refresh_token"), str) else None,
        "expires_at": None if lifetime is None else asked + lifetime,
        "lifetime": lifetime,
    }


def _token_request(body: str, headers: dict, refreshing: bool):
    if planted("follows-redirects"):
        return _with_urllib(body, headers)
    attempts = 8 if refreshing and planted("the-client-retries-posts") else 1
    while True:
        attempts -= 1
        try:
            status, answer_headers, raw = _send("POST", TOKEN_URL, headers, body.encode(), 300 if planted("no-time-limit") else TOKEN_LIMIT)
        except Passing:
            if attempts:
                continue
            raise
        if status < 500 or not attempts:
            break
    if refreshing and status in (400, 401) and planted("other-style-next"):
        del headers["Authorization"]
        extra = urllib.parse.urlencode({"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET})
        return _send("POST", TOKEN_URL, headers, f"{body}&{extra}".encode(), TOKEN_LIMIT)
    return status, answer_headers, raw


def _with_urllib(body: str, headers: dict):
    request = urllib.request.Request(TOKEN_URL, data=body.encode(), headers=headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=TOKEN_LIMIT) as response:
            return response.status, {k.lower(): v for k, v in response.headers.items()}, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, {k.lower(): v for k, v in error.headers.items()}, error.read()
    except (OSError, http.client.HTTPException) as error:
        raise Passing(type(error).__name__) from None


def _judge(status: int, answer: dict, wait: float | None) -> None:
    """Returns if there are tokens in the answer."""
    code = answer.get("error") if isinstance(answer.get("error"), str) else None
    if planted("description-hides-the-code"):
        code = answer.get("error_description") or code
    if code is not None and status < 500 and status not in (408, 429):
        if code == "invalid_client":
            raise ClientRefused
        known = code in FINAL or (400 <= status < 500 and code not in PATIENCE and not planted("description-hides-the-code"))
        if planted("only-400-is-final"):
            known = known and status == 400
        if planted("needs-the-phrase"):
            known = known and "expired" in (answer.get("error_description") or "")
        if known and not (status == 200 and planted("200-means-tokens")):
            raise Refused(code, status)
    if planted("429-is-a-refusal") and status == 429:
        raise Refused("http_429", status)
    if planted("any-fault-is-final") and status != 200:
        raise Refused(f"http_{status}", status)
    if planted("200-means-tokens") and status == 200:
        return
    access = answer.get("access_token")
    usable = status == 200 and code is None and isinstance(access, str) and access.isascii() and access.isprintable() and " " not in access
    if not usable or not access:
        raise Passing("unusable token answer" if status == 200 else f"HTTP {status}", wait)


def _send(method: str, url: str, headers: dict, body: bytes | None, limit: float):
    parts = urllib.parse.urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    line = kind(parts.hostname, parts.port, timeout=limit)
    until = time.monotonic() + limit
    try:
        line.request(method, parts.path + (f"?{parts.query}" if parts.query else ""), body, headers)
        response = line.getresponse()
        raw = b""
        while chunk := response.read1(65536):
            raw += chunk
            if time.monotonic() > until:
                raise TimeoutError
        if response.length:
            raise http.client.IncompleteRead(raw)
        return response.status, {name.lower(): value for name, value in response.getheaders()}, raw
    except TimeoutError:
        # Another attempt right after a long wait would only make the user wait longer.
        raise Passing("no answer in time", repeat=False) from None
    except (OSError, http.client.HTTPException) as error:
        raise Passing(type(error).__name__) from None
    finally:
        line.close()


def _number(value) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if 0 < number < 4e9 else None


def _seconds(value: str | None) -> float | None:
    return float(value) if value is not None and value.isdigit() else None
