"""Errors as callers meet them, and what must never be in one."""

import asyncio
import gc
import inspect
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from consentsvc.domain import errors
from consentsvc.domain.catalogue import Catalogue
from consentsvc.rpc import errors as rpc_errors
from consentsvc.rpc import translate
from consentsvc.service.ports import EventStore
from consentsvc.v1 import consent_event_service_pb2 as events
from consentsvc.v1 import consent_pb2 as shared
from consentsvc.v1 import error_reason_pb2
from tests.support import acts
from tests.support.clock import FakeClock
from tests.support.logbook import Logbook, logging_as_in_production
from tests.support.refusals import refused
from tests.support.requests import GOOD, good, put, send, send_raw
from tests.support.stores import failing, meddled
from tests.support.wire import Wire, serving

EMAIL = "jane.doe@example.org"
SUBJECT, NOBODY = shared.ACTOR_KIND_SUBJECT, shared.ACTOR_KIND_UNSPECIFIED
FUTURE = acts.stamp(4_000_000_000_000_000)
BEFORE_1970 = acts.stamp(-1)

# Method, path, value, and the reason if it is not INVALID_FIELD. The refusal names the path.
BAD: list[tuple[Any, ...]] = [
    ("CheckConsent", "purpose_id", "unheard_of", "UNKNOWN_PURPOSE"),
    ("CheckConsent", "scope.contact_id", "c1", "SCOPE_NOT_TAKEN"),
    ("CheckConsent", "scope.domain", "example.net", "SCOPE_NOT_TAKEN"),
    ("BatchCheckConsents", "batch.subject_ids", []),
    ("BatchCheckConsents", "batch.purpose_ids", []),
    ("BatchCheckConsents", "batch.purpose_ids", ["newsletter", "profiling"]),
    ("StreamCheckConsents", "batch.subject_ids", []),
    ("StreamCheckConsents", "batch.purpose_ids", ["newsletter"] * 4),
    *(
        (method, f"consistency.{name}", value)
        for method in ("CheckConsent", "BatchCheckConsents", "StreamCheckConsents")
        for name, value in (
            ("at_least_as_fresh", "no token"),
            ("at_least_as_fresh", ""),
            ("as_of_time", FUTURE),
            ("as_of_time", BEFORE_1970),
        )
    ),
    ("ListPurposes", "locale", ""),
    ("ListPurposes", "locale", "de"),
    ("GetNotice", "purpose_id", "Un Known"),
    *(
        (method, name, value)
        for method, most in (("ListConsents", 1_000), ("ListConsentEvents", 100))
        for name, value in (
            ("page_size", -1),
            ("page_size", most + 1),
            ("page_token", "no token"),
            ("at_least_as_fresh", "no token"),
        )
    ),
    ("UpdateConsents", "actor.kind", NOBODY),
    ("UpdateConsents", "actor.kind", 99),
    ("UpdateConsents", "actor.id", "anna"),
    ("UpdateConsents", "changes", []),
    ("UpdateConsents", "changes[1].purpose_id", "Un Known", "UNKNOWN_PURPOSE"),
    ("UpdateConsents", "changes[1].purpose_id", "unheard_of", "UNKNOWN_PURPOSE"),
    ("UpdateConsents", "changes[1].action", 0),
    ("UpdateConsents", "changes[1].action", 99),
    ("UpdateConsents", "changes[1].notice.version", ""),
    ("UpdateConsents", "changes[1].notice.locale", ""),
    ("UpdateConsents", "changes[1].notice.sha256", b"short"),
    ("UpdateConsents", "changes[1].notice.sha256", b"x" * 32, "UNKNOWN_NOTICE"),
    ("UpdateConsents", "changes[1].expected_position", -1),
    ("UpdateConsents", "claimed_time", BEFORE_1970),
    *(
        (method, f"evidence.{name}", "x" * 1025)
        for method in ("UpdateConsents", "ConfirmConsent", "RedeemLink")
        for name in shared.Evidence.DESCRIPTOR.fields_by_name
        if name != "user_agent"  # cut, not refused
    ),
    ("ListEvents", "page_size", -1),
    ("ListEvents", "page_size", 1001),
    ("ListEvents", "page_token", "no token"),
    ("WatchEvents", "start_position", 0),
    ("WatchEvents", "start_position", -1),
    ("WatchEvents", "cursor", "no cursor"),
    ("WatchEvents", "cursor", ""),
    ("WatchEvents", "progress_seconds", -1),
    ("WatchEvents", "progress_seconds", 61),
    ("SyncConsents", "purpose_ids", []),
    ("SyncConsents", "purpose_ids", ["newsletter", "profiling", "newsletter"]),
    ("SyncConsents", "purpose_ids[1]", "unheard_of", "UNKNOWN_PURPOSE"),
    ("SyncConsents", "cursor", "no cursor"),
    ("SyncConsents", "progress_seconds", -1),
    ("SyncConsents", "progress_seconds", 61),
    *(
        (method, "actor.kind", value)
        for method in ("RestrictProcessing", "LiftRestriction", "RevokeConsents", "ReportDeath")
        for value in (NOBODY, 99)
    ),
    ("RevokeConsents", "actor.kind", SUBJECT),
    ("ReportDeath", "actor.kind", SUBJECT),
    ("RevokeConsents", "purpose_ids", []),
    ("RevokeConsents", "purpose_ids", ["newsletter", "newsletter"]),
    ("RevokeConsents", "purpose_ids[1]", "unheard_of", "UNKNOWN_PURPOSE"),
    ("RevokeConsents", "reason", 0),
    ("RevokeConsents", "reason", 99),
]


@pytest.mark.parametrize(
    "bad", BAD, ids=[f"{number}-{one[0]}-{one[1]}" for number, one in enumerate(BAD)]
)
async def test_bad_field(wire: Wire, bad: tuple[Any, ...]) -> None:
    """A wrong field is INVALID_ARGUMENT with reason, domain and the field's path."""
    method, path, value, reason = (*bad, "INVALID_FIELD")[:4]
    request = good(method)
    put(request, path, value)
    before = await acts.head(wire)
    refusal = await refused(send(wire, request))

    assert (refusal.code.name, refusal.reason) == ("INVALID_ARGUMENT", reason)
    assert refusal.domain == "consentsvc"
    assert refusal.fields == (path,)
    assert await acts.head(wire) == before


@pytest.mark.parametrize("path", ["version", "locale"])
async def test_unknown_notice(wire: Wire, path: str) -> None:
    """A version or locale that the purpose does not have is refused by the notice."""
    request = good("UpdateConsents")
    put(request, f"changes[1].notice.{path}", "9")
    refusal = await refused(send(wire, request))

    assert (refusal.reason, refusal.fields) == ("UNKNOWN_NOTICE", ("changes[1].notice",))


async def test_notice_of_another_purpose(wire: Wire) -> None:
    """The hash of another purpose's notice is not this one's."""
    request = good("UpdateConsents")
    other = (await send(wire, good("ListPurposes"))).purposes[2].notice.ref
    put(request, "changes[0].notice", other)
    refusal = await refused(send(wire, request))

    assert refusal.reason == "UNKNOWN_NOTICE"
    assert refusal.fields == ("changes[0].notice.sha256",)


async def test_nowhere_to_start(wire: Wire) -> None:
    """A watch says where it begins."""
    refusal = await refused(send(wire, events.WatchEventsRequest()))

    assert refusal.fields == ("start",)


async def test_several_wrong_fields(wire: Wire) -> None:
    """Of several wrong fields one is told, and once it is right the next."""
    right = {"subject_id": "anna", "channel": "panel", "request_id": "r-1"}
    request = good("UpdateConsents", **dict.fromkeys(right, ""))
    told: list[str] = []
    while len(told) < len(right):
        (field,) = (await refused(send(wire, request))).fields
        told.append(field)
        put(request, field, right[field])

    assert sorted(told) == sorted(right)
    assert (await send(wire, request)).outcomes


@pytest.mark.parametrize("method", GOOD)
async def test_no_message(wire: Wire, method: str) -> None:
    """Bytes that are no message are INVALID_ARGUMENT, not INTERNAL."""
    refusal = await refused(send_raw(wire, method, b"\xff\xff"))

    assert (refusal.code.name, refusal.reason) == ("INVALID_ARGUMENT", "MALFORMED_MESSAGE")
    # It began with a colon, behind the name of no field.
    assert refusal.message == "the bytes are not a message of the expected type"
    assert refusal.domain == "consentsvc"


# The tree of errors, the table of codes and the contract are one list.

CLASSES = {
    cls.reason: cls
    for _, cls in inspect.getmembers(errors, inspect.isclass)
    if issubclass(cls, errors.Error) and cls is not errors.Error
}
PROTO = Path(__file__).parents[2] / "proto/consentsvc/v1/error_reason.proto"


def documented() -> dict[str, str]:
    """Each reason of the contract with the code that its comment begins with."""
    found = re.findall(
        r"^  // ([A-Z_]+): (?:(?!\n\n).)*?^  ERROR_REASON_([A-Z_]+) = ",
        PROTO.read_text(),
        re.MULTILINE | re.DOTALL,
    )
    return {reason: code for code, reason in found}


def test_every_class_is_documented() -> None:
    """Every error has a reason of the contract, and every reason an error."""
    named = {value.name for value in error_reason_pb2.ErrorReason.DESCRIPTOR.values}

    assert {f"ERROR_REASON_{reason}" for reason in CLASSES} == named - {"ERROR_REASON_UNSPECIFIED"}
    assert set(documented()) == set(CLASSES)


def test_every_class_has_its_code() -> None:
    """Every error has the status code that the contract says, and no two share a reason."""
    classes = [
        cls
        for _, cls in inspect.getmembers(errors, inspect.isclass)
        if issubclass(cls, errors.Error) and cls is not errors.Error
    ]

    assert len(classes) == len(CLASSES)
    assert set(classes) == set(rpc_errors._STATUS)
    assert {cls.reason: rpc_errors._STATUS[cls].name for cls in classes} == documented()


# What was not foreseen.


@pytest.fixture
def logbook() -> Iterator[Logbook]:
    with logging_as_in_production() as logbook:
        yield logbook


def unforeseen() -> Exception:
    """An error as a library would raise it, with a person's address in every part of it."""
    error = ValueError(f"no row for {EMAIL}")
    error.__cause__ = KeyError(EMAIL)
    error.add_note(EMAIL)
    return error


READS = {
    "CheckConsent": "records",
    "BatchCheckConsents": "records",
    "StreamCheckConsents": "records",
    "ListConsents": "subject_record",
    "ListConsentEvents": "subject_events",
    "ListEvents": "events",
    "WatchEvents": "events",
    "SyncConsents": "subject_records",
    "UpdateConsents": "write",
    "RestrictProcessing": "write",
    "LiftRestriction": "write",
    "RevokeConsents": "write",
    "ReportDeath": "write",
}


@pytest.mark.parametrize("method", READS)
async def test_unforeseen(
    sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock, logbook: Logbook, method: str
) -> None:
    """An unforeseen error is a bare INTERNAL; neither caller nor log learns what was in it."""
    replaced = {READS[method]: failing(unforeseen())}
    async with serving(sqlite_store, catalogue, clock):
        pass  # publishes the notices, which needs a store that can write
    async with serving(meddled(sqlite_store, **replaced), catalogue, clock) as wire:
        refusal = await refused(send(wire, good(method)))
        text = logbook.text

    assert (refusal.code, refusal.message) == (grpc.StatusCode.INTERNAL, "internal error")
    assert refusal.reason == ""
    assert EMAIL not in text
    assert "unforeseen_error" in text
    assert method in text
    assert "ValueError" in text
    assert "KeyError" in text
    assert " fail" in text  # where it happened


async def test_unforeseen_in_a_servicer(
    wire: Wire, logbook: Logbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So is one that is raised on the way out."""

    def broken(*args: object) -> None:
        raise LookupError(EMAIL)

    monkeypatch.setattr(translate, "decision", broken)
    refusal = await refused(wire.check("anna", "newsletter"))
    text = logbook.text

    assert (refusal.code, refusal.message) == (grpc.StatusCode.INTERNAL, "internal error")
    assert EMAIL not in text
    assert "LookupError" in text


async def test_unforeseen_in_a_transaction(
    wire: Wire, logbook: Logbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one inside the unit of work; the next caller is not touched by it."""

    def broken(*args: object) -> None:
        raise LookupError(EMAIL)

    request = good("UpdateConsents")
    with monkeypatch.context() as patched:
        patched.setattr("consentsvc.service.consents.kept", broken)
        refusal = await refused(send(wire, request))
    answer = await send(wire, request)

    assert refusal.code == grpc.StatusCode.INTERNAL
    assert EMAIL not in logbook.text
    assert len(answer.outcomes) == 2


async def test_store_unavailable(
    sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock, logbook: Logbook
) -> None:
    """A driver's message stays inside: the caller learns that it may ask again, and no more."""
    error = errors.StoreUnavailable("the store cannot be read now")
    error.__cause__ = sqlite3.OperationalError(f"near {EMAIL}: syntax error")
    async with serving(meddled(sqlite_store, records=failing(error)), catalogue, clock) as wire:
        refusal = await refused(wire.check("anna", "newsletter"))
        text = logbook.text

    assert (refusal.code.name, refusal.reason) == ("UNAVAILABLE", "STORE_UNAVAILABLE")
    assert EMAIL not in refusal.message
    assert EMAIL not in text
    assert "OperationalError" in text


async def test_forgotten_task(logbook: Logbook) -> None:
    """An error that nobody waited for is logged by asyncio, without its text."""

    async def forgotten() -> None:
        raise unforeseen()

    task = asyncio.create_task(forgotten())
    await asyncio.wait({task})
    del task
    gc.collect()

    assert "asyncio" in logbook.text
    assert "ValueError" in logbook.text
    assert EMAIL not in logbook.text


async def test_failing_callback(logbook: Logbook) -> None:
    """So is one in a callback, without what the callback was given."""
    failed = asyncio.Event()

    def callback(address: str) -> None:
        failed.set()
        raise LookupError(address)

    asyncio.get_running_loop().call_soon(callback, EMAIL)
    await failed.wait()
    await asyncio.sleep(0)

    assert "asyncio" in logbook.text
    assert EMAIL not in logbook.text


async def test_no_such_method(wire: Wire) -> None:
    """A method that does not exist is UNIMPLEMENTED."""
    call: Any = wire.channel.unary_unary("/consentsvc.v1.ConsentService/ListEverything")
    refusal = await refused(call(b""))

    assert refusal.code == grpc.StatusCode.UNIMPLEMENTED
