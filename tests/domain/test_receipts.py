"""A receipt proves what it says, and one that was touched anywhere proves nothing."""

import hashlib
import random
from dataclasses import replace

import pytest

from consentsvc.domain.catalogue import Notice
from consentsvc.domain.encoding import Header, Opened, commitment, personal_part
from consentsvc.domain.events import Actor, ActorKind, Event, EventKind, NoticeRef, Personal
from consentsvc.domain.identifiers import Position, Pseudonym, PurposeId, SubjectId
from consentsvc.domain.instants import Instant
from consentsvc.domain.merkle import Frontier, Node, inclusion_nodes, leaf_hash, proof
from consentsvc.domain.notes import Checkpoint, signed
from consentsvc.domain.receipts import Receipt, ReceiptInvalid, Wording
from consentsvc.service.signing import Signer, Verifier

ORIGIN = "log.example/1"
SIGNER = Signer(ORIGIN, bytes(range(32)))
VERIFIER = Verifier(ORIGIN, SIGNER.public_key)
WORDING = Wording("Our newsletter", "We write to you.\n\nYou may say no.")
NOTICE = Notice(PurposeId("newsletter"), "1", "en", *WORDING)
PERSONAL = Personal(SubjectId("anna"), Actor(ActorKind.SUBJECT), "panel")
OPENED = Opened(bytes(range(100, 132)), personal_part(PERSONAL))
EVENT = Event(
    Position(6),
    Instant(1_700_000_000_000_000),
    EventKind.CONSENT_GIVEN,
    NOTICE.purpose,
    Pseudonym(bytes(16)),
    NoticeRef("1", "en", NOTICE.sha256),
    None,
    None,
)
HEADER = Header(EVENT, commitment(*OPENED), hashlib.sha256(b"sealed").digest()).encode()
LEAVES = [leaf_hash(HEADER if one == 5 else bytes([one])) for one in range(11)]


def receipt() -> Receipt:
    """The receipt of the sixth of eleven events."""
    frontier, completed = Frontier().appended(LEAVES)
    nodes = completed | {Node(0, at): leaf for at, leaf in enumerate(LEAVES)}
    path = proof(inclusion_nodes(5, 11), nodes)
    checkpoint = signed(Checkpoint(ORIGIN, 11, frontier.root()).text(), SIGNER)
    return Receipt(HEADER, tuple(path), checkpoint, OPENED, WORDING)


def part_that_fails(text: str, verifier: Verifier = VERIFIER) -> str:
    with pytest.raises(ReceiptInvalid) as caught:
        Receipt.parse(text).check(verifier)
    assert str(caught.value).startswith(f"{caught.value.part}: ")
    return caught.value.part


def test_what_it_proves() -> None:
    """The event with its personal part, the text that was shown, and the log that has both."""
    proven = Receipt.parse(str(receipt())).check(VERIFIER)

    assert proven.event == replace(EVENT, personal=PERSONAL)
    assert (proven.checkpoint.origin, proven.checkpoint.size) == (ORIGIN, 11)
    assert proven.wording == WORDING


def test_without_the_personal_part() -> None:
    """To somebody who is not to know whose it is, the header alone proves that it happened."""
    proven = Receipt.parse(str(replace(receipt(), opened=None, wording=None))).check(VERIFIER)

    assert proven.event == EVENT
    assert proven.wording is None


def test_its_form() -> None:
    """It is a proof of a transparency log, as others read and write them."""
    lines = str(receipt()).split("\n")

    assert lines[0] == "c2sp.org/tlog-proof@v1"
    assert lines[1].startswith("extra ")
    assert lines[2] == "index 5"
    assert lines[7:10] == ["", ORIGIN, "11"]


def test_one_byte_changed_anywhere() -> None:
    """Whatever byte is made another, nothing is proven, and it is told which part fails."""
    data = str(receipt()).encode()
    failed = set()
    for at in range(len(data)):
        for flip in (0x01, 0x02, 0x20):
            changed = data[:at] + bytes([data[at] ^ flip]) + data[at + 1 :]
            text = changed.decode(errors="replace")
            failed.add(part_that_fails(text))

    assert failed >= {"form", "event", "inclusion proof", "checkpoint", "signature"}


def test_a_byte_more_or_less() -> None:
    """Nor is anything proven with a byte, or a line, that is too many or missing."""
    data = str(receipt())
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")  # noqa: T201 - to run a failure again
    pick = random.Random(seed)
    for _ in range(300):
        at = pick.randrange(len(data))
        part_that_fails(data[:at] + data[at + 1 :])
        part_that_fails(data[:at] + pick.choice("A\n =") + data[at:])
    lines = data.split("\n")
    for at in range(len(lines) - 1):
        part_that_fails("\n".join(lines[:at] + lines[at + 1 :]))
    for at in range(len(lines) - 2):  # a signature may stand there twice
        part_that_fails("\n".join([*lines[:at], lines[at], *lines[at:]]))


@pytest.mark.parametrize(
    ("changed", "part"),
    [
        ({"header": HEADER.replace(b"newsletter", b"newsletteR")}, "inclusion proof"),
        ({"header": HEADER.replace(b"consent_given", b"consent_taken")}, "event"),
        ({"path": receipt().path[::-1]}, "inclusion proof"),
        ({"path": receipt().path[:-1]}, "inclusion proof"),
        ({"opened": Opened(bytes(32), OPENED.personal)}, "personal part"),
        ({"opened": OPENED._replace(personal=OPENED.personal + b" ")}, "personal part"),
        ({"opened": OPENED._replace(salt=OPENED.salt + bytes(1))}, "personal part"),
        ({"opened": OPENED._replace(salt=OPENED.salt + bytes(32))}, "personal part"),
        ({"wording": WORDING._replace(text="We sell your data.")}, "notice"),
        ({"wording": WORDING._replace(title="Half a character: \ud83d")}, "notice"),
        ({"wording": WORDING._replace(text="Half a character: \ude00")}, "notice"),
        ({"wording": Wording("Our newsletter\n\nWe write to you.", "You may say no.")}, "notice"),
    ],
)  # fmt: skip
def test_a_part_that_is_another_one(changed: dict[str, object], part: str) -> None:
    """Each part is held to the one before it, and told by its name."""
    with pytest.raises(ReceiptInvalid) as caught:
        Receipt.parse(str(replace(receipt(), **changed))).check(VERIFIER)  # type: ignore[arg-type]  # each is of its type

    assert caught.value.part == part


def test_another_key() -> None:
    """The key of another log, or another key under its name, proves nothing."""
    other = Signer(ORIGIN, bytes(32))

    assert part_that_fails(str(receipt()), Verifier(ORIGIN, other.public_key)) == "signature"
    assert (
        part_that_fails(str(receipt()), Verifier("log.example/2", SIGNER.public_key)) == "signature"
    )


def test_a_checkpoint_of_another_origin() -> None:
    """A key that signs for one log is not taken for another's, whatever it has signed."""
    text = receipt().checkpoint.text.replace(ORIGIN, "log.example/2")
    forged = replace(receipt(), checkpoint=signed(text, SIGNER))

    assert part_that_fails(str(forged)) == "checkpoint"
