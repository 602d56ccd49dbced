"""Forgetting a person: in which order, what is left, and what brings nobody back."""

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from consentsvc.domain.catalogue import Catalogue
from consentsvc.domain.identifiers import SubjectId
from consentsvc.domain.receipts import Receipt
from consentsvc.service.ports import EventStore, PendingErasure
from consentsvc.service.signing import Verifier
from consentsvc.storage.opening import open_store
from consentsvc.v1 import consent_event_service_pb2 as events
from consentsvc.v1 import consent_pb2 as shared
from consentsvc.v1 import consent_query_service_pb2 as queries
from consentsvc.v1 import consent_service_pb2 as consents
from consentsvc.v1 import proof_service_pb2 as proofs
from consentsvc.v1 import publication_service_pb2 as publications
from consentsvc.v1.consent_service_pb2_grpc import ConsentServiceStub
from consentsvc.v1.subject_rights_service_pb2_grpc import SubjectRightsServiceStub
from tests.rpc.publishing import ALL, contact, domain, say, scope
from tests.rpc.test_export import export
from tests.storage.test_erased import spellings, traces
from tests.support import acts, catalogues
from tests.support.acts import OPERATOR
from tests.support.chance import PURPOSES, do_something
from tests.support.clock import FakeClock
from tests.support.copies import Copy
from tests.support.refusals import refused
from tests.support.requests import good
from tests.support.servers import server_process
from tests.support.stores import SOON
from tests.support.wire import Wire, change, serving

RECORDED, UNCHANGED = consents.CHANGE_EFFECT_RECORDED, consents.CHANGE_EFFECT_UNCHANGED
SYNC = "registry_sync"


@pytest.fixture
def catalogue() -> Catalogue:
    kept = catalogues.purpose(catalogues.NEWSLETTER, proof_months=60)
    return catalogues.catalogue(kept, catalogues.purpose(catalogues.WHOIS, takes_scope=True))


@asynccontextmanager
async def waiting(
    store: EventStore, catalogue: Catalogue, clock: FakeClock, seconds: int = 60
) -> AsyncIterator[Wire]:
    """A server that has to wait for a follower."""
    settings: dict[str, Any] = {"obliged_followers": (SYNC,), "erasure_wait_seconds": seconds}
    async with serving(store, catalogue, clock, **settings) as wire:
        yield wire


async def acknowledge(wire: Wire, follower: str = SYNC) -> int:
    page = await wire.events.ListEvents(events.ListEventsRequest(page_size=1_000))
    answer = await wire.events.AcknowledgeEvents(
        events.AcknowledgeEventsRequest(follower_id=follower, cursor=page.next_page_token)
    )
    return answer.through_position


async def why(call: Awaitable[object]) -> tuple[str, ...]:
    """How a call is refused: the code, the reason, and the fields that are wrong."""
    refusal = await refused(call)
    return (refusal.code.name, refusal.reason, *refusal.fields)


async def answers(wire: Wire, subject: str) -> list[tuple[bool, str]]:
    """What is answered of somebody for every purpose that is decided for the account."""
    found = []
    for purpose in PURPOSES:
        decision = (await wire.check(subject, purpose)).decision
        reason = shared.DecisionReason.Name(decision.reason).removeprefix("DECISION_REASON_")
        found.append((decision.answer == shared.ANSWER_PERMITTED, reason))
    return found


async def test_in_order(wire: Wire) -> None:
    """Every yes is ended first, in events that still say whose; then nobody can tell any more."""
    await wire.update("anna", change("give", "newsletter"), change("refuse", "profiling"))
    await wire.update("anna", change("give", "reseller42.newsletter"))  # waits for a link
    await say(wire, "give", scope(*ALL, contact="C1"))
    await wire.update("ben", change("give", "newsletter"))
    before = await acts.head(wire)
    watch: Any = wire.events.WatchEvents(events.WatchEventsRequest(start_position=before + 1))
    await watch.read()
    erased = await acts.erase(wire, "anna")
    log = (await acts.log(wire))[before:]

    assert [(acts.kinds([one])[0], one.purpose_id) for one in log] == [
        ("CONSENT_REVOKED", "newsletter"),
        ("OBJECTION_RAISED", "statistics"),
        ("CONSENT_REVOKED", "reseller42.newsletter"),
        ("CONSENT_REVOKED", "whois"),
        ("SUBJECT_ERASED", ""),
    ]
    assert (erased.effect, erased.position) == (RECORDED, log[-1].position)
    assert [one.withheld for one in log] == [shared.WITHHELD_ERASED] * 5
    assert not any(one.subject_id or one.channel or one.HasField("scope") for one in log)
    assert len({one.pseudonym for one in log}) == 1
    watch.cancel()


async def test_followers_can_read_it_first(
    sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock
) -> None:
    """The follower that is waited for sees whom it concerns; only then is anything destroyed."""
    async with waiting(sqlite_store, catalogue, clock) as wire:
        await say(wire, "give", scope("email", contact="C1"))
        start = await acts.head(wire)
        erasing = asyncio.ensure_future(acts.erase(wire, "anna"))
        watch: Any = wire.events.WatchEvents(events.WatchEventsRequest(start_position=start + 1))
        seen: list[shared.ConsentEvent] = []
        while len(seen) < 2:
            seen += (await watch.read()).events
        known = await acts.state(wire, "anna", "newsletter")
        asleep = not erasing.done()
        through = await acknowledge(wire)
        erased = await asyncio.wait_for(erasing, SOON)
        watch.cancel()

    assert {one.subject_id for one in seen} == {"anna"}
    assert {one.revocation_reason for one in seen if one.purpose_id == "whois"} == {
        shared.REVOCATION_REASON_ERASURE
    }
    assert asleep
    assert known.purpose_id == "newsletter"
    assert through == seen[-1].position == erased.position - 1
    assert list(erased.late_follower_ids) == []


async def test_not_for_ever(
    sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock
) -> None:
    """A follower that does not act is waited for as long as was said, and is named."""
    async with waiting(sqlite_store, catalogue, clock, seconds=90) as wire:
        await wire.update("anna", change("give", "newsletter"))
        erasing = asyncio.ensure_future(acts.erase(wire, "anna"))
        while len(await acts.log(wire)) < catalogues_events(catalogue) + 3:
            pass
        clock.advance(timedelta(seconds=89))
        await erasures_looked(sqlite_store)
        early = erasing.done()
        clock.advance(timedelta(seconds=1))
        erased = await asyncio.wait_for(erasing, SOON)

    assert not early
    assert list(erased.late_follower_ids) == [SYNC]
    assert erased.effect == RECORDED


def catalogues_events(catalogue: Catalogue) -> int:
    """How many events publish its notices."""
    return sum(
        len(version.notices) for one in catalogue.purposes.values() for version in one.versions
    )


async def erasures_looked(store: EventStore) -> None:
    """Lets whoever looks at the store look at it a few times."""
    for _ in range(3):
        await store.acknowledged()


async def test_a_yes_that_comes_in_between(
    sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock
) -> None:
    """What is given while followers are waited for is ended too, and they are waited for anew."""
    async with waiting(sqlite_store, catalogue, clock) as wire:
        await wire.update("anna", change("give", "newsletter"))
        erasing = asyncio.ensure_future(acts.erase(wire, "anna"))
        while (await wire.check("anna", "newsletter")).decision.answer == shared.ANSWER_PERMITTED:
            pass
        await wire.update("anna", change("give", "profiling"))
        given = await acts.head(wire)
        await acknowledge(wire)
        while await acts.head(wire) == given:
            pass
        revoked = (await acts.log(wire))[-1]
        asleep = not erasing.done()
        await acknowledge(wire)
        erased = await asyncio.wait_for(erasing, SOON)

    assert (revoked.kind, revoked.purpose_id) == (shared.EVENT_KIND_CONSENT_REVOKED, "profiling")
    assert revoked.subject_id == "anna"
    assert asleep
    assert erased.position == revoked.position + 1
    assert list(erased.late_follower_ids) == []


async def test_it_goes_on_without_its_caller(
    sqlite_store: EventStore,
    catalogue: Catalogue,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A caller that gives up, and a server that stops, leave an erasure that is carried out."""
    async with waiting(sqlite_store, catalogue, clock) as wire:
        await wire.update("anna", change("give", "newsletter"))
        with pytest.raises(grpc.aio.AioRpcError, match="DEADLINE"):
            await wire.rights.EraseSubject(
                acts.erase_request("anna", request_id="once"), timeout=0.5
            )
        begun = await acts.head(wire)
    async with waiting(sqlite_store, catalogue, clock) as wire:
        await acknowledge(wire)
        watch: Any = wire.events.WatchEvents(events.WatchEventsRequest(start_position=begun + 1))
        seen: list[shared.ConsentEvent] = []
        async with asyncio.timeout(SOON):
            while not seen:
                seen += (await watch.read()).events
        watch.cancel()
        again = await acts.erase(wire, "anna", request_id="once")

    assert acts.kinds(seen) == ["SUBJECT_ERASED"]
    assert again.effect == UNCHANGED


async def test_a_repeat_waits_for_the_same_end(
    sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock
) -> None:
    """Two who ask at once get one erasure."""
    async with waiting(sqlite_store, catalogue, clock) as wire:
        await wire.update("anna", change("give", "newsletter"))
        both = asyncio.gather(
            acts.erase(wire, "anna", request_id="one"), acts.erase(wire, "anna", request_id="one"),
            acts.erase(wire, "anna", request_id="two"),
        )  # fmt: skip
        while (await wire.check("anna", "newsletter")).decision.answer == shared.ANSWER_PERMITTED:
            pass
        while not both.done():
            await acknowledge(wire)
        positions = {one.position for one in await both}

        log = await acts.log(wire)

    assert len(positions) == 1
    assert acts.kinds(log).count("SUBJECT_ERASED") == 1


async def test_twice(wire: Wire) -> None:
    """A second one succeeds, and records nothing; so does one of somebody who was never here."""
    await wire.update("anna", change("give", "newsletter"))
    first = await acts.erase(wire, "anna", request_id="first")
    head = await acts.head(wire)
    again = await acts.erase(wire, "anna", request_id="first")
    second = await acts.erase(wire, "anna", request_id="second")
    stranger = await acts.erase(wire, "nobody")

    assert first.effect == RECORDED
    assert [one.effect for one in (again, second, stranger)] == [UNCHANGED] * 3
    assert [one.position for one in (again, second, stranger)] == [0] * 3
    assert await acts.head(wire) == head


async def test_a_no_stays_a_no(wire: Wire) -> None:
    """Whoever objected, was restricted or has died goes on being answered no, under the same id."""
    await wire.update("anna", change("object", "newsletter"), change("give", "profiling"))
    await acts.restrict(wire, "ben")
    await acts.report_death(wire, "carl")
    await wire.update("dora", change("refuse", "newsletter"))
    for one in ("anna", "ben", "carl", "dora"):
        await acts.erase(wire, one)
    panel = await acts.choices(wire, "anna")
    batch = await wire.queries.BatchCheckConsents(_batch("anna", "ben", "carl"))
    by_purpose = {one.consent.purpose_id: one for one in panel.consents}

    assert await answers(wire, "anna") == [
        (False, "OBJECTED"), (False, "NEVER_ASKED"), (False, "OBJECTED"), (False, "NEVER_ASKED"),
    ]  # fmt: skip
    assert await answers(wire, "ben") == [(False, "RESTRICTED")] * 4
    assert await answers(wire, "carl") == [(False, "DECEASED")] * 4
    assert await answers(wire, "dora") == [
        (False, "NEVER_ASKED"), (False, "NEVER_ASKED"), (False, "OBJECTED"), (False, "NEVER_ASKED"),
    ]  # fmt: skip
    assert by_purpose["newsletter"].decision.reason == shared.DECISION_REASON_OBJECTED
    assert by_purpose["profiling"].decision.reason == shared.DECISION_REASON_NEVER_ASKED
    assert list(batch.decisions.answers) == [shared.ANSWER_NOT_PERMITTED] * 3


def _batch(*subjects: str) -> Any:
    return queries.BatchCheckConsentsRequest(
        batch=queries.CheckBatch(subject_ids=subjects, purpose_ids=["newsletter"] * len(subjects))
    )


async def test_nothing_is_published(wire: Wire) -> None:
    """A contact of somebody who was forgotten is resolved as that of a stranger, or of a no."""
    await say(wire, "give", scope(*ALL, contact="C1"))
    await say(wire, "give", scope(*ALL, contact="C1"), "ben")
    await wire.update("ben", change("object", "whois"))
    for one in ("anna", "ben"):
        await acts.erase(wire, one)
    outcomes = {}
    for one in ("anna", "ben"):
        question = publications.PublicationQuestion(
            purpose_id="whois",
            domain=domain(),
            role=shared.CONTACT_ROLE_REGISTRANT,
            contacts=[contact(subject=one)],
            operation=publications.REGISTRY_OPERATION_UPDATE,
        )
        answer = await wire.publications.ResolvePublication(
            publications.ResolvePublicationRequest(question=question)
        )
        told = answer.publication.fields
        outcomes[one] = {
            publications.PublicationReason.Name(reason).removeprefix("PUBLICATION_REASON_")
            for field, reason in zip(told.fields, told.reasons, strict=True)
            if field in {shared.CONTACT_FIELD_EMAIL, shared.CONTACT_FIELD_PHONE}
        }

    assert outcomes["anna"] == {"NO_CONSENT"}
    assert outcomes["ben"] == {"OBJECTED"}


async def test_a_late_report_brings_nobody_back(wire: Wire) -> None:
    """What a registry made of hiding somebody who was forgotten meanwhile is not recorded."""
    await say(wire, "give", scope(*ALL, contact="C1"))
    await acts.erase(wire, "anna")
    head = await acts.head(wire)
    report = await wire.publications.ReportPublication(
        good("ReportPublication", report__resolved_position=1)
    )
    stranger = await wire.publications.ReportPublication(
        good("ReportPublication", subject_id="ben", report__resolved_position=1)
    )

    assert report.position == 0
    assert stranger.position == head + 1


async def test_links_bring_nobody_back(wire: Wire) -> None:
    """A withdrawal is answered as ever and records nothing; a confirmation is void."""
    await wire.update("anna", change("give", "newsletter"))
    withdrawal = await acts.withdrawal_token(wire, "anna", "newsletter")
    asked = await wire.update("anna", change("give", "reseller42.newsletter"))
    confirmation = asked.outcomes[0].confirmation_token
    await acts.erase(wire, "anna")
    head = await acts.head(wire)
    redeemed = await acts.redeem(wire, withdrawal)
    assert await why(acts.confirm(wire, confirmation)) == (
        "FAILED_PRECONDITION",
        "CONFIRMATION_VOID",
    )

    assert (redeemed.purpose_id, redeemed.effect) == ("newsletter", UNCHANGED)
    assert await acts.head(wire) == head
    assert (await wire.check("anna", "newsletter")).decision.answer != shared.ANSWER_PERMITTED


async def test_who_comes_back_under_an_objection(wire: Wire) -> None:
    """The objection stands in their history, and it is theirs to take back."""
    await wire.update("anna", change("object", "statistics"))
    await acts.erase(wire, "anna")
    entry = await acts.state(wire, "anna", "statistics")
    await wire.update("anna", change("give", "newsletter"))
    history = await acts.history(wire, "anna")
    held = (await wire.check("anna", "statistics")).decision
    await wire.update("anna", change("withdraw_objection", "statistics"))

    assert not entry.HasField("objection_recorded_time")
    assert acts.kinds(history) == ["OBJECTION_RAISED", "CONSENT_GIVEN"]
    assert history[0].actor.kind == shared.ACTOR_KIND_SYSTEM
    assert (held.reason, held.position) == (
        shared.DECISION_REASON_OBJECTED, history[0].position,
    )  # fmt: skip
    assert (await wire.check("anna", "statistics")).decision.answer == shared.ANSWER_PERMITTED


async def test_proof_that_is_kept(wire: Wire, clock: FakeClock) -> None:
    """Where the catalogue asks for it, it can still be shown that they consented, for a time."""
    await wire.update("anna", change("give", "newsletter"), change("give", "profiling"))
    await wire.update("anna", change("withdraw", "newsletter"))
    positions = [one.position for one in await acts.history(wire, "anna")]
    erased = await acts.erase(wire, "anna")
    (kept,) = erased.kept_proofs
    given = positions[0]
    receipt = await wire.consents.GetReceipt(
        consents.GetReceiptRequest(subject_id="anna", position=given)
    )
    checkpoint = await wire.proofs.GetCheckpoint(proofs.GetCheckpointRequest())
    proven = Receipt.parse(receipt.receipt).check(Verifier.parse(checkpoint.verifier_key))
    (part,) = await export(wire, "anna", OPERATOR)
    head = await acts.head(wire)

    assert (kept.purpose_id, list(kept.positions)) == ("newsletter", [given, positions[2]])
    assert kept.expire_time.ToDatetime().year == 2031
    assert list(part.record.kept_proofs) == [kept]
    assert part.record.event_count == 0
    assert proven.event.kind.value == "consent_given"
    assert proven.event.personal is None
    assert receipt.consent_record == ""
    assert head == erased.position
    assert await why(
        wire.consents.GetReceipt(
            consents.GetReceiptRequest(subject_id="anna", position=positions[1])
        )
    ) == ("NOT_FOUND", "EVENT_UNKNOWN")
    assert await why(
        wire.consents.GetReceipt(consents.GetReceiptRequest(subject_id="ben", position=given))
    ) == ("NOT_FOUND", "EVENT_UNKNOWN")


async def test_receipts_of_others_hold(wire: Wire, pick: random.Random) -> None:
    """Every receipt and checkpoint from before an erasure is as good as it was."""
    for _ in range(30):
        await do_something(pick, wire)
    await wire.update("anna", change("give", "newsletter"))
    await wire.update("ben", change("give", "newsletter"))
    position = (await acts.history(wire, "ben"))[-1].position
    asked = consents.GetReceiptRequest(subject_id="ben", position=position)
    before = (await wire.consents.GetReceipt(asked)).receipt
    checkpoint = await wire.proofs.GetCheckpoint(
        proofs.GetCheckpointRequest(covering_position=position)
    )
    erased = await acts.erase(wire, "anna")
    later = await wire.proofs.GetCheckpoint(
        proofs.GetCheckpointRequest(covering_position=erased.position)
    )
    proof = await wire.proofs.GetConsistencyProof(
        proofs.GetConsistencyProofRequest(
            old_tree_size=checkpoint.tree_size, new_tree_size=later.tree_size
        )
    )

    assert (await wire.consents.GetReceipt(asked)).receipt == before
    assert Receipt.parse(before).check(Verifier.parse(checkpoint.verifier_key)).event.personal
    assert len(proof.hashes) > 0


async def test_copies_forget_too(wire: Wire) -> None:
    """A copy of all states loses whoever was erased, also if it was away meanwhile."""
    for one in ("anna", "ben"):
        await wire.update(one, change("give", "newsletter"))
    sync: Any = wire.events.SyncConsents(events.SyncConsentsRequest(purpose_ids=["newsletter"]))
    copy = Copy()
    while not copy.complete:
        copy.take(await sync.read())
    sync.cancel()
    known = set(copy.subjects)
    await acts.erase(wire, "anna")
    again: Any = wire.events.SyncConsents(
        events.SyncConsentsRequest(purpose_ids=["newsletter"], cursor=copy.cursor)
    )
    head = await acts.head(wire)
    while copy.through < head:
        copy.take(await again.read())
    again.cancel()

    assert known == {"anna", "ben"}
    assert set(copy.subjects) == {"ben"}


async def test_who_may_acknowledge(
    sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock
) -> None:
    """Only followers that are waited for, with a cursor of this log, never back."""
    async with waiting(sqlite_store, catalogue, clock) as wire:
        first = await wire.events.ListEvents(events.ListEventsRequest(page_size=1))
        through = await acknowledge(wire)
        back = await wire.events.AcknowledgeEvents(
            events.AcknowledgeEventsRequest(follower_id=SYNC, cursor=first.next_page_token)
        )
        stranger = await why(acknowledge(wire, "mailer"))
        nonsense = await why(
            wire.events.AcknowledgeEvents(
                events.AcknowledgeEventsRequest(follower_id=SYNC, cursor="nonsense")
            )
        )

    assert stranger == ("INVALID_ARGUMENT", "INVALID_FIELD", "follower_id")
    assert nonsense == ("INVALID_ARGUMENT", "INVALID_FIELD", "cursor")
    assert through == back.through_position == catalogues_events(catalogue)


async def test_revoking_for_an_erasure_is_no_request(wire: Wire) -> None:
    """The reason is the service's own."""
    reason = shared.REVOCATION_REASON_ERASURE
    refusal = await why(acts.revoke(wire, "anna", "newsletter", reason=reason))

    assert refusal == ("INVALID_ARGUMENT", "INVALID_FIELD", "reason")


async def test_no_trace_in_a_deployment(tmp_path: Path) -> None:
    """A server in a process of its own leaves nothing in its files, nor in what it logged."""
    store = tmp_path / "log.db"
    person = "customer:carla-4f1c9e77"
    evidence = {"session_reference": "session-carla-91ab", "ip_address": "203.0.113.77"}
    async with server_process(store=f"sqlite:///{store}") as server:
        async with grpc.aio.insecure_channel(server.address) as channel:
            writing, rights = ConsentServiceStub(channel), SubjectRightsServiceStub(channel)
            await writing.UpdateConsents(
                consents.UpdateConsentsRequest(
                    subject_id=person,
                    actor=acts.SUBJECT,
                    channel="panel",
                    changes=[
                        change("give", "newsletter"),
                        change("give", "whois_publication", scope=shared.Scope(
                            contact_id="K-carla-4711", domain="carla-loves.example",
                            fields=[shared.CONTACT_FIELD_EMAIL],
                        )),
                    ],
                    evidence=shared.Evidence(**evidence),
                    request_id="carla-asks",
                )
            )  # fmt: skip
            await rights.EraseSubject(acts.erase_request(person, request_id="carla-goes"))
            wanted = [
                one
                for value in (person, "K-carla-4711", "carla-loves.example", *evidence.values(),
                              "carla-asks", "carla-goes")
                for one in spellings(value)
            ]  # fmt: skip
            while_running = traces(tmp_path, wanted)
        server.process.terminate()
        await server.ended()
    logged = str(server.log).encode()

    assert while_running == []
    assert traces(tmp_path, wanted) == []
    assert [one for one in wanted if one in logged] == []
    assert "erased" in {one["event"] for one in server.log}


async def test_a_file_that_is_being_read(
    tmp_path: Path, catalogue: Catalogue, clock: FakeClock
) -> None:
    """Somebody who reads the file keeps nobody from writing; the erasure is done when they end."""
    path = tmp_path / "log.db"
    url = f"sqlite:///{path}"
    async with open_store(url, clock=clock) as store, serving(store, catalogue, clock) as wire:
        await wire.update("anna", change("give", "newsletter"))
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM event").fetchone()
            erasing = asyncio.ensure_future(acts.erase(wire, "anna"))
            while "SUBJECT_ERASED" not in acts.kinds(await acts.log(wire)):
                pass
            for _ in range(10):
                await wire.update("ben", change("give", "newsletter"))
            waits = not erasing.done()
        erased = await asyncio.wait_for(erasing, SOON)
        left = traces(tmp_path, [b"anna"])

    assert waits
    assert erased.effect == RECORDED
    assert left == []


async def test_a_late_retry_brings_nobody_back(wire: Wire) -> None:
    """What was answered before an erasure, and is sent again after it, makes nobody."""
    await acts.direct(wire, "anna", erase=True)
    await acts.report_death(wire, "anna", request_id="once")
    await acts.erase(wire, "anna")
    await wire.update("ben", change("object", "statistics"))
    await acts.restrict(wire, "ben")
    await acts.erase(wire, "ben")
    head = await acts.head(wire)
    again = [
        (await acts.report_death(wire, "anna", request_id="once")).effect,
        (await acts.restrict(wire, "ben")).effect,
        (await acts.revoke(wire, "ben", "newsletter")).outcomes[0].effect,
        (await wire.update("ben", change("object", "statistics"))).outcomes[0].effect,
    ]

    assert again == [UNCHANGED] * 4
    assert await acts.history(wire, "anna") == []
    assert await acts.head(wire) == head


async def test_a_conflict_brings_nobody_back(wire: Wire) -> None:
    """A change that is refused leaves nothing; one on what a panel shows of a stranger succeeds."""
    await wire.update("anna", change("object", "statistics"))
    await acts.erase(wire, "anna")
    shown = (await acts.state(wire, "anna", "statistics")).position
    refusal = await why(
        wire.update("anna", change("withdraw_objection", "statistics", expected_position=7))
    )
    nobody = await acts.history(wire, "anna")
    await wire.update("anna", change("withdraw_objection", "statistics", expected_position=shown))

    assert refusal == ("ABORTED", "POSITION_CONFLICT")
    assert nobody == []
    assert acts.kinds(await acts.history(wire, "anna")) == [
        "OBJECTION_RAISED", "OBJECTION_WITHDRAWN",
    ]  # fmt: skip


async def test_one_that_cannot_be_read_stops_nobody(
    sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock, tmp_path: Path
) -> None:
    """The job goes on with others when one person's record is damaged."""
    async with serving(sqlite_store, catalogue, clock) as wire:
        for one in ("anna", "ben"):
            await say(wire, "give", scope(*ALL, contact="C1"), one)
            await sqlite_store.write(
                lambda txn, who=one: txn.plan_erasure(who, PendingErasure(clock())),  # type: ignore[misc]  # bound now
                {SubjectId(one)},
            )
            with closing(sqlite3.connect(tmp_path / "log.db")) as connection:
                if one == "anna":
                    connection.execute("UPDATE scoped_consent SET sealed = zeroblob(99)")
                    connection.commit()
        async with asyncio.timeout(SOON):
            while "SUBJECT_ERASED" not in acts.kinds(await acts.log(wire)):
                pass

    assert await sqlite_store.pending_erasure(SubjectId("anna")) is not None
    assert await sqlite_store.pending_erasure(SubjectId("ben")) is None
