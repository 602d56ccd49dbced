"""`consentsvc check`."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.cli.program import Served, serving


def test_no_is_1_and_says_why(served: Served) -> None:
    """Somebody who was never asked has not agreed."""
    ran = served.ask("check", "checking:1", "newsletter")

    assert ran.code == 1
    assert ran.words()[:2] == [["permitted", "no"], ["reason", "NEVER_ASKED"]]


def test_yes_is_0_and_says_since_when(served: Served) -> None:
    """A yes names the event and the notice that it rests on, and until when it holds."""
    given = served.ask("consents", "give", "checking:2", "marketing_profiling", "--json").json()
    ran = served.ask("check", "checking:2", "marketing_profiling")

    assert ran.code == 0
    told = {" ".join(words[:-1]): words[-1] for words in ran.words()}
    assert told["permitted"] == "yes"
    assert told["reason"] == "CONSENT_GIVEN"
    assert told["since event"] == str(given["position"])
    assert told["notice 1"] == "en"
    assert len(told["notice sha256"]) == 64
    assert datetime.fromisoformat(told["valid until"]) > datetime.now(UTC) + timedelta(days=390)


def test_json_has_all_of_it(served: Served) -> None:
    """For programs the answer is one object with stable names, null for what there is not."""
    served.ask("consents", "give", "checking:3", "newsletter")
    yes = served.ask("check", "checking:3", "newsletter", "--json")
    no = served.ask("check", "checking:nobody", "newsletter", "--json")

    assert (yes.code, no.code) == (0, 1)
    given = yes.json()
    assert given.pop("position") > 16
    assert given.pop("read_at")
    assert len(given["notice"].pop("sha256")) == 64
    assert given == {
        "subject_id": "checking:3",
        "purpose_id": "newsletter",
        "permitted": True,
        "reason": "CONSENT_GIVEN",
        "notice": {"version": "1", "locale": "en"},
        "valid_until": None,
    }
    assert no.json() | {"read_at": ""} == {
        "subject_id": "checking:nobody",
        "purpose_id": "newsletter",
        "permitted": False,
        "reason": "NEVER_ASKED",
        "position": None,
        "notice": None,
        "valid_until": None,
        "read_at": "",
    }


def test_an_answer_for_the_past(served: Served) -> None:
    """What was right then is the answer, whatever happened since."""
    served.ask("consents", "give", "checking:4", "newsletter")
    while_given = datetime.now(UTC).isoformat()
    served.ask("consents", "withdraw", "checking:4", "newsletter")

    assert served.ask("check", "checking:4", "newsletter", "--as-of", while_given).code == 0
    assert served.ask("check", "checking:4", "newsletter").code == 1


def test_a_token_makes_it_fresh(served: Served) -> None:
    """An answer can be asked to reflect a write."""
    at = served.ask("consents", "give", "checking:5", "newsletter", "--json").json()["written_at"]
    ran = served.ask("check", "checking:5", "newsletter", "--at-least-as-fresh", at)

    assert ran.code == 0


def test_a_token_of_another_log_is_refused(served: Served, tmp_path: Path) -> None:
    """A token that means nothing here is refused, not ignored."""
    with serving(tmp_path) as other:
        token = other.run("check", "checking:6", "newsletter", "--json").json()["read_at"]

    ran = served.ask("check", "checking:6", "newsletter", "--at-least-as-fresh", token)

    assert ran.code == 3
    assert ran.err.splitlines() == [
        "consentsvc: the token comes from another log [POSITION_UNKNOWN]"
    ]


def test_bad_input_is_3_and_names_the_field(served: Served) -> None:
    """What the service refuses is neither a no nor an outage."""
    subject = served.ask("check", "two words", "newsletter")
    purpose = served.ask("check", "checking:7", "no_such_purpose", "--json")

    assert (subject.code, subject.out) == (3, "")
    assert subject.err.startswith("consentsvc: subject_id: must")
    assert (purpose.code, purpose.out) == (3, "")
    assert purpose.err.splitlines() == [
        "consentsvc: purpose_id: is not a purpose of the catalogue [UNKNOWN_PURPOSE]"
    ]


def test_a_time_without_a_zone_is_refused(served: Served) -> None:
    """It would be a different moment on another machine."""
    for time in ("2026-03-01T09:00:00", "yesterday", "0001-01-01T00:00:00+14:00"):
        ran = served.ask("check", "checking:8", "newsletter", "--as-of", time)

        assert ran.code == 64
        assert "--as-of" in ran.err
        assert "with Z or an offset" in ran.err


def test_the_past_is_not_as_fresh_as_a_token(served: Served) -> None:
    """Two requirements that contradict each other are a usage error."""
    ran = served.ask(
        "check", "checking:8", "newsletter",
        "--as-of", "2026-03-01T09:00:00Z", "--at-least-as-fresh", "token",
    )  # fmt: skip

    assert ran.code == 64


class TestManySubjects:
    def test_each_line_gets_an_answer(self, served: Served) -> None:
        """Subjects from standard input are answered one a line, in their order."""
        served.ask("consents", "give", "checking:9", "newsletter")
        ran = served.ask("check", "-", "newsletter", stdin="checking:9\nchecking:10\n\n")

        assert ran.code == 1
        assert ran.out == "checking:9\tyes\tCONSENT_GIVEN\nchecking:10\tno\tNEVER_ASKED\n"

    def test_all_yes_is_0(self, served: Served) -> None:
        """Only if every answer is yes is the exit code 0."""
        ran = served.ask("check", "-", "audience_measurement", stdin="checking:11\nchecking:12")

        assert ran.code == 0

    def test_what_could_not_be_answered_is_2(self, served: Served) -> None:
        """One malformed subject spoils no other, and is not taken for a no."""
        ran = served.ask("check", "-", "newsletter", "--json", stdin="two words\nchecking:13\n")

        assert ran.code == 2
        failed, answered = ran.json_lines()
        assert failed == {
            "subject_id": "two words",
            "purpose_id": "newsletter",
            "permitted": None,
            "error": "INVALID_FIELD",
            "message": failed["message"],
        }
        assert failed["message"].startswith("must be")
        assert answered["permitted"] is False

    def test_an_unknown_purpose_is_3(self, served: Served) -> None:
        """A purpose that does not exist is told once, not for every subject."""
        ran = served.ask("check", "-", "no_such_purpose", stdin="checking:14\nchecking:15\n")

        assert (ran.code, ran.out) == (3, "")
        assert ran.err.startswith("consentsvc: purpose no_such_purpose: ")
        assert len(ran.err.splitlines()) == 1

    def test_input_that_is_no_text_is_64(self, served: Served) -> None:
        """Bytes that are not UTF-8 are a usage error."""
        ran = served.run("check", "-", "newsletter", stdin=b"checking:16\n\xff\n")

        assert (ran.code, ran.out) == (64, "")
        assert ran.err == "consentsvc: what was given is not UTF-8\n"

    def test_the_past_is_for_one_at_a_time(self, served: Served) -> None:
        """A list is answered for now."""
        ran = served.ask("check", "-", "newsletter", "--as-of", "2026-03-01T09:00:00Z")

        assert ran.code == 64
