"""`consentsvc rights`: what the law gives a person beyond their choices."""

from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from consentsvc.cli import _printing, _shapes
from consentsvc.cli._importing import ExportLines
from consentsvc.cli._options import (
    Service,
    actor_option,
    asks_service,
    channel_option,
    moment,
    request_option,
    scope,
    scope_options,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from datetime import datetime

    from consentclient import Actor, AsyncConsentClient, ImportCounts, Recorded, Updated

_REASONS = ("subject_changed", "transferred_away", "legal_basis_changed", "invalid")


@click.group(
    short_help="Restricts, revokes, links, exports, imports, erases, and what follows a death."
)
def rights() -> None:
    """What the data protection officer does for a person, or instead of them.

    Somebody has to stand for it: --actor is required.
    """


def _standing(name: str, text: str) -> None:
    """Adds a command that concerns every purpose of a subject."""

    def stand(
        subject: str,
        actor: "Actor",
        channel: str,
        request_id: str | None,
        *,
        service: Service,
        as_json: bool,
    ) -> None:
        def standing(client: "AsyncConsentClient") -> "Awaitable[Recorded]":
            methods = {"restrict": client.restrict, "lift": client.lift_restriction}
            return methods[name](subject, actor=actor, channel=channel, request_id=request_id)

        recorded = service.ask(standing)
        _printing.one(
            {
                "subject_id": subject,
                "effect": recorded.effect.name,
                "written_at": recorded.written_at,
            },
            as_json=as_json,
        )

    command = asks_service(stand)
    for option in (request_option, channel_option, actor_option()):
        command = option(command)
    rights.add_command(click.command(name, help=text)(click.argument("subject")(command)))


_standing(
    "restrict",
    "Freezes every purpose for SUBJECT (GDPR art. 18). Nothing is lost, and choices can be made.",
)
_standing("lift", "Ends the freeze for SUBJECT: the answers are those of the choices again.")


@rights.command()
@click.argument("subject")
@actor_option()
@channel_option
@request_option
@asks_service
def death(
    subject: str,
    *,
    actor: "Actor",
    channel: str,
    request_id: str | None,
    service: Service,
    as_json: bool,
) -> None:
    """Records that SUBJECT has died: from here on every answer is no.

    What they have directed for it is carried out.
    """
    died = service.ask(
        lambda client: client.report_death(
            subject, actor=actor, channel=channel, request_id=request_id
        )
    )
    _printing.one(
        {
            "subject_id": subject,
            "effect": died.effect.name,
            "erase_time": _printing.moment(died.erase_time),
            "written_at": died.written_at,
        },
        as_json=as_json,
    )


@rights.command()
@click.argument("subject")
@click.option("--erase", is_flag=True, help="Forget SUBJECT as soon as their death is reported.")
@click.option(
    "--keep-until",
    callback=moment,
    metavar="TIME",
    help="Keep everything until then, like 2031-01-01T00:00:00Z, and forget SUBJECT afterwards.",
)
@click.option("--none", "nothing", is_flag=True, help="Take back what was directed before.")
@actor_option("subject")
@channel_option
@request_option
@asks_service
def directions(
    subject: str,
    *,
    erase: bool,
    keep_until: "datetime | None",
    nothing: bool,
    actor: "Actor",
    channel: str,
    request_id: str | None,
    service: Service,
    as_json: bool,
) -> None:
    """Records what SUBJECT wants to become of their data after their death: one of the options.

    The last word counts (French law 78-17, art. 85).
    """
    from consentclient import Directions, Wish

    wishes = [
        wish
        for wish, given in ((Wish.ERASE, erase), (Wish.KEEP, keep_until), (Wish.NONE, nothing))
        if given
    ]
    if len(wishes) != 1:
        raise click.UsageError("give one of --erase, --keep-until and --none")
    directed = Directions(wishes[0], keep_until)
    recorded = service.ask(
        lambda client: client.direct(
            subject, directed, actor=actor, channel=channel, request_id=request_id
        )
    )
    _printing.one(
        {
            "subject_id": subject,
            "effect": recorded.effect.name,
            "written_at": recorded.written_at,
        },
        as_json=as_json,
    )


@rights.command()
@click.argument("subject")
@click.argument("purposes", nargs=-1, required=True, metavar="PURPOSE...")
@click.option("--reason", type=click.Choice(_REASONS), required=True, help="Why.")
@scope_options
@actor_option()
@channel_option
@request_option
@asks_service
def revoke(
    subject: str,
    purposes: tuple[str, ...],
    *,
    reason: str,
    contact: str | None,
    domain: str | None,
    role: str | None,
    fields: tuple[str, ...],
    actor: "Actor",
    channel: str,
    request_id: str | None,
    service: Service,
    as_json: bool,
) -> None:
    """Ends SUBJECT's consents to each PURPOSE on somebody else's authority: all, or none."""
    from consentclient import RevocationReason

    reached = scope(contact, domain, role, fields)
    updated = service.ask(
        lambda client: client.revoke(
            subject,
            purposes,
            reason=RevocationReason(reason),
            actor=actor,
            channel=channel,
            scope=reached,
            request_id=request_id,
        )
    )
    _outcomes(updated, as_json=as_json)


def _outcomes(updated: "Updated", *, as_json: bool) -> None:
    if as_json:
        for one in updated.outcomes:
            _printing.print_json(_shapes.outcome(one, updated.written_at))
        return
    _printing.table(
        ("purpose", "effect", "event"),
        [(one.purpose_id, one.effect.name, one.position) for one in updated.outcomes],
    )
    _printing.facts([("written at", updated.written_at)])


@rights.command()
@click.argument("subject")
@click.argument("other")
@actor_option()
@channel_option
@request_option
@asks_service
def link(
    subject: str,
    other: str,
    *,
    actor: "Actor",
    channel: str,
    request_id: str | None,
    service: Service,
    as_json: bool,
) -> None:
    """Joins OTHER, an id that SUBJECT was known by: what they refused there holds for SUBJECT."""
    updated = service.ask(
        lambda client: client.link(
            subject, other, actor=actor, channel=channel, request_id=request_id
        )
    )
    _outcomes(updated, as_json=as_json)


@rights.command()
@click.argument("subject")
@click.option(
    "--wait",
    type=click.FloatRange(min=0, min_open=True),
    default=120.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the end. It goes on without us too.",
)
@actor_option()
@channel_option
@request_option
@asks_service
def erase(
    subject: str,
    *,
    wait: float,
    actor: "Actor",
    channel: str,
    request_id: str | None,
    service: Service,
    as_json: bool,
) -> None:
    """Forgets SUBJECT (GDPR art. 17): ends everything, lets followers act, destroys the rest.

    The log keeps that there were events, and whose no longer. Objections, a restriction and a death
    go on being answered with no. Of somebody about whom nothing is held nothing is recorded.
    """
    erased = service.ask(
        lambda client: client.erase(
            subject, actor=actor, channel=channel, request_id=request_id, patience=wait
        )
    )
    if as_json:
        _printing.print_json(
            {
                "position": erased.position,
                "late_follower_ids": list(erased.late_follower_ids),
                "kept_proofs": [_shapes.kept_proof(one) for one in erased.kept_proofs],
                "written_at": erased.written_at,
            }
        )
        return
    _printing.facts(
        [
            ("erased", erased.position and f"event {erased.position}"),
            ("had not acted yet", ", ".join(erased.late_follower_ids) or None),
            ("written at", erased.written_at),
        ]
    )
    if erased.kept_proofs:
        _printing.table(
            ("proof kept of", "events", "until"),
            [
                (one.purpose_id, len(one.positions), _printing.moment(one.expire_time))
                for one in erased.kept_proofs
            ],
        )


@rights.command()
@click.argument("subject")
@click.option("--receipts", is_flag=True, help="With the receipt of each event.")
@actor_option()
@channel_option
@request_option
@asks_service
def export(
    subject: str,
    *,
    receipts: bool,
    actor: "Actor",
    channel: str,
    request_id: str | None,
    service: Service,
    as_json: bool,
) -> None:
    """Prints everything that is held about SUBJECT, as JSON lines (GDPR art. 15 and 20).

    The first has what stands; then each event is a line, and each text that it names comes before
    it. Unless --actor is the subject, the log records who was handed it out.
    """
    del as_json  # there is no other form

    async def exporting(client: "AsyncConsentClient") -> None:
        parts = client.export(
            subject,
            actor=actor,
            channel=channel,
            with_receipts=receipts,
            request_id=request_id,
        )
        async with aclosing(parts):
            async for part in parts:
                for line in _shapes.export_lines(part):
                    _printing.print_json(line)

    service.ask(exporting)


@rights.command(name="import")
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option(
    "--source",
    required=True,
    metavar="NAME",
    help="Where the events come from: up to 64 characters of a-z, 0-9, _, ., :, / and -.",
)
@actor_option()
@channel_option
@asks_service
def import_(
    files: tuple[Path, ...],
    *,
    source: str,
    actor: "Actor",
    channel: str,
    service: Service,
    as_json: bool,
) -> None:
    """Takes over the events in each FILE, as `rights export --receipts` prints them.

    The service has to know the key of the log that they come from (--trusted-log-keys). Each event
    is recorded once, however often it is imported: one that was cut short is run again.
    """
    from consentclient import ConsentError

    lines = ExportLines(files)

    async def importing(client: "AsyncConsentClient") -> "ImportCounts":
        try:
            return await client.import_events(lines, source=source, actor=actor, channel=channel)
        except ConsentError as error:
            raise lines.placed(error) from None

    counts = service.ask(importing)
    _printing.one(
        {
            "recorded": counts.recorded,
            "requested": counts.requested,
            "repeated": counts.repeated,
            "skipped": counts.skipped,
            "withheld": lines.withheld,
            "written_at": counts.written_at,
        },
        as_json=as_json,
    )
