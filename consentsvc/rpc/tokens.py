"""Tokens and cursors: opaque to callers, a position bound to its log inside.

A token begins with a mark that other bytes do not bear, a link's for one. It names its kind, so
that a page token is never taken for a cursor, and the first bytes of the log's id, so that a
position of another log is refused instead of misread. A keyed hash at its end tells a token that
was cut, altered or made up.
"""

import base64
import binascii
import enum
import hashlib
import hmac
from typing import NamedTuple

from consentsvc.domain.errors import InvalidRequest, PositionUnknown
from consentsvc.domain.identifiers import Position

# Anything that does not begin with it is no token at all, rather than one of another log. What was
# sealed at random begins with seven given bytes less often than anybody will ask.
_MARK = b"consent"
_STORE = 8
_POSITION = 8
_HASH = 8
# Where the parts begin: the log's id, the position, and what the token was made for.
_FOR = len(_MARK) + 1
_AT = _FOR + _STORE
_CONTEXT = _AT + _POSITION


class Kind(enum.Enum):
    """What a token is for."""

    FRESHNESS = b"f"
    EVENTS = b"e"
    STATES = b"s"
    HISTORY_PAGE = b"h"
    NEWEST_FIRST_PAGE = b"n"
    CONSENTS_PAGE = b"c"


class Token(NamedTuple):
    """What a token holds: a position, and for some kinds what it was made for."""

    position: Position
    context: bytes = b""


class Tokens:
    """Makes and opens the tokens of one log, under a key of that log."""

    def __init__(self, store_id: bytes, key: bytes) -> None:
        self._store = store_id[:_STORE]
        self._key = key

    def make(self, kind: Kind, position: int, context: bytes = b"") -> str:
        """Encodes a position."""
        raw = _MARK + kind.value + self._store + position.to_bytes(_POSITION, "big") + context
        return base64.urlsafe_b64encode(raw + self._hash(raw)).rstrip(b"=").decode("ascii")

    def open(self, token: str, field: str, *kinds: Kind) -> Token:
        """Decodes a token of one of these kinds.

        Raises `InvalidRequest` if it is none, `PositionUnknown` if it is of another log.
        """
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise InvalidRequest.field(field, "is not a token of this service") from error
        content, given = raw[:-_HASH], raw[-_HASH:]
        if not content.startswith(_MARK) or len(content) < _CONTEXT:
            raise InvalidRequest.field(field, "is not a token of this service")
        if content[len(_MARK) : _FOR] not in {kind.value for kind in kinds}:
            raise InvalidRequest.field(field, "is not a token for this use")
        if content[_FOR:_AT] != self._store:
            raise PositionUnknown("the token comes from another log")
        if not hmac.compare_digest(given, self._hash(content)):
            raise InvalidRequest.field(field, "is not a token of this service")
        return Token(Position(int.from_bytes(content[_AT:_CONTEXT], "big")), content[_CONTEXT:])

    def _hash(self, content: bytes) -> bytes:
        return hashlib.blake2b(content, key=self._key, digest_size=_HASH).digest()
