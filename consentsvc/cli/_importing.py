"""The lines of exports, as events to import; and the line that an error is about."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from consentsvc.cli._exits import Ended, Exit

if TYPE_CHECKING:
    from consentclient import ConsentError, ImportedEvent

_PLACE = re.compile(r"events\[(\d+)\]")


class ExportLines:
    """The events in files that `rights export --receipts` has printed, each file read once.

    `withheld` counts those that are passed over because nothing is left of them.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = files
        self._places: list[tuple[Path, int]] = []
        self.withheld = 0

    def __iter__(self) -> "Iterator[ImportedEvent]":
        for file in self._files:
            with file.open("rb") as lines:
                for number, line in enumerate(lines, 1):
                    event = _event(line, file, number)
                    if event is None:
                        continue
                    if event.get("withheld"):
                        self.withheld += 1
                        continue
                    self._places.append((file, number))
                    yield _imported(event, file, number)

    def placed(self, error: "ConsentError") -> "ConsentError":
        """The same error; if it is about one of the events, its message begins with the line."""
        fields = [one.field for one in error.violations] or [error.metadata.get("field", "")]
        named = _PLACE.match(fields[0])
        if named is not None:
            place = int(error.metadata.get("accepted_events", "0")) + int(named[1])
            file, number = self._places[place]
            error.message = f"{file}, line {number}: {error.message}"
        return error


def _event(line: bytes, file: Path, number: int) -> dict[str, Any] | None:
    try:
        told = json.loads(line) if line.strip() else {}
    except (ValueError, RecursionError) as error:
        raise _bad(file, number, "is not JSON") from error
    if not isinstance(told, dict) or not isinstance(told.get("event", {}), dict):
        raise _bad(file, number, "is no line of an export")
    return told.get("event")


def _imported(event: dict[str, Any], file: Path, number: int) -> "ImportedEvent":
    from consentclient import ImportedEvent

    receipt = event.get("receipt")
    pseudonym, position = event.get("pseudonym"), event.get("position")
    if not isinstance(pseudonym, str) or not isinstance(position, int):
        raise _bad(file, number, "is no event of an export")
    if not isinstance(receipt, str):
        raise _bad(file, number, "has no receipt: export with --receipts")
    return ImportedEvent(f"{pseudonym}:{position}", receipt)


def _bad(file: Path, number: int, word: str) -> Ended:
    return Ended(Exit.USAGE, f"{file}, line {number}: {word}")
