"""`consentsvc publication explain`, and scopes on the command line."""

import json
from pathlib import Path

import pytest

from tests.cli.program import Served

SUBJECT = "explain:1"
REACH = ("--contact", "C-9", "--domain", "explained.cz", "--field", "email")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A registrar's directory of one domain."""
    values = {"name": "Camille Durand", "phone": "+33.199000000", "email": "c@durand.example"}
    lines = (
        {"contact": "C-9", "account": SUBJECT, "kind": "natural", "values": values},
        {
            "domain": "explained.cz",
            "registered": "2024-02-01T10:00:00Z",
            "bindings": {"registrant": "C-9", "tech": "C-9"},
        },
    )
    file = tmp_path / "directory.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in lines))
    return file


def test_why_a_field_is_shown(served: Served, directory: Path) -> None:
    """For each role and field the outcome, the reason, the event and the rule."""
    given = served.ask("consents", "give", SUBJECT, "whois_publication", *REACH, "--json").json()
    ran = served.ask("publication", "explain", "explained.cz", "--directory", directory, "--json")
    roles = {one["role"]: one for one in ran.json_lines()}
    email = roles["registrant"]["fields"]["email"]

    assert ran.code == 0
    assert set(roles) == {"registrant", "tech"}
    assert given["scope"] == {
        "contact_id": "C-9",
        "domain": "explained.cz",
        "role": None,
        "fields": ["email"],
    }
    assert (email["outcome"], email["reason"], email["position"]) == (
        "PUBLISH",
        "CONSENT",
        given["position"],
    )
    assert (email["rule"], email["group"]) == ("OPT_IN", "email")
    assert roles["tech"]["fields"]["phone"]["reason"] == "NO_CONSENT"
    assert (roles["tech"]["profile"], roles["tech"]["registry"]) == ("cz", "CZ.NIC")


def test_a_table_for_people(served: Served, directory: Path) -> None:
    """One line for each role and field, and below it the profile that was applied."""
    ran = served.ask("publication", "explain", "explained.cz", "--directory", directory)
    heading = ran.words()[0]

    assert heading[:5] == ["role", "contact", "field", "outcome", "reason"]
    assert ["profile", "cz", "1"] in ran.words()


def test_contacts_that_are_named(served: Served) -> None:
    """Without a directory contacts are named, and every field is taken to hold a value."""
    ran = served.ask(
        "publication", "explain", "named.com", "--contact", "registrant=explain:2/C-2", "--json"
    )
    told = ran.json()

    assert told["fields"]["name"]["reason"] == "NO_CONSENT"
    assert told["fields"]["country"]["reason"] == "MANDATORY"
    assert {"name": "Registrant Email", "method": "replacementValue"} in told["redacted"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("named.com",),
        ("named.com", "--contact", "registrant"),
        ("named.com", "--contact", "owner=a/b"),
        ("other.cz", "--directory", "DIRECTORY"),
        ("bad name.cz", "--directory", "DIRECTORY"),
        ("explained.cz", "--directory", "DIRECTORY", "--legal"),
        ("named.com", "--contact", "registrant=a/b", "--contact", "registrant=a/c"),
    ],
)
def test_not_a_question(served: Served, directory: Path, arguments: tuple[str, ...]) -> None:
    """Without contacts, or with ones that cannot be read, the command line is refused."""
    given = [str(directory) if one == "DIRECTORY" else one for one in arguments]

    assert served.ask("publication", "explain", *given).code == 64


@pytest.mark.parametrize("spelling", ["EXPLAINED.CZ", "explained.cz.", "Explained.CZ."])
def test_a_domain_in_any_spelling(served: Served, directory: Path, spelling: str) -> None:
    """A domain is found in capitals, and with the root's dot. Only its stored spelling was."""
    ran = served.ask("publication", "explain", spelling, "--directory", directory, "--json")

    assert ran.code == 0
    assert {one["domain"] for one in ran.json_lines()} == {"explained.cz"}


def test_a_domain_in_other_letters(served: Served, directory: Path) -> None:
    """A domain is found by its letters, and by its A-labels."""
    with directory.open("a") as out:
        line = {"domain": "dürand.cz", "registered": "2024-02-01T10:00:00Z"}
        out.write(json.dumps({**line, "bindings": {"registrant": "C-9"}}) + "\n")
    for spelling in ("DÜRAND.cz", "xn--drand-kva.cz"):
        ran = served.ask("publication", "explain", spelling, "--directory", directory, "--json")

        assert ran.json()["domain"] == "xn--drand-kva.cz"


def test_a_domain_without_contacts(served: Served, directory: Path) -> None:
    """Where nobody is bound there is nothing to explain. It was an IndexError."""
    with directory.open("a") as out:
        line = {"domain": "empty.cz", "registered": "2024-02-01T10:00:00Z", "bindings": {}}
        out.write(json.dumps(line) + "\n")
    ran = served.ask("publication", "explain", "empty.cz", "--directory", directory)

    assert ran.code == 64
    assert ran.err == f"consentsvc: {directory}: has no contact for this domain\n"


def test_a_moment_that_is_none(served: Served, directory: Path) -> None:
    """A mistake in the directory is told by its line. This one was an OverflowError."""
    with directory.open("a") as out:
        line = {"domain": "old.cz", "registered": "0001-01-01T00:00:00+14:00", "bindings": {}}
        out.write(json.dumps(line) + "\n")
    ran = served.ask("publication", "explain", "explained.cz", "--directory", directory)

    assert ran.code == 64
    assert ran.err == "consentsvc: directory.jsonl:3: registered cannot be read\n"


def test_not_a_domain(served: Served) -> None:
    """What the service refuses is told by the field."""
    ran = served.ask("publication", "explain", "nowhere", "--contact", "registrant=a/b")

    assert ran.code == 3
    assert "question.domain.name" in ran.err


@pytest.mark.parametrize(
    "options",
    [("--contact", "C-9"), ("--field", "shoe_size"), ("--field", "all", "--role", "owner")],
)
def test_a_scope_that_there_is_not(served: Served, options: tuple[str, ...]) -> None:
    """A scope without fields, and words that are none, are refused before anything is sent."""
    ran = served.ask("consents", "withdraw", SUBJECT, "whois_publication", *options)

    assert ran.code == 64


def test_a_scope_in_the_history(served: Served) -> None:
    """People see how far a choice reached."""
    served.ask("consents", "refuse", "explain:3", "whois_publication", "--field", "all")
    listed = served.ask("consents", "list", "explain:3")
    history = served.ask("consents", "history", "explain:3")

    assert "account: all" in listed.out
    assert "account: all" in history.out
