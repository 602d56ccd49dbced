"""Identifiers, parsed or refused: two of them can neither be swapped nor run into each other.

All are compared byte for byte. Subject, actor and request ids take printable ASCII without
spaces, so that no two spellings of one id exist (case folding and Unicode normalisation have
merged two people into one elsewhere) and so that an id can stand in a CSV file or a header.
"""

import re
from typing import NewType

from consentsvc.domain.errors import InvalidRequest
from consentsvc.domain.scope import ContactId, DomainName

SubjectId = NewType("SubjectId", str)
ActorId = NewType("ActorId", str)
PurposeId = NewType("PurposeId", str)
RequestId = NewType("RequestId", str)
CallerId = NewType("CallerId", str)
Position = NewType("Position", int)
"""An event's place in the log: 1, 2, 3 and so on, without gaps; 0 stands before the first."""
Pseudonym = NewType("Pseudonym", bytes)
"""16 random bytes that stand for a subject wherever personal data may not."""

START = Position(0)

_PRINTABLE = re.compile(r"[\x21-\x7e]{1,256}")
_PURPOSE = re.compile(r"(?:[a-z][a-z0-9_]{0,62}\.)?[a-z][a-z0-9_]{0,62}")
_LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+(?!\d+$){_LABEL}")  # an address of numbers is no name
_LONGEST_NAME = 253
_SOURCE = re.compile(r"[a-z0-9_.:/-]{1,64}")
_REQUEST = re.compile(r"[\x21-\x7e]{1,128}")


def subject_id(value: str, field: str = "subject_id") -> SubjectId:
    """Accepts 1 to 256 characters of printable ASCII without spaces."""
    return SubjectId(_match(_PRINTABLE, value, field, "1 to 256"))


def actor_id(value: str, field: str = "actor.id") -> ActorId:
    """Accepts 1 to 256 characters of printable ASCII without spaces."""
    return ActorId(_match(_PRINTABLE, value, field, "1 to 256"))


def request_id(value: str, field: str = "request_id") -> RequestId:
    """Accepts 1 to 128 characters of printable ASCII without spaces."""
    return RequestId(_match(_REQUEST, value, field, "1 to 128"))


def import_id(value: str, field: str = "import_id") -> str:
    """Accepts 1 to 128 characters of printable ASCII without spaces."""
    return _match(_REQUEST, value, field, "1 to 128")


def source(value: str, field: str = "source") -> str:
    """Accepts 1 to 64 characters of a-z, 0-9, _, ., :, / and -."""
    if not _SOURCE.fullmatch(value):
        raise InvalidRequest.field(
            field, "must be 1 to 64 characters of a-z, 0-9, _, ., :, / and -"
        )
    return value


def contact_id(value: str, field: str = "contact_id") -> ContactId:
    """Accepts 1 to 256 characters of printable ASCII without spaces."""
    return ContactId(_match(_PRINTABLE, value, field, "1 to 256"))


def domain_name(value: str, field: str = "domain") -> DomainName:
    """Accepts a domain name of two labels or more, as A-labels (RFC 5890) in any case.

    A name in letters of other scripts is turned into A-labels before it comes here.
    """
    name = value.lower()
    if len(name) > _LONGEST_NAME or not _DOMAIN.fullmatch(name):
        raise InvalidRequest.field(field, "must be a domain name")
    return DomainName(name)


def purpose_id(value: str, field: str = "purpose_id") -> PurposeId:
    """Accepts `name` or `controller.name`, each of a-z, 0-9 and _, starting with a letter."""
    if not _PURPOSE.fullmatch(value):
        raise InvalidRequest.field(
            field, "must be a name of a-z, 0-9 and _, with at most one prefix and a dot before it"
        )
    return PurposeId(value)


def _match(pattern: re.Pattern[str], value: str, field: str, length: str) -> str:
    if not pattern.fullmatch(value):
        raise InvalidRequest.field(
            field, f"must be {length} characters of printable ASCII without spaces"
        )
    return value
