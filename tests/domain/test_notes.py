"""Signed notes are those of c2sp.org: others can read ours, and we can read theirs."""

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from consentsvc.domain.notes import (
    Checkpoint,
    Note,
    NoteInvalid,
    key_id,
    parse_verifier_text,
    signed,
    verifier_text,
)


class _Key:
    """A key for tests, made of a seed."""

    def __init__(self, name: str, seed: bytes) -> None:
        self.name = name
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public_key = self._private.public_key().public_bytes_raw()

    def sign(self, data: bytes) -> bytes:
        return self._private.sign(data)

    def verifies(self, signature: bytes, data: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, data)
        except InvalidSignature:
            return False
        return True


KEY = _Key("consent.example/log", bytes(range(32)))
OTHER = _Key("consent.example/log", bytes(32))
CHECKPOINT = Checkpoint("consent.example/log", 20_852_163, bytes(range(32)))


def test_a_note_of_others() -> None:
    """The known key and note of Go's own tests are read, and the signature is right."""
    vkey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    note = (
        "If you think cryptography is the answer to your problem,\n"
        "then you don't know what your problem is.\n"
        "\n"
        "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZ"
        "SNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
    )
    name, public = parse_verifier_text(vkey)
    read = Note.parse(note)
    (signature,) = read.signatures
    Ed25519PublicKey.from_public_bytes(public).verify(signature.data, read.text.encode())

    assert name == "PeterNeumann"
    assert signature.key_id == key_id(name, public)
    assert verifier_text(name, public) == vkey
    assert str(read) == note


def test_a_checkpoint_and_its_signature() -> None:
    """What is signed is read back and holds; with other keys it does not."""
    text = str(signed(CHECKPOINT.text(), KEY))
    note = Note.parse(text)
    note.check(KEY)

    assert Checkpoint.parse(note.text) == CHECKPOINT
    assert text.splitlines()[:4] == [
        "consent.example/log",
        "20852163",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "",
    ]
    with pytest.raises(NoteInvalid, match="not signed"):
        note.check(OTHER)


def test_a_changed_note() -> None:
    """Whatever byte is changed: it is no note any more, or not signed, or not so."""
    text = str(signed(CHECKPOINT.text(), KEY)).encode()
    for at in range(len(text)):
        changed = text[:at] + bytes([text[at] ^ 1]) + text[at + 1 :]
        with pytest.raises((NoteInvalid, UnicodeDecodeError)):
            Note.parse(changed.decode()).check(KEY)


def test_signatures_of_others_beside_ours() -> None:
    """Unknown keys are ignored; a known one's signature must be right, all of them."""
    note = signed(CHECKPOINT.text(), KEY)
    witness = signed(CHECKPOINT.text(), _Key("witness.example", bytes(32)))
    both = Note(note.text, (*witness.signatures, *note.signatures))
    Note.parse(str(both)).check(KEY)
    wrong = note.signatures[0]._replace(data=bytes(64))

    with pytest.raises(NoteInvalid, match="is not one of this text"):
        Note(note.text, (*note.signatures, wrong)).check(KEY)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no note",
        "text\n\n",
        "text\n\n— name\n",
        "text\n\n— name AAAA\n",
        "text\n\n- name AAAAAAAA\n",
        "text\n\n— na+me AAAAAAAA\n",
        "text\n\n— name AAAAAAAA",
        "te\txt\n\n— name AAAAAAAA\n",
        "text\n\n— name AAAAAAA=\n\n",
        "text\n\n" + "— name AAAAAAAA\n" * 101,
    ],
)
def test_no_note(text: str) -> None:
    """What is no note is refused."""
    with pytest.raises(NoteInvalid):
        Note.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "origin\n1\n",
        "\n1\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
        "origin\n01\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
        "origin\n-1\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
        "origin\n1\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=\n",
        "origin\n1\nAAEC\n",
        "origin\n1\n!\n",
    ],
)
def test_no_checkpoint(text: str) -> None:
    """What is no checkpoint is refused."""
    with pytest.raises(NoteInvalid):
        Checkpoint.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "PeterNeumann",
        "PeterNeumann+c74f20a3",
        "PeterNeumann+c74f20a3+ARpc",
        "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+AhpC2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ],
)
def test_no_public_key(text: str) -> None:
    """Neither is anything else a public key."""
    with pytest.raises(NoteInvalid):
        parse_verifier_text(text)


def test_a_signature_is_written_in_one_way() -> None:
    """The last letter has bits to spare: another one that says the same is not taken."""
    text = str(signed(CHECKPOINT.text(), KEY))
    last = text[-3]
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    other = letters[letters.index(last) + 1]

    assert text.endswith(f"{last}=\n")
    with pytest.raises(NoteInvalid, match="cannot be read"):
        Note.parse(f"{text[:-3]}{other}=\n")


@pytest.mark.parametrize("text", ["", "+", "a+b", "log+00000000+é", "log+00000000+====", "é+é+é"])
def test_what_is_no_key(text: str) -> None:
    """Whatever it is, it is told as that."""
    with pytest.raises(NoteInvalid):
        parse_verifier_text(text)
