"""Signed notes and checkpoints, as text (c2sp.org/signed-note, c2sp.org/tlog-checkpoint).

A note is text that one or more keys have signed, and is ignored unless one of them is trusted. What
a signature is worth is told by a `Verifier`: the arithmetic of keys is not here.
"""

import binascii
import hashlib
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import NamedTuple, Protocol

ED25519 = 0x01
"""The kind of key of signed notes that this log signs with."""

_KEY_ID_BYTES = 4
_HASH_BYTES = 32
# More are for nobody to read; the format asks for 16 at least.
_MOST_SIGNATURES = 100
_NAME = re.compile(r"[^\s+]+")
_SIGNATURE = re.compile(r"— (?P<name>[^\s+]+) (?P<data>[A-Za-z0-9+/]+={0,2})")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


class NoteInvalid(ValueError):
    """The text is no signed note, or none that a trusted key has signed."""


class Signer(Protocol):
    """A key that signs under a name."""

    @property
    def name(self) -> str:
        """The name, which stands beside the signature."""
        ...

    @property
    def public_key(self) -> bytes:
        """The 32 bytes of the Ed25519 key that checks the signature."""
        ...

    def sign(self, data: bytes) -> bytes:
        """Signs."""
        ...


class Verifier(Protocol):
    """A key that checks what was signed under a name."""

    @property
    def name(self) -> str:
        """The name, which stands beside the signature."""
        ...

    @property
    def public_key(self) -> bytes:
        """The 32 bytes of the Ed25519 key."""
        ...

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Whether this is the key's signature of that."""
        ...


class Signature(NamedTuple):
    """Who signed, by the name and id of a key, and the signature itself."""

    name: str
    key_id: bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A text that ends with a line break, and its signatures."""

    text: str
    signatures: tuple[Signature, ...]

    def __str__(self) -> str:
        lines = (
            f"— {one.name} {b64encode(one.key_id + one.data).decode()}\n" for one in self.signatures
        )
        return f"{self.text}\n{''.join(lines)}"

    @classmethod
    def parse(cls, text: str) -> "Note":
        """Reads a note; raises `NoteInvalid`. Nothing is said of its signatures yet."""
        if any(one < " " and one != "\n" for one in text):
            raise NoteInvalid("a note holds a control character")
        signed, blank, signatures = text.rpartition("\n\n")
        if not blank or not signatures.endswith("\n"):
            raise NoteInvalid("no signed note")
        lines = signatures.removesuffix("\n").split("\n")
        if len(lines) > _MOST_SIGNATURES:
            raise NoteInvalid("a note has too many signatures")
        return cls(f"{signed}\n", tuple(map(_signature, lines)))

    def check(self, verifier: Verifier) -> None:
        """Makes sure that a trusted key has signed the text; raises `NoteInvalid`."""
        known = key_id(verifier.name, verifier.public_key)
        mine = [one for one in self.signatures if (one.name, one.key_id) == (verifier.name, known)]
        if not mine:
            raise NoteInvalid(f"not signed with the key of {verifier.name}")
        if not all(verifier.verifies(one.data, self.text.encode()) for one in mine):
            raise NoteInvalid(f"the signature of {verifier.name} is not one of this text")


def signed(text: str, signer: Signer) -> Note:
    """Signs a text, which ends with a line break."""
    signature = signer.sign(text.encode())
    return Note(text, (Signature(signer.name, key_id(signer.name, signer.public_key), signature),))


def key_id(name: str, public_key: bytes) -> bytes:
    """The id of an Ed25519 key under a name."""
    told = name.encode() + b"\n" + bytes([ED25519]) + public_key
    return hashlib.sha256(told).digest()[:_KEY_ID_BYTES]


def verifier_text(name: str, public_key: bytes) -> str:
    """A public key in one line, as verifiers of signed notes take it."""
    encoded = b64encode(bytes([ED25519]) + public_key).decode()
    return f"{name}+{key_id(name, public_key).hex()}+{encoded}"


def parse_verifier_text(text: str) -> tuple[str, bytes]:
    """Reads the name and the bytes of a public key; raises `NoteInvalid`."""
    name, plus, rest = text.strip().partition("+")
    told_id, other_plus, encoded = rest.partition("+")
    try:
        data = b64decode(encoded, validate=True)
    except ValueError as error:  # of letters that are no ASCII, or are not in base 64
        raise NoteInvalid("no public key of a signed note") from error
    public_key = data[1:]
    right = _NAME.fullmatch(name) and plus and other_plus
    if not right or data[:1] != bytes([ED25519]) or len(public_key) != _HASH_BYTES:
        raise NoteInvalid("no Ed25519 public key of a signed note")
    if told_id != key_id(name, public_key).hex():
        raise NoteInvalid("the public key is not the one that its id is of")
    return name, public_key


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a log: whose it is, how many events it has, and the root of their tree."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """Reads the text of a checkpoint; raises `NoteInvalid`. More lines may follow."""
        lines = text.split("\n")
        if len(lines) < len(("origin", "size", "root", "end")) or not lines[0]:
            raise NoteInvalid("no checkpoint")
        origin, size, root = lines[:3]
        if not _SIZE.fullmatch(size):
            raise NoteInvalid("the size of a checkpoint is no number")
        return cls(origin, int(size), decoded_hash(root))


def decoded_hash(text: str) -> bytes:
    """Reads a hash in base 64; raises `NoteInvalid`."""
    try:
        data = b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteInvalid("a hash is not in base 64") from error
    # The last character has bits that no hash has: only one way to write it is right.
    if len(data) != _HASH_BYTES or b64encode(data).decode() != text:
        raise NoteInvalid("a hash is none")
    return data


def _signature(line: str) -> Signature:
    found = _SIGNATURE.fullmatch(line)
    if found is None:
        raise NoteInvalid("a signature of a note cannot be read")
    try:
        data = b64decode(found["data"], validate=True)
    except binascii.Error as error:
        raise NoteInvalid("a signature of a note cannot be read") from error
    if len(data) <= _KEY_ID_BYTES or b64encode(data).decode() != found["data"]:
        raise NoteInvalid("a signature of a note cannot be read")
    return Signature(found["name"], data[:_KEY_ID_BYTES], data[_KEY_ID_BYTES:])
