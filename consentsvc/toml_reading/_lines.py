"""Finds the line of every key of a TOML document, which `tomllib` does not tell.

Only for documents that `tomllib` has accepted: nothing is checked twice, so a few patterns are
enough to walk over one.
"""

import re
import tomllib
from bisect import bisect_left

Key = tuple[str | int, ...]
"""The way from the document's root to a value: names of keys, and places in arrays from 0 on."""

_BETWEEN = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
# One or two quotes more before the closing three belong to the text: """so-called "text""""
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}' r"|'''.*?'{3,5}" r'|"(?:[^"\\]|\\.)*"' r"|'[^']*'", re.DOTALL
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_DOT = re.compile(r"[ \t]*\.[ \t]*")
_PLAIN_VALUE = re.compile(r"[^,\]}#\n]+")


def locate(document: str) -> dict[Key, int]:
    """The line of each key and array element, from 1 on; a table's is that of its header.

    A table without a header of its own is on the line that first implies it.
    """
    return _Walk(document.replace("\r\n", "\n")).lines


class _Walk:
    def __init__(self, text: str) -> None:
        self.lines: dict[Key, int] = {}
        self._text = text
        self._at = 0
        self._ends = [match.start() for match in re.finditer("\n", text)]
        self._lengths: dict[Key, int] = {}

        table: Key = ()
        while self._more():
            if self._skip("[["):
                table = self._header(array=True)
            elif self._skip("["):
                table = self._header(array=False)
            else:
                self._pair(table)

    def _header(self, *, array: bool) -> Key:
        line = self._line()
        *parents, name = self._names()
        table: Key = ()
        for parent in parents:
            table = (*table, parent)
            self.lines.setdefault(table, line)
            if table in self._lengths:
                table = (*table, self._lengths[table] - 1)
        table = (*table, name)
        if array:
            self.lines.setdefault(table, line)
            length = self._lengths.get(table, 0)
            self._lengths[table] = length + 1
            table = (*table, length)
        self._more()
        self._skip("]]" if array else "]")
        self.lines[table] = line
        return table

    def _pair(self, table: Key) -> None:
        line = self._line()
        for name in self._names():
            table = (*table, name)
            self.lines.setdefault(table, line)
        self._more()
        self._skip("=")
        self._value(table)

    def _value(self, key: Key) -> None:
        self._more()
        if self._skip("["):
            length = 0
            while self._more() and not self._skip("]"):
                self.lines[*key, length] = self._line()
                self._value((*key, length))
                length += 1
                self._comma()
        elif self._skip("{"):
            while self._more() and not self._skip("}"):
                self._pair(key)
                self._comma()
        elif not self._match(_STRING):
            self._match(_PLAIN_VALUE)

    def _names(self) -> list[str]:
        names = [self._name()]
        while self._match(_DOT):
            names.append(self._name())
        return names

    def _name(self) -> str:
        self._more()
        if quoted := self._match(_STRING):
            return str(tomllib.loads(f"name = {quoted}")["name"])
        return self._match(_BARE_KEY)

    def _comma(self) -> None:
        self._more()
        self._skip(",")

    def _more(self) -> bool:
        """Moves on to what is not a space, line end or comment; whether there is anything."""
        self._match(_BETWEEN)
        return self._at < len(self._text)

    def _skip(self, mark: str) -> bool:
        found = self._text.startswith(mark, self._at)
        if found:
            self._at += len(mark)
        return found

    def _match(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            return ""
        self._at = match.end()
        return match[0]

    def _line(self) -> int:
        return bisect_left(self._ends, self._at) + 1
