"""`consentsvc demo`: the whole story in half a minute."""

import tempfile
import time
from pathlib import Path

import click

from consentsvc.cli._errors import told
from consentsvc.cli._exits import Ended, Exit


@click.command(short_help="Tells the whole story on a sample of customers, and checks it.")
@click.option(
    "--customers",
    type=click.IntRange(min=200, max=1_000_000),
    default=10_000,
    show_default=True,
    metavar="N",
    help="How many customers the registrar has.",
)
def demo(customers: int) -> None:
    """Shows what the service is for: consent given, used, withdrawn, followed and verified.

    Starts a server on a temporary directory, lets a sample of customers make their choices, and
    does what a panel, a mailer, a follower and an auditor do, showing the commands for it. Every
    step is held against what the sample must lead to: exits with 1 if one does not hold.
    """
    import uvloop

    from consentsvc.cli._background import ServerFailed, quietly, until_told
    from consentsvc.cli._sample import customers as sample
    from consentsvc.cli._story import Story

    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="consentsvc-demo-") as folder, told("the server"):
        try:
            with quietly():
                uvloop.run(until_told(Story(Path(folder), sample(customers)).tell()))
        except ServerFailed as error:
            raise Ended(Exit.UNKNOWN, *str(error).splitlines()) from error
    print(f"\nAll of it held, in {time.monotonic() - began:.1f} seconds. Nothing is left behind.")
