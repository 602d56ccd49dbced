"""`consentsvc verify`."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from consentsvc.cli import main
from tests.cli.program import Ran, Served, serving


def verify(*arguments: object) -> Ran:
    ran = CliRunner().invoke(main, ["verify", *map(str, arguments)])
    return Ran(ran.exit_code, ran.stdout, ran.stderr)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of some events, with nobody serving it."""
    with serving(tmp_path) as served:
        for number in range(3):
            served.ask("consents", "give", f"verify:{number}", "newsletter")
    return tmp_path / "log.db"


def damage(log: Path, statement: str, *values: object) -> None:
    """Changes the file behind the back of its triggers."""
    with closing(sqlite3.connect(log)) as connection:
        triggers = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        changed = connection.execute(statement, values).rowcount
        for _, sql in triggers:
            connection.execute(sql)
        connection.commit()
    assert changed == 1


def test_a_sound_log_is_0(log: Path) -> None:
    """A log that nobody touched is sound."""
    ran = verify("--store", f"sqlite:///{log}")
    told = verify("--store", f"sqlite:///{log}", "--json")

    assert (ran.code, ran.err) == (0, "")
    assert ran.out == ("19 events of 3 subjects\nsound: everything is as it was written\n")
    assert told.json() == {
        "sound": True,
        "events": 19,
        "subjects": 3,
        "problems": [],
        "more_problems": 0,
        "unsealed_requests": 0,
    }


def test_a_log_is_verified_beside_its_server(served: Served) -> None:
    """A server that runs is no obstacle."""
    assert verify("--store", served.store).code == 0


def test_a_changed_byte_is_found(log: Path) -> None:
    """A log that was rewritten is 1, and the first event concerned is named."""
    damage(
        log,
        "UPDATE event SET header = CAST(header || x'00' AS BLOB) WHERE position = 18",
    )
    ran = verify("--store", f"sqlite:///{log}")
    told = verify("--store", f"sqlite:///{log}", "--json")

    assert (ran.code, told.code) == (1, 1)
    assert "the first is in the table event, event 18" in ran.out
    assert told.json()["sound"] is False
    assert told.json()["problems"][0]["position"] == 18
    assert told.json()["problems"][0]["table"] == "event"
    assert told.json()["problems"][0]["what"]


def test_a_damaged_file_is_found(log: Path) -> None:
    """A file with overwritten pages is 1, not a traceback."""
    with log.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xa5" * 4096)
    ran = verify("--store", f"sqlite:///{log}")

    assert ran.code == 1
    assert "problem" in ran.out
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("name", ["log.db", "log.db.keys", "log.db.master-key"])
def test_a_missing_file_is_2(log: Path, name: str) -> None:
    """What cannot be looked at is neither sound nor unsound."""
    (log.parent / name).unlink()
    ran = verify("--store", f"sqlite:///{log}")

    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("consentsvc: ")
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("store", ["memory:", "nonsense", "", "sqlite:///", "postgresql://x/y"])
def test_what_is_no_store_is_64(store: str) -> None:
    """What names no SQLite store is a mistake on the command line.

    It was 2, which says that there is a store and that it could not be looked at.
    """
    ran = verify("--store", store)

    assert (ran.code, ran.out) == (64, "")
    assert "sqlite:///PATH" in ran.err


def test_an_answer_that_was_changed_is_found(log: Path) -> None:
    """A repeat would be answered with something else than the first answer: that is 1."""
    damage(log, "UPDATE request SET answer = x'7b7d' WHERE position = 18")
    told = verify("--store", f"sqlite:///{log}", "--json")

    assert told.code == 1
    assert [(one["position"], one["table"]) for one in told.json()["problems"]] == [(18, "request")]


def test_the_master_key_may_lie_elsewhere(log: Path, tmp_path: Path) -> None:
    """The master key is found where it is said to be."""
    key = tmp_path / "elsewhere"
    (tmp_path / "log.db.master-key").rename(key)

    assert verify("--store", f"sqlite:///{log}", "--master-key-file", key).code == 0
