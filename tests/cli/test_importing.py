"""`consentsvc rights import`: what `rights export` has printed, taken over by another service."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import Ran, Served, run, serving

OFFICER = ("--actor", "operator:dpo")


@pytest.fixture(scope="module")
def here(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service that trusts the log of the first one."""
    folder = tmp_path_factory.mktemp("here")
    keys = folder / "keys"
    keys.write_text(served.ask("proof", "key").out)
    with serving(folder, "--trusted-log-keys", keys) as here:
        yield here


def exported(served: Served, subject: str, file: Path, *options: str) -> Path:
    file.write_text(served.ask("rights", "export", subject, *OFFICER, *options).out)
    return file


def imported(here: Served, *files: Path, source: str = "old-service") -> Ran:
    return here.ask("rights", "import", *files, "--source", source, *OFFICER, "--json")


def reason(served: Served, subject: str, purpose: str) -> str:
    return str(served.ask("check", subject, purpose, "--json").json()["reason"])


def test_the_same_answers(served: Served, here: Served, tmp_path: Path) -> None:
    """What was said there is answered here, and an import that is run again changes nothing."""
    for subject in ("import:1", "import:2"):
        served.ask("consents", "give", subject, "newsletter")
        served.ask("consents", "refuse", subject, "chat_cookies")
    served.ask("rights", "restrict", "import:2", *OFFICER)
    files = [
        exported(served, subject, tmp_path / subject, "--receipts")
        for subject in ("import:1", "import:2")
    ]
    first = imported(here, *files)
    again = imported(here, *files)
    history = here.ask("consents", "history", "import:1", "--json").json_lines()

    assert (first.code, again.code) == (0, 0)
    assert first.json() | {"written_at": ""} == {
        "recorded": 5,
        "requested": 0,
        "repeated": 0,
        "skipped": 2,
        "withheld": 0,
        "written_at": "",
    }
    assert (again.json()["repeated"], again.json()["recorded"]) == (7, 0)
    for subject in ("import:1", "import:2"):
        for purpose in ("newsletter", "chat_cookies"):
            assert reason(here, subject, purpose) == reason(served, subject, purpose)
    assert history[0]["provenance"]["source"] == "old-service"
    assert history[0]["since_time"] < history[0]["recorded_time"]


def test_what_is_withheld_is_passed_over(here: Served, tmp_path: Path) -> None:
    """Of an event of which nothing is left, there is nothing to import; nor of other lines."""
    file = tmp_path / "export"
    event = {"pseudonym": "00", "position": 1, "receipt": None, "withheld": "erased"}
    file.write_text(f'{{"record": {{}}}}\n\n{json.dumps({"event": event})}\n')
    ran = here.ask("rights", "import", file, "--source", "old", *OFFICER)

    assert ran.code == 0
    assert ["withheld", "1"] in ran.words()


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("no json", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "is no line of an export"),
        ('{"event": 1}', "is no line of an export"),
        ('{"event": {"receipt": "text"}}', "is no event of an export"),
        ('{"event": {"pseudonym": "00", "position": 1}}', "has no receipt: export with --receipts"),
        ("\xff", "is not JSON"),
    ],
    ids=["words", "deep", "list", "number", "nobody", "no receipt", "bytes"],
)
def test_a_bad_line(here: Served, tmp_path: Path, line: str, word: str) -> None:
    """It is told by file and line, and nothing of the file was sent."""
    file = tmp_path / "export"
    file.write_bytes(b'{"record": {}}\n' + line.encode("latin-1") + b"\n")
    ran = imported(here, file)

    assert (ran.code, ran.out) == (64, "")
    assert f"{file}, line 2: {word}" in ran.err


def test_a_receipt_that_proves_nothing(served: Served, here: Served, tmp_path: Path) -> None:
    """What the service refuses is told by file and line too, with what is wrong with it."""
    served.ask("consents", "give", "import:3", "newsletter")
    good = exported(served, "import:3", tmp_path / "good", "--receipts")
    bad = tmp_path / "bad"
    lines = good.read_text().splitlines()
    receipt = json.loads(lines[-1])["event"]["receipt"]
    event = json.loads(lines[-1])
    event["event"] |= {"position": 1_000, "receipt": receipt.replace("index ", "index 1")}
    bad.write_text("\n".join([lines[0], json.dumps(event)]))
    ran = imported(here, good, bad)

    assert (ran.code, ran.out) == (3, "")
    assert f"{bad}, line 2: events[2].receipt: " in ran.err
    assert here.ask("consents", "history", "import:3", "--json").json_lines() == []


def test_a_service_that_trusts_nobody(served: Served, tmp_path: Path) -> None:
    """Without the key of the other log its receipts prove nothing."""
    served.ask("consents", "give", "import:4", "newsletter")
    file = exported(served, "import:4", tmp_path / "export", "--receipts")
    with serving(tmp_path) as other:
        ran = imported(other, file)

    assert ran.code == 3
    assert "signature: of no log that is trusted here" in ran.err


def test_a_key_that_is_none(tmp_path: Path) -> None:
    """A server does not start on a file of keys with anything else in it."""
    keys = tmp_path / "keys"
    keys.write_text("a key\n")
    ran = run("serve", "--store", "memory:", "--trusted-log-keys", keys, "--listen", "127.0.0.1:0")

    assert ran.code == 78
    assert f"{keys}, line 1: " in ran.err
