"""What a subject chooses, and what somebody else may choose for them."""

import pytest

from consentsvc.v1 import consent_pb2 as shared
from consentsvc.v1 import consent_service_pb2 as consents
from tests.support import acts
from tests.support.acts import OPERATOR, RESELLER, SYSTEM
from tests.support.answers import checked, ref
from tests.support.refusals import refused
from tests.support.wire import Wire, change

RECORDED = consents.CHANGE_EFFECT_RECORDED
UNCHANGED = consents.CHANGE_EFFECT_UNCHANGED
AWAITING = consents.CHANGE_EFFECT_AWAITING_CONFIRMATION
ANNA = "customer:8213"

others = pytest.mark.parametrize(
    "actor", [OPERATOR, RESELLER, SYSTEM], ids=["operator", "reseller", "system"]
)


def effects(answer: consents.UpdateConsentsResponse) -> list[int]:
    return [one.effect for one in answer.outcomes]


class TestAllOrNothing:
    async def test_all(self, wire: Wire) -> None:
        """Changes of several purposes become events in the order of the request."""
        before = await acts.head(wire)
        answer = await wire.update(
            ANNA,
            change("give", "newsletter"),
            change("refuse", "profiling"),
            change("object", "statistics", version=None),
        )

        assert effects(answer) == [RECORDED] * 3
        assert [one.position for one in answer.outcomes] == [before + 1, before + 2, before + 3]
        assert [one.purpose_id for one in answer.outcomes] == [
            "newsletter",
            "profiling",
            "statistics",
        ]
        assert acts.kinds(await acts.history(wire, ANNA)) == [
            "CONSENT_GIVEN",
            "CONSENT_REFUSED",
            "OBJECTION_RAISED",
        ]

    @pytest.mark.parametrize(
        "bad",
        [
            change("give", "unheard_of"),
            change("give", "profiling", version="9"),
            change("give", "profiling", version=None),
            change("give", "profiling", expected_position=3),
            change("give", "profiling", scope=shared.Scope(domain="example.net")),
            change("unspecified", "profiling"),
        ],
        ids=["purpose", "version", "no notice", "position", "scope", "action"],
    )
    @pytest.mark.parametrize("place", [0, 1, 2])
    async def test_nothing(self, wire: Wire, bad: consents.ConsentChange, place: int) -> None:
        """One change that cannot be made, wherever it stands, leaves no trace of the others."""
        changes = [change("give", "newsletter"), change("refuse", "reseller42.newsletter")]
        changes.insert(place, bad)
        before = await acts.head(wire)
        await refused(wire.update(ANNA, *changes))

        assert await acts.head(wire) == before
        assert await acts.history(wire, ANNA) == []
        assert (await checked(wire, ANNA, "newsletter")).reason == (
            shared.DECISION_REASON_NEVER_ASKED
        )


class TestNothingToChange:
    @pytest.mark.parametrize("action", ["refuse", "withdraw", "object"])
    async def test_twice(self, wire: Wire, action: str) -> None:
        """Saying the same no again succeeds and records nothing."""
        first = await wire.update(ANNA, change(action, "newsletter"))
        again = await wire.update(ANNA, change(action, "newsletter"))

        assert effects(first) == [RECORDED]
        assert effects(again) == [UNCHANGED]
        assert not again.outcomes[0].HasField("position")
        assert len(await acts.history(wire, ANNA)) == 1

    async def test_no_objection(self, wire: Wire) -> None:
        """Taking back an objection that was never made succeeds and records nothing."""
        answer = await wire.update(ANNA, change("withdraw_objection", "newsletter", version=None))

        assert effects(answer) == [UNCHANGED]
        assert await acts.history(wire, ANNA) == []

    async def test_withdraw_when_nothing_was_given(self, wire: Wire) -> None:
        """Withdrawing needs no notice and works when nothing was given: from then on it is no."""
        answer = await wire.update(ANNA, change("withdraw", "statistics", version=None))
        decision = await checked(wire, ANNA, "statistics")

        assert effects(answer) == [RECORDED]
        assert decision.reason == shared.DECISION_REASON_WITHDRAWN

    async def test_giving_renews(self, wire: Wire) -> None:
        """Giving again is an event, and what is given lasts from then on."""
        first = await wire.update(ANNA, change("give", "newsletter"))
        again = await wire.update(ANNA, change("give", "newsletter", locale="fr"))
        decision = await checked(wire, ANNA, "newsletter")

        assert effects(again) == [RECORDED]
        assert again.outcomes[0].position == first.outcomes[0].position + 1
        assert decision.position == again.outcomes[0].position
        assert decision.notice == ref("newsletter", locale="fr")

    async def test_mixed(self, wire: Wire) -> None:
        """What is so already is skipped, and the rest of the request is recorded."""
        await wire.update(ANNA, change("refuse", "newsletter"))
        answer = await wire.update(
            ANNA, change("refuse", "newsletter"), change("refuse", "profiling")
        )

        assert effects(answer) == [UNCHANGED, RECORDED]
        assert len(await acts.history(wire, ANNA)) == 2

    async def test_revoking(self, wire: Wire) -> None:
        """A consent, a request and the yes of an opt-out can be revoked; a no is left as it is."""
        await wire.update(
            ANNA,
            change("give", "newsletter"),
            change("refuse", "profiling"),
            change("give", "reseller42.newsletter"),
        )
        answer = await acts.revoke(
            wire, ANNA, "profiling", "statistics", "newsletter", "reseller42.newsletter"
        )

        assert [one.effect for one in answer.outcomes] == [
            UNCHANGED,
            RECORDED,
            RECORDED,
            RECORDED,
        ]
        assert (await checked(wire, ANNA, "profiling")).reason == shared.DECISION_REASON_REFUSED

    async def test_standing(self, wire: Wire) -> None:
        """Restricting, lifting and reporting a death are recorded once."""
        effects = [
            (await acts.lift(wire, ANNA)).effect,
            (await acts.restrict(wire, ANNA)).effect,
            (await acts.restrict(wire, ANNA)).effect,
            (await acts.lift(wire, ANNA)).effect,
            (await acts.lift(wire, ANNA)).effect,
            (await acts.report_death(wire, ANNA)).effect,
            (await acts.report_death(wire, ANNA)).effect,
        ]

        assert effects == [UNCHANGED, RECORDED] * 3 + [UNCHANGED]


class TestObjections:
    async def test_giving_does_not_lift(self, wire: Wire) -> None:
        """A consent given after an objection is recorded, and the answer stays no."""
        await wire.update(ANNA, change("object", "newsletter", version=None))
        answer = await wire.update(ANNA, change("give", "newsletter"))

        assert effects(answer) == [RECORDED]
        assert (await checked(wire, ANNA, "newsletter")).reason == shared.DECISION_REASON_OBJECTED

    async def test_taken_back(self, wire: Wire) -> None:
        """Once the subject takes the objection back, the consent given before counts again."""
        await wire.update(ANNA, change("give", "newsletter"))
        await wire.update(ANNA, change("object", "newsletter", version=None))
        await wire.update(ANNA, change("withdraw_objection", "newsletter", version=None))
        decision = await checked(wire, ANNA, "newsletter")

        assert decision.reason == shared.DECISION_REASON_CONSENT_GIVEN

    @others
    async def test_by_nobody_else(self, wire: Wire, actor: shared.Actor) -> None:
        """Only the subject takes an objection back."""
        await wire.update(ANNA, change("object", "newsletter", version=None))
        refusal = await refused(
            wire.update(ANNA, change("withdraw_objection", "newsletter"), actor=actor)
        )

        assert (refusal.reason, refusal.fields) == ("INVALID_FIELD", ("actor.kind",))
        assert (await checked(wire, ANNA, "newsletter")).reason == shared.DECISION_REASON_OBJECTED

    async def test_of_one_purpose(self, wire: Wire) -> None:
        """An objection to one purpose is none to another."""
        await wire.update(ANNA, change("give", "newsletter"), change("object", "statistics"))

        assert (await checked(wire, ANNA, "newsletter")).answer == shared.ANSWER_PERMITTED


class TestForTheSubject:
    @pytest.mark.parametrize(
        "purpose", ["newsletter", "profiling", "statistics", "reseller42.newsletter"]
    )
    @others
    async def test_giving_is_asking(self, wire: Wire, actor: shared.Actor, purpose: str) -> None:
        """A consent given by anybody but the subject is a request, for every purpose."""
        answer = await wire.update(ANNA, change("give", purpose), actor=actor)
        happened = await acts.history(wire, ANNA)

        assert effects(answer) == [AWAITING]
        assert answer.outcomes[0].confirmation_token
        assert acts.kinds(happened) == ["CONSENT_REQUESTED"]
        assert happened[0].actor == actor

    @pytest.mark.parametrize("action", ["refuse", "withdraw", "object"])
    @others
    async def test_no_on_behalf(self, wire: Wire, actor: shared.Actor, action: str) -> None:
        """Anybody may say no on the subject's behalf."""
        answer = await wire.update(ANNA, change(action, "newsletter"), actor=actor)

        assert effects(answer) == [RECORDED]

    async def test_request_takes_nothing_away(self, wire: Wire) -> None:
        """Where the answer is yes, a request leaves it so."""
        await wire.update(ANNA, change("give", "newsletter"))
        await wire.update(ANNA, change("give", "newsletter"), actor=OPERATOR)
        await wire.update(ANNA, change("request", "statistics"), actor=SYSTEM)

        assert (await checked(wire, ANNA, "newsletter")).reason == (
            shared.DECISION_REASON_CONSENT_GIVEN
        )
        assert (await checked(wire, ANNA, "statistics")).reason == (
            shared.DECISION_REASON_NOT_OBJECTED
        )


class TestExpectedPosition:
    async def test_conflict(self, wire: Wire) -> None:
        """A consent that has moved on since the caller looked is ABORTED, and nothing is done."""
        first = await wire.update(ANNA, change("give", "newsletter"))
        position = first.outcomes[0].position
        await wire.update(ANNA, change("withdraw", "newsletter"))
        refusal = await refused(
            wire.update(
                ANNA,
                change("refuse", "profiling"),
                change("give", "newsletter", expected_position=position),
            )
        )

        assert (refusal.code.name, refusal.reason) == ("ABORTED", "POSITION_CONFLICT")
        assert refusal.metadata == {
            "purpose_id": "newsletter",
            "expected_position": str(position),
            "current_position": str(position + 1),
        }
        assert len(await acts.history(wire, ANNA)) == 2

    async def test_current(self, wire: Wire) -> None:
        """The position that the panel shows is the one to expect; 0 where there is no event."""
        assert (await acts.state(wire, ANNA, "newsletter")).position == 0
        await wire.update(ANNA, change("give", "newsletter", expected_position=0))
        shown = (await acts.state(wire, ANNA, "newsletter")).position
        answer = await wire.update(ANNA, change("withdraw", "newsletter", expected_position=shown))

        assert effects(answer) == [RECORDED]

    async def test_nothing_to_change(self, wire: Wire) -> None:
        """The expectation is held even where the change would change nothing."""
        await wire.update(ANNA, change("refuse", "newsletter"))
        refusal = await refused(
            wire.update(ANNA, change("refuse", "newsletter", expected_position=0))
        )

        assert refusal.reason == "POSITION_CONFLICT"

    async def test_two_changes_of_one_consent(self, wire: Wire) -> None:
        """A request's own first change is no conflict for its second."""
        await wire.update(ANNA, change("object", "newsletter", version=None))
        seen = (await acts.state(wire, ANNA, "newsletter")).position
        answer = await wire.update(
            ANNA,
            change("withdraw_objection", "newsletter", expected_position=seen),
            change("give", "newsletter", expected_position=seen),
        )

        assert effects(answer) == [RECORDED, RECORDED]

    async def test_another_purpose(self, wire: Wire) -> None:
        """An event of another purpose does not move the consent on."""
        await wire.update(ANNA, change("give", "newsletter"))
        seen = (await acts.state(wire, ANNA, "newsletter")).position
        await wire.update(ANNA, change("give", "profiling"))
        answer = await wire.update(ANNA, change("withdraw", "newsletter", expected_position=seen))

        assert effects(answer) == [RECORDED]


class TestContradictions:
    @pytest.mark.parametrize("first", ["give", "refuse", "withdraw", "request"])
    @pytest.mark.parametrize("second", ["give", "refuse", "withdraw", "request"])
    async def test_two_choices(self, wire: Wire, first: str, second: str) -> None:
        """Two choices for one purpose in one request are refused, even the same one twice."""
        refusal = await refused(
            wire.update(ANNA, change(first, "newsletter"), change(second, "newsletter"))
        )

        assert refusal.fields == ("changes[1].purpose_id",)
        assert await acts.history(wire, ANNA) == []

    async def test_two_words_about_an_objection(self, wire: Wire) -> None:
        """So are two changes about its objection."""
        refusal = await refused(
            wire.update(
                ANNA, change("object", "newsletter"), change("withdraw_objection", "newsletter")
            )
        )

        assert refusal.fields == ("changes[1].purpose_id",)

    async def test_choice_and_objection(self, wire: Wire) -> None:
        """A choice and a change about the objection go together."""
        answer = await wire.update(
            ANNA, change("give", "newsletter"), change("object", "newsletter", version=None)
        )

        assert effects(answer) == [RECORDED, RECORDED]


class TestControllers:
    @pytest.mark.parametrize(
        ("given", "asked"),
        [("newsletter", "reseller42.newsletter"), ("reseller42.newsletter", "newsletter")],
    )
    async def test_apart(self, wire: Wire, given: str, asked: str) -> None:
        """A consent given to one controller never answers for another's."""
        answer = await wire.update(ANNA, change("give", given))
        if token := answer.outcomes[0].confirmation_token:
            await acts.confirm(wire, token)

        assert (await checked(wire, ANNA, given)).answer == shared.ANSWER_PERMITTED
        assert (await checked(wire, ANNA, asked)).reason == shared.DECISION_REASON_NEVER_ASKED


class TestEvidence:
    EVIDENCE = shared.Evidence(
        session_reference="session-1",
        form_version="7",
        action="ticked a box",
        ip_address="192.0.2.7",
        user_agent="Mozilla",
    )

    async def test_kept_where_asked_for(self, wire: Wire) -> None:
        """The IP address is kept only for the purpose that asks, the user agent for none here."""
        await wire.update(
            ANNA,
            change("give", "newsletter"),
            change("give", "profiling"),
            evidence=self.EVIDENCE,
            claimed_time=acts.stamp(1_700_000_000_000_000),
        )
        by_purpose = {one.purpose_id: one for one in await acts.history(wire, ANNA)}

        plain = shared.Evidence(
            session_reference="session-1", form_version="7", action="ticked a box"
        )
        assert by_purpose["newsletter"].evidence == plain
        plain.ip_address = "192.0.2.7"
        assert by_purpose["profiling"].evidence == plain
        assert by_purpose["profiling"].claimed_time.seconds == 1_700_000_000
        assert by_purpose["profiling"].recorded_time.seconds != 1_700_000_000

    async def test_of_a_confirmation(self, wire: Wire) -> None:
        """So it is with what a link brings."""
        asked = await wire.update(ANNA, change("request", "newsletter"), actor=OPERATOR)
        token = asked.outcomes[0].confirmation_token
        await acts.confirm(wire, token, evidence=self.EVIDENCE)
        given = (await acts.history(wire, ANNA))[-1]

        assert given.evidence.action == "ticked a box"
        assert not given.evidence.ip_address

    async def test_of_a_withdrawal(self, wire: Wire) -> None:
        """And with a withdrawal through a link."""
        await wire.update(ANNA, change("give", "profiling"))
        token = await acts.withdrawal_token(wire, ANNA, "profiling")
        await acts.redeem(wire, token, evidence=self.EVIDENCE)
        withdrawn = (await acts.history(wire, ANNA))[-1]

        assert withdrawn.evidence.ip_address == "192.0.2.7"
        assert not withdrawn.evidence.user_agent
