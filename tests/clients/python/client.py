"""Connects, refreshes twice and is refused, with the library named by the argument."""

import json
import os
import sys

import requests

AUTHORIZE_URL, TOKEN_URL, API_URL = (os.environ[name] for name in ("AUTHORIZE_URL", "TOKEN_URL", "API_URL"))
CLIENT = os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"]
REDIRECT_URI, SCOPES = os.environ["REDIRECT_URI"], os.environ["SCOPES"]


def consent(url):
    """What the user's browser is sent back with."""
    answer = requests.get(url, allow_redirects=False, timeout=20)
    assert answer.status_code == 302, answer.text
    return answer.headers["Location"]


def call(token):
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(f"{API_URL}/v2/employees", headers=headers, timeout=20).status_code


def until_revoked():
    print('{"waits": "revocation"}', flush=True)
    sys.stdin.readline()


def authlib():
    from authlib.common.security import generate_token
    from authlib.integrations.requests_client import OAuth2Session, OAuthError

    session = OAuth2Session(*CLIENT, scope=SCOPES, redirect_uri=REDIRECT_URI, code_challenge_method="S256")
    verifier = generate_token(48)
    url, state = session.create_authorization_url(AUTHORIZE_URL, code_verifier=verifier)
    token = session.fetch_token(TOKEN_URL, authorization_response=consent(url), state=state, code_verifier=verifier)
    calls = [session.get(f"{API_URL}/v2/employees").status_code]
    for _ in range(2):
        token = session.refresh_token(TOKEN_URL, refresh_token=token["refresh_token"])
        calls.append(session.get(f"{API_URL}/v2/employees").status_code)
    until_revoked()
    try:
        session.refresh_token(TOKEN_URL, refresh_token=token["refresh_token"])
    except OAuthError as error:
        return calls, error.error, type(error).__name__


def requests_oauthlib():
    from oauthlib.oauth2 import OAuth2Error
    from requests_oauthlib import OAuth2Session

    session = OAuth2Session(CLIENT[0], redirect_uri=REDIRECT_URI, scope=SCOPES.split(), pkce="S256")
    url, _state = session.authorization_url(AUTHORIZE_URL)
    token = session.fetch_token(TOKEN_URL, authorization_response=as_https(consent(url)), client_secret=CLIENT[1])
    calls = [session.get(f"{API_URL}/v2/employees").status_code]
    for _ in range(2):
        # In the body, as this library's own documentation does it.
        token = session.refresh_token(TOKEN_URL, client_id=CLIENT[0], client_secret=CLIENT[1])
        calls.append(session.get(f"{API_URL}/v2/employees").status_code)
    until_revoked()
    try:
        session.refresh_token(TOKEN_URL, client_id=CLIENT[0], client_secret=CLIENT[1])
    except OAuth2Error as error:
        return calls, error.error, type(error).__name__


def as_https(url):
    """The library refuses to read a callback on plain loopback; nothing listens there anyway."""
    return url.replace("http://", "https://", 1)


def requests_oauth2client():
    from requests_oauth2client import OAuth2Client
    from requests_oauth2client.exceptions import OAuth2Error

    client = OAuth2Client(TOKEN_URL, CLIENT, authorization_endpoint=AUTHORIZE_URL, redirect_uri=REDIRECT_URI)
    asked = client.authorization_request(scope=SCOPES)
    token = client.authorization_code(asked.validate_callback(consent(asked.uri)), validate=False)
    calls = [call(token.access_token)]
    for _ in range(2):
        token = client.refresh_token(token)
        calls.append(call(token.access_token))
    until_revoked()
    try:
        client.refresh_token(token)
    except OAuth2Error as error:
        return calls, error.error, type(error).__name__


LIBRARIES = {"authlib": authlib, "requests-oauthlib": requests_oauthlib, "requests_oauth2client": requests_oauth2client}

calls, error, surfaced_as = LIBRARIES[sys.argv[1]]() or ([], None, "nothing was refused")
print(json.dumps({"calls": calls, "error": error, "surfaced_as": surfaced_as}))
