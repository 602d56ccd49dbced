"""What the panel signs, so that it need not remember it: sessions, forms, references."""

import base64
import hashlib
import hmac
import secrets
import time
from pathlib import Path


class Signer:
    """Makes and checks signatures under the panel's secret; each kind of thing has its own key."""

    def __init__(self, secret_file: Path | None) -> None:
        self._secret = secrets.token_bytes(32) if secret_file is None else secret_file.read_bytes()

    def mark(self, kind: str, *parts: str) -> str:
        """A short mark that only the panel can make, and that tells nothing of the parts."""
        told = b"".join(len(one.encode()).to_bytes(4, "big") + one.encode() for one in parts)
        digest = hmac.digest(self._key(kind), told, hashlib.sha256)
        return base64.urlsafe_b64encode(digest[:18]).decode()

    def fits(self, given: str, kind: str, *parts: str) -> bool:
        """Whether a mark was made from these parts."""
        return hmac.compare_digest(given.encode(), self.mark(kind, *parts).encode())

    def sealed(self, kind: str, value: str, seconds: int) -> str:
        """A value that can be handed out and told again for so long. It can be read by anybody."""
        until = str(int(time.time()) + seconds)
        return f"{until}.{self.mark(kind, until, value)}.{value}"

    def opened(self, kind: str, given: str) -> str | None:
        """The value, None for anything that was not sealed here or is too old."""
        until, _, rest = given.partition(".")
        mark, _, value = rest.partition(".")
        if not (until.isascii() and until.isdigit() and len(until) < 12):
            return None
        if int(until) <= time.time() or not self.fits(mark, kind, until, value):
            return None
        return value

    def _key(self, kind: str) -> bytes:
        return hmac.digest(self._secret, kind.encode(), hashlib.sha256)
