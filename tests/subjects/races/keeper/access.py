"""The keeper of the tokens: says which may be used, refreshes them when a design gives it the turn, and ends the connection when Pleo does.

What Pleo answers speaks of the token that was sent. If the connection holds another by then, the answer changes nothing.
"""

import dataclasses
import logging
import os
import threading
import time

import pleo
import store
from faults import planted
from problems import ClientRefused, Held, Impatient, Overtaken, Passing, Refused, Unavailable
from sealing import fingerprint

ATTEMPTS = 2
PAUSE = 0.2
LONGEST_WAIT = 60
SOFT_LIMIT = 1
CLIENT = fingerprint(pleo.CLIENT_ID, pleo.CLIENT_SECRET)

log = logging.getLogger("keeper.access")


class Keeper:
    limit = pleo.TOKEN_LIMIT

    def __init__(self, design):
        self.rest = threading.Condition()
        self.in_flight = 0
        # What planted defects remember.
        self.cached: store.Record | None = None
        self.cached_act = 0
        self.lost: str | None = None
        self.left = threading.local()
        self.design = design(self)

    def record(self) -> store.Record:
        cached = self.cached
        if cached is not None and (planted("stale-cache") or planted("two-logins-disagree")):
            return cached
        record = store.record()
        self.cached = record if planted("stale-cache") and record.state == "connected" else None
        return record

    def access(self, refused: int | None, leg: str) -> tuple[str, int]:
        """An access token that may be used now, other than the refused generation, and which generation it is."""
        try:
            return self.design.access(refused, leg)
        except Overtaken:
            raise Unavailable("another process has taken over the refresh") from None
        except Impatient:
            self.end(self.record(), None, "lock_timeout")
            raise Held("ended") from None

    def usable(self, record: store.Record, refused: int | None) -> tuple[str, int] | None:
        """The access token of this record, if it may be used; nothing if a refresh is needed."""
        if record.state != "connected":
            if self.tries_again(record):
                return None
            raise Held(record.state)
        if record.generation == refused or record.is_stale():
            return None
        return record.access, record.generation

    def tries_again(self, record: store.Record) -> bool:
        """New credentials are worth an attempt with the old refresh token, which was not judged."""
        return record.state == "misconfigured" and record.refused_client != CLIENT and record.refresh is not None

    def refresh(self, sent: store.Record, fence: int | None) -> bool:
        """Sends this record's refresh token and does what the answer says. Whether the answer still concerned the connection."""
        with self.rest:
            self.in_flight += 1
        try:
            return self.attempts(sent, fence)
        finally:
            with self.rest:
                self.in_flight -= 1
                self.rest.notify_all()

    def comes_to_rest(self, limit: float) -> None:
        with self.rest:
            self.rest.wait_for(lambda: self.in_flight == 0, limit)

    def attempts(self, sent: store.Record, fence: int | None) -> bool:
        if time.time() < sent.not_before:
            raise Unavailable("Pleo asked for patience")
        for attempt in range(1, ATTEMPTS + 1):
            limit = self.design.renew(fence)
            log.info("token refresh attempt %d", attempt)
            try:
                fresh = self.ask(sent, fence, limit)
            except Refused as refusal:
                if planted("doubts-a-refusal") and self.lost == sent.refresh:
                    self.passing(sent, Passing("refused after a lost reply"), attempt)
                    raise Unavailable("refused after a lost reply") from None
                return self.refused(sent, fence, refusal)
            except ClientRefused:
                return self.client_refused(sent, fence)
            except Passing as fault:
                if fault.lost:
                    self.lost = sent.refresh
                if attempt < ATTEMPTS and fault.repeat and fault.wait is None:
                    log.warning("token refresh unavailable: %s (attempt %d)", fault, attempt)
                    time.sleep(PAUSE)
                    continue
                self.passing(sent, fault, attempt)
                raise Unavailable(str(fault)) from None
            else:
                return self.save(sent, fence, fresh)
        return False

    def ask(self, sent: store.Record, fence: int | None, limit: float) -> dict:
        if planted("last-reply-wins"):
            return self.ask_in_passing(sent, fence, limit)
        fresh = pleo.refresh(sent.refresh or "", limit)
        if planted("tries-before-saving"):
            pleo.call("GET", "/v2/employees", fresh["access"])
        return fresh

    def passing(self, sent: store.Record, fault: Passing, attempt: int) -> None:
        log.warning("token refresh unavailable, trying later: %s (attempt %d)", fault, attempt)
        store.failed(time.time() + min(fault.wait, LONGEST_WAIT) if fault.wait is not None else 0)
        self.cached = None

    def save(self, sent: store.Record, fence: int | None, fresh: dict) -> bool:
        if planted("saves-after-release") and not hasattr(self.left, "work"):
            self.left.work = lambda: self.save(sent, fence, fresh)
            return True
        fresh["refresh"] = fresh["refresh"] or sent.refresh
        done = store.save(sent, fence, fresh)
        self.cached = None
        log.info("token refresh succeeded%s", "" if done else "; the connection was changed meanwhile, and the new pair is dropped")
        return done

    def refused(self, sent: store.Record, fence: int | None, refusal: Refused) -> bool:
        log.error("token refresh refused: %s (HTTP %d)", plain(refusal.code), refusal.status)
        return self.end(sent, fence, refusal.code)

    def client_refused(self, sent: store.Record, fence: int | None) -> bool:
        log.critical("token refresh failed: invalid_client: Pleo refused this application's client credentials;"
                     " an operator must configure the right client secret")
        return store.change(sent, fence, state="misconfigured", cause="invalid_client", refused_client=CLIENT)

    def end(self, sent: store.Record, fence: int | None, cause: str) -> bool:
        """The grant is over: its tokens go, everything else stays, and only the user can bring it back."""
        done = store.end(sent, fence, plain(cause))
        self.cached = None
        if done:
            log.error("authorisation lost (%s): the refresh token is expired or revoked, tokens were discarded", plain(cause))
            log.warning("reauthentication required: the user is asked to reconnect")
        else:
            log.info("the refusal concerns a token that was replaced meanwhile; nothing changes")
        return done

    def connect(self, number: int, fresh: dict) -> bool:
        """Takes the pair of a login over whatever was there, at once."""
        done = self.design.write(lambda: store.connect(number, fresh))
        if planted("two-logins-disagree"):
            self.remember(number, fresh)
        else:
            self.cached = None
        log.info("connected" if done else "a login was overtaken by a newer one or by a disconnection: its tokens are dropped")
        return done

    def disconnect(self) -> str | None:
        access = self.design.write(store.disconnect)
        self.cached = None
        log.info("disconnected by the user, tokens were discarded")
        return access

    # What planted defects do.

    def ask_in_passing(self, sent: store.Record, fence: int | None, limit: float) -> dict:
        """Waits for a second only. An answer that comes later is carried out by whoever received it."""
        box: list = []
        late = threading.Event()

        def run():
            try:
                box.append(pleo.refresh(sent.refresh or "", limit))
            except (Refused, ClientRefused, Passing) as problem:
                box.append(problem)
            if late.is_set() and isinstance(box[0], dict):
                self.save(sent, fence, box[0])
            elif late.is_set() and isinstance(box[0], Refused):
                self.refused(sent, fence, box[0])

        asked = threading.Thread(target=run, daemon=True)
        asked.start()
        asked.join(SOFT_LIMIT)
        if not box:
            late.set()
            raise Passing("no answer in time", repeat=False)
        if isinstance(box[0], Exception):
            raise box[0]
        return box[0]

    def carry_out(self) -> None:
        if work := getattr(self.left, "work", None):
            work()
            del self.left.work

    def remember(self, number: int, fresh: dict) -> None:
        if number > self.cached_act:
            self.cached, self.cached_act = dataclasses.replace(store.record(), **fresh), number


def plain(code: str) -> str:
    """An error code as far as it may be logged: anything but a plain word could carry a secret."""
    return code if code.replace("_", "").isalnum() and len(code) <= 40 and code.isascii() else "unreadable code"
