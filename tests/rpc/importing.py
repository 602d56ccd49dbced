"""Exports of one service, as imports of another."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from consentsvc.domain.catalogue import Catalogue
from consentsvc.service.ports import Clock, EventStore
from consentsvc.storage.memory import MemoryEventStore
from consentsvc.v1 import consent_pb2 as shared
from consentsvc.v1 import proof_service_pb2 as proofs
from consentsvc.v1 import subject_rights_service_pb2 as rights
from tests.support.acts import OPERATOR, SUBJECT, stamp
from tests.support.requests import IMPORT_HEADER
from tests.support.wire import Wire, serving


async def key_of(wire: Wire) -> str:
    """The key with which a log's receipts are checked."""
    signed = await wire.proofs.GetCheckpoint(proofs.GetCheckpointRequest())
    return signed.verifier_key


@asynccontextmanager
async def trusting(
    folder: Path,
    catalogue: Catalogue,
    clock: Clock,
    *keys: str,
    store: EventStore | None = None,
) -> AsyncIterator[Wire]:
    """An empty service that trusts the logs of these keys."""
    file = folder / "trusted"
    file.write_text("".join(f"{key}\n" for key in keys))
    store = store or MemoryEventStore(clock)
    async with serving(store, catalogue, clock, trusted_log_keys=file) as wire:
        yield wire


async def exported(wire: Wire, subject: str) -> list[rights.ImportedEvent]:
    """Everything that a service has of a subject, ready to be imported."""
    request = rights.ExportSubjectRequest(
        subject_id=subject,
        actor=OPERATOR,
        channel="letter",
        request_id=wire.request_id(),
        with_receipts=True,
    )
    return [
        proven(f"{one.event.pseudonym.hex()}:{one.event.position}", one.receipt)
        async for part in wire.rights.ExportSubject(request)
        for one in part.events
    ]


def proven(name: str, receipt: str) -> rights.ImportedEvent:
    """An event with its receipt."""
    return rights.ImportedEvent(import_id=name, receipt=receipt)


def stated(
    kind: str,
    at: int,
    purpose: str = "newsletter",
    subject: str = "anna",
    *,
    name: str = "",
    version: str | None = None,
    **options: Any,
) -> rights.ImportedEvent:
    """An event by somebody's word, by the name of its kind in small letters."""
    fields: dict[str, Any] = {
        "subject_id": subject,
        "kind": shared.EventKind.Value(f"EVENT_KIND_{kind.upper()}"),
        "purpose_id": purpose,
        "claimed_time": stamp(at),
        "actor": SUBJECT,
        "channel": "web",
        "notice": version and shared.NoticeRef(version=version, locale="en"),
    }
    told = rights.StatedEvent(**{**fields, **options})
    return rights.ImportedEvent(import_id=name or f"{subject}:{purpose}:{kind}:{at}", stated=told)


async def bring(
    wire: Wire, events: Iterable[rights.ImportedEvent], *, at_once: int = 100, **header: Any
) -> rights.ImportEventsResponse:
    """Imports events, so many in a message."""
    left = list(events)
    first = rights.ImportEventsRequest()
    first.CopyFrom(IMPORT_HEADER)
    first.header.MergeFrom(rights.ImportHeader(**header))
    messages = [
        rights.ImportEventsRequest(events=left[at : at + at_once])
        for at in range(0, len(left), at_once)
    ]
    return await wire.rights.ImportEvents(iter([first, *messages]))


def counts(answer: rights.ImportEventsResponse) -> tuple[int, int, int, int]:
    """How many were recorded, requested, repeated and skipped."""
    return (
        answer.recorded_count,
        answer.requested_count,
        answer.repeated_count,
        answer.skipped_count,
    )
