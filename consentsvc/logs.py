"""Logs: one JSON object a line on standard error, with fields from a list and no others.

The list is the promise that no personal data is logged: what is not on it is dropped, whoever logs
it. Of other libraries' messages the template is kept without what was filled into it; where a
message has been filled in already, only the place it came from is.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

FIELDS = frozenset(
    {
        "event",
        "level",
        "timestamp",
        "logger",
        "line",
        "method",
        "reason",
        "cause",
        "error",
        "stack",
        "address",
        "commits",
        "requests",
        "events",
        "published",
        "signal",
        "position",
        "late",
        "emptied",
        "proofs_dropped",
    }
)


def configure() -> None:
    """Sets up logging for the process. Called once, by the program's start."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _allowed,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[_Bridge()], level=logging.WARNING, force=True)


def _allowed(
    _logger: object, _method: str, entry: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    return {name: value for name, value in entry.items() if name in FIELDS}


# A library may have levels of its own; ours are these.
_LEVELS = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)


class _Bridge(logging.Handler):
    """Passes on what other libraries log: which, how bad, and the template of the message."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        structlog.get_logger().log(
            max(level for level in _LEVELS if level <= max(record.levelno, logging.DEBUG)),
            str(record.msg) if record.args else "message",
            logger=record.name,
            line=f"{record.filename}:{record.lineno}",
            error=error,
        )
