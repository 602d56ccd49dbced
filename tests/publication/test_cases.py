"""The decision cases that came with the rules, each by itself, and the format of their file."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from consentsvc.cli import _case_file, _cases
from tests.publication.saying import case, contact, domain, gave, requested

FILE = Path(__file__).with_name("cases.json")
SHARED = Path(__file__).parents[3] / "shared" / "publication" / "cases.json"
CASES = _case_file.read(FILE)


@pytest.mark.parametrize("one", CASES, ids=lambda one: one.id)
def test_case(one: _case_file.Case) -> None:
    """The program answers as the case says."""
    assert _cases.run(one).differences == ()


def test_the_copy_is_the_original() -> None:
    """The cases here are those that were agreed upon, where these are at hand."""
    if not SHARED.exists():
        pytest.skip("the original is not at hand")

    assert FILE.read_bytes() == SHARED.read_bytes()


def test_a_wrong_answer_is_seen() -> None:
    """Each case fails when any part of what it expects is turned around."""
    content = json.loads(FILE.read_text("utf-8"))
    turned = 0
    for told in content["cases"]:
        for spoiled in _spoiled(told["then"]):
            (one,) = _case_file.told({"version": 1, "cases": [{**told, "then": spoiled}]}, "x")
            assert _cases.run(one).differences, f"{told['id']}: {spoiled}"
            turned += 1

    assert turned > 500


def _spoiled(then: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for field, outcome in then.get("outcomes", {}).items():
        wrong = "MANDATORY" if outcome["reason"] == "CONSENT" else "CONSENT"
        found.append({"outcomes": {field: {**outcome, "reason": wrong}}})
        if outcome["outcome"] in {"PUBLISH", "REPLACE", "PROXY"}:
            rest = {name: one for name, one in then["outcomes"].items() if name != field}
            found.append({**then, "outcomes": rest})
    wire = then.get("wire")
    if wire is not None:
        other: dict[str, Any] = {"epp_disclose": {"flag": 1, "elements": ["cc"]}}
        found.append({**then, "wire": other})
        found.append({**then, "wire": {"nothing": True} if wire != {"nothing": True} else other})
    if "rdap" in then:
        members = then["rdap"]["redacted"]
        more = [*members, {"name": "Tech Fax", "method": "removal"}]
        found.append({**then, "rdap": {"redacted": more}})
        found += [
            {**then, "rdap": {"redacted": members[:place] + members[place + 1 :]}}
            for place in range(len(members))
        ]
    for name, wrong in (("recorded", "CONSENT_REFUSED"), ("rejected", "INVALID_SCOPE")):
        if name in then:
            found.append({**then, name: wrong})
    return found


def damaged(change: Callable[[dict[str, Any]], Any], **situation: Any) -> str:
    """What is said of a case that was changed so."""
    events = [requested(domain="example.com"), gave()]
    told = copy.deepcopy(case(events, **situation))
    change(told)
    with pytest.raises(_case_file.NotCases) as refused:
        _case_file.told({"version": 1, "cases": [told]}, "file.json")
    return str(refused.value)


SYNC = {"sync": {"operation": "create"}}


@pytest.mark.parametrize(
    ("change", "situation", "message"),
    [
        (lambda one: one.pop("id"), {}, "id: is missing"),
        (lambda one: one.update(colour=1), {}, "colour: is not a member that belongs here"),
        (lambda one: one.update(given=[]), {}, "given: must be an object"),
        (
            lambda one: one["given"].update(contacts={}),
            {},
            "given.contacts: must be an array",
        ),
        (
            lambda one: one["given"]["contacts"][0].update(kind="PERSON"),
            {},
            "given.contacts[0].kind: must be one of: NATURAL, LEGAL, UNKNOWN",
        ),
        (
            lambda one: one["given"]["contacts"][0]["fields"].update(SHOE_SIZE="42"),
            {},
            "given.contacts[0].fields.SHOE_SIZE: is not a member that belongs here",
        ),
        (
            lambda one: one["given"]["contacts"][0]["fields"].update(NAME=""),
            {},
            "given.contacts[0].fields.NAME: must be a string with something in it",
        ),
        (
            lambda one: one["given"]["contacts"][0].update(has_personal_data="yes"),
            {},
            "given.contacts[0].has_personal_data: must be true or false",
        ),
        (
            lambda one: one["given"]["contacts"][0].update(data_pending=[]),
            {},
            "given.contacts[0].data_pending: must not be empty",
        ),
        (
            lambda one: one["given"]["contacts"][0].update(data_pending=["FAX", "FAX"]),
            {},
            "given.contacts[0].data_pending: must name each once",
        ),
        (
            lambda one: one["given"]["domain"].update(name="Example.com"),
            {},
            "given.domain.name: must match",
        ),
        (
            lambda one: one["given"]["domain"].update(tld="net"),
            {},
            "given.domain.tld: is not how example.com ends",
        ),
        (
            lambda one: one["given"]["domain"].update(registered_at="2024-02-30T00:00:00Z"),
            {},
            "given.domain.registered_at: is no moment",
        ),
        (
            lambda one: one["given"]["domain"].update(registered_at="2024-02-01"),
            {},
            "given.domain.registered_at: must match",
        ),
        (
            lambda one: one["given"]["domain"]["bindings"].update(REGISTRANT="C9"),
            {},
            "given.domain.bindings.REGISTRANT: must be one of: C1",
        ),
        (
            lambda one: one["given"]["domain"]["bindings"].update(OWNER="C1"),
            {},
            "given.domain.bindings.OWNER: must be one of: REGISTRANT, TECH, ADMIN, BILLING",
        ),
        (
            lambda one: one["given"]["events"][0].update(position=0),
            {},
            "given.events[0].position: must be a whole number from 1 on",
        ),
        (
            lambda one: one["given"]["events"][0].update(scope={"role": "TECH"}),
            {},
            "given.events[0].scope: must be account, contact, domain or role",
        ),
        (
            lambda one: one["given"]["events"][0].update(fields=["ALL", "NAME"]),
            {},
            "given.events[0].fields[0]: must be one of: NAME",
        ),
        (
            lambda one: one["given"].update(profile_overrides={"dcp": "some"}),
            {},
            "given.profile_overrides.dcp: must be one of: none, all",
        ),
        (
            lambda one: one["when"]["resolve"].update(domain="other.com"),
            {},
            "when.resolve.domain: must be one of: example.com",
        ),
        (
            lambda one: one["when"].update(resolve=one["when"]["sync"]),
            SYNC,
            "when: must be sync alone, or resolve, or write and resolve",
        ),
        (
            lambda one: one["when"]["sync"].update(previous={}),
            SYNC,
            "when.sync.previous: must have one member",
        ),
        (
            lambda one: one["when"]["sync"].update(
                previous={"epp_disclose": {"flag": True, "elements": []}}
            ),
            SYNC,
            "when.sync.previous.epp_disclose.flag: must be 0 or 1",
        ),
        (
            lambda one: one["when"]["sync"].update(
                previous={"epp_disclose": {"flag": 1, "elements": ["shoes"]}}
            ),
            SYNC,
            "when.sync.previous.epp_disclose.elements[0]: must be one of: name, org",
        ),
        (
            lambda one: one["when"]["sync"].update(previous={"extension": {"a": None}}),
            SYNC,
            "when.sync.previous.extension.a: must be a value or an object",
        ),
        (
            lambda one: one["when"]["write"].update(confirms=2),
            {"write": gave()},
            "when.write.confirms: is the position of no request",
        ),
        (
            lambda one: one["then"]["outcomes"]["NAME"].update(outcome="SHOW"),
            {},
            "then.outcomes.NAME.outcome: must be one of: PUBLISH",
        ),
        (
            lambda one: one["then"].update(rejected="NO"),
            {},
            "then.rejected: must be one of: ROLE_NOT_OFFERED",
        ),
    ],
)
def test_a_file_that_is_not_of_the_format(
    change: Callable[[dict[str, Any]], Any], situation: dict[str, Any], message: str
) -> None:
    """What is wrong is told with the place where it is."""
    assert damaged(change, **situation).startswith(f"file.json: cases[0].{message}")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "file.json: must be an object"),
        ({"cases": []}, "file.json: version: is missing"),
        ({"version": 2, "cases": []}, "file.json: version: must be 1"),
        ({"version": 1, "cases": []}, "file.json: cases: must not be empty"),
    ],
)
def test_no_cases(content: Any, message: str) -> None:
    """A file of something else is refused as such."""
    with pytest.raises(_case_file.NotCases) as refused:
        _case_file.told(content, "file.json")

    assert str(refused.value) == message


def test_nobody_in_the_role() -> None:
    """Of a role without a contact nothing is published, and nothing is sent."""
    told = case([gave()], role="TECH")
    told["then"] = {"outcomes": {"NAME": {"outcome": "PUBLISH", "reason": "CONSENT"}}}
    (one,) = _case_file.told({"version": 1, "cases": [told]}, "x")
    (difference,) = _cases.run(one).differences

    assert (difference.what, difference.actual) == ("NAME", None)
    assert _cases.ask(one).wire == {"nothing": True}


def test_previous_steps() -> None:
    """Of commands that were sent one after the other, the last list is what stands."""
    steps = {
        "steps": [
            {"epp_disclose": {"flag": 1, "elements": ["name"]}},
            {"data": ["NAME"]},
            {"epp_disclose": {"flag": 1, "elements": ["email"], "types": ["int"]}},
        ]
    }
    told = case(
        [gave("EMAIL")],
        on=domain("example.org"),
        contacts=[contact()],
        overrides={"dcp": "none"},
        sync={"operation": "update", "previous": steps},
    )
    told["then"] = {"wire": {"epp_disclose": None}}
    (one,) = _case_file.told({"version": 1, "cases": [told]}, "x")

    assert _cases.run(one).differences == ()
