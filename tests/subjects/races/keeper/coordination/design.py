"""What the designs have in common: look, wait for the turn, look again, refresh."""

import contextlib

from faults import planted
from problems import Unavailable

# Longer than two attempts of whoever has the turn can take.
PATIENCE = 25
LOOK = 0.02
TURNS = 4


class Design:
    def __init__(self, keeper):
        self.keeper = keeper

    def access(self, refused: int | None, leg: str) -> tuple[str, int]:
        """An access token that may be used now, other than the refused generation, and which generation it is."""
        keeper = self.keeper
        seen = keeper.record()
        for _ in range(TURNS):
            if (good := keeper.usable(seen, refused)) is not None:
                return good
            self.refresh_in_turn(seen, leg)
            if planted("sibling-401-refreshes-again"):
                refused = None
            seen = keeper.record()
        raise Unavailable("no token lasted long enough to be used")

    def refresh_in_turn(self, seen, leg: str) -> bool:
        """Refreshes, unless somebody else has done it while the turn was awaited. Whether it was of use."""
        with self.turn(leg) as fence:
            now = self.keeper.record()
            if not self.is_needed(seen, now):
                return True
            useful = self.keeper.refresh(seen if planted("no-reread") or planted("compares-the-clock") else now, fence)
        if planted("saves-after-release"):
            self.keeper.carry_out()
        return useful

    def is_needed(self, seen, now) -> bool:
        if planted("no-reread") or planted("sibling-401-refreshes-again"):
            return now.state == "connected"
        if planted("compares-the-clock"):
            return now.state == seen.state and now.expires_at == seen.expires_at
        if now.generation != seen.generation:
            return False
        if now.failures != seen.failures:
            raise Unavailable("the refresh that was waited for failed")
        return True

    @contextlib.contextmanager
    def turn(self, leg: str):
        """Held by one caller at a time. Gives the number to write with, where there is one."""
        raise NotImplementedError
        yield

    def renew(self, fence: int | None) -> float:
        """Before each attempt: how long it may take."""
        return self.keeper.limit

    def write(self, what):
        """Carries out what the user has decided, with whoever owns the connection."""
        return what()
