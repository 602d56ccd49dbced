"""The job's command line: how the consent service is asked, and options that say nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import Served, serving
from tests.registry_sync.program import arguments, run, write_settings
from tests.registry_sync.scene import Scene, contact, domain, write_lines
from tests.support.certificates import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def demanding(tmp_path: Path, authority: Authority) -> Iterator[Served]:
    """A consent service that lets in only those who show a certificate."""
    certificate, key = authority.issue("server", "localhost")
    own = ("--tls-certificate", certificate, "--tls-key", key)
    with serving(tmp_path, *own, "--tls-client-ca", authority.certificate) as served:
        yield served


def options(folder: Path, served: Served) -> list[str]:
    """What every run is given, for a registrar of one domain."""
    write_lines(folder / "directory.jsonl", [contact("A"), domain("a.no", "A")])
    (folder / "password").write_text("secret")
    (folder / "registries.toml").write_text(
        '[no]\nhost = "epp.example"\nclient = "REG-1"\npassword_file = "password"\n'
    )
    given = {
        "directory": folder / "directory.jsonl",
        "registries": folder / "registries.toml",
        "state": folder / "state.db",
        "target": f"localhost:{served.target.rpartition(':')[2]}",
    }
    return ["--dry-run", *(f"--{name}={value}" for name, value in given.items())]


async def test_a_service_that_asks_for_a_certificate(
    demanding: Served, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job shows a certificate where it has one. It could not, and was never let in."""
    certificate, key = authority.issue("sync")
    usual = options(tmp_path, demanding)
    trust = f"--tls-ca={authority.certificate}"
    shown = await run(
        "reconcile", *usual, trust, f"--tls-certificate={certificate}", f"--tls-key={key}"
    )
    unknown = await run("reconcile", *usual, trust)

    assert (shown.code, shown.summary) == (0, {"hidden": 1})
    assert unknown.code == 2


@pytest.mark.parametrize("option", ["--tls-certificate", "--tls-key"])
async def test_half_of_a_pair(scene: Scene, authority: Authority, option: str) -> None:
    """A certificate without its key is refused, and the other way round."""
    await scene.has(contact("A"), domain("a.no", "A"))
    write_settings(scene)
    ran = await run("reconcile", *arguments(scene), option, str(authority.certificate))

    assert ran.code == 64
    assert "--tls-certificate and --tls-key go together" in ran.err


@pytest.mark.parametrize("address", ["nonsense", "", "a@relay.example", "{handle}"])
async def test_no_relay(scene: Scene, address: str) -> None:
    """An address that is none, or everybody's, is refused. The registry would have got it."""
    await scene.has(contact("A"), domain("a.no", "A"))
    write_settings(scene)
    ran = await run("reconcile", *arguments(scene), "--relay", address)

    assert ran.code == 64
    assert "must be an address with {handle} in it" in ran.err
    assert scene.history("no") == []


async def test_a_registry_that_is_not_set_up(scene: Scene) -> None:
    """What waits for a registry without settings is told by its name, which nobody learnt."""
    await scene.has(contact("A"), domain("a.no", "A"), contact("B"), domain("b.it", "B"))
    write_settings(scene)
    ran = await run("reconcile", *arguments(scene))

    assert ran.code == 1
    assert ran.summary["not reached"] == 1
    assert "WARNING it is not among the registries of the settings\n" in ran.err


@pytest.mark.parametrize("command", ["run", "reconcile"])
async def test_what_is_read_when(command: str) -> None:
    """The help says that the directory is read once, and that a job wants its state for itself."""
    ran = await run(command, "--help")
    words = " ".join(ran.out.split())

    assert "read once, when it starts" in words
    assert {
        "run": "after a change to it, stop this, reconcile, and start it again",
        "reconcile": "It needs the state file for itself: stop `run` before",
    }[command] in words
