"""What must hold in every world, whoever said what."""

from collections.abc import Mapping
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consentsvc.domain.events import EventKind
from consentsvc.domain.identifiers import Position
from consentsvc.domain.instants import add
from consentsvc.domain.publication import encode
from consentsvc.domain.publication.choices import SILENT
from consentsvc.domain.publication.decided import Outcome, Reason
from consentsvc.domain.publication.epp import ELEMENTS
from consentsvc.domain.publication.profile import Rule
from consentsvc.domain.publication.resolve import Resolution, Results
from consentsvc.domain.publication.wire import (
    Data,
    Disclose,
    DiscloseList,
    Extension,
    Operation,
    Sent,
)
from consentsvc.domain.scope import ContactField, DomainName, Reach, Role
from tests.publication.making import (
    ACCOUNTS,
    DATES,
    World,
    choices,
    domains,
    fields,
    logs,
    reaches,
    resolution,
    worlds,
)
from tests.publication.naive import OF_CONTACT, OF_DOMAIN, TLDS, Entry, Reader

thoroughly = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

DISCLOSING = ("org", "net", "cz", "uk", "gov", "at", "fi", "no")
FRED = ("org", "net", "cz")


def words(results: Results) -> dict[ContactField, str]:
    return {field: f"{one.outcome.name} {one.reason.name}" for field, one in results.items()}


def reader(world: World) -> Reader:
    return Reader(world.facts, world.log, world.now, DATES)


def consented(world: World, role: Role, field: ContactField) -> bool:
    """Whether the log, read aloud, has a consent for it."""
    return reader(world).verdict(world.facts.domain, role, field) == "CONSENT"


@pytest.mark.parametrize("tld", TLDS)
@given(data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_as_the_rules_are_written(tld: str, data: st.DataObject) -> None:
    """The program says what a reader of the rules and of the whole log would say."""
    world = data.draw(worlds([tld]))
    found = words(resolution(world).results)
    told = reader(world).results(world.role)

    assert found == {field: told[field] for field in found}
    left_out = {field: word for field, word in told.items() if field not in found}
    assert set(left_out.values()) <= {
        "NOT_OUTPUT ROLE_NOT_OUTPUT",
        "REDACT NOT_SPONSORED",
        "REDACT UNKNOWN_PROFILE",
    }


@given(worlds([*TLDS, *DISCLOSING]))
@thoroughly
def test_nothing_without_a_reason(world: World) -> None:
    """A field is published with a consent that covers it, or by a rule that asks for none."""
    asked = resolution(world)
    table = asked.table(world.facts.domain, world.role)
    for field, result in asked.results.items():
        if not result.published:
            continue
        if result.reason is Reason.CONSENT:
            assert consented(world, world.role, field)
        else:
            assert result.reason is Reason.MANDATORY
            assert table[field].rule in {Rule.ALWAYS, Rule.OPT_OUT}


@given(worlds([*TLDS, *DISCLOSING]), st.sampled_from(Operation))
@thoroughly
def test_never_more_than_was_consented_to(world: World, operation: Operation) -> None:
    """A switch for several fields is on only with a yes, or a rule, for each that has a value."""
    asked = resolution(world, operation)
    commands = encode.told(asked).commands
    for role, field in switched_on(world, asked, commands[-1] if commands else None):
        contact = world.facts.contacts[world.facts.domain.bindings[role]]
        clause = asked.table(world.facts.domain, role).get(field)
        if field in contact.filled and clause is not None:
            assert (
                consented(world, role, field) and field not in contact.pending
            ) or clause.rule in {Rule.ALWAYS, Rule.OPT_OUT}


def switched_on(world: World, asked: Resolution, sent: object) -> "list[tuple[Role, ContactField]]":
    """The fields that a command has shown."""
    if isinstance(sent, Disclose) and sent.listed is not None:
        listed = sent.listed.elements
        named = listed if sent.listed.flag else set(asked.elements) - listed
        return [(world.role, field) for one in named for field in asked.elements[one]]
    if not isinstance(sent, Extension):
        return []
    values = dict(sent.values)
    elements = {
        field
        for path, value in values.items()
        if path.startswith("dnslu:") and value == "true"
        for field in ELEMENTS[path.rpartition("/")[2]]
    }
    if elements:
        return [(world.role, field) for field in elements]
    everything = {
        "extcon:consentForPublishing": "true",
        "fury:properties/PRIVACY": "PUBLIC",
        "fury:add/PRIVACY": "PUBLIC",
        "dx:disclosure/dx:natural/disclose": "true",
        "ptdomain:ownerVisible": "true",
    }
    if "contact-ext:whoisEmail" in values:
        real = values["contact-ext:whoisEmail"] == "real"
        return [(world.role, ContactField.EMAIL)] if real else []
    if not everything.items() & values.items():
        return []
    roles = list(world.facts.domain.bindings) if is_of_domain(world) else [world.role]
    if "ptdomain:ownerVisible" in values:
        roles = [Role.REGISTRANT]
    return [(role, field) for role in roles for field in ContactField]


def is_of_domain(world: World) -> bool:
    return world.facts.domain.name.rpartition(".")[2] in OF_DOMAIN


@given(worlds([*TLDS, *DISCLOSING]), st.data())
@thoroughly
def test_a_no_ends_all_that_came_before(world: World, data: st.DataObject) -> None:
    """No consent outlives a later no at its own scope or a wider one."""
    domain = world.facts.domain
    contact = world.facts.contacts[domain.bindings[world.role]]
    names = [domain.name, *(one.name for one in world.facts.others)]
    reach = data.draw(reaches(names))
    named = data.draw(fields())
    kind = data.draw(
        st.sampled_from(
            [EventKind.CONSENT_WITHDRAWN, EventKind.CONSENT_REFUSED, EventKind.CONSENT_REVOKED]
        )
    )
    last = world.log[-1].position if world.log else 0
    no = Entry(Position(last + 1), world.now, kind, contact.account, reach, named)
    after = world._replace(log=(*world.log, no), now=add(world.now, timedelta(days=1)))
    covered = reach.covers(Reach(contact.id, domain.name, world.role))
    for field, result in resolution(after).results.items():
        if covered and (field in named or ContactField.ALL in named):
            assert result.reason is not Reason.CONSENT
            assert not consented(after, world.role, field)


@given(worlds([*TLDS, *DISCLOSING]), st.data())
@thoroughly
def test_a_no_publishes_nothing(world: World, data: st.DataObject) -> None:
    """After a no, and after a question, nothing is published that was not before."""
    domain = world.facts.domain
    names = [domain.name, *(one.name for one in world.facts.others)]
    kind = data.draw(
        st.sampled_from(
            [
                EventKind.CONSENT_WITHDRAWN,
                EventKind.CONSENT_REFUSED,
                EventKind.CONSENT_REVOKED,
                EventKind.CONSENT_REQUESTED,
            ]
        )
    )
    last = world.log[-1].position if world.log else 0
    event = Entry(
        Position(last + 1), world.now, kind, data.draw(st.sampled_from(ACCOUNTS)),
        data.draw(reaches(names)), data.draw(fields()),
    )  # fmt: skip
    before = resolution(world).results
    after = resolution(world._replace(log=(*world.log, event))).results

    assert {one for one in after if after[one].published} <= {
        one for one in before if before[one].published
    }


@given(worlds([*TLDS, *DISCLOSING]))
@thoroughly
def test_a_question_takes_nothing_away(world: World) -> None:
    """Without its requests, a log publishes exactly the same."""
    requests = {one.position for one in world.log if one.kind is EventKind.CONSENT_REQUESTED}
    without = [
        one._replace(refers_to=None) if one.kind is EventKind.CONSENT_GIVEN else one
        for one in world.log
        if one.position not in requests
        and not (one.kind is EventKind.CONSENT_EXPIRED and one.refers_to in requests)
    ]
    asked, unasked = resolution(world), resolution(world._replace(log=tuple(without)))

    assert {one: result.outcome for one, result in asked.results.items()} == {
        one: result.outcome for one, result in unasked.results.items()
    }


@given(worlds([*TLDS, *DISCLOSING]), st.sampled_from([None, *Operation]))
@thoroughly
def test_the_same_again(world: World, operation: Operation | None) -> None:
    """The same question has the same answer, in whatever order other domains are told."""
    first, again = resolution(world, operation), resolution(world, operation)
    facts = world.facts._replace(others=world.facts.others[::-1])
    turned = resolution(world._replace(facts=facts), operation)

    assert first.results == again.results == turned.results
    assert (
        encode.told(first).commands == encode.told(again).commands == encode.told(turned).commands
    )
    assert encode.told(first).state == encode.told(again).state


@pytest.mark.parametrize("tld", sorted(OF_CONTACT | set(DISCLOSING)))
@given(data=st.data(), operation=st.sampled_from(Operation))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_one_contact_has_one_switch(tld: str, data: st.DataObject, operation: Operation) -> None:
    """What is told of a contact is the same, whichever of its uses is asked about."""
    world = data.draw(worlds([tld], most=3))
    contact = world.facts.domain.bindings[world.role]
    another = data.draw(domains(DomainName(f"c.{tld}")))
    another = another._replace(bindings={**another.bindings, Role.REGISTRANT: contact})
    uses = [world.facts.domain, another]
    told = [
        encode.told(resolution(world._replace(facts=facts, role=role), operation)).state
        for one, other in (uses, uses[::-1])
        for facts in [world.facts._replace(domain=one, others=(other,))]
        for role, bound in one.bindings.items()
        if bound == contact and one.sponsored
    ]

    assert all(state == told[0] for state in told)


@given(worlds([*TLDS, *DISCLOSING]))
@thoroughly
def test_what_is_needed(world: World) -> None:
    """The choices that an answer names as needed are all that it needs."""
    asked = resolution(world)
    needed: dict[object, set[object]] = {}
    for account, wanted in asked.needs():
        needed.setdefault(account, set()).update(wanted)
    kept = {
        account: said._replace(
            sayings={
                reach: one for reach, one in said.sayings.items()
                if reach in needed.get(account, set())
            }
        )
        for account, said in choices(world.log).items()
    }  # fmt: skip

    assert resolution(world, said=kept).results == asked.results


@given(worlds([*TLDS, *DISCLOSING]), st.sampled_from([0, 1, 10**6, 3 * 10**12]))
@thoroughly
def test_until_when(world: World, later: int) -> None:
    """Before the moment that an answer names, time alone changes nothing."""
    asked = resolution(world)
    end = asked.valid_until
    now = world.now + later if end is None else min(world.now + later, end - 1)
    then = resolution(world._replace(now=type(world.now)(now)))

    assert words(then.results) == words(asked.results)


class Server:
    """A registry that resets on update what a list leaves out, and hides or shows by itself."""

    def __init__(self, elements: frozenset[str], shows: bool) -> None:
        self.elements = elements
        self.default = elements if shows else frozenset()
        self.shown = self.default

    def take(self, listed: DiscloseList | None) -> None:
        """Carries out a command."""
        if listed is None:
            return
        assert listed.elements <= self.elements
        self.shown = (
            self.default | listed.elements if listed.flag else self.default - listed.elements
        )


def published_elements(asked: Resolution) -> frozenset[str]:
    """The elements of which something is held, and all of it is published."""
    shown = set()
    for element, its_fields in asked.elements.items():
        outcomes = {asked.results[one].outcome for one in its_fields if one in asked.results}
        outcomes -= {Outcome.ABSENT, Outcome.NOT_OUTPUT}
        if outcomes == {Outcome.PUBLISH}:
            shown.add(element)
    return frozenset(shown)


def filled_elements(asked: Resolution) -> frozenset[str]:
    """The elements of which something is held."""
    return frozenset(
        element
        for element, its_fields in asked.elements.items()
        if its_fields & asked.contact.filled
    )


@given(
    world=worlds(DISCLOSING),
    data=st.data(),
    changed=st.frozensets(st.sampled_from(list(ContactField)[:-1]), max_size=2),
    known=st.booleans(),
)
@thoroughly
def test_what_a_disclose_leaves_shown(
    world: World, data: st.DataObject, changed: frozenset[ContactField], known: bool
) -> None:
    """At each step of an update the registry shows no more than may be seen then."""
    if not world.facts.domain.sponsored:
        return
    profile = resolution(world).profile
    assert profile is not None
    encoder = profile.encoder
    names = [world.facts.domain.name, *(one.name for one in world.facts.others)]
    earlier = world._replace(log=data.draw(logs(names)))
    created = resolution(earlier, Operation.CREATE)
    server = Server(frozenset(created.elements), encoder.shows)

    (first,) = encode.told(created).commands
    assert isinstance(first, Disclose)
    server.take(first.listed)
    asked = resolution(world, Operation.UPDATE)
    # What the registry decides by itself is not told, and not looked at here.
    own = frozenset() if asked.verified else encoder.forced
    now, held = published_elements(asked) - own, filled_elements(asked) - own
    assert (server.shown & held) - encoder.forced <= published_elements(created)
    before = (server.shown & held) - own
    previous: Sent = first if known else (None if first.listed is None else first)

    arrived = False
    for step in encode.told(asked, previous, changed).commands:
        if isinstance(step, Data):
            arrived = True
            # New data under no permission that has ended, old data under none that is new.
            assert (server.shown & held) - own <= now & before
            continue
        assert isinstance(step, Disclose)
        if step.listed is not None:
            assert own <= step.listed.elements, "or the server answers 2304"
        server.take(step.listed)
        seen = (server.shown & held) - own
        assert seen <= now
        if changed and not arrived and step.listed is not None:
            assert seen <= before

    assert (server.shown & held) - own == now
    assert not server.shown - held - own or step_was_absent(asked, previous, changed)


def step_was_absent(asked: Resolution, previous: Sent, changed: frozenset[ContactField]) -> bool:
    """Whether the update had no element, so that what is empty stayed as it was."""
    return all(
        isinstance(one, Data) or (isinstance(one, Disclose) and one.listed is None)
        for one in encode.told(asked, previous, changed).commands
    )


@given(worlds([*TLDS, *DISCLOSING]))
@thoroughly
def test_a_second_update_has_nothing_to_say(world: World) -> None:
    """Once it is carried out, the same update says nothing more, but in .pt."""
    asked = resolution(world, Operation.UPDATE)
    state = encode.told(asked).state
    again = encode.told(asked, state).commands

    if world.facts.domain.name.endswith(".pt") and world.facts.domain.sponsored:
        assert again == (state,)
    else:
        assert again in ((), (Disclose(),))


def test_silence_is_no() -> None:
    """Choices that hold nothing are no consent: what the default of a lookup relies on."""
    assert SILENT.sayings == {}
    assert isinstance(SILENT.sayings, Mapping)
