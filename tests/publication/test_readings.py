"""The order of the decision, the settled readings, and what is written where."""

from typing import Any, ClassVar

import pytest

from tests.publication.saying import (
    ADDRESS,
    FIELDS,
    LEGAL,
    NATURAL,
    UNKNOWN,
    answer,
    case,
    contact,
    domain,
    expired,
    gave,
    outcomes,
    reason,
    refused,
    requested,
    revoked,
    said,
    these,
    told,
    withdrew,
)

YES = "PUBLISH CONSENT"
TECH = domain(bindings={"REGISTRANT": "C1", "TECH": "C2"})
PEOPLE = [contact(), contact(name="C2", account="B")]
DCP = {"dcp": "none"}


def written(write: dict[str, Any], **situation: Any) -> tuple[str | None, str | None, str]:
    """As what it entered the log or why not, and what then holds for the name."""
    found = answer(case(write=write, **situation))
    name = next(one for field, one in found.results.items() if field.name == "NAME")
    recorded = None if found.recorded is None else found.recorded.name
    return recorded, found.rejected, f"{name.outcome.name} {name.reason.name}"


def redacted(**situation: Any) -> set[str]:
    """The redaction members of an RDAP answer, by name and method."""
    found = answer(case(situation.pop("events", ()), **situation)).redacted
    return {f"{name}: {method}" for name, method in found}


class TestOrder:
    def test_no_profile_comes_first(self) -> None:
        """Where nobody knows the rules, nothing else is looked at."""
        on = domain("example.zz", proxy=True, sponsored=False)

        assert set(outcomes(gave(), on=on).values()) == {"REDACT UNKNOWN_PROFILE"}

    def test_sponsorship_comes_before_output(self) -> None:
        """Of a domain that is not ours even a role without output is redacted."""
        on = domain(sponsored=False, proxy=True, bindings={"REGISTRANT": "C1", "ADMIN": "C1"})

        assert set(outcomes(gave(), on=on, role="ADMIN").values()) == {"REDACT NOT_SPONSORED"}

    def test_rare_fields_are_as_the_others(self) -> None:
        """Fields that few registries know are redacted with the rest, or not part of the output."""
        holder = [contact(fields=["NAME", "VAT"])]

        assert outcomes(on=domain("example.zz"), contacts=holder)["VAT"] == (
            "REDACT UNKNOWN_PROFILE"
        )
        assert outcomes(on=domain("example.fr"), contacts=holder)["VAT"] == (
            "NOT_OUTPUT ROLE_NOT_OUTPUT"
        )

    def test_output_comes_before_the_proxy(self) -> None:
        """The proxy stands in for what is part of the output."""
        on = domain(proxy=True, bindings={"REGISTRANT": "C1", "TECH": "C1"})
        found = outcomes(on=on, role="TECH")

        assert found["NAME"] == found["EMAIL"] == "PROXY PROXY_ACTIVE OURS"
        assert found["STREET"] == found["FAX"] == "NOT_OUTPUT ROLE_NOT_OUTPUT"

    @pytest.mark.parametrize("events", [[], [gave()], [refused()]], ids=["silence", "yes", "no"])
    def test_the_proxy_comes_before_everything(self, events: list[Any]) -> None:
        """Every field is the proxy's, an empty one too, whatever was said."""
        holder = [contact(fields=["NAME"])]
        found = outcomes(*events, on=domain(proxy=True), contacts=holder)

        assert found == dict.fromkeys(FIELDS, "PROXY PROXY_ACTIVE OURS")
        assert redacted(events=events, on=domain(proxy=True), contacts=holder) == set()

    def test_the_proxy_leaves_no_trace(self) -> None:
        """When it is lifted, consent is what it was."""
        assert reason("NAME", gave(), on=domain(proxy=False)) == YES

    @pytest.mark.parametrize("tld", ["us", "fr", "it", "ca", "nz", "de", "eu", "uk", "cz"])
    def test_a_proxy_elsewhere(self, tld: str) -> None:
        """Where no proxy is allowed, it changes nothing."""
        with_proxy = domain(f"example.{tld}", proxy=True)

        assert outcomes(gave(), on=with_proxy) == outcomes(gave(), on=domain(f"example.{tld}"))

    def test_a_value_comes_before_the_rule(self) -> None:
        """What is always published is absent where there is nothing."""
        found = outcomes(gave(), contacts=[contact(fields=["NAME"])])

        assert found["COUNTRY"] == found["STREET"] == "ABSENT NO_DATA"

    @pytest.mark.parametrize(
        "events",
        [[refused()], [withdrew()], [revoked()], [gave(), expired()], [requested()]],
        ids=["refused", "withdrawn", "revoked", "expired", "pending"],
    )
    def test_the_rule_comes_before_consent(self, events: list[Any]) -> None:
        """State and country are published whatever is said."""
        found = outcomes(*events)

        assert found["STATE_PROVINCE"] == found["COUNTRY"] == "PUBLISH MANDATORY OURS"


class TestPendingData:
    HOLDER = contact(data_pending=["STREET", "COUNTRY", "EMAIL"])

    def test_consent_waits_for_the_value(self) -> None:
        """A consent whose new value is not stored yet waits, and is told to."""
        found = outcomes(gave(), contacts=[self.HOLDER])

        assert found["STREET"] == "REDACT DATA_CHANGE_PENDING OURS"
        assert found["EMAIL"] == "REPLACE DATA_CHANGE_PENDING OURS"
        assert found["NAME"] == "PUBLISH CONSENT OURS"

    def test_it_matters_to_consent_only(self) -> None:
        """What is always published goes on, and other reasons stay."""
        assert reason("COUNTRY", gave(), contacts=[self.HOLDER]) == "PUBLISH MANDATORY"
        assert reason("STREET", contacts=[self.HOLDER]) == "REDACT NO_CONSENT"
        assert reason("STREET", refused(), contacts=[self.HOLDER]) == "REDACT REFUSED"
        assert reason("STREET", gave(), withdrew(), contacts=[self.HOLDER]) == "REDACT WITHDRAWN"

    def test_where_one_objects(self) -> None:
        """An opt-out field without an objection rests on no consent, so it goes on."""
        on = domain("example.nz")

        assert reason("STREET", gave(), on=on, contacts=[self.HOLDER]) == "PUBLISH MANDATORY"
        assert reason("STREET", refused(), on=on, contacts=[self.HOLDER]) == "REDACT REFUSED"

    def test_it_holds_back_its_group(self) -> None:
        """Of fields with one switch none is published while one waits."""
        found = outcomes(gave(), contacts=[self.HOLDER], on=domain("example.org"), overrides=DCP)
        coarse = "REDACT COARSE_CAPABILITY REGISTRY_KNOB"

        assert found["STREET"] == found["COUNTRY"] == "REDACT DATA_CHANGE_PENDING REGISTRY_KNOB"
        assert found["CITY"] == found["POSTAL_CODE"] == coarse
        assert found["NAME"] == "PUBLISH CONSENT REGISTRY_KNOB"


class TestGroups:
    @pytest.mark.parametrize("tld", ["fr", "it", "pl"])
    def test_empty_fields_do_not_count(self, tld: str) -> None:
        """One switch needs a yes for what holds a value, and for nothing else."""
        holder = [contact(fields=["NAME", "EMAIL"])]
        found = outcomes(gave("NAME", "EMAIL"), on=domain(f"example.{tld}"), contacts=holder)

        assert found["NAME"] == found["EMAIL"] == "PUBLISH CONSENT REGISTRY_KNOB"

    def test_reasons_of_the_others_stay(self) -> None:
        """Only what would have been published becomes coarse."""
        found = outcomes(gave(), refused("PHONE"), on=domain("example.fr"))

        assert found["PHONE"] == "REDACT REFUSED REGISTRY_KNOB"
        assert found["NAME"] == "REDACT COARSE_CAPABILITY REGISTRY_KNOB"

    def test_numbers_and_extensions(self) -> None:
        """A number and its extension are one element in EPP, and two fields in RDAP."""
        epp = outcomes(gave("PHONE"), on=domain("example.org"), overrides=DCP)

        assert epp["PHONE"] == "REDACT COARSE_CAPABILITY REGISTRY_KNOB"
        assert outcomes(gave("PHONE"))["PHONE"] == "PUBLISH CONSENT OURS"

    def test_without_an_extension(self) -> None:
        """Where there is no extension the number is published alone."""
        holder = [contact(fields=["PHONE"])]
        wire = told("create", gave("PHONE"), on=domain("example.org"), contacts=holder,
                    overrides=DCP)  # fmt: skip

        assert wire == {"epp_disclose": {"flag": 1, "elements": ["voice"]}}

    def test_an_element_without_a_value(self) -> None:
        """It is not listed to be shown, and is listed to be hidden."""
        holder = [contact(fields=["NAME"])]
        situation = {"on": domain("example.org"), "contacts": holder}

        assert told("create", gave(), **situation, overrides={"dcp": "none"}) == {
            "epp_disclose": {"flag": 1, "elements": ["name"]}
        }
        assert told("create", gave(), **situation, overrides={"dcp": "all"}) == {
            "epp_disclose": {"flag": 0, "elements": ["addr", "email", "fax", "org", "voice"]}
        }

    def test_what_a_rule_decides_is_in_no_group(self) -> None:
        """A dated rule that publishes one field of a group does not hang on the others."""
        rules = [
            {
                "valid_from": "2025-01-01T00:00:00Z",
                "kind": "LEGAL",
                "fields": ["COUNTRY"],
                "rule": "ALWAYS",
            }
        ]
        found = outcomes(
            on=domain("example.org"), contacts=[contact(LEGAL)],
            overrides={"dcp": "none", "rules": rules},
        )  # fmt: skip

        assert found["COUNTRY"] == "PUBLISH MANDATORY REGISTRY_FIXED"
        assert found["CITY"] == "REDACT NO_CONSENT REGISTRY_KNOB"


class TestSharedHandle:
    def test_another_domain(self) -> None:
        """A handle shows what the consents for all its domains have in common."""
        events = [gave("NAME", "EMAIL", domain="example.org"), gave("NAME", domain="b.org")]
        found = outcomes(*events, on=domain("example.org"), others=[domain("b.org")], overrides=DCP)

        assert found["NAME"] == "PUBLISH CONSENT REGISTRY_KNOB"
        assert found["EMAIL"] == "REDACT SHARED_HANDLE REGISTRY_KNOB"
        assert found["PHONE"] == "REDACT NO_CONSENT REGISTRY_KNOB"

    def test_another_role(self) -> None:
        """So it does for all its roles in one domain."""
        on = domain("example.org", bindings={"REGISTRANT": "C1", "BILLING": "C1"})
        narrow = gave("NAME", domain="example.org", role="REGISTRANT")

        assert reason("NAME", narrow, on=on, overrides=DCP) == "REDACT SHARED_HANDLE"
        assert reason("NAME", narrow, on=on, overrides=DCP, role="BILLING") == "REDACT NO_CONSENT"

    @pytest.mark.parametrize("tld", ["fr", "it", "pl", "uk", "lu", "gov"])
    def test_registries_with_contacts(self, tld: str) -> None:
        """Every registry with a switch of the contact object has it so."""
        here, there = f"example.{tld}", f"b.{tld}"
        situation = {"on": domain(here), "others": [domain(there)]}

        assert reason("NAME", gave(domain=here), **situation) == "REDACT SHARED_HANDLE"
        assert reason("NAME", gave(), **situation) == YES

    @pytest.mark.parametrize("other", ["fr", "re", "wf"])
    def test_suffixes_of_one_registry(self, other: str) -> None:
        """Suffixes of one registry share its contact objects."""
        situation = {"on": domain("example.fr"), "others": [domain(f"b.{other}")]}

        assert reason("NAME", gave(domain="example.fr"), **situation) == "REDACT SHARED_HANDLE"

    @pytest.mark.parametrize("other", ["net", "it", "zz"])
    def test_other_registries(self, other: str) -> None:
        """Another registry, or another gTLD's, has an object of its own."""
        situation = {
            "on": domain("example.org"), "others": [domain(f"b.{other}")], "overrides": DCP
        }  # fmt: skip

        assert reason("NAME", gave(domain="example.org"), **situation) == YES

    @pytest.mark.parametrize("tld", ["com", "ca", "tel", "cat", "pt"])
    def test_no_switch_of_the_contact(self, tld: str) -> None:
        """Where the switch is not the contact's, another domain says nothing here."""
        here = f"example.{tld}"
        situation = {"on": domain(here), "others": [domain(f"b.{tld}")]}

        assert reason("NAME", gave(domain=here), **situation) == YES

    def test_it_becomes_what_it_is_without_consent(self) -> None:
        """Where a relay address stands in for the value, it still does."""
        situation = {"on": domain("example.eu"), "others": [domain("b.eu")]}
        found = outcomes(gave(domain="example.eu"), **situation)

        assert found["EMAIL"] == "REPLACE SHARED_HANDLE REGISTRY_KNOB"

    def test_what_a_rule_decides_is_not_touched(self) -> None:
        """What is always published stays, whatever another domain's contact says."""
        situation = {"on": domain("example.cz"), "others": [domain("b.cz")]}
        found = outcomes(refused(domain="b.cz"), **situation)

        assert found["NAME"] == "PUBLISH MANDATORY REGISTRY_FIXED"

    def test_other_contacts(self) -> None:
        """Only other uses of the same contact count."""
        on = domain("example.org", bindings={"REGISTRANT": "C1", "TECH": "C2"})
        situation = {"on": on, "contacts": PEOPLE, "overrides": DCP}

        assert reason("NAME", gave(), **situation) == YES

    def test_a_domain_that_is_not_ours(self) -> None:
        """One that publishes nothing holds back the others."""
        situation = {"on": domain("example.fr"), "others": [domain("b.fr", sponsored=False)]}

        assert reason("NAME", gave(), **situation) == "REDACT SHARED_HANDLE"

    @pytest.mark.parametrize("turned", [False, True])
    def test_the_switch_is_that_of_all_uses(self, turned: bool) -> None:
        """What must be public for one domain is not told for another that needs a consent.

        An Italian company with a domain from before 2019 was published whenever the question was
        about its newer one.
        """
        old = domain("old.it", registered_at="2018-02-01T10:00:00Z")
        on, other = (old, domain("new.it")) if turned else (domain("new.it"), old)
        situation = {"on": on, "others": [other], "contacts": [contact(LEGAL)]}
        closed, open_ = ({"extcon:consentForPublishing": one} for one in ("false", "true"))

        assert told("create", **situation) == {"extension": closed}
        assert told("create", gave(), **situation) == {"extension": open_}

    def test_the_group_of_the_other(self) -> None:
        """What the other use may not show because of its group, this one may not either."""
        events = [gave(domain="example.fr"), gave("NAME", domain="b.fr")]
        situation = {"on": domain("example.fr"), "others": [domain("b.fr")]}

        assert set(outcomes(*events, **situation).values()) == {
            "REDACT SHARED_HANDLE REGISTRY_KNOB"
        }


class TestSwitchOfTheDomain:
    @pytest.mark.parametrize("tld", ["ca", "ie", "cat", "tel"])
    def test_every_contact_counts(self, tld: str) -> None:
        """Everybody bound to the domain has to agree, in whatever role."""
        on = domain(f"example.{tld}", bindings={"REGISTRANT": "C1", "TECH": "C2"})
        mine, theirs = gave(), gave(contact="C2", account="B")
        situation = {"on": on, "contacts": PEOPLE}

        assert reason("NAME", mine, **situation) == "REDACT COARSE_CAPABILITY"
        assert reason("NAME", mine, role="TECH", **situation) == "REDACT NO_CONSENT"
        assert reason("NAME", mine, theirs, **situation) == YES

    def test_the_registrant_alone(self) -> None:
        """.pt counts its owner, and nobody else."""
        on = domain("example.pt", bindings={"REGISTRANT": "C1", "TECH": "C2"})
        situation: dict[str, Any] = {"on": on, "contacts": PEOPLE}

        assert reason("NAME", gave(), **situation) == YES
        assert told("create", gave(), **situation) == {
            "extension": {"ptdomain:ownerVisible": "true"}
        }
        assert told("create", gave(contact="C2", account="B"), **situation) == {
            "extension": {"ptdomain:ownerVisible": "false"}
        }

    @pytest.mark.parametrize("tld", ["ca", "cat", "tel"])
    @pytest.mark.parametrize("kinds", [(NATURAL, LEGAL), (LEGAL, NATURAL)])
    def test_the_registrant_decides_the_kind(self, tld: str, kinds: tuple[str, str]) -> None:
        """What the registrant is before the law holds for every contact."""
        on = domain(f"example.{tld}", bindings={"REGISTRANT": "C1", "TECH": "C2"})
        contacts = [contact(kinds[0]), contact(kinds[1], name="C2")]
        found = outcomes(on=on, contacts=contacts, role="TECH")["NAME"]
        natural = kinds[0] == NATURAL

        assert (found == "REDACT NO_CONSENT REGISTRY_KNOB") is natural

    def test_update_of_ca(self) -> None:
        """An update adds the new value and takes the old one away."""
        before = {"extension": {"fury:properties": {"PRIVACY": "PUBLIC"}}}
        wire = told("update", withdrew(), on=domain("example.ca"), previous=before)

        assert wire == {"extension": {"fury:add/PRIVACY": "PRIVATE", "fury:rem/PRIVACY": "PUBLIC"}}


class TestOptOut:
    ON = domain("example.nz")
    SWITCHED = (*ADDRESS, "PHONE", "PHONE_EXT", "FAX", "FAX_EXT")

    @pytest.mark.parametrize(
        ("events", "outcome"),
        [
            ([], "PUBLISH MANDATORY"),
            ([gave()], "PUBLISH CONSENT"),
            ([requested(at="2026-05-10T00:00:00Z")], "PUBLISH MANDATORY"),
            ([requested()], "PUBLISH MANDATORY"),
            ([gave(), expired()], "PUBLISH MANDATORY"),
            ([refused()], "REDACT REFUSED"),
            ([gave(), withdrew()], "REDACT WITHDRAWN"),
            ([gave(), revoked()], "REDACT REVOKED"),
            ([refused(), requested(at="2026-05-10T00:00:00Z")], "REDACT REFUSED"),
            ([refused(), gave()], "PUBLISH CONSENT"),
        ],
        ids=["silence", "yes", "pending", "request expired", "expired", "refused", "withdrawn",
             "revoked", "asked again", "changed"],
    )  # fmt: skip
    def test_shown_unless_somebody_objects(self, events: list[Any], outcome: str) -> None:
        """Only an objection of the person or an end of the consent hides; a question does not."""
        found = outcomes(*events, on=self.ON)

        assert these(self.SWITCHED, f"{outcome} REGISTRY_KNOB").items() <= found.items()
        assert found["NAME"] == found["EMAIL"] == "PUBLISH MANDATORY REGISTRY_FIXED"

    def test_one_switch(self) -> None:
        """An objection to one field of the group hides the group."""
        found = outcomes(refused("FAX"), on=self.ON)

        assert found["FAX"] == "REDACT REFUSED REGISTRY_KNOB"
        assert found["COUNTRY"] == "REDACT COARSE_CAPABILITY REGISTRY_KNOB"
        assert told("create", refused("FAX"), on=self.ON) == {"extension": {"irpo": "1"}}

    def test_an_objection_to_what_has_no_switch(self) -> None:
        """It has no effect."""
        assert told("create", refused("EMAIL"), on=self.ON) == {"extension": {"irpo": "0"}}

    def test_in_trade(self) -> None:
        """Who acts in trade has nothing to say, and nothing is sent."""
        trader = [contact(in_trade=True)]

        assert set(outcomes(refused(), on=self.ON, contacts=trader).values()) == {
            "PUBLISH MANDATORY REGISTRY_FIXED"
        }
        assert told("create", refused(), on=self.ON, contacts=trader) == {"nothing": True}

    def test_a_shared_handle(self) -> None:
        """An objection for one domain hides the contact for the others."""
        situation = {"on": self.ON, "others": [domain("b.nz")]}

        assert reason("PHONE", refused(domain="b.nz"), **situation) == "REDACT SHARED_HANDLE"


class TestDates:
    @pytest.mark.parametrize(
        ("moment", "outcome"),
        [("2025-12-05T23:59:59Z", "REDACT NEVER"), ("2025-12-06T00:00:00Z", "PUBLISH MANDATORY")],
    )
    def test_de(self, moment: str, outcome: str) -> None:
        """DENIC publishes legal persons since 6 December 2025."""
        company = [contact(LEGAL)]

        assert reason("PHONE", on=domain("example.de"), contacts=company, as_of=moment) == outcome

    @pytest.mark.parametrize(
        ("registered", "transferred", "mandatory"),
        [
            ("2019-05-01T23:59:59Z", None, False),
            ("2019-05-02T00:00:00Z", None, True),
            ("2015-01-01T00:00:00Z", "2019-05-02T00:00:00Z", True),
            ("2015-01-01T00:00:00Z", "2019-05-01T23:59:59Z", False),
        ],
    )
    def test_it(self, registered: str, transferred: str | None, mandatory: bool) -> None:
        """An Italian company is public if the domain came since 2 May 2019, and else decides."""
        on = domain("example.it", registered_at=registered)
        if transferred is not None:
            on["transferred_at"] = transferred
        company = [contact(LEGAL)]

        assert reason("NAME", refused(), on=on, contacts=company) == (
            "PUBLISH MANDATORY" if mandatory else "REDACT REFUSED"
        )
        assert told("create", refused(), on=on, contacts=company) == {
            "extension": {"extcon:consentForPublishing": "true" if mandatory else "false"}
        }

    @pytest.mark.parametrize("kind", [LEGAL, NATURAL, UNKNOWN])
    @pytest.mark.parametrize("personal", [True, False])
    @pytest.mark.parametrize(
        ("moment", "inside"),
        [
            ("2025-12-31T23:59:59Z", False),
            ("2026-01-01T00:00:00Z", True),
            ("2026-02-28T23:59:59Z", True),
            ("2026-03-01T00:00:00Z", False),
        ],
    )
    def test_dated_rule(self, kind: str, personal: bool, moment: str, inside: bool) -> None:
        """A rule holds from its day to its end, for its kind of registrant."""
        rule = {
            "valid_from": "2026-01-01T00:00:00Z",
            "valid_to": "2026-03-01T00:00:00Z",
            "kind": "LEGAL",
            "has_personal_data": False,
            "fields": ["ORGANIZATION", "EMAIL"],
            "rule": "ALWAYS",
        }
        holder = {**contact(kind), "has_personal_data": personal}
        found = outcomes(contacts=[holder], overrides={"rules": [rule]}, as_of=moment)
        applies = inside and kind == LEGAL and not personal

        assert found["ORGANIZATION"].startswith("PUBLISH MANDATORY") is applies
        assert found["EMAIL"].startswith("PUBLISH MANDATORY") is applies
        assert found["NAME"] == "REDACT NO_CONSENT OURS"

    def test_a_rule_for_natural_persons(self) -> None:
        """One for natural persons reaches those of whom nothing is known."""
        rule = {
            "valid_from": "2025-01-01T00:00:00Z",
            "kind": "NATURAL",
            "fields": ["NAME", "EMAIL"],
            "rule": "NEVER",
        }
        for kind, name, email in (
            (NATURAL, "REDACT NEVER OURS", "REPLACE NEVER OURS"),
            (UNKNOWN, "REDACT NEVER OURS", "REPLACE NEVER OURS"),
            (LEGAL, "PUBLISH CONSENT OURS", "PUBLISH CONSENT OURS"),
        ):
            found = outcomes(gave(), contacts=[contact(kind)], overrides={"rules": [rule]})
            assert (found["NAME"], found["EMAIL"]) == (name, email)

    def test_before_the_rules_are_known(self) -> None:
        """Of a time for which nobody knows the rules, nothing is published."""
        moment = "2010-01-01T00:00:00Z"

        assert reason("COUNTRY", as_of=moment) == "REDACT UNKNOWN_PROFILE"


class TestTechnicalContact:
    OFF: ClassVar = {"tech_consent_offered": False}
    THEIRS: ClassVar = {"contact": "C2", "account": "B"}
    NARROW: ClassVar = {**THEIRS, "domain": "example.com", "role": "TECH"}

    def test_offered(self) -> None:
        """A technical contact decides about name, telephone and e-mail."""
        found = outcomes(gave("NAME", **self.THEIRS), on=TECH, contacts=PEOPLE, role="TECH")

        assert found["NAME"] == "PUBLISH CONSENT OURS"
        assert found["PHONE"] == "REDACT NO_CONSENT OURS"
        assert found["EMAIL"] == "REPLACE NO_CONSENT OURS"
        assert found["COUNTRY"] == found["ORGANIZATION"] == "NOT_OUTPUT ROLE_NOT_OUTPUT"

    def test_not_offered(self) -> None:
        """Otherwise never, and a wider consent is accepted without effect there."""
        situation = {"on": TECH, "contacts": PEOPLE, "overrides": self.OFF}
        found = written(gave(**self.THEIRS), role="TECH", **situation)

        assert found == ("CONSENT_GIVEN", None, "REDACT NEVER")
        assert outcomes(role="TECH", **situation)["EMAIL"] == "REPLACE NEVER OURS"

    def test_a_give_for_the_role(self) -> None:
        """A consent for that very role is refused."""
        situation = {"on": TECH, "contacts": PEOPLE, "overrides": self.OFF, "role": "TECH"}

        assert written(gave(**self.NARROW), **situation) == (
            None,
            "ROLE_NOT_OFFERED",
            "REDACT NEVER",
        )

    @pytest.mark.parametrize("no", ["REFUSED", "WITHDRAWN"])
    def test_a_no_always_succeeds(self, no: str) -> None:
        """A no is recorded for a role without an offer, and where nothing was given."""
        situation = {"on": TECH, "contacts": PEOPLE, "overrides": self.OFF, "role": "TECH"}
        recorded, rejected, _ = written(said(no, **self.NARROW), **situation)

        assert (recorded, rejected) == (f"CONSENT_{no}", None)

    @pytest.mark.parametrize("role", ["ADMIN", "BILLING"])
    def test_roles_without_an_offer(self, role: str) -> None:
        """Administrative and billing contacts are offered nothing."""
        on = domain(bindings={"REGISTRANT": "C1", role: "C1"})
        narrow = gave(domain="example.com", role=role)

        assert written(narrow, on=on)[1] == "ROLE_NOT_OFFERED"

    @pytest.mark.parametrize("role", ["TECH", "ADMIN", "BILLING"])
    @pytest.mark.parametrize("tld", ["fr", "us", "de", "nl", "zz"])
    def test_registries_offer_every_role(self, tld: str, role: str) -> None:
        """With a registry, consent is taken for every role, whether it has an effect or not."""
        on = domain(f"example.{tld}", bindings={"REGISTRANT": "C1", role: "C1"})

        assert written(gave(domain=f"example.{tld}", role=role), on=on)[0] == "CONSENT_GIVEN"


def test_city_is_a_choice_of_the_registrar() -> None:
    """Redacted by default, and always published where the registrar has it so."""
    shown = {"redact_city": False}

    assert reason("CITY", refused()) == "REDACT REFUSED"
    assert reason("CITY", refused(), overrides=shown) == "PUBLISH MANDATORY"
    assert reason("STREET", refused(), overrides=shown) == "REDACT REFUSED"


class TestWriting:
    @pytest.mark.parametrize("actor", ["RESELLER", "OPERATOR", "SYSTEM"])
    def test_only_the_subject_gives(self, actor: str) -> None:
        """A consent by anybody else enters the log as a request, and stays one for 30 days."""
        give = gave(actor=actor, domain="example.com")

        assert written(give, as_of="2025-06-30T00:00:00Z") == (
            "CONSENT_REQUESTED", None, "REDACT PENDING"
        )  # fmt: skip
        assert written(give)[2] == "REDACT EXPIRED"

    def test_the_subject_gives(self) -> None:
        """The subject's own counts at once."""
        assert written(gave()) == ("CONSENT_GIVEN", None, YES)

    @pytest.mark.parametrize("kind", ["GIVEN", "REFUSED", "WITHDRAWN", "REQUESTED"])
    @pytest.mark.parametrize(
        "scope",
        [
            {"contact": None, "domain": "example.com"},
            {"contact": None, "role": "TECH"},
            {"contact": "C1", "role": "TECH"},
            {"contact": None, "domain": "example.com", "role": "TECH"},
        ],
        ids=["domain", "role", "contact and role", "domain and role"],
    )
    def test_scopes_that_there_are_not(self, kind: str, scope: dict[str, Any]) -> None:
        """A domain is a contact's, and a role is in a domain: else nothing is recorded."""
        assert written(said(kind, **scope)) == (None, "INVALID_SCOPE", "REDACT NO_CONSENT")

    @pytest.mark.parametrize(
        ("asked", "outcome"),
        [
            ("2025-05-02T09:00:01Z", ("CONSENT_GIVEN", None, YES)),
            ("2025-05-02T09:00:00Z", (None, "REQUEST_EXPIRED", "REDACT EXPIRED")),
            ("2025-05-01T00:00:00Z", (None, "REQUEST_EXPIRED", "REDACT EXPIRED")),
        ],
        ids=["in time", "to the second", "late"],
    )
    def test_the_link_of_a_request(self, asked: str, outcome: tuple[Any, ...]) -> None:
        """A link confirms for 30 days of 24 hours."""
        give = gave(confirms=1)

        assert written(give, events=[requested(at=asked)]) == outcome

    def test_a_no_with_nothing_given(self) -> None:
        """A withdrawal is recorded where nothing was given."""
        assert written(withdrew()) == ("CONSENT_WITHDRAWN", None, "REDACT WITHDRAWN")


class TestRdap:
    ALL: ClassVar = {
        "Registrant Name: emptyValue",
        "Registrant Organization: removal",
        "Registrant Street: emptyValue",
        "Registrant City: emptyValue",
        "Registrant Postal Code: emptyValue",
        "Registrant Phone: removal",
        "Registrant Phone Ext: removal",
        "Registrant Fax: removal",
        "Registrant Fax Ext: removal",
        "Registrant Email: replacementValue",
    }

    def test_every_member(self) -> None:
        """What is redacted or replaced has an entry; state and country have none."""
        assert redacted() == self.ALL
        assert redacted(events=[gave()]) == set()
        assert redacted(events=[gave("FAX", "EMAIL")]) == self.ALL - {
            "Registrant Fax: removal",
            "Registrant Email: replacementValue",
        }

    def test_what_is_not_held(self) -> None:
        """An empty field has no entry."""
        assert redacted(contacts=[contact(fields=["NAME", "COUNTRY"])]) == {
            "Registrant Name: emptyValue"
        }

    def test_technical_contact(self) -> None:
        """A technical contact has four."""
        assert redacted(on=TECH, contacts=PEOPLE, role="TECH") == {
            "Tech Name: emptyValue",
            "Tech Phone: removal",
            "Tech Phone Ext: removal",
            "Tech Email: replacementValue",
        }

    def test_roles_without_output(self) -> None:
        """A role that is not output has none."""
        on = domain(bindings={"REGISTRANT": "C1", "ADMIN": "C1"})

        assert redacted(on=on, role="ADMIN") == set()

    def test_a_domain_that_is_not_ours(self) -> None:
        """Everything held back has its entry, also where nothing is ours to publish."""
        assert redacted(on=domain(sponsored=False)) == self.ALL


class TestCz:
    ON = domain("example.cz")
    VERIFIED = contact(verified=True)

    def wire(self, operation: str, *events: Any, person: Any = None, **more: Any) -> Any:
        return told(operation, *events, on=self.ON, contacts=[person or contact()], **more)

    def test_address_of_who_is_not_verified(self) -> None:
        """It is always shown, whatever is said."""
        found = outcomes(refused(), on=self.ON)

        assert these(ADDRESS, "PUBLISH MANDATORY REGISTRY_FIXED").items() <= found.items()

    def test_address_of_who_is_verified(self) -> None:
        """It is an element like the others."""
        found = outcomes(gave("STREET"), on=self.ON, contacts=[self.VERIFIED])

        assert found["STREET"] == "REDACT COARSE_CAPABILITY REGISTRY_KNOB"
        assert found["CITY"] == "REDACT NO_CONSENT REGISTRY_KNOB"

    def test_create_knows_nobody(self) -> None:
        """Nobody is verified before they are there: the address is not listed."""
        shown = {"epp_disclose": {"flag": 1, "elements": ["email", "fax", "voice"]}}

        assert self.wire("create", gave(), person=self.VERIFIED) == shown
        assert self.wire("create", gave()) == shown
        assert self.wire("create") == {"epp_disclose": None}

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ([], None),
            (["addr"], None),
            (["addr", "email"], ["addr"]),
            (["email"], ["addr"]),
        ],
    )
    def test_update_without_consent(self, before: list[str], after: list[str] | None) -> None:
        """An element that is sent lists the address, which alone is no reason to send one."""
        previous = {"epp_disclose": {"flag": 1, "elements": before}}
        told = None if after is None else {"flag": 1, "elements": after}

        assert self.wire("update", previous=previous) == {"epp_disclose": told}

    def test_update_once_verified(self) -> None:
        """From then on the list says what holds for the address as well."""
        previous = {"epp_disclose": {"flag": 1, "elements": ["addr", "email"]}}
        without = {"epp_disclose": {"flag": 1, "elements": ["email"]}}
        update = {"person": self.VERIFIED, "previous": previous}

        assert self.wire("update", gave("EMAIL"), **update) == without
        assert self.wire("update", gave("EMAIL", *ADDRESS), **update) == {"epp_disclose": None}

    def test_the_last_consent_goes(self) -> None:
        """Of a verified person an empty list is sent; of another, one with the address."""
        previous = {"epp_disclose": {"flag": 1, "elements": ["email"]}}
        events = [gave("EMAIL"), withdrew("EMAIL")]

        assert self.wire("update", *events, person=self.VERIFIED, previous=previous) == {
            "epp_disclose": {"flag": 1, "elements": []}
        }
        assert self.wire("update", *events, previous=previous) == {
            "epp_disclose": {"flag": 1, "elements": ["addr"]}
        }

    def test_data_and_a_withdrawal(self) -> None:
        """Each list of a job with new data names the address of who is not verified."""
        previous = {"epp_disclose": {"flag": 1, "elements": ["addr", "voice"]}}
        events = [gave("EMAIL")]

        assert self.wire("update", *events, previous=previous, data_changed=["PHONE"]) == {
            "steps": [
                {"epp_disclose": {"flag": 1, "elements": ["addr"]}},
                {"data": ["PHONE"]},
                {"epp_disclose": {"flag": 1, "elements": ["addr", "email"]}},
            ]
        }

    def test_an_address_without_a_value(self) -> None:
        """It is listed all the same while the person is not verified."""
        previous = {"epp_disclose": {"flag": 1, "elements": ["addr", "email"]}}

        assert self.wire("update", person=contact(fields=["EMAIL"]), previous=previous) == {
            "epp_disclose": {"flag": 1, "elements": ["addr"]}
        }

    def test_rare_elements(self) -> None:
        """VAT, identity number and notification address have elements of their own."""
        holder = contact(fields=["NAME", "VAT", "IDENT", "NOTIFY_EMAIL"])

        assert self.wire("create", gave(), person=holder) == {
            "epp_disclose": {"flag": 1, "elements": ["ident", "notifyEmail", "vat"]}
        }


class TestDisclose:
    ORG = domain("example.org")

    def wire(self, dcp: str, *events: Any, **more: Any) -> Any:
        return told("update", *events, on=self.ORG, overrides={"dcp": dcp}, **more)

    def test_types(self) -> None:
        """Elements of the postal information are meant in every form that is held."""
        holder = contact(postal_types=["int", "loc"])
        situation = {"on": self.ORG, "overrides": DCP, "contacts": [holder]}

        assert told("create", gave("NAME", "EMAIL"), **situation) == {
            "epp_disclose": {"flag": 1, "elements": ["email", "name"], "types": ["int", "loc"]}
        }
        assert told("create", gave("EMAIL"), **situation) == {
            "epp_disclose": {"flag": 1, "elements": ["email"]}
        }

    @pytest.mark.parametrize("dcp", ["none", "all"])
    def test_without_a_previous_word(self, dcp: str) -> None:
        """What the server does by itself stands: only what differs from it is sent."""
        nothing, everything = self.wire(dcp), self.wire(dcp, gave())
        six = ["addr", "email", "fax", "name", "org", "voice"]

        assert nothing == {"epp_disclose": None if dcp == "none" else {"flag": 0, "elements": six}}
        assert everything == {
            "epp_disclose": None if dcp == "all" else {"flag": 1, "elements": six}
        }

    @pytest.mark.parametrize(("dcp", "flag"), [("none", 0), ("all", 1)])
    def test_a_flag_that_says_nothing(self, dcp: str, flag: int) -> None:
        """A previous list with the server's own flag is as good as none."""
        previous = {"epp_disclose": {"flag": flag, "elements": ["name", "addr"]}}

        assert self.wire(dcp, gave("EMAIL"), previous=previous) == self.wire(dcp, gave("EMAIL"))

    def test_the_last_consent_goes(self) -> None:
        """The complete list is sent also when it is empty, and with the same flag."""
        hiding = {"epp_disclose": {"flag": 1, "elements": ["email"]}}
        showing = {"epp_disclose": {"flag": 0, "elements": ["email"]}}

        assert self.wire("none", previous=hiding) == {"epp_disclose": {"flag": 1, "elements": []}}
        assert self.wire("all", gave(), previous=showing) == {
            "epp_disclose": {"flag": 0, "elements": []}
        }

    @pytest.mark.parametrize(
        ("before", "consented", "steps"),
        [
            # hide, then the data
            (["email", "name"], ["NAME"], [["name"], "data"]),
            # the data, then show
            (["name"], ["NAME", "EMAIL"], ["data", ["email", "name"]]),
            # hide, the data, show
            (["name"], ["EMAIL"], [[], "data", ["email"]]),
            (["name", "org"], ["NAME", "EMAIL"], [["name"], "data", ["email", "name"]]),
        ],
        ids=["hide", "show", "both", "both, and one stays"],
    )
    def test_steps_with_data(self, before: list[str], consented: list[str], steps: Any) -> None:
        """Old data is not shown under a new permission, nor new data under an old one."""
        previous = {"epp_disclose": {"flag": 1, "elements": before}}
        wire = self.wire(
            "none", gave(*consented), previous=previous, data_changed=["STREET", "CITY"]
        )

        assert wire == {
            "steps": [
                {"data": ["CITY", "STREET"]}
                if one == "data"
                else {"epp_disclose": {"flag": 1, "elements": one}}
                for one in steps
            ]
        }

    def test_steps_with_a_showing_server(self) -> None:
        """There, what must be hidden is named: the list grows first, and shrinks last."""
        previous = {"epp_disclose": {"flag": 0, "elements": ["addr", "fax", "org", "voice"]}}
        wire = self.wire("all", gave("NAME", "FAX", "FAX_EXT"), previous=previous,
                         data_changed=["FAX"])  # fmt: skip

        assert wire == {
            "steps": [
                {"epp_disclose": {"flag": 0, "elements": ["addr", "email", "fax", "org", "voice"]}},
                {"data": ["FAX"]},
                {"epp_disclose": {"flag": 0, "elements": ["addr", "email", "org", "voice"]}},
            ]
        }


class TestExtensions:
    def test_fr_without_a_previous_word(self) -> None:
        """The restriction is added if there was none, and not lifted if there is none."""
        on = domain("example.fr")

        assert told("update", on=on) == {
            "extension": {"frnic:add/frnic:list": "restrictedPublication"}
        }
        assert told("update", gave(), on=on) == {"nothing": True}

    def test_a_person_who_became_a_company(self) -> None:
        """The restriction is lifted, and a natural person's words give way to a company's."""
        company = [contact(LEGAL)]
        restricted = {"extension": {"frnic:list": "restrictedPublication"}}
        person = {"extension": {"extcon:individual": True, "extcon:consentForPublishing": False}}

        assert told("update", on=domain("example.fr"), contacts=company, previous=restricted) == {
            "extension": {"frnic:rem/frnic:list": "restrictedPublication"}
        }
        assert told("update", on=domain("example.pl"), contacts=company, previous=person) == {
            "extension": {"extcon:individual": "false"}
        }

    def test_one_switch_needs_them_all(self) -> None:
        """A rule that publishes one field lifts no restriction of the others."""
        rule = {
            "valid_from": "2025-01-01T00:00:00Z",
            "kind": "NATURAL",
            "fields": ["NAME"],
            "rule": "ALWAYS",
        }
        situation = {"on": domain("example.fr"), "overrides": {"rules": [rule]}}

        assert reason("NAME", **situation) == "PUBLISH MANDATORY"
        assert told("create", gave("NAME"), **situation) == {
            "extension": {"frnic:list": "restrictedPublication"}
        }

    def test_pt_always_says_it(self) -> None:
        """.pt is told on every update, with the decision of the day."""
        previous = {"extension": {"ptdomain:ownerVisible": True}}

        assert told("update", gave(), on=domain("example.pt"), previous=previous) == {
            "extension": {"ptdomain:ownerVisible": "true"}
        }
        assert told("update", on=domain("example.pt"), previous=previous) == {
            "extension": {"ptdomain:ownerVisible": "false"}
        }

    @pytest.mark.parametrize("tld", ["com", "nl", "de", "us", "ee", "swiss", "zz"])
    @pytest.mark.parametrize("operation", ["create", "update"])
    def test_registries_that_are_told_nothing(self, tld: str, operation: str) -> None:
        """Nothing is sent where there is nobody to tell."""
        for events in ([], [gave()], [refused()]):
            assert told(
                operation, *events, on=domain(f"example.{tld}"), data_changed=["PHONE"]
            ) == {"nothing": True}
