"""Options that many commands share: what they refuse, wherever they stand."""

from collections.abc import Iterator

import click
import pytest

from consentsvc.cli import main
from tests.cli.program import Served, run


def options(name: str, group: click.Group = main) -> Iterator[tuple[click.Command, click.Option]]:
    """Every command that has the option."""
    for command in group.commands.values():
        if isinstance(command, click.Group):
            yield from options(name, command)
        for one in command.params:
            if isinstance(one, click.Option) and name in one.opts:
                yield command, one


TOO_LONG = ["inf", "1e300", "86401", "9" * 400]


@pytest.mark.parametrize("value", ["nan", "-inf", "0", "-1", "", "soon", *TOO_LONG])
def test_no_such_timeout(value: str) -> None:
    """A timeout is a number of seconds that somebody can wait, in every command.

    `nan` is neither too small nor too large: it came to the client, which printed a traceback, and
    so did what gRPC cannot count up to.
    """
    found = list(options("--timeout"))

    assert len(found) > 10
    for command, option in found:
        with pytest.raises(click.BadParameter, match=r"more than 0 and at most 86400 seconds"):
            option.process_value(click.Context(command), value)


@pytest.mark.parametrize("value", ["0.001", "5", "86400"])
def test_timeouts(value: str) -> None:
    """From a millisecond to a day."""
    for command, option in options("--timeout"):
        assert option.process_value(click.Context(command), value) == float(value)


def test_no_empty_token() -> None:
    """An empty token was lost on its way, and would be taken for none, in every command."""
    found = [*options("--at-least-as-fresh"), *options("--cursor")]

    assert len(found) > 4
    for command, option in found:
        context = click.Context(command)
        assert option.process_value(context, "a token") == "a token"
        assert option.process_value(context, None) is None
        with pytest.raises(click.BadParameter, match="must not be empty"):
            option.process_value(context, "")


@pytest.mark.parametrize(
    "given",
    [("--timeout", "nan"), ("--timeout", "inf"), ("--at-least-as-fresh", "")],
    ids=" ".join,
)
def test_usage_errors_end_with_64(given: tuple[str, str]) -> None:
    """The program says what is wrong with an option, in one line. It printed a traceback, and 2."""
    ran = run("check", "customer:1", "newsletter", *given)

    assert (ran.code, ran.out) == (64, "")
    assert given[0] in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    "command",
    [
        ("check", "customer:1", "newsletter"),
        ("publication", "explain", "a.example", "--contact", "registrant=customer:1/contact:1"),
    ],
)
def test_the_past_cannot_be_fresh(command: tuple[str, ...]) -> None:
    """A moment of the past and a token exclude each other, where there are both.

    The client said so with a traceback, and 2.
    """
    ran = run(*command, "--as-of", "2026-01-01T00:00:00Z", "--at-least-as-fresh", "token")

    assert ran.code == 64
    assert "--as-of and --at-least-as-fresh do not go together" in ran.err


def test_the_longest_timeout_can_be_used(served: Served) -> None:
    """What is taken for a timeout is one."""
    assert served.ask("check", "options:1", "newsletter", "--timeout", "86400").code == 1
    assert served.ask("consents", "list", "options:1", "--timeout", "86400").code == 0
