"""My choices: a row for each purpose, its switch, and all of them at once."""

import asyncio
import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from starlette.responses import Response

from consentclient import (
    Action,
    Change,
    Consent,
    ConsentEntry,
    Consents,
    Effect,
    EventKind,
    LegalBasis,
    Notice,
    NoticeRef,
    Outcome,
    PositionConflict,
    Purpose,
    Reason,
)
from panel import _devices, _signals
from panel._visit import CHANNEL, FormRefused, Said, Visit, as_fresh_as_told, as_position

FORM = "choices-1"

_log = logging.getLogger("panel")

_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[^\W\d_a-z])")
_NOES = {EventKind.CONSENT_REFUSED, EventKind.CONSENT_WITHDRAWN, EventKind.CONSENT_REVOKED}
# Above every choice; until they end, no switch of the person's turns anything on.
_FROZEN = {Reason.RESTRICTED, Reason.DECEASED}


@dataclass(frozen=True, slots=True)
class Row:
    """What a page shows of one purpose.

    `turn` is what its switch would do, None for one that cannot be used now. `since` is when the
    objection that stands was recorded, or else the latest choice. `agreed` is the text of the
    latest choice, None if there was none; `ref` names it.
    """

    purpose: Purpose
    entry: ConsentEntry
    on: bool
    turn: str | None
    since: datetime | None
    ref: NoticeRef | None
    agreed: Notice | None

    @property
    def summary(self) -> str:
        """The first sentence of the text that is shown now."""
        return _SENTENCE.split(self.purpose.notice.text.strip(), maxsplit=1)[0]

    @property
    def reason(self) -> str:
        """Why it is on or off, in the service's word; `signalled` for an objection by a signal."""
        reason = self.entry.decision.reason
        if reason is Reason.OBJECTED and self.entry.consent.objection_by_signal:
            return "signalled"
        return reason.value

    @property
    def asks_by_mail(self) -> bool:
        """Whether a click sends a mail, and does not turn the switch yet."""
        return self.purpose.needs_confirmation and self.turn == "on"


async def show(visit: Visit) -> Response:
    """The page."""
    await _devices.join(visit, channel=CHANNEL)
    purposes, consents = await read(visit, with_scopes=False)
    if _signals.is_sent(visit.request):
        written_at = await _signals.pass_on(
            visit.desk.client,
            visit.subject_id,
            purposes,
            consents,
            channel=CHANNEL,
            evidence=visit.evidence(FORM, "Sec-GPC: 1"),
        )
        if written_at is not None:
            visit.keep_fresh(written_at)
            purposes, consents = await read(visit, with_scopes=False)
    rows = await _rows(visit, purposes, consents)
    askable = [one for one in rows if not _waits_for_mailer(visit, one.purpose)]
    return visit.page(
        "choices.html",
        rows=rows,
        standing=consents.standing,
        controller=purposes[0].controller if purposes else None,
        all_on=not any(_accepting(one.purpose, one.entry) for one in askable),
        all_off=not any(_refusing(one.purpose, one.entry) for one in rows),
        publication=any(one.takes_scope for one in purposes) and visit.desk.contacts is not None,
    )


async def turn(visit: Visit) -> Response:
    """One switch, one click: gives, takes back, objects, or takes the objection back."""
    purposes, consents = await read(visit, with_scopes=False)
    by_id = {one.id: one for one in purposes if not one.takes_scope}
    purpose = by_id.get(visit.form.get("purpose", ""))
    if purpose is None or visit.form.get("turn") not in {"on", "off"}:
        raise FormRefused("refused.incomplete", 400)
    entry = next(one for one in consents.entries if one.consent.purpose_id == purpose.id)
    if visit.form["turn"] == "on":
        changes = _turned_on(purpose, entry)
        if _waits_for_mailer(visit, purpose):
            raise FormRefused("refused.incomplete", 400)
        said = "said.asked" if purpose.needs_confirmation else "said.on"
    else:
        changes = _turned_off(purpose, entry)
        said = "said.off"
    return await _send(visit, changes, Said(said, purpose.id), f"#{purpose.id}", "one switch")


async def answer_all(visit: Visit) -> Response:
    """Accepts or refuses everything on the page: all of it is recorded, or nothing."""
    answer = visit.form.get("answer")
    if answer not in {"accept", "refuse"}:
        raise FormRefused("refused.incomplete", 400)
    purposes, consents = await read(visit, with_scopes=False)
    entries = {one.consent.purpose_id: one for one in consents.entries}
    changes: list[Change] = []
    for purpose in purposes:
        if purpose.takes_scope:
            continue
        entry = entries[purpose.id]
        if answer == "refuse":
            changes += _refusing(purpose, entry)
        elif not _waits_for_mailer(visit, purpose):
            changes += _accepting(purpose, entry)
    return await _send(visit, changes, Said(f"said.{answer}"), "", f"{answer} all")


async def read(visit: Visit, *, with_scopes: bool) -> tuple[list[Purpose], Consents]:
    """The catalogue in the reader's language, and their consents as of their latest change.

    What was said of each contact and domain is with the rest only if it is asked for.
    """
    return await asyncio.gather(
        visit.desk.client.list_purposes(visit.texts.language),
        as_fresh_as_told(
            visit,
            lambda fresh: visit.desk.client.list_consents(
                visit.subject_id, at_least_as_fresh=fresh, with_scopes=with_scopes
            ),
        ),
    )


async def _send(
    visit: Visit, changes: Sequence[Change], said: Said, place: str, action: str
) -> Response:
    shown = [_as_shown(visit, one) for one in changes]
    if not shown:
        return visit.done(f"/choices{place}", said)
    try:
        updated = await visit.desk.client.update(
            visit.subject_id,
            shown,
            channel=CHANNEL,
            evidence=visit.evidence(FORM, action),
            request_id=visit.request_id,
        )
    except PositionConflict:
        # Somebody, maybe the same person elsewhere, has chosen since: their word is the newer one.
        return visit.done(f"/choices{place}", Said("said.conflict", said.about))
    try:
        await _mail(visit, updated.outcomes)
    except OSError as error:
        # The same form has the same link once more: the service answers it as it did first.
        _log.error("a mail could not be handed over: %s", type(error).__name__)
        return visit.trouble("trouble.mail", 503, again=visit.form)
    return visit.done(f"/choices{place}", said, updated.written_at)


async def _mail(visit: Visit, outcomes: Iterable[Outcome]) -> None:
    for one in outcomes:
        if one.effect is not Effect.AWAITING_CONFIRMATION or visit.desk.outbox is None:
            continue
        if one.confirmation_token and one.confirm_before:
            link = f"{visit.desk.settings.url}/confirm/{one.confirmation_token}"
            await visit.desk.outbox.confirmation(
                visit.subject_id, one.purpose_id, link, visit.texts.language, one.confirm_before
            )


def _as_shown(visit: Visit, change: Change) -> Change:
    """The change as it was decided on: on the text and the state that the page showed."""
    told = visit.form.get(f"shown.{change.purpose_id}", "").split(" ")
    try:
        at, version, locale, sha256 = told
        ref = NoticeRef(version, locale, bytes.fromhex(sha256))
        expected = as_position(at)
    except ValueError:
        raise FormRefused("refused.incomplete", 400) from None
    return Change(
        change.purpose_id,
        change.action,
        None if change.action is Action.WITHDRAW_OBJECTION else ref,
        expected,
    )


def _waits_for_mailer(visit: Visit, purpose: Purpose) -> bool:
    return purpose.needs_confirmation and visit.desk.outbox is None


def _turned_on(purpose: Purpose, entry: ConsentEntry) -> list[Change]:
    consent, changes = entry.consent, []
    if consent.objection_position is not None:
        changes.append(Change(purpose.id, Action.WITHDRAW_OBJECTION))
    if purpose.basis is not LegalBasis.LEGITIMATE_INTEREST or _is_no(consent):
        changes.append(Change(purpose.id, Action.GIVE))
    return changes


def _turned_off(purpose: Purpose, entry: ConsentEntry) -> list[Change]:
    if purpose.basis is LegalBasis.LEGITIMATE_INTEREST:
        consent = entry.consent
        if consent.objection_position is not None and not consent.objection_by_signal:
            return []
        return [Change(purpose.id, Action.OBJECT)]
    return [Change(purpose.id, Action.WITHDRAW)]


def _accepting(purpose: Purpose, entry: ConsentEntry) -> list[Change]:
    # The person's own objection is lifted by its own switch only, never in passing.
    consent = entry.consent
    objected = consent.objection_position is not None and not consent.objection_by_signal
    if entry.decision.permitted or objected:
        return []
    return [Change(purpose.id, Action.GIVE)]


def _refusing(purpose: Purpose, entry: ConsentEntry) -> list[Change]:
    consent = entry.consent
    if purpose.basis is LegalBasis.LEGITIMATE_INTEREST:
        return _turned_off(purpose, entry)
    if consent.choice is not None and consent.choice.kind is EventKind.CONSENT_GIVEN:
        return [Change(purpose.id, Action.WITHDRAW)]
    if _is_no(consent) and consent.request is None:
        return []
    return [Change(purpose.id, Action.REFUSE)]


def _is_no(consent: Consent) -> bool:
    return consent.choice is not None and consent.choice.kind in _NOES


async def _rows(visit: Visit, purposes: Sequence[Purpose], consents: Consents) -> list[Row]:
    entries = {one.consent.purpose_id: one for one in consents.entries}
    shown = [one for one in purposes if not one.takes_scope]
    agreed = await asyncio.gather(*(_agreed(visit, one, entries[one.id]) for one in shown))
    return [
        _row(one, entries[one.id], text, visit) for one, text in zip(shown, agreed, strict=True)
    ]


async def _agreed(visit: Visit, purpose: Purpose, entry: ConsentEntry) -> Notice | None:
    """The text of the latest choice, whatever is shown now; None if there is none."""
    choice = entry.consent.choice
    if choice is None or choice.notice is None:
        return None
    ref = choice.notice
    if purpose.notice.ref == ref:
        return purpose.notice
    return await visit.desk.client.get_notice(purpose.id, ref.version, ref.locale)


def _row(purpose: Purpose, entry: ConsentEntry, agreed: Notice | None, visit: Visit) -> Row:
    consent, decision = entry.consent, entry.decision
    choice = consent.choice
    since = choice.recorded_time if choice else None
    if consent.objection_position is not None:
        since = consent.objection_recorded_time
    ref = choice.notice if choice else None
    given = choice is not None and choice.kind is EventKind.CONSENT_GIVEN
    turn: str | None = "off" if decision.permitted else "on"
    if decision.reason in _FROZEN:
        turn = "off" if given else None
    elif turn == "on" and _waits_for_mailer(visit, purpose):
        turn = None
    return Row(
        purpose,
        entry,
        decision.permitted,
        turn,
        since,
        ref,
        agreed,
    )
