"""The canonical form of an event: a header without personal data, and its personal part.

Both are JSON with sorted keys, no blanks and ASCII only, so that anybody can read them and
everybody encodes them alike. The header commits to the personal part by an HMAC under a random
salt, which can be opened to prove the content and is worthless to somebody who guesses it; and by
the hash of the bytes that it was sealed into, which finds a change without any key.
"""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from consentsvc.domain.canonical import SCHEMA, Damaged, canonical, optional, read_fields, typed
from consentsvc.domain.events import (
    Actor,
    ActorKind,
    Directions,
    Event,
    EventKind,
    Evidence,
    NoticeRef,
    Personal,
    Provenance,
    PublicationReport,
    ReportOutcome,
    RevocationReason,
    Signal,
    Wish,
)
from consentsvc.domain.identifiers import ActorId, Position, Pseudonym, PurposeId, SubjectId
from consentsvc.domain.instants import Instant
from consentsvc.domain.scope import ContactField, ContactId, DomainName, Reach, Role, Scope

SALT_BYTES = 32
PSEUDONYM_BYTES = 16


@dataclass(frozen=True, slots=True)
class Header:
    """Everything about an event that is not about a person, and what it says of the rest.

    `event` is without its personal part. The commitment, the hash of the sealed bytes and the
    event's pseudonym are there together, or none of them is.
    """

    event: Event
    commitment: bytes | None = None
    sealed_sha256: bytes | None = None

    def encode(self) -> bytes:
        """The canonical bytes: the only ones that `read_header` and the tree are made for."""
        event = self.event
        fields: dict[str, Any] = {
            "kind": event.kind.value,
            "position": event.position,
            "recorded_at": event.recorded_at,
            "schema": SCHEMA,
        }
        if event.purpose is not None:
            fields["purpose"] = event.purpose
        if event.notice is not None:
            fields["notice"] = {
                "locale": event.notice.locale,
                "sha256": event.notice.sha256.hex(),
                "version": event.notice.version,
            }
        if event.refers_to is not None:
            fields["refers_to"] = event.refers_to
        if event.signal is not None:
            fields["signal"] = event.signal.value
        if event.since is not None:
            fields["since"] = event.since
        if event.pseudonym is not None and self.commitment and self.sealed_sha256:
            fields["pseudonym"] = event.pseudonym.hex()
            fields["commitment"] = self.commitment.hex()
            fields["sealed_sha256"] = self.sealed_sha256.hex()
        return canonical(fields)


def read_header(data: bytes) -> Header:
    """Decodes a header; raises `Damaged` for bytes that no header ever had."""
    fields = read_fields(data, "the header is not one")
    try:
        personal = [name in fields for name in ("pseudonym", "commitment", "sealed_sha256")]
        if any(personal) and not all(personal):
            raise Damaged("the header tells half of what belongs to a personal part")
        notice = fields.get("notice")
        event = Event(
            position=Position(typed(fields["position"], int)),
            recorded_at=Instant(typed(fields["recorded_at"], int)),
            kind=EventKind(fields["kind"]),
            purpose=optional(fields.get("purpose"), str, PurposeId),
            pseudonym=optional(fields.get("pseudonym"), str, _pseudonym),
            notice=None if notice is None else _notice(notice),
            refers_to=optional(fields.get("refers_to"), int, Position),
            personal=None,
            signal=optional(fields.get("signal"), str, Signal),
            since=optional(fields.get("since"), int, Instant),
        )
        if event.holds_from > event.recorded_at:
            raise Damaged("the header tells of an event from after it was recorded")
        return Header(
            event,
            optional(fields.get("commitment"), str, _sha256),
            optional(fields.get("sealed_sha256"), str, _sha256),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise Damaged("the header is not one") from error


def personal_part(personal: Personal) -> bytes:
    """Encodes a personal part."""
    return canonical(_personal_fields(personal))


class Opened(NamedTuple):
    """What it takes to show somebody the content of a personal part: its encoding, and the salt."""

    salt: bytes
    personal: bytes


def commitment(salt: bytes, personal: bytes) -> bytes:
    """What a header says of an encoded personal part."""
    return hmac.digest(salt, personal, "sha256")


def _personal_fields(personal: Personal) -> dict[str, Any]:
    evidence = personal.evidence
    fields: dict[str, Any] = {
        "actor": _actor_fields(personal.actor),
        "channel": personal.channel,
        "schema": SCHEMA,
        "subject": personal.subject,
    }
    shown = {
        "action": evidence.action,
        "form_version": evidence.form_version,
        "ip_address": evidence.ip_address,
        "session_reference": evidence.session_reference,
        "user_agent": evidence.user_agent,
    }
    shown = {name: value for name, value in shown.items() if value is not None}
    if shown:
        fields["evidence"] = shown
    if personal.claimed_at is not None:
        fields["claimed_at"] = personal.claimed_at
    if personal.revocation is not None:
        fields["revocation"] = personal.revocation.value
    if personal.scope is not None:
        fields["scope"] = _scope_fields(personal.scope)
    if personal.report is not None:
        fields["report"] = _report_fields(personal.report)
    if personal.provenance is not None:
        fields["provenance"] = _provenance_fields(personal.provenance)
    if personal.directions is not None:
        fields["directions"] = _directions_fields(personal.directions)
    return fields


def read_personal_part(data: bytes) -> Personal:
    """Decodes a personal part; raises `Damaged` for bytes that none ever had."""
    fields = read_fields(data, "the personal part cannot be read")
    try:
        return Personal(
            subject=SubjectId(typed(fields["subject"], str)),
            actor=_actor(fields["actor"]),
            channel=typed(fields["channel"], str),
            evidence=Evidence(**fields.get("evidence", {})),
            claimed_at=optional(fields.get("claimed_at"), int, Instant),
            revocation=optional(fields.get("revocation"), str, RevocationReason),
            scope=optional(fields.get("scope"), dict, _scope),
            report=optional(fields.get("report"), dict, _report),
            provenance=optional(fields.get("provenance"), dict, _provenance),
            directions=optional(fields.get("directions"), dict, _directions),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Damaged("the personal part cannot be read") from error


def reach_fields(reach: Reach) -> dict[str, str]:
    """What JSON holds of a reach: the parts that it has.

    Raises `ValueError` for one that is none: what nobody could read must not be written.
    """
    if not reach.sound or "" in reach:
        raise ValueError("a reach is account, contact, domain or role, each inside the one before")
    parts = (reach.contact, reach.domain, reach.role and reach.role.value)
    return {name: part for name, part in zip(_REACH, parts, strict=True) if part is not None}


def read_reach(fields: dict[str, Any]) -> Reach:
    """Turns them back into the reach; raises what `typed` does, or `ValueError`."""
    reach = Reach(
        optional(fields.get("contact"), str, ContactId),
        optional(fields.get("domain"), str, DomainName),
        optional(fields.get("role"), str, Role),
    )
    # One more part than is understood could only make it reach less far than was read.
    if len(fields) != len(_REACH) - reach.count(None) or not reach.sound or "" in reach:
        raise ValueError("no such reach")
    return reach


_REACH = ("contact", "domain", "role")


def field_names(fields: Iterable[ContactField]) -> list[str]:
    """What JSON holds of a set of fields."""
    return sorted(field.value for field in fields)


def read_field_names(names: object) -> frozenset[ContactField]:
    """Turns them back into the set; raises what `typed` does, or `ValueError`."""
    fields = frozenset(ContactField(name) for name in typed(names, list))
    if field_names(fields) != names:
        raise ValueError("the fields are not in their order")
    return fields


def _scope_fields(scope: Scope) -> dict[str, Any]:
    if not scope.fields:
        raise ValueError("a scope names its fields: none never means all")
    return {**reach_fields(scope.reach), "fields": field_names(scope.fields)}


def _scope(fields: dict[str, Any]) -> Scope:
    named = read_field_names(fields["fields"])
    if not named:
        raise ValueError("a scope names its fields: none never means all")
    return Scope(read_reach({one: fields[one] for one in fields if one != "fields"}), named)


def _report_fields(report: PublicationReport) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "outcome": report.outcome.value,
        "reach": reach_fields(report.reach),
        "published": field_names(report.published),
        "registry": report.registry,
        "resolved_at": report.resolved_at,
    }
    if report.code is not None:
        fields["code"] = report.code
    return fields


def _report(fields: dict[str, Any]) -> PublicationReport:
    report = PublicationReport(
        ReportOutcome(fields["outcome"]),
        typed(fields["registry"], str),
        read_reach(fields["reach"]),
        Position(typed(fields["resolved_at"], int)),
        read_field_names(fields["published"]),
        optional(fields.get("code"), int, int),
    )
    if _report_fields(report) != fields:
        raise ValueError("no such report")
    return report


def _provenance_fields(provenance: Provenance) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "actor": _actor_fields(provenance.actor),
        "channel": provenance.channel,
        "source": provenance.source,
    }
    if provenance.log is not None:
        fields["log"] = provenance.log
    if provenance.position is not None:
        fields["position"] = provenance.position
    return fields


def _provenance(fields: dict[str, Any]) -> Provenance:
    provenance = Provenance(
        typed(fields["source"], str),
        _actor(fields["actor"]),
        typed(fields["channel"], str),
        optional(fields.get("log"), str, str),
        optional(fields.get("position"), int, Position),
    )
    if _provenance_fields(provenance) != fields:
        raise ValueError("no such provenance")
    return provenance


def _actor_fields(actor: Actor) -> dict[str, Any]:
    fields: dict[str, Any] = {"kind": actor.kind.value}
    if actor.id is not None:
        fields["id"] = actor.id
    return fields


def _actor(fields: Any) -> Actor:
    return Actor(ActorKind(fields["kind"]), optional(fields.get("id"), str, ActorId))


def _directions_fields(directions: Directions) -> dict[str, Any]:
    fields: dict[str, Any] = {"wish": directions.wish.value}
    if directions.until is not None:
        fields["until"] = directions.until
    return fields


def _directions(fields: dict[str, Any]) -> Directions:
    directions = Directions(Wish(fields["wish"]), optional(fields.get("until"), int, Instant))
    if _directions_fields(directions) != fields:
        raise ValueError("no such directions")
    return directions


def _notice(fields: Any) -> NoticeRef:
    return NoticeRef(
        typed(fields["version"], str), typed(fields["locale"], str), _sha256(fields["sha256"])
    )


def _pseudonym(text: str) -> Pseudonym:
    return Pseudonym(_unhex(text, PSEUDONYM_BYTES))


def _sha256(text: str) -> bytes:
    return _unhex(text, 32)


def _unhex(text: str, length: int) -> bytes:
    data = bytes.fromhex(text)
    if len(data) != length:
        raise ValueError(f"{length} bytes expected")
    return data
