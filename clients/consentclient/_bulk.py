"""Batches of checks: pairs out as two lists, answers back as parallel lists.

What stands here runs once for each of millions of recipients: a batch is read column by column,
and pairs share what they have in common.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from consentclient import _incoming as incoming
from consentclient import _statuses as statuses
from consentclient._decisions import CheckFailed, Decision
from consentclient._enums import Reason
from consentclient._errors import AnswerNotUnderstood
from consentclient._words import PERMITTED, REASONS
from consentsvc.v1 import consent_query_service_pb2 as query_messages

MAX_PAIRS = 10_000

Checked: TypeAlias = Decision | CheckFailed

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def batch(subjects: Sequence[str], purposes: Sequence[str]) -> query_messages.CheckBatch:
    """Pairs as two lists; a purpose that all share is sent once."""
    alike = len(set(purposes)) == 1
    return query_messages.CheckBatch(
        subject_ids=subjects, purpose_ids=purposes[:1] if alike else purposes
    )


def checked(
    subjects: Sequence[str],
    purposes: Sequence[str],
    message: query_messages.DecisionBatch,
    read_at: str,
    *,
    with_tokens: bool,
) -> list[Checked]:
    """One answer for each pair, in order. A single purpose stands for that of every pair.

    Raises an error if the lists do not fit the pairs: whose answer is whose cannot be known then.
    """
    size = len(subjects)
    columns = (
        subjects,
        purposes if len(purposes) == size else [purposes[0]] * size,
        message.answers,
        message.reasons,
        message.positions,
        message.notice_indexes,
        message.valid_until_times_us,
        message.withdrawal_tokens if with_tokens else [""] * size,
    )
    failures = {error.index: statuses.from_item(error) for error in message.errors}
    if any(len(column) != size for column in columns) or any(one >= size for one in failures):
        raise AnswerNotUnderstood("there are not as many answers as questions")
    notices = [None, *map(incoming.notice_ref, message.notices)]
    return [
        CheckFailed(
            subject, purpose, failures.get(index) or AnswerNotUnderstood("neither yes nor no")
        )
        if index in failures or (permitted := PERMITTED.get(answer)) is None
        else Decision(
            permitted,
            REASONS.get(reason, Reason.OTHER),
            position or None,
            notices[notice],
            _EPOCH + timedelta(0, 0, until) if until else None,
            read_at,
            token or None,
        )
        for index, (subject, purpose, answer, reason, position, notice, until, token) in enumerate(
            zip(*columns, strict=True)
        )
    ]
