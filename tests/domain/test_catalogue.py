import hashlib
from dataclasses import FrozenInstanceError, replace
from types import MappingProxyType

import pytest

from consentsvc.domain.catalogue import (
    Catalogue,
    Controller,
    EssentialStorage,
    EvidenceField,
    LegalBasis,
    Notice,
    NoticeVersion,
    Purpose,
    Tracker,
    TrackerKind,
)
from consentsvc.domain.errors import UnknownNotice, UnknownPurpose, Violation
from consentsvc.domain.identifiers import PurposeId

CONTROLLER = Controller("registrar", "Registrar Example SAS", "Paris", "a@b", "c@d", "CNIL")
NEWSLETTER = PurposeId("newsletter")


def version(name: str, *, asks_again: bool = False) -> NoticeVersion:
    return NoticeVersion(
        name,
        asks_again,
        {
            "fr": Notice(NEWSLETTER, name, "fr", "Lettre", f"Texte {name}."),
            "en": Notice(NEWSLETTER, name, "en", "Newsletter", f"Text {name}."),
        },
    )


def purpose(*versions: NoticeVersion, name: PurposeId = NEWSLETTER) -> Purpose:
    return Purpose(
        id=name,
        controller=CONTROLLER,
        basis=LegalBasis.CONSENT,
        validity_months=13,
        needs_confirmation=False,
        evidence=frozenset({EvidenceField.IP_ADDRESS, EvidenceField.USER_AGENT}),
        versions=versions or (version("1"),),
        trackers=(
            Tracker("_id", TrackerKind.COOKIE, "example.net", {"en": "1 day"}, {"en": "Counts."}),
        ),
    )


def catalogue(*purposes: Purpose, storage: tuple[EssentialStorage, ...] = ()) -> Catalogue:
    return Catalogue({one.id: one for one in purposes}, storage)


class TestNotice:
    def test_hash(self) -> None:
        """A notice's hash is SHA-256 over title, blank line and text in UTF-8."""
        notice = Notice(NEWSLETTER, "1", "fr", "Lettre d’été", "Bonjour.\n\nÀ bientôt.")

        assert (
            notice.sha256
            == hashlib.sha256("Lettre d’été\n\nBonjour.\n\nÀ bientôt.".encode()).digest()
        )

    def test_hash_is_of_what_is_shown(self) -> None:
        """The hash depends on what a person sees, and on nothing else."""
        notice = Notice(NEWSLETTER, "1", "en", "Title", "Text.")

        assert replace(notice, version="2", locale="fr").sha256 == notice.sha256
        assert replace(notice, title="Other").sha256 != notice.sha256
        assert replace(notice, text="Other.").sha256 != notice.sha256

    def test_frozen(self) -> None:
        """A notice cannot be changed, nor its hash."""
        notice = Notice(NEWSLETTER, "1", "en", "Title", "Text.")

        with pytest.raises(FrozenInstanceError):
            notice.text = "Other."  # type: ignore[misc]  # that is the point
        with pytest.raises(FrozenInstanceError):
            notice.sha256 = b""  # type: ignore[misc]  # that is the point


class TestPurpose:
    def test_current(self) -> None:
        """The version to show is the last one."""
        assert purpose(version("1"), version("2")).current.version == "2"

    def test_locales(self) -> None:
        """A version tells its locales, sorted."""
        assert version("1").locales == ("en", "fr")

    def test_notice(self) -> None:
        """Every version can still be shown, in each of its locales."""
        newsletter = purpose(version("1"), version("2"))

        assert newsletter.notice("1", "fr").text == "Texte 1."
        assert newsletter.notice("2", "en").text == "Text 2."

    @pytest.mark.parametrize(("name", "locale"), [("2", "en"), ("1", "de"), ("", ""), ("en", "1")])
    def test_unknown_notice(self, name: str, locale: str) -> None:
        """A version or locale that there is not is refused, never replaced by another."""
        with pytest.raises(UnknownNotice) as refused:
            purpose(version("1")).notice(name, locale)

        assert [one.field for one in refused.value.violations] == ["notice"]


class TestSuperseded:
    HISTORY = (
        version("1"),
        version("2"),
        version("3", asks_again=True),
        version("4"),
    )

    @pytest.mark.parametrize(
        ("given", "gone"), [("1", True), ("2", True), ("3", False), ("4", False)]
    )
    def test_by_a_later_version_that_asks_again(self, given: str, gone: bool) -> None:
        """A consent is superseded by a later version that asks again, and by no other."""
        assert purpose(*self.HISTORY).superseded(given) is gone

    def test_never_by_versions_that_do_not_ask_again(self) -> None:
        """A new version that does not ask again leaves older consents standing."""
        assert not purpose(version("1"), version("2")).superseded("1")

    def test_not_by_versions_that_were_not_yet_published(self) -> None:
        """For the past, a version counts only if it had been published by then."""
        newsletter = purpose(*self.HISTORY)

        assert not newsletter.superseded("1", published={"1", "2"})
        assert newsletter.superseded("1", published={"1", "2", "3"})
        assert not newsletter.superseded("1", published=())

    def test_unknown_version_counts_for_nothing(self) -> None:
        """Nobody can say what a version promised that the catalogue has lost: it is superseded."""
        assert purpose(*self.HISTORY).superseded("0")
        assert purpose(version("1"), version("2")).superseded("0")
        assert purpose(*self.HISTORY).superseded("0", published={"1", "2"})


class TestCatalogue:
    def test_purpose(self) -> None:
        """A purpose is found by its id."""
        newsletter, chat = purpose(), purpose(name=PurposeId("chat"))

        assert catalogue(newsletter, chat).purpose("chat") is chat

    def test_unknown_purpose(self) -> None:
        """An unknown purpose is refused with the field that named it, never answered for."""
        with pytest.raises(UnknownPurpose) as by_default:
            catalogue(purpose()).purpose("newsletters")
        with pytest.raises(UnknownPurpose) as named:
            catalogue(purpose()).purpose("", "changes[2].purpose_id")

        description = "is not a purpose of the catalogue"
        assert by_default.value.violations == (Violation("purpose_id", description),)
        assert named.value.violations == (Violation("changes[2].purpose_id", description),)

    def test_locales(self) -> None:
        """A catalogue tells its locales, sorted; an empty one has none."""
        assert catalogue(purpose()).locales == ("en", "fr")
        assert catalogue().locales == ()

    def test_order(self) -> None:
        """The purposes keep the order in which they were given."""
        order = [PurposeId("zebra"), PurposeId("ant"), PurposeId("mole")]

        assert list(catalogue(*(purpose(name=one) for one in order)).purposes) == order


class TestDigest:
    def test_same_content(self) -> None:
        """The digest depends on the content alone, not on how its mappings are held or ordered."""
        one = version("1")
        notices = MappingProxyType({locale: one.notices[locale] for locale in ("en", "fr")})

        assert len(catalogue(purpose()).digest) == 32
        assert (
            catalogue(purpose(replace(one, notices=notices))).digest
            == catalogue(purpose(one)).digest
        )

    @pytest.mark.parametrize(
        "changed",
        [
            replace(purpose(), id=PurposeId("news")),
            replace(purpose(), controller=replace(CONTROLLER, address="Lyon")),
            replace(purpose(), basis=LegalBasis.LEGITIMATE_INTEREST),
            replace(purpose(), validity_months=None),
            replace(purpose(), needs_confirmation=True),
            replace(purpose(), evidence=frozenset({EvidenceField.IP_ADDRESS})),
            purpose(version("2")),
            purpose(version("1", asks_again=True)),
            purpose(version("1"), version("2")),
            purpose(NoticeVersion("1", False, {"en": version("1").notices["en"]})),
            replace(purpose(), trackers=()),
            replace(purpose(), trackers=(replace(purpose().trackers[0], goal={"en": "Other."}),)),
            replace(purpose(), trackers=(replace(purpose().trackers[0], kind=TrackerKind.PIXEL),)),
        ],
    )
    def test_other_purpose(self, changed: Purpose) -> None:
        """Whatever changes in a purpose changes the digest."""
        assert catalogue(changed).digest != catalogue(purpose()).digest

    def test_other_essential_storage(self) -> None:
        """A change in the essential storage changes the digest."""
        cart = EssentialStorage("cart", {"en": "Holds the cart."})
        digests = {
            catalogue().digest,
            catalogue(storage=(cart,)).digest,
            catalogue(storage=(cart, cart)).digest,
            catalogue(storage=(replace(cart, goal={"en": "Other."}),)).digest,
        }

        assert len(digests) == 4

    def test_other_order(self) -> None:
        """The order of purposes is part of the digest: the panel shows them in it."""
        newsletter, chat = purpose(), purpose(name=PurposeId("chat"))

        assert catalogue(newsletter, chat).digest != catalogue(chat, newsletter).digest
