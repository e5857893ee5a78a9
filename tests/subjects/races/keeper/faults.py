"""The planted defects: one race each, switched on by the name in DEFECT, on top of the design that it needs. A number is that of the project's
collection of failures seen in real integrations and libraries; without one it is a known kind of mistake that was not found there."""

import os
import sys
from typing import NamedTuple


class Defect(NamedTuple):
    about: str
    design: str     # what COORDINATION must be
    processes: int  # so many are needed to show it
    breaks: str     # what it must be convicted of by a search that finds the order


# One line each: the README's table and a test read them.
DEFECTS = {
    # no lock, or the wrong one
    "no-lock": Defect("F80: refreshes without any lock", "flock", 1, "RACE-01"),
    "lock-for-each-leg": Defect("F81: has a lock for each kind of work", "flock", 1, "RACE-01"),
    "lock-of-the-process": Defect("locks the file for the process, with `lockf`: its threads do not exclude each other", "flock", 1, "RACE-01"),
    "lock-in-process": Defect("F82: locks in memory, though several processes share the store", "flock", 2, "RACE-02"),
    "deferred-transaction": Defect("F83: begins its transaction without a lock to write", "row", 1, "RACE-01"),
    "lease-without-a-fence": Defect("F84: has a lease shorter than a refresh may take, and writes whatever it has when it is over", "lease", 1, "RACE-01"),
    "saves-after-release": Defect("F83: lets go of the lock when the answer is there, and saves it then", "flock", 1, "RACE-03"),
    # what it knows when it has the turn
    "no-reread": Defect("F92: refreshes with what it read before it waited for the lock", "flock", 1, "RACE-03"),
    "compares-the-clock": Defect("F92: sees by the expiry whether somebody has refreshed while it waited, and a provider may send none", "flock", 1, "REFRESH-06"),
    "stale-cache": Defect("F93: keeps the pair in memory, and does not hear of what another process has stored", "flock", 2, "STOP-05"),
    "sibling-401-refreshes-again": Defect("F92: takes a 401 for a reason to refresh even if a sibling has just done so", "flock", 1, "RACE-03"),
    # who waits
    "impatient-waiter-ends": Defect("F28: takes a second's wait for the lock for the end of the grant", "flock", 1, "RACE-03"),
    "lock-stays-after-a-fault": Defect("F100: leaves its lock behind when a refresh fails", "flock", 1, "RETRY-04"),
    "lock-survives-a-kill": Defect("F100: leaves its lock behind when it is killed during a refresh", "flock", 1, "RACE-07"),
    "askers-forgotten": Defect("F99: answers nobody who waited for a refresh that a reconnection has overtaken", "actor", 1, "RACE-05"),
    # late answers
    "loser-purges": Defect("F86: has a lock for each kind of work, and the loser's refusal removes the winner's pair", "flock", 1, "RACE-04"),
    "late-refusal-wins": Defect("F87: ends the connection by a refusal that comes after a reconnection", "flock", 1, "RACE-05"),
    "late-success-overwrites": Defect("F88: compares the state only, so that a late success is stored over a reconnection", "flock", 1, "RACE-06"),
    "disconnects-uncounted": Defect("F89: does not count a disconnection as a change, so that a late success brings the tokens back", "flock", 1, "RACE-06"),
    "last-reply-wins": Defect("F88: goes on without an answer after a second, and stores whatever comes in the order of its coming", "flock", 1, "RACE-05 RACE-06"),
    "doubts-a-refusal": Defect("F107: takes the refusal that follows a lost reply for a passing fault, for ever", "flock", 1, "RETRY-07"),
    # logins
    "login-used-up-late": Defect("F78: uses a login up after its exchange, so that a callback delivered twice is exchanged twice", "flock", 1, "RACE-10"),
    "two-logins-disagree": Defect("F103: of two logins at once keeps one in memory and stores the other", "flock", 1, "RACE-10"),
    # saving
    "pair-in-two-writes": Defect("F110: stores a refreshed access token, and the refresh token in a second transaction", "flock", 1, "RACE-07"),
    "marks-then-purges": Defect("F87: marks a connection that has ended, and a moment later removes the tokens that are there by then", "flock", 1, "RACE-05"),
    "tries-before-saving": Defect("F103: tries a fresh access token out before it stores the pair", "flock", 1, "REFRESH-03"),
}

_name = os.environ.get("DEFECT", "")


def planted(name: str) -> bool:
    assert name in DEFECTS, name
    return name == _name


def check() -> None:
    """A defect that is not there, or a design in which it has no place, is no subject."""
    if not _name:
        return
    if _name not in DEFECTS:
        sys.exit(f"there is no defect named {_name}")
    if DEFECTS[_name].design != (os.environ.get("COORDINATION") or "flock"):
        sys.exit(f"{_name} needs COORDINATION={DEFECTS[_name].design}")
