"""How callers take turns at a refresh: five designs behind one door. A design hands out access tokens; it may differ in who waits for what,
never in what an answer of Pleo may change (`access.py`)."""

from .actor import Actor
from .flock import Flock
from .lease import Lease
from .mutex import Mutex
from .row import Row

DESIGNS = {"mutex": Mutex, "flock": Flock, "row": Row, "lease": Lease, "actor": Actor}
