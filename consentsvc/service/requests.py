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
    before = recall(transaction, request)
    if before is not None:
        return before
    outcomes = work()
    written = Written(outcomes, transaction.head)
    transaction.remember(request, subject, _encoded(written))
    return written


def repeatable(
    transaction: Transaction,
    request: Request,
    subject: SubjectId,
    work: Callable[[], Sequence[Outcome]],
) -> Written:
    """Does the work each time, whatever the id was used for: a repeat can only leave it done."""
    outcomes = work()
    written = Written(outcomes, transaction.head)
    if transaction.recall(request) is None:
        transaction.remember(request, subject, _encoded(written))
    return written


def recall(transaction: Transaction, request: Request) -> Written | None:
    """Tells the first answer of a request that was answered before.

    Raises `RequestIdReused` if the id was used for other content.
    """
    before = transaction.recall(request)
    if before is None:
        return None
    if not before.same_content:
        raise RequestIdReused("the request id stands for a request with other content")
    return _decoded(before.answer)


# Answers are kept for as long as the log: their form has names, so that it can grow.
def _encoded(written: Written) -> bytes:
    outcomes = [one._asdict() | {"effect": one.effect.value} for one in written.outcomes]
    return json.dumps({"outcomes": outcomes, "written_at": written.written_at}).encode()


def _decoded(answer: bytes) -> Written:
    kept = json.loads(answer)
    outcomes = [Outcome(**one | {"effect": Effect(one["effect"])}) for one in kept["outcomes"]]
    return Written(outcomes, Position(kept["written_at"]))
