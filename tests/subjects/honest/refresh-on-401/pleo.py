"""Pleo's API. Expiry times are ignored on purpose: a 401 is what tells that a token must be renewed."""

import base64
import hashlib
import logging
import os
import threading
import urllib.parse

import requests
import requests.auth

import database

log = logging.getLogger("pleo")
CLIENT_ID, CLIENT_SECRET = os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"]
REDIRECT_URI = os.environ["REDIRECT_URI"]
API = os.environ["API_URL"].rstrip("/")
SCOPE = "users:read"
LIMIT = (5, 10)  # seconds to connect, and to answer
http = requests.Session()
http.trust_env = False  # no netrc, no proxies: they would send our credentials elsewhere
renewing = threading.Lock()


class Problem(Exception):
    """It did not work; the text is fit for logs."""


class SignedOut(Problem):
    """Nobody has signed in, or what they signed has ended."""


def authorize_url(state, verifier):
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    return os.environ["AUTHORIZE_URL"] + "?" + urllib.parse.urlencode({
        "response_type": "code", "client_id": CLIENT_ID, "redirect_uri": REDIRECT_URI, "scope": SCOPE, "state": state,
        "code_challenge": challenge, "code_challenge_method": "S256",
    })


def sign_in(code, verifier):
    status, body = ask({"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT_URI, "code_verifier": verifier})
    access, refresh = body.get("access_token"), body.get("refresh_token")
    if status != 200 or not access or not refresh:
        raise Problem(f"token endpoint: {status} {body.get('error', '')}")
    # A sign-in outranks whatever else is going on.
    while not database.change_link(database.link()["serial"], "linked", access, refresh):
        pass


def sign_out():
    link = database.link()
    if link["state"] == "linked":
        try:
            call("DELETE", "/v1/installations/me")
        except Problem as problem:
            log.warning("pleo_not_told", extra={"reason": str(problem)})
    while not database.change_link(database.link()["serial"], "never"):
        pass


def employees():
    after = None
    while True:
        page = call("GET", "/v2/employees", {"limit": 100, **({"after": after} if after else {})})
        for person in page["data"]:
            yield {"id": person["id"], "name": f"{person['firstName']} {person['lastName']}", "email": person["email"]}
        if not page["pagination"]["hasNextPage"]:
            return
        after = page["pagination"]["endCursor"]


def call(method, path, query=None):
    link = database.link()
    if link["state"] != "linked":
        raise SignedOut(link["state"])
    answer = send(method, path, query, link["access"])
    if answer.status_code == 401:
        log.info("access_token_rejected")
        answer = send(method, path, query, renew(link["access"]))
    if not answer.ok:
        raise Problem(f"{method} {path}: {answer.status_code}")
    if not answer.content:
        return None
    try:
        return answer.json()
    except ValueError:
        raise Problem(f"{method} {path}: no JSON") from None


def send(method, path, query, token):
    try:
        return http.request(method, API + path, params=query, headers={"Authorization": f"Bearer {token}"}, timeout=LIMIT, allow_redirects=False)
    except requests.RequestException as error:
        raise Problem(f"{method} {path}: {type(error).__name__}") from None


def renew(rejected):
    """A token in place of the rejected one: our own, or the one that somebody else has fetched meanwhile."""
    with renewing:
        link = database.link()
        if link["state"] != "linked":
            raise SignedOut(link["state"])
        if link["access"] != rejected:
            return link["access"]
        log.info("token_refresh_started")
        try:
            status, body = ask({"grant_type": "refresh_token", "refresh_token": link["refresh"]})
        except Problem as problem:
            log.warning("token_refresh_failed", extra={"reason": str(problem), "temporary": True})
            raise
        access, error = body.get("access_token"), body.get("error")
        if status == 200 and access:
            if not database.change_link(link["serial"], "linked", access, body.get("refresh_token") or link["refresh"]):
                raise Problem("the link changed while it was renewed")
            log.info("token_refresh_succeeded")
            return access
        # Some servers refuse with the status of a success.
        if status >= 500 or status in (408, 429) or not error:
            log.warning("token_refresh_failed", extra={"reason": f"status {status}", "temporary": True})
            raise Problem(f"token endpoint: {status}")
        log.error("token_refresh_failed", extra={"reason": error, "status": status, "temporary": False})
        if error == "invalid_client":
            log.critical("client_credentials_rejected")
            # Without a valid client there is nothing to call with; the tokens are no use either way.
            database.change_link(link["serial"], "ended")
        elif database.change_link(link["serial"], "ended"):
            log.error("authorization_ended", extra={"cause": error, "note": "revoked or expired"})
        log.warning("reauthentication_required")
        raise SignedOut(error)


def ask(fields):
    """Status and body of the token endpoint's answer."""
    quoted = [urllib.parse.quote(part, safe="") for part in (CLIENT_ID, CLIENT_SECRET)]
    try:
        answer = http.post(os.environ["TOKEN_URL"], data=fields, auth=requests.auth.HTTPBasicAuth(*quoted), timeout=LIMIT, allow_redirects=False)
    except requests.RequestException as error:
        raise Problem(f"token endpoint: {type(error).__name__}") from None
    try:
        body = answer.json()
    except ValueError:
        body = {}
    return answer.status_code, body if isinstance(body, dict) else {}
