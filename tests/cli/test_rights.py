"""`consentsvc rights`."""

import pytest

from tests.cli.program import Served

OFFICER = ("--actor", "operator:dpo")


def reason(served: Served, subject: str) -> str:
    return str(served.ask("check", subject, "newsletter", "--json").json()["reason"])


def test_a_restriction_freezes_until_it_is_lifted(served: Served) -> None:
    """All answers are no while it stands, and nothing is lost."""
    served.ask("consents", "give", "rights:1", "newsletter")
    restricted = served.ask("rights", "restrict", "rights:1", *OFFICER, "--json")
    meanwhile = reason(served, "rights:1")
    again = served.ask("rights", "restrict", "rights:1", *OFFICER)
    lifted = served.ask("rights", "lift", "rights:1", *OFFICER, "--channel", "letter")

    assert restricted.code == 0
    assert restricted.json() | {"written_at": ""} == {
        "subject_id": "rights:1",
        "effect": "RECORDED",
        "written_at": "",
    }
    assert meanwhile == "RESTRICTED"
    assert ["effect", "UNCHANGED"] in again.words()
    assert lifted.code == 0
    assert reason(served, "rights:1") == "CONSENT_GIVEN"


def test_a_death_ends_everything(served: Served) -> None:
    """From a reported death on every answer is no."""
    served.ask("consents", "give", "rights:2", "newsletter")
    ran = served.ask("rights", "death", "rights:2", *OFFICER)

    assert ran.code == 0
    assert reason(served, "rights:2") == "DECEASED"


def test_consents_are_revoked_with_a_reason(served: Served) -> None:
    """Each purpose has its own outcome, and the reason is recorded."""
    served.ask("consents", "give", "rights:3", "newsletter")
    revoke = ("rights", "revoke", "rights:3", "newsletter", "chat_cookies", *OFFICER)
    first = served.ask(*revoke, "--reason", "transferred_away", "--json")
    second = served.ask(*revoke, "--reason", "transferred_away")
    events = served.ask("consents", "history", "rights:3", "--json").json_lines()

    assert [(one["purpose_id"], one["effect"]) for one in first.json_lines()] == [
        ("newsletter", "RECORDED"),
        ("chat_cookies", "UNCHANGED"),
    ]
    assert second.words()[1:3] == [
        ["newsletter", "UNCHANGED", "-"],
        ["chat_cookies", "UNCHANGED", "-"],
    ]
    assert events[-1]["revocation_reason"] == "transferred_away"
    assert reason(served, "rights:3") == "REVOKED"


@pytest.mark.parametrize(
    "command",
    [
        ("restrict", "rights:4"),
        ("lift", "rights:4"),
        ("death", "rights:4"),
        ("revoke", "rights:4", "newsletter", "--reason", "invalid"),
    ],
)
def test_somebody_stands_for_it(served: Served, command: tuple[str, ...]) -> None:
    """Who asks for it has to be said."""
    ran = served.ask("rights", *command)

    assert ran.code == 64
    assert "--actor" in ran.err


@pytest.mark.parametrize(
    ("command", "word"),
    [
        (("death", "rights:5", "--actor", "subject"), "actor.kind: must not be the subject"),
        (("restrict", "two words", *OFFICER), "subject_id: must"),
        (
            ("revoke", "rights:5", "nothing", *OFFICER, "--reason", "invalid"),
            "purpose_ids[0]: is not a purpose of the catalogue",
        ),
        (
            ("revoke", "rights:5", "newsletter", "newsletter", *OFFICER, "--reason", "invalid"),
            "purpose_ids: must",
        ),
    ],
)
def test_what_is_refused_is_3(served: Served, command: tuple[str, ...], word: str) -> None:
    """What the service refuses is told in one line that names the field."""
    ran = served.ask("rights", *command)

    assert (ran.code, ran.out) == (3, "")
    assert word in ran.err


def test_a_reason_is_one_of_four(served: Served) -> None:
    """A reason that there is not is a usage error that lists those that there are."""
    ran = served.ask("rights", "revoke", "rights:6", "newsletter", *OFFICER, "--reason", "why not")

    assert ran.code == 64
    assert "transferred_away" in ran.err


def test_an_export(served: Served) -> None:
    """What stands, the texts and the events with their receipts, one a line."""
    served.ask("consents", "give", "rights:export", "newsletter")
    ran = served.ask("rights", "export", "rights:export", "--actor", "operator:dpo", "--receipts")
    record, notice, given, exported = ran.json_lines()

    assert ran.code == 0
    assert record["record"]["event_count"] == 2
    assert notice["notice"]["title"] == "Our newsletter"
    assert given["event"]["kind"] == "consent_given"
    assert given["event"]["receipt"].startswith("c2sp.org/tlog-proof@v1\n")
    assert (exported["event"]["kind"], exported["event"]["actor"]) == (
        "record_exported",
        "operator:dpo",
    )


def test_a_link(served: Served) -> None:
    """What was refused on a device is refused by the customer whose it turns out to be."""
    served.ask("consents", "refuse", "device:rights", "newsletter")
    ran = served.ask(
        "rights", "link", "rights:link", "device:rights", "--actor", "subject", "--json"
    )

    assert (ran.code, ran.json()["purpose_id"]) == (0, "newsletter")
    assert "REFUSED" in served.ask("check", "rights:link", "newsletter").out
