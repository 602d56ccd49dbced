"""What the service answers, as the objects that `--json` prints. Their names are a promise."""

import dataclasses
from collections.abc import Iterator
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from consentsvc.cli._printing import moment

if TYPE_CHECKING:
    from consentclient import (
        Actor,
        CheckFailed,
        ConsentEntry,
        ConsentEvent,
        Decision,
        Directions,
        Evidence,
        ExportPart,
        KeptProof,
        NoticeRef,
        Outcome,
        PublicationReport,
        Scope,
    )

Shape = dict[str, Any]


def notice(one: "NoticeRef | None") -> Shape | None:
    """A notice's name and hash."""
    if one is None:
        return None
    return {
        "version": one.version,
        "locale": one.locale,
        "sha256": one.sha256 and one.sha256.hex(),
    }


def decision(one: "Decision") -> Shape:
    """A decision, with what justifies it."""
    return {
        "permitted": one.permitted,
        "reason": one.reason.name,
        "position": one.position,
        "notice": notice(one.notice),
        "valid_until": moment(one.valid_until),
        "read_at": one.read_at,
    }


def answer(subject: str, purpose: str, one: "Decision | CheckFailed") -> Shape:
    """The answer to one question. One that could not be answered has `permitted` null."""
    from consentclient import CheckFailed

    question = {"subject_id": subject, "purpose_id": purpose}
    if isinstance(one, CheckFailed):
        return question | {"permitted": None, "error": one.error.reason, "message": str(one.error)}
    return question | decision(one)


def entry(one: "ConsentEntry") -> Shape:
    """A consent, and the decision that follows from it."""
    return {
        "purpose_id": one.consent.purpose_id,
        **decision(one.decision),
        "consent_position": one.consent.position,
        "choice": one.consent.choice
        and {
            "kind": one.consent.choice.kind.value,
            "position": one.consent.choice.position,
            "recorded_time": moment(one.consent.choice.recorded_time),
            "notice": notice(one.consent.choice.notice),
        },
        "request": one.consent.request
        and {
            "position": one.consent.request.position,
            "recorded_time": moment(one.consent.request.recorded_time),
            "notice": notice(one.consent.request.notice),
        },
        "objection_position": one.consent.objection_position,
        "objection_recorded_time": one.consent.objection_recorded_time
        and moment(one.consent.objection_recorded_time),
        "objection_by_signal": one.consent.objection_by_signal,
        "scope": scope(one.consent.scope),
    }


def scope(one: "Scope | None") -> Shape | None:
    """How far something reaches, and its fields."""
    if one is None:
        return None
    return {
        "contact_id": one.contact_id,
        "domain": one.domain,
        "role": one.role and one.role.value,
        "fields": sorted(field.value for field in one.fields),
    }


def scope_words(one: "Scope | None") -> str | None:
    """A scope as words of a table."""
    if one is None:
        return None
    reach = " ".join(
        part for part in (one.contact_id, one.domain, one.role and one.role.value) if part
    )
    fields = ", ".join(sorted(field.value for field in one.fields))
    return f"{reach or 'account'}: {fields}" if fields else reach


def report(one: "PublicationReport | None") -> Shape | None:
    """What a registry made of what it was told."""
    if one is None:
        return None
    return {
        "outcome": one.outcome.value,
        "registry": one.registry,
        "resolved_position": one.resolved_position,
        "published_fields": sorted(field.value for field in one.published_fields),
        "code": one.code,
    }


def outcome(one: "Outcome", written_at: str) -> Shape:
    """What became of one change."""
    return {
        "purpose_id": one.purpose_id,
        "effect": one.effect.name,
        "position": one.position,
        "confirmation_token": one.confirmation_token,
        "confirm_before": moment(one.confirm_before),
        "scope": scope(one.scope),
        "written_at": written_at,
    }


def event(one: "ConsentEvent") -> Shape:
    """One thing that happened."""
    return {
        "position": one.position,
        "kind": one.kind.value,
        "recorded_time": moment(one.recorded_time),
        "claimed_time": moment(one.claimed_time),
        "pseudonym": one.pseudonym and one.pseudonym.hex(),
        "subject_id": one.subject_id,
        "purpose_id": one.purpose_id,
        "notice": notice(one.notice),
        "actor": actor(one.actor),
        "channel": one.channel,
        "refers_to": one.refers_to,
        "revocation_reason": one.revocation_reason and one.revocation_reason.value,
        "evidence": one.evidence and dataclasses.asdict(one.evidence),
        "scope": scope(one.scope),
        "report": report(one.report),
        "signal": one.signal and one.signal.value,
        "withheld": one.withheld and one.withheld.value,
        "directions": directions(one.directions),
        "since_time": moment(one.since_time),
        "provenance": one.provenance
        and {
            "source": one.provenance.source,
            "actor": actor(one.provenance.actor),
            "channel": one.provenance.channel,
            "log_origin": one.provenance.log_origin,
            "log_position": one.provenance.log_position,
        },
    }


def directions(one: "Directions | None") -> Shape | None:
    """What is to become of somebody's data after their death."""
    return None if one is None else {"wish": one.wish.value, "until": moment(one.until)}


def kept_proof(one: "KeptProof") -> Shape:
    """Which events are kept as those of somebody who was erased."""
    return {
        "purpose_id": one.purpose_id,
        "positions": list(one.positions),
        "expire_time": moment(one.expire_time),
    }


def export_lines(part: "ExportPart") -> Iterator[Shape]:
    """The lines of a part of an export; each says by its only name what it is."""
    if part.record is not None:
        record = part.record
        yield {
            "record": {
                "subject_id": record.subject_id,
                "export_time": moment(record.export_time),
                "read_position": record.read_position,
                "event_count": record.event_count,
                "restriction_position": record.standing.restriction_position,
                "death_position": record.standing.death_position,
                "consents": [entry(one) for one in record.consents],
                "kept_proofs": [kept_proof(one) for one in record.kept_proofs],
            }
        }
    for told in part.notices:
        yield {
            "notice": {
                "purpose_id": told.purpose_id,
                **(notice(told.notice.ref) or {}),
                "title": told.notice.title,
                "text": told.notice.text,
            }
        }
    for one, receipt in zip_longest(part.events, part.receipts):
        yield {"event": event(one) | {"receipt": receipt}}


def actor(one: "Actor | None") -> str | None:
    """An actor as `--actor` takes it."""
    if one is None:
        return None
    return one.kind.value if one.id is None else f"{one.kind.value}:{one.id}"


def notice_name(one: "NoticeRef | None") -> str | None:
    """A notice as a word of a table."""
    return None if one is None else f"{one.version} {one.locale}"


def evidence_words(one: "Evidence | None") -> str | None:
    """Evidence as words of a table."""
    if one is None:
        return None
    given = dataclasses.asdict(one).items()
    return ", ".join(f"{name}={value}" for name, value in given if value is not None)
