"""What subjects have said elsewhere: proven by receipts, or by somebody's word."""

import random
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from consentsvc.domain.catalogue import Catalogue
from consentsvc.domain.identifiers import SubjectId
from consentsvc.domain.instants import add
from consentsvc.domain.receipts import Receipt
from consentsvc.server import KeysUnusable
from consentsvc.service.expiry import Sweeper
from consentsvc.service.ports import EventStore
from consentsvc.storage.opening import open_store
from consentsvc.v1 import consent_event_service_pb2 as events
from consentsvc.v1 import consent_pb2 as shared
from consentsvc.v1 import subject_rights_service_pb2 as rights
from tests.rpc import publishing
from tests.rpc.importing import bring, counts, exported, key_of, proven, stated, trusting
from tests.rpc.publishing import contact, domain, question, say, scope
from tests.support import acts, catalogues
from tests.support.answers import checked
from tests.support.clock import FakeClock
from tests.support.refusals import refused
from tests.support.requests import IMPORT_HEADER
from tests.support.wire import Wire, change, serving

PEOPLE = ["anna", "ben", "carl"]
DAY = timedelta(days=1)


@pytest.fixture
def catalogue() -> Catalogue:
    return catalogues.catalogue(catalogues.purpose(catalogues.WHOIS, takes_scope=True, months=3))


@pytest.fixture
async def here_store(tmp_path: Path, clock: FakeClock) -> AsyncIterator[EventStore]:
    async with open_store(f"sqlite:///{tmp_path}/here.db", clock=clock) as store:
        yield store


@pytest.fixture
def stores(sqlite_store: EventStore, here_store: EventStore) -> list[EventStore]:
    return [sqlite_store, here_store]


@pytest.fixture
async def here(
    wire: Wire, here_store: EventStore, tmp_path: Path, catalogue: Catalogue, clock: FakeClock
) -> AsyncIterator[Wire]:
    """An empty service that trusts the log of the first one."""
    key = await key_of(wire)
    async with trusting(tmp_path, catalogue, clock, key, store=here_store) as here:
        yield here


def reason(name: str) -> shared.DecisionReason.ValueType:
    return shared.DecisionReason.Value(f"DECISION_REASON_{name}")


async def why(wire: Wire, purpose: str = "newsletter", subject: str = "anna") -> str:
    """The reason of a decision, in capitals."""
    found = (await checked(wire, subject, purpose)).reason
    return shared.DecisionReason.Name(found).removeprefix("DECISION_REASON_")


async def decisions(wire: Wire, subject: str) -> list[Any]:
    """Every decision about a subject, but for the positions of what decided."""
    found: list[Any] = []
    for one in (await acts.choices(wire, subject)).consents:
        told = one.decision
        found.append(
            (
                one.consent.purpose_id,
                one.consent.scope.SerializeToString(deterministic=True),
                told.answer,
                told.reason,
                told.notice.SerializeToString(deterministic=True),
                told.valid_until.ToMicroseconds(),
            )
        )
    for name in ("example.cz", "other.cz"):
        for of in ("registrant", "tech"):
            about = domain(name, bound={"registrant": "C1", "tech": "C2"})
            contacts = (contact("C1", subject), contact("C2", subject))
            answer = await publishing.resolve(wire, question(about, of, contacts))
            until = answer.publication.valid_until.ToMicroseconds()
            found.append((name, of, publishing.seen(answer.publication), until))
    return found


async def consented(wire: Wire, name: str = "C1") -> set[str]:
    """The fields of a contact that are published because of a consent."""
    asked = question(domain(bound={"registrant": name}), contacts=(contact(name),))
    publication = (await publishing.resolve(wire, asked)).publication
    told = publishing.seen(publication).items()
    return {field for field, one in told if one == ("PUBLISH", "CONSENT")}


# --- a life ------------------------------------------------------------------------------------


def some_scope(pick: random.Random) -> shared.Scope:
    fields = pick.choice([("all",), ("name",), ("email",), ("email", "phone"), ("name", "email")])
    contact_id = pick.choice(["", "C1", "C1", "C2"])
    name = pick.choice(["", "example.cz", "other.cz"]) if contact_id else ""
    of = pick.choice(["", "registrant", "tech"]) if name else ""
    return scope(*fields, contact=contact_id, domain=name, of=of)


async def do_something(pick: random.Random, wire: Wire, links: list[str], subject: str) -> None:
    """One change at random, in every way in which there is one."""
    purpose = pick.choice(["newsletter", "profiling", "statistics", "reseller42.newsletter"])
    match pick.randrange(24):
        case 0:
            await acts.restrict(wire, subject)
        case 1 | 2:
            await acts.lift(wire, subject)
        case 3:
            await acts.revoke(wire, subject, purpose)
        case 4:
            await acts.revoke(wire, subject, "whois", scope=some_scope(pick))
        case 5 if links:
            with suppress(grpc.aio.AioRpcError):  # it was used, or has been taken back
                await acts.confirm(wire, pick.choice(links))
        case 6 if pick.random() < 0.1:
            await acts.report_death(wire, subject)
        case 7 | 8:
            about = pick.choice([purpose, "whois"])
            action = pick.choice(["object", "withdraw_objection", "signal", "signal"])
            await wire.update(subject, change(action, about))
        case number if number < 15:
            action = pick.choice(["give", "give", "refuse", "withdraw", "request"])
            answer = await say(wire, action, some_scope(pick), subject)
            links += [one.confirmation_token for one in answer.outcomes if one.confirmation_token]
        case _:
            action = pick.choice(["give", "give", "refuse", "withdraw", "request", "object"])
            answer = await wire.update(
                subject,
                change(action, purpose, locale=pick.choice(["en", "fr"])),
                actor=pick.choice([None, None, acts.OPERATOR]),
            )
            links += [one.confirmation_token for one in answer.outcomes if one.confirmation_token]


async def live(
    pick: random.Random, wire: Wire, store: EventStore, catalogue: Catalogue, clock: FakeClock
) -> None:
    links: list[str] = []
    for _ in range(120):
        await do_something(pick, wire, links, pick.choice(PEOPLE))
        clock.advance(pick.choice([timedelta(0), timedelta(hours=1), DAY, 5 * DAY, 20 * DAY]))
        if pick.random() < 0.3:
            await Sweeper(store, catalogue, clock).sweep()


@pytest.mark.parametrize("number", range(4))
async def test_the_same_decisions(
    wire: Wire,
    here: Wire,
    stores: list[EventStore],
    catalogue: Catalogue,
    clock: FakeClock,
    pick: random.Random,
    number: int,
) -> None:
    """Whose receipts are all imported where nothing was known gets every decision as it was.

    Now, and at any time after: what runs out does so at the same moment.
    """
    await live(pick, wire, stores[0], catalogue, clock)
    for subject in PEOPLE:
        events = await exported(wire, subject)
        answer = await bring(here, events)

        assert answer.recorded_count + answer.skipped_count == len(events)
        assert (answer.requested_count, answer.repeated_count) == (0, 0)
    for days in (0, 1, 9, 15, 20, 40, 60, 400):
        clock.advance(days * DAY)
        for store in stores if pick.random() < 0.3 else ():
            await Sweeper(store, catalogue, clock).sweep()
        for subject in PEOPLE:
            assert await decisions(here, subject) == await decisions(wire, subject)
        assert (await bring(here, events)).repeated_count == len(events)


async def test_claimed_time_and_provenance(wire: Wire, here: Wire, clock: FakeClock) -> None:
    """An imported event says when it happened, who brought it, and which log has proven it."""
    claimed = acts.stamp(clock.now - 1_000_000)
    given = await wire.update("anna", change("give", "newsletter"), claimed_time=claimed)
    happened = clock.now
    clock.advance(100 * DAY)
    await bring(here, await exported(wire, "anna"))
    (event,) = await acts.history(here, "anna")
    told = event.provenance
    origin = (await key_of(wire)).partition("+")[0]
    (state,) = [
        one.consent.choice
        for one in (await acts.choices(here, "anna")).consents
        if one.consent.purpose_id == "newsletter"
    ]

    assert (event.kind, event.actor, event.channel) == (
        shared.EVENT_KIND_CONSENT_GIVEN,
        acts.SUBJECT,
        "panel",
    )
    assert event.claimed_time == claimed
    assert event.since_time.ToMicroseconds() == happened
    assert event.recorded_time.ToMicroseconds() == clock.now
    assert (told.source, told.channel, told.actor) == (
        "crm.example/2026",
        "migration",
        acts.OPERATOR,
    )
    assert (told.log_origin, told.log_position) == (origin, given.outcomes[0].position)
    assert state.recorded_time == event.since_time
    (followed,) = [
        one
        for one in (await here.events.ListEvents(events.ListEventsRequest())).events
        if one.subject_id == "anna"
    ]
    assert followed.since_time == event.since_time
    assert not followed.HasField("provenance")


async def test_the_import_of_an_import(
    wire: Wire, here: Wire, tmp_path: Path, catalogue: Catalogue, clock: FakeClock
) -> None:
    """What was imported is proven by its new log, and holds from when it first happened."""
    await wire.update("anna", change("give", "profiling"))
    clock.advance(10 * DAY)
    await bring(here, await exported(wire, "anna"))
    clock.advance(10 * DAY)
    async with trusting(tmp_path, catalogue, clock, await key_of(here)) as third:
        await bring(third, await exported(here, "anna"))

        assert await decisions(third, "anna") == await decisions(wire, "anna")


# --- once --------------------------------------------------------------------------------------


async def test_one_that_was_cut_is_sent_again(wire: Wire, here: Wire, pick: random.Random) -> None:
    """What had arrived is counted as repeated, and the rest is recorded."""
    for number in range(12):
        await wire.update("anna", change(("give", "withdraw")[number % 2], "newsletter"))
    events = (await exported(wire, "anna"))[:12]
    arrived = pick.randrange(1, 12)
    call = here.rights.ImportEvents()
    await call.write(IMPORT_HEADER)
    for one in events[:arrived]:
        await call.write(rights.ImportEventsRequest(events=[one]))
    while len(await acts.history(here, "anna")) < arrived:
        pass
    call.cancel()
    again = await bring(here, events, at_once=5)

    assert counts(again) == (12 - arrived, 0, arrived, 0)
    assert len(await acts.history(here, "anna")) == 12
    assert await decisions(here, "anna") == await decisions(wire, "anna")


async def test_a_receipt_counts_once(wire: Wire, here: Wire) -> None:
    """The same receipt is repeated under any id, from any source."""
    await wire.update("anna", change("give", "newsletter"))
    event = (await exported(wire, "anna"))[0]
    first = await bring(here, [event])
    again = await bring(here, [proven("another", event.receipt), event])
    elsewhere = await bring(here, [event], source="usb-stick")

    assert [counts(one) for one in (first, again, elsewhere)] == [
        (1, 0, 0, 0),
        (0, 0, 2, 0),
        (0, 0, 1, 0),
    ]
    assert len(await acts.history(here, "anna")) == 1


async def test_a_receipt_of_its_own(wire: Wire) -> None:
    """What a log has itself is not recorded again."""
    await wire.update("anna", change("give", "newsletter"))
    await wire.update("anna", change("withdraw", "newsletter"))
    answer = await bring(wire, await exported(wire, "anna"))

    assert counts(answer) == (0, 0, 2, 1)
    assert await why(wire) == "WITHDRAWN"


async def test_of_somebody_who_was_erased_here(wire: Wire) -> None:
    """Somebody who was forgotten may come back with their receipts; what they object to stands."""
    await wire.update("anna", change("give", "newsletter"), change("object", "profiling"))
    events = (await exported(wire, "anna"))[:2]
    await acts.erase(wire, "anna")
    answer = await bring(wire, events)

    assert answer.recorded_count == 1
    assert await why(wire) == "CONSENT_GIVEN"
    assert await why(wire, "profiling") == "OBJECTED"


async def test_an_id_stands_for_one_event(here: Wire, clock: FakeClock) -> None:
    """Another event under the same id is refused by its place; another source has its own ids."""
    refusal_ = stated("consent_refused", clock.now, name="row-1")
    other = stated("consent_withdrawn", clock.now, name="row-1")
    await bring(here, [refusal_])
    refusal = await refused(bring(here, [stated("death_reported", clock.now, "", "ben",
                                               actor=acts.OPERATOR), other]))  # fmt: skip
    elsewhere = await bring(here, [other], source="other")

    assert (refusal.code.name, refusal.reason) == ("ALREADY_EXISTS", "REQUEST_ID_REUSED")
    assert refusal.metadata == {"field": "events[1].import_id", "accepted_events": "0"}
    assert await acts.history(here, "ben") == []
    assert counts(elsewhere) == (1, 0, 0, 0)


# --- by somebody's word ------------------------------------------------------------------------


async def test_a_yes_that_nothing_proves(here: Wire, clock: FakeClock) -> None:
    """It becomes a request, open for thirty days from when it is said to have happened."""
    at = add(clock.now, -10 * DAY)
    answer = await bring(here, [stated("consent_given", at, version="1")])
    (event,) = await acts.history(here, "anna")
    decision = await checked(here, "anna", "newsletter")
    clock.advance(20 * DAY)

    assert counts(answer) == (0, 1, 0, 0)
    assert event.kind == shared.EVENT_KIND_CONSENT_REQUESTED
    assert (event.since_time, event.claimed_time) == (acts.stamp(at), acts.stamp(at))
    assert (event.provenance.source, event.provenance.log_origin) == ("crm.example/2026", "")
    assert decision.reason == reason("PENDING_CONFIRMATION")
    assert decision.valid_until.ToMicroseconds() == clock.now
    assert await why(here) == "EXPIRED"


async def test_a_request_that_nothing_proves(here: Wire, clock: FakeClock) -> None:
    """Who was asked elsewhere is asked here; it takes nothing away that was said since."""
    await here.update("ben", change("refuse", "newsletter"))
    at = add(clock.now, -DAY)
    asked = [
        stated("consent_requested", at, subject=one, version="1") for one in ("anna", "ben", "anna")
    ]
    asked[2].import_id = "another"
    answer = await bring(here, asked)

    assert counts(answer) == (0, 2, 0, 1)
    assert await why(here) == "PENDING_CONFIRMATION"
    assert await why(here, subject="ben") == "REFUSED"


@pytest.mark.parametrize(
    ("kind", "purpose", "expected"),
    [
        ("consent_refused", "newsletter", "REFUSED"),
        ("consent_withdrawn", "newsletter", "WITHDRAWN"),
        ("consent_revoked", "newsletter", "REVOKED"),
        ("objection_raised", "newsletter", "OBJECTED"),
        ("objection_raised", "statistics", "OBJECTED"),
        ("processing_restricted", "", "RESTRICTED"),
        ("death_reported", "", "DECEASED"),
    ],
)
async def test_a_no_needs_no_proof(
    here: Wire, clock: FakeClock, kind: str, purpose: str, expected: str
) -> None:
    """A no is recorded as what it is, also with a text that nobody knows here."""
    options: dict[str, Any] = {"version": "of old"} if purpose else {}
    if kind in {"consent_revoked", "death_reported"}:
        options["actor"] = acts.OPERATOR
    if kind == "consent_revoked":
        options["revocation_reason"] = shared.REVOCATION_REASON_SUBJECT_CHANGED
    answer = await bring(here, [stated(kind, clock.now - 1, purpose, **options)])
    again = await bring(here, [stated(kind, clock.now, purpose, **options)])

    assert counts(answer) == (1, 0, 0, 0)
    assert counts(again) == (0, 0, 0, 1)
    assert await why(here, purpose or "newsletter") == expected


async def test_a_no_to_publication(here: Wire, clock: FakeClock) -> None:
    """A no takes its scope along."""
    await say(here, "give", scope("all"))
    clock.advance(DAY)
    no = stated("consent_withdrawn", clock.now, "whois", scope=scope("email", contact="C1"))
    await bring(here, [no])

    assert await consented(here) == {"phone"}


@pytest.mark.parametrize(
    "kind",
    [
        "objection_withdrawn", "restriction_lifted", "notice_published", "publication_reported",
        "record_exported", "subject_erased", "consent_expired", "directions_recorded",
    ],
)  # fmt: skip
async def test_what_is_not_believed(here: Wire, clock: FakeClock, kind: str) -> None:
    """What would loosen something, and what is no word of a person's, needs a receipt."""
    refusal = await refused(bring(here, [stated(kind, clock.now)]))

    assert refusal.fields == ("events[0].stated.kind",)


async def test_what_is_yet_to_come(here: Wire, clock: FakeClock) -> None:
    """What is said to have happened after now holds from now; the claim is kept."""
    later = add(clock.now, DAY)
    await bring(here, [stated("consent_refused", later)])
    (event,) = await acts.history(here, "anna")

    assert event.since_time.ToMicroseconds() == clock.now
    assert event.claimed_time.ToMicroseconds() == later


# --- what stands -------------------------------------------------------------------------------


async def test_what_is_older_does_not_overrule(wire: Wire, here: Wire, clock: FakeClock) -> None:
    """A newer choice stands, whichever it is; what is older is skipped."""
    await wire.update("anna", change("give", "newsletter"), change("refuse", "profiling"))
    clock.advance(DAY)
    await here.update("anna", change("withdraw", "newsletter"), change("give", "profiling"))
    clock.advance(DAY)
    answer = await bring(here, await exported(wire, "anna"))

    assert counts(answer) == (0, 0, 0, 3)
    assert (await why(here), await why(here, "profiling")) == ("WITHDRAWN", "CONSENT_GIVEN")


async def test_what_is_newer_overrules(wire: Wire, here: Wire, clock: FakeClock) -> None:
    """What was said elsewhere since then counts."""
    await here.update("anna", change("withdraw", "newsletter"), change("give", "profiling"))
    clock.advance(DAY)
    await wire.update("anna", change("give", "newsletter"), change("refuse", "profiling"))
    answer = await bring(here, await exported(wire, "anna"))

    assert counts(answer) == (2, 0, 0, 1)
    assert (await why(here), await why(here, "profiling")) == ("CONSENT_GIVEN", "REFUSED")


async def test_an_objection_outlives_a_newer_consent(here: Wire, clock: FakeClock) -> None:
    """Giving lifts no objection, whichever came first here; only taking it back does."""
    for purpose in ("newsletter", "profiling"):
        await here.update("anna", change("give", purpose))
    await here.update("anna", change("object", "profiling"))
    clock.advance(DAY)
    await here.update("anna", change("withdraw_objection", "profiling"))
    at = add(clock.now, -10 * DAY)
    older = [stated("objection_raised", at, one) for one in ("newsletter", "profiling")]
    answer = await bring(here, older)

    assert counts(answer) == (1, 0, 0, 1)
    assert (await why(here), await why(here, "profiling")) == ("OBJECTED", "CONSENT_GIVEN")


async def test_an_objection_that_is_taken_back_elsewhere(
    wire: Wire, here: Wire, clock: FakeClock
) -> None:
    """It ends an older objection, and not one that was raised here since; the same for a freeze."""
    for one in (wire, here):
        await one.update("anna", change("object", "statistics"), change("object", "newsletter"))
        await acts.restrict(one, "anna")
    clock.advance(DAY)
    for purpose in ("statistics", "newsletter"):
        await wire.update("anna", change("withdraw_objection", purpose))
    await acts.lift(wire, "anna")
    clock.advance(DAY)
    await here.update("anna", change("withdraw_objection", "newsletter"))
    await here.update("anna", change("object", "newsletter"))
    await bring(here, await exported(wire, "anna"))

    assert await why(here, "statistics") == "NOT_OBJECTED"
    assert await why(here, "newsletter") == "OBJECTED"


async def test_a_freeze_that_is_newer(wire: Wire, here: Wire, clock: FakeClock) -> None:
    """The end of an older freeze does not end one that was asked for here since."""
    await acts.restrict(wire, "anna")
    await acts.lift(wire, "anna")
    clock.advance(DAY)
    await acts.restrict(here, "anna")
    await bring(here, await exported(wire, "anna"))

    assert await why(here) == "RESTRICTED"


async def test_directions_are_taken_along(
    wire: Wire, here: Wire, here_store: EventStore, clock: FakeClock
) -> None:
    """What a person wants after their death is carried out where their death is imported too."""
    until = add(clock.now, 30 * DAY)
    await acts.direct(wire, "anna", erase=True)
    await acts.direct(wire, "anna", keep_until_time=acts.stamp(until))
    await acts.report_death(wire, "anna")
    answer = await bring(here, await exported(wire, "anna"))
    pending = await here_store.pending_erasure(SubjectId("anna"))
    directions = [one.directions for one in await acts.history(here, "anna")]

    assert counts(answer) == (3, 0, 0, 1)
    assert directions[:2] == [
        shared.Directions(erase=True),
        shared.Directions(keep_until_time=acts.stamp(until)),
    ]
    assert pending
    assert pending.due == until


async def test_newer_directions_stand(wire: Wire, here: Wire, clock: FakeClock) -> None:
    """What a person has said here since is their last word."""
    await acts.direct(wire, "anna", erase=True)
    clock.advance(DAY)
    await acts.direct(here, "anna", keep_until_time=acts.stamp(clock.now + 1))
    answer = await bring(here, await exported(wire, "anna"))

    assert counts(answer) == (0, 0, 0, 2)


async def test_publication_is_compared_where_it_meets(
    wire: Wire, here: Wire, clock: FakeClock
) -> None:
    """A consent from before a no that reaches as far or further is skipped; others are not."""
    await say(wire, "give", scope("email", contact="C1"))
    await say(wire, "give", scope("phone", contact="C1"))
    await say(wire, "give", scope("email", "phone", contact="C2"))
    await say(wire, "give", scope("phone", contact="C3"))
    clock.advance(DAY)
    await say(here, "withdraw", scope("email"))
    await say(here, "withdraw", scope("all", contact="C3"))
    clock.advance(DAY)
    answer = await bring(here, await exported(wire, "anna"))

    assert counts(answer) == (2, 0, 0, 3)
    assert [await consented(here, one) for one in ("C1", "C2", "C3")] == [
        {"phone"},
        {"phone"},
        set(),
    ]


async def test_a_no_is_kept_where_only_a_part_is_in_the_way(here: Wire, clock: FakeClock) -> None:
    """An older no to some fields is a no to those of which nothing newer was said."""
    await say(here, "give", scope("all"))
    clock.advance(DAY)
    at = clock.now
    clock.advance(DAY)
    await say(here, "give", scope("email", contact="C1"))
    no = stated("consent_refused", at, "whois", scope=scope("email", "phone", contact="C1"))
    await bring(here, [no])

    assert await consented(here) == {"email"}


# --- notices -----------------------------------------------------------------------------------


async def test_a_text_that_was_never_shown_here(
    wire: Wire, tmp_path: Path, catalogue: Catalogue, clock: FakeClock
) -> None:
    """A proven yes to another text is superseded; a no is a no; an unproven yes is refused."""
    versions = (catalogues.version(catalogues.NEWSLETTER, "2"),)
    other = catalogues.catalogue(
        catalogues.purpose(catalogues.NEWSLETTER, versions=versions),
        *(one for one in catalogue.purposes.values() if one.id != catalogues.NEWSLETTER),
    )
    await wire.update("anna", change("give", "newsletter"))
    await wire.update("ben", change("refuse", "newsletter"))
    async with trusting(tmp_path, other, clock, await key_of(wire)) as here:
        for subject in ("anna", "ben"):
            await bring(here, await exported(wire, subject))
        refusal = await refused(bring(here, [stated("consent_given", clock.now, version="1")]))

        assert await why(here) == "NOTICE_SUPERSEDED"
        assert await why(here, subject="ben") == "REFUSED"
    assert (refusal.reason, refusal.fields) == ("UNKNOWN_NOTICE", ("events[0].stated.notice",))


async def test_a_purpose_that_is_no_more(
    wire: Wire, tmp_path: Path, catalogue: Catalogue, clock: FakeClock
) -> None:
    """What is proven on a purpose that the catalogue has not is kept, as in a log of its own."""
    kept = [one for one in catalogue.purposes.values() if one.id != catalogues.PROFILING]
    fewer = Catalogue({one.id: one for one in kept})
    await wire.update("anna", change("give", "profiling"), change("give", "newsletter"))
    await wire.update("anna", change("object", "profiling"))
    async with trusting(tmp_path, fewer, clock, await key_of(wire)) as here:
        answer = await bring(here, await exported(wire, "anna"))

        assert counts(answer) == (3, 0, 0, 1)
        assert await why(here) == "CONSENT_GIVEN"
    assert len(answer.written_at) > 0


# --- what is refused ---------------------------------------------------------------------------


async def test_all_or_none(here: Wire, clock: FakeClock) -> None:
    """Nothing of the message with a mistake is recorded; those before it are, and are counted."""
    good = [stated("consent_refused", clock.now, subject=f"good:{one}") for one in range(7)]
    bad = stated("consent_refused", clock.now, "nothing", "bad")
    refusal = await refused(bring(here, [*good[:5], bad, good[5]], at_once=4))

    assert (refusal.code.name, refusal.reason) == ("INVALID_ARGUMENT", "UNKNOWN_PURPOSE")
    assert refusal.fields == ("events[1].stated.purpose_id",)
    assert refusal.metadata == {"accepted_events": "4"}
    assert [len(await acts.history(here, f"good:{one}")) for one in range(6)] == [1] * 4 + [0] * 2


async def test_the_log_of_nobody_that_is_trusted(
    wire: Wire, tmp_path: Path, catalogue: Catalogue, clock: FakeClock
) -> None:
    """A receipt counts for what the log is that has signed it, and for no other reason."""
    await wire.update("anna", change("give", "newsletter"))
    events = await exported(wire, "anna")
    async with trusting(tmp_path, catalogue, clock) as here:
        refusal = await refused(bring(here, events))

        assert await acts.history(here, "anna") == []
    assert refusal.fields == ("events[0].receipt",)
    assert "signature: " in refusal.message


async def test_a_changed_byte(wire: Wire, here: Wire, pick: random.Random) -> None:
    """Whatever is changed in a receipt, it proves nothing any more."""
    await wire.update("anna", change("give", "newsletter"))
    receipt = (await exported(wire, "anna"))[0].receipt
    for _ in range(100):
        at = pick.randrange(len(receipt))
        other = pick.choice([one for one in "aZ09+/ \n" if one != receipt[at]])
        changed = receipt[:at] + other + receipt[at + 1 :]
        refusal = await refused(bring(here, [proven("1", changed)]))

        assert refusal.fields == ("events[0].receipt",)
    assert await acts.history(here, "anna") == []


async def test_without_a_personal_part(wire: Wire, here: Wire) -> None:
    """What nobody can be told by is refused: there would be no telling whose it is."""
    await wire.update("anna", change("give", "newsletter"))
    receipt = (await exported(wire, "anna"))[0].receipt
    stripped = str(replace(Receipt.parse(receipt), opened=None))
    refusal = await refused(bring(here, [proven("1", stripped)]))

    assert refusal.fields == ("events[0].receipt",)
    assert "personal part" in refusal.message


MISSING = [
    ("claimed_time", "events[0].stated.claimed_time"),
    ("actor", "events[0].stated.actor.kind"),
    ("channel", "events[0].stated.channel"),
    ("notice", "events[0].stated.notice"),
    ("kind", "events[0].stated.kind"),
    ("purpose_id", "events[0].stated.purpose_id"),
    ("subject_id", "events[0].stated.subject_id"),
]


@pytest.mark.parametrize(("name", "path"), MISSING)
async def test_what_is_missing(here: Wire, clock: FakeClock, name: str, path: str) -> None:
    """Every field that is needed is named when it is not there."""
    event = stated("consent_given", clock.now, version="1")
    event.stated.ClearField(name)  # type: ignore[arg-type]  # one of the names above
    refusal = await refused(bring(here, [event]))

    assert refusal.fields == (path,)


APART: dict[str, tuple[rights.ImportedEvent, str]] = {
    "a scope not taken": (stated("consent_refused", 1, scope=scope("all")), "scope"),
    "no scope": (stated("consent_refused", 1, "whois"), "scope"),
    "an objection's scope": (stated("objection_raised", 1, "whois", scope=scope("all")), "scope"),
    "a freeze of one purpose": (stated("processing_restricted", 1), "purpose_id"),
    "a freeze's scope": (stated("processing_restricted", 1, "", scope=scope("all")), "scope"),
    "dead and speaking": (stated("death_reported", 1, ""), "actor.kind"),
    "revoked by oneself": (stated("consent_revoked", 1), "actor.kind"),
    "no reason": (stated("consent_revoked", 1, actor=acts.OPERATOR), "revocation_reason"),
    "a reason for nothing": (
        stated("consent_refused", 1, revocation_reason=shared.REVOCATION_REASON_INVALID),
        "revocation_reason",
    ),
    "another text": (
        stated(
            "consent_given",
            1,
            notice=shared.NoticeRef(version="1", locale="en", sha256=bytes(32)),
        ),
        "notice.sha256",
    ),
}


@pytest.mark.parametrize(("event", "path"), APART.values(), ids=APART)
async def test_what_does_not_go_together(
    here: Wire, event: rights.ImportedEvent, path: str
) -> None:
    """What does not belong to an event of a kind is refused by its name."""
    refusal = await refused(bring(here, [event]))

    assert refusal.fields == (f"events[0].stated.{path}",)


async def test_nothing_is_told(here: Wire) -> None:
    """An event is proven or stated."""
    refusal = await refused(bring(here, [rights.ImportedEvent(import_id="1")]))

    assert refusal.fields == ("events[0].receipt",)


@pytest.mark.parametrize(
    ("header", "path"),
    [
        ({"source": "Two Words"}, "header.source"),
        ({"source": "x" * 65}, "header.source"),
        ({"channel": "a-b"}, "header.channel"),
        ({"actor": acts.SUBJECT}, "header.actor.kind"),
    ],
)
async def test_a_bad_header(here: Wire, header: dict[str, Any], path: str) -> None:
    """Who brings it, and from where, is looked at before anything is recorded."""
    refusal = await refused(bring(here, [], **header))

    assert refusal.fields == (path,)


async def test_the_order_of_messages(here: Wire, clock: FakeClock) -> None:
    """The header comes first and once, and every message after it has events, but not too many."""
    events = [stated("consent_refused", clock.now, subject=f"s:{one}") for one in range(101)]
    both = rights.ImportEventsRequest(header=IMPORT_HEADER.header, events=events[:1])
    some = rights.ImportEventsRequest(events=events[:1])
    for messages, fields in (
        ([], ("header",)),
        ([some], ("header",)),
        ([both], ("events",)),
        ([IMPORT_HEADER, IMPORT_HEADER], ("header",)),
        ([IMPORT_HEADER, rights.ImportEventsRequest()], ("events",)),
    ):
        refusal = await refused(here.rights.ImportEvents(iter(messages)))
        assert refusal.fields == fields
    refusal = await refused(bring(here, events, at_once=101))

    assert refusal.reason == "BATCH_TOO_LARGE"


async def test_faster_than_the_share_of_a_caller(
    sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock
) -> None:
    """Each message counts; who is refused one is told how many events were taken before."""
    many = [stated("consent_refused", clock.now, subject=f"s:{one}") for one in range(9)]
    async with serving(sqlite_store, catalogue, clock, rate=3) as wire:
        refusal = await refused(bring(wire, many, at_once=1))

    assert refusal.reason == "RATE_EXCEEDED"
    assert refusal.metadata["accepted_events"] == "2"


async def test_no_events(here: Wire) -> None:
    """An import of nothing succeeds."""
    assert counts(await bring(here, [])) == (0, 0, 0, 0)


async def test_the_reason_arrives_however_much_is_under_way(here: Wire, clock: FakeClock) -> None:
    """Somebody who is still sending is told what was wrong with the first message, not INTERNAL."""
    bad = stated("consent_refused", clock.now, "nothing", name="bad")
    padding = shared.Evidence(action="x" * 1_000)
    rest = [
        stated("consent_refused", clock.now, subject=f"s:{one}", evidence=padding)
        for one in range(2_000)
    ]
    refusal = await refused(bring(here, [bad, *rest]))

    assert (refusal.code.name, refusal.reason) == ("INVALID_ARGUMENT", "UNKNOWN_PURPOSE")


async def test_a_key_that_is_none(
    sqlite_store: EventStore, tmp_path: Path, catalogue: Catalogue, clock: FakeClock
) -> None:
    """A file of keys with anything else in it is refused when the server starts, by its line."""
    file = tmp_path / "keys"
    file.write_text("\nnot a key\n")
    with pytest.raises(KeysUnusable, match=f"{file}, line 2: "):
        async with serving(sqlite_store, catalogue, clock, trusted_log_keys=file):
            pass
