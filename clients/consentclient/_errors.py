"""The one tree of errors that a caller can meet.

Two branches matter most. `ConsentUnavailable` means "could not find out": it is never a no, and
the question may be asked again later. Everything else is the service's answer to a request that
will not succeed as it stands.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """One field that is wrong: its path in the request, and what is asked of it."""

    field: str
    description: str


class ConsentError(Exception):
    """What a call can end with.

    `reason` and `metadata` are the contract's words, for programs; the message is for people.
    """

    def __init__(
        self,
        message: str,
        reason: str | None = None,
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[Violation] = (),
    ) -> None:
        self.message = message
        self.reason = reason
        self.metadata = dict(metadata or {})
        self.violations = tuple(violations)
        super().__init__(message, reason, self.metadata, self.violations)

    def __str__(self) -> str:
        return self.message


class ConsentUnavailable(ConsentError):
    """The answer could not be found out. It is unknown, not "no"."""


class DeadlineExceeded(ConsentUnavailable):
    """No answer came in time. A change may have been recorded all the same."""


class AnswerNotUnderstood(ConsentUnavailable):
    """Something came back that is no answer to what was asked."""


class InvalidRequest(ConsentError):
    """The request cannot be understood as it stands; `violations` says which fields are wrong."""


class MalformedMessage(InvalidRequest):
    """The bytes that arrived were not a message of the expected type."""


class UnknownPurpose(InvalidRequest):
    """The catalogue has no such purpose."""


class UnknownNotice(InvalidRequest):
    """The purpose has no notice of that version and locale, or its text has another hash."""


class ScopeNotTaken(InvalidRequest):
    """The purpose does not take the scope that was sent."""


class ScopeNeeded(InvalidRequest):
    """The purpose is decided for each contact, domain, role and field, and none was named."""


class InvalidScope(InvalidRequest):
    """The scope is none of account, contact, domain and role, each inside the one before."""


class RoleNotOffered(InvalidRequest):
    """Nobody who publishes the domain offers a consent to contacts in that role."""


class EventUnknown(ConsentError):
    """The subject has no event at that position."""


class SubjectDeceased(ConsentError):
    """The subject's death has been reported: they cannot have asked for this since."""


class PastNotKept(ConsentError):
    """What was said by that moment is not kept any more. It is no answer, and never a no."""


class NoticeNotPublished(ConsentError):
    """The purpose has had no notice of that version in that locale."""


class LinkUnknown(ConsentError):
    """A link or confirmation token that the service did not make."""


class ConfirmationExpired(ConsentError):
    """The request behind the token is too old to be confirmed: ask anew."""


class ConfirmationVoid(ConsentError):
    """A later refusal, withdrawal, revocation or objection took the request back.

    Or a later consent stands, and confirming would take it away: the request's notice was replaced.
    """


class ConfirmationUsed(ConsentError):
    """The token has confirmed its request before. The consent stands as it was."""


class RequestIdReused(ConsentError):
    """The request id stands for a request with other content."""


class PositionConflict(ConsentError):
    """The consent has moved on since `expected_position`: read again, decide again."""


class PositionUnknown(ConsentError):
    """A token or cursor of another log, or past the head of this one."""


class BatchTooLarge(ConsentError):
    """More items than one message may hold."""


class RateExceeded(ConsentError):
    """This caller sends faster than its share."""

    @property
    def retry_after(self) -> float | None:
        """How many seconds to wait; None if the service did not say."""
        try:
            return int(self.metadata["retry_after_ms"]) / 1000
        except (KeyError, ValueError):
            return None


class AccessDenied(ConsentError):
    """No credentials, or none that open this."""
