"""The canonical form of an event: a header without personal data, and a sealed personal part.

The header is JSON with sorted keys, no blanks and ASCII only, so that anybody can read it and
everybody encodes it alike. It commits to the personal part twice: by an HMAC under a random salt,
which can be opened to prove the content, and by the hash of the sealed bytes, which finds a change
without any key. Both are worthless to somebody who guesses the content.
"""

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from consentsvc.domain.events import (
    Actor,
    ActorKind,
    Event,
    EventKind,
    Evidence,
    NoticeRef,
    Personal,
    RevocationReason,
)
from consentsvc.domain.identifiers import ActorId, Position, Pseudonym, PurposeId, SubjectId
from consentsvc.domain.instants import Instant

SCHEMA = 1
"""The version of both encodings. A reader of a later version still reads this one."""

SALT_BYTES = 32
NONCE_BYTES = 12
KEY_BYTES = 32


class Damaged(Exception):
    """Stored bytes are not what was written."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A personal part, unreadable without its subject's key, and what the header says of it."""

    commitment: bytes
    data: bytes


def seal(
    personal: Personal,
    key: bytes,
    pseudonym: Pseudonym,
    purpose: PurposeId | None,
    salt: bytes,
    nonce: bytes,
) -> Sealed:
    """Seals a personal part under a subject's key. Salt and nonce are random and used once."""
    plain = _canonical(_personal_fields(personal))
    associated = _associated(pseudonym, purpose, nonce)
    data = nonce + AESGCM(key).encrypt(nonce, salt + plain, associated)
    return Sealed(hmac.digest(salt, plain, "sha256"), data)


def unseal(
    data: bytes, key: bytes, pseudonym: Pseudonym, purpose: PurposeId | None, commitment: bytes
) -> Personal:
    """Opens a personal part, making sure that it is the one that the header commits to."""
    nonce, sealed = data[:NONCE_BYTES], data[NONCE_BYTES:]
    try:
        opened = AESGCM(key).decrypt(nonce, sealed, _associated(pseudonym, purpose, nonce))
    except (InvalidTag, ValueError) as error:
        raise Damaged("the personal part does not open with its subject's key") from error
    salt, plain = opened[:SALT_BYTES], opened[SALT_BYTES:]
    if not hmac.compare_digest(hmac.digest(salt, plain, "sha256"), commitment):
        raise Damaged("the personal part is not the one that the header commits to")
    return _personal(plain)


def header(event: Event, sealed: Sealed | None) -> bytes:
    """Encodes everything about an event that is not about a person."""
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
    if event.pseudonym is not None and sealed is not None:
        fields["pseudonym"] = event.pseudonym.hex()
        fields["commitment"] = sealed.commitment.hex()
        fields["sealed_sha256"] = hashlib.sha256(sealed.data).hexdigest()
    return _canonical(fields)


@dataclass(frozen=True, slots=True)
class Header:
    """A header, read back: an event without its personal part, and what it says of that part."""

    event: Event
    commitment: bytes | None
    sealed_sha256: bytes | None


def read_header(data: bytes) -> Header:
    """Decodes a header; raises `Damaged` for bytes that no header ever had."""
    try:
        fields = json.loads(data)
        if fields["schema"] != SCHEMA:
            raise Damaged(f"schema {fields['schema']} is not known")
        notice = fields.get("notice")
        pseudonym = _unhex(fields.get("pseudonym"))
        event = Event(
            position=Position(fields["position"]),
            recorded_at=Instant(fields["recorded_at"]),
            kind=EventKind(fields["kind"]),
            purpose=fields.get("purpose"),
            pseudonym=None if pseudonym is None else Pseudonym(pseudonym),
            notice=notice
            and NoticeRef(notice["version"], notice["locale"], bytes.fromhex(notice["sha256"])),
            refers_to=fields.get("refers_to"),
            personal=None,
        )
        return Header(event, _unhex(fields.get("commitment")), _unhex(fields.get("sealed_sha256")))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Damaged("the header is not one") from error


def leaf_hash(header: bytes) -> bytes:
    """Hashes a header as a leaf of an RFC 6962 Merkle tree."""
    return hashlib.sha256(b"\x00" + header).digest()


def _unhex(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text)


def _canonical(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode("ascii")


def _associated(pseudonym: Pseudonym, purpose: PurposeId | None, nonce: bytes) -> bytes:
    # Fixed lengths around the one part of free length: no two triples have one encoding.
    return pseudonym + (purpose or "").encode("ascii") + nonce


def _personal_fields(personal: Personal) -> dict[str, Any]:
    actor: dict[str, Any] = {"kind": personal.actor.kind.value}
    if personal.actor.id is not None:
        actor["id"] = personal.actor.id
    evidence = personal.evidence
    fields: dict[str, Any] = {
        "actor": actor,
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
    return fields


def _personal(plain: bytes) -> Personal:
    try:
        fields = json.loads(plain)
        actor = fields["actor"]
        actor_id = actor.get("id")
        revocation = fields.get("revocation")
        return Personal(
            subject=SubjectId(fields["subject"]),
            actor=Actor(ActorKind(actor["kind"]), None if actor_id is None else ActorId(actor_id)),
            channel=fields["channel"],
            evidence=Evidence(**fields.get("evidence", {})),
            claimed_at=fields.get("claimed_at"),
            revocation=None if revocation is None else RevocationReason(revocation),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Damaged("the personal part cannot be read") from error
