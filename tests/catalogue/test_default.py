import re

import pytest

from consentsvc.catalogue import load
from consentsvc.domain.catalogue import (
    EvidenceField,
    LegalBasis,
    Notice,
    Purpose,
    TrackerKind,
)

CATALOGUE = load()
PURPOSES = tuple(CATALOGUE.purposes.values())
NOTICES = tuple(
    notice
    for purpose in PURPOSES
    for version in purpose.versions
    for notice in version.notices.values()
)

each_purpose = pytest.mark.parametrize("purpose", PURPOSES, ids=lambda purpose: purpose.id)
each_notice = pytest.mark.parametrize(
    "notice", NOTICES, ids=lambda notice: f"{notice.purpose}-{notice.locale}"
)


def test_purposes() -> None:
    """It has the purposes of the privacy policy, in its order, then the example of a reseller."""
    assert list(CATALOGUE.purposes) == [
        "newsletter",
        "newsletter_open_tracking",
        "whois_publication",
        "marketing_profiling",
        "chat_cookies",
        "video_embeds",
        "audience_measurement",
        "reseller42.newsletter",
    ]


def test_basis() -> None:
    """Audience measurement is on until a person objects; all else is off until they agree."""
    opt_out = [one.id for one in PURPOSES if one.basis is LegalBasis.LEGITIMATE_INTEREST]

    assert opt_out == ["audience_measurement"]


@each_purpose
def test_validity(purpose: Purpose) -> None:
    """A consent lasts 13 months, except those that last until they are taken back."""
    without_end = {
        "newsletter",
        "whois_publication",
        "audience_measurement",
        "reseller42.newsletter",
    }

    assert purpose.validity_months == (None if purpose.id in without_end else 13)


@each_purpose
def test_no_lasting_consent_to_trackers(purpose: Purpose) -> None:
    """No consent to something on a person's device lasts for more than 13 months."""
    if purpose.trackers and purpose.basis is LegalBasis.CONSENT:
        assert purpose.validity_months is not None
        assert purpose.validity_months <= 13


@each_purpose
def test_controller(purpose: Purpose) -> None:
    """The registrar's purposes are the registrar's; the reseller's is the reseller's."""
    expected = "reseller42" if purpose.id.startswith("reseller42.") else "registrar"

    assert purpose.controller.id == expected


@each_purpose
def test_confirmation_and_evidence(purpose: Purpose) -> None:
    """Only the reseller asks for a confirmation, and for the IP address as its proof."""
    reseller = purpose.id == "reseller42.newsletter"

    assert purpose.needs_confirmation is reseller
    assert purpose.evidence == (frozenset({EvidenceField.IP_ADDRESS}) if reseller else frozenset())


@each_purpose
def test_first_version(purpose: Purpose) -> None:
    """Each purpose starts with one version, which asks nobody again, in English and French."""
    (version,) = purpose.versions

    assert (version.version, version.asks_again) == ("1", False)
    assert version.locales == ("en", "fr")


def test_trackers() -> None:
    """It lists every tracker of the privacy policy under its purpose."""
    cookie, storage, pixel = TrackerKind.COOKIE, TrackerKind.LOCAL_STORAGE, TrackerKind.PIXEL
    trackers = [
        (one.id, it.name, it.kind, it.lifetime["en"]) for one in PURPOSES for it in one.trackers
    ]

    assert trackers == [
        ("newsletter_open_tracking", "opening_pixel", pixel, "nothing stored"),
        ("chat_cookies", "chat_open", cookie, "1 day"),
        ("chat_cookies", "__zlcmid", cookie, "1 year"),
        ("chat_cookies", "__zlcprivacy", cookie, "1 year"),
        ("chat_cookies", "__zlcstore", storage, "until you remove it"),
        ("video_embeds", "*", cookie, "set by the third party"),
        ("audience_measurement", "atuserid", cookie, "13 months"),
        ("audience_measurement", "atauthority", cookie, "13 months"),
        ("audience_measurement", "_pk_id", cookie, "13 months"),
        ("audience_measurement", "_pk_ref", cookie, "6 months"),
        ("audience_measurement", "_pk_ses", cookie, "30 minutes"),
    ]


def test_hosts() -> None:
    """Every host is in a domain that is reserved for examples."""
    hosts = [host for one in PURPOSES for it in one.trackers for host in it.host.split(", ")]

    assert hosts
    assert all(re.fullmatch(r"[a-z.*]+\.(example|example\.net)", host) for host in hosts)


def test_essential_storage() -> None:
    """Storage that needs no consent is listed, each entry once, and under no purpose."""
    names = [one.name for one in CATALOGUE.essential_storage]

    assert {"session", "sign_in", "cart", "cache", "language", "captcha"} <= set(names)
    assert len(set(names)) == len(names)
    assert not set(names) & {it.name for one in PURPOSES for it in one.trackers}


@each_notice
def test_notice_is_short(notice: Notice) -> None:
    """A notice is short enough to be read: a title and three to six sentences."""
    sentences = re.findall(r"[.!?](?=\s|$)", notice.text)

    assert 3 <= len(sentences) <= 6
    assert len(notice.text) <= 1_000
    assert len(notice.title) <= 60


@each_notice
def test_notice_tells_who(notice: Notice) -> None:
    """A notice names its controller, where to use one's rights, and the authority."""
    controller = CATALOGUE.purpose(notice.purpose).controller

    assert controller.name in notice.text
    assert controller.data_protection_officer in notice.text
    assert controller.authority.split(",")[0] in notice.text


@each_notice
def test_notice_tells_how_long(notice: Notice) -> None:
    """A notice names the validity that its purpose has, and how to take the choice back."""
    months = CATALOGUE.purpose(notice.purpose).validity_months
    lasts = {"en": "Your consent lasts 13 months", "fr": "Votre accord vaut 13 mois"}
    any_time = {"en": "at any time", "fr": "à tout moment"}

    assert (lasts[notice.locale] in notice.text) is (months == 13)
    assert any_time[notice.locale] in notice.text


def test_notice_tells_of_evidence() -> None:
    """Where the IP address is kept as proof, the person is told so."""
    for purpose in PURPOSES:
        kept = EvidenceField.IP_ADDRESS in purpose.evidence
        notices = purpose.current.notices

        assert ("IP address is kept" in notices["en"].text) is kept
        assert ("adresse IP est conservée" in notices["fr"].text) is kept


def test_texts_differ() -> None:
    """No two notices have the same text, and none was left untranslated."""
    assert len({notice.sha256 for notice in NOTICES}) == len(NOTICES)
    assert len({notice.title for notice in NOTICES}) == len(NOTICES)


def test_french_typography() -> None:
    """French has curved apostrophes, and no plain space where a line must not break."""
    goals = [it.goal["fr"] for one in PURPOSES for it in one.trackers]
    goals += [one.goal["fr"] for one in CATALOGUE.essential_storage]
    texts = [f"{one.title}\n{one.text}" for one in NOTICES if one.locale == "fr"]

    for text in goals + texts:
        assert not re.search(r"'| [:;?!»]|« ", text)
