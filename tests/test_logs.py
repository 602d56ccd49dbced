"""Logs: one JSON object a line on standard error, and nothing in it but what is on the list."""

import asyncio
import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
import structlog

from consentsvc import logs

SECRET = "customer:8213"
Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    """What has been logged on standard error since the last look."""
    written = io.StringIO()
    level = logging.root.level
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", written)
        logs.configure()

    def read() -> list[dict[str, Any]]:
        text = written.getvalue()
        written.seek(0)
        written.truncate()
        assert not text or text.endswith("\n")
        return [json.loads(line) for line in text[:-1].split("\n") if text]

    yield read
    structlog.reset_defaults()
    logging.root.setLevel(level)


@pytest.fixture(autouse=True)
def handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Handlers of the test alone, so that those of others are neither closed nor forgotten."""
    monkeypatch.setattr(logging.root, "handlers", [])


class TestOurs:
    def test_line(self, lines: Lines) -> None:
        """A message is one line with its name, how bad it is, the time in UTC, and its fields."""
        structlog.get_logger("consentsvc.server").info("listening", address="127.0.0.1:1")
        (line,) = lines()

        assert datetime.fromisoformat(line.pop("timestamp")).utcoffset() is not None
        assert line == {"event": "listening", "level": "info", "address": "127.0.0.1:1"}

    def test_fields_on_the_list(self, lines: Lines) -> None:
        """Every field on the list is kept as it is."""
        fields = {name: f"the {name}" for name in logs.FIELDS - {"event", "level", "timestamp"}}
        structlog.get_logger().warning("happened", **fields)
        (line,) = lines()

        assert {name: line[name] for name in fields} == fields
        assert line.keys() == logs.FIELDS

    @pytest.mark.parametrize(
        "name",
        [
            *("subject", "subject_id", "token", "email", "ip_address", "message", "msg", "Event"),
            *("exception", "exc_info", "stack_info", "request", "positional_args", "events_"),
        ],
    )
    def test_fields_not_on_the_list(self, lines: Lines, name: str) -> None:
        """A field that is not on the list is dropped, name and value, whoever logs it."""
        structlog.get_logger().error("happened", reason="known", **{name: SECRET})
        (line,) = lines()

        assert line.keys() == {"event", "level", "timestamp", "reason"}
        assert SECRET not in json.dumps(line)

    def test_bound(self, lines: Lines) -> None:
        """Nor does a field come in that was bound to the logger before."""
        structlog.get_logger().bind(subject=SECRET, method="Check").info("happened")
        (line,) = lines()

        assert (line["method"], "subject" in line) == ("Check", False)

    def test_one_line(self, lines: Lines) -> None:
        """Line ends inside a value do not end the line: nobody can write one of ours."""
        forged = 'a\n{"event": "forged"}\r\n\u2028\u0085'
        structlog.get_logger().info("happened", reason=forged)
        structlog.get_logger().info("next")
        happened, following = lines()

        assert happened["reason"] == forged
        assert following["event"] == "next"

    def test_error_in_flight(self, lines: Lines) -> None:
        """The text of an error that is being handled stays out."""
        try:
            raise ValueError(SECRET)
        except ValueError:
            structlog.get_logger().exception("failed", error="ValueError")
        (line,) = lines()

        assert (line["event"], line["error"]) == ("failed", "ValueError")
        assert SECRET not in json.dumps(line)

    def test_no_json(self, lines: Lines) -> None:
        """A value that is no JSON costs nobody the message."""
        structlog.get_logger().info("happened", events={1, 2}, cause=b"\xff")
        (line,) = lines()

        assert line["event"] == "happened"


class TestOfLibraries:
    def test_template(self, lines: Lines) -> None:
        """Of a library's message the template is kept, and what was filled in is lost."""
        logging.getLogger("grpc._server").warning("No %s\nfor %d", SECRET, 8213)
        (line,) = lines()
        del line["timestamp"]

        assert line.pop("line").startswith("test_logs.py:")
        assert line == {
            "event": "No %s\nfor %d",
            "level": "warning",
            "logger": "grpc._server",
            "error": None,
        }

    @pytest.mark.parametrize(
        "message", [f"Task failed\nfuture: {SECRET}", SECRET, f"%s {SECRET}", ValueError(SECRET)]
    )
    def test_filled_in_already(self, lines: Lines, message: object) -> None:
        """Of a message that comes filled in, nothing is kept but the place it came from."""
        logging.getLogger("asyncio").error(message)
        (line,) = lines()

        assert (line["event"], line["level"]) == ("message", "error")
        assert line["line"].startswith("test_logs.py:")
        assert SECRET not in json.dumps(line)

    def test_error(self, lines: Lines) -> None:
        """Of an error only the kind is kept, neither its text nor where it was."""
        try:
            raise ValueError(SECRET)
        except ValueError:
            logging.getLogger("grpc").exception("Raised %s", SECRET, stack_info=True)
        (line,) = lines()

        assert (line["event"], line["error"]) == ("Raised %s", "ValueError")
        assert line.keys().isdisjoint({"stack", "cause", "reason"})
        assert SECRET not in json.dumps(line)

    def test_extra(self, lines: Lines) -> None:
        """What a library hangs on its record does not come in, also under a name on the list."""
        logging.getLogger("grpc").warning("Message", extra={"subject": SECRET, "reason": SECRET})
        (line,) = lines()

        assert SECRET not in json.dumps(line)

    async def test_asyncio(self, lines: Lines) -> None:
        """What the event loop says of a failure names the kind of the error, not its text."""
        loop = asyncio.get_running_loop()
        loop.call_exception_handler({"message": "It failed", "exception": ValueError(SECRET)})
        (line,) = lines()

        assert (line["logger"], line["error"]) == ("asyncio", "ValueError")
        assert SECRET not in json.dumps(line)

    def test_how_bad(self, lines: Lines) -> None:
        """What is less than a warning is left to the library."""
        logger = logging.getLogger("grpc")
        logger.info("info")
        logger.debug("debug")
        logger.critical("%s", "critical")

        assert [one["level"] for one in lines()] == ["critical"]

    def test_other_handlers(self, lines: Lines) -> None:
        """No handler that was there before goes on writing lines of its own form."""
        written = io.StringIO()
        logging.root.addHandler(logging.StreamHandler(written))
        logs.configure()
        logs.configure()
        kinds = [type(one) for one in logging.root.handlers]
        logging.getLogger("grpc").warning("%s", SECRET)

        assert kinds == [logs._Bridge]
        assert written.getvalue() == ""

    @pytest.mark.parametrize("arguments", [(1,), ("a", "b"), ({"name": SECRET},)])
    def test_template_that_does_not_fit(self, lines: Lines, arguments: tuple[object, ...]) -> None:
        """A template is never filled in, so that one that does not fit its values fails nobody."""
        logging.root.handlers = [logs._Bridge()]  # without pytest's own, which fills them in
        logging.getLogger("grpc").warning("100 % of {} %s %(name)s", *arguments)

        assert [one["event"] for one in lines()] == ["100 % of {} %s %(name)s"]

    def test_own_level(self, lines: Lines) -> None:
        """A library's own level is no reason to fail in the middle of its call."""
        logging.getLogger("grpc").log(35, "%s", "between warning and error")

        assert [one["event"] for one in lines()] == ["%s"]
