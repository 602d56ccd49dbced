"""TOML read key by key, so that every mistake in a file is found at once and names its line."""

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import TypeVar

from consentsvc.toml_reading._lines import Key, locate

T = TypeVar("T")

_POSITION = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong, and the line to mend. The key is empty if it is none of a key's."""

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        return ": ".join(filter(None, (f"{self.file}:{self.line}", self.key, self.message)))


class File:
    """One TOML file, and what is wrong with it.

    A file that is no TOML has that one mistake only: it reads as empty, and what is then missing
    is not reported.
    """

    def __init__(self, name: str, content: bytes) -> None:
        self.name = name
        self.readable = True
        self._mistakes: list[Mistake] = []
        self._lines: dict[Key, int] = {}
        self._tables: list[Table] = []
        self.root = self.open((), self._parse(content))

    def mistakes(self) -> list[Mistake]:
        """All that has been reported and every key that nobody asked for, by line."""
        strays = [
            self._mistake((*table.key, name), "is not a key that belongs here")
            for table in self._tables
            for name in table.strays()
        ]
        return sorted([*self._mistakes, *strays], key=lambda mistake: mistake.line)

    def report(self, key: Key, message: str) -> None:
        """Notes a mistake, on the key's line or, if the key is missing, its table's."""
        if self.readable:
            self._mistakes.append(self._mistake(key, message))

    def open(self, key: Key, values: Mapping[str, object]) -> "Table":
        """A table of this file, whose strays will be reported with it."""
        table = Table(self, key, values)
        self._tables.append(table)
        return table

    def _mistake(self, key: Key, message: str) -> Mistake:
        return Mistake(self.name, self._line(key), _written(key), message)

    def _line(self, key: Key) -> int:
        while key and key not in self._lines:
            key = key[:-1]
        return self._lines[key] if key else 1

    def _parse(self, content: bytes) -> Mapping[str, object]:
        try:
            text = content.decode()
            values = tomllib.loads(text)
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            message = "is not UTF-8"
        except tomllib.TOMLDecodeError as error:
            position = _POSITION.search(str(error))
            last = text.rstrip("\n").count("\n") + 1
            line = int(position[1]) if position and position[1] else last
            message = f"is not TOML: {_POSITION.sub('', str(error))}"
        else:
            self._lines = locate(text)
            return values
        self._mistakes.append(Mistake(self.name, line, "", message))
        self.readable = False
        return {}


class Table:
    """A table of a file, read key by key.

    What is missing or wrong is reported and stands as an empty value, so that reading goes on to
    the next mistake.
    """

    def __init__(self, file: File, key: Key, values: Mapping[str, object]) -> None:
        self.key = key
        self._file = file
        self._values = values
        self._asked: set[str] = set()

    @property
    def name(self) -> str:
        """The last key on the way to it."""
        return str(self.key[-1])

    def has(self, name: str) -> bool:
        """Whether the key is there: what is read only then may be left out."""
        return name in self._values

    def leave(self) -> None:
        """Leaves the rest unread, where it cannot be told what belongs there."""
        self._asked.update(self._values)

    def names(self) -> list[str]:
        """All keys, in their order."""
        return list(self._values)

    def strays(self) -> list[str]:
        """The keys that were never asked for."""
        return [name for name in self._values if name not in self._asked]

    def report(self, message: str, *key: str | int) -> None:
        """Notes a mistake of this table, or of a key in it."""
        self._file.report((*self.key, *key), message)

    def text(self, name: str) -> str:
        """A text; white space around it is no part of it."""
        text = self._read(name, str, "a string")
        if text is not None and not text.strip():
            self.report("must not be empty", name)
        return (text or "").strip()

    def line(self, name: str) -> str:
        """A text on one line."""
        text = self.text(name)
        if len(text.splitlines()) > 1:
            self.report("must be one line", name)
        return text

    def lines(self, name: str) -> Iterator[tuple[int, str]]:
        """Texts, each on one line, with their places; none if the key is left out."""
        for place, value in enumerate(self._read(name, list, "an array", required=False) or []):
            if isinstance(value, str) and len(value.strip().splitlines()) == 1:
                yield place, value.strip()
            else:
                self.report("must be a string on one line", name, place)

    def moment(self, name: str) -> datetime | None:
        """A day, which stands for its first moment in UTC, or a moment with its offset."""
        self._asked.add(name)
        value = self._values.get(name)
        if isinstance(value, datetime):
            if value.tzinfo is not None:
                return value
        elif isinstance(value, date):
            return datetime.combine(value, time(), UTC)
        if name in self._values:
            self.report("must be a day, like 2025-08-21, or a moment with an offset", name)
        return None

    def flag(self, name: str, *, required: bool = True) -> bool:
        """True or false; false if it may be left out and is."""
        return self._read(name, bool, "true or false", required=required) or False

    def number(self, name: str, low: int, high: int) -> int | None:
        """A whole number within bounds, or nothing."""
        wanted = f"a whole number from {low} to {high}"
        number = self._read(name, int, wanted, required=False)
        if number is not None and not low <= number <= high:
            self.report(f"must be {wanted}", name)
        return number

    def choice(self, name: str, options: Mapping[str, T], otherwise: T) -> T:
        """What one of the options stands for. Without any options, the mistake lies elsewhere."""
        value = self._read(name, str, _one_of(options))
        if value is not None and value in options:
            return options[value]
        if value is not None and options:
            self.report(f"must be {_one_of(options)}", name)
        return otherwise

    def choices(self, name: str, options: Mapping[str, T], *, once: bool = False) -> Iterator[T]:
        """What any of the options stand for, each only once if so; none if the key is left out."""
        values = self._read(name, list, "an array", required=False) or []
        for place, value in enumerate(values):
            if once and value in values[:place]:
                self.report("is listed twice", name, place)
            elif isinstance(value, str) and value in options:
                yield options[value]
            else:
                self.report(f"must be {_one_of(options)}", name, place)

    def table(self, name: str) -> "Table | None":
        """A table with something in it."""
        values = self._read(name, dict, "a table")
        if values:
            return self._file.open((*self.key, name), values)
        if values is not None:
            self.report("must not be empty", name)
        return None

    def tables(self) -> "Iterator[Table]":
        """All that is in this table, each a table."""
        for name in self._values:
            values = self._read(name, dict, "a table")
            if values is not None:
                yield self._file.open((*self.key, name), values)

    def sections(self, name: str) -> "Iterator[Table]":
        """A table of tables, with one at least."""
        table = self.table(name)
        return iter(()) if table is None else table.tables()

    def array(self, name: str, *, required: bool = False) -> "Iterator[Table]":
        """An array of tables: with one at least if it is required."""
        values = self._read(name, list, "an array of tables", required=required)
        if required and values == []:
            self.report("must not be empty", name)
        for place, value in enumerate(values or []):
            if isinstance(value, dict):
                yield self._file.open((*self.key, name, place), value)
            else:
                self.report("must be a table", name, place)

    def _read(self, name: str, kind: type[T], wanted: str, *, required: bool = True) -> T | None:
        self._asked.add(name)
        if name not in self._values:
            if required:
                self.report("is missing", name)
            return None
        value = self._values[name]
        # Not isinstance alone: to Python, true is a whole number.
        if isinstance(value, kind) and type(value) is kind:
            return value
        self.report(f"must be {wanted}", name)
        return None


def _one_of(options: Iterable[str]) -> str:
    return f"one of: {', '.join(options)}"


def _written(key: Key) -> str:
    """The key as it would be written in TOML, with places in arrays in brackets."""
    written = ""
    for part in key:
        if isinstance(part, int):
            written += f"[{part}]"
        else:
            name = part if _BARE_KEY.fullmatch(part) else json.dumps(part, ensure_ascii=False)
            written += f".{name}" if written else name
    return written
