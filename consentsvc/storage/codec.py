"""The canonical form of an event: a header without personal data, and a sealed personal part.

The header is JSON with sorted keys, no blanks and ASCII only, so that anybody can read it and
everybody encodes it alike. It commits to the personal part twice: by an HMAC under a random salt,
which can be opened to prove the content, and by the hash of the sealed bytes, which finds a change
without any key. Both are worthless to somebody who guesses the content.
"""

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

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

T = TypeVar("T")
R = TypeVar("R")

SCHEMA = 1
"""The version of both encodings. A reader of a later version still reads this one."""

SALT_BYTES = 32
NONCE_BYTES = 12
KEY_BYTES = 32
PSEUDONYM_BYTES = 16


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
        """The canonical bytes: the only ones that `read_header` and `leaf_hash` are meant for."""
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
        if event.pseudonym is not None and self.commitment and self.sealed_sha256:
            fields["pseudonym"] = event.pseudonym.hex()
            fields["commitment"] = self.commitment.hex()
            fields["sealed_sha256"] = self.sealed_sha256.hex()
        return _canonical(fields)


def header(event: Event, sealed: Sealed | None) -> bytes:
    """Encodes the header of an event, given its personal part as it is stored."""
    if sealed is None:
        return Header(event).encode()
    return Header(event, sealed.commitment, sealed_hash(sealed.data)).encode()


def read_header(data: bytes) -> Header:
    """Decodes a header; raises `Damaged` for bytes that no header ever had."""
    fields = _fields(data, "the header is not one")
    try:
        personal = [name in fields for name in ("pseudonym", "commitment", "sealed_sha256")]
        if any(personal) and not all(personal):
            raise Damaged("the header tells half of what belongs to a personal part")
        notice = fields.get("notice")
        event = Event(
            position=Position(_typed(fields["position"], int)),
            recorded_at=Instant(_typed(fields["recorded_at"], int)),
            kind=EventKind(fields["kind"]),
            purpose=_optional(fields.get("purpose"), str, PurposeId),
            pseudonym=_optional(fields.get("pseudonym"), str, _pseudonym),
            notice=None if notice is None else _notice(notice),
            refers_to=_optional(fields.get("refers_to"), int, Position),
            personal=None,
        )
        return Header(
            event,
            _optional(fields.get("commitment"), str, _sha256),
            _optional(fields.get("sealed_sha256"), str, _sha256),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise Damaged("the header is not one") from error


def sealed_hash(data: bytes) -> bytes:
    """Hashes the sealed bytes of a personal part."""
    return hashlib.sha256(data).digest()


def leaf_hash(header: bytes) -> bytes:
    """Hashes a header as a leaf of an RFC 6962 Merkle tree."""
    return hashlib.sha256(b"\x00" + header).digest()


def _fields(data: bytes, otherwise: str) -> dict[str, Any]:
    """Reads a JSON object of our schema; raises `Damaged`, saying `otherwise`, if it is none."""
    try:
        fields = json.loads(data)
    except (ValueError, TypeError, RecursionError) as error:
        raise Damaged(otherwise) from error
    if not isinstance(fields, dict):
        raise Damaged(otherwise)
    if fields.get("schema") != SCHEMA:
        raise Damaged("the schema is not one that this release knows")
    return fields


def _typed(value: object, kind: type[T]) -> T:
    # Exactly: True is an int too, and 1.0 is equal to 1.
    if type(value) is not kind:
        raise TypeError(f"{kind.__name__} expected")
    return value


def _optional(value: object, kind: type[T], make: Callable[[T], R]) -> R | None:
    return None if value is None else make(_typed(value, kind))


def _notice(fields: Any) -> NoticeRef:
    return NoticeRef(
        _typed(fields["version"], str), _typed(fields["locale"], str), _sha256(fields["sha256"])
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
    fields = _fields(plain, "the personal part cannot be read")
    try:
        actor = fields["actor"]
        return Personal(
            subject=SubjectId(_typed(fields["subject"], str)),
            actor=Actor(ActorKind(actor["kind"]), _optional(actor.get("id"), str, ActorId)),
            channel=_typed(fields["channel"], str),
            evidence=Evidence(**fields.get("evidence", {})),
            claimed_at=_optional(fields.get("claimed_at"), int, Instant),
            revocation=_optional(fields.get("revocation"), str, RevocationReason),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Damaged("the personal part cannot be read") from error
