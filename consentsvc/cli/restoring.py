"""`consentsvc restore`: a log that was restored from an older copy."""

from pathlib import Path

import click

from consentsvc.cli import _printing
from consentsvc.cli._exits import Ended, Exit
from consentsvc.cli._options import json_option


@click.command(short_help="Gives a log that was restored from an older copy a new name.")
@click.option("--store", required=True, metavar="URL", help="Where the log is: sqlite:///PATH.")
@click.option(
    "--master-key-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The 32 bytes under which all keys lie; by default beside the log.",
)
@click.option(
    "--new-epoch",
    is_flag=True,
    required=True,
    expose_value=False,
    help="Give up the events that are lost, and the name under which they were signed.",
)
@json_option
def restore(store: str, master_key_file: Path | None, *, as_json: bool) -> None:
    """Begins a new epoch of a log that lacks events which it had signed.

    Look for a newer copy first: what is lost was said by people, who are not asked again. The log
    then signs under another name, and names the one before as its ancestor. Tokens and cursors of
    before are refused (POSITION_UNKNOWN), and followers begin anew. Stop the server before.
    """
    from consentsvc.storage.errors import StoreRefused
    from consentsvc.storage.new_epoch import begin_epoch
    from consentsvc.storage.opening import sqlite_path

    try:
        log = sqlite_path(store)
    except StoreRefused as error:
        raise Ended(Exit.USAGE, str(error)) from error
    try:
        begun = begin_epoch(log, master_key_file)
    except StoreRefused as error:
        raise Ended(Exit.REFUSED, str(error)) from error
    _printing.one(
        {
            "store_id": begun.store_id.hex(),
            "ancestor": begun.ancestor.hex(),
            "events": begun.events,
            "events_signed_before": begun.signed,
        },
        as_json=as_json,
    )
