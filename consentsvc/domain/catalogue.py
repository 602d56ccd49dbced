"""What consent is asked for: purposes, the notices shown for them, the trackers they cover.

Plain values that never change while a server runs. `consentsvc.catalogue` reads them from files
and answers for what is promised here of them.
"""

import dataclasses
import enum
import hashlib
import json
from collections.abc import Container, Mapping
from dataclasses import dataclass

from consentsvc.domain.errors import ScopeNeeded, ScopeNotTaken, UnknownNotice, UnknownPurpose
from consentsvc.domain.identifiers import PurposeId
from consentsvc.domain.words import Word


class LegalBasis(Word):
    """What makes a purpose lawful, and so what holds while nobody has said anything."""

    CONSENT = "consent"
    """Not permitted until the subject consents."""
    LEGITIMATE_INTEREST = "legitimate_interest"
    """Permitted until the subject objects."""


class TrackerKind(Word):
    """What a tracker is made of."""

    COOKIE = "cookie"
    LOCAL_STORAGE = "local_storage"
    PIXEL = "pixel"


class EvidenceField(Word):
    """Evidence that is kept only for the purposes that ask for it, and dropped for all others."""

    IP_ADDRESS = "ip_address"
    USER_AGENT = "user_agent"


@dataclass(frozen=True, slots=True)
class Controller:
    """The party that decides about a purpose and answers for it (GDPR art. 4(7))."""

    id: str
    name: str
    address: str
    contact: str
    data_protection_officer: str
    authority: str


@dataclass(frozen=True, slots=True)
class Notice:
    """The text shown for a purpose, in one version and one locale. Never changes once published.

    `sha256` is the SHA-256 of title, blank line and text in UTF-8, computed once, here. A title is
    one line, so no two notices run into the same bytes.
    """

    purpose: PurposeId
    version: str
    locale: str
    title: str
    text: str
    sha256: bytes = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        shown = f"{self.title}\n\n{self.text}".encode()
        object.__setattr__(self, "sha256", hashlib.sha256(shown).digest())


@dataclass(frozen=True, slots=True)
class NoticeVersion:
    """One version of a purpose's notice: its text by locale, in every locale of the catalogue.

    `asks_again` says that consents given on the versions before it no longer count.
    """

    version: str
    asks_again: bool
    notices: Mapping[str, Notice]

    @property
    def locales(self) -> tuple[str, ...]:
        """The locales it can be shown in, sorted."""
        return tuple(sorted(self.notices))


@dataclass(frozen=True, slots=True)
class Tracker:
    """Something stored or loaded on the subject's device, described in every locale."""

    name: str
    kind: TrackerKind
    host: str
    lifetime: Mapping[str, str]
    goal: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class EssentialStorage:
    """Storage that needs no consent and so has no purpose, listed for completeness."""

    name: str
    goal: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Purpose:
    """What consent is asked for. Belongs to one controller and never answers for another.

    `validity_months` is None for a consent that lasts until it is taken back. `versions` holds at
    least one, the oldest first. `takes_scope`: it is about the publication of contact data, and
    decided for each contact, domain, role and field. `marked_for_signal`: the registrar lets a
    Global Privacy Control signal object to it, whatever its basis.

    `retention_months`: for so long the personal parts of events are kept that decide no more; None
    for as long as the log. `proof_months`: for so long it is kept which events were an erased
    subject's (GDPR art. 17(3)(e)); None for not at all.
    """

    id: PurposeId
    controller: Controller
    basis: LegalBasis
    validity_months: int | None
    needs_confirmation: bool
    evidence: frozenset[EvidenceField]
    versions: tuple[NoticeVersion, ...]
    trackers: tuple[Tracker, ...]
    takes_scope: bool = False
    marked_for_signal: bool = False
    retention_months: int | None = None
    proof_months: int | None = None

    @property
    def heeds_signal(self) -> bool:
        """Whether a Global Privacy Control signal objects to it."""
        return self.marked_for_signal or self.basis is LegalBasis.LEGITIMATE_INTEREST

    @property
    def current(self) -> NoticeVersion:
        """The version to show now."""
        return self.versions[-1]

    def notice(self, version: str, locale: str) -> Notice:
        """The text of any version, old ones included; `UnknownNotice` if there is none."""
        for one in self.versions:
            if one.version == version and locale in one.notices:
                return one.notices[locale]
        raise UnknownNotice.field("notice", "is not a version and locale of the purpose's notice")

    def superseded(self, version: str, published: Container[str] | None = None) -> bool:
        """Whether a consent given on `version` no longer counts: a later version asks again.

        To answer for the past, `published` names the versions that had been published by then;
        no other counts. Of a version that the catalogue does not know, nobody can say what it
        promised: a consent given on it does not count either.
        """
        for one in reversed(self.versions):
            if one.version == version:
                return False
            if one.asks_again and (published is None or one.version in published):
                return True
        return True


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every purpose there is, by id, in the order of the file.

    `digest` is the same for two catalogues exactly if everything in them is the same: each text,
    each switch, and the order of purposes, versions and trackers. Computed once, here.
    """

    purposes: Mapping[PurposeId, Purpose]
    essential_storage: tuple[EssentialStorage, ...] = ()
    digest: bytes = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        content = [list(self.purposes.values()), self.essential_storage]
        canonical = json.dumps(content, default=_plain, sort_keys=True).encode()
        object.__setattr__(self, "digest", hashlib.sha256(canonical).digest())

    @property
    def locales(self) -> tuple[str, ...]:
        """The locales that every notice can be shown in, sorted."""
        notices = (purpose.current.notices for purpose in self.purposes.values())
        return tuple(sorted({locale for by_locale in notices for locale in by_locale}))

    def purpose(self, purpose_id: str, field: str = "purpose_id") -> Purpose:
        """The purpose of that id; `UnknownPurpose` of the request's `field` if there is none."""
        purpose = self.purposes.get(PurposeId(purpose_id))
        if purpose is None:
            raise UnknownPurpose.field(field, "is not a purpose of the catalogue")
        return purpose

    def undivided(self, purpose_id: str, field: str = "purpose_id") -> Purpose:
        """The same, if it is decided for an account as a whole; `ScopeNeeded` otherwise."""
        purpose = self.purpose(purpose_id, field)
        if purpose.takes_scope:
            raise ScopeNeeded.field(field, "is decided for each contact, domain, role and field")
        return purpose

    def divided(self, purpose_id: str, field: str = "purpose_id") -> Purpose:
        """The same, if choices on it carry a scope; `ScopeNotTaken` otherwise."""
        purpose = self.purpose(purpose_id, field)
        if not purpose.takes_scope:
            raise ScopeNotTaken.field(field, "is not about the publication of contact data")
        return purpose


def _plain(value: object) -> object:
    """What JSON writes in the place of a value that it does not know."""
    match value:
        case enum.Enum():
            return value.value
        case bytes():
            return value.hex()
        case frozenset():
            return sorted(str(_plain(one)) for one in value)
        case Mapping():
            return dict(value)
        case _ if dataclasses.is_dataclass(value):
            return {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
    raise TypeError(f"a catalogue holds no {type(value).__name__}")
