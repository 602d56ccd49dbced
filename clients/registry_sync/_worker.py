"""What is to be done at one registry: resolved, put in order, sent, and written down.

Nothing here is lost to a crash, and nothing is harmed by being done twice: what is not known to
stand is told whole. Whatever is sent was asked for right before, and once: a command that waited,
for its turn or for another attempt, could show what has been taken back meanwhile.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from consentclient import (
    ConsentError,
    ConsentUnavailable,
    ContactField,
    DataCommand,
    DiscloseCommand,
    Publication,
    ReportOutcome,
)
from registry_sync._applied import Applied
from registry_sync._due import CONTACT, DOMAIN, FORMER, Due, Thing
from registry_sync._errors import (
    LoginRefused,
    PolicyDiffers,
    Refused,
    RegistryUnavailable,
    Unsayable,
)
from registry_sync._reports import reports_of
from registry_sync._resting import Resting
from registry_sync._sending import send
from registry_sync._steps import Step, is_held, next_step, stands
from registry_sync._summary import Summary
from registry_sync._things import Inquiry, Lost, Questions
from registry_sync._turns import Turns
from registry_sync._wire import Held
from registry_sync._world import World

_log = logging.getLogger(__name__)

# The domains of one request: it stays far below the size of a message, whoever has how many.
_DOMAINS = 10_000
# There is no such object, or it is another registrar's.
_NOT_OURS = frozenset({2303, 2201})
# Its status prohibits the operation.
_STATUS = 2304


class _Asked(NamedTuple):
    """What is asked about one switch, and what is known of it."""

    due: Due
    applied: Applied
    inquiry: Inquiry


class _Task(NamedTuple):
    """What the consent service answered about one switch, and the command that follows."""

    due: Due
    applied: Applied
    inquiry: Inquiry
    publication: Publication
    step: Step


class Worker:
    """Brings one registry to what may be published."""

    def __init__(
        self,
        registry: str,
        world: World,
        questions: Questions,
        summary: Summary,
        on_report: Callable[[], None] = lambda: None,
    ) -> None:
        self.registry = registry
        self.advanced = 0
        """Grows with everything that was got done: there is hope as long as it does."""
        self._resting = Resting(world.clock)
        self._turns = Turns(registry, world.state, self._resting)
        self._adapter = world.adapters[registry]
        self._client = world.client
        self._directory = world.directory
        self._state = world.state
        self._relay = world.relay
        self._questions = questions
        self._summary = summary
        self._on_report = on_report

    async def drain(self, progress: Callable[[int], None] = lambda _done: None) -> None:
        """Works until nothing is left to do.

        Raises `PutOff` if all that is left rests for a while, and `RegistryUnavailable`,
        `LoginRefused`, `PolicyDiffers` or `ConsentUnavailable`; what is not done then is done by
        the next call.
        """
        while due := self._turns.next():
            await self._round(due, progress)
        if self._state.due(self.registry, 1):
            raise self._resting.left()

    async def _round(self, due: Sequence[Due], progress: Callable[[int], None]) -> None:
        """Does some of it: first what hides, and nothing else while something is urgent."""
        tasks = await self._ask([(one, self._state.applied(one.thing)) for one in due])
        progress(len(due) - len(tasks))
        first = [one for one in tasks if one.step.hides]
        then = [one for one in tasks if not one.step.hides]
        if due[0].urgent:
            self._state.defer(one.due for one in then)
            then = []
        self._state.about_to_send(
            (one.due.thing, one.inquiry.contact.handle, one.inquiry.facts)
            for one in (*first, *then)
        )
        for task in (*first, *then):
            if self._turns.must_wait(task.due):
                return
            if await self._carry_out(task):
                progress(1)

    async def _carry_out(self, task: _Task) -> bool:
        """Takes the next step, if there still is one; tells whether it was the last."""
        hides = await self._adapter.ready()
        try:
            held = await self._held(task)
            if held is not None and held.pending:
                self._resting.put_off(task.due, accepted=True)
                return False
            # To connect takes time, and so does what was sent before. Ask again, right now.
            again = await self._ask([(task.due, task.applied)])
            if not again:
                return True
            task = again[0]
            if held is None or not is_held(task.step.command, held.disclose):
                in_force = await self._send(task, hides)
                if not in_force:
                    self._not_in_force(task)
                    return False
        except RegistryUnavailable as error:
            self._failed(task.due, error)
            return False
        except LoginRefused:
            raise
        except (Refused, ValueError) as error:
            return await self._refused_with(task, error)
        self._accepted(task)
        return task.step.last

    async def _held(self, task: _Task) -> Held | None:
        """What has become of a command that was accepted, and was not in force then."""
        if not task.applied.pending:
            return None
        try:
            return await self._ask_registry(task)
        except RegistryUnavailable:
            if task.step.hides:
                return None
            raise

    async def _ask_registry(self, task: _Task) -> Held | None:
        """What the registry holds; None if it will not say. It may be told all the same."""
        of_domain = task.due.thing.kind == DOMAIN
        name = task.due.thing.name if of_domain else task.inquiry.contact.handle
        try:
            return await self._adapter.held(name, of_domain=of_domain)
        except LoginRefused:
            raise
        except Refused as error:
            _log.warning("%s does not say what it holds: %s", self.registry, error)
            return None

    async def _send(self, task: _Task, hides: bool | None) -> bool:
        command = task.step.command
        listed = command.listed if isinstance(command, DiscloseCommand) else None
        # The flag says what the list is an exception to.
        if listed is not None and hides is not None and hides is not listed.flag:
            raise PolicyDiffers(hides=hides)
        contact = task.inquiry.contact
        return await send(self._adapter, command, task.publication, contact, self._relay)

    async def _refused_with(self, task: _Task, error: Refused | ValueError) -> bool:
        """Writes down what was refused, unless it only has to wait; tells whether it is done."""
        if isinstance(error, Refused):
            if error.code in _NOT_OURS and task.inquiry.unused:
                self._got_done(task.due)
                self._state.forget(task.due)
                return True
            try:
                pending = error.code == _STATUS and await self._is_pending(task)
            except RegistryUnavailable as unknown:
                self._failed(task.due, unknown)
                return False
            if pending:
                self._not_in_force(task)
                return False
            # Where it is not known what came of an earlier attempt, that may be the very reason:
            # what is there cannot be added, and what is gone cannot be taken away (frnic, fury).
            # It could be taken for done only if the registry could be asked, and of these two it
            # is not known how what they hold is to be read. So it stays not known, and is told as
            # refused: a reconciliation tries again, and somebody has been alarmed.
            self._refused(task, error.code, sure=task.applied.sure and not error.resent)
            return True
        # Nothing was sent: these facts cannot be said in the words of this registry.
        if isinstance(error, Unsayable):
            _log.error("cannot be said to %s: %s", self.registry, error)
        self._refused(task, None, sure=task.applied.sure)
        return True

    async def _is_pending(self, task: _Task) -> bool:
        """Whether the registry takes nothing because something that it took is not in force yet.

        That may be our own, if the answer to it was lost.
        """
        held = await self._ask_registry(task)
        return held is not None and held.pending

    async def _ask(self, due: Sequence[tuple[Due, Applied]]) -> list[_Task]:
        """Resolves things, and writes down those of which there is nothing to send."""
        tasks: list[_Task] = []
        settled: list[tuple[Due, Applied]] = []
        for asked in _batches(self._inquiries(due, settled)):
            answers = await self._client.resolve_many([one.inquiry.question for one in asked])
            for one, answer in zip(asked, answers, strict=True):
                task = self._understood(one, answer, settled)
                if task is not None:
                    tasks.append(task)
        self._state.settled(settled)
        for due_one, _ in settled:
            self._resting.wake(due_one.thing)
        self.advanced += len(settled)
        return tasks

    def _inquiries(
        self, due: Iterable[tuple[Due, Applied]], settled: list[tuple[Due, Applied]]
    ) -> Iterator[_Asked]:
        for one, known in due:
            applied = self._of_same_object(one.thing, known)
            try:
                inquiry = self._questions.about(one.thing, applied)
            except Lost:
                self._summary.unresolved += 1
                _log.error("a contact of %s may be public, and it is gone", self.registry)
                inquiry = None
            if inquiry is None:
                settled.append((one, applied))
            else:
                yield _Asked(one, applied, inquiry)

    def _of_same_object(self, thing: Thing, applied: Applied) -> Applied:
        """What stands of a thing; what stands of an object that it does not have any more, is not.

        That one is hidden by itself: it may be there still.
        """
        if thing.kind != CONTACT or not applied.handle:
            return applied
        contact = self._directory.contact(thing.name)
        if contact is None or contact.handle.casefold() == applied.handle.casefold():
            return applied
        self._state.hand_over(thing, Thing(FORMER, thing.registry, applied.handle))
        return Applied(sure=False)

    def _understood(
        self,
        asked: _Asked,
        answer: Publication | ConsentError,
        settled: list[tuple[Due, Applied]],
    ) -> _Task | None:
        due, applied, inquiry = asked
        if isinstance(answer, ConsentUnavailable):
            raise answer
        if isinstance(answer, ConsentError):
            self._summary.unresolved += 1
            # No more than that: the facts are somebody's.
            why = answer.reason or type(answer).__name__
            _log.error("not resolved: change %d at %s: %s", due.mark, self.registry, why)
            settled.append((due, applied))
            return None
        step = next_step(answer, applied, inquiry.question.changed_fields, inquiry.digests)
        if step is None:
            self._summary.unchanged += 1
            settled.append((due, _told(inquiry, stands(answer, inquiry.digests))))
            return None
        if step.name == applied.refused:
            self._summary.refused += 1  # it has been asked for this before
            _log.error("not sent: %s has refused it before: change %d", self.registry, due.mark)
            settled.append((due, applied))
            return None
        return _Task(due, applied, inquiry, answer, step)

    def _failed(self, due: Due, error: RegistryUnavailable) -> None:
        if self._turns.failed(due):
            raise error
        _log.warning("%s: change %d rests: %s", self.registry, due.mark, error)

    def _not_in_force(self, task: _Task) -> None:
        _log.warning(
            "%s: change %d was accepted and is not in force yet", self.registry, task.due.mark
        )
        after = task.applied._replace(sure=False, pending=True)
        self._state.answered(task.due, _told(task.inquiry, after), done=False)
        self._turns.answered()
        self.advanced += not task.applied.pending
        self._resting.put_off(task.due, accepted=True)

    def _got_done(self, due: Due) -> None:
        self._turns.answered()
        self._resting.wake(due.thing)
        self.advanced += 1

    def _accepted(self, task: _Task) -> None:
        step = task.step
        reports: Iterable[Mapping[str, Any]] = ()
        if isinstance(step.command, DataCommand):
            self._summary.values += 1  # what is published has not changed
        else:
            self._summary.hidden += step.hides
            self._summary.shown += step.shows
            reports = self._reports(task, ReportOutcome.APPLIED, step.after.published)
        after = _told(task.inquiry, step.after)
        self._state.answered(task.due, after, reports, done=step.last)
        self._turns.answered()
        self.advanced += 1
        if step.last:
            self._resting.wake(task.due.thing)
        self._on_report()

    def _refused(self, task: _Task, code: int | None, *, sure: bool) -> None:
        self._summary.refused += 1
        # Nobody's data is named: the registry and the position in the log lead to it.
        _log.log(
            logging.ERROR if task.step.hides else logging.WARNING,
            "not applied: %s was refused by %s with %s, resolved at position %d",
            "hiding" if task.step.hides else "showing",
            self.registry,
            "nothing that it could be told" if code is None else code,
            task.publication.read_position,
        )
        after = task.applied._replace(sure=sure, refused=task.step.name, pending=False)
        reports = self._reports(
            task, ReportOutcome.REFUSED, task.publication.published_fields, code
        )
        self._state.answered(task.due, _told(task.inquiry, after), reports)
        self._got_done(task.due)
        self._on_report()

    def _reports(
        self,
        task: _Task,
        outcome: ReportOutcome,
        published: frozenset[ContactField],
        code: int | None = None,
    ) -> Iterable[Mapping[str, Any]]:
        if task.due.thing.kind == FORMER:
            return ()  # of the contact as it is now it says nothing
        return reports_of(task.due.thing, task.inquiry, task.publication, outcome, published, code)


def _told(inquiry: Inquiry, applied: Applied) -> Applied:
    """What stands of the object that was told."""
    return applied._replace(handle=inquiry.contact.handle, facts=inquiry.facts)


def _batches(asked: Iterator[_Asked]) -> Iterator[list[_Asked]]:
    batch: list[_Asked] = []
    domains = 0
    for one in asked:
        batch.append(one)
        domains += 1 + len(one.inquiry.question.other_domains)
        if domains >= _DOMAINS:
            yield batch
            batch, domains = [], 0
    if batch:
        yield batch
