"""Batches and streams of checks: for lists of any length."""

import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
import pytest

from consentsvc.service.ports import EventStore
from consentsvc.v1 import consent_pb2 as shared
from consentsvc.v1 import consent_query_service_pb2 as queries
from consentsvc.v1.error_reason_pb2 import ErrorReason
from tests.support import acts
from tests.support.answers import answered_in_turn, checked, ref, unpacked
from tests.support.refusals import refused
from tests.support.requests import good, send
from tests.support.wire import Wire, change

YES, NO, NEITHER = (
    shared.ANSWER_PERMITTED,
    shared.ANSWER_NOT_PERMITTED,
    shared.ANSWER_UNSPECIFIED,
)


async def batch(
    wire: Wire, subjects: Sequence[str], purposes: Sequence[str], **options: Any
) -> queries.BatchCheckConsentsResponse:
    return await wire.queries.BatchCheckConsents(
        queries.BatchCheckConsentsRequest(
            batch=queries.CheckBatch(subject_ids=subjects, purpose_ids=purposes), **options
        )
    )


async def test_ten_thousand(wire: Wire) -> None:
    """Ten thousand pairs of long ids and mixed purposes are answered in their order."""
    purposes = ["newsletter", "profiling", "statistics", "reseller42.newsletter"]
    subjects = [f"{number:05}".ljust(256, "x") for number in range(10_000)]
    asked = [purposes[number % 4] for number in range(10_000)]
    given = range(0, 10_000, 1_000)  # all of them are asked about the newsletter
    for number in given:
        await wire.update(subjects[number], change("give", "newsletter"))
    answer = await batch(wire, subjects, asked, with_withdrawal_tokens=True)
    decisions = unpacked(answer.decisions)

    assert len(decisions) == 10_000
    for number, decision in enumerate(decisions):
        permitted = number in given or asked[number] == "statistics"
        assert decision.answer == (YES if permitted else NO)
        assert bool(decision.withdrawal_token) == permitted
    assert answer.decisions.notices == [ref("newsletter")]


async def test_one_more(wire: Wire) -> None:
    """One pair more than ten thousand is too many, and the refusal tells how many fit."""
    refusal = await refused(batch(wire, ["anna"] * 10_001, ["newsletter"]))

    assert (refusal.code.name, refusal.reason) == ("RESOURCE_EXHAUSTED", "BATCH_TOO_LARGE")
    assert refusal.metadata == {"items": "10001", "limit": "10000"}


async def test_none(wire: Wire) -> None:
    """A batch of nothing is refused: it never stands for everything."""
    refusal = await refused(batch(wire, [], ["newsletter"]))

    assert (refusal.code.name, refusal.fields) == ("INVALID_ARGUMENT", ("batch.subject_ids",))


async def test_one_purpose_for_all(wire: Wire) -> None:
    """A single purpose is asked of every subject."""
    await wire.update("ben", change("give", "newsletter"))
    answer = await batch(wire, ["anna", "ben", "carl"], ["newsletter"])

    assert list(answer.decisions.answers) == [NO, YES, NO]


async def test_single_pair(wire: Wire) -> None:
    """One subject and one purpose are a batch as well."""
    answer = await batch(wire, ["anna"], ["statistics"])

    assert list(answer.decisions.answers) == [YES]


async def test_duplicates(wire: Wire) -> None:
    """The same subject may come several times, with several purposes, and each is answered."""
    await wire.update("anna", change("give", "newsletter"), change("refuse", "profiling"))
    subjects = ["anna", "ben", "anna", "anna", "anna"]
    purposes = ["newsletter", "newsletter", "profiling", "newsletter", "statistics"]
    answer = await batch(wire, subjects, purposes)

    assert list(answer.decisions.answers) == [YES, NO, NO, YES, YES]


async def test_same_as_one_by_one(wire: Wire, pick: random.Random) -> None:
    """A batch in any order gives what CheckConsent gives for each pair alone."""
    people = [f"subject:{number}" for number in range(12)]
    names = ["newsletter", "profiling", "statistics", "reseller42.newsletter"]
    for subject in people[:8]:
        for purpose in pick.sample(names, 2):
            action = pick.choice(["give", "refuse", "withdraw", "object", "request"])
            await wire.update(subject, change(action, purpose, locale=pick.choice(["en", "fr"])))
    await acts.restrict(wire, people[0])
    await acts.report_death(wire, people[1])
    pairs = [(pick.choice(people), pick.choice(names)) for _ in range(100)]
    answer = await batch(wire, [one for one, _ in pairs], [one for _, one in pairs])

    assert unpacked(answer.decisions) == [await checked(wire, *pair) for pair in pairs]


async def test_errors_in_place(wire: Wire) -> None:
    """Pairs that cannot be answered have errors in their places; the others are answered."""
    await wire.update("anna", change("give", "newsletter"))
    answer = await batch(
        wire,
        ["anna", "a b", "anna", "", "anna"],
        ["newsletter", "newsletter", "unheard_of", "statistics", "statistics"],
    )
    decisions = answer.decisions

    assert list(decisions.answers) == [YES, NEITHER, NEITHER, NEITHER, YES]
    assert [decisions.reasons[index] for index in (1, 2, 3)] == [
        shared.DECISION_REASON_UNSPECIFIED
    ] * 3
    assert len(unpacked(decisions)) == 5
    assert [(one.index, one.field) for one in decisions.errors] == [
        (1, "batch.subject_ids[1]"),
        (2, "batch.purpose_ids[2]"),
        (3, "batch.subject_ids[3]"),
    ]
    assert {one.code for one in decisions.errors} == {grpc.StatusCode.INVALID_ARGUMENT.value[0]}
    assert all(one.message for one in decisions.errors)


async def test_one_unknown_purpose_for_all(wire: Wire) -> None:
    """If the one purpose is unknown, every pair has an error that names the one entry."""
    answer = await batch(wire, ["anna", "ben"], ["unheard_of"])

    assert list(answer.decisions.answers) == [NEITHER, NEITHER]
    assert [one.index for one in answer.decisions.errors] == [0, 1]
    assert {one.field for one in answer.decisions.errors} == {"batch.purpose_ids[0]"}


@pytest.mark.parametrize(
    ("subject", "purpose"),
    [("a b", "newsletter"), ("anna", "unheard_of"), ("a b", "unheard_of"), ("", "")],
    ids=["subject", "purpose", "both", "empty"],
)
async def test_error_is_that_of_one_check(wire: Wire, subject: str, purpose: str) -> None:
    """An error has the code and the reason that CheckConsent would have given."""
    alone = await refused(wire.check(subject, purpose))
    answer = await batch(wire, ["anna", subject], ["newsletter", purpose])
    error = answer.decisions.errors[0]

    assert error.code == alone.code.value[0]
    assert ErrorReason.Name(error.reason) == f"ERROR_REASON_{alone.reason}"


@pytest.mark.parametrize("subjects", [["a b"], ["a b", ""], ["a b", "anna"]])
@pytest.mark.parametrize("purpose", ["statistics", "unheard_of"])
async def test_tokens_of_errors(wire: Wire, subjects: list[str], purpose: str) -> None:
    """The list of tokens is as long as the answers, even if no pair could be answered."""
    answer = await batch(wire, subjects, [purpose], with_withdrawal_tokens=True)
    tokens = answer.decisions.withdrawal_tokens

    assert len(tokens) == len(answer.decisions.answers) == len(subjects)


async def test_tokens(wire: Wire) -> None:
    """Each yes comes with the token that CheckConsent gives; the rest with none."""
    await wire.update("anna", change("give", "newsletter"))
    answer = await batch(
        wire,
        ["ben", "anna", "ben", "a b"],
        ["newsletter", "newsletter", "statistics", "newsletter"],
        with_withdrawal_tokens=True,
    )
    expected = [
        "",
        await acts.withdrawal_token(wire, "anna", "newsletter"),
        await acts.withdrawal_token(wire, "ben", "statistics"),
        "",
    ]

    assert list(answer.decisions.withdrawal_tokens) == expected


async def test_no_tokens_unasked(wire: Wire) -> None:
    """Nobody gets tokens who did not ask for them."""
    answer = await batch(wire, ["anna"], ["statistics"])

    assert not answer.decisions.withdrawal_tokens


async def test_notices_once(wire: Wire) -> None:
    """A notice is sent once, however many decisions point to it."""
    for number in range(6):
        locale = "en" if number % 2 else "fr"
        await wire.update(f"s{number}", change("give", "newsletter", locale=locale))
    answer = await batch(wire, [f"s{number}" for number in range(7)], ["newsletter"])

    assert list(answer.decisions.notice_indexes) == [1, 2, 1, 2, 1, 2, 0]
    assert list(answer.decisions.notices) == [
        ref("newsletter", locale="fr"),
        ref("newsletter", locale="en"),
    ]


class TestStream:
    async def test_many_chunks(self, wire: Wire) -> None:
        """Each chunk gets one response, in the order of the requests."""
        await wire.update("s7", change("give", "newsletter"))
        chunks = [[f"s{number}"] * (number + 1) for number in range(40)]
        call = wire.queries.StreamCheckConsents(
            good("StreamCheckConsents", batch__subject_ids=one, batch__purpose_ids=["newsletter"])
            for one in chunks
        )
        answers = [one async for one in call]

        assert [len(one.decisions.answers) for one in answers] == [len(one) for one in chunks]
        assert [set(one.decisions.answers) for one in answers] == [
            {YES} if number == 7 else {NO} for number in range(40)
        ]

    async def test_one_at_a_time(self, wire: Wire, sqlite_store: EventStore) -> None:
        """Each chunk is decided at its own position: what is written in between is seen."""
        chunk = good(
            "StreamCheckConsents", batch__subject_ids=["anna"], batch__purpose_ids=["newsletter"]
        )
        call = wire.queries.StreamCheckConsents()
        seen = []
        for action in ("give", "withdraw", "give"):
            await wire.update("anna", change(action, "newsletter"))
            await call.write(chunk)
            answer = await call.read()
            assert isinstance(answer, queries.StreamCheckConsentsResponse)
            seen.append(answer.decisions.answers[0])
        await call.done_writing()

        assert seen == [YES, NO, YES]
        assert await call.read() is grpc.aio.EOF
        assert await call.code() is grpc.StatusCode.OK

    async def test_no_chunks(self, wire: Wire) -> None:
        """A stream that is closed without a chunk ends well."""
        answers = [one async for one in wire.queries.StreamCheckConsents(iter([]))]

        assert answers == []

    @pytest.mark.parametrize(
        ("spoilt", "code", "reason"),
        [
            ({"batch__subject_ids": []}, "INVALID_ARGUMENT", "INVALID_FIELD"),
            ({"batch__subject_ids": ["a"] * 10_001}, "RESOURCE_EXHAUSTED", "BATCH_TOO_LARGE"),
            ({"batch__purpose_ids": ["newsletter"] * 2}, "INVALID_ARGUMENT", "INVALID_FIELD"),
            (
                {"consistency__at_least_as_fresh": "garbage"},
                "INVALID_ARGUMENT",
                "INVALID_FIELD",
            ),
        ],
        ids=["empty", "too large", "lengths", "token"],
    )
    async def test_bad_chunk(
        self, wire: Wire, spoilt: dict[str, Any], code: str, reason: str
    ) -> None:
        """A chunk that is refused ends the call; those answered before stay answered."""
        fine = good("StreamCheckConsents")
        bad = good("StreamCheckConsents", **spoilt)
        answers: list[queries.StreamCheckConsentsResponse] = []
        refusal = await refused(answered_in_turn(wire, [fine, fine, bad, fine], answers))

        assert len(answers) == 2
        assert (refusal.code.name, refusal.reason) == (code, reason)

    async def test_a_pair_that_is_wrong(self, wire: Wire) -> None:
        """A pair that is wrong in itself does not end the stream."""
        odd = good("StreamCheckConsents", batch__subject_ids=["anna", "", "ben"])
        call = wire.queries.StreamCheckConsents(iter([odd, good("StreamCheckConsents")]))
        answers = [one async for one in call]

        assert [len(one.decisions.errors) for one in answers] == [1, 0]

    async def test_read_ahead(self, wire: Wire) -> None:
        """The server reads a chunk only once the one before is answered."""
        sent = 0

        async def chunks() -> AsyncIterator[queries.StreamCheckConsentsRequest]:
            nonlocal sent
            big = good(
                "StreamCheckConsents",
                batch__subject_ids=["x" * 250] * 10_000,
                batch__purpose_ids=["newsletter"],
            )
            for _ in range(50):
                sent += 1
                yield big

        call = wire.queries.StreamCheckConsents(chunks())
        first = await call.read()
        reads = sent
        call.cancel()

        assert isinstance(first, queries.StreamCheckConsentsResponse)
        assert reads < 10  # what fits into the network's own buffers
        assert (await send(wire, good("CheckConsent"))).decision
