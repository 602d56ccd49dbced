"""The job as a program: what it prints, how it ends, what it refuses."""

import asyncio
import os
import pty
import signal
import sys
from pathlib import Path

import pytest

from registry_sync import DirectoryInvalid, JsonLines, State
from registry_sync.testing import Fault, Kind, RegistryServer, self_signed
from tests.registry_sync.program import SECONDS, arguments, environment, run, start, write_settings
from tests.registry_sync.scene import EMAIL, Scene, contact, domain, write_lines

_NOTHING = {
    "unchanged": 0,
    "hidden": 0,
    "shown": 0,
    "values": 0,
    "refused": 0,
    "unresolved": 0,
    "not reached": 0,
}


@pytest.fixture
async def ready(scene: Scene) -> Scene:
    """A registrar with one contact that may be shown, and settings for its registries."""
    await scene.has(contact("A"), domain("a.no", "A"), contact("B"), domain("b.cz", "B"))
    await scene.give("account:A", EMAIL)
    write_settings(scene)
    return scene


async def test_run_and_reconcile(ready: Scene) -> None:
    """Both end with 0 and a summary; what was done once is not done again."""
    first = await run("run", "--until", str(await ready.head()), *arguments(ready))
    again = await run("reconcile", *arguments(ready))

    assert (first.code, again.code) == (0, 0)
    assert first.summary == {"hidden": 2, "shown": 1}
    assert again.summary == {"unchanged": 2}
    assert ready.seen() == await ready.wanted()
    assert ready.seen()["no", "A"] == {"email"}


async def test_the_summary_is_a_table(ready: Scene) -> None:
    """The summary has a line for each thing that was counted."""
    ran = await run("reconcile", *arguments(ready))

    assert [line.rsplit(maxsplit=1)[0] for line in ran.out.splitlines()] == list(_NOTHING)


async def test_dry_run(ready: Scene) -> None:
    """A dry run prints the frames, sends nothing, keeps nothing and reports nothing."""
    before = await ready.head()
    ran = await run("reconcile", "--dry-run", *arguments(ready))

    assert ran.code == 0
    assert ran.out.count("# to no\n<epp ") == 1
    assert '<contact:disclose flag="0">' in ran.out
    assert "<contact:voice/>" in ran.out
    assert "<contact:email/>" not in ran.out
    assert ready.history("no") == []
    assert not ready.state_file.exists()
    assert await ready.head() == before


async def test_dry_run_of_a_change(ready: Scene) -> None:
    """A dry run begins where the job is, and leaves it there."""
    await run("run", "--until", str(await ready.head()), *arguments(ready))
    await ready.withdraw("account:A", EMAIL)
    with State(ready.state_file) as state:
        cursor = state.cursor()
    until = ("--until", str(await ready.head()))
    dry = [await run("run", "--dry-run", *until, *arguments(ready)) for _ in range(2)]
    shown = ready.seen()["no", "A"]
    with State(ready.state_file) as state:
        still = state.cursor()
    await run("run", *until, *arguments(ready))

    assert dry[0].out == dry[1].out
    assert "<contact:email/>" in dry[0].out
    assert shown == {"email"}
    assert cursor == still
    assert ready.seen()["no", "A"] == set()


async def test_not_everything(ready: Scene) -> None:
    """It ends with 1 where a registry refused, and where one was not reached."""
    server = ready.registries["no"]
    server.faults.add(Fault(Kind.REFUSE, 2308, command="contact:update"))
    refused = await run("reconcile", *arguments(ready))
    await ready.has(contact("A"), domain("a.no", "A"), contact("C"), domain("c.it", "C"))
    missing = await run("reconcile", *arguments(ready))

    assert (refused.code, refused.summary) == (1, {"hidden": 1, "shown": 1, "refused": 1})
    assert "ERROR not applied: hiding was refused by no with 2308" in refused.err
    # The name of B is public still, for .cz shows it always: that was looked at.
    assert (missing.code, missing.summary) == (
        1,
        {"unchanged": 1, "hidden": 1, "not reached": 1},
    )


async def test_nobody_to_ask(ready: Scene) -> None:
    """It ends with 2 if the consent service is not there."""
    await ready.stops()
    ran = await run("reconcile", *arguments(ready))
    await ready.starts()

    assert ran.code == 2
    assert ran.err.startswith(f"registry-sync: {ready.target}: ")
    assert ran.out == ""


async def test_refused_by_the_service(ready: Scene) -> None:
    """It ends with 3 where the service knows another log, or no such purpose."""
    unknown = await run("reconcile", *arguments(ready, purpose="unheard_of"))
    with State(ready.state_file) as state:
        state.begin_at(10_000)
    elsewhere = await run("run", *arguments(ready))

    assert unknown.code == 3
    assert "is not a purpose of the catalogue" in unknown.err
    assert elsewhere.code == 3
    assert elsewhere.err.splitlines()[-1] == (
        f"registry-sync: {ready.target}: its log is not the one that {ready.state_file} is about"
    )


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("reconcile",),
        ("reconcile", "--shoe-size", "42"),
        ("run", "--until", "soon"),
        ("fly",),
    ],
)
async def test_the_command_line(words: tuple[str, ...]) -> None:
    """It ends with 64 where the command line says nothing that it could do."""
    ran = await run(*words)

    assert ran.code == 64
    assert "Usage: registry-sync" in ran.err + ran.out


async def test_help() -> None:
    """The help says what there is, and ends with 0."""
    ran = await run("--help")

    assert ran.code == 0
    assert "reconcile" in ran.out


async def test_settings(ready: Scene) -> None:
    """All mistakes in the settings are told at once, each by its key."""
    file = ready.folder / "registries.toml"
    file.write_text(
        'stray = 1\n[no]\nhost = "h"\nport = 70000\nclient = "c"\nshoe = 42\n'
        '[uk]\nhost = 1\nclient = "c"\npassword_file = "absent"\ndialect = "klingon"\n'
        'timeout = 0\ncertificate_file = "x"\n'
        '[cz]\nhost = "epp.example"\nclient = "c"\npassword_file = "no.password"\nplain = true\n'
        '[ca]\nhost = "h"\nclient = "c"\npassword_file = "absent"\n'
    )
    ran = await run("reconcile", *arguments(ready))

    assert ran.code == 64
    assert ran.err.splitlines() == [
        "registry-sync: stray: must be a section with the settings of a registry",
        "registry-sync: no.shoe: there is no such setting",
        "registry-sync: no.password_file: is missing",
        "registry-sync: no.port: must be a port",
        "registry-sync: uk.host: must be str",
        "registry-sync: uk.dialect: must be one of rfc, fred, gov, pl",
        "registry-sync: uk.timeout: must be 1 or more seconds",
        "registry-sync: uk.certificate_file: goes together with key_file",
        "registry-sync: cz.plain: without TLS only this machine is spoken to",
        "registry-sync: ca.password_file: absent: No such file or directory",
    ]


async def test_settings_of_nobody(ready: Scene) -> None:
    """A section that stands for no registry is a mistake, not a worker without work."""
    file = ready.folder / "registries.toml"
    file.write_text(file.read_text().replace("[no]", "[norway]"))
    ran = await run("reconcile", *arguments(ready))

    assert ran.code == 64
    assert ran.err.startswith("registry-sync: norway: there is no such registry that takes")


_MISTAKES = {
    "{": "cannot be read",
    "[]": "cannot be read",
    '"Durand"': "cannot be read",
    '{"contact": "Durand", "account": "a", "shoe": 42}': "a member that is not known",
    '{"contact": "Durand"}': "account is missing",
    '{"contact": "Durand", "account": "a", "kind": "Durand"}': "kind cannot be read",
    '{"contact": "Durand", "account": "a", "values": {"Durand": ""}}': "values cannot be read",
    '{"contact": "Durand", "account": "a", "values": {"name": 1}}': "values cannot be read",
    '{"contact": "Durand", "account": "a", "pending": "name"}': "pending cannot be read",
    '{"contact": "Durand", "account": "a", "verified": 1}': "verified cannot be read",
    '{"contact": "A", "account": "Durand"}': "stands there twice",
    '{"domain": "durand.no"}': "registered is missing",
    '{"domain": "durand.no", "registered": "2025-01-01"}': "registered cannot be read",
    '{"domain": "dürand", "registered": "2025-01-01T00:00:00Z"}': "domain cannot be read",
}


@pytest.mark.parametrize("line", _MISTAKES)
def test_directory(tmp_path: Path, line: str) -> None:
    """A mistake in the directory is told with the number of its line, which is not quoted."""
    file = tmp_path / "directory.jsonl"
    write_lines(file, [contact("A"), domain("a.no", "A")])
    with file.open("a", encoding="utf-8") as out:
        out.write(f"\n{line}\n")
    with pytest.raises(DirectoryInvalid) as refused, JsonLines(file):
        pass

    assert str(refused.value) == f"directory.jsonl:4: {_MISTAKES[line]}"


async def test_directory_in_other_bytes(ready: Scene) -> None:
    """What is not UTF-8 is a mistake like any other, and ends the program with 64."""
    ready.directory_file.write_bytes(b'{"contact": "\xff"}\n')
    ran = await run("reconcile", *arguments(ready))

    assert ran.code == 64
    assert ran.err == "registry-sync: directory.jsonl:1: cannot be read\n"


def test_directory_without_a_contact(tmp_path: Path) -> None:
    """A binding to a contact that is not there is a mistake."""
    file = tmp_path / "directory.jsonl"
    write_lines(file, [domain("a.no", "A"), domain("b.no", "A")])
    with (
        pytest.raises(DirectoryInvalid, match="2 bindings name contacts it lacks"),
        JsonLines(file),
    ):
        pass


async def test_two_jobs(ready: Scene) -> None:
    """A second job on the same state file is refused with a clear word."""
    with State(ready.state_file):
        ran = await run("reconcile", *arguments(ready))
        dry = await run("reconcile", "--dry-run", *arguments(ready))

    assert ran.code == dry.code == 64
    assert ran.err == f"registry-sync: {ready.state_file}: another job is using it\n"
    assert ready.history("no") == []


async def test_something_else_than_a_state(ready: Scene) -> None:
    """A file that is no state is left as it is."""
    ready.state_file.write_text("Dear diary, " * 1000)
    ran = await run("reconcile", *arguments(ready))

    assert ran.code == 64
    assert ran.err == f"registry-sync: {ready.state_file}: file is not a database\n"
    assert ready.state_file.read_text().startswith("Dear diary")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_told_to_stop(ready: Scene, number: signal.Signals) -> None:
    """Told to stop, it ends at once, with a summary, and goes on where it was the next time."""
    process = await start("run", *arguments(ready))
    await ready.next_report(0)
    process.send_signal(number)
    out, err = await asyncio.wait_for(process.communicate(), SECONDS)
    ready.forget()
    await run("run", "--until", str(await ready.head()), *arguments(ready))

    assert process.returncode == 0
    assert b"Traceback" not in err
    assert out.decode().splitlines()[1].split() == ["hidden", "2"]
    assert ready.history("no") == []


async def test_stopped_before_it_began(ready: Scene) -> None:
    """Told to stop while it still waits for the service, it stops."""
    fifo = ready.folder / "fifo"
    os.mkfifo(fifo)
    process = await start("run", *arguments(ready, directory=str(fifo)))
    with fifo.open("w", encoding="utf-8") as out:
        process.send_signal(signal.SIGTERM)
        out.write("\n")
    await asyncio.wait_for(process.communicate(), SECONDS)

    assert process.returncode in {0, -signal.SIGTERM}


async def test_a_registry_behind_tls(ready: Scene) -> None:
    """With TLS the certificate is that of the authority in the settings, or nothing is sent."""
    tls = self_signed()
    async with RegistryServer(ready.registries["no"].registry, tls=tls.server) as server:
        (ready.folder / "ca.pem").write_text(tls.certificate)
        file = ready.folder / "registries.toml"
        entry = f'[no]\nhost = "127.0.0.1"\nport = {server.port}\nclient = "registrar"\n'
        file.write_text(f'{entry}password_file = "no.password"\nca_file = "ca.pem"\n')
        trusted = await run("reconcile", *arguments(ready))
        file.write_text(f'{entry}password_file = "no.password"\n')
        await ready.withdraw("account:A")
        strange = await run("reconcile", *arguments(ready))

    assert trusted.summary == {"hidden": 1, "not reached": 1}
    assert ready.seen()["no", "A"] == {"email"}
    assert strange.summary == {"not reached": 2}
    assert "no was not reached: the server's certificate is not trusted" in strange.err


async def test_progress(ready: Scene) -> None:
    """At a terminal a bar says how far it is."""
    main, terminal = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "registry_sync", "reconcile", *arguments(ready)),
        stdout=asyncio.subprocess.PIPE,
        stderr=terminal,
        env={**environment(), "TERM": "xterm"},
    )
    os.close(terminal)
    out, _ = await asyncio.wait_for(process.communicate(), SECONDS)
    seen = os.read(main, 100_000).decode()
    os.close(main)

    assert process.returncode == 0
    assert "reconciling" in seen
    assert out.decode().splitlines()[0].split() == ["unchanged", "0"]


async def test_progress_counts(scene: Scene) -> None:
    """What is done grows to what there is to do."""
    people = [f"P{number}" for number in range(450)]
    await scene.has(*map(contact, people), *(domain(f"{one}.uk", one) for one in people))
    seen: list[tuple[int, int]] = []
    async with scene.job() as sync:
        await sync.reconcile(lambda done, total: seen.append((done, total)))

    assert {total for _, total in seen} == {450}
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1] == (450, 450)
