"""The profiles that come with the package."""

import re
from datetime import UTC, datetime
from importlib import resources

import pytest

from consentsvc.domain.instants import instant, moment
from consentsvc.domain.publication import encode
from consentsvc.domain.publication.profile import Profile, Publisher, Rule, Switch
from consentsvc.domain.scope import DomainName, Role
from consentsvc.profiles import load

NOW = instant(datetime(2026, 6, 1, tzinfo=UTC))
PROFILES = load()
ALL = {one.id: one for one in PROFILES.all}
each_profile = pytest.mark.parametrize("profile", ALL.values(), ids=ALL)

DOMAIN = {"ca", "ie", "cat", "tel", "pt"}
NONE = {"gtld", "nl", "de", "us", "ee", "swiss"}
NOT_VERIFIED = {"at", "fi", "lu", "pt", "ie", "no", "swiss", "nl", "afnic", "it", "pl"}


def test_every_row_has_a_file() -> None:
    """Each registry of the rules has its profile."""
    assert set(ALL) == {
        "gtld", "epp-hiding", "epp-showing", "afnic", "it", "pl", "cz", "eu", "nl", "de", "uk",
        "ca", "ie", "cat", "tel", "pt", "us", "lu", "nz", "at", "fi", "ee", "gov", "no", "swiss",
    }  # fmt: skip


@each_profile
def test_switch(profile: Profile) -> None:
    """A switch is the domain's, the contact's, or there is none and nothing is told."""
    expected = Switch.CONTACT
    if profile.id in DOMAIN:
        expected = Switch.DOMAIN
    if profile.id in NONE:
        expected = Switch.NONE

    assert profile.switch is expected
    assert (profile.encoder.name == encode.NONE) is (profile.id in NONE)


@each_profile
def test_publisher(profile: Profile) -> None:
    """Only the gTLDs are shown by the registrar."""
    assert (profile.publisher is Publisher.REGISTRAR) is (profile.id == "gtld")


@each_profile
def test_proxy(profile: Profile) -> None:
    """Proxies are allowed for gTLDs only."""
    assert profile.proxy_allowed is (profile.id in {"gtld", "epp-hiding", "epp-showing"})


@each_profile
def test_offers(profile: Profile) -> None:
    """Consent is offered for every role, except with a gTLD's registrar."""
    expected = {Role.REGISTRANT, Role.TECH} if profile.id == "gtld" else set(Role)

    assert profile.offers == expected


@each_profile
def test_unverified(profile: Profile) -> None:
    """What could not be verified is told, and never opens anything."""
    if profile.id in NOT_VERIFIED:
        assert profile.unverified
    for sentence in profile.unverified:
        assert sentence.endswith(".")
    unknown_default = {"at", "fi", "no"} & {profile.id}
    if unknown_default:
        assert profile.encoder.shows
        assert all(one.rule in {Rule.OPT_IN, Rule.NEVER} for one in profile.clauses)


@each_profile
def test_known_in_time(profile: Profile) -> None:
    """The rules are known for all of the time that questions are asked about."""
    assert profile.valid_from is not None
    assert moment(profile.valid_from).year <= 2024


@each_profile
def test_nothing_is_always_for_persons(profile: Profile) -> None:
    """Only where the rules say so is a natural person's field published without consent."""
    open_to_all = {
        clause.fields
        for clause in profile.clauses
        if clause.rule is Rule.ALWAYS and clause.condition.legal is not True
    }
    assert bool(open_to_all) is (profile.id in {"gtld", "cz", "us", "nz", "nl"})


def test_generic_ones_have_no_suffixes() -> None:
    """Which registries hold contacts is for the registrar to say; they are registries each."""
    for name in ("epp-hiding", "epp-showing"):
        assert ALL[name].suffixes == frozenset()
        assert ALL[name].own_registry
    assert not ALL["epp-hiding"].encoder.shows
    assert ALL["epp-showing"].encoder.shows


def test_gtlds() -> None:
    """The gTLDs that are sold most are there."""
    common = "com net org info biz name pro mobi xyz app dev online shop site store tech"

    assert set(common.split()) <= ALL["gtld"].suffixes
    assert 50 <= len(ALL["gtld"].suffixes) <= 80


@pytest.mark.parametrize(
    ("name", "profile"),
    [
        ("example.com", "gtld"),
        ("example.co.uk", "uk"),
        ("a.b.example.de", "de"),
        ("example.xn--e1a4c", "eu"),
        ("example.yt", "afnic"),
        ("com", "gtld"),
        ("example.kyoto", None),
        ("example.comx", None),
    ],
)
def test_found_by_suffix(name: str, profile: str | None) -> None:
    """A name's own suffix finds its profile."""
    found = PROFILES.find(DomainName(name), NOW)

    assert (None if found is None else found.profile.id) == profile


def test_comments_have_facts() -> None:
    """Every file begins with what it is about, and no line is longer than the code's."""
    for file in resources.files("consentsvc.profiles").iterdir():
        if file.name.endswith(".toml"):
            lines = file.read_text("utf-8").splitlines()
            assert lines[0].startswith("# ")
            assert max(map(len, lines)) <= 100
            assert not re.search(r"https?://", "\n".join(lines))
