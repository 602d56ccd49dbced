"""Links that a person can follow without signing in: one withdraws a consent, one confirms it.

A token is deterministic authenticated encryption (AES-SIV, RFC 5297): nobody else can make one,
nothing can be read from it, and there is no nonce to run out of. It holds the subject's pseudonym,
never an id, and the two kinds are sealed for their own use, so that neither opens as the other.
"""

import base64
import binascii
import enum
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from consentsvc.domain.errors import LinkUnknown
from consentsvc.domain.identifiers import Position, Pseudonym, PurposeId

_PSEUDONYM = 16
_POSITION = 8
_WITHDRAWAL = b"consentsvc withdrawal link 1"
_CONFIRMATION = b"consentsvc confirmation link 1"


class LinkKind(enum.Enum):
    """What a link does when it is used."""

    WITHDRAWAL = "withdrawal"
    CONFIRMATION = "confirmation"


class Withdrawal(NamedTuple):
    """What a withdrawal link stands for."""

    pseudonym: Pseudonym
    purpose: PurposeId


class Confirmation(NamedTuple):
    """What a confirmation link stands for: one request, by its position."""

    pseudonym: Pseudonym
    purpose: PurposeId
    request: Position


class Links:
    """Makes and opens tokens under the store's own link key of 32 bytes."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESSIV(key)

    def withdrawal(self, pseudonym: Pseudonym, purpose: PurposeId) -> str:
        """Makes the token that withdraws one purpose of one subject. Always the same one."""
        return self._seal(pseudonym + purpose.encode("ascii"), _WITHDRAWAL)

    def open_withdrawal(self, token: str) -> Withdrawal:
        """Raises `LinkUnknown` for anything that `withdrawal` did not make."""
        plain = self._open(token, _WITHDRAWAL)
        return Withdrawal(
            Pseudonym(plain[:_PSEUDONYM]), PurposeId(plain[_PSEUDONYM:].decode("ascii"))
        )

    def confirmation(self, pseudonym: Pseudonym, purpose: PurposeId, request: Position) -> str:
        """Makes the token that confirms one request."""
        position = request.to_bytes(_POSITION, "big")
        return self._seal(pseudonym + position + purpose.encode("ascii"), _CONFIRMATION)

    def open_confirmation(self, token: str) -> Confirmation:
        """Raises `LinkUnknown` for anything that `confirmation` did not make."""
        plain = self._open(token, _CONFIRMATION)
        request, purpose = plain[_PSEUDONYM:][:_POSITION], plain[_PSEUDONYM + _POSITION :]
        return Confirmation(
            Pseudonym(plain[:_PSEUDONYM]),
            PurposeId(purpose.decode("ascii")),
            Position(int.from_bytes(request, "big")),
        )

    def _seal(self, plain: bytes, use: bytes) -> str:
        return _encoded(self._cipher.encrypt(plain, [use]))

    def _open(self, token: str, use: bytes) -> bytes:
        try:
            sealed = base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True)
            if token != _encoded(sealed):
                raise ValueError("another spelling of these bytes")
            return self._cipher.decrypt(sealed, [use])
        except (InvalidTag, binascii.Error, ValueError) as error:
            raise LinkUnknown("the link is not one of this service") from error


def _encoded(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode("ascii")
