"""`consentsvc catalogue`: the catalogue as files, without a server."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from consentsvc.cli import _printing
from consentsvc.cli._exits import Ended, Exit
from consentsvc.cli._options import json_option

if TYPE_CHECKING:
    from consentsvc.domain.catalogue import Catalogue, Purpose

_file = click.argument(
    "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False
)


@click.group()
def catalogue() -> None:
    """Checks and shows a catalogue: a TOML file, and its texts beside it.

    Without FILE, the catalogue that comes with the program.
    """


@catalogue.command()
@_file
@json_option
@click.pass_context
def check(context: click.Context, file: Path | None, *, as_json: bool) -> None:
    """Names every mistake in a catalogue; exits with 1 if there are any."""
    from consentsvc.catalogue import CatalogueInvalid

    try:
        loaded = _load(file)
    except CatalogueInvalid as error:
        if as_json:
            mistakes = [
                {"file": one.file, "line": one.line, "key": one.key, "message": one.message}
                for one in error.mistakes
            ]
            _printing.print_json({"valid": False, "mistakes": mistakes})
        else:
            for one in error.mistakes:
                print(_printing.plain(one))
        context.exit(Exit.NO)
    if as_json:
        _printing.print_json({"valid": True, "mistakes": []})
    else:
        print(f"{len(loaded.purposes)} purposes in {', '.join(loaded.locales)}: no mistake")


@catalogue.command()
@_file
@click.option("--locale", default="en", show_default=True, help="The locale of the titles.")
@json_option
def show(file: Path | None, locale: str, *, as_json: bool) -> None:
    """Shows the purposes of a catalogue."""
    from consentsvc.catalogue import CatalogueInvalid

    try:
        loaded = _load(file)
    except CatalogueInvalid as error:
        raise Ended(Exit.NO, *map(str, error.mistakes)) from error
    if locale not in loaded.locales:
        raise click.BadParameter(
            f"the catalogue has {', '.join(loaded.locales)}", param_hint="--locale"
        )
    if as_json:
        for purpose in loaded.purposes.values():
            _printing.print_json(_as_json(purpose, locale))
        return
    _printing.table(
        ("purpose", "controller", "basis", "lasts", "confirmed", "notice", "title"),
        [
            (
                one.id,
                one.controller.name,
                one.basis.value,
                f"{one.validity_months} months" if one.validity_months else None,
                one.needs_confirmation,
                one.current.version,
                one.current.notices[locale].title,
            )
            for one in loaded.purposes.values()
        ],
    )


def _load(file: Path | None) -> "Catalogue":
    from consentsvc.catalogue import load

    try:
        return load(file)
    except OSError as error:
        raise click.FileError(str(error.filename), error.strerror) from error


def _as_json(purpose: "Purpose", locale: str) -> dict[str, Any]:
    notice = purpose.current.notices[locale]
    return {
        "purpose_id": purpose.id,
        "controller": purpose.controller.id,
        "controller_name": purpose.controller.name,
        "basis": purpose.basis.value,
        "validity_months": purpose.validity_months,
        "retention_months": purpose.retention_months,
        "proof_months": purpose.proof_months,
        "needs_confirmation": purpose.needs_confirmation,
        "evidence": sorted(one.value for one in purpose.evidence),
        "versions": [one.version for one in purpose.versions],
        "notice": {
            "version": notice.version,
            "locale": notice.locale,
            "sha256": notice.sha256.hex(),
            "title": notice.title,
            "text": notice.text,
        },
        "trackers": [
            {
                "name": one.name,
                "kind": one.kind.value,
                "host": one.host,
                "lifetime": one.lifetime,
                "goal": one.goal[locale],
            }
            for one in purpose.trackers
        ],
    }
