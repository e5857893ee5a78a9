"""The keeper of one connection's tokens: hands out access tokens, refreshes them one at a time, and ends the connection when Pleo does.

What Pleo answers speaks of the token that was sent. If the connection holds another by then, the answer changes nothing.
"""

import email.message
import logging
import os
import smtplib
import threading
import time
import urllib.parse

import books
import pleo
from faults import log_to, planted
from sealing import fingerprint

ATTEMPTS = 2
PAUSE = 0.2
LONGEST_WAIT = 60
CLIENT = fingerprint(pleo.CLIENT_ID, pleo.CLIENT_SECRET)

log = logging.getLogger("bookkeeper.access")


class Held(Exception):
    """There is no access, and only the user or an operator can restore it."""


class Unavailable(Exception):
    """There is no access at the moment."""


class NotRepeated(Exception):
    """Planted: a call met 401 while another one refreshed."""


class Keeper:
    keepers: dict[str, "Keeper"] = {}
    table = threading.Lock()

    def __init__(self, name: str):
        self.name = name
        self.turn = threading.Condition()
        self.refreshing: int | None = None      # the version whose refresh is in flight
        self.failures = 0
        self.not_before = 0.0
        self.dead_refresh: str | None = None    # this and what follows: what planted defects remember
        self.last_access: str | None = None
        self.gave_up = False
        self.paused = False
        self.refusals = 0
        Keeper.keepers[name] = self

    def record(self) -> books.Record:
        return books.record(self.name)

    def access(self, refused: int | None = None) -> tuple[str, int]:
        """An access token that may be used now, other than the refused version, and which version it is."""
        if self.paused:
            raise Unavailable("paused")
        with self.turn:
            failures = self.failures
            while True:
                record = self.record()
                if record.state != "connected" and not self._tries_again(record):
                    return self._without(record)
                due = record.is_stale() or record.version == refused or planted("refreshes-each-call")
                busy = self.refreshing == record.version or (self.refreshing is not None and planted("forgets-the-waiters"))
                if not due and not busy:
                    if refused is not None and planted("no-second-try"):
                        raise NotRepeated
                    self.last_access = record.access
                    return record.access, record.version
                if self.failures != failures:
                    raise Unavailable("the refresh that was waited for failed")
                if not busy or planted("a-lock-for-each-caller"):
                    break
                if planted("gives-up-waiting"):
                    raise LostTurn
                self.turn.wait()
            self.refreshing = record.version
        try:
            return self._refreshed(record)
        finally:
            with self.turn:
                if not planted("forgets-the-waiters") or self.failures != failures:
                    if self.refreshing == record.version:
                        self.refreshing = None
                    self.turn.notify_all()

    def _tries_again(self, record: books.Record) -> bool:
        """New credentials are worth an attempt with the old refresh token, which was not judged."""
        known = record.refused_client == CLIENT and not planted("invalid-client-for-ever")
        return record.state == "misconfigured" and not known and record.refresh is not None

    def _without(self, record: books.Record):
        if planted("the-library-remembers") and self.dead_refresh:
            self._ask(self.dead_refresh)
        if planted("another-grant") and record.state == "ended":
            pleo.own_token()
        if planted("the-session-keeps-its-header") and self.last_access and record.state == "ended":
            return self.last_access, record.version
        raise Held(record.state)

    def _ask(self, token: str) -> None:
        try:
            pleo.refresh(token)
        except (pleo.Refused, pleo.ClientRefused, pleo.Passing) as problem:
            log.warning("connection=%s token refresh failed: %s", self.name, problem)

    def _refreshed(self, sent: books.Record) -> tuple[str, int]:
        if time.monotonic() < self.not_before or self.gave_up:
            raise Unavailable("Pleo asked for patience")
        if planted("crash-leaves-the-lock"):
            self._file_lock()
        others = [books.record(name) for name in books.NAMES if name != self.name] if planted("writes-the-whole-table") else []
        for attempt in range(1, ATTEMPTS + 1):
            if not planted("says-nothing-of-attempts"):
                log.info("connection=%s token refresh attempt %d", self.name, attempt)
            try:
                fresh = pleo.refresh(sent.refresh or "")
            except pleo.Refused as refusal:
                self._refused(sent, refusal)
                break
            except pleo.ClientRefused:
                self._client_refused(sent)
                break
            except pleo.Passing as fault:
                self._passing(fault, attempt)
                if attempt < ATTEMPTS and fault.repeat and (fault.wait is None or planted("deaf-to-retry-after")):
                    time.sleep(PAUSE)
                    continue
                self._failed()
                self.gave_up = planted("gives-up-after-a-blip")
                raise Unavailable(str(fault)) from None
            else:
                with Keeper.table:
                    self._save(sent, fresh)
                    for other in others:
                        books.put_back(other)
                break
        if planted("crash-leaves-the-lock"):
            books.forget(f"lock-{self.name}")
        now = self.record()
        if now.state != "connected":
            raise Held(now.state)
        if now.version == sent.version:
            self._failed()
            raise Unavailable("refused, and not yet ended")
        self.last_access = now.access
        return now.access, now.version

    def _failed(self) -> None:
        with self.turn:
            self.failures += 1

    def _passing(self, fault: pleo.Passing, attempt: int) -> None:
        log.warning("connection=%s token refresh unavailable, trying later: %s (attempt %d)", self.name, fault, attempt)
        if fault.wait is not None and not planted("deaf-to-retry-after"):
            self.not_before = time.monotonic() + min(fault.wait, LONGEST_WAIT)

    def _save(self, sent: books.Record, fresh: dict) -> None:
        if planted("forgets-the-missing-refresh-token"):
            pass
        elif planted("keeps-the-first-refresh-token"):
            fresh["refresh"] = sent.refresh
        else:
            fresh["refresh"] = fresh["refresh"] or sent.refresh
        if planted("200-means-tokens"):
            fresh = {**fresh, "access": str(fresh["access"])}
        version = None if planted("late-success-wins") else sent.version
        if books.change(self.name, version, in_memory=planted("saves-nothing"), state="connected", cause=None, refused_client=None, **fresh):
            if not planted("says-nothing-of-attempts"):
                log.info("connection=%s token refresh succeeded", self.name)
            if planted("keeps-every-pair"):
                books.note(f"pair-{sent.version}", f"{sent.access} {sent.refresh}")
        else:
            log.info("connection=%s the connection was changed meanwhile: the answer to the refresh is dropped", self.name)

    def _refused(self, sent: books.Record, refusal: pleo.Refused) -> None:
        self.refusals += 1
        if planted("dies-in-the-error-path"):
            raise pleo.InvalidGrantError(refusal)  # there is no such class
        if planted("exits-on-refusal"):
            os._exit(1)
        if planted("five-in-a-burst"):
            for _ in range(4):
                self._ask(sent.refresh)
        if planted("only-says-failed"):
            log.error("connection=%s synchronisation failed", self.name)
        elif planted("a-traceback-is-enough"):
            log.error("connection=%s unhandled", self.name, exc_info=refusal)
        elif self._told_before():
            log.error("connection=%s synchronisation failed", self.name)
        elif planted("logs-it-as-routine"):
            log.info("connection=%s token refresh unavailable, trying later: %s", self.name, _plain(refusal.code))
        else:
            log.error("connection=%s token refresh refused: %s (HTTP %d)", self.name, _plain(refusal.code), refusal.status)
        if planted("logs-the-failed-request"):
            log_to("bookkeeper.access", "request was grant_type=refresh_token refresh_token=%s", sent.refresh)
        self.dead_refresh = sent.refresh
        if planted("tries-it-again-later") or (planted("a-new-secret-explains-it") and books.note("client") not in (None, CLIENT)):
            return
        self.end(sent, refusal.code)

    def _client_refused(self, sent: books.Record) -> None:
        if planted("blames-the-user"):
            log.error("connection=%s the refresh failed, please reconnect", self.name)
        else:
            log.critical("connection=%s token refresh failed: invalid_client: Pleo refused this application's client credentials;"
                         " an operator must configure the right client secret", self.name)
        if planted("hides-the-misconfiguration"):
            self.gave_up = True
            return
        books.change(self.name, sent.version, state="misconfigured", cause="invalid_client", refused_client=CLIENT)
        if planted("invalid-client-for-ever"):
            self._ask(sent.refresh)

    def end(self, sent: books.Record, cause: str) -> None:
        """The grant is over: its tokens go, everything else stays, and only the user can bring it back."""
        blank = {"access": None, "refresh": None, "expires_at": None, "lifetime": None}
        if planted("only-marks"):
            blank = {}
        if planted("keeps-the-access-token"):
            blank = {key: value for key, value in blank.items() if key == "refresh"}
        version = None if planted("late-refusal-wins") else sent.version
        if not books.change(self.name, version, in_memory=planted("ends-in-memory"), state="ended", cause=_plain(cause), **blank):
            log.info("connection=%s the refusal concerns a token that was replaced meanwhile; nothing changes", self.name)
            return
        if not (planted("only-says-failed") or planted("a-traceback-is-enough") or planted("logs-it-as-routine") or self._told_before()):
            log.error("connection=%s authorisation lost (%s): the refresh token is expired or revoked, tokens were discarded",
                      self.name, _plain(cause))
            if not planted("never-asks-in-the-log"):
                log.warning("connection=%s reauthentication required: the user is asked to reconnect", self.name)
        threading.Thread(target=self._tell, daemon=True).start()
        self._planted_after_end()

    def _tell(self) -> None:
        """Mails the people in charge, once for each end: an end comes about once."""
        mail = email.message.EmailMessage()
        mail["Subject"], mail["From"], mail["To"] = f"Pleo access has ended: {self.name}", "books@localhost", "accounting@localhost"
        link = urllib.parse.urljoin(pleo.REDIRECT_URI, "/connect?" + urllib.parse.urlencode({"connection": self.name}))
        mail.set_content(f"The authorisation expired or was revoked. Your work waits until somebody connects with Pleo again:\n\n{link}\n")
        server = urllib.parse.urlsplit(os.environ["SMTP_URL"])
        if planted("tells-nobody") or planted("logs-it-as-routine"):
            return
        try:
            with smtplib.SMTP(server.hostname, server.port, timeout=10) as to:
                to.send_message(mail)
        except (OSError, smtplib.SMTPException) as problem:
            log.warning("connection=%s nobody could be told: %s", self.name, type(problem).__name__)

    def _told_before(self) -> bool:
        return planted("says-it-differently") and self.refusals > 1

    def _planted_after_end(self) -> None:
        if planted("one-for-all"):
            for name in books.NAMES:
                books.change(name, None, state="ended", cause="invalid_grant", access=None, refresh=None)
        if planted("deletes-the-settings-too"):
            books.rows("DELETE FROM setting WHERE connection = ?", self.name)
            books.prepare()
        if planted("empty-is-empty"):
            books.rows("DELETE FROM person WHERE connection = ?", self.name)
        if planted("latches"):
            books.note(f"latched-{self.name}", "yes")
        if planted("marks-the-account"):
            books.note("account-ended", self.name)

    def _file_lock(self) -> None:
        if books.note(f"lock-{self.name}"):
            raise Unavailable("another process refreshes")
        books.note(f"lock-{self.name}", "taken")

    def connect(self, fresh: dict) -> None:
        """Takes the pair of a login over whatever was there, at once."""
        with self.turn:
            before = self.record()
            again = before.state == "ended"
            in_memory = again and planted("reconnects-in-memory")
            books.change(self.name, None, in_memory=in_memory, state="connected", cause=None, refused_client=None, **fresh)
            self.not_before, self.gave_up = 0.0, False
            self.turn.notify_all()
        books.note("client", CLIENT)
        if again and planted("from-now-on"):
            books.note(f"baseline-{self.name}", "set")
        if again and planted("starts-from-zero"):
            books.rows("UPDATE entry SET reported = 0 WHERE connection = ?", self.name)
        log.info("connection=%s connected", self.name)

    def disconnect(self) -> str | None:
        """Forgets the tokens because the user says so; returns the access token for the farewell."""
        with self.turn:
            access = self.record().access
            books.change(self.name, None, state="new", cause=None, access=None, refresh=None, expires_at=None, lifetime=None,
                         company=None, refused_client=None)
            self.turn.notify_all()
        log.info("connection=%s disconnected by the user, tokens were discarded", self.name)
        return access


class LostTurn(Exception):
    """Planted: somebody else was refreshing."""


def _plain(code: str) -> str:
    """An error code as far as it may be logged: anything but a plain word could carry a secret."""
    return code if code.replace("_", "").isalnum() and len(code) <= 40 and code.isascii() else "unreadable code"
