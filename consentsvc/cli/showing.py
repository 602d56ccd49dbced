"""`consentsvc panel`: the customer's panel, under the name that people look for it."""

import os
import sys
from importlib.util import find_spec

import click

from consentsvc.cli._exits import Ended, Exit


@click.command(
    short_help="Serves the customer's panel; the same as consent-panel.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[ARGUMENTS]...")
def panel(arguments: tuple[str, ...]) -> None:
    """Serves the customer's panel: `consent-panel`, with its options, signals and exit codes.

    `consentsvc panel -- --help` lists the options. A demonstration beside a server on this machine:
    `consentsvc panel --local-sign-in`.

    The panel is a client of the service and no part of it, so nothing of it is imported here: this
    process becomes the panel's.
    """
    if find_spec("panel") is None or find_spec("uvicorn") is None:
        raise Ended(Exit.USAGE, "the panel is not installed: install consentsvc[panel]")
    # -P, so that a folder called panel where somebody happens to be is not taken for it.
    os.execv(sys.executable, [sys.executable, "-P", "-m", "panel", *arguments])  # noqa: S606 - no shell is wanted
