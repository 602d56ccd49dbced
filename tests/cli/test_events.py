"""`consentsvc events`."""

import json
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.program import SECONDS, Served

PUBLISHED = 16
"""The notices of the default catalogue, with which every log begins."""


@pytest.fixture(scope="module")
def head(served: Served) -> int:
    """A log of some events more than the notices."""
    for number in range(5):
        served.ask("consents", "give", f"events:{number}", "newsletter")
    return int(served.ask("check", "events:4", "newsletter", "--json").json()["position"])


def positions(lines: list[dict[str, object]]) -> list[object]:
    return [line["position"] for line in lines if "position" in line]


class TestList:
    def test_everything_is_listed_in_order(self, served: Served, head: int) -> None:
        """The list goes from the first event to the head, and ends with a cursor."""
        *events, last = served.ask("events", "list", "--json").json_lines()

        assert positions(events)[:head] == list(range(1, head + 1))
        assert last.keys() == {"cursor", "at_head"}
        assert last["at_head"] is True

    def test_an_event_has_stable_names(self, served: Served, head: int) -> None:
        """For programs an event is one object, null for what there is not."""
        event = served.ask("events", "list", "--json").json_lines()[head - 1]

        assert event["subject_id"] == "events:4"
        assert event["recorded_time"].endswith("Z")
        assert len(event["pseudonym"]) == 32
        del event["recorded_time"], event["pseudonym"], event["notice"]["sha256"]
        assert event == {
            "position": head,
            "kind": "consent_given",
            "claimed_time": None,
            "subject_id": "events:4",
            "purpose_id": "newsletter",
            "notice": {"version": "1", "locale": "en"},
            "actor": "subject",
            "channel": "cli",
            "refers_to": None,
            "revocation_reason": None,
            "evidence": None,
            "scope": None,
            "report": None,
            "signal": None,
            "withheld": None,
            "directions": None,
            "since_time": None,
            "provenance": None,
        }

    def test_people_get_a_table(self, served: Served, head: int) -> None:
        """One line an event, below a heading."""
        ran = served.ask("events", "list", "--limit", head)
        heading, *lines, cursor = ran.words()

        assert heading[:3] == ["event", "recorded", "what"]
        assert [line[0] for line in lines] == [str(one) for one in range(1, head + 1)]
        assert lines[0][2:4] == ["notice_published", "newsletter"]
        assert lines[-1][2:] == ["consent_given", "newsletter", "events:4", "subject", "cli"]
        assert cursor[0] == "cursor:"

    def test_a_cursor_goes_on(self, served: Served, head: int) -> None:
        """A limited list goes on after its cursor, without a gap."""
        *first, mark = served.ask("events", "list", "--limit", 3, "--json").json_lines()
        *second, _ = served.ask(
            "events", "list", "--after", mark["cursor"], "--limit", 2, "--json"
        ).json_lines()

        assert positions(first + second) == [1, 2, 3, 4, 5]
        assert mark["at_head"] is False

    def test_a_cursor_that_is_none_is_refused(self, served: Served) -> None:
        """What is no cursor is bad input."""
        ran = served.ask("events", "list", "--after", "nonsense")

        assert ran.code == 3
        assert "page_token:" in ran.err


class TestWatch:
    def test_it_ends_where_it_is_told(self, served: Served, head: int) -> None:
        """From a position to a position, both included."""
        ran = served.ask("events", "watch", "--from", 5, "--until", 9, "--json")

        assert ran.code == 0
        assert positions(ran.json_lines()) == [5, 6, 7, 8, 9]
        assert ran.json_lines()[-1]["through_position"] == 9

    def test_people_get_a_table(self, served: Served) -> None:
        """The same lines as those of the list."""
        listed = served.ask("events", "list", "--limit", 4)
        watched = served.ask("events", "watch", "--count", 4)

        assert watched.out == listed.out

    def test_an_end_that_is_past_needs_no_event(self, served: Served, head: int) -> None:
        """An end before the beginning, or at it, ends the watch at once."""
        for start in (9, head + 1):
            ran = served.ask("events", "watch", "--from", start, "--until", start - 1, "--json")

            assert ran.code == 0
            assert positions(ran.json_lines()) == []
            assert ran.json_lines()[-1]["through_position"] == start - 1

    @pytest.mark.parametrize("start", [[], ["--from", "3"]])
    def test_a_cursor_file_resumes(
        self, served: Served, head: int, tmp_path: Path, start: list[str]
    ) -> None:
        """Counted out one by one, no event is left out and none comes twice."""
        file = tmp_path / "cursor"
        seen = []
        for count in (1, 2, 5):
            ran = served.ask(
                "events", "watch", *start, "--count", count, "--cursor-file", file, "--json"
            )
            seen += positions(ran.json_lines())
            assert file.read_text() == ran.json_lines()[-1]["cursor"] + "\n"

        first = int(start[1]) if start else 1
        assert seen == list(range(first, first + 8))
        assert [one.name for one in tmp_path.iterdir()] == ["cursor"]

    def test_a_cursor_begins_after_it(self, served: Served) -> None:
        """A cursor of the list begins a watch."""
        mark = served.ask("events", "list", "--limit", 3, "--json").json_lines()[-1]
        ran = served.ask("events", "watch", "--cursor", mark["cursor"], "--count", 2, "--json")

        assert positions(ran.json_lines()) == [4, 5]

    def test_events_come_as_they_happen(self, served: Served, head: int, tmp_path: Path) -> None:
        """A watch that waits at the head gets the next event, saves its cursor and goes on."""
        file = tmp_path / "cursor"
        until = positions(served.ask("events", "list", "--json").json_lines())[-1]
        watching = served.start(
            "events", "watch", "--from", until, "--cursor-file", file, "--json",
            stdout=subprocess.PIPE,
        )  # fmt: skip
        with watching:
            assert watching.stdout is not None
            first = json.loads(watching.stdout.readline())
            mark = json.loads(watching.stdout.readline())
            served.ask("consents", "give", "events:live", "newsletter")
            second = json.loads(watching.stdout.readline())
            watching.stdout.readline()
            watching.send_signal(signal.SIGINT)
            watching.communicate(timeout=SECONDS)

        assert first["position"] == until
        assert mark["through_position"] == until
        assert second["subject_id"] == "events:live"
        assert watching.returncode == 130
        resumed = served.ask(
            "events", "watch", "--cursor-file", file, "--until", until, "--json"
        ).json_lines()
        assert positions(resumed) == []

    def test_past_the_head_is_refused(self, served: Served) -> None:
        """A position that there is not yet is bad input, not something to wait for."""
        ran = served.ask("events", "watch", "--from", 10**9)

        assert ran.code == 3
        assert "[POSITION_UNKNOWN]" in ran.err

    def test_one_beginning_is_enough(self, served: Served) -> None:
        """Two beginnings are a usage error."""
        ran = served.ask("events", "watch", "--from", 1, "--cursor", "x")

        assert ran.code == 64

    def test_a_cursor_file_that_cannot_be_written_is_told(
        self, served: Served, tmp_path: Path
    ) -> None:
        """A place that could not be kept ends the watch with a word."""
        ran = served.ask(
            "events", "watch", "--count", 1, "--cursor-file", tmp_path / "nowhere" / "cursor"
        )

        assert ran.code == 64
        assert "nowhere/cursor" in ran.err
