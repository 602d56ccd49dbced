"""A person's choices on a purpose that takes a scope, one by one: for a panel, and for copies."""

from collections.abc import Mapping
from typing import NamedTuple

from consentsvc.domain.consent import Choice, Consent, Request
from consentsvc.domain.decision import Decision, Reason
from consentsvc.domain.identifiers import START, Position
from consentsvc.domain.publication.choices import (
    Answer,
    Choices,
    Moment,
    Said,
    Sayings,
    Verdict,
    answer,
)
from consentsvc.domain.scope import ACCOUNT, ContactField, Reach, Scope, overlap

_REASONS = {one: Reason[one.name] for one in Verdict if one.name in Reason.__members__} | {
    Verdict.CONSENT: Reason.CONSENT_GIVEN,
    Verdict.NO_CONSENT: Reason.NEVER_ASKED,
    Verdict.PENDING: Reason.PENDING_CONFIRMATION,
}


class Stated(NamedTuple):
    """What was last said at one reach, for the fields of which the same was said."""

    scope: Scope
    consent: Consent


def stated(latest: Consent, sayings: Mapping[Reach, Sayings]) -> list[Stated]:
    """Lists what was said, in the order of the reaches. `latest` is the consent at any reach."""
    found = []
    for reach in sorted(sayings, key=_order):
        by_said: dict[Said, set[ContactField]] = {}
        for field, said in sayings[reach].items():
            by_said.setdefault(said, set()).add(field)
        found += [
            Stated(Scope(reach, frozenset(fields)), _consent(latest, said))
            for said, fields in sorted(by_said.items(), key=lambda one: _first(one[1]))
        ]
    return found


def decided(choices: Choices, scope: Scope, moment: Moment) -> Decision:
    """Whether a scope that was spoken of is consented to, before any registry's rules."""
    reach = scope.reach
    wider = dict.fromkeys(
        (reach, Reach(reach.contact, reach.domain), Reach(reach.contact), ACCOUNT)
    )
    field = min(scope.fields, key=lambda one: one.value)
    return _decision(answer(choices, tuple(wider), field, moment))


def silence(choices: Choices, moment: Moment) -> Decision:
    """What holds for the whole account while nothing was said."""
    return _decision(answer(choices, (ACCOUNT,), ContactField.ALL, moment))


def latest_about(scope: Scope, latest: Consent, sayings: Mapping[Reach, Sayings]) -> Position:
    """The position of the latest event that has something in common with a scope.

    That is one at a reach that covers the scope's or lies inside it, on one of its fields; and what
    was last said about an objection, which is about everything.
    """
    marks = [
        mark.position
        for reach, fields in sayings.items()
        if scope.reach.covers(reach) or reach.covers(scope.reach)
        for field, said in fields.items()
        if overlap(scope.fields, {field})
        for mark in (said.given, said.denied, said.expired, said.request)
        if mark is not None
    ]
    return max([latest.objection_position or START, latest.tolerated or START, *marks])


def _decision(said: Answer) -> Decision:
    return Decision(
        said.consented, _REASONS[said.verdict], said.position, said.notice, said.valid_until
    )


def _consent(latest: Consent, said: Said) -> Consent:
    choice = None
    marks = [mark for mark in (said.given, said.denied) if mark is not None]
    if marks:
        last = max(marks, key=lambda mark: mark.position)
        expired = said.expired is not None and said.expired.position > last.position
        choice = Choice(last.kind, last.position, last.recorded_at, last.notice, expired)
    request = None
    if said.request is not None:
        _, position, recorded_at, notice = said.request
        request = Request(position, recorded_at, notice, said.request_expired)
    return latest._replace(choice=choice, request=request)


def _order(reach: Reach) -> tuple[str, str, str]:
    role = "" if reach.role is None else reach.role.value
    return (reach.contact or "", reach.domain or "", role)


def _first(fields: set[ContactField]) -> str:
    return min(one.value for one in fields)
