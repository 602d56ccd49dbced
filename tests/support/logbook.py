"""What the process would write to its log."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from typing import Any

import structlog

from consentsvc import logs


class Logbook:
    """Everything that was logged."""

    def __init__(self, stream: io.StringIO) -> None:
        self._stream = stream

    @property
    def text(self) -> str:
        """All of it, as it was written."""
        return self._stream.getvalue()

    @property
    def entries(self) -> list[dict[str, Any]]:
        """Each line as the object that it is."""
        return [json.loads(line) for line in self.text.splitlines()]


@contextmanager
def logging_as_in_production() -> Iterator[Logbook]:
    """Sets up logs as the program does, and puts everything back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    # `configure` closes the handlers that it replaces: pytest's own must not be among them.
    root.handlers = []
    stream = io.StringIO()
    try:
        with redirect_stderr(stream):
            logs.configure()
        yield Logbook(stream)
    finally:
        structlog.reset_defaults()
        root.handlers = handlers
        root.setLevel(level)
