"""What the commands print: one JSON object a line for programs, tables for people."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

# Wide enough that a table in a file or a pipe is never wrapped: one row, one line.
_UNBOUNDED = 2_000


def print_json(value: Mapping[str, Any]) -> None:
    """Prints one object on one line, and hands it on at once."""
    print(json.dumps(value), flush=True)


def moment(at: datetime | None) -> str | None:
    """A moment in UTC, as RFC 3339 writes it."""
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def console(*, to_stderr: bool = False) -> "Console":
    """A console that prints what it is given: ids and texts of others hold no markup here."""
    from rich.console import Console

    stream = sys.stderr if to_stderr else sys.stdout
    width = None if stream.isatty() else _UNBOUNDED
    return Console(file=stream, width=width, markup=False, emoji=False, highlight=False)


def table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], optional: Sequence[str] = ()
) -> None:
    """Prints a table with a heading; an optional column only if there is something in it."""
    from rich.table import Table

    rows = list(rows)
    kept = [
        place
        for place, column in enumerate(columns)
        if column not in optional or any(row[place] is not None for row in rows)
    ]
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for place in kept:
        grid.add_column(columns[place], overflow="fold")
    for row in rows:
        grid.add_row(*(plain(row[place]) for place in kept))
    console().print(grid)


def facts(pairs: Iterable[tuple[str, object]]) -> None:
    """Prints names and values below each other; a value that is None is left out."""
    from rich.table import Table

    grid = Table(box=None, pad_edge=False, show_header=False)
    grid.add_column(style="bold")
    grid.add_column(overflow="fold")
    for name, value in pairs:
        if value is not None:
            grid.add_row(name, plain(value))
    console().print(grid)


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Shows how far something has come, on a terminal only; gets what is done, and of how much."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    )  # fmt: skip
    with Progress(*columns, console=console(to_stderr=True), transient=True) as shown:
        task = shown.add_task(what, total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)


def one(told: Mapping[str, Any], *, as_json: bool) -> None:
    """Prints one object, for programs or for people."""
    if as_json:
        print_json(told)
    else:
        facts((name.replace("_", " "), value) for name, value in told.items())


def plain(value: object) -> str:
    """A value as text that cannot move the cursor: some texts come from outside."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return moment(value) or ""
    return "".join(one if one.isprintable() else "?" for one in str(value))
