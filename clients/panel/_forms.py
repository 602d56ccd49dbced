"""Tokens in forms: only a page of ours could hold one, for this session, and each works once.

A token is also the `request_id` of the change that its form asks for. So even where another process
or a restart has forgotten that it was used, the service records nothing a second time.
"""

import enum
import secrets
import time

from panel._signing import Signer

_SECONDS = 8 * 3600
_MOST = 100_000


class Verdict(enum.Enum):
    """What a token is good for."""

    GOOD = enum.auto()
    FORGED = enum.auto()
    USED = enum.auto()


class Forms:
    """Makes tokens, checks them, and remembers those that have done their work."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer
        self._used: dict[str, float] = {}

    def token(self, session: str, subject: str) -> str:
        """A token for one form on a page shown to this session."""
        return self._signer.sealed(_kind(session, subject), secrets.token_urlsafe(12), _SECONDS)

    def verdict(self, token: str, session: str, subject: str) -> Verdict:
        """Whether a form may be acted on."""
        if self._signer.opened(_kind(session, subject), token) is None:
            return Verdict.FORGED
        return Verdict.USED if token in self._used else Verdict.GOOD

    def used(self, token: str) -> None:
        """The form has done its work. One that failed may be sent again, so it is not told here."""
        now = time.monotonic()
        self._used[token] = now + _SECONDS
        # Insertion order is the order of ends: what is over stands first.
        while self._used:
            oldest = next(iter(self._used))
            if self._used[oldest] > now and len(self._used) <= _MOST:
                break
            del self._used[oldest]


def _kind(session: str, subject: str) -> str:
    return f"form\0{session}\0{subject}"
