"""The job: follows the feed, and brings every registry to what may be published.

What a change may concern is written down together with the place in the feed, before anything is
sent; a worker for each registry takes it from there. So a registry that is down holds up no other,
a crash loses nothing, and what is done twice is done alike.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from itertools import islice
from typing import Any

from consentclient import (
    AsyncConsentClient,
    ConsentEvent,
    ConsentUnavailable,
    ContactField,
    ContactRole,
    EventBatch,
    EventKind,
    InvalidRequest,
    PublicationReport,
    RateExceeded,
    ReportOutcome,
    ScopeNotTaken,
    UnknownPurpose,
)
from registry_sync._errors import LoginRefused, RegistryUnavailable
from registry_sync._state import Thing
from registry_sync._things import Questions
from registry_sync._worker import Summary, Worker
from registry_sync._world import World

_log = logging.getLogger(__name__)

CHANNEL = "registry_sync"

# What is down is asked again after this many seconds, and twice as long each time; at first it may
# be no more than a connection that was cut.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 30.0
# How often in a row a reconciliation asks a registry that does not answer.
_ATTEMPTS = 6
_AT_ONCE = 10_000
_REPORTS = 100

# What can only ever let more be shown. Whatever else happens to a consent may end it.
_ADDS = frozenset(
    {
        EventKind.CONSENT_REQUESTED,
        EventKind.CONSENT_GIVEN,
        EventKind.OBJECTION_WITHDRAWN,
        EventKind.RESTRICTION_LIFTED,
    }
)

# Nothing that the caller did wrong, and gone after a while.
_PASSES = (ConsentUnavailable, RateExceeded, RegistryUnavailable, LoginRefused)


class Sync:
    """One job on one state file."""

    def __init__(self, world: World) -> None:
        self.summary = Summary()
        self._world = world
        questions = Questions(
            world.directory, world.registries, world.purpose_id, world.state.secret()
        )
        self._told = asyncio.Event()
        self._workers = [
            Worker(registry, world, questions, self.summary, self._told.set)
            for registry in world.adapters
        ]
        self._more = {worker.registry: asyncio.Event() for worker in self._workers}

    async def follow(self, until: int | None = None) -> None:
        """Follows the feed without end, or until it was read through a position and all is done.

        Begins with everything there is, if it never ran before. What a registry's rules make of a
        date is found by the next reconciliation.
        """
        try:
            await self._patiently(self._begin)
            with _plain_errors():
                await self._follow(until)
                async with asyncio.TaskGroup() as group:
                    for worker in self._workers:
                        group.create_task(self._patiently(worker.drain, worker))
            await self._patiently(self._report)
        finally:
            self._count_waiting()  # also when told to stop: the summary is read then

    async def _follow(self, until: int | None) -> None:
        async with asyncio.TaskGroup() as group:
            working = [group.create_task(self._keep_working(one)) for one in self._workers]
            reporting = group.create_task(self._keep_reporting())
            await self._read(until)
            # A command that is cut off here is sent once more by what follows.
            for task in (*working, reporting):
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
                        group.create_task(self._finish(worker, advance))
            await self._report()
        finally:
            self._count_waiting()

    def take_everything(self) -> None:
        """Writes down every switch at every registry as something to look at."""
        world = self._world
        things = (world.registries.thing(use) for use in world.directory.all_uses())
        there = (one for one in things if one is not None)
        while some := list(islice(there, _AT_ONCE)):
            world.state.take(some)
        self._wake(self._more)

    async def _begin(self) -> None:
        state = self._world.state
        if state.cursor() is None and state.start_position() is None:
            # Everything that is resolved from here on reflects what came before. The place comes
            # last: a crash before it begins anew.
            page = await self._world.client.list_events(page_size=1)
            self.take_everything()
            state.begin_at(page.head_position + 1)

    async def _read(self, until: int | None) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                async with aclosing(self._stretches()) as stretches:
                    async for stretch in stretches:
                        pause = _FIRST_PAUSE
                        self._note(stretch)
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

    def _note(self, stretch: EventBatch) -> None:
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
                # A new text may ask everybody again; and whose it was may not be known any more.
                asks = event.kind is EventKind.NOTICE_PUBLISHED
                everybody = everybody or asks or event.pseudonym is not None
                continue
            found = dict.fromkeys(self._concerned(event))
            if event.kind in _ADDS:
                things |= found
            else:
                urgent |= found
        if everybody:
            self.take_everything()
        if stretch.events:
            self._world.state.take(things, urgent, stretch.cursor, afresh=True)
        self._wake({one.registry for one in (*things, *urgent)})

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
            await self._patiently(worker.drain, worker)
            await more.wait()

    async def _keep_reporting(self) -> None:
        while True:
            self._told.clear()
            await self._patiently(self._report)
            await self._told.wait()

    async def _finish(self, worker: Worker, progress: Callable[[int], None]) -> None:
        try:
            await self._patiently(lambda: worker.drain(progress), worker, _ATTEMPTS)
        except (RegistryUnavailable, LoginRefused) as error:
            _log.error("%s was not reached: %s", worker.registry, error)

    async def _patiently(
        self,
        act: Callable[[], Awaitable[None]],
        worker: Worker | None = None,
        attempts: int | None = None,
    ) -> None:
        """Tries until it succeeds, however long what it needs is down; or so often in a row."""
        failed = 0
        while True:
            advanced = 0 if worker is None else worker.advanced
            try:
                return await act()
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
                if isinstance(error, LoginRefused):
                    # An operator lets us in again, and too many attempts may lock us out.
                    pause = _LONGEST_PAUSE
            await self._world.pause(pause)

    async def _report(self) -> None:
        """Tells the consent service what became of what was sent."""
        world = self._world
        while told := world.state.reports(_REPORTS):
            for number, report in told:
                if world.reports:
                    try:
                        await _tell(world.client, world.purpose_id, report)
                    except (UnknownPurpose, ScopeNotTaken):
                        raise
                    except InvalidRequest as error:
                        # It is never taken as it is, and would hold up all that come after it.
                        self.summary.unresolved += 1
                        why = error.reason or type(error).__name__
                        _log.error("a report was refused: %s", why)
                world.state.reported(number)


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


async def _tell(client: AsyncConsentClient, purpose_id: str, report: Mapping[str, Any]) -> None:
    await client.report_publication(
        report["subject_id"],
        purpose_id,
        PublicationReport(
            ReportOutcome(report["outcome"]),
            report["registry"],
            report["resolved_position"],
            frozenset(map(ContactField, report["published_fields"])),
            report["code"],
        ),
        contact_id=report["contact_id"],
        domain=report["domain"],
        role=None if report["role"] is None else ContactRole(report["role"]),
        channel=CHANNEL,
        request_id=report["request_id"],
    )
