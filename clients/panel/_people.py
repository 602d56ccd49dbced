"""Who is asking: the registrar's signed word for it, or in a demonstration anybody's."""

import json
import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import jwt
from starlette.requests import HTTPConnection

from panel._signing import Signer

_log = logging.getLogger("panel")

_ALGORITHMS = frozenset({"EdDSA", "ES256", "RS256"})
_LEEWAY_SECONDS = 10
_LOCAL_SECONDS = 8 * 3600
_SUBJECT = re.compile(r"[!-~]{1,256}")


@dataclass(frozen=True, slots=True)
class Customer:
    """Somebody who has signed in. `session` names the sign-in where the registrar names it."""

    subject_id: str
    session: str | None = None


class KeysInvalid(Exception):
    """The file of keys cannot be used; says why, and quotes nothing."""


class SignIn(Protocol):
    """How a customer is known."""

    def customer(self, connection: HTTPConnection) -> Customer | None:
        """Tells who is asking; None for nobody, and for anybody whose word does not hold."""
        ...


class TokenSignIn:
    """The registrar's JWT, in a cookie or in a header that a proxy sets."""

    def __init__(self, keys: Path, audience: str, issuer: str, cookie: str, header: str) -> None:
        self._file = keys
        self._audience = audience
        self._issuer = issuer or None
        self._cookie = cookie
        self._header = header
        self._read_at: tuple[int, int] | None = None
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._load()

    def customer(self, connection: HTTPConnection) -> Customer | None:
        """See `SignIn.customer`."""
        if self._cookie:
            token = connection.cookies.get(self._cookie, "")
        else:
            token = connection.headers.get(self._header, "").removeprefix("Bearer ")
        if not token or len(token) > 8192:
            return None
        try:
            self._load()
            key = self._keys.get(jwt.get_unverified_header(token).get("kid"))
            if key is None:
                return None
            # The algorithm is that of the key, whatever the token says of itself.
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                audience=self._audience,
                issuer=self._issuer,
                leeway=_LEEWAY_SECONDS,
                options={"require": ["exp", "sub", "aud"]},
            )
        except KeysInvalid as error:
            # They were good at the start: somebody changed the file, and has to know.
            _log.error("nobody can sign in: %s", error)
            return None
        except (jwt.PyJWTError, ValueError):
            return None
        subject, session = claims["sub"], claims.get("sid") or claims.get("jti")
        if not _SUBJECT.fullmatch(subject):
            return None
        return Customer(subject, session if isinstance(session, str) else None)

    def _load(self) -> None:
        try:
            stat = self._file.stat()
            if (stat.st_mtime_ns, stat.st_size) == self._read_at:
                return
            keys = [jwt.PyJWK(one) for one in json.loads(self._file.read_bytes())["keys"]]
        except (OSError, ValueError, KeyError, TypeError, jwt.PyJWTError) as error:
            raise KeysInvalid(f"{self._file.name} is no JWK set: {type(error).__name__}") from None
        if not keys or any(key.algorithm_name not in _ALGORITHMS for key in keys):
            allowed = ", ".join(sorted(_ALGORITHMS))
            raise KeysInvalid(f"{self._file.name} must hold public keys for {allowed} only")
        self._keys = {key.key_id: key for key in keys}
        self._read_at = stat.st_mtime_ns, stat.st_size


class LocalSignIn:
    """Anybody as anybody, for a demonstration."""

    def __init__(self, signer: Signer, cookie: str) -> None:
        self._signer = signer
        self.cookie = cookie

    def customer(self, connection: HTTPConnection) -> Customer | None:
        """See `SignIn.customer`."""
        value = self._signer.opened("local sign-in", connection.cookies.get(self.cookie, ""))
        if value is None:
            return None
        return Customer(value.partition("/")[2], value.partition("/")[0])

    def admitted(self, subject_id: str, session: str) -> str | None:
        """The cookie's value for somebody who says who they are; None if nobody is called that."""
        if not _SUBJECT.fullmatch(subject_id):
            return None
        # A cookie cannot hold every character that an id can; these are not worth a coding.
        if set(subject_id) & set('",;\\'):
            return None
        return self._signer.sealed("local sign-in", f"{session}/{subject_id}", _LOCAL_SECONDS)
