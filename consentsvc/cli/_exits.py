"""How the program ends: one meaning for each exit code, and one line for what went wrong."""

import enum
import io
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any, NoReturn

import click

PROGRAM = "consentsvc"


class Exit(enum.IntEnum):
    """What an exit code says. Nothing but an answer is ever 0 or 1."""

    YES = 0
    NO = 1
    UNKNOWN = 2
    REFUSED = 3
    USAGE = 64
    CONFIG = 78
    INTERRUPTED = 130
    UNHEARD = 141


EXIT_CODES = """\b
Exit codes:
    0  yes, or done
    1  no: a decision that does not permit, a log or catalogue with a mistake
    2  could not find out, which is never a no: service unreachable, too slow or broken; a row of
       filter not checked
    3  the service refused the request: bad input, unknown purpose, conflict
   64  the command line, or a file named on it, cannot be used as it is
   78  serve and run only: the settings, the store or the catalogue do not let it start
  130  interrupted (Ctrl-C)
  141  the output cannot be written"""


class Ended(click.ClickException):
    """Ends the program with a code and a word; several words are lines of their own."""

    def __init__(self, code: Exit, *words: str) -> None:
        super().__init__("\n".join(words))
        self.code = code
        self.words: Sequence[str] = words

    def show(self, file: Any = None) -> None:
        """Prints the words, each behind the program's name."""
        for word in self.words:
            click.echo(f"{PROGRAM}: {word}", err=True, file=file)


class Program(click.Group):
    """A group of commands that keeps to the exit codes, whatever happens in a command."""

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        """Runs the program and exits."""
        # gRPC writes to stderr past our words and past our logs with their list of fields, peers'
        # addresses included.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        _open_streams()
        code = self._code(*args, **extra)
        try:
            sys.stdout.flush()
        except OSError:
            # Python would flush once more on its way out, and complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = Exit.UNHEARD
        sys.exit(code)

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command; a closed pipe is not left to click, which would exit with 1: a no."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            return Exit.UNHEARD

    def _code(self, *args: Any, **extra: Any) -> int:
        try:
            ended = super().main(*args, **{**extra, "standalone_mode": False})
        except Ended as error:
            error.show()
            return error.code
        except click.ClickException as error:
            error.show()
            return Exit.USAGE
        except click.Abort:
            return Exit.INTERRUPTED
        except OSError as error:
            # Files that are named on the command line are told where they are used.
            click.echo(f"{PROGRAM}: the output cannot be written: {error.strerror}", err=True)
            return Exit.UNHEARD
        except Exception:  # noqa: BLE001 - Python would exit with 1, and that is a no
            click.echo(traceback.format_exc(), err=True)
            return Exit.UNKNOWN
        return ended if isinstance(ended, int) else Exit.YES


def _open_streams() -> None:
    """Makes sure that there are streams, and that they take any letter.

    A database or a connection that is opened where a stream was closed would get its output.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
