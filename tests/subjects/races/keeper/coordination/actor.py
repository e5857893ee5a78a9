"""One thread owns the connection and has a letter box. It never waits for Pleo itself: an errand does, and writes home. What the user decides is a
letter like any other, so it need not wait for the errand. Among several processes the errand holds the lock on the file."""

import concurrent.futures
import dataclasses
import queue
import threading

from faults import planted
from problems import Held, Unavailable

from .design import PATIENCE, TURNS
from .flock import Flock


@dataclasses.dataclass
class Want:
    refused: int | None
    leg: str
    answer: concurrent.futures.Future = dataclasses.field(default_factory=concurrent.futures.Future)
    errands: int = 0


@dataclasses.dataclass
class Decision:
    what: object
    answer: concurrent.futures.Future = dataclasses.field(default_factory=concurrent.futures.Future)


@dataclasses.dataclass
class Home:
    problem: Exception | None
    useful: bool


class Actor(Flock):
    def __init__(self, keeper):
        super().__init__(keeper)
        self.letters: queue.Queue = queue.Queue()
        self.waiting: list[Want] = []
        self.errand: threading.Thread | None = None
        threading.Thread(target=self.live, name="actor", daemon=True).start()

    def access(self, refused: int | None, leg: str) -> tuple[str, int]:
        want = Want(refused, leg)
        self.letters.put(want)
        try:
            return want.answer.result(None if planted("askers-forgotten") else PATIENCE)
        except concurrent.futures.TimeoutError:
            raise Unavailable("the refresh takes too long") from None

    def write(self, what):
        decision = Decision(what)
        self.letters.put(decision)
        return decision.answer.result()

    def live(self) -> None:
        while True:
            letter = self.letters.get()
            if isinstance(letter, Want):
                self.waiting.append(letter)
            elif isinstance(letter, Decision):
                settle(letter.answer, letter.what)
            else:
                self.errand = None
                self.come_home(letter)
            try:
                self.serve()
            except Exception as problem:  # the owner must not die of what nobody thought of
                self.come_home(Home(problem, True))

    def come_home(self, home: Home) -> None:
        if planted("askers-forgotten") and not home.useful:
            self.waiting = []
        if home.problem is not None:
            for want in self.waiting:
                if not want.answer.done():
                    want.answer.set_exception(home.problem)
            self.waiting = []

    def serve(self) -> None:
        """Answers who can be answered, and sends somebody for what the others need."""
        if not self.waiting or (self.errand is not None and planted("askers-forgotten")):
            return
        record, still = self.keeper.record(), []
        for want in self.waiting:
            try:
                good = self.keeper.usable(record, want.refused)
                if good is None and want.errands >= TURNS:
                    raise Unavailable("no token lasted long enough to be used")
            except (Held, Unavailable) as problem:
                want.answer.set_exception(problem)
            else:
                if good is None:
                    still.append(want)
                else:
                    want.answer.set_result(good)
        self.waiting = still
        if still and self.errand is None:
            for want in still:
                want.errands += 1
            self.errand = threading.Thread(target=self.run_errand, args=(record, still[0].leg), name="errand", daemon=True)
            self.errand.start()

    def run_errand(self, record, leg: str) -> None:
        problem, useful = None, True
        try:
            useful = self.refresh_in_turn(record, leg)
        except Exception as caught:
            problem = caught
        self.letters.put(Home(problem, useful))


def settle(answer: concurrent.futures.Future, what) -> None:
    try:
        answer.set_result(what())
    except Exception as problem:
        answer.set_exception(problem)
