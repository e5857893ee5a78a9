"""Sends what waits in the outbox to Pleo, one account after the other. The only process that refreshes tokens."""

import http.client
import json
import os
import signal
import threading
import time
import urllib.error
import urllib.request

import common
import tokens
from common import log

LOOK = 0.2          # seconds between two looks into the outbox
EARLY = 45          # seconds before its end from which an access token counts as used up
PAUSES = (2, 10, 60, 300, 900)
stopping = threading.Event()
# Planted: calls an account sent before it is.
HASTY = os.environ.get("FLAW") == "hasty"


class Held(Exception):
    """There is no access at present; the outbox waits."""


class Rejected(Exception):
    """Pleo will not take this account, however often it is sent."""


def main() -> None:
    common.prepare()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    if common.connection()["state"] == "bad_client":
        # A start is the moment at which new credentials may be there.
        common.change(None, state="active")
    log("info", "worker_started", connection=common.connection()["state"])
    while not stopping.wait(LOOK):
        if common.connection()["state"] == "active":
            work()


def work() -> None:
    with common.transaction() as database:
        due = database.execute("SELECT * FROM outbox WHERE state = 'waiting' AND due <= ? ORDER BY rowid", (time.time(),)).fetchall()
    for row in due:
        if stopping.is_set():
            return
        if HASTY:
            settle(row["account"], "sent", None)
        try:
            send(row["account"], row["name"])
        except Held:
            return
        except Rejected as problem:
            log("error", "account_refused", account=row["account"], reason=problem)
            settle(row["account"], "refused", str(problem))
        except tokens.Unavailable as problem:
            pause = max(PAUSES[min(row["attempts"], len(PAUSES) - 1)], problem.wait)
            log("warning", "send_postponed", account=row["account"], reason=problem, seconds=pause)
            # Everything that waits shares the trouble, so everything waits.
            with common.transaction() as database:
                database.execute(
                    "UPDATE outbox SET attempts = attempts + 1, due = ? WHERE state = 'waiting'", (time.time() + pause,)
                )
            return
        else:
            log("info", "account_sent", account=row["account"])
            settle(row["account"], "sent", None)


def settle(account: str, state: str, problem: str | None) -> None:
    with common.transaction() as database:
        database.execute("UPDATE outbox SET state = ?, problem = ? WHERE account = ?", (state, problem, account))


def send(account: str, name: str) -> None:
    token = usable()
    status = post(token, {"code": account, "name": name})
    if status == 401:
        log("info", "access_token_rejected", status=status)
        status = post(usable(rejected=token), {"code": account, "name": name})
    if status in (401, 403, 408, 425, 429) or status >= 500:
        raise tokens.Unavailable(f"api_{status}")
    if status >= 300 and status != 409:  # 409: Pleo has it already
        raise Rejected(f"api_{status}")


def post(token: str, body: dict) -> int:
    request = urllib.request.Request(common.API_URL + "/v1-beta/accounts", data=json.dumps(body).encode(), method="POST")
    request.add_header("Content-Type", "application/json")
    request.add_header("Authorization", f"Bearer {token}")
    try:
        with tokens.OPENER.open(request, timeout=15) as response:
            response.read()
            return response.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except (OSError, http.client.HTTPException) as error:
        raise tokens.Unavailable(type(error).__name__) from None


def usable(rejected: str | None = None) -> str:
    """An access token that is neither used up nor the rejected one."""
    row = common.connection()
    if row["state"] != "active":
        raise Held
    over = row["expires_at"] is not None and row["expires_at"] - EARLY < time.time()
    if row["access_token"] != rejected and not over:
        return row["access_token"]
    log("info", "refresh_attempt", cause="rejected" if row["access_token"] == rejected else "expiring")
    try:
        fresh = tokens.refresh(row["refresh_token"])
    except tokens.Unavailable as problem:
        log("warning", "refresh_unavailable", reason=problem)
        raise
    except tokens.Refused as refusal:
        ended(row["version"], refusal)
        raise Held from None
    if not common.change(row["version"], **fresh):
        log("info", "refresh_outdated", detail="the connection was changed meanwhile")
        raise Held
    log("info", "refresh_ok")
    return fresh["access_token"]


def ended(version: int, refusal: tokens.Refused) -> None:
    log("error", "refresh_failed", reason=refusal.code, status=refusal.status)
    if refusal.code == "invalid_client":
        common.change(version, state="bad_client")
        log("error", "client_credentials_refused", action="configure the new client secret and restart")
    elif common.change(version, state="needs_login", access_token=None, refresh_token=None, expires_at=None):
        log("error", "authorization_lost", cause=refusal.code, detail="refresh token expired or revoked")
        log("warning", "reauthentication_needed", page="/")


if __name__ == "__main__":
    main()
