"""The program as a whole: how it starts, what its exit codes say, how it ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from consentsvc import cli
from consentsvc.cli._exits import Exit, Program
from consentsvc.cli._printing import plain
from tests.cli.program import SECONDS, Ran, Served, environment, run, serving

_IMPORTED = """
import sys
import consentsvc.cli
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def ask(*arguments: str) -> Ran:
    ran = CliRunner().invoke(cli.main, arguments)
    return Ran(ran.exit_code, ran.stdout, ran.stderr)


def test_help_waits_for_nothing_heavy() -> None:
    """What takes time to import is imported by the command that needs it."""
    ended = subprocess.run(
        [sys.executable, "-c", _IMPORTED], capture_output=True, check=True, env=environment()
    )
    heavy = {"aiosqlite", "consentclient", "cryptography", "google", "grpc", "rich", "structlog"}

    assert not heavy & set(ended.stdout.decode().split())


def test_help_has_the_exit_codes() -> None:
    """The exit codes are promised in the help and in the package's own words."""
    told = ask("--help").out

    for code in Exit:
        assert f"{code.value:>5}  " in told
        assert f"| {code.value} |" in (cli.__doc__ or "")


@pytest.mark.parametrize("name", list(cli.main.commands))
def test_every_command_has_help(name: str) -> None:
    """Each command says what it does, and which options it takes."""
    ran = ask(name, "--help")

    assert ran.code == 0
    assert ran.out.startswith(f"Usage: main {name}")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("nonsense",),
        ("check",),
        ("check", "customer:1", "newsletter", "--nonsense"),
        ("check", "customer:1", "newsletter", "--timeout", "0"),
        ("check", "customer:1", "newsletter", "--tls-ca", "missing.pem"),
        ("check", "customer:1", "newsletter", "--tls-certificate", __file__),
        ("filter", "list.csv"),
        ("events", "list", "--limit", "0"),
        ("catalogue", "check", "missing.toml"),
        ("verify",),
    ],
)
def test_a_usage_error_is_64(arguments: tuple[str, ...]) -> None:
    """Click's own 2 would be taken for "could not find out"."""
    ran = ask(*arguments)

    assert ran.code == 64
    assert ran.out == ""
    assert ran.err


def test_nobody_there_is_2() -> None:
    """A service that cannot be reached has not said no."""
    ran = ask("check", "customer:1", "newsletter", "--target", "127.0.0.1:1")

    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("consentsvc: could not find out from 127.0.0.1:1: ")
    assert len(ran.err.splitlines()) == 1


def test_too_slow_is_2(tmp_path: Path) -> None:
    """A service that does not answer in time has not said no."""
    with serving(tmp_path) as served:
        served.process.send_signal(signal.SIGSTOP)
        ran = served.ask("check", "customer:1", "newsletter", "--timeout", "0.3")
        served.process.send_signal(signal.SIGCONT)

    assert (ran.code, ran.out) == (2, "")
    assert "could not find out" in ran.err


def test_a_bug_of_ours_is_2() -> None:
    """Python's own 1 for what nobody foresaw would be taken for a no."""

    @click.command()
    def broken() -> None:
        raise ZeroDivisionError

    program = Program("consentsvc", commands={"broken": broken})
    ran = CliRunner().invoke(program, ["broken"])

    assert ran.exit_code == 2
    assert "ZeroDivisionError" in ran.stderr


def test_an_argument_that_is_no_text_is_64(served: Served) -> None:
    """Bytes that are not UTF-8 are a usage error, not a bug."""
    ended = subprocess.run(
        [sys.executable, "-m", "consentsvc", "check", b"\xff", "newsletter"],
        env=environment(CONSENT_TARGET=served.target),
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )

    assert (ended.returncode, ended.stdout) == (64, b"")
    assert ended.stderr == b"consentsvc: what was given is not UTF-8\n"


def test_nobody_reads_is_141(served: Served) -> None:
    """A reader that has seen enough ends the program quietly, and not with a 1."""
    with served.start("events", "watch") as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.readline()
        running.stdout.close()
        served.ask("consents", "give", "program:1", "newsletter")

        assert running.wait(SECONDS) == 141
        assert running.stderr.read() == b""


def test_a_full_disk_is_141(served: Served) -> None:
    """An answer that could not be written is not taken for another one."""
    with Path("/dev/full").open("wb") as full:
        running = served.start("check", "program:3", "newsletter", stdout=full)
        _, err = running.communicate(timeout=SECONDS)

    assert running.returncode == 141
    assert b"Exception ignored" not in err


def test_a_closed_output_changes_no_answer(served: Served) -> None:
    """Who wants the exit code only may close standard output."""
    program = f"{sys.executable} -m consentsvc check program:4 newsletter >&-"
    ended = subprocess.run(
        ["/bin/sh", "-c", program],
        env=environment(CONSENT_TARGET=served.target),
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )

    assert (ended.returncode, ended.stderr) == (1, b"")


def test_the_target_comes_from_the_environment(served: Served) -> None:
    """The client's variables are not the server's: it refuses settings that it does not know."""
    ran = run("check", "customer:1", "newsletter", CONSENT_TARGET=served.target)

    assert ran.code == 1


def test_no_colours_without_a_terminal(served: Served) -> None:
    """What is written into a file or a pipe is plain text, one row a line."""
    ran = run("consents", "list", "program:2", CONSENT_TARGET=served.target, COLUMNS="20")

    assert "\x1b" not in ran.out
    assert len(ran.out.splitlines()) == 10


def test_colours_on_a_terminal(served: Served) -> None:
    """On a terminal a table has a heading that stands out, and fits."""
    controller, terminal = os.openpty()
    try:
        running = served.start("consents", "list", "program:2", stdout=terminal)
        _, err = running.communicate(timeout=SECONDS)
        shown = os.read(controller, 65_536).decode()
    finally:
        os.close(terminal)
        os.close(controller)

    assert (running.returncode, err) == (0, b"")
    assert "\x1b[1m" in shown
    assert "newsletter" in shown


def test_texts_of_others_cannot_move_the_cursor() -> None:
    """Control characters in what is shown are replaced."""
    assert plain("a\x1b[2Jb\rc\nd") == "a?[2Jb?c?d"
