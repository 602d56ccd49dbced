"""The words of the contract. A word newer than this client is read as `OTHER`, never refused."""

import enum


class Reason(enum.Enum):
    """Why a decision is what it is. `Decision.permitted` decides; this explains."""

    DECEASED = "deceased"
    RESTRICTED = "restricted"
    OBJECTED = "objected"
    REVOKED = "revoked"
    WITHDRAWN = "withdrawn"
    REFUSED = "refused"
    EXPIRED = "expired"
    NOTICE_SUPERSEDED = "notice_superseded"
    CONSENT_GIVEN = "consent_given"
    NOT_OBJECTED = "not_objected"
    NEVER_ASKED = "never_asked"
    PENDING_CONFIRMATION = "pending_confirmation"
    OTHER = "other"


class LegalBasis(enum.Enum):
    """What holds while nobody has said anything: no under consent, yes under interest."""

    CONSENT = "consent"
    LEGITIMATE_INTEREST = "legitimate_interest"
    OTHER = "other"


class TrackerKind(enum.Enum):
    """What a tracker is made of."""

    COOKIE = "cookie"
    LOCAL_STORAGE = "local_storage"
    PIXEL = "pixel"
    OTHER = "other"


class ActorKind(enum.Enum):
    """What somebody is to the subject. Only the subject gives consent; others' is a request."""

    SUBJECT = "subject"
    OPERATOR = "operator"
    RESELLER = "reseller"
    SYSTEM = "system"
    OTHER = "other"


class EventKind(enum.Enum):
    """What happened. A follower passes over `OTHER` and keeps its cursor."""

    CONSENT_REQUESTED = "consent_requested"
    CONSENT_GIVEN = "consent_given"
    CONSENT_REFUSED = "consent_refused"
    CONSENT_WITHDRAWN = "consent_withdrawn"
    CONSENT_REVOKED = "consent_revoked"
    CONSENT_EXPIRED = "consent_expired"
    OBJECTION_RAISED = "objection_raised"
    OBJECTION_WITHDRAWN = "objection_withdrawn"
    PROCESSING_RESTRICTED = "processing_restricted"
    RESTRICTION_LIFTED = "restriction_lifted"
    DEATH_REPORTED = "death_reported"
    NOTICE_PUBLISHED = "notice_published"
    PUBLICATION_REPORTED = "publication_reported"
    RECORD_EXPORTED = "record_exported"
    SUBJECT_ERASED = "subject_erased"
    DIRECTIONS_RECORDED = "directions_recorded"
    RECORD_READ = "record_read"
    OTHER = "other"


class RevocationReason(enum.Enum):
    """Why somebody other than the subject ended a consent."""

    SUBJECT_CHANGED = "subject_changed"
    TRANSFERRED_AWAY = "transferred_away"
    LEGAL_BASIS_CHANGED = "legal_basis_changed"
    INVALID = "invalid"
    ERASURE = "erasure"
    """The subject was being forgotten. Never given by a caller."""
    OTHER = "other"


class Wish(enum.Enum):
    """What a person wants to become of their data after their death."""

    ERASE = "erase"
    KEEP = "keep"
    """And erase afterwards: it has a date."""
    NONE = "none"
    """What was wished before is taken back."""
    OTHER = "other"


class Withheld(enum.Enum):
    """Why the personal part of an event is not there."""

    ERASED = "erased"
    RETENTION = "retention"
    OTHER = "other"


class Action(enum.Enum):
    """What a change asks for. `GIVE`, `REFUSE` and `REQUEST` need the notice that was shown."""

    GIVE = "give"
    REFUSE = "refuse"
    WITHDRAW = "withdraw"
    OBJECT = "object"
    WITHDRAW_OBJECTION = "withdraw_objection"
    REQUEST = "request"
    SIGNAL = "signal"
    """A browser's Global Privacy Control: it objects unless the person has said something else."""


class Signal(enum.Enum):
    """What a program said on the subject's behalf; no choice of the subject's."""

    GLOBAL_PRIVACY_CONTROL = "global_privacy_control"
    OTHER = "other"


class LinkKind(enum.Enum):
    """What a link from a mail does when it is used."""

    WITHDRAWAL = "withdrawal"
    CONFIRMATION = "confirmation"
    OTHER = "other"


class Effect(enum.Enum):
    """What a change led to."""

    RECORDED = "recorded"
    UNCHANGED = "unchanged"
    AWAITING_CONFIRMATION = "awaiting_confirmation"
    OTHER = "other"


class ContactField(enum.Enum):
    """A registration data element of a contact. `ALL` stands for every one, alone in a scope."""

    ALL = "all"
    NAME = "name"
    ORGANIZATION = "organization"
    STREET = "street"
    CITY = "city"
    STATE_PROVINCE = "state_province"
    POSTAL_CODE = "postal_code"
    COUNTRY = "country"
    PHONE = "phone"
    PHONE_EXT = "phone_ext"
    FAX = "fax"
    FAX_EXT = "fax_ext"
    EMAIL = "email"
    VAT = "vat"
    IDENT = "ident"
    NOTIFY_EMAIL = "notify_email"
    MOBILE_PHONE = "mobile_phone"


class ContactRole(enum.Enum):
    """What a contact is to a domain."""

    REGISTRANT = "registrant"
    TECH = "tech"
    ADMIN = "admin"
    BILLING = "billing"


class ReportOutcome(enum.Enum):
    """What a registry did with what it was told."""

    APPLIED = "applied"
    REFUSED = "refused"
    OTHER = "other"
