"""`consentsvc consents`."""

import pytest

from tests.cli.program import Ran, Served

PURPOSES = [
    "newsletter",
    "newsletter_open_tracking",
    "whois_publication",
    "marketing_profiling",
    "chat_cookies",
    "video_embeds",
    "audience_measurement",
    "reseller42.newsletter",
]


def reason(served: Served, subject: str, purpose: str) -> str:
    return str(served.ask("check", subject, purpose, "--json").json()["reason"])


def history(served: Served, subject: str) -> Ran:
    return served.ask("consents", "history", subject, "--json")


@pytest.mark.parametrize(
    ("command", "purpose", "leads_to"),
    [
        ("give", "newsletter", "CONSENT_GIVEN"),
        ("refuse", "newsletter", "REFUSED"),
        ("object", "audience_measurement", "OBJECTED"),
        ("give", "reseller42.newsletter", "PENDING_CONFIRMATION"),
    ],
)
def test_a_choice_is_recorded(served: Served, command: str, purpose: str, leads_to: str) -> None:
    """What the subject chooses decides the next check."""
    subject = f"consents:{command}:{purpose}"
    ran = served.ask("consents", command, subject, purpose, "--json")

    assert ran.code == 0
    assert ran.json()["purpose_id"] == purpose
    assert reason(served, subject, purpose) == leads_to


def test_a_consent_is_taken_back(served: Served) -> None:
    """Withdrawing is recorded once, and succeeds as often as one likes."""
    served.ask("consents", "give", "consents:1", "newsletter")
    first = served.ask("consents", "withdraw", "consents:1", "newsletter", "--json")
    second = served.ask("consents", "withdraw", "consents:1", "newsletter", "--json")

    assert (first.code, first.json()["effect"]) == (0, "RECORDED")
    assert (second.code, second.json()["effect"]) == (0, "UNCHANGED")
    assert second.json()["position"] is None
    assert reason(served, "consents:1", "newsletter") == "WITHDRAWN"


def test_an_objection_is_taken_back(served: Served) -> None:
    """Only unobject lifts an objection."""
    served.ask("consents", "object", "consents:2", "audience_measurement")
    ran = served.ask("consents", "unobject", "consents:2", "audience_measurement")

    assert ran.code == 0
    assert reason(served, "consents:2", "audience_measurement") == "NOT_OBJECTED"


def test_people_get_words(served: Served) -> None:
    """Without --json each fact has a line, and what does not apply has none."""
    ran = served.ask("consents", "give", "consents:3", "newsletter")

    assert [line[:-1] for line in ran.words()] == [
        ["purpose", "id"],
        ["effect"],
        ["position"],
        ["written", "at"],
    ]


def test_the_notice_is_named(served: Served) -> None:
    """The notice that was shown is recorded: the current one, or the version that is named."""
    served.ask("consents", "give", "consents:4", "newsletter", "--locale", "fr")
    served.ask("consents", "give", "consents:4", "chat_cookies", "--notice-version", "1")
    notices = [one["notice"] for one in history(served, "consents:4").json_lines()]

    assert [(one["version"], one["locale"]) for one in notices] == [("1", "fr"), ("1", "en")]
    assert all(len(one["sha256"]) == 64 for one in notices)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["no_such_purpose"], "changes[0].purpose_id: is not a purpose of the catalogue"),
        (["newsletter", "--locale", "de"], "locale: must"),
        (["newsletter", "--notice-version", "9"], "[UNKNOWN_NOTICE]"),
        (["newsletter", "--channel", "No Channel"], "channel: must"),
        (["newsletter", "--request-id", "two words"], "request_id: must"),
        (["newsletter", "--actor", "operator:two words"], "actor.id: must"),
    ],
)
def test_what_is_refused_is_3_and_names_the_field(
    served: Served, options: list[str], word: str
) -> None:
    """A change that the service refuses is told in one line."""
    ran = served.ask("consents", "give", "consents:5", *options)

    assert (ran.code, ran.out) == (3, "")
    assert word in ran.err
    assert len(ran.err.splitlines()) == 1


@pytest.mark.parametrize("actor", ["subject:7", "operator", "reseller:", "other", "SUBJECT", ""])
def test_an_actor_is_a_kind_and_an_id(served: Served, actor: str) -> None:
    """An actor of no kind, without its id, or with one too many is a usage error."""
    ran = served.ask("consents", "withdraw", "consents:5", "newsletter", "--actor", actor)

    assert ran.code == 64
    assert "must be subject, operator:ID, reseller:ID or system" in ran.err


@pytest.mark.parametrize("actor", ["operator:7", "reseller:42", "system", "system:sync"])
def test_only_the_subject_gives(served: Served, actor: str) -> None:
    """Given by anybody else, it is a request to the subject."""
    subject = f"consents:by-{actor}"
    ran = served.ask("consents", "give", subject, "newsletter", "--actor", actor, "--json")

    assert ran.json()["effect"] == "AWAITING_CONFIRMATION"
    assert reason(served, subject, "newsletter") == "PENDING_CONFIRMATION"
    assert history(served, subject).json()["actor"] == actor


def test_a_request_is_confirmed_by_its_token(served: Served) -> None:
    """The token is told, confirms once, and may come from standard input."""
    asked = served.ask("consents", "give", "consents:6", "reseller42.newsletter", "--json").json()
    confirmed = served.ask(
        "consents", "confirm", "-", "--json", stdin=asked["confirmation_token"] + "\n"
    )
    again = served.ask("consents", "confirm", asked["confirmation_token"])

    assert asked["effect"] == "AWAITING_CONFIRMATION"
    assert asked["confirm_before"].endswith("Z")
    assert confirmed.code == 0
    assert confirmed.json() | {"written_at": ""} == {
        "purpose_id": "reseller42.newsletter",
        "position": asked["position"] + 1,
        "written_at": "",
    }
    assert again.code == 3
    assert "[CONFIRMATION_USED]" in again.err
    assert reason(served, "consents:6", "reseller42.newsletter") == "CONSENT_GIVEN"


def test_a_link_takes_back(served: Served, withdrawal_token: str) -> None:
    """One click withdraws, and a second one succeeds and changes nothing."""
    first = served.ask("consents", "redeem", withdrawal_token, "--json")
    second = served.ask("consents", "redeem", withdrawal_token)

    assert first.json()["purpose_id"] == "newsletter"
    assert first.json()["effect"] == "RECORDED"
    assert ["effect", "UNCHANGED"] in second.words()
    assert reason(served, "consents:link", "newsletter") == "WITHDRAWN"


@pytest.mark.parametrize("command", ["confirm", "redeem"])
@pytest.mark.parametrize("token", ["nonsense", "-dash-first", "--two-dashes", "-json", "-h"])
def test_a_token_of_nobody_is_refused(served: Served, command: str, token: str) -> None:
    """A token that was not made here is refused, also one that looks like an option."""
    ran = served.ask("consents", command, token)

    assert ran.code == 3
    assert "[LINK_UNKNOWN]" in ran.err


def test_a_request_id_counts_once(served: Served) -> None:
    """A repeat gets the first answer; the same id for something else is refused."""
    change = ("consents", "give", "consents:7", "newsletter", "--request-id", "cli-7", "--json")
    first, second = served.ask(*change), served.ask(*change)
    other = served.ask("consents", "withdraw", "consents:7", "newsletter", "--request-id", "cli-7")

    assert first.json() == second.json()
    assert other.code == 3
    assert "[REQUEST_ID_REUSED]" in other.err
    assert len(history(served, "consents:7").json_lines()) == 1


def test_every_purpose_is_listed(served: Served) -> None:
    """The list has a line for every purpose of the catalogue, with its decision."""
    given = served.ask("consents", "give", "consents:8", "newsletter", "--json").json()
    table = served.ask("consents", "list", "consents:8")
    entries = served.ask("consents", "list", "consents:8", "--json").json_lines()

    assert (table.code, table.words()[0][0]) == (0, "purpose")
    assert table.words()[1][:4] == ["newsletter", "yes", "CONSENT_GIVEN", str(given["position"])]
    assert [words[0] for words in table.words()[1:9]] == PURPOSES
    assert [one["purpose_id"] for one in entries] == PURPOSES
    assert entries[0]["permitted"] is True
    assert entries[0]["choice"]["kind"] == "consent_given"
    assert entries[0]["consent_position"] == given["position"]
    assert entries[1]["choice"] is None
    assert entries[6]["reason"] == "NOT_OBJECTED"


def test_the_list_tells_what_stands_above(served: Served) -> None:
    """A restriction, a request and an objection are seen in the list."""
    served.ask("consents", "give", "consents:9", "reseller42.newsletter")
    served.ask("consents", "object", "consents:9", "audience_measurement")
    served.ask("rights", "restrict", "consents:9", "--actor", "operator:dpo")
    table = served.ask("consents", "list", "consents:9")
    entries = served.ask("consents", "list", "consents:9", "--json").json_lines()

    assert {one["reason"] for one in entries} == {"RESTRICTED"}
    assert entries[7]["request"]["notice"]["version"] == "1"
    assert entries[6]["objection_position"] == entries[7]["request"]["position"] + 1
    assert entries[6]["objection_recorded_time"]
    assert entries[6]["objection_by_signal"] is False
    assert entries[7]["objection_recorded_time"] is None
    assert entries[0]["restriction_position"] == entries[6]["objection_position"] + 1
    assert entries[0]["death_position"] is None
    assert "restricted since event" in table.out


def test_the_history_has_everything(served: Served) -> None:
    """Everything that happened is listed, oldest first."""
    served.ask("consents", "give", "consents:10", "newsletter", "--channel", "panel")
    served.ask("consents", "withdraw", "consents:10", "newsletter", "--actor", "operator:7")
    table = served.ask("consents", "history", "consents:10")
    events = history(served, "consents:10").json_lines()

    assert table.code == 0
    assert [(one["kind"], one["channel"], one["actor"]) for one in events] == [
        ("consent_given", "panel", "subject"),
        ("consent_withdrawn", "cli", "operator:7"),
    ]
    assert [words[0] for words in table.words()[1:]] == [str(one["position"]) for one in events]
    assert {one["subject_id"] for one in events} == {"consents:10"}
    assert {len(one["pseudonym"]) for one in events} == {32}


def test_nobody_has_no_history(served: Served) -> None:
    """Somebody nobody has heard of is no error."""
    ran = history(served, "consents:nobody")

    assert (ran.code, ran.out) == (0, "")
