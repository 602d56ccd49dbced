"""Every registry, for persons and companies who said nothing, something and everything.

What is expected is written down from the registries' rules, row by row.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pytest

from tests.publication.saying import (
    ADDRESS,
    FIELDS,
    LEGAL,
    NATURAL,
    UNKNOWN,
    Event,
    contact,
    domain,
    everywhere,
    gave,
    outcomes,
    these,
    told,
)

SOME = ("NAME", "CITY", "PHONE", "EMAIL")
"""What is consented to in part: one whole element, three parts of others, and the e-mail."""

SAYINGS: dict[str, list[Event]] = {"nothing": [], "some": [gave(*SOME)], "all": [gave()]}

NO, YES = "REDACT NO_CONSENT REGISTRY_KNOB", "PUBLISH CONSENT REGISTRY_KNOB"
COARSE = "REDACT COARSE_CAPABILITY REGISTRY_KNOB"
FIXED_YES, FIXED_NO = "PUBLISH MANDATORY REGISTRY_FIXED", "REDACT NEVER REGISTRY_FIXED"
OURS_NO, OURS_YES = "REDACT NO_CONSENT OURS", "PUBLISH CONSENT OURS"
STATE_AND_COUNTRY = these(("STATE_PROVINCE", "COUNTRY"), "PUBLISH MANDATORY OURS")

Outcomes = Mapping[str, str]
Sent = Mapping[str, Any]
NOTHING: Sent = {"nothing": True}


class Row(NamedTuple):
    """What comes out for nothing, some and all, and what is sent on create."""

    tld: str
    kind: str
    nothing: Outcomes
    some: Outcomes
    all: Outcomes
    sent: tuple[Sent, Sent, Sent]
    overrides: dict[str, Any] | None = None


def same(outcome: Outcomes) -> tuple[Outcomes, Outcomes, Outcomes]:
    """Whatever is said."""
    return outcome, outcome, outcome


ONE_SWITCH = (everywhere(NO), everywhere(NO, **these(SOME, COARSE)), everywhere(YES))
ALL_ALWAYS = same(everywhere(FIXED_YES))
ALL_NEVER = same(everywhere(FIXED_NO))
NAME_AND_EMAIL = {**these(("CITY", "PHONE"), COARSE), **these(("NAME", "EMAIL"), YES)}
BY_ELEMENT = (everywhere(NO), everywhere(NO, **NAME_AND_EMAIL), everywhere(YES))


def without(fixed: Sequence[str], word: str) -> tuple[Outcomes, Outcomes, Outcomes]:
    """By element, but for the fields that have no switch."""
    nothing, some, everything = BY_ELEMENT
    no_switch = these(fixed, word)
    return ({**nothing, **no_switch}, {**some, **no_switch}, {**everything, **no_switch})


def shows(*elements: str) -> Sent:
    return {"epp_disclose": {"flag": 1, "elements": sorted(elements)}}


def hides(*elements: str) -> Sent:
    return {"epp_disclose": {"flag": 0, "elements": sorted(elements)}}


def extension(**values: str) -> Sent:
    return {"extension": {name.replace("__", ":"): value for name, value in values.items()}}


NO_ELEMENT: Sent = {"epp_disclose": None}
SIX = ("name", "org", "addr", "voice", "fax", "email")
RESTRICTED: Sent = {"extension": {"frnic:list": "restrictedPublication"}}


def lu(*shown: str) -> Sent:
    return {"extension": {f"dnslu:disclose/{one}": str(one in shown).lower() for one in SIX}}


def flagged(path: str) -> tuple[Sent, Sent, Sent]:
    """A switch that takes everything only."""
    no, yes = {"extension": {path: "false"}}, {"extension": {path: "true"}}
    return no, no, yes


def fury(privacy: str) -> Sent:
    return {"extension": {"fury:properties/PRIVACY": privacy}}


def thrice(sent: Sent) -> tuple[Sent, Sent, Sent]:
    return sent, sent, sent


GTLD = (
    everywhere(OURS_NO, **STATE_AND_COUNTRY, EMAIL="REPLACE NO_CONSENT OURS"),
    everywhere(OURS_NO, **STATE_AND_COUNTRY, **these(SOME, OURS_YES)),
    everywhere(OURS_YES, **STATE_AND_COUNTRY),
)


def pl(consent: str) -> Sent:
    return extension(extcon__individual="true", extcon__consentForPublishing=consent)


def eu(address: str) -> Sent:
    return {"extension": {"contact-ext:naturalPerson": "true", "contact-ext:whoisEmail": address}}


EU_NO = everywhere(FIXED_NO, EMAIL="REPLACE NO_CONSENT REGISTRY_KNOB")
EU_YES = everywhere(FIXED_NO, EMAIL=YES)
DE_LEGAL = everywhere(FIXED_YES, **these(("NAME", "PHONE_EXT", "FAX", "FAX_EXT"), FIXED_NO))
UK_FIXED = ("PHONE", "PHONE_EXT", "FAX", "FAX_EXT", "EMAIL")
AT_FIXED = ("NAME", "ORGANIZATION", *ADDRESS)
FI_FIXED = ("NAME", "ORGANIZATION", "FAX", "FAX_EXT")
CZ_SHOWN = ("NAME", "ORGANIZATION", *ADDRESS)
GOV = ("name", "org", "street", "city", "sp", "pc", "cc", "voice", "fax", "email")
NZ_SWITCHED = (*ADDRESS, "PHONE", "PHONE_EXT", "FAX", "FAX_EXT")
# Of a person's organisation the row says nothing: a field without a switch is never published.
NZ_SILENT = everywhere(
    FIXED_YES, ORGANIZATION=FIXED_NO, **these(NZ_SWITCHED, "PUBLISH MANDATORY REGISTRY_KNOB")
)
NZ_SOME = {**NZ_SILENT, "CITY": YES, "PHONE": YES}
NZ_ALL = everywhere(YES, NAME=FIXED_YES, ORGANIZATION=FIXED_NO, EMAIL=FIXED_YES)
EU_LEGAL = everywhere(FIXED_NO, **these(("ORGANIZATION", "CITY", "COUNTRY", "EMAIL"), FIXED_YES))
GOV_SOME = everywhere(NO, **these(("NAME", "CITY", "EMAIL"), YES), PHONE=COARSE)
EU_LEGAL_SENT = extension(**{"contact-ext__naturalPerson": "false"})


def both(
    tld: str,
    public: tuple[Outcomes, Outcomes, Outcomes],
    sent: tuple[Sent, Sent, Sent],
    overrides: dict[str, Any] | None = None,
) -> list[Row]:
    """Natural and legal persons alike."""
    return [Row(tld, kind, *public, sent, overrides) for kind in (NATURAL, LEGAL)]


HIDING = (NO_ELEMENT, shows("name", "email"), shows(*SIX))
SHOWING = (hides(*SIX), hides("org", "addr", "voice", "fax"), NO_ELEMENT)
PRIVACY = (fury("PRIVATE"), fury("PRIVATE"), fury("PUBLIC"))
NO_CONSENT_TEL = extension(unspec="WhoisType=NATURAL Publish=N")
CONSENT_TEL = extension(unspec="WhoisType=NATURAL Publish=Y")

ROWS = [
    *both("com", GTLD, thrice(NOTHING)),
    *both("dev", GTLD, thrice(NOTHING)),
    *both("org", BY_ELEMENT, HIDING, {"dcp": "none"}),
    *both("net", BY_ELEMENT, SHOWING, {"dcp": "all"}),
    *[
        Row(tld, NATURAL, *ONE_SWITCH, (RESTRICTED, RESTRICTED, NOTHING))
        for tld in ("fr", "re", "pm", "tf", "wf", "yt")
    ],
    Row("fr", LEGAL, *ALL_ALWAYS, thrice(NOTHING)),
    Row("it", NATURAL, *ONE_SWITCH, flagged("extcon:consentForPublishing")),
    Row("it", LEGAL, *ALL_ALWAYS, thrice({"extension": {"extcon:consentForPublishing": "true"}})),
    Row("pl", NATURAL, *ONE_SWITCH, (pl("false"), pl("false"), pl("true"))),
    Row("pl", LEGAL, *ALL_ALWAYS, thrice({"extension": {"extcon:individual": "false"}})),
    *both(
        "cz",
        without(CZ_SHOWN, FIXED_YES),
        (NO_ELEMENT, shows("email"), shows("voice", "fax", "email")),
    ),
    Row("eu", NATURAL, EU_NO, EU_YES, EU_YES, (eu("relay"), eu("real"), eu("real"))),
    Row("eu", LEGAL, *same(EU_LEGAL), thrice(EU_LEGAL_SENT)),
    Row("nl", NATURAL, *ALL_NEVER, thrice(NOTHING)),
    Row("nl", LEGAL, *same(everywhere(FIXED_NO, ORGANIZATION=FIXED_YES)), thrice(NOTHING)),
    Row("de", NATURAL, *ALL_NEVER, thrice(NOTHING)),
    Row("de", LEGAL, *same(DE_LEGAL), thrice(NOTHING)),
    *both(
        "uk",
        without(UK_FIXED, FIXED_NO),
        (NO_ELEMENT, shows("name"), shows("name", "org", "addr")),
    ),
    Row("ca", NATURAL, *ONE_SWITCH, PRIVACY),
    Row("ca", LEGAL, *ALL_ALWAYS, thrice(fury("PUBLIC"))),
    *both("ie", ONE_SWITCH, PRIVACY),
    Row("cat", NATURAL, *ONE_SWITCH, flagged("dx:disclosure/dx:natural/disclose")),
    Row("cat", LEGAL, *ALL_ALWAYS, thrice({"extension": {"dx:disclosure/dx:legal": ""}})),
    Row("tel", NATURAL, *ONE_SWITCH, (NO_CONSENT_TEL, NO_CONSENT_TEL, CONSENT_TEL)),
    Row("tel", LEGAL, *ALL_NEVER, thrice(extension(unspec="WhoisType=LEGAL"))),
    *both("pt", ONE_SWITCH, flagged("ptdomain:ownerVisible")),
    *both("us", ALL_ALWAYS, thrice(NOTHING)),
    *both("lu", BY_ELEMENT, (lu(), lu("name", "email"), lu(*SIX))),
    Row("nz", NATURAL, NZ_SILENT, NZ_SOME, NZ_ALL, thrice(extension(irpo="0"))),
    Row("nz", LEGAL, *ALL_ALWAYS, thrice(NOTHING)),
    *both(
        "at",
        without(AT_FIXED, FIXED_NO),
        (hides("voice", "fax", "email"), hides("voice", "fax"), NO_ELEMENT),
    ),
    *both(
        "fi",
        without(FI_FIXED, FIXED_NO),
        (hides("voice", "email", "addr"), hides("voice", "addr"), NO_ELEMENT),
    ),
    *both("ee", ALL_NEVER, thrice(NOTHING)),
    *both("swiss", ALL_NEVER, thrice(NOTHING)),
    *both(
        "gov",
        (everywhere(NO), GOV_SOME, everywhere(YES)),
        (NO_ELEMENT, shows("name", "city", "email"), shows(*GOV)),
    ),
    *both("no", BY_ELEMENT, SHOWING),
]

each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.tld}-{row.kind.lower()}")
each_saying = pytest.mark.parametrize(("place", "saying"), list(enumerate(SAYINGS)))

EXTRA = {"cz": ("VAT", "IDENT", "NOTIFY_EMAIL"), "no": ("MOBILE_PHONE",)}


def situation(row: Row) -> dict[str, Any]:
    return {
        "on": domain(f"example.{row.tld}"),
        "contacts": [contact(row.kind)],
        "overrides": row.overrides,
    }


@each_row
@each_saying
def test_what_is_public(row: Row, place: int, saying: str) -> None:
    """Each field is what the registry's rules make of what was said."""
    found = outcomes(*SAYINGS[saying], **situation(row))
    expected = getattr(row, saying)
    rare = dict.fromkeys(EXTRA.get(row.tld, ()), "ABSENT NO_DATA")

    assert found == {**expected, **rare}


@each_row
def test_unknown_is_natural(row: Row) -> None:
    """A contact of whose kind nothing is known is treated as a person."""
    if row.kind == NATURAL:
        unknown = {**situation(row), "contacts": [contact(UNKNOWN)]}
        for events in SAYINGS.values():
            assert outcomes(*events, **unknown) == outcomes(*events, **situation(row))


@each_row
@each_saying
def test_create(row: Row, place: int, saying: str) -> None:
    """A registry is told on create what it has to know, and by its own words."""
    found = told("create", *SAYINGS[saying], **situation(row))

    assert found == row.sent[place]


def updated(row: Row, before: Sent, now: Sent) -> Sent:
    """What an update says, by the table of what is sent on create."""
    if row.tld == "pt":
        return now
    if before == now:
        return NO_ELEMENT if "epp_disclose" in now else NOTHING
    if "epp_disclose" in now:
        return complete(row, now)
    if row.tld in {"fr", "re", "pm", "tf", "wf", "yt"}:
        verb = "add" if now == RESTRICTED else "rem"
        return {"extension": {f"frnic:{verb}/frnic:list": "restrictedPublication"}}
    if row.tld in {"ca", "ie"}:
        new = now["extension"]["fury:properties/PRIVACY"]
        old = before["extension"]["fury:properties/PRIVACY"]
        return {"extension": {"fury:add/PRIVACY": new, "fury:rem/PRIVACY": old}}
    return now


def complete(row: Row, now: Sent) -> Sent:
    """On update a list is sent also when it is empty, and in .cz names the address."""
    told = now["epp_disclose"] or {
        "flag": 0 if row.tld in {"net", "at", "fi", "no"} else 1, "elements": []
    }  # fmt: skip
    forced = ["addr"] if row.tld == "cz" else []
    return {"epp_disclose": {**told, "elements": sorted({*told["elements"], *forced})}}


@each_row
@each_saying
@pytest.mark.parametrize("before", range(3))
def test_update(row: Row, place: int, saying: str, before: int) -> None:
    """An update says the complete state where it has changed, and nothing where it has not."""
    was, now = row.sent[before], row.sent[place]
    previous = nested(was)
    found = told("update", *SAYINGS[saying], previous=previous, **situation(row))

    assert found == updated(row, was, now)


def nested(sent: Sent) -> Any:
    """As a case writes it: paths are objects, but for the two of .fr."""
    if "extension" not in sent:
        return sent
    tree: dict[str, Any] = {}
    for path, value in sent["extension"].items():
        inside = tree
        *parents, last = path.split("/")
        for parent in parents:
            inside = inside.setdefault(parent, {})
        inside[last] = {"true": True, "false": False, "": {}}.get(value, value)
    return {"extension": tree}


@each_row
def test_another_role(row: Row) -> None:
    """A technical contact, too, is published by the registry's rules alone."""
    on = domain(f"example.{row.tld}", bindings={"REGISTRANT": "C1", "TECH": "C2"})
    contacts = [contact(row.kind), contact(row.kind, name="C2")]
    found = outcomes(
        gave(contact=None), on=on, contacts=contacts, role="TECH", overrides=row.overrides
    )
    expected: Outcomes = row.all
    if row.tld in {"com", "dev"}:
        shown = these(("NAME", "PHONE", "PHONE_EXT", "EMAIL"), OURS_YES)
        expected = everywhere("NOT_OUTPUT ROLE_NOT_OUTPUT", **shown)
    elif row.tld in {"de", "nl", "pt"}:
        expected = everywhere(FIXED_NO)
    rare = dict.fromkeys(EXTRA.get(row.tld, ()), "ABSENT NO_DATA")

    assert found == {**expected, **rare}


@each_row
def test_data_changes_alone(row: Row) -> None:
    """New data travels by itself while what is published stays as it is."""
    sent = row.sent[2]
    found = told("update", gave(), previous=nested(sent), data_changed=["PHONE"], **situation(row))

    assert found == updated(row, sent, sent)


@pytest.mark.parametrize("tld", sorted({row.tld for row in ROWS}))
def test_not_ours(tld: str) -> None:
    """Of a domain with another registrar nothing is published, and nothing is sent."""
    on = domain(f"example.{tld}", sponsored=False)

    assert outcomes(gave(), on=on) == everywhere("REDACT NOT_SPONSORED")
    assert told("update", gave(), on=on) == NOTHING


@pytest.mark.parametrize("tld", sorted({row.tld for row in ROWS}))
@pytest.mark.parametrize("kind", [NATURAL, LEGAL])
def test_nothing_is_held(tld: str, kind: str) -> None:
    """A field without a value is never published, whatever the rules and the person say."""
    found = outcomes(gave(), on=domain(f"example.{tld}"), contacts=[contact(kind, ["NAME"])])

    assert all(word == "ABSENT NO_DATA" for field, word in found.items() if field in FIELDS[1:])


@pytest.mark.parametrize("role", ["ADMIN", "BILLING"])
def test_roles_that_are_gone(role: str) -> None:
    """Of a gTLD's administrative and billing contacts nothing is part of the output."""
    on = domain(bindings={"REGISTRANT": "C1", role: "C1"})

    assert outcomes(gave(), on=on, role=role) == everywhere("NOT_OUTPUT ROLE_NOT_OUTPUT")


@pytest.mark.parametrize("kind", [NATURAL, LEGAL])
def test_admin_of_nl(kind: str) -> None:
    """SIDN shows the e-mail address of the administrative contact, of whatever kind."""
    on = domain("example.nl", bindings={"REGISTRANT": "C1", "ADMIN": "C1"})
    found = outcomes(on=on, contacts=[contact(kind)], role="ADMIN")

    assert found == everywhere(FIXED_NO, EMAIL=FIXED_YES)


@pytest.mark.parametrize("name", ["example.com", "example.co.uk", "example.kyoto"])
def test_unknown_to_us(name: str) -> None:
    """The longest suffix that is known decides; without any, nothing is published."""
    found = outcomes(gave(), on={**domain(name), "tld": name.partition(".")[2]})

    assert ("REDACT UNKNOWN_PROFILE" in found.values()) is (name == "example.kyoto")
