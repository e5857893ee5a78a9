"""The work: copies Pleo's employees. Requests for it are durable, held while there is no access, and done once after."""

from concurrent.futures import Future, ThreadPoolExecutor, TimeoutError

import logs
from connection import NotConnected, Tokens
from pleo import Pleo, Unavailable, retry_after
from store import CONNECTED, Store

PAGE = 100
# Refreshes without a single good answer after which the API, not the token, is taken to be at fault. The second one
# is for a grant that ended while the first was on its way: it is refused, and then everybody knows.
FRUITLESS_REFRESHES = 2


class ApiRefuses(Exception):
    """The API answers 401 or 403 whatever token it is shown."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Work:
    def __init__(self, store: Store, tokens: Tokens, pleo: Pleo) -> None:
        self._store = store
        self._tokens = tokens
        self._pleo = pleo
        self._pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="sync")

    def request(self, patience: float) -> tuple[str, int | float | None]:
        """Asks for one synchronisation and waits a little for its end: what became of it, and a detail."""
        request = self._store.add_request()
        if self._store.connection().state != CONNECTED:
            return "held", None
        try:
            return "done", self._submit().result(timeout=patience)
        except TimeoutError:
            return "running", None
        except NotConnected:
            return "held", None
        except Unavailable as trouble:
            # Refused in the open rather than accepted and forgotten.
            self._store.withdraw_request(request)
            return "unavailable", trouble.retry_after
        except ApiRefuses as refusal:
            self._store.withdraw_request(request)
            return "api_refuses", refusal.status

    def resume(self) -> None:
        """Does what was held: after a reconnection, and at a start after a crash. One run serves all that wait."""
        waiting = self._store.waiting_requests()
        if waiting and self._store.connection().state == CONNECTED:
            logs.info("work_resumed", "doing the work that was held", requests=waiting)
            self._submit()

    def stop(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    # Inside.

    def _submit(self) -> Future[int]:
        return self._pool.submit(self._run)

    def _run(self) -> int:
        served = self._store.latest_request()
        try:
            count = _Run(self._store, self._tokens, self._pleo).copy_employees()
        except NotConnected:
            logs.info("sync_held", "not connected: the synchronisation waits for a reconnection")
            raise
        except Unavailable as trouble:
            logs.warning("sync_failed", "Pleo could not be reached or did not answer properly", reason=trouble.reason)
            raise
        except ApiRefuses as refusal:
            logs.error("sync_failed", "the API refuses although the token was just refreshed", reason=f"status_{refusal.status}")
            raise
        except Exception as defect:
            logs.error("sync_failed", "unexpected error", reason=type(defect).__name__)
            raise
        if served is not None:
            self._store.finish_requests(served)
        logs.info("sync_done", "employees copied", employees=count)
        return count


class _Run:
    """One synchronisation; it counts its own refreshes."""

    def __init__(self, store: Store, tokens: Tokens, pleo: Pleo) -> None:
        self._store = store
        self._tokens = tokens
        self._pleo = pleo
        self._fruitless = 0

    def copy_employees(self) -> int:
        count, after, seen = 0, None, set()
        while True:
            page = self._page({"limit": PAGE, **({"after": after} if after else {})})
            self._store.save_employees(page["data"])
            count += len(page["data"])
            after = page["pagination"].get("endCursor")
            # A cursor that comes back would make this loop endless.
            if not page["pagination"]["hasNextPage"] or not after or after in seen:
                return count
            seen.add(after)

    def _page(self, params: dict) -> dict:
        response = self._get("/v2/employees", params)
        if response.status_code != 200:
            raise Unavailable(f"api_status_{response.status_code}", retry_after(response))
        try:
            page = response.json()
            if not isinstance(page["data"], list) or not isinstance(page["pagination"]["hasNextPage"], bool):
                raise TypeError
            return page
        except (ValueError, KeyError, TypeError):
            raise Unavailable("api_answer_unreadable") from None

    def _get(self, path: str, params: dict):
        rejected = None
        while True:
            token, refreshed = self._tokens.current(rejected)
            self._fruitless += refreshed
            response = self._pleo.get(token, path, params)
            if response.status_code not in (401, 403):
                if 200 <= response.status_code < 300:
                    self._fruitless = 0
                    self._set_problem(None)
                return response
            if self._is_settled(response.status_code):
                raise ApiRefuses(response.status_code)
            # The clock may say that the token is good: Pleo's word counts. If another thread has swapped it
            # meanwhile, the new one is simply used.
            logs.info("access_token_rejected", "the API rejected the access token", status=response.status_code)
            rejected = token

    def _is_settled(self, status: int) -> bool:
        """Whether another refresh is pointless. A 403 may be a sign of a lost grant, but mostly it is a missing right."""
        known = self._store.connection().problem == "forbidden"
        if status == 403 and (known or self._fruitless >= 1):
            self._set_problem("forbidden")
            return True
        if self._fruitless >= FRUITLESS_REFRESHES:
            self._set_problem("api_refuses")
            return True
        return False

    def _set_problem(self, problem: str | None) -> None:
        if self._store.connection().problem != problem:
            self._store.set_problem(problem)
