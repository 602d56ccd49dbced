"""The catalogue, as the panel is told it."""

import hashlib

import pytest

from consentsvc import catalogue as catalogues
from consentsvc.domain.catalogue import LegalBasis
from consentsvc.service.ports import EventStore
from consentsvc.v1 import consent_pb2 as shared
from consentsvc.v1 import consent_service_pb2 as consents
from tests.support.clock import FakeClock
from tests.support.refusals import refused
from tests.support.requests import good, send
from tests.support.wire import Wire, change, serving


@pytest.mark.parametrize("locale", ["en", "fr"])
async def test_small_catalogue(wire: Wire, locale: str) -> None:
    """Every purpose is listed in the catalogue's order, each with the rules it has."""
    answer = await send(wire, good("ListPurposes", locale=locale))
    newsletter, profiling, statistics, reseller = answer.purposes

    assert list(answer.locales) == ["en", "fr"]
    assert [one.id for one in answer.purposes] == [
        "newsletter",
        "profiling",
        "statistics",
        "reseller42.newsletter",
    ]
    assert [one.basis for one in answer.purposes] == [
        shared.LEGAL_BASIS_CONSENT,
        shared.LEGAL_BASIS_CONSENT,
        shared.LEGAL_BASIS_LEGITIMATE_INTEREST,
        shared.LEGAL_BASIS_CONSENT,
    ]
    assert [one.needs_confirmation for one in answer.purposes] == [False, False, False, True]
    assert (newsletter.WhichOneof("validity"), newsletter.until_withdrawn) == (
        "until_withdrawn",
        True,
    )
    assert (profiling.WhichOneof("validity"), profiling.validity_months) == ("validity_months", 1)
    assert newsletter.controller.id == profiling.controller.id == "registrar"
    assert reseller.controller == shared.Controller(
        id="reseller42",
        name="Reseller",
        address="2 Street",
        contact="a@c.example",
        data_protection_officer="d@c.example",
        authority="CNIL",
    )
    assert statistics.notice.title == f"statistics 1 {locale}"


@pytest.mark.parametrize("locale", ["en", "fr"])
async def test_default_catalogue(sqlite_store: EventStore, clock: FakeClock, locale: str) -> None:
    """Of the program's own catalogue all is told in the locale that was asked for."""
    catalogue = catalogues.load(None)
    async with serving(sqlite_store, catalogue, clock) as wire:
        answer = await send(wire, good("ListPurposes", locale=locale))

    assert [one.id for one in answer.purposes] == list(catalogue.purposes)
    for told, purpose in zip(answer.purposes, catalogue.purposes.values(), strict=True):
        notice = purpose.current.notices[locale]
        shown = f"{told.notice.title}\n\n{told.notice.text}".encode()
        opt_out = told.basis == shared.LEGAL_BASIS_LEGITIMATE_INTEREST

        assert (told.notice.title, told.notice.text) == (notice.title, notice.text)
        assert told.notice.ref == shared.NoticeRef(
            version=purpose.current.version,
            locale=locale,
            sha256=hashlib.sha256(shown).digest(),
        )
        assert opt_out == (purpose.basis is LegalBasis.LEGITIMATE_INTEREST)
        assert (told.validity_months or None) == purpose.validity_months
        assert [(one.name, one.host, one.lifetime, one.goal) for one in told.trackers] == [
            (one.name, one.host, one.lifetime[locale], one.goal[locale]) for one in purpose.trackers
        ]
        assert [
            shared.TrackerKind.Name(one.kind).removeprefix("TRACKER_KIND_").lower()
            for one in told.trackers
        ] == [one.kind.value for one in purpose.trackers]


@pytest.mark.parametrize("locale", ["", "de", "EN", "en ", "en-GB"])
async def test_unknown_locale(wire: Wire, locale: str) -> None:
    """A locale that the catalogue does not have is refused, never replaced."""
    refusal = await refused(send(wire, good("ListPurposes", locale=locale)))

    assert (refusal.reason, refusal.fields) == ("INVALID_FIELD", ("locale",))


async def test_told_and_taken(sqlite_store: EventStore, clock: FakeClock) -> None:
    """The notice that is told, with its hash, is the one that a choice is taken on."""
    async with serving(sqlite_store, catalogues.load(None), clock) as wire:
        for locale in ("en", "fr"):
            told = await send(wire, good("ListPurposes", locale=locale))
            for number, purpose in enumerate(told.purposes):
                scope = shared.Scope(fields=[shared.CONTACT_FIELD_ALL])
                refusal = change("refuse", purpose.id, scope=scope if purpose.takes_scope else None)
                refusal.notice.CopyFrom(purpose.notice.ref)
                answer = await wire.update(f"subject:{number}:{locale}", refusal)

                assert answer.outcomes[0].effect == consents.CHANGE_EFFECT_RECORDED
