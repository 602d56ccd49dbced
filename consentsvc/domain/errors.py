"""The one tree of errors that a caller can meet.

Every class names its `reason`, the stable word that travels in `google.rpc.ErrorInfo` and from
which the client rebuilds the class. The facts are strings without personal data: they reach
callers and logs. Status codes are not known here; `rpc/errors.py` alone assigns them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


class Error(Exception):
    """Something a caller can meet and act upon."""

    reason: ClassVar[str]

    def __init__(self, message: str, **facts: str) -> None:
        super().__init__(message)
        self.message = message
        self.facts = facts


@dataclass(frozen=True, slots=True)
class Violation:
    """One field that is wrong: its path in the request, and what is asked of it.

    An empty path is the message as a whole.
    """

    field: str
    description: str


class InvalidRequest(Error):
    """The request cannot be understood as it stands; sending it again will not help."""

    reason = "INVALID_FIELD"

    def __init__(self, violations: Sequence[Violation], **facts: str) -> None:
        self.violations = tuple(violations)
        super().__init__(
            "; ".join(
                f"{one.field}: {one.description}" if one.field else one.description
                for one in self.violations
            ),
            **facts,
        )

    @classmethod
    def field(cls, field: str, description: str, **facts: str) -> "InvalidRequest":
        """Refuses one field."""
        return cls([Violation(field, description)], **facts)

    def within(self, prefix: str) -> "InvalidRequest":
        """The same refusal, seen from the message that holds the field."""
        return type(self)(
            [Violation(f"{prefix}.{one.field}", one.description) for one in self.violations],
            **self.facts,
        )


class MalformedMessage(InvalidRequest):
    """The bytes are not a message of the expected type."""

    reason = "MALFORMED_MESSAGE"


class UnknownPurpose(InvalidRequest):
    """The catalogue has no such purpose. Never answered with a default."""

    reason = "UNKNOWN_PURPOSE"


class UnknownNotice(InvalidRequest):
    """The purpose has no notice of that version and locale."""

    reason = "UNKNOWN_NOTICE"


class ScopeNotTaken(InvalidRequest):
    """The purpose does not take the scope that was sent."""

    reason = "SCOPE_NOT_TAKEN"


class ScopeNeeded(InvalidRequest):
    """The purpose is decided for each contact, domain, role and field, and none was named."""

    reason = "SCOPE_NEEDED"


class InvalidScope(InvalidRequest):
    """The scope is none of account, contact, domain and role, each inside the one before."""

    reason = "INVALID_SCOPE"


class RoleNotOffered(InvalidRequest):
    """Nobody who publishes the domain offers a consent to contacts in that role."""

    reason = "ROLE_NOT_OFFERED"


class NoticeNotPublished(Error):
    """No such text was ever published."""

    reason = "NOTICE_NOT_PUBLISHED"


class EventUnknown(Error):
    """The subject has no event at that position: it is somebody else's, or nobody's."""

    reason = "EVENT_UNKNOWN"


class SubjectUnknown(Exception):
    """Nothing is held about the subject any more. Never leaves the use cases."""


class SubjectDeceased(Error):
    """The subject's death has been reported: they cannot have asked for this since."""

    reason = "SUBJECT_DECEASED"


class PastNotKept(Error):
    """What was said by then is not kept any more, so that nobody can tell the answer."""

    reason = "PAST_NOT_KEPT"


class LinkUnknown(Error):
    """A link or confirmation token that this service did not make."""

    reason = "LINK_UNKNOWN"


class ConfirmationExpired(Error):
    """The request behind the token has been open for 30 days or more."""

    reason = "CONFIRMATION_EXPIRED"


class ConfirmationVoid(Error):
    """A later refusal, withdrawal, revocation or objection took the request back.

    Or a later consent stands that would give way to one on a notice that has been replaced.
    """

    reason = "CONFIRMATION_VOID"


class ConfirmationUsed(Error):
    """The token has confirmed its request before."""

    reason = "CONFIRMATION_USED"


class RequestIdReused(Error):
    """The request id already stands for a request with other content."""

    reason = "REQUEST_ID_REUSED"


class PositionConflict(Error):
    """The consent has moved on since `expected_position`: read again, then decide again."""

    reason = "POSITION_CONFLICT"


class PositionUnknown(Error):
    """A token or cursor of another store, or past the head of this one."""

    reason = "POSITION_UNKNOWN"


class BatchTooLarge(Error):
    """More items than one message may hold."""

    reason = "BATCH_TOO_LARGE"


class RateExceeded(Error):
    """The caller sends faster than its share; `retry_after_ms` tells when to go on."""

    reason = "RATE_EXCEEDED"


class StoreUnavailable(Error):
    """The log cannot be read or written now. The answer is unknown, not "no"; safe to retry."""

    reason = "STORE_UNAVAILABLE"


class ShuttingDown(Error):
    """This server is stopping; another attempt will reach its successor."""

    reason = "SHUTTING_DOWN"
