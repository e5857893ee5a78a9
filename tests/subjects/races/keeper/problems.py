"""Why there is no access, or no answer."""


class Held(Exception):
    """There is no access, and only the user or an operator can restore it."""


class Unavailable(Exception):
    """There is no access at the moment."""


class Overtaken(Exception):
    """The turn was taken over by somebody else; what is at hand counts no longer."""


class Impatient(Exception):
    """Planted: the turn did not come soon enough."""


class Refused(Exception):
    """Pleo refuses the token, and means it."""

    def __init__(self, code: str, status: int):
        super().__init__(code)
        self.code, self.status = code, status


class ClientRefused(Exception):
    """Pleo refuses the credentials of this program."""


class Passing(Exception):
    """No usable answer: another attempt may fare better."""

    def __init__(self, what: str, wait: float | None = None, repeat: bool = True, lost: bool = False):
        super().__init__(what)
        self.wait, self.repeat, self.lost = wait, repeat, lost
