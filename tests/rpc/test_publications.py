"""What may be published, on the wire."""

from datetime import timedelta
from typing import Any

import pytest

from consentsvc import profiles
from consentsvc.domain.catalogue import Catalogue
from consentsvc.service.ports import EventStore
from consentsvc.v1 import consent_pb2 as shared
from consentsvc.v1 import publication_service_pb2 as messages
from tests.rpc.publishing import (
    ALL,
    WHOIS,
    contact,
    domain,
    field,
    question,
    report,
    resolve,
    say,
    scope,
    seen,
    shown,
)
from tests.support import acts, catalogues
from tests.support.clock import FakeClock
from tests.support.refusals import refused
from tests.support.requests import good, put, send
from tests.support.wire import Wire, change, serving


@pytest.fixture
def catalogue() -> Catalogue:
    return catalogues.with_publication()


class TestResolving:
    async def test_nobody_asked(self, wire: Wire) -> None:
        """Without a word of the person only what the registry shows anyway is published."""
        answer = await resolve(wire)

        assert seen(answer.publication) == {
            "name": ("PUBLISH", "MANDATORY"),
            "phone": ("REDACT", "NO_CONSENT"),
            "email": ("REDACT", "NO_CONSENT"),
        }
        assert not answer.publication.HasField("position")

    @pytest.mark.parametrize(
        "reach",
        [
            scope(*ALL),
            scope(*ALL, contact="C1"),
            scope("phone", "email", contact="C1", domain="EXAMPLE.cz."),
            scope("phone", "email", contact="C1", domain="example.cz", of="registrant"),
        ],
        ids=["account", "contact", "domain", "role"],
    )
    async def test_a_switch_flipped_and_back(self, wire: Wire, reach: shared.Scope) -> None:
        """A consent publishes at each reach, and the withdrawal is seen by the very next read."""
        given = await say(wire, "give", reach)
        before = await resolve(wire)
        withdrawn = await say(wire, "withdraw", reach)
        after = await resolve(
            wire, consistency=shared.Consistency(at_least_as_fresh=withdrawn.written_at)
        )

        assert seen(before.publication)["phone"] == ("PUBLISH", "CONSENT")
        assert before.publication.position == given.outcomes[0].position
        assert before.read_at == given.written_at
        assert seen(after.publication)["phone"] == ("REDACT", "WITHDRAWN")
        assert after.publication.position == withdrawn.outcomes[0].position

    async def test_the_answer_justifies_itself(self, wire: Wire) -> None:
        """With every field come the event, the notice with its hash, the rule and the switch."""
        await say(wire, "give", scope("email", contact="C1"))
        told = (await resolve(wire)).publication
        place = list(told.fields.fields).index(field("email"))
        notice = told.fields.notices[told.fields.notice_indexes[place] - 1]

        assert (told.profile_id, told.registry) == ("cz", "CZ.NIC")
        assert told.profile_version
        assert told.per_contact
        assert told.fields.positions[place] == told.position
        assert (notice.version, notice.locale, len(notice.sha256)) == ("1", "en", 32)
        assert told.fields.rules[place] == messages.FIELD_RULE_OPT_IN
        assert told.fields.groups[told.fields.group_indexes[place] - 1] == "email"

    async def test_the_past(self, wire: Wire, clock: FakeClock) -> None:
        """What was right at a moment is still told, whatever came after it."""
        await say(wire, "give", scope(*ALL))
        clock.advance(timedelta(hours=1))
        then = clock.now
        clock.advance(timedelta(hours=1))
        await say(wire, "withdraw", scope(*ALL))
        past = await resolve(wire, consistency=shared.Consistency(as_of_time=acts.stamp(then)))

        assert seen(past.publication)["phone"] == ("PUBLISH", "CONSENT")
        assert "phone" not in await shown(wire)

    async def test_what_stands_above(self, wire: Wire) -> None:
        """Restriction, objection and death hide what was consented to; the first can be lifted."""
        await say(wire, "give", scope(*ALL))
        await acts.restrict(wire, "anna")
        restricted = seen((await resolve(wire)).publication)
        await acts.lift(wire, "anna")
        lifted = await shown(wire)
        await wire.update("anna", _plain("object"))
        objected = seen((await resolve(wire)).publication)
        await wire.update("anna", _plain("withdraw_objection"))
        again = await shown(wire)
        await acts.report_death(wire, "anna")
        dead = seen((await resolve(wire)).publication)

        assert restricted["phone"] == ("REDACT", "RESTRICTED")
        assert objected["phone"] == ("REDACT", "OBJECTED")
        assert dead["phone"] == ("REDACT", "DECEASED")
        assert lifted == again == {"name", "phone", "email"}

    async def test_of_somebody_else(self, wire: Wire) -> None:
        """A consent says nothing for a contact of another account, on the same domain."""
        await say(wire, "give", scope(*ALL))
        asked = question(
            domain(bound={"registrant": "C1", "tech": "C3"}),
            "tech",
            (contact(), contact("C3", "ben")),
        )

        assert await shown(wire, asked) == {"name"}

    async def test_what_the_registry_is_told(self, wire: Wire) -> None:
        """With an operation the answer has the commands, and the state to come back with."""
        await say(wire, "give", scope("email", contact="C1"))
        asked = question(operation=messages.REGISTRY_OPERATION_UPDATE)
        first = (await resolve(wire, asked)).publication
        asked.previous.CopyFrom(first.state)
        second = (await resolve(wire, asked)).publication
        await say(wire, "withdraw", scope("email", contact="C1"))
        third = (await resolve(wire, asked)).publication

        assert [list(one.disclose.list.elements) for one in first.commands] == [["addr", "email"]]
        assert first.commands[0].disclose.list.flag
        assert [one.disclose.HasField("list") for one in second.commands] == [False]
        assert [list(one.disclose.list.elements) for one in third.commands] == [["addr"]]

    async def test_the_registrars_own_output(self, wire: Wire) -> None:
        """A gTLD is shown by the registrar: redaction members, and nothing to send."""
        await say(wire, "give", scope("name", contact="C1"))
        told = (await resolve(wire, question(domain("example.com")))).publication

        assert seen(told) == {
            "name": ("PUBLISH", "CONSENT"),
            "phone": ("REDACT", "NO_CONSENT"),
            "email": ("REPLACE", "NO_CONSENT"),
        }
        assert {one.name: one.method for one in told.redactions} == {
            "Registrant Phone": messages.REDACTION_METHOD_REMOVAL,
            "Registrant Email": messages.REDACTION_METHOD_REPLACEMENT_VALUE,
        }
        assert not told.commands

    async def test_nobody_knows(self, wire: Wire) -> None:
        """A top-level domain without a profile publishes nothing, whatever was consented to."""
        await say(wire, "give", scope(*ALL))
        told = (await resolve(wire, question(domain("example.zz")))).publication

        assert set(seen(told).values()) == {("REDACT", "UNKNOWN_PROFILE")}
        assert not told.profile_id

    async def test_letters_of_other_scripts(self, wire: Wire) -> None:
        """A name is the same in U-labels, in A-labels and in capitals, and is told in A-labels."""
        await say(wire, "give", scope("email", contact="C1", domain="bücher.cz"))
        told = [
            (await resolve(wire, question(domain(name)))).publication
            for name in ("BÜCHER.cz", "xn--bcher-kva.CZ", "xn--bcher-kva.cz.")
        ]

        assert {one.domain for one in told} == {"xn--bcher-kva.cz"}
        assert all(seen(one)["email"] == ("PUBLISH", "CONSENT") for one in told)

    async def test_a_profile_of_ones_own(
        self, sqlite_store: EventStore, catalogue: Catalogue, clock: FakeClock, tmp_path: Any
    ) -> None:
        """A registry is added by a file, without code."""
        (tmp_path / "alps.toml").write_text(
            'extends = "epp-hiding"\nregistry = "Alps"\nversion = "1"\nsuffixes = ["alps"]\n'
        )
        async with serving(sqlite_store, catalogue, clock, profiles.load(tmp_path)) as wire:
            await say(wire, "give", scope("name", contact="C1"))
            answer = await resolve(wire, question(domain("example.alps")))

        assert seen(answer.publication)["name"] == ("PUBLISH", "CONSENT")
        assert answer.publication.profile_id == "alps"


BAD: list[tuple[str, Any, str]] = [
    ("question.domain.name", "", "question.domain.name"),
    ("question.domain.name", "example", "question.domain.name"),
    ("question.domain.name", "exa mple.cz", "question.domain.name"),
    ("question.domain.name", "-a.cz", "question.domain.name"),
    ("question.domain.name", "192.0.2.1", "question.domain.name"),
    ("question.domain.name", f"{'a' * 64}.cz", "question.domain.name"),
    ("question.domain.name", "\u2488com.cz", "question.domain.name"),
    ("question.domain.register_time.nanos", -1, "question.domain.register_time"),
    ("question.domain.bindings[0].role", 0, "question.domain.bindings[0].role"),
    ("question.domain.bindings[0].contact_id", "C9", "question.domain.bindings[0].contact_id"),
    ("question.role", 0, "question.role"),
    ("question.role", 2, "question.role"),
    ("question.role", 99, "question.role"),
    ("question.contacts[0].contact_id", "", "question.contacts[0].contact_id"),
    ("question.contacts[0].subject_id", "a b", "question.contacts[0].subject_id"),
    ("question.contacts[0].kind", 9, "question.contacts[0].kind"),
    ("question.contacts[0].filled_fields", [1], "question.contacts[0].filled_fields[0]"),
    ("question.contacts[0].filled_fields", [2, 0], "question.contacts[0].filled_fields[1]"),
    ("question.contacts[0].pending_fields", [99], "question.contacts[0].pending_fields[0]"),
    ("question.contacts[0].postal_types", [0], "question.contacts[0].postal_types[0]"),
    ("question.publisher", 7, "question.publisher"),
    ("question.operation", 7, "question.operation"),
    ("question.changed_fields", [1], "question.changed_fields[0]"),
]


@pytest.mark.parametrize(("path", "value", "named"), BAD, ids=[f"{p}={v}"[:60] for p, v, _ in BAD])
async def test_a_bad_question(wire: Wire, path: str, value: Any, named: str) -> None:
    """What is wrong with a question is refused by the path of its field."""
    request = good("ResolvePublication")
    put(request, path, value)
    refusal = await refused(send(wire, request))

    assert (refusal.code.name, refusal.reason) == ("INVALID_ARGUMENT", "INVALID_FIELD")
    assert refusal.fields == (named,)


@pytest.mark.parametrize(
    ("purpose", "reason"), [("newsletter", "SCOPE_NOT_TAKEN"), ("nothing", "UNKNOWN_PURPOSE")]
)
async def test_a_purpose_that_publishes_nothing(wire: Wire, purpose: str, reason: str) -> None:
    """Only a purpose that takes a scope can be resolved."""
    request = good("ResolvePublication")
    request.question.purpose_id = purpose
    refusal = await refused(send(wire, request))

    assert (refusal.reason, refusal.fields) == (reason, ("question.purpose_id",))


class TestBatches:
    async def test_each_has_its_own(self, wire: Wire) -> None:
        """One question that is wrong has its error in its place, and spoils no other."""
        await say(wire, "give", scope(*ALL, contact="C1"))
        wrong = question()
        wrong.role = shared.CONTACT_ROLE_TECH
        answer = await wire.publications.BatchResolvePublications(
            messages.BatchResolvePublicationsRequest(questions=[question(), wrong, question()])
        )
        first, second, third = answer.results

        assert seen(first.publication)["phone"] == ("PUBLISH", "CONSENT")
        assert first == third
        assert second.error.field == "questions[1].role"
        assert second.error.code == 3

    async def test_limits(self, wire: Wire) -> None:
        """None at all, more than fit, and two purposes are refused as a whole."""
        none = await refused(_batch(wire, []))
        many = await refused(_batch(wire, [question()] * 2_001))
        other = question()
        other.purpose_id = "newsletter"
        mixed = await refused(_batch(wire, [question(), other]))

        assert none.fields == ("questions",)
        assert (many.code.name, many.reason) == ("RESOURCE_EXHAUSTED", "BATCH_TOO_LARGE")
        assert mixed.fields == ("questions[1].purpose_id",)


class TestReporting:
    async def test_in_the_log(self, wire: Wire) -> None:
        """A report is an event of the account, and changes nothing of what was chosen."""
        await say(wire, "give", scope(*ALL, contact="C1"))
        before = await resolve(wire)
        told = await report(wire, before.read_position)
        event = (await acts.history(wire, "anna"))[-1]
        after = await resolve(wire)

        assert event.position == told.position
        assert event.kind == shared.EVENT_KIND_PUBLICATION_REPORTED
        assert event.scope == shared.Scope(contact_id="C1")
        assert (event.report.registry, event.report.code) == ("CZ.NIC", 1000)
        assert event.report.resolved_position == before.read_position
        assert list(event.report.published_fields) == [field("name")]
        assert seen(after.publication) == seen(before.publication)

    async def test_repeated(self, wire: Wire) -> None:
        """The same report with the same id is recorded once."""
        first = await report(wire, 1, request_id="same")
        again = await report(wire, 1, request_id="same")

        assert first == again

    async def test_from_the_future(self, wire: Wire) -> None:
        """Nothing was resolved past the head of the log."""
        refusal = await refused(report(wire, 10_000))

        assert (refusal.code.name, refusal.reason) == ("OUT_OF_RANGE", "POSITION_UNKNOWN")

    @pytest.mark.parametrize(
        ("path", "value", "named"),
        [
            ("scope.contact_id", "", "scope.contact_id"),
            ("scope.fields", [2], "scope.fields"),
            ("report.outcome", 0, "report.outcome"),
            ("report.registry", "", "report.registry"),
            ("report.registry", "a\nb", "report.registry"),
            ("report.resolved_position", -1, "report.resolved_position"),
            ("report.published_fields", [1], "report.published_fields[0]"),
            ("actor.kind", 1, "actor.kind"),
        ],
    )
    async def test_bad(self, wire: Wire, path: str, value: Any, named: str) -> None:
        """What is wrong with a report is refused by the path of its field."""
        request = good("ReportPublication")
        put(request, path, value)
        refusal = await refused(send(wire, request))

        assert (refusal.code.name, refusal.fields) == ("INVALID_ARGUMENT", (named,))


async def test_profiles_are_told(wire: Wire) -> None:
    """Every registry is listed with what a caller needs to follow changes."""
    told = await wire.publications.ListProfiles(messages.ListProfilesRequest())
    by_id = {one.id: one for one in told.profiles}

    assert list(by_id) == sorted(by_id)
    assert by_id["cz"].per_contact
    assert by_id["cz"].has_commands
    assert not by_id["gtld"].has_commands
    assert set(by_id["gtld"].offered_roles) == {
        shared.CONTACT_ROLE_REGISTRANT,
        shared.CONTACT_ROLE_TECH,
    }
    assert by_id["at"].unverified


async def _batch(wire: Wire, questions: list[messages.PublicationQuestion]) -> Any:
    return await wire.publications.BatchResolvePublications(
        messages.BatchResolvePublicationsRequest(questions=questions)
    )


def _plain(action: str) -> Any:
    return change(action, WHOIS)
