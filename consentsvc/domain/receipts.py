"""Receipts: an event with all it takes to check it, when the service is out of reach or gone.

A receipt is the text of a proof that something is in a log (c2sp.org/tlog-proof). In its `extra`
line are the header of the event; for the person whose it is, the opened personal part; and the
notice, word for word. Each of them is bound to the one before it, and the header to the checkpoint
that the log has signed: what does not fit is told by the part that fails.
"""

import binascii
import hmac
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from consentsvc.domain import merkle
from consentsvc.domain.canonical import SCHEMA, Damaged, canonical, optional, read_fields, typed
from consentsvc.domain.catalogue import Notice
from consentsvc.domain.encoding import (
    SALT_BYTES,
    Opened,
    commitment,
    read_header,
    read_personal_part,
)
from consentsvc.domain.events import Event
from consentsvc.domain.merkle import ProofInvalid
from consentsvc.domain.notes import Checkpoint, Note, NoteInvalid, Verifier, decoded_hash

_FORMAT = "c2sp.org/tlog-proof@v1"
_EXTRA = "extra "
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})")


class ReceiptInvalid(ValueError):
    """A receipt proves nothing: `part` names what of it does not hold, the message says why."""

    def __init__(self, part: str, message: str) -> None:
        super().__init__(f"{part}: {message}")
        self.part = part


class Wording(NamedTuple):
    """A notice as a person saw it."""

    title: str
    text: str


class Proven(NamedTuple):
    """What a receipt proves: an event of a log, and the state of the log that it is in.

    The event has its personal part if the receipt has.
    """

    event: Event
    checkpoint: Checkpoint
    wording: Wording | None


@dataclass(frozen=True, slots=True)
class Receipt:
    """One event and its proof. Nothing is said of what it is worth before `check`."""

    header: bytes
    path: tuple[bytes, ...]
    checkpoint: Note
    opened: Opened | None = None
    wording: Wording | None = None

    def __str__(self) -> str:
        index = _event(self.header).position - 1
        path = "".join(f"{b64encode(one).decode()}\n" for one in self.path)
        return (
            f"{_FORMAT}\n{_EXTRA}{b64encode(self._extra()).decode()}\nindex {index}\n"
            f"{path}\n{self.checkpoint}"
        )

    @classmethod
    def parse(cls, text: str) -> "Receipt":
        """Reads a receipt; raises `ReceiptInvalid`."""
        proof, blank, note = text.partition("\n\n")
        first, *rest = proof.split("\n")
        if first != _FORMAT or not blank or len(rest) < len(("extra", "index")):
            raise ReceiptInvalid("form", "this is no receipt")
        extra, index, *path = rest
        if not extra.startswith(_EXTRA) or not _INDEX.fullmatch(index):
            raise ReceiptInvalid("form", "this is no receipt")
        header, opened, wording = _read_extra(extra.removeprefix(_EXTRA))
        try:
            hashes = tuple(map(decoded_hash, path))
        except NoteInvalid as error:
            raise ReceiptInvalid("inclusion proof", str(error)) from error
        try:
            checkpoint = Note.parse(note)
        except NoteInvalid as error:
            raise ReceiptInvalid("checkpoint", str(error)) from error
        receipt = cls(header, hashes, checkpoint, opened, wording)
        if str(receipt) != text:
            raise ReceiptInvalid("form", "it is not written as receipts are")
        return receipt

    def check(self, verifier: Verifier) -> Proven:
        """Makes sure that the log which signs with a key has this event; raises `ReceiptInvalid`.

        Nothing else is asked: no service, no clock.
        """
        checkpoint = self._check_checkpoint(verifier)
        event = self._check_inclusion(checkpoint)
        event = self._check_personal_part(event)
        self._check_notice(event)
        return Proven(event, checkpoint, self.wording)

    def _check_checkpoint(self, verifier: Verifier) -> Checkpoint:
        try:
            self.checkpoint.check(verifier)
        except NoteInvalid as error:
            raise ReceiptInvalid("signature", str(error)) from error
        try:
            checkpoint = Checkpoint.parse(self.checkpoint.text)
        except NoteInvalid as error:
            raise ReceiptInvalid("checkpoint", str(error)) from error
        if checkpoint.origin != verifier.name:
            raise ReceiptInvalid("checkpoint", "it is of another log than the key")
        return checkpoint

    def _check_inclusion(self, checkpoint: Checkpoint) -> Event:
        event = _event(self.header)
        leaf = merkle.leaf_hash(self.header)
        try:
            root = merkle.root_from_inclusion(leaf, event.position - 1, checkpoint.size, self.path)
        except ProofInvalid as error:
            raise ReceiptInvalid("inclusion proof", str(error)) from error
        if root != checkpoint.root:
            raise ReceiptInvalid("inclusion proof", "the log that was signed has no such event")
        return event

    def _check_personal_part(self, event: Event) -> Event:
        if self.opened is None:
            return event
        committed = read_header(self.header).commitment
        # A salt with zeros after it makes the same HMAC: only one length is right.
        if len(self.opened.salt) != SALT_BYTES or committed is None:
            raise ReceiptInvalid("personal part", "it is not the one of this event")
        if not hmac.compare_digest(commitment(*self.opened), committed):
            raise ReceiptInvalid("personal part", "it is not the one of this event")
        try:
            return replace(event, personal=read_personal_part(self.opened.personal))
        except Damaged as error:
            raise ReceiptInvalid("personal part", str(error)) from error

    def _check_notice(self, event: Event) -> None:
        if self.wording is None:
            return
        title, text = self.wording
        said = event.notice
        # Of a title with several lines, one could take lines away and give them to the text.
        if event.purpose is None or said is None or "\n" in title:
            raise ReceiptInvalid("notice", "it is not the one of this event")
        try:
            notice = Notice(event.purpose, said.version, said.locale, title, text)
        except UnicodeEncodeError as error:  # JSON can name halves of characters
            raise ReceiptInvalid("notice", "it is no text") from error
        if notice.sha256 != said.sha256:
            raise ReceiptInvalid("notice", "it is not the one of this event")

    def _extra(self) -> bytes:
        fields: dict[str, Any] = {"schema": SCHEMA, "header": self.header.decode("ascii")}
        if self.opened is not None:
            fields["personal"] = self.opened.personal.decode("ascii")
            fields["salt"] = self.opened.salt.hex()
        if self.wording is not None:
            fields["notice"] = self.wording._asdict()
        return canonical(fields)


def _event(header: bytes) -> Event:
    try:
        return read_header(header).event
    except Damaged as error:
        raise ReceiptInvalid("event", str(error)) from error


def _read_extra(encoded: str) -> tuple[bytes, Opened | None, Wording | None]:
    try:
        fields = read_fields(b64decode(encoded, validate=True), "it cannot be read")
        header = typed(fields["header"], str).encode("ascii")
        personal = optional(fields.get("personal"), str, lambda one: one.encode("ascii"))
        salt = optional(fields.get("salt"), str, bytes.fromhex)
        wording = optional(fields.get("notice"), dict, _read_wording)
    except (Damaged, binascii.Error, KeyError, TypeError, ValueError) as error:
        raise ReceiptInvalid("event", "it cannot be read") from error
    opened = None if personal is None or salt is None else Opened(salt, personal)
    return header, opened, wording


def _read_wording(fields: dict[str, Any]) -> Wording:
    return Wording(typed(fields["title"], str), typed(fields["text"], str))
