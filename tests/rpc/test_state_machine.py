"""The real use cases on both stores, against a naive model, through histories made at random."""

import asyncio
import random
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from consentsvc.domain.catalogue import Catalogue
from consentsvc.domain.changes import Action
from consentsvc.domain.errors import Error
from consentsvc.domain.events import THE_SUBJECT, Actor, ActorKind, Evidence, RevocationReason
from consentsvc.domain.identifiers import (
    ActorId,
    CallerId,
    Position,
    PurposeId,
    RequestId,
    SubjectId,
)
from consentsvc.domain.instants import Instant
from consentsvc.service import notices
from consentsvc.service.consents import Change, Consents, ShownNotice, UpdateConsents
from consentsvc.service.expiry import Sweeper
from consentsvc.service.links import Links
from consentsvc.service.ports import EventStore, Question, Request
from consentsvc.service.queries import LATEST, Consistency, Queries
from consentsvc.service.requests import Written
from consentsvc.service.rights import Instruction, Rights
from consentsvc.storage.memory import MemoryEventStore
from consentsvc.storage.sqlite import open_sqlite
from tests.support import catalogues
from tests.support.catalogues import NO_PROFILES
from tests.support.clock import FakeClock
from tests.support.naive import Answer, Happened, NaiveLog, Rules

SUBJECTS = [SubjectId("anna"), SubjectId("ben")]
PURPOSES = [
    catalogues.NEWSLETTER,
    catalogues.PROFILING,
    catalogues.STATISTICS,
    catalogues.RESELLER_NEWSLETTER,
]
RULES = {
    "newsletter": Rules(),
    "profiling": Rules(months=1),
    "statistics": Rules(opt_out=True),
    "reseller42.newsletter": Rules(confirmed=True),
}
OPERATOR = Actor(ActorKind.OPERATOR, ActorId("op7"))
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

subjects = st.sampled_from(SUBJECTS)
purposes = st.sampled_from(PURPOSES)
actors = st.sampled_from([THE_SUBJECT, THE_SUBJECT, OPERATOR])
actions = st.sampled_from(list(Action))


def grown(catalogue: Catalogue, purpose_id: PurposeId, asks_again: bool) -> Catalogue:
    """The catalogue with one more version of a purpose's notice."""
    old = catalogue.purposes[purpose_id]
    version = catalogues.version(purpose_id, str(len(old.versions) + 1), asks_again=asks_again)
    new = replace(old, versions=(*old.versions, version))
    return Catalogue({**catalogue.purposes, purpose_id: new})


class World:
    """A store with the use cases on it, and the model beside it."""

    def __init__(self, store: EventStore, clock: FakeClock) -> None:
        self.store = store
        self.clock = clock
        self.links = Links(store.secret("links"))
        self.model = NaiveLog(RULES)
        self.confirmations: list[tuple[str, SubjectId, PurposeId, int]] = []
        self.withdrawals: list[tuple[str, SubjectId, PurposeId]] = []

    async def run_on(self, catalogue: Catalogue) -> None:
        """Starts the use cases on a catalogue."""
        self.consents = Consents(self.store, catalogue, NO_PROFILES, self.links, self.clock)
        self.rights = Rights(self.store, catalogue)
        self.queries = Queries(self.store, catalogue, self.links, self.clock)
        self.sweeper = Sweeper(self.store, catalogue, self.clock)
        known = {(e.purpose, e.version) for e in self.model.happened}
        await notices.publish(self.store, catalogue)
        for purpose in catalogue.purposes.values():
            for version in purpose.versions:
                self.model.rules[purpose.id].versions[version.version] = version.asks_again
                if (purpose.id, version.version) not in known:
                    for _ in version.notices:
                        self.note("notice_published", None, purpose.id, version.version)

    def note(
        self,
        kind: str,
        subject: str | None,
        purpose: str | None,
        version: str | None = None,
        refers_to: int | None = None,
    ) -> int:
        """Lets the model know what happened."""
        now = self.model.now(self.clock())
        return self.model.add(Happened(now, kind, subject, purpose, version, refers_to))

    async def update(self, command: UpdateConsents) -> None:
        expected = []
        asked = []
        updated = await self.consents.update(command)
        for change in command.changes:
            by_subject = command.actor is THE_SUBJECT
            version = change.notice.version if change.notice else None
            kind = self.model.kind_of(
                command.subject, change.purpose, change.action.value, version, by_subject
            )
            position = kind and self.note(kind, command.subject, change.purpose, version)
            expected.append(position)
            asked.append(kind == "consent_requested")
        self.agree(updated.written, expected)
        assert [token is not None for token in updated.confirmation_tokens] == asked
        for change, token, position in zip(
            command.changes, updated.confirmation_tokens, expected, strict=True
        ):
            if token and position:
                entry = (token, command.subject, change.purpose, int(position))
                self.confirmations.append(entry)
        assert await self.consents.update(command) == updated  # a repeat

    async def confirm(self, index: int, request: Request) -> None:
        token, subject, purpose, asked = self.confirmations[index % len(self.confirmations)]
        spent = self.model.spent(subject, purpose, asked, self.model.now(self.clock()))
        if spent is not None:
            with pytest.raises(Error) as caught:
                await self.consents.confirm(token, Evidence(), request)
            assert caught.value.reason == spent
            return
        written = await self.consents.confirm(token, Evidence(), request)
        version = self.model.happened[asked - 1].version
        self.agree(written, [self.note("consent_given", subject, purpose, version, asked)])

    async def redeem(self, index: int, request: Request) -> None:
        token, subject, purpose = self.withdrawals[index % len(self.withdrawals)]
        written = await self.consents.redeem(token, Evidence(), request)
        kind = self.model.kind_of(subject, purpose, "withdraw", None, by_subject=True)
        self.agree(written, [kind and self.note(kind, subject, purpose)])

    async def stand(self, kind: str, instruction: Instruction) -> None:
        words = [e.kind for e in self.model.happened if e.subject == instruction.subject]
        frozen = [word for word in words if word in {"processing_restricted", "restriction_lifted"}]
        restricted = frozen[-1:] == ["processing_restricted"]
        match kind:
            case "processing_restricted":
                written, news = await self.rights.restrict(instruction), not restricted
            case "restriction_lifted":
                written, news = await self.rights.lift(instruction), restricted
            case _:
                written, _ = await self.rights.report_death(instruction)
                news = kind not in words
        self.agree(written, [self.note(kind, instruction.subject, None) if news else None])

    async def revoke(self, instruction: Instruction, purpose: PurposeId) -> None:
        events = self.model.of(instruction.subject, purpose)
        choice, request = self.model.choice(events), self.model.request(events)
        given = choice is not None and choice[1].kind == "consent_given"
        written = await self.rights.revoke(instruction, [purpose], RevocationReason.INVALID)
        default_yes = choice is None and self.model.rules[purpose].opt_out
        news = given or request is not None or default_yes
        noted = self.note("consent_revoked", instruction.subject, purpose) if news else None
        self.agree(written, [noted])

    async def sweep(self) -> None:
        must = self.model.running_out(self.clock())
        may = self.model.running_out(self.model.now(self.clock()))
        before = Position(len(self.model.happened))
        count = await self.sweeper.sweep()
        swept = (await self.store.events(before, 1000)).events
        found = set()
        for event in swept:
            assert event.kind.value == "consent_expired"
            assert event.personal
            assert event.purpose
            assert event.refers_to
            found.add((event.personal.subject, event.purpose, event.refers_to))
            subject = event.personal.subject
            self.note(event.kind.value, subject, event.purpose, None, event.refers_to)
        assert must <= found <= may
        assert count == len(swept) == len(found)

    def agree(self, written: Written, expected: Sequence[int | str | None]) -> None:
        """The positions that were written are those of the model."""
        assert [one.position for one in written.outcomes] == [one or None for one in expected]
        assert written.written_at == len(self.model.happened)

    async def compare(self, as_of: int | None = None) -> None:
        """The answers about everybody and everything are those of the model."""
        consistency = LATEST if as_of is None else Consistency(as_of=Instant(as_of))
        questions = [Question(purpose, SUBJECTS) for purpose in PURPOSES]
        checked = await self.queries.check(questions, consistency)
        now = self.clock() if as_of is None else as_of
        for purpose, decisions in zip(PURPOSES, checked.decisions, strict=True):
            for subject, decision in zip(SUBJECTS, decisions, strict=True):
                answer = self.model.answer(subject, purpose, now, as_of)
                version = decision.notice and decision.notice.version
                assert (
                    Answer(decision.reason.name, decision.position, version, decision.valid_until)
                    == answer
                ), (subject, purpose)
                assert decision.permitted == answer.permitted
        prefix = [e for e in self.model.happened if as_of is None or e.at <= as_of]
        assert checked.read_at == len(prefix)


class ConsentMachine(RuleBasedStateMachine):
    """Makes up histories, on the reference store.

    A history is the same whenever it is taken again: time and chance are its own, down to the
    pseudonyms. What fails once then fails always, and can be made shorter.
    """

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.clock = FakeClock()
        self.chance = random.Random(0)
        self.catalogue = catalogues.catalogue()
        self.requests = 0

    async def store(self) -> EventStore:
        return MemoryEventStore(self.clock, self.chance.randbytes)

    def take(self, step: Callable[[World], Any]) -> None:
        self.runner.run(step(self.world))

    def request(self) -> Request:
        self.requests += 1
        return Request(CallerId("panel"), RequestId(str(self.requests)), b"content")

    def instruction(self, subject: SubjectId) -> Instruction:
        return Instruction(subject, OPERATOR, "letter", self.request())

    @initialize()
    def open(self) -> None:
        self.world = World(self.runner.run(self.store()), self.clock)
        self.take(lambda world: world.run_on(self.catalogue))

    @rule(
        subject=subjects,
        actor=actors,
        chosen=st.lists(st.tuples(purposes, actions), min_size=1, max_size=3, unique=True),
        newest=st.booleans(),
    )
    def update(
        self,
        subject: SubjectId,
        actor: Actor,
        chosen: list[tuple[PurposeId, Action]],
        newest: bool,
    ) -> None:
        changes = {}
        for purpose, action in chosen:
            about = action in {Action.OBJECT, Action.WITHDRAW_OBJECTION, Action.SIGNAL}
            if about and action is not Action.OBJECT and actor is not THE_SUBJECT:
                continue
            versions = self.catalogue.purposes[purpose].versions
            shown = ShownNotice(versions[-1 if newest else 0].version, "en")
            bare = about or action is Action.WITHDRAW
            changes[purpose, about] = Change(action, purpose, None if bare else shown)
        if changes:
            command = UpdateConsents(
                subject, actor, "panel", list(changes.values()), self.request()
            )
            self.take(lambda world: world.update(command))

    @precondition(lambda self: self.world.confirmations)
    @rule(index=st.integers(0, 50))
    def confirm(self, index: int) -> None:
        request = self.request()
        self.take(lambda world: world.confirm(index, request))

    @rule(subject=subjects, purpose=purposes)
    def mail(self, subject: SubjectId, purpose: PurposeId) -> None:
        async def send(world: World) -> None:
            checked = await world.queries.check([Question(purpose, [subject])], with_tokens=True)
            token = checked.tokens[0][0]
            assert (token is not None) == checked.decisions[0][0].permitted
            if token is not None:
                world.withdrawals.append((token, subject, purpose))

        self.take(send)

    @precondition(lambda self: self.world.withdrawals)
    @rule(index=st.integers(0, 50))
    def redeem(self, index: int) -> None:
        request = self.request()
        self.take(lambda world: world.redeem(index, request))

    @rule(subject=subjects, kind=st.sampled_from(["processing_restricted", "restriction_lifted"]))
    def freeze(self, subject: SubjectId, kind: str) -> None:
        instruction = self.instruction(subject)
        self.take(lambda world: world.stand(kind, instruction))

    @precondition(lambda self: self.requests > 10)  # it ends a subject's story
    @rule(subject=subjects)
    def die(self, subject: SubjectId) -> None:
        instruction = self.instruction(subject)
        self.take(lambda world: world.stand("death_reported", instruction))

    @rule(subject=subjects, purpose=purposes)
    def revoke(self, subject: SubjectId, purpose: PurposeId) -> None:
        instruction = self.instruction(subject)
        self.take(lambda world: world.revoke(instruction, purpose))

    @rule()
    def sweep(self) -> None:
        self.take(lambda world: world.sweep())

    @rule(span=st.sampled_from([HOUR, DAY, 10 * DAY, 28 * DAY, 31 * DAY, 0 * DAY]))
    def forwards(self, span: timedelta) -> None:
        self.clock.advance(span)

    @rule(span=st.sampled_from([-timedelta(microseconds=1), -HOUR, -DAY, -20 * DAY]))
    def backwards(self, span: timedelta) -> None:
        self.clock.advance(span)

    @rule(subject=subjects, purpose=purposes, short=st.sampled_from([0, 1]))
    def to_the_end(self, subject: SubjectId, purpose: PurposeId, short: int) -> None:
        """Moves to the moment at which an answer runs out, or just before it."""
        answer = self.world.model.answer(subject, purpose, self.clock())
        if answer.until is not None:
            self.clock.now = Instant(answer.until - short)

    @precondition(lambda self: self.requests > 5)
    @rule(
        purpose=st.sampled_from([catalogues.NEWSLETTER, catalogues.RESELLER_NEWSLETTER]),
        asks_again=st.booleans(),
    )
    def publish(self, purpose: PurposeId, asks_again: bool) -> None:
        self.catalogue = grown(self.catalogue, purpose, asks_again)
        self.take(lambda world: world.run_on(self.catalogue))

    @rule(
        subject=subjects,
        purpose=st.sampled_from([catalogues.NEWSLETTER, catalogues.PROFILING]),
        asks_again=st.booleans(),
        shown=st.sampled_from([None, 0, -1]),
    )
    def replace_what_was_asked(
        self, subject: SubjectId, purpose: PurposeId, asks_again: bool, shown: int | None
    ) -> None:
        """Asks, replaces the notice, and lets the subject consent to one meanwhile, or not."""
        self.give(subject, OPERATOR, purpose, -1)
        self.publish(purpose, asks_again)
        if shown is not None:
            self.give(subject, THE_SUBJECT, purpose, shown)

    def give(self, subject: SubjectId, actor: Actor, purpose: PurposeId, shown: int) -> None:
        version = self.catalogue.purposes[purpose].versions[shown].version
        change = Change(Action.GIVE, purpose, ShownNotice(version, "en"))
        command = UpdateConsents(subject, actor, "panel", [change], self.request())
        self.take(lambda world: world.update(command))

    @rule(index=st.integers(0, 100), off=st.sampled_from([-1, 0, 1]))
    def look_back(self, index: int, off: int) -> None:
        happened = self.world.model.happened
        moment = happened[index % len(happened)].at + off
        if moment < self.clock():
            self.take(lambda world: world.compare(moment))

    @invariant()
    def answers_agree(self) -> None:
        self.take(lambda world: world.compare())

    def teardown(self) -> None:
        self.runner.run(self.stack.aclose())
        self.runner.close()


# Where there is a file system in memory; else where all temporary files are.
MEMORY = next((one for one in [Path("/dev/shm")] if one.is_dir()), None)


class SqliteMachine(ConsentMachine):
    """The same on files. In memory where that can be had: what is durable is not asked here."""

    async def store(self) -> EventStore:
        folder = tempfile.TemporaryDirectory(dir=MEMORY)
        path = Path(self.stack.enter_context(folder)) / "log.db"
        opening = open_sqlite(path, clock=self.clock, random_bytes=self.chance.randbytes)
        return await self.stack.enter_async_context(opening)


# A test that is stopped while it makes a failure shorter would have failed in two ways, and be
# called flaky. Hypothesis stops by itself, after five minutes of that.
UNHURRIED = pytest.mark.timeout(900)
MACHINES = pytest.mark.parametrize("machine", [ConsentMachine, SqliteMachine])


def run(machine: type[ConsentMachine], histories: int, steps: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=histories,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
            report_multiple_bugs=False,
            phases=set(Phase) - {Phase.explain},  # it takes longer than the rest
            print_blob=True,
        ),
    )


@UNHURRIED
@MACHINES
def test_short(machine: type[ConsentMachine]) -> None:
    """Whatever happens, both stores answer as the naive model does, now and for the past."""
    run(machine, histories=50, steps=40)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@MACHINES
def test_long(machine: type[ConsentMachine]) -> None:
    """The same, for longer and with more histories."""
    run(machine, histories=1000, steps=80)
