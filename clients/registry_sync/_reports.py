"""What the consent service is told of what a registry answered.

Reports are written down together with what stands, and told afterwards: none is lost, and none is
told of what did not happen.
"""

import logging
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from consentclient import (
    ConsentUnavailable,
    ContactField,
    ContactRole,
    InvalidRequest,
    Publication,
    PublicationReport,
    ReportOutcome,
    ScopeNotTaken,
    UnknownPurpose,
)
from registry_sync._applied import Applied, written
from registry_sync._due import CONTACT, Thing
from registry_sync._summary import Summary
from registry_sync._things import Inquiry, Questions
from registry_sync._world import World

_log = logging.getLogger(__name__)

CHANNEL = "registry_sync"

_AT_ONCE = 100


def reports_of(
    thing: Thing,
    inquiry: Inquiry,
    publication: Publication,
    outcome: ReportOutcome,
    published: frozenset[ContactField],
    code: int | None = None,
) -> Iterator[Mapping[str, Any]]:
    """What is to be told of an answer, to be written down.

    Where the switch is the domain's, the domain's other contacts are published with it. Which of
    their fields that are is for the service to say; it is asked when the report is told.
    """
    of_domain = thing.kind != CONTACT
    report = {
        # Written down with the report: told twice, it is recorded once.
        "request_id": uuid.uuid4().hex,
        "subject_id": inquiry.contact.account,
        "contact_id": inquiry.contact.id,
        "domain": publication.domain if of_domain else None,
        "role": publication.role.value if of_domain else None,
        "outcome": outcome.value,
        "registry": publication.registry or thing.registry,
        "resolved_position": publication.read_position,
        "published_fields": sorted(one.value for one in published),
        "code": code,
    }
    yield report
    if not of_domain:
        return
    question = inquiry.question
    accounts = {one.contact_id: one.subject_id for one in question.contacts}
    told = {inquiry.contact.id}
    for role, contact in question.domain.bindings.items():
        if contact not in told and contact in accounts:
            told.add(contact)
            yield report | {
                "request_id": uuid.uuid4().hex,
                "subject_id": accounts[contact],
                "contact_id": contact,
                "role": role.value,
                "published_fields": None,
                "state": written(publication.state),
            }


class Reporter:
    """Tells the consent service what became of what was sent."""

    def __init__(self, world: World, questions: Questions, summary: Summary) -> None:
        self._summary = summary
        self._world = world
        self._questions = questions

    async def tell(self) -> None:
        """Tells all that is written down; what could not be told stays so."""
        state = self._world.state
        while told := state.reports(_AT_ONCE):
            for number, report in told:
                if self._world.reports:
                    await self._tell(number, report)
                state.reported(number)

    async def _tell(self, number: int, report: Mapping[str, Any]) -> None:
        if report["published_fields"] is None:
            completed = await self._completed(report)
            if completed is None:
                return
            # Told twice, it must be the same: what was asked now is not what is asked then.
            self._world.state.complete(number, completed)
            report = completed
        try:
            await self._world.client.report_publication(
                report["subject_id"],
                self._world.purpose_id,
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
        except (UnknownPurpose, ScopeNotTaken):
            raise
        except InvalidRequest as error:
            # It is never taken as it is, and would hold up all that come after it.
            self._summary.unresolved += 1
            _log.error("a report was refused: %s", error.reason or type(error).__name__)

    async def _completed(self, report: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Asks what of a contact a domain's switch publishes.

        None if it is not to be in this position any more: then the next report says what became of
        it.
        """
        domain = self._world.directory.domain(report["domain"])
        role = ContactRole(report["role"])
        if domain is None or domain.bindings.get(role) != report["contact_id"]:
            return None
        inquiry = self._questions.about_role(domain, role, Applied())
        if inquiry is None:
            return None
        (answer,) = await self._world.client.resolve_many([inquiry.question])
        if isinstance(answer, ConsentUnavailable):
            raise answer
        if not isinstance(answer, Publication):
            self._summary.unresolved += 1
            _log.error("a report was not resolved: %s", answer.reason or type(answer).__name__)
            return None
        if written(answer.state) != report["state"]:
            return None
        return {
            **report,
            "published_fields": sorted(one.value for one in answer.published_fields),
            "resolved_position": answer.read_position,
        }
