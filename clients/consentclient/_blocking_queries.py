"""ConsentQueryService, for programs that wait."""

from collections import deque
from collections.abc import Generator, Iterable
from concurrent import futures
from contextlib import closing
from datetime import datetime
from itertools import islice

from consentclient import _bulk as bulk
from consentclient._background import Background, result
from consentclient._blocking import BlockingCalls
from consentclient._bulk import Checked
from consentclient._decisions import CheckFailed, Decision
from consentclient._stream import Conversation, Questions, chunks


class BlockingQueryCalls(BlockingCalls):
    """What mailers, jobs and widgets ask."""

    def check(
        self,
        subject_id: str,
        purpose_id: str,
        *,
        at_least_as_fresh: str | None = None,
        as_of: datetime | None = None,
        with_withdrawal_token: bool = False,
        timeout: float | None = None,
    ) -> Decision:
        """See `AsyncConsentClient.check`."""
        return self._background.run(
            self._client.check(
                subject_id,
                purpose_id,
                at_least_as_fresh=at_least_as_fresh,
                as_of=as_of,
                with_withdrawal_token=with_withdrawal_token,
                timeout=timeout,
            )
        )

    def check_many(
        self,
        pairs: Iterable[tuple[str, str]],
        *,
        at_least_as_fresh: str | None = None,
        as_of: datetime | None = None,
        with_withdrawal_tokens: bool = False,
        timeout: float | None = None,
    ) -> list[Decision | CheckFailed]:
        """See `AsyncConsentClient.check_many`."""
        return self._background.run(
            self._client.check_many(
                list(islice(pairs, bulk.MAX_PAIRS + 1)),  # read on the caller's own thread
                at_least_as_fresh=at_least_as_fresh,
                as_of=as_of,
                with_withdrawal_tokens=with_withdrawal_tokens,
                timeout=timeout,
            )
        )

    def check_stream(
        self,
        subject_ids: Iterable[str],
        purpose_id: str,
        *,
        chunk: int = 2_000,
        in_flight: int = 4,
        with_withdrawal_tokens: bool = False,
        at_least_as_fresh: str | None = None,
        timeout: float | None = None,
    ) -> Generator[tuple[str, Decision | CheckFailed], None, None]:
        """See `AsyncConsentClient.check_stream`. The list is read on the caller's thread."""
        return _one_by_one(
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
        subject_ids: Iterable[str],
        purpose_id: str,
        *,
        chunk: int = 2_000,
        in_flight: int = 4,
        with_withdrawal_tokens: bool = False,
        at_least_as_fresh: str | None = None,
        timeout: float | None = None,
    ) -> Generator[list[tuple[str, Decision | CheckFailed]], None, None]:
        """See `AsyncConsentClient.check_chunks`. The list is read on the caller's thread."""
        questions = Questions(
            purpose_id=purpose_id,
            chunk=chunk,
            in_flight=in_flight,
            with_withdrawal_tokens=with_withdrawal_tokens,
            at_least_as_fresh=at_least_as_fresh,
            timeout=self._connection.timeout if timeout is None else timeout,
        )
        conversation = Conversation(self._connection, questions)
        return _in_step(self._background, conversation, questions, subject_ids)


def _in_step(
    background: Background,
    conversation: Conversation,
    questions: Questions,
    subjects: Iterable[str],
) -> Generator[list[tuple[str, Checked]], None, None]:
    """Asks ahead while answers are awaited; yields an answer rather than reading further."""
    asked: deque[futures.Future[list[tuple[str, Checked]]]] = deque()
    to_ask = chunks(subjects, questions.chunk)
    failure: Exception | None = None
    try:
        while True:
            try:
                chunk = next(to_ask, None)
            except Exception as error:  # noqa: BLE001 - raised below, after what was answered
                failure = error
                break
            if chunk is None:
                break
            asked.append(background.submit(conversation.ask(chunk)))
            while asked and (len(asked) >= questions.in_flight or asked[0].done()):
                yield result(asked.popleft())
        while asked:
            yield result(asked.popleft())
        if failure is not None:
            raise failure
        background.run(conversation.finish())
    finally:
        for future in asked:
            future.cancel()
        background.soon(conversation.hang_up)


def _one_by_one(
    answered: Generator[list[tuple[str, Checked]], None, None],
) -> Generator[tuple[str, Checked], None, None]:
    with closing(answered):
        for chunk in answered:
            yield from chunk
