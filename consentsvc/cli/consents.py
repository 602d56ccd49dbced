"""`consentsvc consents`: a customer's choices, as the panel shows and changes them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from consentsvc.cli import _printing, _shapes
from consentsvc.cli._options import (
    TOKENS,
    Service,
    actor_option,
    asks_service,
    channel_option,
    freshness_option,
    reader_option,
    request_option,
    scope,
    scope_options,
    standard_input,
)

if TYPE_CHECKING:
    from consentclient import Actor, AsyncConsentClient, ConsentEvent, NoticeRef, Updated


@click.group(short_help="Shows and changes a person's choices.")
def consents() -> None:
    """Shows and changes a person's choices, as their panel does."""


@consents.command("list")
@click.argument("subject")
@freshness_option
@reader_option
@asks_service
def list_command(
    subject: str,
    at_least_as_fresh: str | None,
    *,
    reader: "Actor | None",
    service: Service,
    as_json: bool,
) -> None:
    """Lists what holds for SUBJECT: for every purpose the decision and its reason."""
    found = service.ask(
        lambda client: client.list_consents(
            subject, at_least_as_fresh=at_least_as_fresh, reader=reader
        )
    )
    standing = found.standing
    if as_json:
        for one in found.entries:
            _printing.print_json(
                {
                    **_shapes.entry(one),
                    "restriction_position": standing.restriction_position,
                    "death_position": standing.death_position,
                }
            )
        return
    _printing.table(
        ("purpose", "scope", "permitted", "reason", "event", "notice", "valid until"),
        [
            (
                one.consent.purpose_id,
                _shapes.scope_words(one.consent.scope),
                one.decision.permitted,
                one.decision.reason.name,
                one.decision.position,
                _shapes.notice_name(one.decision.notice),
                one.decision.valid_until,
            )
            for one in found.entries
        ],
        optional=("scope",),
    )
    _printing.facts(
        [
            ("restricted since event", standing.restriction_position),
            ("death reported by event", standing.death_position),
            ("read at", found.read_at),
        ]
    )


@consents.command()
@click.argument("subject")
@freshness_option
@reader_option
@asks_service
def history(
    subject: str,
    at_least_as_fresh: str | None,
    *,
    reader: "Actor | None",
    service: Service,
    as_json: bool,
) -> None:
    """Lists everything that happened to SUBJECT's consents, oldest first, with its evidence."""

    async def read(client: "AsyncConsentClient") -> "list[ConsentEvent]":
        events = client.history(subject, at_least_as_fresh=at_least_as_fresh, reader=reader)
        return [one async for one in events]

    found = service.ask(read)
    if as_json:
        for one in found:
            _printing.print_json(_shapes.event(one))
        return
    _printing.table(
        (
            "event",
            "recorded",
            "what",
            "purpose",
            "scope",
            "notice",
            "actor",
            "channel",
            "evidence",
        ),
        [
            (
                one.position,
                one.recorded_time,
                one.kind.value,
                one.purpose_id,
                _shapes.scope_words(one.scope),
                _shapes.notice_name(one.notice),
                _shapes.actor(one.actor),
                one.channel,
                _shapes.evidence_words(one.evidence),
            )
            for one in found
        ],
        optional=("scope",),
    )


def _changing(
    name: str, action: str, text: str, *, with_notice: bool, with_scope: bool = True
) -> None:
    """Adds a command that changes one consent."""

    def change(
        subject: str,
        purpose: str,
        *,
        actor: "Actor",
        channel: str,
        request_id: str | None,
        locale: str | None = None,
        notice_version: str | None = None,
        contact: str | None = None,
        domain: str | None = None,
        role: str | None = None,
        fields: Sequence[str] = (),
        service: Service,
        as_json: bool,
    ) -> None:
        from consentclient import Action, Change

        reached = scope(contact, domain, role, fields)

        async def changing(client: "AsyncConsentClient") -> "Updated":
            notice = None
            if locale is not None:
                notice = await _shown(client, purpose, locale, notice_version)
            return await client.update(
                subject,
                [Change(purpose, Action(action), notice, scope=reached)],
                channel=channel,
                actor=actor,
                request_id=request_id,
            )

        updated = service.ask(changing)
        outcome = updated.outcomes[0]
        told = _shapes.outcome(outcome, updated.written_at)
        if not as_json:
            told["scope"] = _shapes.scope_words(outcome.scope)
        _printing.one(told, as_json=as_json)

    command = asks_service(change)
    if with_notice:
        command = click.option(
            "--notice-version", metavar="V", help="The version that was shown; else the current."
        )(command)
        command = click.option(
            "--locale", default="en", show_default=True, help="The locale that was shown."
        )(command)
    if with_scope:
        command = scope_options(command)
    for option in (request_option, channel_option, actor_option("subject")):
        command = option(command)
    command = click.argument("subject")(click.argument("purpose")(command))
    consents.add_command(click.command(name, help=text)(command))


async def _shown(
    client: "AsyncConsentClient", purpose: str, locale: str, version: str | None
) -> "NoticeRef | None":
    """The notice to name: with its hash if it is the current one. None for an unknown purpose.

    The service refuses a change without the purpose or its notice, and says which it was.
    """
    from consentclient import NoticeRef

    if version is not None:
        return NoticeRef(version, locale)
    purposes = await client.list_purposes(locale)
    return next((one.notice.ref for one in purposes if one.id == purpose), None)


_changing(
    "give",
    "give",
    """SUBJECT consents to PURPOSE, having been shown the notice.

    Given by anybody but the subject, or for a purpose that wants confirmation, it is recorded as a
    request, and the token for the confirmation link is printed: for the subject and nobody else.
    """,
    with_notice=True,
)
_changing(
    "refuse", "refuse", "SUBJECT refuses PURPOSE, having been shown the notice.", with_notice=True
)
_changing(
    "withdraw",
    "withdraw",
    "SUBJECT takes the consent to PURPOSE back. Succeeds also if there was none.",
    with_notice=False,
)
_changing(
    "object",
    "object",
    "SUBJECT objects to PURPOSE. That stands above every consent.",
    with_notice=False,
    with_scope=False,
)
_changing(
    "unobject",
    "withdraw_objection",
    "SUBJECT takes the objection to PURPOSE back. Consents given before count again.",
    with_notice=False,
    with_scope=False,
)


@consents.command(context_settings=TOKENS)
@click.argument("token")
@request_option
@asks_service
def confirm(token: str, request_id: str | None, *, service: Service, as_json: bool) -> None:
    """Gives the consent that was asked for, as the link with TOKEN does. - reads the token."""
    token = _token(token)
    confirmed = service.ask(lambda client: client.confirm(token, request_id=request_id))
    told = {
        "purpose_id": confirmed.purpose_id,
        "position": confirmed.position,
        "written_at": confirmed.written_at,
    }
    _printing.one(told, as_json=as_json)


@consents.command(context_settings=TOKENS)
@click.argument("token")
@request_option
@asks_service
def redeem(token: str, request_id: str | None, *, service: Service, as_json: bool) -> None:
    """Withdraws a consent, as the one-click link with TOKEN does. - reads the token."""
    token = _token(token)
    redeemed = service.ask(lambda client: client.redeem(token, request_id=request_id))
    told = {
        "purpose_id": redeemed.purpose_id,
        "effect": redeemed.effect.name,
        "written_at": redeemed.written_at,
    }
    _printing.one(told, as_json=as_json)


def _token(given: str) -> str:
    return "".join(standard_input()[:1]) if given == "-" else given
