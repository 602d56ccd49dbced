"""A list of recipients, and the results that it is split into."""

import csv
from pathlib import Path

GIVEN = "filter:given"
"""Somebody who agreed."""


class Lists:
    """A folder with a list and its results."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source = folder / "list.csv"
        self.allowed = folder / "allowed.csv"
        self.refused = folder / "refused.csv"

    def arguments(self, *options: object, purpose: str = "newsletter") -> list[object]:
        results = ("--allowed", self.allowed, "--refused", self.refused)
        return ["filter", "--purpose", purpose, self.source, *results, *options]

    def names(self) -> list[str]:
        """What is in the folder."""
        return sorted(one.name for one in self.folder.iterdir())

    def rows(self, file: Path) -> list[list[str]]:
        with file.open(encoding="utf-8", newline="") as rows:
            return list(csv.reader(rows, strict=True))
