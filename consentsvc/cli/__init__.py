"""The command line: everything the service does, for people at a terminal and for scripts.

One module for each group of commands. What takes time to import is imported where it is used, so
that `consentsvc --help` answers at once.

| exit code | says |
| --- | --- |
| 0 | yes, or done |
| 1 | no: a decision that does not permit; a log, catalogue, profile or decision case is wrong |
| 2 | could not find out: service unreachable, too slow or broken; `filter` left a row unchecked |
| 3 | the service refused the request: bad input, unknown purpose, conflict |
| 64 | the command line, or a file named on it, cannot be used as it is |
| 78 | `serve` and `run` only: settings, store or catalogue do not let it start |
| 130 | interrupted (Ctrl-C) |
| 141 | the output cannot be written: nobody reads it any more |

Click's own code for usage errors is 2, and Python's for an exception that nobody caught is 1.
Either would be taken for an answer, so both are replaced.
"""

import click

from consentsvc.cli._exits import EXIT_CODES, Program
from consentsvc.cli.catalogue import catalogue
from consentsvc.cli.checking import check
from consentsvc.cli.consents import consents
from consentsvc.cli.demo import demo
from consentsvc.cli.events import events
from consentsvc.cli.filtering import filter_command
from consentsvc.cli.proof import proof
from consentsvc.cli.publication import publication
from consentsvc.cli.restoring import restore
from consentsvc.cli.rights import rights
from consentsvc.cli.running import run
from consentsvc.cli.serving import serve
from consentsvc.cli.showing import panel
from consentsvc.cli.verifying import verify

__all__ = ["main"]


@click.group(
    cls=Program,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXIT_CODES,
)
def main() -> None:
    """Records what people allow, answers whether something may be done, and proves it."""


_COMMANDS = (
    serve,
    panel,
    run,
    check,
    filter_command,
    consents,
    rights,
    events,
    catalogue,
    publication,
    proof,
    verify,
    restore,
    demo,
)

for command in _COMMANDS:
    main.add_command(command)
