"""Bytes of every kind, to every method."""

import random
from collections.abc import Callable

import grpc
import pytest

from consentsvc.service.ports import EventStore
from tests.support.refusals import refusal_of
from tests.support.requests import GOOD, good, send, send_raw
from tests.support.wire import Wire

EMAIL = "jane.doe@example.org"

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
}


def seeds() -> dict[str, bytes]:
    """A message for every method, holding a person's address; those that write lack something."""
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
            spoilt.ClearField("actor")
            spoilt.evidence.session_reference = EMAIL
        if method in {"RestrictProcessing", "LiftRestriction", "RevokeConsents", "ReportDeath"}:
            spoilt.ClearField("actor")
        messages[method] = spoilt.SerializeToString()
    return messages


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


async def throw(wire: Wire, store: EventStore, pick: random.Random, count: int) -> dict[str, int]:
    """Sends so many messages, looks at every answer, and counts what they were."""
    good_ones = seeds()
    others = list(good_ones.values())
    head = await store.head()
    met: dict[str, int] = {}
    for _ in range(count):
        method = pick.choice(list(good_ones))
        data = spoil(pick, good_ones[method], others)
        code = "OK"
        try:
            await send_raw(wire, method, data)
        except grpc.aio.AioRpcError as error:
            code = error.code().name
            refusal = refusal_of(error)
            assert code in DOCUMENTED, (method, data, refusal)
            assert refusal.reason, (method, data, refusal)
            told = " ".join([refusal.message, *refusal.metadata.values(), *refusal.fields])
            for secret in (EMAIL, "Traceback", ".py", "Error", "sqlite"):
                assert secret not in told, (method, data, refusal)
        assert code != "OK" or method not in WRITES, (method, data)
        met[code] = met.get(code, 0) + 1
    assert await store.head() == head
    return met


async def healthy(wire: Wire) -> bool:
    """Whether every method answers as ever."""
    for method in GOOD:
        if method not in {"ConfirmConsent", "RedeemLink"}:
            request = good(method)
            if method in WRITES:
                request.request_id = f"after-{method}"
            await send(wire, request)
    return True


async def test_short(wire: Wire, sqlite_store: EventStore, pick: random.Random) -> None:
    """Whatever is sent, only documented errors come back, and nothing is recorded."""
    met = await throw(wire, sqlite_store, pick, 2_000)

    assert await healthy(wire)
    assert {"OK", "INVALID_ARGUMENT", "NOT_FOUND"} <= set(met)


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_long(wire: Wire, sqlite_store: EventStore, pick: random.Random) -> None:
    """The same, for longer."""
    await throw(wire, sqlite_store, pick, 50_000)

    assert await healthy(wire)
