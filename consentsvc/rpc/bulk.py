"""Batches of checks: parallel lists on the wire, one status for each pair.

What stands here runs once for each of millions of recipients: lists are filled whole, and no
message is made for a pair that can be answered.
"""

from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import NamedTuple, TypeVar

from grpc import StatusCode

from consentsvc.domain import identifiers
from consentsvc.domain.catalogue import Catalogue
from consentsvc.domain.decision import Decision
from consentsvc.domain.errors import InvalidRequest
from consentsvc.domain.events import NoticeRef
from consentsvc.domain.identifiers import PurposeId, SubjectId
from consentsvc.rpc import translate
from consentsvc.rpc.limits import MAX_BATCH, refuse_large
from consentsvc.service.ports import Question
from consentsvc.service.queries import Checked
from consentsvc.v1 import consent_pb2 as messages
from consentsvc.v1 import consent_query_service_pb2 as query_messages
from consentsvc.v1 import error_reason_pb2

T = TypeVar("T")

_SUBJECTS, _PURPOSES = "batch.subject_ids", "batch.purpose_ids"
_CODE: int = StatusCode.INVALID_ARGUMENT.value[0]
_ANSWERS = (messages.ANSWER_NOT_PERMITTED, messages.ANSWER_PERMITTED)


class Batch(NamedTuple):
    """A batch, sorted by purpose. `places` tells where each question's answers belong."""

    size: int
    questions: list[Question]
    places: list[Sequence[int]]
    errors: list[query_messages.CheckError]


def parse(message: query_messages.CheckBatch, catalogue: Catalogue) -> Batch:
    """Sorts pairs into questions; a pair that is wrong in itself becomes an error of its own."""
    size = len(message.subject_ids)
    refuse_large(size, MAX_BATCH, _SUBJECTS)
    purposes: Iterable[str] = message.purpose_ids
    one_purpose = len(message.purpose_ids) == 1
    if one_purpose:
        purposes = repeat(message.purpose_ids[0], size)
    elif len(message.purpose_ids) != size:
        raise InvalidRequest.field(_PURPOSES, "must be a single one, or as many as subjects")
    subjects: dict[PurposeId, list[SubjectId]] = {}
    places: dict[PurposeId, list[int]] = {}
    errors = []
    for index, (subject, purpose) in enumerate(zip(message.subject_ids, purposes, strict=True)):
        key = PurposeId(purpose)
        try:
            subject_id = identifiers.subject_id(subject, _SUBJECTS)
            if key not in subjects:
                catalogue.undivided(purpose, _PURPOSES)
                subjects[key], places[key] = [], []
        except InvalidRequest as error:
            errors.append(_error(index, one_purpose, error))
            continue
        subjects[key].append(subject_id)
        places[key].append(index)
    questions = [Question(key, asked) for key, asked in subjects.items()]
    return Batch(size, questions, list(places.values()), errors)


def decisions(batch: Batch, checked: Checked, *, with_tokens: bool) -> query_messages.DecisionBatch:
    """Puts the answers back into the order of the request."""
    ordered: Sequence[Decision | None]
    tokens: Sequence[str | None] = []
    if len(batch.questions) == 1 and not batch.errors:
        ordered = checked.decisions[0]
        tokens = checked.tokens[0] if with_tokens else []
    else:
        ordered = _ordered(batch, checked.decisions)
        tokens = _ordered(batch, checked.tokens) if with_tokens else []
    notices = _Table()
    return query_messages.DecisionBatch(
        answers=[
            messages.ANSWER_UNSPECIFIED if one is None else _ANSWERS[one.permitted]
            for one in ordered
        ],
        reasons=[
            messages.DECISION_REASON_UNSPECIFIED if one is None else translate.REASONS[one.reason]
            for one in ordered
        ],
        positions=[0 if one is None else one.position or 0 for one in ordered],
        notice_indexes=[
            0 if one is None or one.notice is None else notices[one.notice] for one in ordered
        ],
        valid_until_times_us=[0 if one is None else one.valid_until or 0 for one in ordered],
        notices=[translate.notice_ref(notice) for notice in notices],
        withdrawal_tokens=[token or "" for token in tokens],
        errors=batch.errors,
    )


class _Table(dict[NoticeRef, int]):
    """Numbers notices from 1, in the order in which they come up."""

    def __missing__(self, notice: NoticeRef) -> int:
        self[notice] = index = len(self) + 1
        return index


def _ordered(batch: Batch, answers: Sequence[Sequence[T]]) -> list[T | None]:
    ordered: list[T | None] = [None] * batch.size
    for places, answered in zip(batch.places, answers, strict=True):
        for place, answer in zip(places, answered, strict=True):
            ordered[place] = answer
    return ordered


def _error(index: int, one_purpose: bool, error: InvalidRequest) -> query_messages.CheckError:
    violation = error.violations[0]
    place = 0 if one_purpose and violation.field == _PURPOSES else index
    return query_messages.CheckError(
        index=index,
        code=_CODE,
        reason=error_reason_pb2.ErrorReason.Value(f"ERROR_REASON_{error.reason}"),
        field=f"{violation.field}[{place}]",
        message=violation.description,
    )
