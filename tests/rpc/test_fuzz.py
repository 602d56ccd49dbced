"""Bytes of every kind, to every method."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from consentsvc.domain.catalogue import Catalogue
from consentsvc.service.ports import EventStore
from tests.support import catalogues
from tests.support.logbook import logging_as_in_production
from tests.support.refusals import refusal_of
from tests.support.requests import GOOD, good, send, send_raw
from tests.support.wire import Wire

EMAIL = "jane.doe@example.org"
WRONG = f"{EMAIL} {EMAIL}"
"""No id, no token, no word that anything is called by: refused wherever it stands."""

# What the contract says a method can end with, besides OK. CANCELLED and UNKNOWN are not in it, nor
# is INTERNAL here: nothing that a caller sends may be unforeseen.
DOCUMENTED = {
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "OUT_OF_RANGE",
    "RESOURCE_EXHAUSTED",
}
WRITES = {
    "UpdateConsents",
    "ConfirmConsent",
    "RedeemLink",
    "RestrictProcessing",
    "LiftRestriction",
    "RevokeConsents",
    "ReportDeath",
    "ReportPublication",
    "LinkSubjects",
    "ExportSubject",
    "EraseSubject",
    "RecordDirections",
}
# An item of a batch that is refused does not refuse the batch.
BATCHES = {"BatchCheckConsents", "StreamCheckConsents", "BatchResolvePublications"}


@pytest.fixture
def catalogue() -> Catalogue:
    return catalogues.with_publication()


def refusable(method: str) -> list[Any]:
    """Messages that hold a person's address where it is refused, once in each text."""
    return [good(method, **{path.replace(".", "__"): WRONG}) for path in texts(GOOD[method])]


def seeds() -> dict[str, list[bytes]]:
    """Messages for every method, holding a person's address; those that write lack something.

    In the first it stands where it may, in the others where it is refused.
    """
    messages = {}
    for method, message in GOOD.items():
        names = message.DESCRIPTOR.fields_by_name
        spoilt = good(method)
        if "subject_id" in names:
            spoilt.subject_id = EMAIL
        if "batch" in names:
            spoilt.batch.subject_ids[0] = EMAIL
        if "token" in names:
            spoilt.token = EMAIL
        if method == "UpdateConsents":
            spoilt.evidence.session_reference = EMAIL
        found = [spoilt, *refusable(method)]
        if "actor" in names:
            # What is refused for its text alone may be mended by what is done to it.
            for one in found:
                one.ClearField("actor")
        if method == "ImportEvents":
            for event in (event for one in found for event in one.events):
                event.stated.ClearField("claimed_time")
        messages[method] = [one.SerializeToString() for one in found]
    return messages


def texts(message: Message, within: str = "") -> Iterator[str]:
    """The paths of all texts that are set, but for those that may hold anything."""
    for field, value in message.ListFields():
        path = within + field.name
        places: list[tuple[str, Any]] = (
            [(f"{path}[{index}]", one) for index, one in enumerate(value)]
            if field.is_repeated
            else [(path, value)]
        )
        for place, one in places:
            if field.name in {"evidence", "registry"}:
                continue
            if field.type == FieldDescriptor.TYPE_STRING:
                yield place
            elif isinstance(one, Message):
                yield from texts(one, place + ".")


def leaked(told: str | bytes) -> list[str]:
    """What of the person can be read in something; a part of an address is enough to tell."""
    text = told.decode(errors="replace") if isinstance(told, bytes) else told
    return [part for part in ("jane", "doe@", "example.org") if part in text.lower()]


def cut(pick: random.Random, data: bytes) -> bytes:
    return data[: pick.randrange(len(data) + 1)]


def flip(pick: random.Random, data: bytes) -> bytes:
    raw = bytearray(data)
    for _ in range(pick.randrange(1, 6) if raw else 0):
        raw[pick.randrange(len(raw))] ^= 1 << pick.randrange(8)
    return bytes(raw)


def spoil(pick: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """Makes something of a message that its sender never meant."""
    ways: list[Callable[[], bytes]] = [
        lambda: pick.randbytes(pick.randrange(200)),
        lambda: cut(pick, data),
        lambda: data + pick.randbytes(pick.randrange(50)),
        lambda: cut(pick, data) + cut(pick, pick.choice(others)),
        lambda: data * pick.randrange(2, 50),
        lambda: data + b"\x0a" + pick.choice([b"\xff\xff\xff\xff\x07", b"\xff" * 10]),
        lambda: b"\x0a\x80\x80\x10" + b"x" * 0x40000 + data,
        lambda: flip(pick, data),
        lambda: flip(pick, data),
    ]
    return pick.choice(ways)()


async def met_by(wire: Wire, method: str, data: bytes) -> str:
    """Sends a message, looks at what comes back, and tells its code."""
    try:
        answer = await send_raw(wire, method, data)
    except grpc.aio.AioRpcError as error:
        code = error.code().name
        refusal = refusal_of(error)
        assert code in DOCUMENTED, (method, data, refusal)
        assert refusal.reason, (method, data, refusal)
        told = " ".join([refusal.message, *refusal.metadata.values(), *refusal.fields])
        for secret in ("Traceback", ".py", "Error", "sqlite"):
            assert secret not in told, (method, data, refusal)
    else:
        code = "OK"
        told = answer.decode(errors="replace")
        assert method not in WRITES, (method, data)
    assert not leaked(told), (method, data, told)
    return code


async def throw(wire: Wire, store: EventStore, pick: random.Random, count: int) -> dict[str, int]:
    """Sends so many messages, looks at every answer, and counts what they were."""
    good_ones = seeds()
    others = [one for some in good_ones.values() for one in some]
    head = await store.head()
    met: dict[str, int] = {}
    for _ in range(count):
        method = pick.choice(list(good_ones))
        code = await met_by(wire, method, spoil(pick, pick.choice(good_ones[method]), others))
        met[code] = met.get(code, 0) + 1
    assert await store.head() == head
    return met


NEEDING = {"ConfirmConsent", "DescribeLink", "RedeemLink", "GetReceipt", "AcknowledgeEvents"}
"""The methods that need something to have happened before."""


async def healthy(wire: Wire) -> bool:
    """Whether every method answers as ever."""
    for method in GOOD:
        if method not in NEEDING:
            request = good(method)
            if method in WRITES:
                request.request_id = f"after-{method}"
            await send(wire, request)
    return True


async def test_short(wire: Wire, sqlite_store: EventStore, pick: random.Random) -> None:
    """Whatever is sent, only documented errors come back, and nothing is recorded.

    Nor does anything of the person get into an error or into the log. A whole address was looked
    for, and hardly any message that was refused for its subject still held one.
    """
    with logging_as_in_production() as logbook:
        met = await throw(wire, sqlite_store, pick, 2_000)

        assert await healthy(wire)
    assert {"OK", "INVALID_ARGUMENT", "NOT_FOUND"} <= set(met)
    assert not leaked(logbook.text)


@pytest.mark.parametrize("method", GOOD)
async def test_a_text_in_the_wrong_place(wire: Wire, method: str) -> None:
    """A person's address where it is refused is told of by its field only, to caller and log."""
    with logging_as_in_production() as logbook:
        codes = {await met_by(wire, method, one.SerializeToString()) for one in refusable(method)}

    assert codes <= DOCUMENTED | ({"OK"} if method in BATCHES else set())
    assert not leaked(logbook.text)


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_long(wire: Wire, sqlite_store: EventStore, pick: random.Random) -> None:
    """The same, for longer."""
    with logging_as_in_production() as logbook:
        await throw(wire, sqlite_store, pick, 50_000)

        assert await healthy(wire)
    assert not leaked(logbook.text)
