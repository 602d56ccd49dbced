"""Receipts, checkpoints and proofs, over the wire."""

import asyncio
import json

import pytest

from consentsvc.domain.events import EventKind
from consentsvc.domain.merkle import check_consistency, leaf_hash, root_from_inclusion
from consentsvc.domain.notes import Checkpoint, Note
from consentsvc.domain.receipts import Receipt
from consentsvc.service.signing import Verifier
from consentsvc.v1 import consent_service_pb2 as consents
from consentsvc.v1 import proof_service_pb2 as proofs
from tests.support.refusals import refused
from tests.support.wire import Wire, change


async def receipt(wire: Wire, subject: str, position: int) -> consents.GetReceiptResponse:
    asked = consents.GetReceiptRequest(subject_id=subject, position=position)
    return await wire.consents.GetReceipt(asked)


async def checkpoint(wire: Wire, covering: int = 0) -> tuple[Checkpoint, Verifier]:
    got = await wire.proofs.GetCheckpoint(proofs.GetCheckpointRequest(covering_position=covering))
    verifier = Verifier.parse(got.verifier_key)
    note = Note.parse(got.checkpoint)
    note.check(verifier)
    assert Checkpoint.parse(note.text).size == got.tree_size
    return Checkpoint.parse(note.text), verifier


async def given(wire: Wire, subject: str) -> int:
    return (await wire.update(subject, change("give", "newsletter"))).outcomes[0].position


async def test_a_receipt_right_after_a_write(wire: Wire) -> None:
    """It waits for what covers the event, and proves it with the log's key and nothing else."""
    position = await given(wire, "anna")
    got = await receipt(wire, "anna", position)
    _, verifier = await checkpoint(wire)
    proven = Receipt.parse(got.receipt).check(verifier)

    assert proven.event.position == position
    assert proven.event.personal is not None
    assert proven.event.personal.subject == "anna"
    assert proven.wording is not None
    assert proven.wording.title == "newsletter 1 en"


async def test_the_same_receipt_for_ever(wire: Wire) -> None:
    """However much the log has grown since."""
    position = await given(wire, "anna")
    first = await receipt(wire, "anna", position)
    await checkpoint(wire, await given(wire, "ben"))

    assert await receipt(wire, "anna", position) == first


async def test_a_receipt_is_for_its_subject(wire: Wire) -> None:
    """Another's event, one of nobody's and one that is not there are the same: unknown."""
    position = await given(wire, "anna")

    for wrong in (receipt(wire, "ben", position), receipt(wire, "anna", 1),
                  receipt(wire, "anna", position + 1)):  # fmt: skip
        refusal = await refused(wrong)
        assert (refusal.code.name, refusal.reason) == ("NOT_FOUND", "EVENT_UNKNOWN")


async def test_the_consent_record(wire: Wire) -> None:
    """The same in the terms of ISO/IEC TS 27560, every mandatory field of a consent."""
    position = await given(wire, "anna")
    record = json.loads((await receipt(wire, "anna", position)).consent_record)
    activity = record["dpv:hasRecordOfActivity"]
    notice = activity["dpv:hasNotice"]

    assert record["@type"] == "dpv:ConsentReceipt"
    assert activity["dpv:hasDataSubject"] == {"dct:identifier": "anna"}
    assert activity["dpv:hasConsentStatus"]["@type"] == "dpv:ConsentGiven"
    assert activity["dpv:hasConsentStatus"]["dct:date"].endswith("Z")
    assert activity["dpv:hasProcess"]["dpv:hasPurpose"]["dct:identifier"] == "newsletter"
    assert activity["dpv:hasProcess"]["dpv:hasLegalBasis"] == "eu-gdpr:A6-1-a"
    assert (notice["dct:title"], notice["dct:language"]) == ("newsletter 1 en", "en")
    assert {"schema:name", "dpv:hasAddress", "dpv:hasContact"} <= set(
        activity["dpv:hasDataController"]
    )


async def test_a_withdrawal_has_a_receipt_too(wire: Wire) -> None:
    """What was taken back is proven like what was given."""
    await given(wire, "anna")
    updated = await wire.update("anna", change("withdraw", "newsletter"))
    got = await receipt(wire, "anna", updated.outcomes[0].position)
    _, verifier = await checkpoint(wire)

    kind = Receipt.parse(got.receipt).check(verifier).event.kind
    assert kind is EventKind.CONSENT_WITHDRAWN
    assert '"dpv:ConsentWithdrawn"' in got.consent_record


async def test_proofs(wire: Wire) -> None:
    """An auditor who keeps an old checkpoint can hold the log to it, and find an event in it."""
    position = await given(wire, "anna")
    old, verifier = await checkpoint(wire, position)
    for number in range(20):
        last = await given(wire, f"customer:{number}")
    new, _ = await checkpoint(wire, last)
    grown = await wire.proofs.GetConsistencyProof(
        proofs.GetConsistencyProofRequest(old_tree_size=old.size, new_tree_size=new.size)
    )
    included = await wire.proofs.GetInclusionProof(
        proofs.GetInclusionProofRequest(position=position, tree_size=old.size)
    )
    leaf = leaf_hash(included.header)

    assert old.origin == new.origin == verifier.name
    check_consistency(old.size, old.root, new.size, new.root, list(grown.hashes))
    assert root_from_inclusion(leaf, position - 1, old.size, list(included.hashes)) == old.root
    assert b"anna" not in included.header


async def test_a_quiet_log_signs_nothing_new(wire: Wire) -> None:
    """Two who ask at once for what covers one event get one checkpoint."""
    position = await given(wire, "anna")
    first, second = await asyncio.gather(checkpoint(wire, position), checkpoint(wire, position))

    assert first[0] == second[0]
    assert (await checkpoint(wire))[0] == first[0]


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (proofs.GetCheckpointRequest(covering_position=-1), "covering_position"),
        (proofs.GetInclusionProofRequest(position=0, tree_size=1), "position"),
        (proofs.GetInclusionProofRequest(position=1, tree_size=0), "tree_size"),
        (proofs.GetInclusionProofRequest(position=2, tree_size=1), "tree_size"),
        (proofs.GetConsistencyProofRequest(old_tree_size=0, new_tree_size=1), "old_tree_size"),
        (proofs.GetConsistencyProofRequest(old_tree_size=2, new_tree_size=1), "new_tree_size"),
        (consents.GetReceiptRequest(subject_id="anna", position=0), "position"),
        (consents.GetReceiptRequest(subject_id="", position=1), "subject_id"),
    ],
    ids=lambda one: None if isinstance(one, str) else repr(str(one)),
)
async def test_bad_input(wire: Wire, request_: object, field: str) -> None:
    """What is wrong is told by its field."""
    name = type(request_).__name__.removesuffix("Request")
    service = wire.consents if name == "GetReceipt" else wire.proofs
    refusal = await refused(getattr(service, name)(request_))

    assert refusal.code.name == "INVALID_ARGUMENT"
    assert refusal.fields == (field,)


async def test_past_the_head(wire: Wire) -> None:
    """What is not in the log yet is not waited for."""
    for asked in (
        wire.proofs.GetCheckpoint(proofs.GetCheckpointRequest(covering_position=10_000)),
        wire.proofs.GetInclusionProof(
            proofs.GetInclusionProofRequest(position=1, tree_size=10_000)
        ),
        wire.proofs.GetConsistencyProof(
            proofs.GetConsistencyProofRequest(old_tree_size=1, new_tree_size=2**62)
        ),
    ):
        refusal = await refused(asked)
        assert (refusal.code.name, refusal.reason) == ("OUT_OF_RANGE", "POSITION_UNKNOWN")
