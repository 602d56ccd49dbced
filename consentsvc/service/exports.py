"""Everything that is held about a person, handed out (GDPR art. 15 and 20)."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from typing import NamedTuple

from consentsvc.domain.errors import SubjectUnknown
from consentsvc.domain.events import ActorKind, Event, EventKind, NewEvent, Personal
from consentsvc.domain.identifiers import START, SubjectId
from consentsvc.domain.instants import Instant
from consentsvc.service.ports import (
    Clock,
    EventStore,
    KeptProof,
    Published,
    Stretch,
    Transaction,
)
from consentsvc.service.queries import Choices, Queries
from consentsvc.service.receipts import Receipts
from consentsvc.service.requests import Effect, Outcome, once
from consentsvc.service.rights import Instruction

# An event carries up to 20 KB of evidence, and in its receipt the same again: so many of them and
# the texts that they name stay far below the size of a message.
_AT_ONCE = 30


class Held(NamedTuple):
    """What stands, and of how many events it is what follows.

    `proofs` are kept of somebody with the same id who was erased.
    """

    choices: Choices
    events: int
    made_at: Instant
    proofs: Sequence[KeptProof]


class Part(NamedTuple):
    """Some of the events with their receipts, and the notices that none before them named.

    `held` comes with the first. `receipts` is empty unless they were asked for.
    """

    held: Held | None
    events: Sequence[Event]
    receipts: Sequence[str]
    notices: Sequence[Published]


class Exports:
    """Hands out a person's record, and records that it did."""

    def __init__(
        self, store: EventStore, queries: Queries, receipts: Receipts, clock: Clock
    ) -> None:
        self._store = store
        self._queries = queries
        self._receipts = receipts
        self._clock = clock

    async def export(
        self, instruction: Instruction, *, with_receipts: bool
    ) -> AsyncGenerator[Part, None]:
        """Yields everything that is held, in parts that a caller can take as slowly as they like.

        What is recorded while it is being read is not in it.
        """
        subject = instruction.subject
        await self._record(instruction)
        named = {(one.purpose, one.notice): one for one in await self._store.published()}
        whole = await self._held(subject)
        head, left, past = whole.choices.read_at, whole.events, START
        held: Held | None = whole
        while held is not None or left > 0:
            page = await self._store.subject_events(subject, Stretch(_AT_ONCE, past))
            events = [one for one in page.events if one.position <= head]
            receipts = [await self._receipt(subject, one) for one in events if with_receipts]
            notices = [
                named.pop(key)
                for key in dict.fromkeys((one.purpose, one.notice) for one in events)
                if key in named
            ]
            yield Part(held, events, receipts, notices)
            held, left = None, left - len(events)
            if events:
                past = events[-1].position

    async def _record(self, instruction: Instruction) -> None:
        if instruction.actor.kind is ActorKind.SUBJECT:
            return
        subject = instruction.subject
        personal = Personal(subject, instruction.actor, instruction.channel)

        def record(transaction: Transaction) -> Outcome:
            event = NewEvent(EventKind.RECORD_EXPORTED, personal=personal)
            return Outcome(Effect.RECORDED, position=transaction.append(event))

        with suppress(SubjectUnknown):  # of nobody there is nothing to be handed out
            await self._store.write(
                lambda transaction: once(
                    transaction, instruction.request, subject, lambda: [record(transaction)]
                ),
                {subject},
                only_known=True,
            )

    async def _held(self, subject: SubjectId) -> Held:
        """Reads what stands, and how many events that follows from."""
        proofs = await self._store.kept_proofs(subject)
        while True:
            choices = await self._queries.choices(subject)
            newest = await self._store.subject_events(subject, Stretch(1, newest_first=True))
            if all(one.position <= choices.read_at for one in newest.events):
                return Held(choices, newest.total, self._clock(), proofs)

    async def _receipt(self, subject: SubjectId, event: Event) -> str:
        return str((await self._receipts.issue(subject, event.position)).receipt)
