"""Pleo as this program speaks to it: the token endpoint and the API, over `http.client`, one connection a request."""

import base64
import http.client
import json
import os
import time
import urllib.parse

from problems import ClientRefused, Passing, Refused

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


def exchange(code: str, verifier: str) -> dict:
    return _tokens(TOKEN_LIMIT, grant_type="authorization_code", code=code, redirect_uri=REDIRECT_URI, code_verifier=verifier)


def refresh(token: str, limit: float) -> dict:
    return _tokens(limit, grant_type="refresh_token", refresh_token=token)


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


def _tokens(limit: float, **form: str) -> dict:
    login = f"{urllib.parse.quote(CLIENT_ID, safe='')}:{urllib.parse.quote(CLIENT_SECRET, safe='')}"
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "application/json",
        "Authorization": "Basic " + base64.b64encode(login.encode()).decode(),
    }
    asked = time.time()
    status, answer_headers, raw = _send("POST", TOKEN_URL, headers, urllib.parse.urlencode(form).encode(), limit)
    try:
        answer = json.loads(raw)
    except ValueError:
        answer = None
    answer = answer if isinstance(answer, dict) else {}
    _judge(status, answer, _seconds(answer_headers.get("retry-after")))
    lifetime = _number(answer.get("expires_in"))
    fresh = answer.get("refresh_token")
    return {
        "access": answer["access_token"],
        "refresh": fresh if isinstance(fresh, str) else None,
        "expires_at": None if lifetime is None else asked + lifetime,
        "lifetime": lifetime,
    }


def _judge(status: int, answer: dict, wait: float | None) -> None:
    """Returns if there are tokens in the answer."""
    code = answer.get("error") if isinstance(answer.get("error"), str) else None
    if code is not None and status < 500 and status not in (408, 429):
        if code == "invalid_client":
            raise ClientRefused
        if code in FINAL or (400 <= status < 500 and code not in PATIENCE):
            raise Refused(code, status)
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
        raise Passing("no answer in time", repeat=False, lost=True) from None
    except ConnectionRefusedError as error:
        raise Passing(type(error).__name__) from None
    except (OSError, http.client.HTTPException) as error:
        raise Passing(type(error).__name__, lost=True) from None
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
