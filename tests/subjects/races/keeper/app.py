"""Keeper: exports accounting entries from Pleo and mirrors the staff. Several instances may share one store; how they take turns at a
refresh is chosen by COORDINATION."""

import http.server
import logging
import os
import signal
import sys
import threading

import faults
import store
from access import Keeper
from coordination import DESIGNS
from pages import Handler
from work import Export, Mirror

# How long a stop waits for a refresh in flight, so that its answer is not lost.
LAST_REFRESH = 0.7


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


def main() -> None:
    faults.check()
    store.prepare()
    folder = store.FOLDER / "log"
    folder.mkdir(exist_ok=True)
    file = folder / f"keeper-{store.PROCESS}.log"
    logging.basicConfig(filename=file, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    design = os.environ.get("COORDINATION") or "flock"
    if design not in DESIGNS:
        sys.exit(f"there is no design named {design}; there are: {' '.join(DESIGNS)}")
    keeper = Keeper(DESIGNS[design])
    Handler.keeper = keeper
    Handler.legs = [Export(keeper), Mirror(keeper)]
    server = Server(("127.0.0.1", int(os.environ["PORT"])), Handler)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    logging.info("started as process %s, refreshes coordinated by %s", store.PROCESS, design)
    server.serve_forever(poll_interval=0.1)
    keeper.comes_to_rest(LAST_REFRESH)
    logging.info("stopped as asked")


if __name__ == "__main__":
    main()
