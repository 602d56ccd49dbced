"""The same question, asked in every way that there is."""

import hashlib
from collections.abc import Iterable
from typing import Any

import grpc

from consentsvc.v1 import consent_pb2 as shared
from consentsvc.v1 import consent_query_service_pb2 as queries
from consentsvc.v1 import consent_service_pb2 as consents
from tests.support.acts import stamp
from tests.support.wire import Wire


def ref(purpose: str, version: str = "1", locale: str = "en", text: str = "Text.") -> Any:
    """A notice of the small catalogue, hashed anew from what is shown."""
    shown = f"{purpose} {version} {locale}\n\n{text}"
    digest = hashlib.sha256(shown.encode()).digest()
    return shared.NoticeRef(version=version, locale=locale, sha256=digest)


def unpacked(batch: queries.DecisionBatch) -> list[shared.Decision]:
    """Parallel lists as single decisions, after a look at their lengths."""
    size = len(batch.answers)
    lists = batch.reasons, batch.positions, batch.notice_indexes, batch.valid_until_times_us
    assert {len(one) for one in lists} == {size}
    assert len(batch.withdrawal_tokens) in {0, size}
    decisions = []
    for index in range(size):
        notice = batch.notice_indexes[index]
        until = batch.valid_until_times_us[index]
        decisions.append(
            shared.Decision(
                answer=batch.answers[index],
                reason=batch.reasons[index],
                position=batch.positions[index] or None,
                notice=batch.notices[notice - 1] if notice else None,
                valid_until=stamp(until) if until else None,
                withdrawal_token=batch.withdrawal_tokens[index] if batch.withdrawal_tokens else "",
            )
        )
    return decisions


async def batched(wire: Wire, subject: str, purpose: str, **options: Any) -> shared.Decision:
    """Asks in a batch, among others."""
    answer = await wire.queries.BatchCheckConsents(
        queries.BatchCheckConsentsRequest(
            batch=queries.CheckBatch(
                subject_ids=["nobody", subject, "nobody"],
                purpose_ids=["newsletter", purpose, "statistics"],
            ),
            **options,
        )
    )
    return unpacked(answer.decisions)[1]


async def streamed(wire: Wire, subject: str, purpose: str, **options: Any) -> shared.Decision:
    """Asks in the second chunk of a stream, in one list for one purpose."""
    chunk = queries.StreamCheckConsentsRequest(
        batch=queries.CheckBatch(subject_ids=["nobody", subject], purpose_ids=[purpose]), **options
    )
    answers = [one async for one in wire.queries.StreamCheckConsents(iter([chunk, chunk]))]
    return unpacked(answers[1].decisions)[1]


async def listed(wire: Wire, subject: str, purpose: str) -> shared.Decision:
    """Looks at what the panel shows."""
    answer = await wire.consents.ListConsents(consents.ListConsentsRequest(subject_id=subject))
    entries = {one.consent.purpose_id: one.decision for one in answer.consents}
    return entries[purpose]


async def checked(wire: Wire, subject: str, purpose: str, **options: Any) -> shared.Decision:
    """Asks for this pair alone."""
    return (await wire.check(subject, purpose, **options)).decision


async def answers(wire: Wire, subject: str, purpose: str) -> dict[str, shared.Decision]:
    """Asks in all four ways."""
    return {
        "CheckConsent": await checked(wire, subject, purpose),
        "BatchCheckConsents": await batched(wire, subject, purpose),
        "StreamCheckConsents": await streamed(wire, subject, purpose),
        "ListConsents": await listed(wire, subject, purpose),
    }


async def answers_as_of(
    wire: Wire, subject: str, purpose: str, moment: int
) -> dict[str, shared.Decision]:
    """Asks for the past, in all three ways that can."""
    past = shared.Consistency(as_of_time=stamp(moment))
    return {
        "CheckConsent": await checked(wire, subject, purpose, consistency=past),
        "BatchCheckConsents": await batched(wire, subject, purpose, consistency=past),
        "StreamCheckConsents": await streamed(wire, subject, purpose, consistency=past),
    }


async def answered_in_turn(
    wire: Wire,
    chunks: Iterable[queries.StreamCheckConsentsRequest],
    answers: list[queries.StreamCheckConsentsResponse],
) -> None:
    """Streams chunks, each sent once the one before is answered; adds the answers to a list.

    A caller that is still sending when the call ends may be told INTERNAL by its own library, in
    the place of the server's error.
    """
    call = wire.queries.StreamCheckConsents()
    for chunk in chunks:
        await call.write(chunk)
        answer = await call.read()
        assert isinstance(answer, queries.StreamCheckConsentsResponse)
        answers.append(answer)
    await call.done_writing()
    assert await call.code() is grpc.StatusCode.OK
