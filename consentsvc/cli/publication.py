"""`consentsvc publication`: what registries show, and whether the program decides it right."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from consentsvc.cli import _printing
from consentsvc.cli._errors import unusable
from consentsvc.cli._exits import Ended, Exit
from consentsvc.cli._options import (
    Service,
    asks_service,
    freshness_option,
    json_option,
    moment,
)

if TYPE_CHECKING:
    from datetime import datetime

    from consentclient import AsyncConsentClient, Publication
    from consentsvc.cli._cases import Difference, Verdict
    from consentsvc.domain.instants import Instant
    from consentsvc.domain.publication.profile import Profile, Profiles

_files = click.argument(
    "files",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE...",
    nargs=-1,
    required=True,
)
_folder = click.option(
    "--profiles",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of your own, whose profiles go before those that come with the program.",
)


@click.group()
def publication() -> None:
    """Shows what the public sees of a domain, the registries' profiles, and runs decision cases."""


@publication.command()
@_files
@json_option
@click.pass_context
def cases(context: click.Context, files: tuple[Path, ...], *, as_json: bool) -> None:
    """Runs the decision cases in each FILE; exits with 1 if any fails.

    Prints the cases that fail, each with what was to come out and what did, and how many there
    were.
    """
    from consentsvc.cli import _case_file, _cases

    try:
        # All are read before any is run: a file that is no good is told at once.
        read = [(file, _case_file.read(file)) for file in files]
    except _case_file.NotCases as error:
        raise Ended(Exit.USAGE, str(error)) from error
    except OSError as error:
        raise unusable(error) from error
    total = failed = 0
    for file, found in read:
        for case in found:
            verdict = _cases.run(case)
            total += 1
            if verdict.differences:
                failed += 1
                _tell(file, verdict, as_json=as_json)
    if as_json:
        _printing.print_json({"cases": total, "failed": failed})
    else:
        print(f"{total} cases, {failed} failed")
    context.exit(Exit.NO if failed else Exit.YES)


@publication.command()
@click.argument("domain")
@click.option(
    "--directory",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The registrar's domains and contacts, JSON lines, as the registry sync job reads them.",
)
@click.option(
    "--contact",
    "contacts",
    multiple=True,
    metavar="ROLE=SUBJECT/CONTACT",
    help="Instead: who is what to the domain, with a value in every field; may be repeated.",
)
@click.option("--legal", is_flag=True, help="With --contact: they are no natural persons.")
@click.option("--purpose", default="whois_publication", show_default=True, help="The purpose.")
@click.option(
    "--as-of",
    callback=moment,
    metavar="TIME",
    help="What was right then, such as 2026-03-01T09:00Z.",
)
@freshness_option
@asks_service
def explain(
    domain: str,
    *,
    directory: Path | None,
    contacts: tuple[str, ...],
    legal: bool,
    purpose: str,
    as_of: "datetime | None",
    at_least_as_fresh: str | None,
    service: Service,
    as_json: bool,
) -> None:
    """Shows what the public sees of DOMAIN's contacts: for each field the outcome, why, the rule.

    Asks the service, with the facts of a directory or of the contacts that are named.
    """
    from consentsvc.cli import _explaining

    if (directory is None) == (not contacts):
        raise click.UsageError("say who the contacts are: --directory, or --contact")
    if legal and directory is not None:
        raise click.UsageError("--legal goes with --contact: the directory says who is what")
    if as_of is not None and at_least_as_fresh is not None:
        raise click.UsageError("--as-of and --at-least-as-fresh do not go together")
    questions = (
        _explaining.from_options(domain, purpose, contacts, legal=legal)
        if directory is None
        else _explaining.from_directory(directory, domain, purpose)
    )

    async def ask(client: "AsyncConsentClient") -> "list[Publication]":
        return [
            await client.resolve(one, at_least_as_fresh=at_least_as_fresh, as_of=as_of)
            for one in questions
        ]

    answers = service.ask(ask)
    if as_json:
        for one in answers:
            _printing.print_json(_explaining.as_json(one))
    else:
        _explaining.show(answers)


@publication.command()
@click.argument("name", required=False)
@_folder
@json_option
def profiles(name: str | None, folder: Path | None, *, as_json: bool) -> None:
    """Lists the registries' profiles, or shows the one that is called NAME.

    NAME is a profile's id, or a suffix: both the registrar's and the registry's are then shown.
    """
    found = _load(folder).all
    if name is not None:
        suffix = name.lower().removeprefix(".")
        found = tuple(one for one in found if name == one.id or suffix in one.suffixes)
        if not found:
            raise click.BadParameter("is the id or a suffix of no profile", param_hint="NAME")
    if as_json:
        for one in found:
            _printing.print_json(_as_json(one))
    elif name is None:
        _printing.table(
            ("profile", "registry", "version", "publisher", "switch", "unverified", "suffixes"),
            [
                (
                    one.id,
                    one.registry,
                    one.version,
                    one.publisher.value,
                    one.switch.value,
                    len(one.unverified) or None,
                    _few(one),
                )
                for one in found
            ],
        )
    else:
        for one in found:
            _show(one)


def _load(folder: Path | None) -> "Profiles":
    from consentsvc.profiles import ProfilesInvalid, load

    try:
        return load(folder)
    except ProfilesInvalid as error:
        raise Ended(Exit.NO, *map(str, error.mistakes)) from error
    except OSError as error:
        raise unusable(error) from error


# --- cases ----------------------------------------------------------------------------------------


def _tell(file: Path, verdict: "Verdict", *, as_json: bool) -> None:
    case = verdict.case
    if as_json:
        _printing.print_json(
            {
                "file": str(file),
                "id": case.id,
                "title": case.title,
                "rule": case.rule,
                "differences": [
                    {"what": one.what, "expected": _json(one.expected), "actual": _json(one.actual)}
                    for one in verdict.differences
                ],
            }
        )
        return
    print(_printing.plain(f"{file}: {case.id}: {case.title}"))
    for line in _lines(verdict.differences):
        print(_printing.plain(f"    {line}"))


def _lines(differences: "tuple[Difference, ...]") -> Iterator[str]:
    for one in differences:
        yield f"{one.what}: expected {_words(one.expected)}, was {_words(one.actual)}"


def _words(value: Any) -> str:
    """A value for people, on one line."""
    import enum
    import json

    if value is None:
        return "nothing"
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, tuple):
        return " ".join(_words(one) for one in value if one is not None)
    return json.dumps(value)


def _json(value: Any) -> Any:
    import enum

    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, tuple):
        return [_json(one) for one in value]
    return value


# --- profiles -------------------------------------------------------------------------------------

_FEW = 6


def _few(profile: "Profile") -> str:
    suffixes = sorted(profile.suffixes)
    more = f" and {len(suffixes) - _FEW} more" if len(suffixes) > _FEW else ""
    return " ".join(suffixes[:_FEW]) + more


def _show(profile: "Profile") -> None:
    encoder = profile.encoder
    _printing.facts(
        [
            ("profile", profile.id),
            ("registry", profile.registry),
            ("version", profile.version),
            ("valid from", _day(profile.valid_from)),
            ("publisher", profile.publisher.value),
            ("switch", profile.switch.value),
            ("encoder", encoder.name),
            ("shows by itself", encoder.shows if encoder.name == "disclose" else None),
            ("offers consent to", ", ".join(_names(profile.offers))),
            ("proxy allowed", profile.proxy_allowed),
            ("suffixes", " ".join(sorted(profile.suffixes)) or None),
            *(("unverified", one) for one in profile.unverified),
        ]
    )


def _as_json(profile: "Profile") -> dict[str, Any]:
    return {
        "profile": profile.id,
        "registry": profile.registry,
        "version": profile.version,
        "valid_from": _day(profile.valid_from),
        "publisher": profile.publisher.value,
        "switch": profile.switch.value,
        "encoder": profile.encoder.name,
        "offers": _names(profile.offers),
        "proxy_allowed": profile.proxy_allowed,
        "suffixes": sorted(profile.suffixes),
        "unverified": list(profile.unverified),
    }


def _names(members: "frozenset[Any]") -> list[str]:
    return sorted(one.value for one in members)


def _day(at: "Instant | None") -> str | None:
    from consentsvc.domain import instants

    return None if at is None else _printing.moment(instants.moment(at))
