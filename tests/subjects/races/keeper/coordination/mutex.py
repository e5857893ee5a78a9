"""A lock in memory. Right for one process only."""

import contextlib
import threading

from problems import Unavailable

from .design import PATIENCE, Design


class Mutex(Design):
    def __init__(self, keeper):
        super().__init__(keeper)
        self.lock = threading.Lock()

    @contextlib.contextmanager
    def turn(self, leg: str):
        if not self.lock.acquire(timeout=PATIENCE):
            raise Unavailable("another thread is refreshing")
        try:
            yield None
        finally:
            self.lock.release()
