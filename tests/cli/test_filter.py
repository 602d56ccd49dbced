"""`consentsvc filter`."""

import csv
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.line import StallingLine
from tests.cli.lists import GIVEN, Lists
from tests.cli.program import SECONDS, Ran, Served, serving

WITHDRAWN = "filter:withdrawn"
"""Somebody who agreed, and took it back."""


@pytest.fixture(scope="module", autouse=True)
def choices(served: Served) -> None:
    """One who agreed, and one who took it back."""
    for subject in (GIVEN, WITHDRAWN):
        served.ask("consents", "give", subject, "newsletter")
    served.ask("consents", "withdraw", WITHDRAWN, "newsletter")


def detail(served: Served, subject: str) -> str:
    position = served.ask("check", subject, "newsletter", "--json").json()["position"]
    return f"event {position}"


def test_a_list_is_split(served: Served, lists: Lists) -> None:
    """Every column is passed on, and the refused are told why and since when."""
    lists.source.write_text(f"name,subject_id\nA,{GIVEN}\nB,{WITHDRAWN}\nC,filter:nobody\n")
    ran = served.ask(*lists.arguments())

    assert ran.code == 0
    assert lists.allowed.read_text() == f"name,subject_id\nA,{GIVEN}\n"
    assert lists.rows(lists.refused) == [
        ["name", "subject_id", "reason", "detail"],
        ["B", WITHDRAWN, "WITHDRAWN", detail(served, WITHDRAWN)],
        ["C", "filter:nobody", "NEVER_ASKED", ""],
    ]
    assert ran.out.splitlines()[0] == "3 rows: 1 allowed, 2 refused"
    assert ["WITHDRAWN", "1"] in ran.words()
    assert lists.names() == ["allowed.csv", "list.csv", "refused.csv"]


def test_json_has_the_summary(served: Served, lists: Lists) -> None:
    """For programs the summary is one object with stable names."""
    lists.source.write_text(f"subject_id\n{GIVEN}\n{WITHDRAWN}\n{GIVEN}\n")
    summary = served.ask(*lists.arguments("--json")).json()

    assert summary.pop("seconds") > 0
    assert summary.pop("read_at")
    assert summary == {
        "rows": 3,
        "allowed": 2,
        "refused": 1,
        "not_checked": 0,
        "reasons": {"CONSENT_GIVEN": 2, "WITHDRAWN": 1},
    }


def test_an_empty_list_has_empty_results(served: Served, lists: Lists) -> None:
    """Nobody on the list, nobody allowed, and both files are there."""
    lists.source.write_text("subject_id,name\n")
    ran = served.ask(*lists.arguments("--json"))

    assert (ran.code, ran.json()["rows"]) == (0, 0)
    assert ran.json()["read_at"]
    assert lists.allowed.read_text() == "subject_id,name\n"
    assert lists.refused.read_text() == "subject_id,name,reason,detail\n"


def test_cells_come_through_as_they_are(served: Served, lists: Lists) -> None:
    """A byte order mark, quotes, delimiters, line ends and letters harm no row."""
    cells = [GIVEN, 'the "best"', "two\r\nlines", "one; two", "Zoë"]
    lists.source.write_bytes(
        b"\xef\xbb\xbfid;a;b;c;d\r\n"
        + f'{GIVEN};"the ""best""";"two\r\nlines";"one; two";Zoë\r\n\r\n'.encode()
    )
    ran = served.ask(*lists.arguments("--column", "id", "--delimiter", ";"))

    assert ran.code == 0
    with lists.allowed.open(encoding="utf-8", newline="") as written:
        assert list(csv.reader(written, delimiter=";"))[1:] == [cells]
    assert lists.allowed.read_bytes().startswith(b"id;a;b;c;d\r\n")


def test_links_are_added(served: Served, lists: Lists) -> None:
    """Each of the allowed gets the token of a link that takes the consent back."""
    served.ask("consents", "give", "filter:link", "newsletter")
    lists.source.write_text(f"subject_id\nfilter:link\n{WITHDRAWN}\n")
    ran = served.ask(*lists.arguments("--links"))
    (heading, (subject, token)) = lists.rows(lists.allowed)

    assert ran.code == 0
    assert heading == ["subject_id", "withdrawal_token"]
    assert subject == "filter:link"
    assert served.ask("consents", "redeem", token).code == 0
    assert served.ask("check", subject, "newsletter").code == 1


def test_the_next_list_leaves_out_who_withdrew(served: Served, lists: Lists) -> None:
    """A list that asks to be as fresh as a withdrawal has it."""
    served.ask("consents", "give", "filter:soon", "newsletter")
    lists.source.write_text("subject_id\nfilter:soon\n")
    before = served.ask(*lists.arguments("--json")).json()
    gone = served.ask("consents", "withdraw", "filter:soon", "newsletter", "--json").json()
    after = served.ask(*lists.arguments("--at-least-as-fresh", gone["written_at"], "--json")).json()

    assert (before["allowed"], after["allowed"]) == (1, 0)


def test_what_cannot_be_answered_is_not_checked(served: Served, lists: Lists) -> None:
    """A malformed subject stands apart from every no, and the exit code says that it is there."""
    lists.source.write_text(f"subject_id,name\n{GIVEN},A\ntwo words,B\n,C\n{WITHDRAWN},D\n")
    ran = served.ask(*lists.arguments("--json"))

    assert ran.code == 2
    assert ran.json()["not_checked"] == 2
    assert ran.json()["refused"] == 1
    _, blank, empty, withdrawn = lists.rows(lists.refused)
    assert blank[:3] == ["two words", "B", "NOT_CHECKED"]
    assert "printable ASCII" in blank[3]
    assert empty[:3] == ["", "C", "NOT_CHECKED"]
    assert withdrawn[2] == "WITHDRAWN"
    assert lists.rows(lists.allowed)[1:] == [[GIVEN, "A"]]


def test_people_are_told_what_was_not_checked(served: Served, lists: Lists) -> None:
    """The summary in words says that not checked is not a no."""
    lists.source.write_text("subject_id\ntwo words\n")
    ran = served.ask(*lists.arguments())

    assert "1 not checked, which is not a no" in ran.out


def test_progress_is_for_terminals(served: Served, lists: Lists) -> None:
    """Who looks at a terminal sees how far it is; standard output is the same either way."""
    lists.source.write_text(f"subject_id\n{GIVEN}\n")
    controller, terminal = os.openpty()
    try:
        running = served.start(*lists.arguments(), stderr=terminal)
        out, _ = running.communicate(timeout=SECONDS)
        shown = os.read(controller, 65_536).decode()
    finally:
        os.close(terminal)
        os.close(controller)

    assert running.returncode == 0
    assert "checking" in shown
    assert "100%" in shown
    assert out.startswith(b"1 rows: 1 allowed")
    assert served.run(*lists.arguments()).err == ""


class TestUsage:
    """What cannot be used as it is ends with 64, before anything is asked."""

    def refused(self, ran: Ran, word: str) -> None:
        assert (ran.code, ran.out) == (64, "")
        assert word in ran.err
        assert "Traceback" not in ran.err

    def test_a_missing_column(self, served: Served, lists: Lists) -> None:
        """The column of the subjects is never guessed, and the results of before stay."""
        lists.source.write_text("email\na@b.example\n")
        lists.allowed.write_text("of yesterday")

        self.refused(served.ask(*lists.arguments()), "no column subject_id in: email")
        assert lists.allowed.read_text() == "of yesterday"

    def test_a_missing_list(self, served: Served, lists: Lists) -> None:
        """A list that is not there is named."""
        self.refused(served.ask(*lists.arguments()), f"{lists.source}: No such file")

    def test_a_missing_folder(self, served: Served, lists: Lists) -> None:
        """A result that has no place to be is named."""
        lists.source.write_text("subject_id\n")
        lists.allowed = lists.folder / "nowhere" / "allowed.csv"

        self.refused(served.ask(*lists.arguments()), "nowhere/allowed.csv.partial: No such file")
        assert lists.names() == ["list.csv"]

    def test_the_list_as_a_result(self, served: Served, lists: Lists) -> None:
        """The list is not overwritten."""
        lists.source.write_text("subject_id\n")
        lists.allowed = lists.source

        self.refused(served.ask(*lists.arguments()), "is the list itself")
        assert lists.source.read_text() == "subject_id\n"

    def test_one_file_for_both(self, served: Served, lists: Lists) -> None:
        """The two results are two files."""
        lists.source.write_text("subject_id\n")
        lists.allowed = lists.refused

        self.refused(served.ask(*lists.arguments()), "are one file, and both are written")

    @pytest.mark.parametrize("swapped", [False, True])
    @pytest.mark.parametrize("spelling", ["x.partial", "./x.partial", "link", "hard"])
    def test_one_file_under_the_name_it_grows_by(
        self, served: Served, lists: Lists, spelling: str, swapped: bool
    ) -> None:
        """No result has the name under which the other one grows, however that is spelt.

        Those of the refused stood in the file of the allowed then: the last to be named was `x`,
        and what had grown as `x.partial` were the refused.
        """
        lists.source.write_text(f"subject_id\n{WITHDRAWN}\n")
        growing = lists.folder / "x.partial"
        if spelling == "link":
            (lists.folder / "link").symlink_to(growing)
        if spelling == "hard":
            growing.write_text("of yesterday")
            (lists.folder / "hard").hardlink_to(growing)
        lists.allowed, lists.refused = lists.folder / "x", lists.folder / "." / spelling
        if swapped:
            lists.allowed, lists.refused = lists.refused, lists.allowed
        before = lists.names()

        self.refused(served.ask(*lists.arguments()), "are one file, and both are written")
        assert lists.names() == before

    def test_a_result_that_grows_into_itself(self, served: Served, lists: Lists) -> None:
        """A name and its own partial one are two files."""
        lists.source.write_text("subject_id\n")
        lists.allowed.with_name("allowed.csv.partial").symlink_to(lists.allowed)

        self.refused(served.ask(*lists.arguments()), "are one file, and both are written")

    @pytest.mark.parametrize("name", ["allowed.csv", "refused.csv", "allowed.csv.partial"])
    @pytest.mark.parametrize("link", ["symlink_to", "hardlink_to"])
    def test_the_list_under_another_name(
        self, served: Served, lists: Lists, name: str, link: str
    ) -> None:
        """Nor is the list overwritten under any name that leads to it."""
        lists.source.write_text("subject_id\n")
        getattr(lists.folder / name, link)(lists.source)

        self.refused(served.ask(*lists.arguments()), "is the list itself")
        assert lists.source.read_text() == "subject_id\n"

    @pytest.mark.parametrize("column", ["reason", "detail", "withdrawal_token"])
    def test_a_column_that_is_taken(self, served: Served, lists: Lists, column: str) -> None:
        """A result never has two columns of one name."""
        lists.source.write_text(f"subject_id,{column}\n{GIVEN},x\n")

        self.refused(served.ask(*lists.arguments("--links")), f"there is a column {column} already")

    def test_a_delimiter_of_two(self, served: Served, lists: Lists) -> None:
        """A delimiter is one character."""
        self.refused(served.ask(*lists.arguments("--delimiter", ";;")), "--delimiter")

    def test_a_damaged_row(self, served: Served, lists: Lists) -> None:
        """A list that is damaged in its midst has no results, and the line is named."""
        rows = "".join(f"filter:{number},x\n" for number in range(9_999))
        lists.source.write_text("subject_id,name\n" + rows + "filter:short\n")
        lists.allowed.write_text("of yesterday")

        self.refused(served.ask(*lists.arguments()), "line 10001: has 1 columns")
        assert lists.names() == ["list.csv"]


class TestFailure:
    """Whatever goes wrong, no file is left that could be taken for a result."""

    @pytest.fixture
    def long(self, lists: Lists) -> Lists:
        rows = "".join(f"filter:{number},x\n" for number in range(50_000))
        lists.source.write_text("subject_id,name\n" + rows)
        lists.allowed.write_text("of yesterday")
        lists.refused.write_text("of yesterday")
        return lists

    @pytest.fixture
    def line(self, served: Served) -> Iterator[StallingLine]:
        with StallingLine(served.target, passes=60_000) as line:
            yield line

    @contextmanager
    def midway(
        self, served: Served, line: StallingLine, lists: Lists
    ) -> Iterator[subprocess.Popen[bytes]]:
        """A run that has had some answers, and waits for more."""
        with served.start(*lists.arguments("--target", line.target, "--timeout", 60)) as running:
            try:
                assert line.stalled.wait(SECONDS)
                assert "allowed.csv.partial" in lists.names()
                assert not {"allowed.csv", "refused.csv"} & {*lists.names()}
                yield running
            finally:
                running.kill()

    def test_a_service_that_dies_midway(
        self, served: Served, line: StallingLine, long: Lists
    ) -> None:
        """Half a list is no list: 2, and neither this run's files nor those of an earlier one."""
        with self.midway(served, line, long) as running:
            line.hang_up()
            out, err = running.communicate(timeout=SECONDS)

        assert (running.returncode, out) == (2, b"")
        assert err.startswith(b"consentsvc: could not find out from ")
        assert b"Traceback" not in err
        assert long.names() == ["list.csv"]

    def test_a_server_that_is_killed_midway(self, tmp_path: Path, long: Lists) -> None:
        """The same with a server that is killed, and no line that could be blamed."""
        folder = tmp_path / "served"
        folder.mkdir()
        with (
            serving(folder) as served,
            StallingLine(served.target, passes=60_000) as line,
            self.midway(served, line, long) as running,
        ):
            served.process.kill()
            served.process.wait(SECONDS)
            line.hang_up()
            running.communicate(timeout=SECONDS)

        assert running.returncode == 2
        assert long.names() == ["list.csv"]

    def test_an_interrupt(self, served: Served, line: StallingLine, long: Lists) -> None:
        """Ctrl-C is 130, and cleans up."""
        with self.midway(served, line, long) as running:
            running.send_signal(signal.SIGINT)
            _, err = running.communicate(timeout=SECONDS)

        assert running.returncode == 130
        assert b"Traceback" not in err
        assert long.names() == ["list.csv"]

    def test_nobody_there(self, served: Served, long: Lists) -> None:
        """Without a service there is no answer, and none of yesterday's either."""
        ran = served.ask(*long.arguments("--target", "127.0.0.1:1"))

        assert (ran.code, ran.out) == (2, "")
        assert long.names() == ["list.csv"]

    def test_a_list_of_nobody(self, served: Served, lists: Lists) -> None:
        """An empty list is no reason not to ask.

        Nothing was asked, so a misspelt purpose and a service that was down both ended with 0.
        """
        lists.source.write_text("subject_id\n\n")
        unknown = served.ask(*lists.arguments(purpose="news_letter"))
        unreachable = served.ask(*lists.arguments("--target", "127.0.0.1:1"))
        stale = served.ask(*lists.arguments("--at-least-as-fresh", "x"))

        assert (unknown.code, unknown.out) == (3, "")
        assert "UNKNOWN_PURPOSE" in unknown.err
        assert (unreachable.code, unreachable.out) == (2, "")
        assert stale.code == 3
        assert lists.names() == ["list.csv"]

    def test_an_unknown_purpose(self, served: Served, long: Lists) -> None:
        """A purpose that does not exist is told once, and nobody is refused for it."""
        ran = served.ask(*long.arguments(purpose="news_letter"))

        assert (ran.code, ran.out) == (3, "")
        assert ran.err.splitlines() == [
            "consentsvc: purpose news_letter: is not a purpose of the catalogue [UNKNOWN_PURPOSE]"
        ]
        assert long.names() == ["list.csv"]
