"""Writes that can be repeated: a request id stands for one request, and for its first answer."""

import enum
import json
from collections.abc import Callable, Sequence
from typing import NamedTuple

from consentsvc.domain.errors import RequestIdReused
from consentsvc.domain.identifiers import Position, PurposeId, SubjectId
from consentsvc.domain.instants import Instant
from consentsvc.service.ports import Request, Transaction


class Effect(enum.Enum):
    """What a change led to."""

    RECORDED = "recorded"
    UNCHANGED = "unchanged"
    AWAITING_CONFIRMATION = "awaiting_confirmation"


class Outcome(NamedTuple):
    """What became of one change; `position` is None if nothing was recorded."""

    effect: Effect
    purpose: PurposeId | None = None
    position: Position | None = None
    confirm_before: Instant | None = None


UNCHANGED = Outcome(Effect.UNCHANGED)


class Written(NamedTuple):
    """What became of a request, and the position at which it stands."""

    outcomes: Sequence[Outcome]
    written_at: Position


def once(
    transaction: Transaction,
    request: Request,
    subject: SubjectId,
    work: Callable[[], Sequence[Outcome]],
) -> Written:
    """Does the work unless the request was answered before; a repeat gets the first answer.

    Raises `RequestIdReused` if the id was used for other content.
    """
    before = transaction.recall(request)
    if before is not None:
        if not before.same_content:
            raise RequestIdReused("the request id stands for a request with other content")
        return _decoded(before.answer)
    outcomes = work()
    written = Written(outcomes, transaction.head)
    transaction.remember(request, subject, _encoded(written))
    return written


def _encoded(written: Written) -> bytes:
    outcomes = [[one.effect.value, *one[1:]] for one in written.outcomes]
    return json.dumps([outcomes, written.written_at]).encode()


def _decoded(answer: bytes) -> Written:
    outcomes, written_at = json.loads(answer)
    return Written([Outcome(Effect(effect), *rest) for effect, *rest in outcomes], written_at)
