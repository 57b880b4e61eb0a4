"""EDGE: set up logging: one line an action on stderr, as text or as JSON lines."""

from __future__ import annotations

import itertools
import json
import logging
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from aggregator.text import one_line

_ROUND: ContextVar[str] = ContextVar("round", default="")
_PROCESS, _COUNT = secrets.token_hex(2), itertools.count(1)


@contextmanager
def new_round() -> Iterator[str]:
    """All lines that are logged meanwhile, also by what it starts, carry one id: "3fa2-17"."""
    before = _ROUND.set(f"{_PROCESS}-{next(_COUNT)}")
    try:
        yield _ROUND.get()
    finally:
        _ROUND.reset(before)


class TextFormatter(logging.Formatter):
    """`2026-11-24T18:00:00Z INFO message [round]`; control characters from feeds never reach the log."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
        self.converter = time.gmtime

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        record.message = one_line(record.message)
        line = super().formatMessage(record)
        return f"{line} [{_ROUND.get()}]" if _ROUND.get() else line


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, the round's id, and the traceback where there is one."""

    def __init__(self) -> None:
        super().__init__()
        self.converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%SZ"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": one_line(record.getMessage()),
        }
        if _ROUND.get():
            line["round"] = _ROUND.get()
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def set_up_logging(style: str = "text", level: str = "info") -> None:
    """Log the program's own lines at `level` and the libraries' from warnings up."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if style == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("aggregator").setLevel(level.upper())
    # a round that outlasts a tick is no news: the next one polls what is due
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
