"""One line per event, `key=value`, so that people and monitoring read the same thing.

Only words that this program chose are logged: no exception texts and no error descriptions, because providers and
libraries put request bodies and whole tokens into them.
"""

import logging
import re
import sys
import time

_log = logging.getLogger("employee-sync")

CONNECTION = "pleo"


def set_up() -> None:
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)sZ level=%(levelname)s %(message)s", datefmt="%Y-%m-%dT%H:%M:%S"
    )
    # urllib3 writes whole URLs at debug level, waitress a line per waiting request: neither helps an operator.
    logging.getLogger("urllib3").setLevel(logging.WARNING)
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)


def info(event: str, message: str, **details) -> None:
    _log.info(_line(event, message, details))


def warning(event: str, message: str, **details) -> None:
    _log.warning(_line(event, message, details))


def error(event: str, message: str, **details) -> None:
    _log.error(_line(event, message, details))


def code(text: str) -> str:
    """An error code from outside, cut down to what a code can be: anything longer or richer may be somebody's token."""
    return text if re.fullmatch(r"[a-z_]{1,32}", text) else "unrecognised"


def _line(event: str, message: str, details: dict) -> str:
    pairs = {"event": event, "connection": CONNECTION, **details}
    return " ".join(f"{key}={value}" for key, value in pairs.items()) + f' message="{message}"'
