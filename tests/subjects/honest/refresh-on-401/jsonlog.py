"""One JSON object a line, as structlog writes them."""

import datetime
import json
import logging

USUAL = set(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class JsonFormatter(logging.Formatter):
    def format(self, record):
        moment = datetime.datetime.fromtimestamp(record.created, datetime.UTC).isoformat()
        line = {"event": record.getMessage(), "level": record.levelname.lower(), "logger": record.name, "timestamp": moment}
        line.update((name, value) for name, value in vars(record).items() if name not in USUAL)
        if record.exc_info and record.exc_info[0]:
            line["exception"] = record.exc_info[0].__name__  # its text may quote an answer
        return json.dumps(line, default=str)
