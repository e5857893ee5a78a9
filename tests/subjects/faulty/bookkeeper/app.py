"""Bookkeeper: exports accounting entries from Pleo and mirrors the staff, for two companies, until it is asked to stop."""

import http.server
import logging
import os
import signal
import threading

import books
from access import Keeper
from pages import Handler
from work import Export, Mirror

# How long a stop waits for a refresh in flight, so that its answer is not lost.
LAST_REFRESH = 0.7


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


def main() -> None:
    books.prepare()
    folder = books.FOLDER / "log"
    folder.mkdir(exist_ok=True)
    logging.basicConfig(filename=folder / "bookkeeper.log", level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for name in books.NAMES:
        keeper = Keeper(name)
        Handler.legs[name] = [Export(keeper), Mirror(keeper)]
    server = Server(("127.0.0.1", int(os.environ["PORT"])), Handler)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    logging.info("started, listening on port %s", os.environ["PORT"])
    server.serve_forever(poll_interval=0.1)
    for keeper in Keeper.keepers.values():
        with keeper.turn:
            keeper.turn.wait_for(lambda: keeper.refreshing is None, LAST_REFRESH)
    logging.info("stopped as asked")


if __name__ == "__main__":
    main()
