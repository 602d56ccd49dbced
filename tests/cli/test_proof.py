"""`consentsvc proof` and `consentsvc restore`."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import Served, run, serving


class Kept:
    """What an auditor was given while the service ran: it does not any more."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "log.db"
        self.key = folder / "log.key"
        self.receipt = folder / "anna.tlog-proof"
        self.published = folder / "published"
        self.position = 0


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    kept = Kept(tmp_path_factory.mktemp("kept"))
    with serving(kept.log.parent) as served:
        given = served.ask("consents", "give", "anna", "newsletter", "--json").json()
        kept.position = given["position"]
        kept.receipt.write_text(served.ask("proof", "receipt", "anna", kept.position).out)
        kept.key.write_text(served.ask("proof", "key").out)
        served.ask("proof", "checkpoint", "--directory", kept.published)
        served.ask("consents", "withdraw", "anna", "newsletter")
    return kept


def _verify(kept: Kept, receipt: Path | None = None, *options: str) -> Any:
    return run("proof", "verify", receipt or kept.receipt, "--key", kept.key, *options)


def _audit(kept: Kept, log: Path, *options: str) -> Any:
    checkpoint = kept.published / "checkpoint"
    return run("proof", "audit", "--store", f"sqlite:///{log}", "--checkpoint", checkpoint,
               "--key", kept.key, *options)  # fmt: skip


def test_a_receipt_without_the_service(kept: Kept) -> None:
    """With nothing but the receipt and the key: who, what, when, and the very text."""
    ran = _verify(kept)
    told = _verify(kept, None, "--json").json()

    assert (ran.code, ran.err) == (0, "")
    assert "consent_given" in ran.out
    assert "anna" in ran.out
    assert "Our newsletter" in ran.out
    assert told["proven"] is True
    assert (told["position"], told["subject"], told["notice"]) == (kept.position, "anna", "1 en")


def test_a_receipt_that_was_changed(kept: Kept, tmp_path: Path) -> None:
    """It proves nothing, which is a no, and the part that fails is told."""
    changed = tmp_path / "changed"
    lines = kept.receipt.read_text().split("\n")
    lines[3] = lines[3].translate(str.maketrans("abcABC", "bcaBCA"))
    changed.write_text("\n".join(lines))
    ran = _verify(kept, changed)
    told = _verify(kept, changed, "--json").json()

    assert ran.code == 1
    assert ran.out.startswith("proves nothing: inclusion proof: ")
    assert (told["proven"], told["part"]) == (False, "inclusion proof")


def test_a_receipt_that_is_no_text(kept: Kept, tmp_path: Path) -> None:
    """A byte that makes no character is a byte that was changed: a no, like every other."""
    changed = tmp_path / "changed"
    data = bytearray(kept.receipt.read_bytes())
    data[len(data) // 2] ^= 0x80
    changed.write_bytes(data)
    ran = _verify(kept, changed)

    assert ran.code == 1
    assert ran.out.startswith("proves nothing: ")


def test_a_key_that_is_none(kept: Kept, tmp_path: Path) -> None:
    """That nothing could be found out is no no."""
    (tmp_path / "key").write_text("nothing")
    ran = run("proof", "verify", kept.receipt, "--key", tmp_path / "key")

    assert ran.code == 64
    assert "key" in ran.err


def test_what_is_published(kept: Kept) -> None:
    """One file for each checkpoint, and the last one under a name that stays."""
    names = {one.name for one in kept.published.iterdir()}
    (size,) = names - {"checkpoint"}
    lines = (kept.published / "checkpoint").read_text().split("\n")

    assert int(size) >= kept.position
    assert lines[1] == size
    assert (kept.published / size).read_text() == (kept.published / "checkpoint").read_text()


def test_an_older_one_is_not_the_last(served: Served, tmp_path: Path) -> None:
    """Publishing what covers an event takes nothing back that was published as the last."""
    for command in ((), ("--covering", 1)):
        position = served.ask("consents", "give", "p:5", "newsletter", "--json").json()["position"]
        served.ask("proof", "checkpoint", "--covering", position)
        ran = served.ask("proof", "checkpoint", "--directory", tmp_path, *command)
        assert ran.code == 0
    sizes = sorted(int(one.name) for one in tmp_path.iterdir() if one.name != "checkpoint")

    assert len(sizes) == 2
    assert (tmp_path / "checkpoint").read_text().split("\n")[1] == str(sizes[1])


def test_a_directory_of_another_log(served: Served, tmp_path: Path) -> None:
    """What one log has published is not replaced by what another one has signed."""
    size = served.ask("proof", "checkpoint", "--json").json()["tree_size"]
    (tmp_path / str(size)).write_text("of another log")
    ran = served.ask("proof", "checkpoint", "--directory", tmp_path)

    assert ran.code == 64
    assert "another checkpoint" in ran.err
    assert [one.read_text() for one in tmp_path.iterdir()] == ["of another log"]


def test_a_log_that_was_not_touched(kept: Kept) -> None:
    """It begins with what was signed."""
    ran = _audit(kept, kept.log)

    assert ran.code == 0
    assert ran.out.startswith("sound: the log of ")
    assert _audit(kept, kept.log, "--json").json()["finding"] is None


def test_a_log_that_was_cut(kept: Kept, tmp_path: Path) -> None:
    """The first event that is missing is named."""
    copy = Path(shutil.copy(kept.log, tmp_path / "log.db"))
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute("DROP TRIGGER event_no_delete")
        connection.execute("DELETE FROM event WHERE position >= ?", (kept.position,))
        connection.commit()
    ran = _audit(kept, copy)

    assert ran.code == 1
    assert f": event {kept.position} is missing" in ran.out
    assert _audit(kept, copy, "--json").json()["finding"]["first"] == kept.position


def test_a_checkpoint_of_somebody_else(kept: Kept, served: Served, tmp_path: Path) -> None:
    """A log is held to what was signed with the key that is trusted, and to nothing else."""
    other = tmp_path / "other"
    other.write_text(served.ask("proof", "checkpoint").out)
    ran = run("proof", "audit", "--store", f"sqlite:///{kept.log}", "--checkpoint", other,
              "--key", kept.key)  # fmt: skip

    assert ran.code == 64
    assert "not signed with the key" in ran.err


def test_the_receipt_of_another(served: Served) -> None:
    """It is refused as if there were no such event."""
    position = served.ask("consents", "give", "proof:1", "newsletter", "--json").json()["position"]
    ran = served.ask("proof", "receipt", "proof:2", position)

    assert ran.code == 3
    assert "EVENT_UNKNOWN" in ran.err


def test_a_receipt_is_the_same_everywhere(served: Served, tmp_path: Path) -> None:
    """Once, where the output could not take a dash, a receipt was written that proved nothing."""
    position = served.ask("consents", "give", "proof:4", "newsletter", "--json").json()["position"]
    narrow = {"CONSENT_TARGET": served.target, "PYTHONIOENCODING": "ascii"}
    (tmp_path / "receipt").write_text(run("proof", "receipt", "proof:4", position, **narrow).out)
    (tmp_path / "key").write_text(run("proof", "key", **narrow).out)
    published = run("proof", "checkpoint", "--covering", position, **narrow).out
    ran = run("proof", "verify", tmp_path / "receipt", "--key", tmp_path / "key")

    assert ran.code == 0
    assert (tmp_path / "receipt").read_text().endswith(published)


def test_the_consent_record(served: Served) -> None:
    """The same event for programs that know the standard."""
    position = served.ask("consents", "give", "proof:3", "newsletter", "--json").json()["position"]
    ran = served.ask("proof", "receipt", "proof:3", position, "--record")

    assert '"dpv:ConsentGiven"' in ran.out


def test_a_restored_log(kept: Kept, tmp_path: Path) -> None:
    """It does not start and says why; with a new epoch it does, and signs under another name."""
    folder = tmp_path / "restored"
    folder.mkdir()
    for suffix in ("", ".keys", ".master-key"):
        shutil.copy(f"{kept.log}{suffix}", folder)
    old = Path(shutil.copy(folder / "log.db", tmp_path / "old.db"))
    with serving(folder) as served:
        served.ask("consents", "give", "ben", "newsletter")
        newer = served.ask("proof", "checkpoint", "--json").json()["tree_size"]
        token = served.ask("check", "ben", "newsletter", "--json").json()["read_at"]
        position = served.ask("consents", "give", "ben", "newsletter", "--json").json()["position"]
        served.ask("proof", "receipt", "ben", position)
    for suffix in ("-wal", "-shm"):
        (folder / f"log.db{suffix}").unlink(missing_ok=True)
    shutil.copy(old, folder / "log.db")
    store = f"sqlite:///{folder / 'log.db'}"
    refused = run("serve", "--store", store, "--listen", "127.0.0.1:0")
    begun = run("restore", "--store", store, "--new-epoch", "--json")
    again = run("restore", "--store", store, "--new-epoch")
    with serving(folder) as served:
        key = served.ask("proof", "key").out
        late = served.ask("check", "ben", "newsletter", "--at-least-as-fresh", token)

    assert newer
    assert refused.code == 78
    assert "restore --new-epoch" in refused.err
    assert begun.code == 0
    assert begun.json()["store_id"] in key
    assert again.code == 3
    assert "no new epoch is needed" in again.err
    assert late.code == 3
    assert "POSITION_UNKNOWN" in late.err


def test_a_new_epoch_has_to_be_asked_for(kept: Kept) -> None:
    """`restore` alone gives nothing up."""
    assert run("restore", "--store", f"sqlite:///{kept.log}").code == 64


@pytest.mark.parametrize("command", [("restore", "--new-epoch"), ("serve",), ("verify",)])
def test_a_store_without_a_name(command: tuple[str, ...]) -> None:
    """Once, a folder that has no name of its own ended in a traceback."""
    ran = run(*command, "--store", "sqlite:///.")

    assert ran.code in {64, 78}
    assert "a store is sqlite:///PATH" in ran.err
