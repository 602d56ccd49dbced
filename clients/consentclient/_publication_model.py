"""What is asked about publication, and what is answered."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from consentclient._decisions import NoticeRef
from consentclient._enums import ContactField, ContactRole


class ContactKind(enum.Enum):
    """What a contact is before the law. One of which nobody knows is treated as a person."""

    UNKNOWN = "unknown"
    NATURAL = "natural"
    LEGAL = "legal"


class PostalType(enum.Enum):
    """A form of postal information in EPP: internationalised, or in local script."""

    INT = "int"
    LOC = "loc"


class Publisher(enum.Enum):
    """Who shows the data: the registrar in its own RDAP, or the registry."""

    REGISTRAR = "registrar"
    REGISTRY = "registry"


class Operation(enum.Enum):
    """What a registry is about to be told: of an object that it lacks, or of one that it has."""

    CREATE = "create"
    UPDATE = "update"


class FieldOutcome(enum.Enum):
    """What the public sees of a field. Nothing but `PUBLISH` shows the value."""

    PUBLISH = "publish"
    REDACT = "redact"
    REPLACE = "replace"
    PROXY = "proxy"
    ABSENT = "absent"
    NOT_OUTPUT = "not_output"
    OTHER = "other"


class PublicationReason(enum.Enum):
    """Why the public sees it."""

    CONSENT = "consent"
    MANDATORY = "mandatory"
    NO_CONSENT = "no_consent"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    REVOKED = "revoked"
    EXPIRED = "expired"
    PENDING = "pending"
    NOTICE_SUPERSEDED = "notice_superseded"
    DECEASED = "deceased"
    RESTRICTED = "restricted"
    OBJECTED = "objected"
    DATA_CHANGE_PENDING = "data_change_pending"
    COARSE_CAPABILITY = "coarse_capability"
    SHARED_HANDLE = "shared_handle"
    NEVER = "never"
    NOT_SPONSORED = "not_sponsored"
    UNKNOWN_PROFILE = "unknown_profile"
    PROXY_ACTIVE = "proxy_active"
    NO_DATA = "no_data"
    ROLE_NOT_OUTPUT = "role_not_output"
    OTHER = "other"


class PublicationControl(enum.Enum):
    """Who decides what the public sees."""

    OURS = "ours"
    REGISTRY_KNOB = "registry_knob"
    REGISTRY_FIXED = "registry_fixed"
    OTHER = "other"


class FieldRule(enum.Enum):
    """What a registry's profile says of a field before anybody is asked."""

    ALWAYS = "always"
    OPT_IN = "opt_in"
    OPT_OUT = "opt_out"
    NEVER = "never"
    OTHER = "other"


class RedactionMethod(enum.Enum):
    """What became of a value in RDAP (RFC 9537)."""

    REMOVAL = "removal"
    EMPTY_VALUE = "emptyValue"
    REPLACEMENT_VALUE = "replacementValue"


@dataclass(frozen=True, slots=True)
class Profile:
    """The rules of one registry, in one version, as far as a caller needs them.

    `per_contact`: its switch belongs to the contact object, otherwise to the domain. `per_suffix`:
    each suffix is a registry of its own. `has_commands`: there is ever anything to send.
    """

    id: str
    version: str
    registry: str
    suffixes: frozenset[str]
    publisher: Publisher
    per_contact: bool
    per_suffix: bool
    has_commands: bool
    offered_roles: frozenset[ContactRole]
    unverified: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ContactFacts:
    """A contact, told without its values, and the account whose it is."""

    contact_id: str
    subject_id: str
    kind: ContactKind = ContactKind.UNKNOWN
    filled_fields: frozenset[ContactField] = frozenset()
    pending_fields: frozenset[ContactField] = frozenset()
    postal_types: frozenset[PostalType] = frozenset()
    has_personal_data: bool = True
    verified: bool = False
    in_trade: bool = False


@dataclass(frozen=True, slots=True)
class DomainFacts:
    """A domain, and which contact it has in which role. Nothing is published unless `sponsored`."""

    name: str
    registered: datetime
    bindings: Mapping[ContactRole, str]
    sponsored: bool
    transferred: datetime | None = None
    proxy: bool = False


@dataclass(frozen=True, slots=True)
class DiscloseList:
    """An EPP `contact:disclose` element: the complete list of exceptions to a server's default."""

    flag: bool
    elements: frozenset[str]
    types: frozenset[PostalType] = frozenset()


@dataclass(frozen=True, slots=True)
class DiscloseCommand:
    """A contact command, with a disclose element or without one."""

    listed: DiscloseList | None


@dataclass(frozen=True, slots=True)
class ExtensionValues:
    """A registry's own extension: its values by their paths."""

    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DataCommand:
    """A contact command that brings new values of these fields."""

    fields: frozenset[ContactField]


RegistryCommand: TypeAlias = DiscloseCommand | ExtensionValues | DataCommand
RegistryState: TypeAlias = DiscloseList | ExtensionValues | None
"""What was last told to a registry and accepted; None for nothing."""


@dataclass(frozen=True, slots=True)
class PublicationQuestion:
    """What may the public see of a contact in a role of a domain?

    `contacts` holds every contact that a binding names. With an operation the answer says what is
    to be sent, given what was last sent and accepted, and the data that goes with it.
    """

    purpose_id: str
    domain: DomainFacts
    role: ContactRole
    contacts: tuple[ContactFacts, ...]
    other_domains: tuple[DomainFacts, ...] = ()
    publisher: Publisher | None = None
    operation: Operation | None = None
    previous: RegistryState = None
    changed_fields: frozenset[ContactField] = frozenset()


@dataclass(frozen=True, slots=True)
class FieldPublication:
    """What the public sees of one field, why, and who decides.

    Fields of one `group` share a switch at the registry, and are published together or not at all.
    """

    outcome: FieldOutcome
    reason: PublicationReason
    control: PublicationControl | None = None
    position: int | None = None
    notice: NoticeRef | None = None
    rule: FieldRule | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Redaction:
    """One member of RDAP's `redacted`; a path is None where the method has none of its kind."""

    name: str
    method: RedactionMethod
    pre_path: str | None = None
    post_path: str | None = None
    replacement_path: str | None = None


@dataclass(frozen=True, slots=True)
class Publication:
    """The answer to one question, read at `read_position`.

    `per_contact`: commands are for the contact object, and so for every use of it; otherwise they
    are for the domain. `state` is for `previous` the next time, once the commands were accepted.
    """

    domain: str
    role: ContactRole
    contact_id: str
    fields: Mapping[ContactField, FieldPublication]
    profile_id: str | None
    profile_version: str | None
    registry: str | None
    per_contact: bool
    position: int | None
    valid_until: datetime | None
    redactions: tuple[Redaction, ...]
    commands: tuple[RegistryCommand, ...]
    state: RegistryState
    read_at: str
    read_position: int
    published_fields: frozenset[ContactField] = field(init=False)

    def __post_init__(self) -> None:
        published = (
            name for name, one in self.fields.items() if one.outcome is FieldOutcome.PUBLISH
        )
        object.__setattr__(self, "published_fields", frozenset(published))


@dataclass(frozen=True, slots=True)
class Reported:
    """Where a report is in the log."""

    position: int
    written_at: str
