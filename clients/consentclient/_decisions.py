"""Answers to checks. None of them can be taken for a yes or a no by accident."""

from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

from consentclient._enums import Reason
from consentclient._errors import ConsentError


@dataclass(frozen=True, slots=True)
class NoticeRef:
    """Names one published text of a purpose. With the hash it must be that very text."""

    version: str
    locale: str
    sha256: bytes | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to a check, with what justifies it. Ask for `permitted`: it has no truth value.

    `position` and `notice` are those of the event that decided, None if none did. From
    `valid_until` on the answer is no, whatever else happens; None if time never changes it.
    `read_at` is where in the log it was decided, for `at_least_as_fresh`.
    """

    permitted: bool
    reason: Reason
    position: int | None
    notice: NoticeRef | None
    valid_until: datetime | None
    read_at: str
    withdrawal_token: str | None = None

    def __bool__(self) -> NoReturn:
        raise TypeError("a decision has no truth value: ask for decision.permitted")


@dataclass(frozen=True, slots=True)
class CheckFailed:
    """A pair that could not be answered. It is neither a yes nor a no, and has no truth value."""

    subject_id: str
    purpose_id: str
    error: ConsentError

    def __bool__(self) -> NoReturn:
        raise TypeError("a check that failed has no truth value: it is neither yes nor no")
