"""Tokens and cursors: opaque to callers, a position bound to its log inside.

A token names its kind, so that a page token is never taken for a cursor, and the first bytes of the
log's id, so that a position of another log is refused instead of misread.
"""

import base64
import binascii
import enum
from typing import NamedTuple

from consentsvc.domain.errors import InvalidRequest, PositionUnknown
from consentsvc.domain.identifiers import Position

_STORE = 8
_POSITION = 8


class Kind(enum.Enum):
    """What a token is for."""

    FRESHNESS = b"f"
    EVENTS = b"e"
    STATES = b"s"
    HISTORY_PAGE = b"h"
    CONSENTS_PAGE = b"c"


class Token(NamedTuple):
    """What a token holds: a position, and for some kinds what it was made for."""

    position: Position
    context: bytes = b""


class Tokens:
    """Makes and opens the tokens of one log."""

    def __init__(self, store_id: bytes) -> None:
        self._store = store_id[:_STORE]

    def make(self, kind: Kind, position: int, context: bytes = b"") -> str:
        """Encodes a position."""
        raw = kind.value + self._store + position.to_bytes(_POSITION, "big") + context
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")

    def open(self, kind: Kind, token: str, field: str) -> Token:
        """Decodes a token.

        Raises `InvalidRequest` if it is none of that kind, `PositionUnknown` if it is of another
        log.
        """
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise InvalidRequest.field(field, "is not a token of this service") from error
        head = 1 + _STORE + _POSITION
        if raw[:1] != kind.value or len(raw) < head:
            raise InvalidRequest.field(field, "is not a token for this use")
        if raw[1 : 1 + _STORE] != self._store:
            raise PositionUnknown("the token comes from another log")
        return Token(Position(int.from_bytes(raw[1 + _STORE : head], "big")), raw[head:])
