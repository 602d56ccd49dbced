"""Personal parts, sealed under their subject's key."""

import hashlib
import hmac
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from consentsvc.domain.canonical import Damaged
from consentsvc.domain.encoding import (
    SALT_BYTES,
    Header,
    Opened,
    commitment,
    personal_part,
    read_personal_part,
)
from consentsvc.domain.events import Event, Personal
from consentsvc.domain.identifiers import Pseudonym, PurposeId

NONCE_BYTES = 12
KEY_BYTES = 32


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
    plain = personal_part(personal)
    associated = _associated(pseudonym, purpose, nonce)
    data = nonce + AESGCM(key).encrypt(nonce, salt + plain, associated)
    return Sealed(commitment(salt, plain), data)


def open_sealed(
    data: bytes, key: bytes, pseudonym: Pseudonym, purpose: PurposeId | None, committed: bytes
) -> Opened:
    """Opens a personal part, making sure that it is the one that the header commits to."""
    nonce, sealed = data[:NONCE_BYTES], data[NONCE_BYTES:]
    try:
        opened = AESGCM(key).decrypt(nonce, sealed, _associated(pseudonym, purpose, nonce))
    except (InvalidTag, ValueError) as error:
        raise Damaged("the personal part does not open with its subject's key") from error
    salt, plain = opened[:SALT_BYTES], opened[SALT_BYTES:]
    if not hmac.compare_digest(commitment(salt, plain), committed):
        raise Damaged("the personal part is not the one that the header commits to")
    return Opened(salt, plain)


def unseal(
    data: bytes, key: bytes, pseudonym: Pseudonym, purpose: PurposeId | None, committed: bytes
) -> Personal:
    """Opens a personal part as `open_sealed` does, and reads it."""
    return read_personal_part(open_sealed(data, key, pseudonym, purpose, committed).personal)


def header(event: Event, sealed: Sealed | None) -> bytes:
    """Encodes the header of an event, given its personal part as it is stored."""
    if sealed is None:
        return Header(event).encode()
    return Header(event, sealed.commitment, sealed_hash(sealed.data)).encode()


def sealed_hash(data: bytes) -> bytes:
    """Hashes the sealed bytes of a personal part."""
    return hashlib.sha256(data).digest()


def _associated(pseudonym: Pseudonym, purpose: PurposeId | None, nonce: bytes) -> bytes:
    # Fixed lengths around the one part of free length: no two triples have one encoding.
    return pseudonym + (purpose or "").encode("ascii") + nonce
