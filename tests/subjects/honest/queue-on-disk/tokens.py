"""Talking to Pleo's token endpoint."""

import base64
import email.utils
import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request

from common import CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, TOKEN_URL

TIMEOUT = 10
PASSING = {408, 425, 429}


class Refused(Exception):
    """Pleo said no, and means it."""

    def __init__(self, code: str, status: int):
        super().__init__(code)
        self.code, self.status = code, status


class Unavailable(Exception):
    """No usable answer; another attempt may fare better, `wait` seconds from now."""

    def __init__(self, reason: str, wait: float = 0):
        super().__init__(reason)
        self.wait = wait


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


OPENER = urllib.request.build_opener(NoRedirect, urllib.request.ProxyHandler({}))


def exchange(code: str, verifier: str) -> dict:
    answer = _ask(grant_type="authorization_code", code=code, redirect_uri=REDIRECT_URI, code_verifier=verifier)
    if not answer["refresh_token"]:
        raise Unavailable("no refresh token came with the grant")
    return answer


def refresh(token: str) -> dict:
    answer = _ask(grant_type="refresh_token", refresh_token=token)
    return {**answer, "refresh_token": answer["refresh_token"] or token}


def _ask(**form: str) -> dict:
    login = f"{urllib.parse.quote(CLIENT_ID, safe='')}:{urllib.parse.quote(CLIENT_SECRET, safe='')}"
    request = urllib.request.Request(TOKEN_URL, data=urllib.parse.urlencode(form).encode(), method="POST")
    request.add_header("Authorization", "Basic " + base64.b64encode(login.encode()).decode())
    asked, wait = time.time(), 0.0
    try:
        with OPENER.open(request, timeout=TIMEOUT) as response:
            status, raw = response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            status, raw, wait = error.code, _rest(error), _wait(error.headers.get("Retry-After", ""))
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(type(error).__name__) from None
    try:
        body = json.loads(raw)
    except ValueError:
        body = None
    body = body if isinstance(body, dict) else {}
    if isinstance(body.get("error"), str) and status < 500 and status not in PASSING:
        raise Refused(body["error"], status)
    if status in (400, 401, 403):
        raise Refused(f"http_{status}", status)
    access, fresh, lifetime = body.get("access_token"), body.get("refresh_token"), body.get("expires_in")
    if status != 200 or not isinstance(access, str) or not access:
        raise Unavailable(f"http_{status}", wait)
    try:
        expires_at = asked + float(lifetime)
    except (TypeError, ValueError):
        expires_at = None
    return {"access_token": access, "refresh_token": fresh if isinstance(fresh, str) else "", "expires_at": expires_at}


def _wait(value: str) -> float:
    """`Retry-After`, in seconds or as a date; nobody is waited for longer than a minute."""
    try:
        wait = float(value) if value.isdigit() else email.utils.parsedate_to_datetime(value).timestamp() - time.time()
    except ValueError:
        return 0.0
    return min(max(wait, 0.0), 60.0)


def _rest(error: urllib.error.HTTPError) -> bytes:
    try:
        return error.read()
    except (OSError, http.client.HTTPException):
        return b""
