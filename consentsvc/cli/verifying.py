"""`consentsvc verify`: was anything rewritten?"""

from pathlib import Path

import click

from consentsvc.cli import _printing
from consentsvc.cli._exits import Ended, Exit
from consentsvc.cli._options import json_option


@click.command(short_help="Looks for anything in a store that is not as it was written.")
@click.option("--store", required=True, metavar="URL", help="Where the log is: sqlite:///PATH.")
@click.option(
    "--master-key-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The 32 bytes under which all keys lie; by default beside the log.",
)
@json_option
@click.pass_context
def verify(
    context: click.Context, store: str, master_key_file: Path | None, *, as_json: bool
) -> None:
    """Checks a store on its files, without a server and beside one: exits with 1 for a problem.

    Every hash is computed anew, every sealed part is opened, and every state is folded again from
    its events. Changes nothing.
    """
    from consentsvc.storage.errors import StoreRefused
    from consentsvc.storage.opening import sqlite_path
    from consentsvc.storage.verify import verify as verify_store

    try:
        log = sqlite_path(store)
    except StoreRefused as error:
        raise Ended(Exit.USAGE, str(error)) from error
    try:
        with _printing.progress("verifying") as progress:
            report = verify_store(log, master_key_file, progress)
    except StoreRefused as error:
        raise Ended(Exit.UNKNOWN, str(error)) from error
    except OSError as error:
        raise Ended(Exit.UNKNOWN, f"{error.filename or store}: {error.strerror}") from error
    found = len(report.problems) + report.more
    if as_json:
        _printing.print_json(
            {
                "sound": not found,
                "events": report.events,
                "subjects": report.subjects,
                "problems": [one._asdict() for one in report.problems],
                "more_problems": report.more,
                "unsealed_requests": report.unsealed,
            }
        )
    else:
        print(f"{report.events:,} events of {report.subjects:,} subjects")
        if found:
            first = report.problems[0]
            at = f"event {first.position}" if first.position else "no event in particular"
            print(f"{found:,} problems; the first is in the table {first.table}, {at}")
            _printing.table(
                ("event", "table", "problem"),
                [(one.position, one.table, one.what) for one in report.problems],
            )
            if report.more:
                print(f"and {report.more:,} more")
        else:
            print("sound: everything is as it was written")
        if report.unsealed:
            print(
                f"but nothing can be told of {report.unsealed:,} answered requests: they are older"
                " than the seal that the others have"
            )
    context.exit(Exit.NO if found else Exit.YES)
