"""`consentsvc filter` and lists of any length."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.cli.lists import GIVEN, Lists
from tests.cli.program import SECONDS, Served

_MOST_MEMORY = 200 * 1024
"""In KiB, for a list of any length."""

_MEASURED = """
import resource, subprocess, sys
ended = subprocess.run(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(ended.returncode)
"""


@pytest.fixture(scope="module", autouse=True)
def choices(served: Served) -> None:
    """One who agreed."""
    served.ask("consents", "give", GIVEN, "newsletter")


class TestAnyLength:
    def write(self, lists: Lists, count: int) -> None:
        with lists.source.open("w", encoding="utf-8") as file:
            file.write("subject_id,name,email\n")
            for number in range(count):
                subject = GIVEN if number % 10 == 0 else f"filter:{number}"
                file.write(f"{subject},Customer {number},customer{number}@customers.example\n")

    def split(self, served: Served, lists: Lists, count: int) -> None:
        self.write(lists, count)
        program = [sys.executable, "-m", "consentsvc", *map(str, lists.arguments("--json"))]
        ended = subprocess.run(
            [sys.executable, "-c", _MEASURED, *program, "--target", served.target],
            capture_output=True,
            check=True,
        )
        with lists.allowed.open() as allowed, lists.refused.open() as refused:
            names = Counter(line.split(",")[1] for file in (allowed, refused) for line in file)

        assert json.loads(ended.stdout)["rows"] == count
        assert json.loads(ended.stdout)["allowed"] == count // 10
        assert names.pop("name") == 2
        assert len(names) == count
        assert int(ended.stderr.splitlines()[-1]) < _MOST_MEMORY

    def test_a_hundred_thousand(self, served: Served, lists: Lists) -> None:
        """A long list is split row by row, in bounded memory."""
        self.split(served, lists, 100_000)

    @pytest.mark.soak
    def test_a_million(self, served: Served, lists: Lists) -> None:
        """Ten times as long takes no more memory."""
        self.split(served, lists, 1_000_000)

    def test_standard_input(self, served: Served, lists: Lists) -> None:
        """A list may come through a pipe."""
        lists.source = Path("-")
        ran = served.run(*lists.arguments("--json"), stdin=f"subject_id\n{GIVEN}\n")

        assert (ran.code, ran.json()["allowed"]) == (0, 1)

    def test_standard_input_from_a_result(self, served: Served, lists: Lists) -> None:
        """Also as standard input, the list itself is not overwritten."""
        lists.allowed.write_text(f"subject_id\n{GIVEN}\n")
        lists.source = Path("-")
        with lists.allowed.open("rb") as source:
            running = served.start(*lists.arguments(), stdin=source)
            _, err = running.communicate(timeout=SECONDS)

        assert running.returncode == 64
        assert b"is the list itself" in err
        assert lists.allowed.read_text() == f"subject_id\n{GIVEN}\n"
