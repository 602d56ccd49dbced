"""The job: follows the feed, and brings every registry to what may be published.

What a change may concern is written down together with the place in the feed, before anything is
sent; a worker for each registry takes it from there. So a registry that is down holds up no other,
a crash loses nothing, and what is done twice is done alike.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from contextlib import aclosing, contextmanager
from itertools import islice

from consentclient import (
    ConsentEvent,
    ConsentUnavailable,
    EventBatch,
    EventKind,
    RateExceeded,
)
from registry_sync._acknowledging import Acknowledgements
from registry_sync._due import Thing
from registry_sync._errors import (
    FollowerUnknown,
    LoginRefused,
    PolicyDiffers,
    PutOff,
    RegistryUnavailable,
)
from registry_sync._reports import Reporter
from registry_sync._summary import Summary
from registry_sync._things import Questions
from registry_sync._worker import Worker
from registry_sync._world import World

_log = logging.getLogger(__name__)

# What is down is asked again after this many seconds, and twice as long each time; at first it may
# be no more than a connection that was cut.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 30.0
# How often in a row a reconciliation asks a registry that does not answer.
_ATTEMPTS = 6
# How often at the end of a job something is tried that fails while everything else goes through.
_MANY_ATTEMPTS = 12
_AT_ONCE = 10_000
# To acknowledge costs the service a write, and whoever forgets somebody can wait as long as this.
_BETWEEN_ACKNOWLEDGEMENTS = 1.0

# What can only ever let more be shown. Whatever else happens to a consent may end it.
_ADDS = frozenset(
    {
        EventKind.CONSENT_REQUESTED,
        EventKind.CONSENT_GIVEN,
        EventKind.OBJECTION_WITHDRAWN,
        EventKind.RESTRICTION_LIFTED,
    }
)

# What hides nobody, whosever it was. Somebody who is forgotten has had every yes taken back before.
_HIDES_NOBODY = _ADDS | {EventKind.RECORD_EXPORTED, EventKind.SUBJECT_ERASED}

# Nothing that the caller did wrong, and gone after a while.
_OF_REGISTRY = (RegistryUnavailable, LoginRefused, PolicyDiffers)
_PASSES = (ConsentUnavailable, RateExceeded, *_OF_REGISTRY)
# It takes an operator to end these, and too many attempts may lock us out.
_FOR_OPERATORS = (LoginRefused, PolicyDiffers)


class Sync:
    """One job on one state file."""

    def __init__(self, world: World) -> None:
        self.summary = Summary()
        self._world = world
        questions = Questions(
            world.directory, world.registries, world.purpose_id, world.state.secret()
        )
        self._told = asyncio.Event()
        self._advanced = asyncio.Event()
        self._looked_through = 0
        self._reporter = Reporter(world, questions, self.summary)
        self._acknowledgements = (
            None if world.follower is None else Acknowledgements(world, world.follower)
        )
        self._workers = [
            Worker(registry, world, questions, self.summary, self._told.set)
            for registry in world.adapters
        ]
        self._more = {worker.registry: asyncio.Event() for worker in self._workers}

    async def follow(self, until: int | None = None) -> None:
        """Follows the feed without end, or until it was read through a position.

        Then it ends when all is done, but for what always fails by itself or is not in force yet.
        Begins with everything there is, if it never ran before. What a registry's rules make of a
        date is found by the next reconciliation. Raises `FollowerUnknown` before it does anything.
        """
        try:
            if self._acknowledgements is not None:
                await self._patiently(self._acknowledgements.introduce)
            await self._patiently(self._begin)
            with _plain_errors():
                await self._follow(until)
                async with asyncio.TaskGroup() as group:
                    for worker in self._workers:
                        group.create_task(self._finish(worker))
            await self._patiently(self._reporter.tell)
            if self._acknowledgements is not None:
                await self._patiently(self._acknowledgements.tell_all)
        finally:
            self._count_waiting()  # also when told to stop: the summary is read then

    async def _follow(self, until: int | None) -> None:
        async with asyncio.TaskGroup() as group:
            working = [group.create_task(self._keep_working(one)) for one in self._workers]
            telling = [group.create_task(self._keep_reporting())]
            if self._acknowledgements is not None:
                telling.append(group.create_task(self._keep_acknowledging(self._acknowledgements)))
            await self._read(until)
            # A command that is cut off here is sent once more by what follows.
            for task in (*working, *telling):
                task.cancel()

    async def reconcile(
        self, progress: Callable[[int, int], None] = lambda _done, _total: None
    ) -> None:
        """Holds everything against what was last applied, and repairs what differs.

        What a registry has refused is tried once more. A registry that cannot be reached is passed
        over, and counted; `ConsentUnavailable` ends it.
        """
        self.take_everything()
        self._world.state.forget_refusals()
        waiting = self._world.state.waiting()
        total, done = sum(waiting.get(one.registry, 0) for one in self._workers), 0

        def advance(by: int) -> None:
            nonlocal done
            done += by
            progress(done, max(done, total))

        try:
            with _plain_errors():
                async with asyncio.TaskGroup() as group:
                    for worker in self._workers:
                        group.create_task(self._finish(worker, advance, _ATTEMPTS))
            await self._reporter.tell()
        finally:
            self._count_waiting()

    def take_everything(self) -> None:
        """Writes down every switch at every registry as something to look at.

        Those of contacts that no domain has are among them, if they may be public.
        """
        world = self._world
        world.state.take_standing()
        things = (world.registries.thing(use) for use in world.directory.all_uses())
        there = (one for one in things if one is not None)
        while some := list(islice(there, _AT_ONCE)):
            world.state.take(some)
        self._wake(self._more)

    async def _begin(self) -> None:
        state = self._world.state
        if state.cursor() is None and state.start_position() is None:
            # The place comes last: a crash before it begins anew.
            await self._look_at_everything()
            state.begin_at(self._looked_through + 1)

    async def _look_at_everything(self) -> None:
        """Takes everything. What is resolved from here on reflects all that came before."""
        page = await self._world.client.list_events(page_size=1)
        self.take_everything()
        self._looked_through = page.head_position

    async def _read(self, until: int | None) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                async with aclosing(self._stretches()) as stretches:
                    async for stretch in stretches:
                        pause = _FIRST_PAUSE
                        await self._note(stretch)
                        if until is not None and stretch.through_position >= until:
                            return
            except (ConsentUnavailable, RateExceeded) as error:
                _log.warning("the feed cannot be read: %s", type(error).__name__)
                await self._world.pause(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    def _stretches(self) -> AsyncGenerator[EventBatch, None]:
        cursor = self._world.state.cursor()
        if cursor is not None:
            return self._world.client.watch(cursor=cursor)
        return self._world.client.watch(start_position=self._world.state.start_position() or 1)

    async def _note(self, stretch: EventBatch) -> None:
        urgent: dict[Thing, None] = {}
        things: dict[Thing, None] = {}
        everybody = False
        for event in stretch.events:
            # What stands above every choice names no purpose.
            if event.kind is EventKind.PUBLICATION_REPORTED or event.purpose_id not in {
                None,
                self._world.purpose_id,
            }:
                continue
            if event.subject_id is None:
                everybody = everybody or self._concerns_anybody(event)
                continue
            found = dict.fromkeys(self._concerned(event))
            if event.kind in _ADDS:
                things |= found
            else:
                urgent |= found
        if everybody:
            await self._look_at_everything()
        state = self._world.state
        if stretch.events or state.cursor() is None:
            state.take(things, urgent, stretch.cursor, afresh=True)
        self._wake({one.registry for one in (*things, *urgent)})
        self._advanced.set()

    def _concerns_anybody(self, event: ConsentEvent) -> bool:
        """Whether an event without a subject may change what is to be shown of somebody.

        A new text may ask everybody again, and who took something back may have been forgotten
        before that was read.
        """
        if event.position <= self._looked_through:
            return False
        if event.pseudonym is None:
            return event.kind is EventKind.NOTICE_PUBLISHED
        return event.kind not in _HIDES_NOBODY

    def _concerned(self, event: ConsentEvent) -> Iterator[Thing]:
        world, scope = self._world, event.scope
        if event.subject_id is None:
            return
        contact = None if scope is None else scope.contact_id
        domain = None if scope is None else scope.domain
        for use in world.directory.uses(event.subject_id, contact, domain):
            thing = world.registries.thing(use)
            if thing is not None:
                yield thing
        # The registrar may have forgotten about a contact before the registry has.
        yield from world.state.standing(event.subject_id, contact)

    def _wake(self, registries: Iterable[str]) -> None:
        for registry in registries:
            if registry in self._more:
                self._more[registry].set()

    def _count_waiting(self) -> None:
        self.summary.not_reached = sum(self._world.state.waiting().values())

    async def _keep_working(self, worker: Worker) -> None:
        more = self._more[worker.registry]
        while True:
            more.clear()
            try:
                await self._patiently(lambda: worker.drain(self._note_advance), worker)
                await more.wait()
            except PutOff as rest:  # said when it began to rest
                await self._wait_for(more, rest.seconds)

    async def _wait_for(self, more: asyncio.Event, at_most: float) -> None:
        waiting = [
            asyncio.ensure_future(more.wait()),
            asyncio.ensure_future(self._world.pause(at_most)),
        ]
        try:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                one.result()
        finally:
            for one in waiting:
                one.cancel()

    async def _keep_reporting(self) -> None:
        while True:
            self._told.clear()
            await self._patiently(self._reporter.tell)
            self._advanced.set()
            await self._told.wait()

    async def _keep_acknowledging(self, acknowledgements: Acknowledgements) -> None:
        while True:
            self._advanced.clear()
            try:
                await self._patiently(acknowledgements.tell)
            except FollowerUnknown as error:
                # It was known at first. What is to be hidden does not wait for an operator.
                _log.error("nothing is acknowledged: %s", error)
            await self._world.pause(_BETWEEN_ACKNOWLEDGEMENTS)
            await self._advanced.wait()

    def _note_advance(self, _done: int) -> None:
        self._advanced.set()

    async def _finish(
        self,
        worker: Worker,
        progress: Callable[[int], None] = lambda _done: None,
        attempts: int | None = None,
    ) -> None:
        """Works until everything is done, or is not to be had now.

        A registry that is down is waited for without end, unless it has so many `attempts`; a
        command that always fails by itself is not.
        """
        failed = 0
        while True:
            advanced = worker.advanced
            try:
                return await self._patiently(lambda: worker.drain(progress), worker, attempts)
            except PutOff as rest:
                failed = 0 if worker.advanced > advanced else failed + 1
                if rest.accepted or failed >= (attempts or _MANY_ATTEMPTS):
                    return self._not_reached(worker, rest)
                await self._world.pause(rest.seconds)
            except _OF_REGISTRY as error:
                return self._not_reached(worker, error)

    @staticmethod
    def _not_reached(worker: Worker, error: Exception) -> None:
        _log.error("%s was not reached: %s", worker.registry, error)

    async def _patiently(
        self,
        act: Callable[[], Awaitable[object]],
        worker: Worker | None = None,
        attempts: int | None = None,
    ) -> None:
        """Tries until it succeeds, however long what it needs is down; or so often in a row."""
        failed = 0
        while True:
            advanced = 0 if worker is None else worker.advanced
            try:
                await act()
            except _PASSES as error:
                if worker is not None and worker.advanced > advanced:
                    failed = 0
                failed += 1
                if attempts is not None and (
                    failed == attempts or not isinstance(error, RegistryUnavailable | RateExceeded)
                ):
                    raise
                at = "the consent service" if worker is None else worker.registry
                _log.warning("%s: waiting: %s", at, error)
                pause = min(_FIRST_PAUSE * 2.0 ** min(failed - 1, 60), _LONGEST_PAUSE)
                if isinstance(error, _FOR_OPERATORS):
                    pause = _LONGEST_PAUSE
            else:
                return
            await self._world.pause(pause)


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Raises the first of the errors that ended a group, by itself."""
    try:
        yield
    except BaseExceptionGroup as several:
        error: BaseException = several
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None
