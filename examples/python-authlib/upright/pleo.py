"""Pleo as this integration sees it: the authorise page, the token endpoint (through Authlib) and the resource API.

Authlib builds and parses the OAuth messages. What it leaves to its user is decided here: which answers end a grant,
which are passing trouble, and what a usable token answer is.
"""

import json
import math
import time
from dataclasses import dataclass

import requests
from authlib.integrations.requests_client import OAuth2Session

from store import Pair

# Connecting and each read. A hung token endpoint must not hold up work, users and the next attempt for long.
TIMEOUT = (3, 5)
WHOLE_ANSWER = 8  # seconds until a token answer that only trickles in is given up
LONGEST_ANSWER = 65536  # bytes; a page of a proxy, perhaps, but no token answer

# The refresh token (or the client) is refused for good. `invalid_grant` and `invalid_token` are in Pleo's pages,
# `invalid_refresh_token` was seen in the field, the others are RFC 6749's.
FINAL = {"invalid_grant", "invalid_token", "invalid_refresh_token", "unauthorized_client", "invalid_client"}

# Errors by name that say "later", whatever status they come with.
PASSING = {"temporarily_unavailable", "server_error", "slow_down"}


# A redirected token request would carry secrets to wherever the redirect points.
HTTP = {"timeout": TIMEOUT, "allow_redirects": False, "stream": True}


class Refused(Exception):
    """The authorisation server said no, and asking again cannot help."""

    def __init__(self, code: str, status: int) -> None:
        super().__init__("refused")
        self.code = code
        self.status = status


class Unavailable(Exception):
    """No usable answer this time. Says nothing about the tokens."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


@dataclass(frozen=True)
class Addresses:
    authorize: str
    token: str
    api: str
    redirect: str


class Pleo:
    def __init__(self, addresses: Addresses, client_id: str, client_secret: str, scopes: str) -> None:
        self._at = addresses
        self._client = (client_id, client_secret)
        self._scopes = scopes

    # OAuth.

    def authorize_url(self, state: str, verifier: str) -> str:
        # The scopes are the same every time: what was granted once must be granted again to resume the same work.
        with self._session(scope=self._scopes, redirect_uri=self._at.redirect) as session:
            return session.create_authorization_url(self._at.authorize, state=state, code_verifier=verifier)[0]

    def exchange(self, code: str, verifier: str) -> Pair:
        with self._session(redirect_uri=self._at.redirect) as session:
            return self._ask(lambda: session.fetch_token(
                self._at.token, grant_type="authorization_code", code=code, code_verifier=verifier, **HTTP,
            ))  # fmt: skip

    def refresh(self, refresh_token: str) -> Pair:
        # A session without scopes: Authlib would repeat them here, and if the user granted fewer, that is refused.
        with self._session() as session:
            return self._ask(lambda: session.refresh_token(
                self._at.token, refresh_token=refresh_token, **HTTP,
            ))  # fmt: skip

    # The resource API.

    def get(self, access_token: str, path: str, params: dict | None = None) -> requests.Response:
        return self._call("GET", access_token, path, params)

    def company(self, access_token: str) -> str | None:
        """The company that this token speaks for, or None if Pleo does not say."""
        try:
            response = self._call("GET", access_token, "/v1/introspect")
            return response.json()["data"]["subjectURN"] if response.ok else None
        except (Unavailable, ValueError, KeyError, TypeError):
            return None

    def remove_installation(self, access_token: str) -> int:
        return self._call("DELETE", access_token, "/v1/installations/me").status_code

    # Inside.

    def _session(self, **options) -> OAuth2Session:
        session = OAuth2Session(
            *self._client, token_endpoint_auth_method="client_secret_basic", code_challenge_method="S256", **options
        )
        session.register_compliance_hook("access_token_response", _readable)
        session.register_compliance_hook("refresh_token_response", _readable)
        return session

    def _ask(self, request) -> Pair:
        asked = time.time()
        try:
            token = request()
        except requests.RequestException as broken:
            # Perhaps Pleo did act and only the reply was lost. Then the stored refresh token is dead already, and one
            # more try with it is what finds that out.
            raise Unavailable(type(broken).__name__) from None
        lifetime = token["lifetime"]
        # Refresh a little early, but never by more than a tenth: lifetimes may be seconds or months.
        use_until = None if lifetime is None else asked + lifetime - min(30, lifetime / 10)
        return Pair(token["access_token"], token.get("refresh_token"), use_until)

    def _call(self, method: str, access_token: str, path: str, params: dict | None = None) -> requests.Response:
        try:
            return requests.request(
                method, self._at.api + path, params=params, auth=_Bearer(access_token), timeout=TIMEOUT, allow_redirects=False
            )
        except requests.RequestException as broken:
            raise Unavailable(type(broken).__name__) from None


class _Bearer(requests.auth.AuthBase):
    """As `auth=` rather than a plain header, which requests would overwrite from a ~/.netrc."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request):
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _readable(response: requests.Response) -> requests.Response:
    """Raises unless this is a token answer; then hands Authlib one without the oddities that it stumbles over."""
    response._content = _whole(response)
    body = _object(response)
    error = body.get("error")
    if isinstance(error, str) and _is_final(response.status_code, error):
        raise Refused(error, response.status_code)
    if not response.ok or not 200 <= response.status_code < 300 or error is not None:
        raise Unavailable(f"status_{response.status_code}", retry_after(response))
    access, kind = body.get("access_token"), body.get("token_type", "Bearer")
    if not isinstance(access, str) or not access or not isinstance(kind, str) or kind.lower() != "bearer":
        raise Unavailable("no_token_in_answer")
    clean = {"access_token": access, "token_type": "Bearer", "lifetime": _lifetime(body.get("expires_in"))}
    refresh = body.get("refresh_token")
    if isinstance(refresh, str) and refresh:
        clean["refresh_token"] = refresh  # without one, the stored one stays valid (RFC 6749, section 6)
    response._content = json.dumps(clean).encode()
    return response


def _whole(response: requests.Response) -> bytes:
    until, whole = time.monotonic() + WHOLE_ANSWER, bytearray()
    for byte in response.iter_content(1):  # larger pieces would be waited for
        whole += byte
        if time.monotonic() > until or len(whole) > LONGEST_ANSWER:
            response.close()
            raise Unavailable("answer_too_slow_or_too_long")
    return bytes(whole)


def _is_final(status: int, error: str) -> bool:
    if status >= 500 or status in (408, 429) or error in PASSING:
        return False
    # A named error that nobody announced still is Pleo rejecting the request; at other statuses it is noise.
    return error in FINAL or status in (400, 401, 403)


def _object(response: requests.Response) -> dict:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _lifetime(value) -> float | None:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return None
    # Nobody issues a token that is dead at birth: zero and less say as little as nothing does.
    return seconds if math.isfinite(seconds) and seconds > 0 else None


def retry_after(response: requests.Response) -> float | None:
    """Seconds, at most an hour. (Pleo sends no dates here; a date counts as no header.)"""
    value = response.headers.get("Retry-After", "")
    return min(int(value), 3600) if value.isdecimal() else None
