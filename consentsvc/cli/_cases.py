"""Runs decision cases against the domain, and tells where its answers differ."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from consentsvc import profiles as registry_profiles
from consentsvc.cli._case_file import Case, DatedRule, Expected, Overrides, Saying, Wire
from consentsvc.domain.catalogue import Controller, LegalBasis, Notice, NoticeVersion, Purpose
from consentsvc.domain.changes import Action, kind_for
from consentsvc.domain.decision import REQUEST_OPEN_FOR
from consentsvc.domain.errors import InvalidScope, RoleNotOffered
from consentsvc.domain.events import Actor, Event, EventKind, NoticeRef
from consentsvc.domain.identifiers import Position, PurposeId, SubjectId
from consentsvc.domain.instants import Instant, add, instant
from consentsvc.domain.publication import encode, offering, rdap
from consentsvc.domain.publication.choices import Choices, Moment, Sayings, fold
from consentsvc.domain.publication.decided import Outcome
from consentsvc.domain.publication.facts import Facts, PostalType
from consentsvc.domain.publication.profile import (
    Clause,
    Condition,
    Control,
    Instead,
    Profile,
    Profiles,
    Publisher,
    Rule,
)
from consentsvc.domain.publication.resolve import Resolution, Results
from consentsvc.domain.publication.wire import (
    Commands,
    Data,
    Disclose,
    DiscloseList,
    Extension,
    Sent,
    Step,
)
from consentsvc.domain.scope import ContactField, Reach, Role, overlap

NOW = instant(datetime(2026, 6, 1, tzinfo=UTC))
"""When a question is asked that names no moment."""

_PURPOSE_ID = PurposeId("whois_publication")
_NOTICE = Notice(_PURPOSE_ID, "1", "en", "Publication of contact data", "What the cases are about.")
_NOTICE_REF = NoticeRef(_NOTICE.version, _NOTICE.locale, _NOTICE.sha256)
PURPOSE = Purpose(
    _PURPOSE_ID,
    Controller("registrar", "Registrar", "", "", "", ""),
    LegalBasis.CONSENT,
    validity_months=None,
    needs_confirmation=False,
    evidence=frozenset(),
    versions=(NoticeVersion("1", False, {"en": _NOTICE}),),
    trackers=(),
    takes_scope=True,
)

_ACTIONS = {
    EventKind.CONSENT_GIVEN: Action.GIVE,
    EventKind.CONSENT_REFUSED: Action.REFUSE,
    EventKind.CONSENT_WITHDRAWN: Action.WITHDRAW,
    EventKind.CONSENT_REQUESTED: Action.REQUEST,
}
_SHOWN = frozenset({Outcome.PUBLISH, Outcome.REPLACE, Outcome.PROXY})
_ASKING = frozenset({Rule.OPT_IN, Rule.OPT_OUT})


class Difference(NamedTuple):
    """What was to come out, and what did."""

    what: str
    expected: Any
    actual: Any


class Verdict(NamedTuple):
    """A case, and where the answer differs from the right one."""

    case: Case
    differences: tuple[Difference, ...]


class Answer(NamedTuple):
    """What comes out of a case."""

    results: Results
    wire: Wire
    redacted: frozenset[tuple[str, str]]
    recorded: EventKind | None
    rejected: str | None


def run(case: Case) -> Verdict:
    """Asks a case's question, and compares the answer with the right one."""
    return Verdict(case, tuple(_differences(case, ask(case))))


def ask(case: Case) -> Answer:
    """Asks a case's question."""
    profiles = _profiles_of(case)
    events = list(case.events)
    recorded = rejected = None
    if case.written is not None:
        written = _write(case, case.written, profiles)
        if isinstance(written, Saying):
            events.append(written)
            recorded = written.kind
        else:
            rejected = written
    if case.role not in case.asked.bindings:
        # Nobody is there to be asked about.
        return Answer({}, {"nothing": True}, frozenset(), recorded, rejected)
    resolution = Resolution(
        profiles,
        Facts(case.asked, case.contacts, tuple(one for one in case.domains if one != case.asked)),
        case.role,
        _choices(events, case.as_of),
        Moment(NOW if case.as_of is None else case.as_of, PURPOSE),
        operation=case.operation,
    )
    commands = encode.told(resolution, _sent(case.previous), case.data_changed).commands
    redacted = rdap.redacted(case.role, resolution.results)
    return Answer(
        resolution.results,
        _wire(commands),
        frozenset((one.name, one.method.value) for one in redacted),
        recorded,
        rejected,
    )


def _differences(case: Case, answer: Answer) -> Iterator[Difference]:
    if case.written is not None:
        if answer.recorded is not case.recorded:
            yield Difference("recorded", case.recorded, answer.recorded)
        if answer.rejected != case.rejected:
            yield Difference("rejected", case.rejected, answer.rejected)
    if case.outcomes is not None:
        yield from _outcomes(case.outcomes, answer.results)
    if case.wire is not None and not _alike(case.wire, answer.wire):
        yield Difference("wire", case.wire, answer.wire)
    if case.redacted is not None and case.redacted != answer.redacted:
        yield Difference(
            "rdap",
            sorted(case.redacted - answer.redacted),
            sorted(answer.redacted - case.redacted),
        )


def _outcomes(wanted: Mapping[ContactField, Expected], results: Results) -> Iterator[Difference]:
    for field in ContactField:
        expected, result = wanted.get(field), results.get(field)
        actual = None if result is None else (result.outcome, result.reason, result.control)
        if expected is None:
            if result is not None and result.outcome in _SHOWN:
                yield Difference(field.name, None, actual)
            continue
        compared = 2 if expected.control is None else 3
        if actual is None or actual[:compared] != expected[:compared]:
            yield Difference(field.name, tuple(expected), actual)


# --- the log --------------------------------------------------------------------------------------


def _write(case: Case, said: Saying, profiles: Profiles) -> Saying | str:
    """What enters the log, or the reason for which nothing does."""
    try:
        offering.refuse_unsound(said.reach)
        if said.kind is EventKind.CONSENT_GIVEN:
            offering.refuse_unoffered(profiles, said.reach, said.at)
    except (InvalidScope, RoleNotOffered) as refused:
        return refused.reason
    for asked in case.events:
        if asked.position == said.confirms and said.at >= add(asked.at, REQUEST_OPEN_FOR):
            return "REQUEST_EXPIRED"
    action = _ACTIONS.get(said.kind)
    if action is None:
        return said
    return said._replace(kind=kind_for(action, Actor(said.actor), PURPOSE))


def _choices(events: Sequence[Saying], as_of: Instant | None) -> dict[SubjectId, Choices]:
    sayings: dict[SubjectId, dict[Reach, Sayings]] = {}
    counted = [one for one in events if as_of is None or one.at <= as_of]
    counted.sort(key=lambda one: one.position)
    for place, said in enumerate(counted):
        event = Event(
            said.position,
            said.at,
            said.kind,
            _PURPOSE_ID,
            None,
            _NOTICE_REF,
            _refers_to(said, counted[:place]),
            None,
        )
        mine = sayings.setdefault(said.account, {})
        mine[said.reach] = fold(mine.get(said.reach, {}), event, said.fields)
    return {account: Choices(said) for account, said in sayings.items()}


def _refers_to(said: Saying, before: Sequence[Saying]) -> Position | None:
    if said.kind is not EventKind.CONSENT_EXPIRED:
        return said.confirms
    # A case does not say what has run out: a request, if one has waited long enough since the last
    # consent at that scope, and else that consent.
    here = [
        one
        for one in before
        if one.account == said.account
        and one.reach == said.reach
        and overlap(one.fields, said.fields)
    ]
    confirmed = {one.confirms for one in here if one.kind is EventKind.CONSENT_GIVEN}
    given = [one for one in here if one.kind is EventKind.CONSENT_GIVEN]
    asked = [
        one
        for one in here
        if one.kind is EventKind.CONSENT_REQUESTED
        and one.position not in confirmed
        and not (given and given[-1].position > one.position)
        and not (given and said.at < add(one.at, REQUEST_OPEN_FOR))
    ]
    about = asked or given
    return about[-1].position if about else None


# --- the rules ------------------------------------------------------------------------------------


def _profiles_of(case: Case) -> Profiles:
    overrides = case.overrides
    profiles = _loaded(tuple(sorted(overrides.options.items())), overrides.shows)
    if not overrides.rules:
        return profiles
    concerned = {
        found.profile.id
        for one in case.domains
        if (found := profiles.find(one.name, NOW)) is not None
    }
    return Profiles(
        _overridden(one, overrides) if one.id in concerned else one for one in profiles.all
    )


@lru_cache(maxsize=16)
def _loaded(options: tuple[tuple[str, bool], ...], shows: bool | None) -> Profiles:
    """The profiles with the gTLDs' options set so, and with registries for them if one is told."""
    more = {}
    if options:
        lines = [f"{name} = {str(value).lower()}" for name, value in options]
        more["gtld.toml"] = "\n".join(['extends = "gtld"', "[options]", *lines])
    profiles = registry_profiles.load(more=more)
    if shows is None:
        return profiles
    suffixes = next(sorted(one.suffixes) for one in profiles.all if one.id == "gtld")
    extended = "epp-showing" if shows else "epp-hiding"
    more["epp.toml"] = f'extends = "{extended}"\nsuffixes = {suffixes}'
    return registry_profiles.load(more=more)


def _overridden(profile: Profile, overrides: Overrides) -> Profile:
    rules = [clause for one in overrides.rules for clause in _clauses(profile, one)]
    return replace(profile, clauses=(*rules, *profile.clauses))


def _clauses(profile: Profile, rule: DatedRule) -> Iterator[Clause]:
    """A rule as clauses: those of its fields that have a switch in common stay together."""
    ours = profile.publisher is Publisher.REGISTRAR
    asks = rule.rule in _ASKING
    control = Control.REGISTRY_KNOB if asks else Control.REGISTRY_FIXED
    groups = {one: name for name, fields in profile.elements.items() for one in fields}
    for field in sorted(rule.fields, key=lambda one: one.value):
        yield Clause(
            frozenset({Role.REGISTRANT}),
            frozenset({field}),
            rule.rule,
            Control.OURS if ours else control,
            # A registrar never takes an e-mail address out without another way to write.
            Instead.REPLACE if ours and field is ContactField.EMAIL else Instead.REDACT,
            groups.get(field) if asks else None,
            Condition(legal=rule.legal, has_personal_data=rule.has_personal_data),
            rule.valid_from,
            rule.valid_to,
        )


# --- the wire -------------------------------------------------------------------------------------


def _sent(wire: Wire | None) -> Sent:
    match wire:
        case {"epp_disclose": told}:
            return _disclosed(told)
        case {"extension": values}:
            return Extension(frozenset(values.items()))
        case {"steps": [*_, {"epp_disclose": told}] | [*_, {"epp_disclose": told}, {"data": _}]}:
            return _disclosed(told)
    return None


def _disclosed(told: Mapping[str, Any] | None) -> Disclose:
    if told is None:
        return Disclose()
    types = frozenset(PostalType(one) for one in told.get("types", ()))
    return Disclose(DiscloseList(told["flag"] == 1, frozenset(told["elements"]), types))


def _wire(commands: Commands) -> dict[str, Any]:
    if not commands:
        return {"nothing": True}
    if len(commands) > 1:
        return {"steps": [_step(one) for one in commands]}
    return _step(commands[0])


def _step(step: Step) -> dict[str, Any]:
    match step:
        case Disclose(None):
            return {"epp_disclose": None}
        case Disclose(DiscloseList(flag, elements, types)):
            told: dict[str, Any] = {"flag": int(flag), "elements": sorted(elements)}
            if types:
                told["types"] = sorted(one.value for one in types)
            return {"epp_disclose": told}
        case Data(fields):
            return {"data": sorted(one.name for one in fields)}
        case Extension(values):
            return {"extension": dict(values)}
    raise TypeError(f"nothing is sent as {type(step).__name__}")


def _alike(expected: Wire, actual: Wire) -> bool:
    """Whether two wires are the same; postal types count only where they are expected."""
    wanted, told = expected.get("steps"), actual.get("steps")
    if wanted is not None and told is not None:
        return len(wanted) == len(told) and all(map(_alike, wanted, told))
    wanted, told = expected.get("epp_disclose"), actual.get("epp_disclose")
    if wanted is not None and told is not None and "types" not in wanted:
        return bool(wanted == {name: one for name, one in told.items() if name != "types"})
    return expected == actual
