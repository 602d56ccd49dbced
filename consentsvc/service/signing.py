"""Ed25519, as logs sign with it (c2sp.org/signed-note)."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from consentsvc.domain import notes


class Signer:
    """See `notes.Signer`: the key that 32 secret bytes are the seed of."""

    def __init__(self, name: str, seed: bytes) -> None:
        self.name = name
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public_key = self._key.public_key().public_bytes_raw()

    def sign(self, data: bytes) -> bytes:
        """See `notes.Signer.sign`. The same data always gets the same signature."""
        return self._key.sign(data)


class Verifier:
    """See `notes.Verifier`."""

    def __init__(self, name: str, public_key: bytes) -> None:
        self.name = name
        self.public_key = public_key
        self._key = Ed25519PublicKey.from_public_bytes(public_key)

    @classmethod
    def parse(cls, text: str) -> "Verifier":
        """Reads a key in one line; raises `NoteInvalid`."""
        return cls(*notes.parse_verifier_text(text))

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """See `notes.Verifier.verifies`."""
        try:
            self._key.verify(signature, data)
        except InvalidSignature:
            return False
        return True
