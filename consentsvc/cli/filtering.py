"""`consentsvc filter`: which recipients of a list may be written to."""

import os
import shutil
import stat
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from consentsvc.cli import _printing
from consentsvc.cli._errors import unusable
from consentsvc.cli._exits import Ended, Exit
from consentsvc.cli._options import Service, asks_service, freshness_option

if TYPE_CHECKING:
    from consentclient import AsyncConsentClient
    from consentsvc.cli._filter import Summary

_OUTPUT = click.Path(dir_okay=False, path_type=Path)


@click.command("filter", short_help="Splits a list of recipients into allowed and refused.")
@click.argument("recipients", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--purpose", required=True, help="What they would be written to for.")
@click.option(
    "--allowed", type=_OUTPUT, required=True, metavar="FILE", help="For the rows that permit it."
)
@click.option(
    "--refused", type=_OUTPUT, required=True, metavar="FILE", help="For the others, and why."
)
@click.option(
    "--column", default="subject_id", show_default=True, help="The column with the subjects."
)
@click.option("--delimiter", default=",", show_default=True, help="What stands between columns.")
@click.option(
    "--links", is_flag=True, help="Add a column withdrawal_token to the allowed: for RFC 8058."
)
@freshness_option
@asks_service
@click.pass_context
def filter_command(
    context: click.Context,
    *,
    recipients: Path,
    purpose: str,
    allowed: Path,
    refused: Path,
    column: str,
    delimiter: str,
    links: bool,
    at_least_as_fresh: str | None,
    service: Service,
    as_json: bool,
) -> None:
    """Splits RECIPIENTS, a CSV file with a header, by whether each subject permits the purpose.

    Every column is passed on. The refused get two more, reason and detail. The list may be of any
    length, and - reads it from standard input. Files are UTF-8; a byte order mark is dropped,
    empty lines are skipped, and anything else that is not CSV is refused with its line (exit 64).

    Files that have the names of the results are deleted once the list's header has been read. The
    results grow as FILE.partial and get their names once both are complete, the refused first:
    without an allowed file there was no answer. If the service fails midway (exit 2) or the run is
    interrupted (exit 130), neither is left.

    A subject that cannot be answered for, such as a malformed one, stands among the refused with
    the reason NOT_CHECKED, which is not a no. Then both files are complete, and the exit is 2.
    """
    from consentsvc.cli._filter import filter_list
    from consentsvc.cli._recipients import ListUnusable, Recipients, Results

    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise click.BadParameter("must be one character", param_hint="--delimiter")
    began = time.monotonic()

    async def filtering(client: "AsyncConsentClient") -> "Summary":
        with _printing.progress("checking") as progress:
            return await filter_list(
                client,
                purpose,
                listed,
                results,
                links=links,
                at_least_as_fresh=at_least_as_fresh,
                progress=lambda: progress(listed.bytes_read(), size),
            )

    with ExitStack() as stack:
        try:
            raw, source = _opened(recipients)
            stack.enter_context(raw)
            size = os.fstat(raw.fileno()).st_size
            results = Results(allowed, refused)
            results.refuse_same(source)
            listed = stack.enter_context(Recipients(raw, column, delimiter))
            summary = service.ask(filtering)
        except ListUnusable as error:
            raise Ended(Exit.USAGE, f"{recipients}: {error}") from error
        except OSError as error:
            raise unusable(error) from error
    _tell(summary, time.monotonic() - began, as_json=as_json)
    context.exit(Exit.UNKNOWN if summary.not_checked else Exit.YES)


def _opened(recipients: Path) -> tuple[IO[bytes], os.stat_result]:
    """The list, and what it is read from."""
    dash = str(recipients) == "-"
    raw = os.fdopen(0, "rb", closefd=False) if dash else recipients.open("rb")
    source = os.fstat(raw.fileno())
    if stat.S_ISREG(source.st_mode):
        return raw, source
    # Read whole before anything is asked: waiting for more would count as the service's delay.
    with raw:
        spooled = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
        shutil.copyfileobj(raw, spooled)
    spooled.seek(0)
    return spooled, source


def _tell(summary: "Summary", seconds: float, *, as_json: bool) -> None:
    reasons = dict(summary.reasons.most_common())
    if as_json:
        _printing.print_json(
            {
                "rows": summary.rows,
                "allowed": summary.allowed,
                "refused": summary.refused,
                "not_checked": summary.not_checked,
                "reasons": reasons,
                "read_at": summary.read_at,
                "seconds": round(seconds, 3),
            }
        )
        return
    words = [f"{summary.allowed:,} allowed", f"{summary.refused:,} refused"]
    if summary.not_checked:
        words.append(f"{summary.not_checked:,} not checked, which is not a no")
    print(f"{summary.rows:,} rows: {', '.join(words)}")
    _printing.table(("reason", "rows"), reasons.items())
    _printing.facts([("read at", summary.read_at)])
