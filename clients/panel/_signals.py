"""Global Privacy Control: what a browser says on its owner's behalf, passed on once.

It comes with every request. Only where it would object to something new is it told to the service:
the person's own word outranks it, and what it has objected to already needs no second objection.
"""

import secrets
from collections.abc import Sequence

from starlette.requests import Request

from consentclient import Action, AsyncConsentClient, Change, Consents, EventKind, Evidence, Purpose


def is_sent(request: Request) -> bool:
    """Whether the browser sends it (`Sec-GPC: 1`)."""
    return request.headers.get("sec-gpc") == "1"


async def pass_on(
    client: AsyncConsentClient,
    subject_id: str,
    purposes: Sequence[Purpose],
    consents: Consents,
    *,
    channel: str,
    evidence: Evidence,
) -> str | None:
    """Tells the service of it where it objects to something; returns the token of the write."""
    changes = _objections(purposes, consents)
    if not changes:
        return None
    # A new id each time: what is so already is not recorded again, whoever was faster.
    written = await client.update(
        subject_id,
        changes,
        channel=channel,
        evidence=evidence,
        request_id=secrets.token_hex(16),
    )
    return written.written_at


def _objections(purposes: Sequence[Purpose], consents: Consents) -> list[Change]:
    heeding = {one.id for one in purposes if one.heeds_signal}
    said = {
        one.consent.purpose_id
        for one in consents.entries
        if one.consent.objection_position is not None
        or one.consent.objection_withdrawn_position is not None
        or (one.consent.choice and one.consent.choice.kind is EventKind.CONSENT_GIVEN)
    }
    return [Change(one, Action.SIGNAL) for one in sorted(heeding - said)]
