"""ConsentQueryService: may we?"""

from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from datetime import datetime
from itertools import islice

from consentclient import _bulk as bulk
from consentclient import _incoming as incoming
from consentclient import _outgoing as outgoing
from consentclient._channel import Calls
from consentclient._decisions import CheckFailed, Decision
from consentclient._stream import Conversation, Questions, in_step, one_by_one
from consentsvc.v1 import consent_query_service_pb2 as messages


class QueryCalls(Calls):
    """What mailers, jobs and widgets ask."""

    async def check(
        self,
        subject_id: str,
        purpose_id: str,
        *,
        at_least_as_fresh: str | None = None,
        as_of: datetime | None = None,
        with_withdrawal_token: bool = False,
        timeout: float | None = None,  # noqa: ASYNC109 - it goes over the wire as the deadline
    ) -> Decision:
        """Asks about one subject and one purpose; an error is never a no."""
        return await self._connection.call(
            self._connection.stubs.queries.CheckConsent,
            messages.CheckConsentRequest(
                subject_id=subject_id,
                purpose_id=purpose_id,
                consistency=outgoing.consistency(at_least_as_fresh, as_of),
                with_withdrawal_token=with_withdrawal_token,
            ),
            lambda answer: incoming.decision(answer.decision, answer.read_at),
            timeout,
        )

    async def check_many(
        self,
        pairs: Iterable[tuple[str, str]],
        *,
        at_least_as_fresh: str | None = None,
        as_of: datetime | None = None,
        with_withdrawal_tokens: bool = False,
        timeout: float | None = None,  # noqa: ASYNC109 - it goes over the wire as the deadline
    ) -> list[Decision | CheckFailed]:
        """Asks about up to 10,000 pairs of subject and purpose, all at one position of the log.

        The answers are in the order of the pairs; one that cannot be answered spoils no other.
        """
        asked = list(islice(pairs, bulk.MAX_PAIRS + 1))
        if len(asked) > bulk.MAX_PAIRS:
            raise ValueError(f"more than {bulk.MAX_PAIRS} pairs: use check_stream")
        if not asked:
            return []
        subjects, purposes = zip(*asked, strict=True)
        return await self._connection.call(
            self._connection.stubs.queries.BatchCheckConsents,
            messages.BatchCheckConsentsRequest(
                batch=bulk.batch(subjects, purposes),
                consistency=outgoing.consistency(at_least_as_fresh, as_of),
                with_withdrawal_tokens=with_withdrawal_tokens,
            ),
            lambda answer: bulk.checked(
                subjects,
                purposes,
                answer.decisions,
                answer.read_at,
                with_tokens=with_withdrawal_tokens,
            ),
            timeout,
        )

    def check_stream(
        self,
        subject_ids: Iterable[str] | AsyncIterable[str],
        purpose_id: str,
        *,
        chunk: int = 2_000,
        in_flight: int = 4,
        with_withdrawal_tokens: bool = False,
        at_least_as_fresh: str | None = None,
        timeout: float | None = None,
    ) -> AsyncGenerator[tuple[str, Decision | CheckFailed], None]:
        """Asks about a list of any length; yields each subject with its answer, in order.

        Reads at most `chunk` × `in_flight` subjects ahead of what was yielded. `timeout` is how
        long the answer to a chunk may take. An error, also one of the list itself, is raised after
        everything answered before it was yielded.
        """
        return one_by_one(
            self.check_chunks(
                subject_ids,
                purpose_id,
                chunk=chunk,
                in_flight=in_flight,
                with_withdrawal_tokens=with_withdrawal_tokens,
                at_least_as_fresh=at_least_as_fresh,
                timeout=timeout,
            )
        )

    def check_chunks(
        self,
        subject_ids: Iterable[str] | AsyncIterable[str],
        purpose_id: str,
        *,
        chunk: int = 2_000,
        in_flight: int = 4,
        with_withdrawal_tokens: bool = False,
        at_least_as_fresh: str | None = None,
        timeout: float | None = None,
    ) -> AsyncGenerator[list[tuple[str, Decision | CheckFailed]], None]:
        """As `check_stream`, but yields whole chunks, for a caller that works by the chunk."""
        questions = Questions(
            purpose_id=purpose_id,
            chunk=chunk,
            in_flight=in_flight,
            with_withdrawal_tokens=with_withdrawal_tokens,
            at_least_as_fresh=at_least_as_fresh,
            timeout=self._connection.timeout if timeout is None else timeout,
        )
        return in_step(Conversation(self._connection, questions), questions, subject_ids)
