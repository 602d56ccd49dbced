"""What is to be done at one registry: resolved, put in order, sent, and written down.

Nothing here is lost to a crash, and nothing is harmed by being done twice: what is not known to
stand is told whole. Whatever is sent was asked for right before, and once: a command that waited,
for its turn or for another attempt, could show what has been taken back meanwhile.
"""

import logging
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from consentclient import (
    ConsentError,
    ConsentUnavailable,
    ContactField,
    DataCommand,
    Publication,
    PublicationQuestion,
    ReportOutcome,
)
from registry_sync._directory import ContactRecord
from registry_sync._errors import LoginRefused, Refused, Unsayable
from registry_sync._sending import send
from registry_sync._state import Applied, Due
from registry_sync._steps import Step, next_step, stands
from registry_sync._things import CONTACT, Questions
from registry_sync._world import World

_log = logging.getLogger(__name__)

# What is resolved at once: enough that a question costs little, few enough that a withdrawal which
# comes meanwhile is not far behind.
_ROUND = 200
# The domains of one request: it stays far below the size of a message, whoever has how many.
_DOMAINS = 10_000


@dataclass(slots=True)
class Summary:
    """What has been done: switches that were as they should be, and commands that were answered."""

    unchanged: int = 0
    hidden: int = 0
    shown: int = 0
    values: int = 0
    refused: int = 0
    unresolved: int = 0
    not_reached: int = 0

    @property
    def failed(self) -> int:
        """How many are not as they should be."""
        return self.refused + self.unresolved + self.not_reached


class _Asked(NamedTuple):
    """What is asked about one switch, and what is known of it."""

    due: Due
    applied: Applied
    question: PublicationQuestion
    contact: ContactRecord


class _Task(NamedTuple):
    """What the consent service answered about one switch, and the command that follows."""

    due: Due
    applied: Applied
    contact: ContactRecord
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

        Raises `RegistryUnavailable`, `LoginRefused` or `ConsentUnavailable`; what is not done then
        is done by the next call.
        """
        while due := self._state.due(self.registry, _ROUND):
            await self._round(due, progress)

    async def _round(self, due: Sequence[Due], progress: Callable[[int], None]) -> None:
        """Does some of it: first what hides, and nothing else while something is urgent."""
        tasks = await self._ask([(one, self._state.applied(one.thing)) for one in due])
        progress(len(due) - len(tasks))
        first = [one for one in tasks if one.step.hides]
        then = [one for one in tasks if not one.step.hides]
        if due[0].urgent:
            self._state.defer(one.due for one in then)
            then = []
        self._state.about_to_send(one.due.thing for one in (*first, *then))
        for task in (*first, *then):
            if not task.due.urgent and self._state.is_pressed(self.registry):
                return  # somebody has just taken something back, perhaps: that goes first
            if await self._carry_out(task):
                progress(1)

    async def _carry_out(self, task: _Task) -> bool:
        """Takes the next step, if there still is one; tells whether it was the last."""
        # To connect takes time, and so does what was sent before. Ask again, right now.
        await self._adapter.ready()
        again = await self._ask([(task.due, task.applied)])
        if not again:
            return True
        task = again[0]
        step = task.step
        try:
            await send(self._adapter, step.command, task.publication, task.contact, self._relay)
        except LoginRefused:
            raise
        except Refused as error:
            # Where it is not known what came of an earlier attempt, that may be the very reason:
            # what is there cannot be added, and what is gone cannot be taken away (frnic, fury).
            # It could be taken for done only if the registry could be asked, and of these two it
            # is not known how what they hold is to be read. So it stays not known, and is told as
            # refused: a reconciliation tries again, and somebody has been alarmed.
            self._refused(task, error.code, sure=task.applied.sure and not error.resent)
            return True
        except ValueError as error:
            # Nothing was sent: these facts cannot be said in the words of this registry.
            if isinstance(error, Unsayable):
                _log.error("cannot be said to %s: %s", self.registry, error)
            self._refused(task, None, sure=task.applied.sure)
            return True
        self._accepted(task)
        return step.last

    async def _ask(self, due: Sequence[tuple[Due, Applied]]) -> list[_Task]:
        """Resolves things, and writes down those of which there is nothing to send."""
        tasks: list[_Task] = []
        settled: list[tuple[Due, Applied]] = []
        for asked in _batches(self._questions_about(due, settled)):
            answers = await self._client.resolve_many([one.question for one in asked])
            for one, answer in zip(asked, answers, strict=True):
                task = self._understood(one, answer, settled)
                if task is not None:
                    tasks.append(task)
        self._state.settled(settled)
        self.advanced += len(settled)
        return tasks

    def _questions_about(
        self, due: Iterable[tuple[Due, Applied]], settled: list[tuple[Due, Applied]]
    ) -> Iterator[_Asked]:
        for one, applied in due:
            question = self._questions.about(one.thing, applied)
            contact = None
            if question is not None:
                contact = self._directory.contact(question.domain.bindings[question.role])
            if question is None or contact is None:
                settled.append((one, applied))
            else:
                yield _Asked(one, applied, question, contact)

    def _understood(
        self,
        asked: _Asked,
        answer: Publication | ConsentError,
        settled: list[tuple[Due, Applied]],
    ) -> _Task | None:
        due, applied, question, contact = asked
        if isinstance(answer, ConsentUnavailable):
            raise answer
        if isinstance(answer, ConsentError):
            self._summary.unresolved += 1
            # No more than that: the facts are somebody's.
            why = answer.reason or type(answer).__name__
            _log.error("not resolved: change %d at %s: %s", due.mark, self.registry, why)
            settled.append((due, applied))
            return None
        digests: Mapping[ContactField, str] = {}
        if due.thing.kind == CONTACT:
            digests = self._questions.digests(contact, applied)
        step = next_step(answer, applied, question.changed_fields, digests)
        if step is None:
            self._summary.unchanged += 1
            settled.append((due, stands(answer, digests)))
            return None
        if step.name == applied.refused:
            self._summary.refused += 1  # it has been asked for this before
            _log.error("not sent: %s has refused it before: change %d", self.registry, due.mark)
            settled.append((due, applied))
            return None
        return _Task(due, applied, contact, answer, step)

    def _accepted(self, task: _Task) -> None:
        step = task.step
        report = None
        if isinstance(step.command, DataCommand):
            self._summary.values += 1  # what is published has not changed
        else:
            self._summary.hidden += step.hides
            self._summary.shown += step.shows
            report = _report(task, ReportOutcome.APPLIED, step.after.published)
        self._state.answered(task.due, step.after, report, done=step.last)
        self.advanced += 1
        self._on_report()

    def _refused(self, task: _Task, code: int | None, *, sure: bool) -> None:
        self._summary.refused += 1
        # Nobody's data is named: the registry and the position in the log lead to it.
        _log.log(
            logging.ERROR if task.step.hides else logging.WARNING,
            "not applied: %s refused by %s with %s, resolved at position %d",
            "a withdrawal was" if task.step.hides else "a wish was",
            self.registry,
            "nothing that it could be told" if code is None else code,
            task.publication.read_position,
        )
        stands = task.applied._replace(sure=sure, refused=task.step.name)
        wanted = task.publication.published_fields
        self._state.answered(task.due, stands, _report(task, ReportOutcome.REFUSED, wanted, code))
        self.advanced += 1
        self._on_report()


def _batches(asked: Iterator[_Asked]) -> Iterator[list[_Asked]]:
    batch: list[_Asked] = []
    domains = 0
    for one in asked:
        batch.append(one)
        domains += 1 + len(one.question.other_domains)
        if domains >= _DOMAINS:
            yield batch
            batch, domains = [], 0
    if batch:
        yield batch


def _report(
    task: _Task,
    outcome: ReportOutcome,
    published: frozenset[ContactField],
    code: int | None = None,
) -> Mapping[str, Any]:
    publication = task.publication
    of_domain = task.due.thing.kind != CONTACT
    return {
        # Written down with the report: told twice, it is recorded once.
        "request_id": uuid.uuid4().hex,
        "subject_id": task.contact.account,
        "contact_id": task.contact.id,
        "domain": publication.domain if of_domain else None,
        "role": publication.role.value if of_domain else None,
        "outcome": outcome.value,
        "registry": publication.registry or task.due.thing.registry,
        "resolved_position": publication.read_position,
        "published_fields": sorted(one.value for one in published),
        "code": code,
    }
