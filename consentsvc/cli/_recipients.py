"""Lists of recipients as CSV files of any size: read row by row, written whole or not at all."""

import csv
import fcntl
import io
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import combinations, islice
from pathlib import Path
from typing import IO, Any, Self, TextIO

Row = list[str]

_CRLF = "\r\n"
_LINE_END = re.compile(r"\r\n|\r|\n")


class ListUnusable(Exception):
    """A list cannot be read, or its results not written, as it was asked for."""


class Recipients:
    """A CSV file with a header. Every row is as wide as the header; empty lines are skipped.

    A byte order mark at its beginning is dropped. What CSV does not allow is refused rather than
    guessed at, naming the line: a list that was cut short would otherwise pass for a whole one.
    """

    def __init__(self, raw: IO[bytes], column: str, delimiter: str = ",") -> None:
        self.delimiter = delimiter
        self._raw = raw
        self._text = io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")
        self._reader = csv.reader(self._text, delimiter=delimiter, strict=True)
        rows = self._rows(1)
        while rows and not rows[0]:
            rows = self._rows(1)
        if not rows:
            raise ListUnusable("there is no header")
        self.header = rows[0]
        if self.header.count(column) != 1:
            how = "no" if column not in self.header else "more than one"
            named = ", ".join(one for one in self.header if one) or "a header without names"
            raise ListUnusable(f"there is {how} column {column} in: {named}")
        self.column = self.header.index(column)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._text.close()

    @property
    def line_end(self) -> str:
        """How the lines of the file end."""
        return _CRLF if self._text.newlines == _CRLF else "\n"

    def chunks(self, size: int) -> Iterator[list[Row]]:
        """Yields the rows, so many at a time. Holds none of them."""
        width = len(self.header)
        while True:
            before = self._reader.line_num
            rows = self._rows(size)
            if not rows:
                return
            if any(len(row) != width for row in rows):
                self._refuse_uneven(rows, before)
                rows = [row for row in rows if row]
            yield rows

    def bytes_read(self) -> int:
        """How far into the file the reading is."""
        return self._raw.tell()

    def _rows(self, size: int) -> list[Row]:
        try:
            return list(islice(self._reader, size))
        except csv.Error as error:
            raise ListUnusable(f"line {self._reader.line_num}: {error}") from error
        except UnicodeDecodeError as error:
            line = self._reader.line_num + 1
            raise ListUnusable(f"line {line} or soon after: is not UTF-8") from error

    def _refuse_uneven(self, rows: Sequence[Row], line: int) -> None:
        for row in rows:
            if row and len(row) != len(self.header):
                raise ListUnusable(
                    f"line {line + 1}: has {len(row)} columns where the header has"
                    f" {len(self.header)}"
                )
            line += 1 + sum(len(_LINE_END.findall(cell)) for cell in row)


class Results:
    """Two CSV files that come to be together.

    While they grow they are called `NAME.partial`, and whatever had their names before is gone:
    nobody can take an earlier list for this one. `complete` gives both their names, the list of
    the refused first, so that whoever finds the list of the allowed finds the other one too.
    Left without it, both are deleted.
    """

    def __init__(self, allowed: Path, refused: Path) -> None:
        self._finals = (refused, allowed)
        self._partials = tuple(one.with_name(one.name + ".partial") for one in self._finals)
        self._names = (*self._finals, *self._partials)
        self._files: list[TextIO] = []
        self._open = ExitStack()
        self._complete = False

    def refuse_same(self, source: os.stat_result) -> None:
        """Raises `ListUnusable` if the source of the list would be overwritten."""
        for one in self._names:
            if one.exists() and os.path.samestat(one.stat(), source):
                raise ListUnusable(f"{one} is the list itself")

    def __enter__(self) -> Self:
        for one in self._names:
            if one.exists() and not one.is_file():
                raise ListUnusable(f"{one} is not a file")
        for one, other in combinations(self._names, 2):
            if _same_file(one, other):
                raise ListUnusable(f"{other} and {one} are one file, and both are written")
        try:
            for one in self._partials:
                self._files.append(self._open.enter_context(_claim(one)))
            self._remove(self._finals)
        except BaseException:
            self._remove(self._partials[: len(self._files)])
            self._open.close()
            raise
        return self

    def writers(self, delimiter: str, line_end: str) -> tuple[Any, Any]:
        """What writes the rows of the allowed, and what writes those of the refused."""
        refused, allowed = (
            csv.writer(_Lines(file, line_end), delimiter=delimiter, lineterminator=_CRLF)
            for file in self._files
        )
        return allowed, refused

    def complete(self) -> None:
        """Makes both files durable, then gives them their names."""
        for file in self._files:
            file.flush()
            os.fsync(file.fileno())
        for partial, final in zip(self._partials, self._finals, strict=True):
            partial.replace(final)
        for folder in {one.parent for one in self._finals}:
            _sync(folder)
        self._complete = True

    def __exit__(self, *exception: object) -> None:
        # Before the files are closed: that lets go of the names.
        if not self._complete:
            self._remove((*self._partials, *self._finals))
        self._open.close()

    @staticmethod
    def _remove(files: Sequence[Path]) -> None:
        for file in files:
            file.unlink(missing_ok=True)


class _Lines:
    """Gives lines their end.

    A writer that is told another line end leaves a carriage return in a cell without quotes, before
    Python 3.13, and a reader would take it for the end of the row.
    """

    def __init__(self, file: TextIO, line_end: str) -> None:
        self._write = file.write
        self._line_end = line_end

    def write(self, line: str) -> None:
        """Writes one line."""
        self._write(line[: -len(_CRLF)] + self._line_end)


def _same_file(one: Path, other: Path) -> bool:
    """Whether two names lead to one file, or will: by spelling, symbolic link or hard link."""
    # Not `Path.resolve`, which fails for links that go round in circles.
    if os.path.realpath(one) == os.path.realpath(other):
        return True
    return one.exists() and other.exists() and one.samefile(other)


def _claim(path: Path) -> TextIO:
    """Opens a file for writing that no other run of this program is writing."""
    file = os.fdopen(
        os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "w", encoding="utf-8", newline=""
    )
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever held it may have given it its final name meanwhile.
        if not os.path.samestat(os.fstat(file.fileno()), path.stat()):
            raise FileNotFoundError
    except (BlockingIOError, FileNotFoundError) as error:
        file.close()
        raise ListUnusable(f"{path} is being written by another run") from error
    file.truncate()
    return file


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
