"""A small catalogue for tests, with one purpose of every kind."""

from consentsvc.domain.catalogue import (
    Catalogue,
    Controller,
    EvidenceField,
    LegalBasis,
    Notice,
    NoticeVersion,
    Purpose,
)
from consentsvc.domain.identifiers import PurposeId
from consentsvc.domain.publication.profile import Profiles

REGISTRAR = Controller("registrar", "Registrar", "1 Street", "a@b.example", "d@b.example", "CNIL")
RESELLER = Controller("reseller42", "Reseller", "2 Street", "a@c.example", "d@c.example", "CNIL")

NEWSLETTER = PurposeId("newsletter")
"""Consent, until it is withdrawn."""
PROFILING = PurposeId("profiling")
"""Consent, for one calendar month; keeps IP addresses."""
STATISTICS = PurposeId("statistics")
"""Legitimate interest."""
RESELLER_NEWSLETTER = PurposeId("reseller42.newsletter")
"""Consent, confirmed by a link, of another controller."""


WHOIS = PurposeId("whois")
"""Consent, decided for each contact, domain, role and field. Only in `with_publication`."""

NO_PROFILES = Profiles(())
"""For tests that publish nothing."""


def version(
    purpose: PurposeId, name: str, *, asks_again: bool = False, text: str = "Text."
) -> NoticeVersion:
    """A version of a notice in English and French."""
    notices = {
        locale: Notice(purpose, name, locale, f"{purpose} {name} {locale}", text)
        for locale in ("en", "fr")
    }
    return NoticeVersion(name, asks_again, notices)


def purpose(
    purpose_id: PurposeId,
    *,
    basis: LegalBasis = LegalBasis.CONSENT,
    months: int | None = None,
    confirmed: bool = False,
    evidence: frozenset[EvidenceField] = frozenset(),
    controller: Controller = REGISTRAR,
    versions: tuple[NoticeVersion, ...] | None = None,
    takes_scope: bool = False,
    marked_for_signal: bool = False,
    retention_months: int | None = None,
    proof_months: int | None = None,
) -> Purpose:
    """A purpose, plain unless said otherwise, with the one notice version "1"."""
    return Purpose(
        purpose_id,
        controller,
        basis,
        months,
        confirmed,
        evidence,
        versions or (version(purpose_id, "1"),),
        (),
        takes_scope,
        marked_for_signal,
        retention_months,
        proof_months,
    )


def catalogue(*others: Purpose) -> Catalogue:
    """The four purposes; others replace those of the same id or follow them."""
    purposes = (
        purpose(NEWSLETTER),
        purpose(PROFILING, months=1, evidence=frozenset({EvidenceField.IP_ADDRESS})),
        purpose(STATISTICS, basis=LegalBasis.LEGITIMATE_INTEREST),
        purpose(RESELLER_NEWSLETTER, confirmed=True, controller=RESELLER),
        *others,
    )
    return Catalogue({one.id: one for one in purposes})


def with_publication() -> Catalogue:
    """The four purposes, and one that takes a scope."""
    return catalogue(purpose(WHOIS, takes_scope=True))
