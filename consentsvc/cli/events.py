"""`consentsvc events`: the log, in pages and as it grows."""

import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from consentsvc.cli import _printing, _shapes
from consentsvc.cli._exits import Ended, Exit
from consentsvc.cli._options import Service, asks_service, whole_token

if TYPE_CHECKING:
    from consentclient import AsyncConsentClient, ConsentEvent

_PAGE = 1_000
_POSITION = click.IntRange(min=1, max=2**63 - 1)
_COLUMNS = "{:>8}  {:<27}  {:<21}  {:<24}  {:<20}  {:<18}  {}"


@click.group(short_help="Shows what happened, and what happens.")
def events() -> None:
    """Shows the log: everything that happened, in the order in which it did.

    With --json each event is a line. A line without "position" is a cursor to go on from.
    """


@events.command("list")
@click.option("--after", metavar="CURSOR", help="Begin after a cursor; else at the beginning.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="List N at most; else all.")
@asks_service
def list_command(after: str | None, limit: int | None, *, service: Service, as_json: bool) -> None:
    """Lists the log up to its head, and the cursor to go on from."""

    async def listing(client: "AsyncConsentClient") -> None:
        lines = _Lines(as_json=as_json)
        cursor, left, at_head = after, limit, False
        while not at_head and left != 0:
            page = await client.list_events(cursor, page_size=min(left or _PAGE, _PAGE))
            lines.events(page.events)
            cursor, at_head = page.cursor, page.at_head
            left = left and left - len(page.events)
        lines.cursor(cursor, at_head=at_head)

    service.ask(listing)


@events.command()
@click.option("--from", "start", type=_POSITION, metavar="POSITION", help="Begin with this event.")
@click.option("--cursor", metavar="CURSOR", callback=whole_token, help="Begin after a cursor.")
@click.option("--until", type=_POSITION, metavar="POSITION", help="End with this event.")
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="End after N events.")
@click.option(
    "--cursor-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Begin after the cursor in it, if there is one; keep it up to date.",
)
@asks_service
def watch(
    start: int | None,
    cursor: str | None,
    until: int | None,
    count: int | None,
    cursor_file: Path | None,
    *,
    service: Service,
    as_json: bool,
) -> None:
    """Shows the log as it grows: from its first event on, unless told where to begin.

    A cursor is saved once its events are printed, so that after a crash some may be printed twice
    and none is left out. A file with a cursor has precedence over --from and --cursor.
    """
    if start is not None and cursor is not None:
        raise click.UsageError("--from and --cursor do not go together")
    try:
        saved = cursor_file.read_text().strip() if cursor_file and cursor_file.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise Ended(Exit.USAGE, f"{cursor_file}: cannot be read") from error
    cursor = saved or cursor
    lines = _Lines(as_json=as_json)

    def shown(found: "Sequence[ConsentEvent]", cursor: str | None, through: int) -> None:
        lines.events(found)
        if as_json:
            lines.cursor(cursor, through_position=through)
        if cursor_file and cursor:
            _save(cursor_file, cursor)

    last = service.ask(
        lambda client: _watch(client, shown, None if cursor else start or 1, cursor, until, count)
    )
    if not as_json:
        lines.cursor(last)


async def _watch(
    client: "AsyncConsentClient",
    shown: "Callable[[Sequence[ConsentEvent], str | None, int], None]",
    start: int | None,
    cursor: str | None,
    until: int | None,
    count: int | None,
) -> str | None:
    """Shows stretch after stretch; returns the last cursor if there is an end to it."""
    before = start - 1 if start else 0
    stretches = client.watch(start_position=start, cursor=cursor)
    async with aclosing(stretches):
        async for stretch in stretches:
            wanted = [one for one in stretch.events if until is None or one.position <= until]
            wanted = wanted[:count]
            through = stretch.through_position
            if len(wanted) == len(stretch.events):
                cursor = stretch.cursor
            else:
                cursor = await _cursor_after(client, cursor, before + len(wanted))
                through = wanted[-1].position if wanted else stretch.events[0].position - 1
            before = 0
            shown(wanted, cursor, through)
            count = None if count is None else count - len(wanted)
            if count == 0 or (until is not None and through >= until):
                break
    return cursor


async def _cursor_after(
    client: "AsyncConsentClient", cursor: str | None, events: int
) -> str | None:
    """The cursor so many events further on: a stretch has one for its own end only."""
    while events:
        page = await client.list_events(cursor, page_size=min(events, _PAGE))
        cursor = page.cursor
        events -= len(page.events)
    return cursor


class _Lines:
    """Prints events as they come, one a line."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._headed = False

    def events(self, found: "Sequence[ConsentEvent]") -> None:
        """Prints events, and hands them on at once."""
        for one in found:
            if self._as_json:
                print(json.dumps(_shapes.event(one)))
                continue
            if not self._headed:
                self._headed = True
                print(
                    _COLUMNS.format(
                        "event", "recorded", "what", "purpose", "subject", "actor", "channel"
                    )
                )
            cells = (
                one.position,
                one.recorded_time,
                one.kind.value,
                one.purpose_id,
                one.subject_id,
                _shapes.actor(one.actor),
                one.channel,
            )
            print(_COLUMNS.format(*map(_printing.plain, cells)))
        sys.stdout.flush()

    def cursor(self, cursor: str | None, **more: object) -> None:
        """Prints where to go on from."""
        if self._as_json:
            _printing.print_json({"cursor": cursor, **more})
        elif cursor:
            print(f"cursor: {cursor}")


def _save(file: Path, cursor: str) -> None:
    """Replaces a cursor in one step, so that a crash leaves the old one or the new one."""
    partial = file.with_name(file.name + ".partial")
    try:
        with partial.open("w") as text:
            text.write(cursor + "\n")
            text.flush()
            os.fsync(text.fileno())
        partial.replace(file)
    except OSError as error:
        raise Ended(Exit.USAGE, f"{file}: {error.strerror}") from error
