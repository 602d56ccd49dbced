"""Questions about one pair, and about a batch."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from consentclient import (
    AnswerNotUnderstood,
    AsyncConsentClient,
    CheckFailed,
    ConsentUnavailable,
    Decision,
    InvalidRequest,
    NoticeRef,
    Reason,
    UnknownPurpose,
)
from consentsvc.domain.catalogue import Catalogue
from consentsvc.v1 import consent_pb2 as shared
from consentsvc.v1 import consent_query_service_pb2 as messages
from consentsvc.v1.consent_query_service_pb2_grpc import ConsentQueryServiceServicer
from tests.consentclient.both import opened
from tests.consentclient.servers import answering
from tests.support.catalogues import NEWSLETTER, PROFILING, STATISTICS
from tests.support.clock import START, FakeClock


async def test_decision_tells_everything(
    client: AsyncConsentClient, notice: NoticeRef, catalogue: Catalogue
) -> None:
    """A decision carries the reason, the event, its notice, its end, and where it was read."""
    given = await client.give("ann", PROFILING, notice, channel="panel")

    decision = await client.check("ann", PROFILING)

    sha256 = catalogue.purpose(PROFILING).notice("1", "en").sha256
    assert decision == Decision(
        permitted=True,
        reason=Reason.CONSENT_GIVEN,
        position=given.outcomes[0].position,
        notice=NoticeRef("1", "en", sha256),
        valid_until=datetime(2026, 4, 1, 9, 0, tzinfo=UTC),
        read_at=given.written_at,
        withdrawal_token=None,
    )


async def test_nobody_known(client: AsyncConsentClient) -> None:
    """A subject that nobody has heard of gets the purpose's default, without an event."""
    asked, counted = await client.check("ann", NEWSLETTER), await client.check("ann", STATISTICS)

    assert (asked.permitted, asked.reason, asked.position) == (False, Reason.NEVER_ASKED, None)
    assert (counted.permitted, counted.reason) == (True, Reason.NOT_OBJECTED)
    assert (counted.notice, counted.valid_until) == (None, None)


async def test_withdrawal_token(client: AsyncConsentClient, notice: NoticeRef) -> None:
    """A yes comes with a token that takes it back, if one was asked for."""
    await client.give("ann", NEWSLETTER, notice, channel="panel")
    decision = await client.check("ann", NEWSLETTER, with_withdrawal_token=True)
    assert decision.withdrawal_token is not None

    redeemed = await client.redeem(decision.withdrawal_token)

    after = await client.check("ann", NEWSLETTER, at_least_as_fresh=redeemed.written_at)
    assert (after.permitted, after.reason) == (False, Reason.WITHDRAWN)


async def test_past(client: AsyncConsentClient, notice: NoticeRef, clock: FakeClock) -> None:
    """The answer for a moment in the past is the one that was right then."""
    clock.advance(timedelta(hours=1))
    await client.give("ann", NEWSLETTER, notice, channel="panel")

    assert not (await client.check("ann", NEWSLETTER, as_of=START)).permitted
    assert (await client.check("ann", NEWSLETTER)).permitted
    assert [one.permitted for one in await _many(client, as_of=START)] == [False]


async def test_as_of_needs_a_time_zone(client: AsyncConsentClient) -> None:
    """A moment without a time zone is refused before anything is sent."""
    with pytest.raises(ValueError, match="time zone"):
        await client.check("ann", NEWSLETTER, as_of=datetime(2026, 3, 1))  # noqa: DTZ001 - the point


async def test_freshness_and_past_exclude_each_other(client: AsyncConsentClient) -> None:
    """Nobody can ask for the past and for freshness at once."""
    with pytest.raises(ValueError, match="do not go together"):
        await client.check("ann", NEWSLETTER, at_least_as_fresh="x", as_of=START)


async def test_empty_token(client: AsyncConsentClient) -> None:
    """A token that was lost on the way is not taken for none."""
    with pytest.raises(ValueError, match="must not be empty"):
        await client.check("ann", NEWSLETTER, at_least_as_fresh="")
    with pytest.raises(ValueError, match="must not be empty"):
        await client.list_consents("ann", at_least_as_fresh="")


async def test_unknown_purpose_is_an_error(client: AsyncConsentClient) -> None:
    """An unknown purpose is an error that names the field, never a no."""
    with pytest.raises(UnknownPurpose) as caught:
        await client.check("ann", "no_such_purpose")

    assert caught.value.reason == "UNKNOWN_PURPOSE"
    assert [one.field for one in caught.value.violations] == ["purpose_id"]


async def test_batch_keeps_the_order(client: AsyncConsentClient, notice: NoticeRef) -> None:
    """Answers come in the order of the pairs; what cannot be answered spoils no other."""
    await client.give("ann", NEWSLETTER, notice, channel="panel")

    yes, failed, no, wrong, default = await client.check_many(
        [
            ("ann", NEWSLETTER),
            ("ann", "no_such_purpose"),
            ("bob", NEWSLETTER),
            ("with space", STATISTICS),
            ("bob", STATISTICS),
        ],
        with_withdrawal_tokens=True,
    )

    assert isinstance(yes, Decision)
    assert yes.permitted
    assert yes.withdrawal_token
    assert isinstance(failed, CheckFailed)
    assert (failed.subject_id, failed.purpose_id) == ("ann", "no_such_purpose")
    assert type(failed.error) is UnknownPurpose
    assert failed.error.violations[0].field == "batch.purpose_ids[1]"
    assert isinstance(no, Decision)
    assert (no.permitted, no.reason, no.withdrawal_token) == (False, Reason.NEVER_ASKED, None)
    assert isinstance(wrong, CheckFailed)
    assert type(wrong.error) is InvalidRequest
    assert isinstance(default, Decision)
    assert default.reason is Reason.NOT_OBJECTED


async def test_batch_answers_as_single_checks_do(
    client: AsyncConsentClient, notice: NoticeRef
) -> None:
    """A batch and a single check give equal decisions, to the last detail."""
    await client.give("ann", PROFILING, notice, channel="panel")
    pairs = [("ann", PROFILING), ("bob", PROFILING)]

    assert await client.check_many(pairs) == [await client.check(*pair) for pair in pairs]


async def test_batch_of_none(client: AsyncConsentClient) -> None:
    """No pairs have no answers."""
    assert await client.check_many([]) == []


async def test_batch_too_large(client: AsyncConsentClient) -> None:
    """More pairs than fit are refused with the name of the method that takes them."""
    with pytest.raises(ValueError, match="check_stream"):
        await client.check_many(("ann", NEWSLETTER) for _ in range(10_001))


async def test_largest_batch(client: AsyncConsentClient) -> None:
    """10,000 pairs with ids of the longest kind fit into one call."""
    pairs = [(f"{number:0256}", NEWSLETTER) for number in range(10_000)]

    assert len(await client.check_many(pairs)) == 10_000


async def test_no_truth_value(client: AsyncConsentClient) -> None:
    """Neither a refused decision nor a failed check can be taken for a yes by accident."""
    decision, failed = await client.check_many([("ann", NEWSLETTER), ("ann", "nothing")])

    for one in (decision, failed):
        with pytest.raises(TypeError, match="has no truth value"):
            bool(one)


async def _many(client: AsyncConsentClient, **options: Any) -> list[Decision]:
    answers = await client.check_many([("ann", NEWSLETTER)], **options)
    return [one for one in answers if isinstance(one, Decision)]


class _MadeUp(ConsentQueryServiceServicer):
    """Answers with what a test has made up."""

    def __init__(self, decision: shared.Decision, batch: messages.DecisionBatch) -> None:
        self._decision, self._batch = decision, batch

    async def CheckConsent(self, request: Any, context: Any) -> Any:
        return messages.CheckConsentResponse(decision=self._decision, read_at="here")

    async def BatchCheckConsents(self, request: Any, context: Any) -> Any:
        return messages.BatchCheckConsentsResponse(decisions=self._batch, read_at="here")

    async def StreamCheckConsents(self, request_iterator: Any, context: Any) -> Any:
        async for _ in request_iterator:
            yield messages.StreamCheckConsentsResponse(decisions=self._batch, read_at="here")


def _batch(**changed: Any) -> messages.DecisionBatch:
    columns = {
        "answers": [shared.ANSWER_PERMITTED, shared.ANSWER_NOT_PERMITTED],
        "reasons": [shared.DECISION_REASON_CONSENT_GIVEN, shared.DECISION_REASON_REFUSED],
        "positions": [1, 2],
        "notice_indexes": [1, 0],
        "valid_until_times_us": [0, 0],
        "notices": [shared.NoticeRef(version="1", locale="en")],
    }
    return messages.DecisionBatch(**{**columns, **changed})


@pytest.mark.parametrize("answer", [0, 7], ids=["unspecified", "unheard of"])
async def test_unknown_answer_is_no_answer(kind: str, answer: Any) -> None:
    """An answer that is neither yes nor no is "could not find out", never a no."""
    batch = _batch(answers=[shared.ANSWER_PERMITTED, answer])
    decision = shared.Decision(answer=answer, reason=shared.DECISION_REASON_REFUSED)
    made_up = _MadeUp(decision, batch)
    async with answering(made_up) as target, opened(kind, target) as client:
        with pytest.raises(AnswerNotUnderstood):
            await client.check("ann", NEWSLETTER)
        first, second = await client.check_many([("ann", NEWSLETTER), ("bob", NEWSLETTER)])

    assert isinstance(first, Decision)
    assert isinstance(second, CheckFailed)
    assert isinstance(second.error, ConsentUnavailable)


async def test_answer_left_out_is_no_answer(kind: str) -> None:
    """A response without a decision is "could not find out", never a no."""

    class Empty(_MadeUp):
        async def CheckConsent(self, request: Any, context: Any) -> Any:
            return messages.CheckConsentResponse(read_at="here")

    async with (
        answering(Empty(shared.Decision(), _batch())) as target,
        opened(kind, target) as client,
    ):
        with pytest.raises(AnswerNotUnderstood):
            await client.check("ann", NEWSLETTER)


@pytest.mark.parametrize(
    "changed",
    [
        {"answers": [shared.ANSWER_PERMITTED]},
        {"reasons": []},
        {"positions": [1]},
        {"notice_indexes": [0, 0, 0]},
        {"valid_until_times_us": [0]},
        {"notice_indexes": [0, 2]},
        {"valid_until_times_us": [0, 2**62]},
        {"errors": [messages.CheckError(index=2)]},
    ],
    ids=str,
)
async def test_lists_that_do_not_fit(changed: dict[str, Any]) -> None:
    """Lists that do not fit the pairs are no answer to any of them, in a batch and in a stream."""
    made_up = _MadeUp(shared.Decision(), _batch(**changed))
    async with answering(made_up) as target, AsyncConsentClient(target) as client:
        with pytest.raises(AnswerNotUnderstood):
            await client.check_many([("ann", NEWSLETTER), ("bob", NEWSLETTER)])
        with pytest.raises(AnswerNotUnderstood):
            [one async for one in client.check_stream(["ann", "bob"], NEWSLETTER)]


async def test_tokens_that_do_not_fit() -> None:
    """A batch without the tokens that were asked for is no answer."""
    made_up = _MadeUp(shared.Decision(), _batch())
    async with answering(made_up) as target, AsyncConsentClient(target) as client:
        with pytest.raises(AnswerNotUnderstood):
            await client.check_many(
                [("ann", NEWSLETTER), ("bob", NEWSLETTER)], with_withdrawal_tokens=True
            )


async def test_error_outweighs_an_answer() -> None:
    """A pair that has an error was not answered, whatever its answer says."""
    made_up = _MadeUp(shared.Decision(), _batch(errors=[messages.CheckError(index=0, code=14)]))
    async with answering(made_up) as target, AsyncConsentClient(target) as client:
        first, _ = await client.check_many([("ann", NEWSLETTER), ("bob", NEWSLETTER)])

    assert isinstance(first, CheckFailed)
    assert type(first.error) is ConsentUnavailable


@pytest.mark.parametrize("permitted", [True, False])
async def test_reason_of_the_future(permitted: bool) -> None:
    """A reason newer than the client is OTHER, and the answer stays what it is."""
    answer = shared.ANSWER_PERMITTED if permitted else shared.ANSWER_NOT_PERMITTED
    reason: Any = 99
    made_up = _MadeUp(
        shared.Decision(answer=answer, reason=reason),
        _batch(answers=[answer, answer], reasons=[reason, reason]),
    )
    async with answering(made_up) as target, AsyncConsentClient(target) as client:
        single = await client.check("ann", NEWSLETTER)
        several = await client.check_many([("ann", NEWSLETTER), ("bob", NEWSLETTER)])

    for one in (single, *several):
        assert isinstance(one, Decision)
        assert (one.permitted, one.reason) == (permitted, Reason.OTHER)
