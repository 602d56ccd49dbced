"""What was said at one reach, as a state beside the log holds it: sealed under its subject's key.

The plain form groups the fields of which the very same was said, since most are named together:

    {"reach": {"contact": "C-1"}, "schema": 1, "said": [
        {"fields": ["email", "name"], "consent_given": [12, 1772355600000000, 3]}]}

Each event that can still decide stands under its kind as position, recorded time, and the position
at which its notice was published.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from consentsvc.domain.canonical import SCHEMA, Damaged, canonical, read_fields
from consentsvc.domain.encoding import field_names, reach_fields, read_reach
from consentsvc.domain.events import DENIALS, EventKind, NoticeRef
from consentsvc.domain.identifiers import Pseudonym, PurposeId
from consentsvc.domain.publication.choices import Mark, Said, Sayings
from consentsvc.domain.scope import ContactField, Reach
from consentsvc.storage.codec import NONCE_BYTES
from consentsvc.storage.scopes import marks_of

Notice = Callable[[int | None], NoticeRef | None]

REACH_BYTES = 16
_SHA256 = SHA256()

# No personal part opens as one of these, nor the other way round, though both have one key.
_LABEL = b"consentsvc scoped consent"

_UNREADABLE = "what was said cannot be read"

# The place of a mark in `Said`, by the stored name of the event's kind.
_BY_NAME = {
    kind.value: (slot, kind)
    for slot, kinds in enumerate(
        ({EventKind.CONSENT_GIVEN}, DENIALS, {EventKind.CONSENT_EXPIRED},
         {EventKind.CONSENT_REQUESTED})
    )
    for kind in kinds
}  # fmt: skip
_NO_MARKS = ("fields", "request_expired")
_FIELDS = {field.value: field for field in ContactField}


class Owner(NamedTuple):
    """Who said it and about which purpose, and what opens it."""

    key: bytes
    pseudonym: Pseudonym
    purpose: PurposeId


def reach_digest(key: bytes, reach: Reach) -> bytes:
    """Stands for a reach where nothing may be read; means nothing to who does not have the key."""
    return reach_digests(key, [reach])[0]


def reach_digests(key: bytes, reaches: Iterable[Reach]) -> list[bytes]:
    """The same for several: to take up a key costs more than to use it."""
    digests = []
    keyed = HMAC(key, _SHA256)
    for contact, domain, role in reaches:
        # Not JSON: a batch asks for tens of thousands, and this takes a third of the time. No part
        # has a line break in it, and none that is there is empty: no two reaches have one encoding.
        text = f"{contact or ''}\n{domain or ''}\n{role.value if role else ''}"
        one = keyed.copy()
        one.update(text.encode())
        digests.append(one.finalize()[:REACH_BYTES])
    return digests


def seal(owner: Owner, digest: bytes, plain: bytes, nonce: bytes) -> bytes:
    """Seals what `encode` made, for its place. The nonce is random and used once."""
    return nonce + AESGCM(owner.key).encrypt(nonce, plain, _associated(owner, digest))


def unseal(owner: Owner, digest: bytes, sealed: bytes) -> bytes:
    """Opens it again; raises `Damaged` for anything else, and in any other place."""
    try:
        if len(digest) != REACH_BYTES:
            raise ValueError("no digest of a reach")
        return AESGCM(owner.key).decrypt(
            sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _associated(owner, digest)
        )
    except (InvalidTag, ValueError, TypeError) as error:
        raise Damaged("does not open with its subject's key") from error


def encode(
    reach: Reach, sayings: Sayings, published: Callable[[NoticeRef | None], int | None]
) -> bytes:
    """The canonical plain form; `published` tells where a notice was."""
    groups: dict[Said, list[ContactField]] = {}
    for field, said in sayings.items():
        groups.setdefault(said, []).append(field)
    said_of = [
        {"fields": field_names(fields), **_said_fields(said, published)}
        for said, fields in groups.items()
    ]
    return canonical(
        {
            "reach": reach_fields(reach),
            "said": sorted(said_of, key=lambda one: one["fields"]),
            "schema": SCHEMA,
        }
    )


def decode(plain: bytes, notice: Notice) -> tuple[Reach, dict[ContactField, Said]]:
    """Reads it back; `notice` tells what was published at a position."""
    fields = read_fields(plain, _UNREADABLE)
    try:
        return read_reach(fields["reach"]), _sayings(fields, notice)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Damaged(_UNREADABLE) from error


def decode_sayings(plain: bytes, notice: Notice) -> dict[ContactField, Said]:
    """The same without the reach, for who knows already where it lay: a batch has many thousand."""
    fields = read_fields(plain, _UNREADABLE)
    try:
        return _sayings(fields, notice)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Damaged(_UNREADABLE) from error


def _associated(owner: Owner, digest: bytes) -> bytes:
    # Fixed lengths before the one part of free length: no two places have one encoding.
    return _LABEL + owner.pseudonym + digest + owner.purpose.encode()


def _said_fields(said: Said, published: Callable[[NoticeRef | None], int | None]) -> dict[str, Any]:
    fields: dict[str, Any] = {
        mark.kind.value: [mark.position, mark.recorded_at, published(mark.notice)]
        for mark in marks_of(said)
    }
    if said.request_expired:
        fields["request_expired"] = True
    return fields


def _sayings(fields: dict[str, Any], notice: Notice) -> dict[ContactField, Said]:
    sayings: dict[ContactField, Said] = {}
    for group in fields["said"]:
        said = _said(group, notice)
        for name in group["fields"]:
            sayings[_FIELDS[name]] = said
    return sayings


def _said(group: dict[str, Any], notice: Notice) -> Said:
    # Opened with the subject's key, so nobody else has written it: no value's type is in doubt.
    slots: list[Mark | None] = [None, None, None, None]
    for name, value in group.items():
        if name not in _NO_MARKS:
            slot, kind = _BY_NAME[name]
            position, recorded_at, published = value
            slots[slot] = Mark(kind, position, recorded_at, notice(published))
    given, denied, expired, request = slots
    return Said(given, denied, expired, request, "request_expired" in group)
