"""The one place that knows whether there is access, hands out access tokens and swaps them.

Rules, all of Pleo's making: a refresh kills every earlier token at once, a used refresh token must never be presented
again, and a refused one ends the connection until the user has given consent anew.
"""

import contextlib
import fcntl
import math
import os
import threading
import time
from concurrent.futures import Future

import logs
from pleo import Pleo, Refused, Unavailable
from store import CONNECTED, Connection, Pair, Store

ATTEMPTS = 2  # per refresh, and only after passing trouble
PAUSE = 0.3  # seconds between them
LOCK_PATIENCE = 15  # seconds; longer than another process can need for its attempts


class NotConnected(Exception):
    """There is no access. Only the user can restore it."""


class Tokens:
    def __init__(self, store: Store, pleo: Pleo, directory: str) -> None:
        self._store = store
        self._pleo = pleo
        self._lock_path = os.path.join(directory, "refresh.lock")
        self._mutex = threading.Lock()
        self._flight: Future[str] | None = None
        self._not_before = 0.0

    def current(self, rejected: str | None = None) -> tuple[str, bool]:
        """An access token that is not `rejected`, and whether a refresh was needed to get it."""
        usable = self._usable(self._connection(), rejected)
        return (usable, False) if usable else (self._refreshed(rejected), True)

    def settle(self, patience: float) -> None:
        """Waits for a refresh that is under way: its answer should be stored before the process ends."""
        flight = self._flight
        if flight is not None:
            with contextlib.suppress(Exception):
                flight.result(timeout=patience)

    # Inside.

    def _connection(self) -> Connection:
        # Read from the store every time: another thread or process, a callback or a disconnect may have changed it.
        connection = self._store.connection()
        if connection.state != CONNECTED:
            raise NotConnected
        return connection

    @staticmethod
    def _usable(connection: Connection, rejected: str | None) -> str | None:
        pair = connection.pair
        fresh = pair.use_until is None or time.time() < pair.use_until
        return pair.access if fresh and pair.access != rejected else None

    def _refreshed(self, rejected: str | None) -> str:
        """One refresh for all threads that need one now; they share its outcome, the failure too."""
        with self._mutex:
            flight, leads = self._flight, self._flight is None
            if leads:
                flight = self._flight = Future()
        if leads:
            try:
                flight.set_result(self._refresh_alone(rejected))
            except BaseException as failure:
                flight.set_exception(failure)
            finally:
                with self._mutex:
                    self._flight = None
        return flight.result()

    def _refresh_alone(self, rejected: str | None) -> str:
        with self._among_processes():
            for attempt in range(1, ATTEMPTS + 1):
                # Again before each attempt: what was read before waiting may be superseded.
                connection = self._connection()
                usable = self._usable(connection, rejected)
                if usable:
                    return usable
                try:
                    return self._refresh_once(connection, attempt)
                except Unavailable as trouble:
                    if attempt == ATTEMPTS or trouble.retry_after is not None:
                        raise
                    time.sleep(PAUSE)
        raise AssertionError("the last attempt returns or raises")

    def _refresh_once(self, connection: Connection, attempt: int) -> str:
        pair, generation = connection.pair, connection.generation
        if pair.refresh is None:
            return self._ended(generation, "no_refresh_token")
        self._wait_is_over()
        logs.info("token_refresh_started", "refreshing the access token", attempt=attempt)
        try:
            new = self._pleo.refresh(pair.refresh)
        except Refused as refusal:
            return self._refused(generation, refusal)
        except Unavailable as trouble:
            logs.warning(
                "token_refresh_failed", "token refresh failed for now, the connection is kept", outcome="transient",
                reason=trouble.reason, attempt=attempt,
            )  # fmt: skip
            if trouble.retry_after is not None:
                self._not_before = time.monotonic() + trouble.retry_after
            raise
        new = Pair(new.access, new.refresh or pair.refresh, new.use_until)
        # Stored before anybody may use it: after a kill the newest pair is the one on disk.
        if not self._store.renew(generation, new):
            logs.info("token_refresh_dropped", "the connection changed during the refresh, its answer is dropped")
            return self._stored_instead()
        logs.info("token_refreshed", "access token refreshed", outcome="success", attempt=attempt)
        return new.access

    def _refused(self, generation: int, refusal: Refused) -> str:
        reason = logs.code(refusal.code)
        logs.error(
            "token_refresh_failed", "token refresh was refused", outcome="refused", reason=reason, status=refusal.status
        )  # fmt: skip
        if refusal.code == "invalid_client":
            logs.error(
                "client_credentials_refused", "Pleo refused the client credentials of this application: an operator must configure the current secret",
                reason=reason,
            )  # fmt: skip
        # The refusal speaks of the token that was sent. If the store holds another by now, that one is not judged.
        return self._ended(generation, reason)

    def _ended(self, generation: int, reason: str) -> str:
        if not self._store.end(generation, reason):
            return self._stored_instead()
        logs.error(
            "authorisation_lost", "the refresh token expired or was revoked: connection unauthenticated, tokens discarded, work is held",
            reason=reason,
        )  # fmt: skip
        logs.warning("reauthentication_required", "the user must reauthenticate: reconnect to Pleo at /connect", reason=reason)
        raise NotConnected

    def _stored_instead(self) -> str:
        return self._connection().pair.access

    def _wait_is_over(self) -> None:
        left = self._not_before - time.monotonic()
        if left > 0:
            raise Unavailable("asked_to_wait", math.ceil(left))

    @contextlib.contextmanager
    def _among_processes(self):
        """The kernel's lock on a file: it dies with its holder, so a kill can never leave it locked."""
        with open(self._lock_path, "w") as lock:
            until = time.monotonic() + LOCK_PATIENCE
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    # Never taken by force: a holder that only sleeps would wake up beside us.
                    if time.monotonic() > until:
                        raise Unavailable("another_process_is_refreshing") from None
                    time.sleep(0.05)
            yield
