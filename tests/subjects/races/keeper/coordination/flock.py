"""A lock on a file, for all threads of all processes of one machine. The kernel lets go of it when its holder is killed."""

import contextlib
import fcntl
import os
import threading
import time

import store
from faults import planted
from problems import Impatient, Unavailable

from .design import LOOK, PATIENCE, Design

FILE = store.FOLDER / "refresh.lock"
# What planted defects put in its place.
_in_process = threading.Lock()
_each_leg = {"exported": threading.Lock(), "mirrored": threading.Lock()}


class Flock(Design):
    @contextlib.contextmanager
    def turn(self, leg: str):
        with self.planted_turn(leg) or locked():
            yield None

    def planted_turn(self, leg: str):
        if planted("no-lock"):
            return contextlib.nullcontext()
        if planted("lock-in-process"):
            return _in_process
        if planted("lock-for-each-leg") or planted("loser-purges"):
            return _each_leg[leg]
        if planted("lock-stays-after-a-fault"):
            return marked()
        if planted("lock-survives-a-kill"):
            return marked(tidy=True)
        return None


@contextlib.contextmanager
def locked(file=FILE, patience: float = PATIENCE):
    # Each caller opens the file anew: threads exclude each other, too.
    patience = 1 if planted("impatient-waiter-ends") and file == FILE else patience
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        until = time.monotonic() + patience
        while not _taken(descriptor, file):
            if time.monotonic() > until:
                raise Impatient if planted("impatient-waiter-ends") else Unavailable("another caller is refreshing")
            time.sleep(LOOK)
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int, file) -> bool:
    try:
        if planted("lock-of-the-process") and file == FILE:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def marked(tidy: bool = False):
    """Planted: the file itself is the lock."""
    file = store.FOLDER / "refresh.taken"
    until = time.monotonic() + PATIENCE
    while True:
        try:
            os.close(os.open(file, os.O_CREAT | os.O_EXCL, 0o600))
            break
        except FileExistsError:
            if time.monotonic() > until:
                raise Unavailable("another caller is refreshing") from None
            time.sleep(LOOK)
    try:
        yield
    except Exception:
        if tidy:
            file.unlink()
        raise
    file.unlink()
