"""What a person has said, asked for one field: every rule of the folding."""

from typing import ClassVar

import pytest

from tests.publication.saying import (
    FIELDS,
    Event,
    contact,
    domain,
    expired,
    gave,
    outcomes,
    reason,
    refused,
    requested,
    revoked,
    withdrew,
)

COM = "example.com"
ACCOUNT = {"contact": None}
CONTACT = {"contact": "C1"}
DOMAIN = {"contact": "C1", "domain": COM}
ROLE = {"contact": "C1", "domain": COM, "role": "REGISTRANT"}
SCOPES = [ACCOUNT, CONTACT, DOMAIN, ROLE]
NAMES = ["account", "contact", "domain", "role"]

each_scope = pytest.mark.parametrize("scope", SCOPES, ids=NAMES)
PAIRS = [(wide, narrow) for at, wide in enumerate(SCOPES) for narrow in SCOPES[at + 1 :]]
each_pair = pytest.mark.parametrize(
    ("wide", "narrow"),
    PAIRS,
    ids=[f"{one}-{other}" for at, one in enumerate(NAMES) for other in NAMES[at + 1 :]],
)
NOES = {
    "REFUSED": refused,
    "WITHDRAWN": withdrew,
    "REVOKED": revoked,
}
each_no = pytest.mark.parametrize("no", NOES)

YES = "PUBLISH CONSENT"


class TestCovering:
    @each_scope
    def test_every_scope_reaches(self, scope: dict[str, str]) -> None:
        """A consent at any of the four scopes covers the contact in its role."""
        assert reason("NAME", gave(**scope)) == YES

    @each_scope
    @each_no
    def test_every_no_reaches(self, scope: dict[str, str], no: str) -> None:
        """A no at any of the four scopes does, too, and is the reason."""
        assert reason("NAME", gave(**scope), NOES[no](**scope)) == f"REDACT {no}"

    @pytest.mark.parametrize(
        "elsewhere",
        [
            {"account": "B", "contact": None},
            {"account": "B"},
            {"contact": "C2"},
            {"domain": "example.net"},
            {"domain": COM, "role": "TECH"},
        ],
        ids=["account", "account of the contact", "contact", "domain", "role"],
    )
    def test_elsewhere(self, elsewhere: dict[str, str]) -> None:
        """What is said for another account, contact, domain or role says nothing here."""
        assert reason("NAME", gave(**elsewhere)) == "REDACT NO_CONSENT"
        assert reason("NAME", gave(), refused(**elsewhere)) == YES

    @pytest.mark.parametrize("field", [one for one in FIELDS if one != "EMAIL"])
    def test_the_field_is_named(self, field: str) -> None:
        """Only the field that is named is published."""
        found = outcomes(gave(field))
        consented = {one for one, word in found.items() if word.startswith(YES)}

        assert consented == {field} - {"STATE_PROVINCE", "COUNTRY"}

    def test_all_stands_for_each(self) -> None:
        """A field's own word and a word on all fields count alike: the later decides."""
        assert reason("NAME", gave(), refused("NAME")) == "REDACT REFUSED"
        assert reason("PHONE", gave(), refused("NAME")) == YES
        assert reason("NAME", refused("NAME"), gave()) == YES
        assert reason("NAME", gave("NAME"), withdrew()) == "REDACT WITHDRAWN"
        assert reason("NAME", withdrew(), gave("NAME")) == YES
        assert reason("PHONE", withdrew(), gave("NAME")) == "REDACT WITHDRAWN"


class TestCancelling:
    @each_pair
    @each_no
    def test_a_wider_no(self, wide: dict[str, str], narrow: dict[str, str], no: str) -> None:
        """A later no at a wider scope ends every consent inside it."""
        assert reason("NAME", gave(**narrow), NOES[no](**wide)) == f"REDACT {no}"

    @each_pair
    def test_a_yes_after_a_wider_no(self, wide: dict[str, str], narrow: dict[str, str]) -> None:
        """A consent that is given after the no counts, inside it."""
        assert reason("NAME", refused(**wide), gave(**narrow)) == YES

    @each_pair
    @each_no
    def test_a_wider_yes(self, wide: dict[str, str], narrow: dict[str, str], no: str) -> None:
        """A later consent at a wider scope does not take back a no inside it."""
        assert reason("NAME", NOES[no](**narrow), gave(**wide)) == f"REDACT {no}"

    @each_pair
    def test_a_narrower_no(self, wide: dict[str, str], narrow: dict[str, str]) -> None:
        """A no inside a consent counts, and the rest of the consent stands."""
        assert reason("NAME", gave(**wide), refused("NAME", **narrow)) == "REDACT REFUSED"
        assert reason("PHONE", gave(**wide), refused("NAME", **narrow)) == YES

    @each_pair
    def test_an_earlier_no_stands_again(self, wide: dict[str, str], narrow: dict[str, str]) -> None:
        """A cancelled consent uncovers the refusal that stood before it at its scope."""
        events = [refused(**narrow), gave(**narrow), withdrew(**wide)]

        assert reason("NAME", *events) == "REDACT REFUSED"

    @each_pair
    def test_the_narrowest_no_is_the_reason(
        self, wide: dict[str, str], narrow: dict[str, str]
    ) -> None:
        """Of several noes the most specific is told, also if a wider one is later."""
        assert reason("NAME", refused(**narrow), withdrew(**wide)) == "REDACT REFUSED"
        assert reason("NAME", withdrew(**wide), refused(**narrow)) == "REDACT REFUSED"

    def test_a_no_between_two_consents(self) -> None:
        """A no cancels what came before it, and nothing that came after."""
        assert reason("NAME", gave(**ROLE), withdrew(**ACCOUNT), gave(**CONTACT)) == YES
        assert reason("NAME", gave(**CONTACT), gave(**ROLE), withdrew(**DOMAIN)) == (
            "REDACT WITHDRAWN"
        )

    def test_a_no_on_another_field(self) -> None:
        """A wider no on one field cancels nothing of the others."""
        events = [gave(**DOMAIN), withdrew("PHONE", **ACCOUNT)]

        assert reason("NAME", *events) == YES
        assert reason("PHONE", *events) == "REDACT WITHDRAWN"

    @each_scope
    def test_the_latest_at_one_scope(self, scope: dict[str, str]) -> None:
        """At one scope the latest word counts, whatever came before."""
        assert reason("NAME", gave(**scope), refused(**scope), gave(**scope)) == YES
        assert reason("NAME", refused(**scope), gave(**scope), withdrew(**scope)) == (
            "REDACT WITHDRAWN"
        )
        assert reason("NAME", withdrew(**scope), refused(**scope)) == "REDACT REFUSED"

    def test_silence(self) -> None:
        """Nothing said means no."""
        assert reason("NAME") == "REDACT NO_CONSENT"


class TestExpiry:
    @each_scope
    def test_at_its_own_scope(self, scope: dict[str, str]) -> None:
        """A consent that has run out is a no, until there is a new one."""
        assert reason("NAME", gave(**scope), expired(**scope)) == "REDACT EXPIRED"
        assert reason("NAME", gave(**scope), expired(**scope), gave(**scope)) == YES

    @each_pair
    def test_it_cancels_nothing_inside(self, wide: dict[str, str], narrow: dict[str, str]) -> None:
        """A narrower consent stands when a wider one runs out."""
        assert reason("NAME", gave(**wide), gave(**narrow), expired(**wide)) == YES

    @each_pair
    def test_it_outlives_a_wider_yes(self, wide: dict[str, str], narrow: dict[str, str]) -> None:
        """What ran out at a narrow scope is a no that a later wider consent leaves."""
        assert reason("NAME", gave(**narrow), expired(**narrow), gave(**wide)) == "REDACT EXPIRED"

    def test_of_one_field(self) -> None:
        """Only the fields that have run out are held back."""
        assert reason("NAME", gave(), expired("NAME")) == "REDACT EXPIRED"
        assert reason("PHONE", gave(), expired("NAME")) == YES
        assert reason("NAME", gave("NAME", "PHONE"), expired()) == "REDACT EXPIRED"

    def test_of_nothing(self) -> None:
        """One that is about nothing known is a no, too: a doubt means no."""
        assert reason("NAME", expired(**DOMAIN)) == "REDACT EXPIRED"
        assert reason("NAME", gave(**ACCOUNT), expired(**DOMAIN)) == "REDACT EXPIRED"


class TestRequests:
    ASKED: ClassVar = {"at": "2026-05-10T00:00:00Z"}

    @each_scope
    def test_open_and_run_out(self, scope: dict[str, str]) -> None:
        """A request waits for 30 days of 24 hours, to the second."""
        asked = requested(at="2026-03-08T12:00:00Z", **scope)
        last, over = "2026-04-07T11:59:59Z", "2026-04-07T12:00:00Z"

        assert reason("NAME", asked, as_of=last) == "REDACT PENDING"
        assert reason("NAME", asked, as_of=over) == "REDACT EXPIRED"

    @each_scope
    def test_it_does_not_wait_for_the_record(self, scope: dict[str, str]) -> None:
        """Whether its end was recorded makes no difference."""
        asked = requested(at="2026-03-08T12:00:00Z", **scope)
        ended = expired(at="2026-04-08T00:00:00Z", **scope)

        assert reason("NAME", asked, ended) == reason("NAME", asked) == "REDACT EXPIRED"

    @each_pair
    def test_a_yes_stays(self, wide: dict[str, str], narrow: dict[str, str]) -> None:
        """A request never takes a consent away: open or run out, wider or narrower."""
        ended = {"at": "2026-06-20T00:00:00Z"}
        for at in (wide, narrow):
            for given in (wide, narrow):
                asked = [gave(**given), requested(**self.ASKED, **at)]
                assert reason("NAME", *asked) == YES
                assert reason("NAME", *asked, expired(**ended, **at)) == YES

    @each_pair
    @each_no
    def test_after_a_no(self, wide: dict[str, str], narrow: dict[str, str], no: str) -> None:
        """A request is the reason after a no that is as wide, and not inside a narrower one."""
        asked = {"at": "2026-05-10T00:00:00Z"}

        assert reason("NAME", NOES[no](**wide), requested(**asked, **narrow)) == "REDACT PENDING"
        assert reason("NAME", NOES[no](**wide), requested(**asked, **wide)) == "REDACT PENDING"
        assert reason("NAME", NOES[no](**narrow), requested(**asked, **wide)) == f"REDACT {no}"

    @each_pair
    @each_no
    def test_before_a_no(self, wide: dict[str, str], narrow: dict[str, str], no: str) -> None:
        """A no that is later than the request is the reason."""
        asked = {"at": "2025-03-01T09:00:00Z"}

        for first in (wide, narrow):
            events = [requested(**asked, **first), NOES[no](**wide)]
            assert reason("NAME", *events, as_of="2025-03-10T00:00:00Z") == f"REDACT {no}"

    def test_confirmed(self) -> None:
        """The consent that its link gives is a consent, and ends the request."""
        confirmed = [requested(**DOMAIN), gave(confirms=1, **DOMAIN)]

        assert reason("NAME", *confirmed) == YES
        assert reason("NAME", *confirmed, withdrew(**DOMAIN)) == "REDACT WITHDRAWN"

    def test_confirmed_before_a_transfer(self) -> None:
        """It is answered, and waits for nobody where the consent does not count."""
        confirmed = [requested(**DOMAIN), gave(confirms=1, **DOMAIN)]
        asked_of_some = [requested("NAME", "PHONE", **DOMAIN), gave(confirms=1, **DOMAIN)]
        came = domain(transferred_at="2025-03-03T00:00:00Z")

        assert reason("NAME", *confirmed, on=came) == "REDACT NO_CONSENT"
        assert reason("NAME", *asked_of_some, on=came) == "REDACT NO_CONSENT"

    def test_confirmed_and_run_out(self) -> None:
        """After its confirmation, what runs out at the scope is the consent."""
        events = [requested(**DOMAIN), gave(confirms=1, **DOMAIN), expired(**DOMAIN)]

        assert reason("NAME", *events) == "REDACT EXPIRED"

    def test_of_some_fields(self) -> None:
        """A request waits for the fields that it names."""
        asked = requested("NAME", at="2026-05-10T00:00:00Z")

        assert reason("NAME", asked) == "REDACT PENDING"
        assert reason("PHONE", asked) == "REDACT NO_CONSENT"

    def test_the_link_and_the_person(self) -> None:
        """A consent that does not come from the link counts by itself, also after 30 days."""
        late = gave(at="2026-05-30T00:00:00Z", **DOMAIN)

        assert reason("NAME", requested(**DOMAIN), late) == YES


class TestTransfers:
    ON = domain(transferred_at="2025-03-03T00:00:00Z")

    @each_scope
    def test_consent_does_not_travel(self, scope: dict[str, str]) -> None:
        """A consent from before the domain came counts at no scope."""
        assert reason("NAME", gave(**scope), on=self.ON) == "REDACT NO_CONSENT"

    @each_scope
    @each_no
    def test_a_no_does(self, scope: dict[str, str], no: str) -> None:
        """An earlier no does."""
        assert reason("NAME", NOES[no](**scope), on=self.ON) == f"REDACT {no}"

    @each_scope
    def test_consent_afterwards(self, scope: dict[str, str]) -> None:
        """A consent from that very moment on counts."""
        at = "2025-03-03T00:00:00Z"

        assert reason("NAME", gave(at=at, **scope), on=self.ON) == YES

    def test_other_domains_keep_theirs(self) -> None:
        """The same consent goes on for a domain that was there before."""
        other = domain("example.net")
        situation = {"others": [self.ON], "on": other}

        assert reason("NAME", gave(**ACCOUNT), **situation) == YES

    @each_scope
    def test_back_again(self, scope: dict[str, str]) -> None:
        """Revoked as it left, a domain starts anew: with a consent there or further inside."""
        left = revoked(reason="TRANSFERRED_AWAY", **DOMAIN)
        back = domain(transferred_at="2025-03-05T00:00:00Z")
        new = gave(at="2025-03-06T00:00:00Z", **scope)
        counts = scope in (DOMAIN, ROLE)

        assert reason("NAME", gave(**scope), left, new, on=back) == (
            YES if counts else "REDACT REVOKED"
        )


class TestAsOf:
    EVENTS: ClassVar[list[Event]] = [gave(), withdrew(), gave("NAME")]

    @pytest.mark.parametrize(
        ("moment", "name", "phone"),
        [
            ("2025-03-01T08:59:59Z", "REDACT NO_CONSENT", "REDACT NO_CONSENT"),
            ("2025-03-01T09:00:00Z", YES, YES),
            ("2025-03-02T08:59:59Z", YES, YES),
            ("2025-03-02T09:00:00Z", "REDACT WITHDRAWN", "REDACT WITHDRAWN"),
            ("2025-03-03T09:00:00Z", YES, "REDACT WITHDRAWN"),
        ],
    )
    def test_what_had_been_said(self, moment: str, name: str, phone: str) -> None:
        """Events count from their moment on, and facts are as they are."""
        found = outcomes(*self.EVENTS, as_of=moment)

        assert found["NAME"] == f"{name} OURS"
        assert found["PHONE"] == f"{phone} OURS"


def test_an_account_is_one_person() -> None:
    """A consent for the account covers its contacts, and nobody else's on the same domain."""
    contacts = [contact(), contact(name="C2", account="B"), contact(name="C3")]
    on = domain(bindings={"REGISTRANT": "C1", "TECH": "C2"})
    mine = domain(bindings={"REGISTRANT": "C1", "TECH": "C3"})

    assert reason("NAME", gave(**ACCOUNT), on=on, contacts=contacts) == YES
    assert reason("NAME", gave(**ACCOUNT), on=on, contacts=contacts, role="TECH") == (
        "REDACT NO_CONSENT"
    )
    assert reason("NAME", gave(**ACCOUNT), on=mine, contacts=contacts, role="TECH") == YES


def test_another_person_in_the_role() -> None:
    """Whoever takes over a role starts with what they have said themselves."""
    on = domain(bindings={"REGISTRANT": "C2"})
    contacts = [contact(), contact(name="C2")]

    assert reason("NAME", gave(domain=COM), on=on, contacts=contacts) == "REDACT NO_CONSENT"


@pytest.mark.parametrize("why", ["SUBJECT_CHANGED", "LEGAL_BASIS_CHANGED", "TRANSFERRED_AWAY"])
def test_revocations(why: str) -> None:
    """A consent that somebody else ended is over, and can be given anew."""
    ended = [gave(), revoked(reason=why)]

    assert reason("NAME", *ended) == "REDACT REVOKED"
    assert reason("NAME", *ended, requested(at="2026-05-10T00:00:00Z")) == "REDACT PENDING"
    assert reason("NAME", *ended, gave()) == YES
