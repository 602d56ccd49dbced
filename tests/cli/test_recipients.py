"""Lists of recipients: what is read, what is refused, and what comes to be on the disk."""

import csv
import io
from contextlib import suppress
from pathlib import Path

import pytest

from consentsvc.cli._recipients import ListUnusable, Recipients, Results


def read(content: str | bytes, column: str = "subject_id", delimiter: str = ",") -> Recipients:
    raw = content if isinstance(content, bytes) else content.encode()
    return Recipients(io.BytesIO(raw), column, delimiter)


def rows(recipients: Recipients, size: int = 2) -> list[list[str]]:
    return [row for chunk in recipients.chunks(size) for row in chunk]


def test_cells_may_hold_anything() -> None:
    """Quotes, delimiters, line ends and letters of all kinds inside a cell are just the cell."""
    cells = ["customer:1", 'the "best", they say', "two\nlines", "carriage\rreturn", "Zoë 𝛑 \x00"]
    text = io.StringIO()
    csv.writer(text).writerows([["subject_id", "a", "b", "c", "d"], cells])

    assert rows(read(text.getvalue())) == [cells]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_byte_order_mark_is_no_part_of_the_first_column(mark: bytes) -> None:
    """A list that comes from a spreadsheet is read like any other."""
    recipients = read(mark + b"subject_id,name\r\ncustomer:1,Zo\xc3\xab\r\n")

    assert recipients.header == ["subject_id", "name"]
    assert rows(recipients) == [["customer:1", "Zoë"]]


@pytest.mark.parametrize(
    ("content", "line_end"),
    [("subject_id\r\n1\r\n", "\r\n"), ("subject_id\n1\n", "\n"), ("subject_id\n1\r\n", "\n")],
)
def test_line_ends_are_passed_on(content: str, line_end: str) -> None:
    """The results end their lines as the list does."""
    assert read(content).line_end == line_end


def test_the_column_is_found_by_its_name() -> None:
    """The subjects are in the column of that name, wherever it stands."""
    assert read("name;id\nA;customer:1\n", "id", ";").column == 1


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("", "there is no header"),
        ("\n\n", "there is no header"),
        ("name,email\n", "there is no column subject_id in: name, email"),
        ('\n""\n', "there is no column subject_id in: a header without names"),
        ("subject_id,subject_id\n", "there is more than one column subject_id"),
    ],
)
def test_a_header_that_does_not_name_the_subjects_is_refused(content: str, word: str) -> None:
    """Which column holds the subjects is never guessed: another one would be answered too."""
    with pytest.raises(ListUnusable, match=word):
        read(content)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("subject_id,name\n1,A\n2\n", "line 3: has 1 columns where the header has 2"),
        ("subject_id,name\n1,A\n\n3,C,x\n", "line 4: has 3 columns where the header has 2"),
        ('subject_id,name\n1,"A\nA\r\nA"\n2\n', "line 5: has 1 columns"),
        ('subject_id,name\n1,A\n2,"B\n', "line 3: unexpected end of data"),
        ('subject_id,name\n1,"A"B\n', "line 2: ',' expected after '\"'"),
        (b"subject_id,name\n1,\xff\n", "line 1 or soon after: is not UTF-8"),
        (f'subject_id,name\n1,"{"x" * 140_000}"\n', "line 2: field larger than field limit"),
    ],
)
def test_what_is_not_csv_is_refused_with_its_line(content: str | bytes, word: str) -> None:
    """A damaged list is not half read: it ends with the line to mend."""
    with pytest.raises(ListUnusable, match=word):
        rows(read(content))


def test_empty_lines_are_skipped() -> None:
    """An empty line is nobody, and no header either."""
    recipients = read("\n\r\nsubject_id,name\n\n1,A\n\n\n\n2,B\n\n")

    assert recipients.header == ["subject_id", "name"]
    assert rows(recipients) == [["1", "A"], ["2", "B"]]


def test_lines_are_counted_with_those_that_were_skipped() -> None:
    """The line to mend is the one that an editor shows."""
    with pytest.raises(ListUnusable, match="line 5: has 1 columns"):
        rows(read("\n\nsubject_id,name\n1,A\n2\n"))


def test_chunks_are_of_the_size_asked_for() -> None:
    """A list is handed out in pieces, and only the last one may be smaller."""
    listed = read("subject_id\n" + "".join(f"{number}\n" for number in range(5)))

    assert [len(chunk) for chunk in listed.chunks(2)] == [2, 2, 1]


class TestResults:
    @pytest.fixture
    def allowed(self, tmp_path: Path) -> Path:
        return tmp_path / "allowed.csv"

    @pytest.fixture
    def refused(self, tmp_path: Path) -> Path:
        return tmp_path / "refused.csv"

    def test_names_are_given_once_both_are_complete(self, allowed: Path, refused: Path) -> None:
        """Until then, neither name exists, whatever was there before."""
        allowed.write_text("of yesterday")
        refused.write_text("of yesterday")
        with Results(allowed, refused) as results:
            to_allowed, to_refused = results.writers(",", "\n")
            to_allowed.writerow(["customer:1"])
            to_refused.writerow(["customer:2", "WITHDRAWN"])
            before = sorted(one.name for one in allowed.parent.iterdir())
            results.complete()

        assert before == ["allowed.csv.partial", "refused.csv.partial"]
        assert sorted(one.name for one in allowed.parent.iterdir()) == [
            "allowed.csv",
            "refused.csv",
        ]
        assert allowed.read_text() == "customer:1\n"
        assert refused.read_text() == "customer:2,WITHDRAWN\n"

    def test_nothing_is_left_of_what_was_not_completed(self, allowed: Path, refused: Path) -> None:
        """A run that fails leaves no file that could be taken for its result."""
        allowed.write_text("of yesterday")
        with suppress(KeyboardInterrupt), Results(allowed, refused) as results:
            results.writers(",", "\n")[0].writerow(["customer:1"])
            raise KeyboardInterrupt

        assert list(allowed.parent.iterdir()) == []

    def test_the_refused_get_their_name_first(
        self, allowed: Path, refused: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whoever finds the allowed finds the refused too; a failure in between leaves neither."""
        named: list[str] = []
        replace = Path.replace

        def fail_at_the_second(self: Path, target: Path) -> Path:
            named.append(target.name)
            if len(named) == 2:
                raise OSError(28, "No space left on device")
            return replace(self, target)

        monkeypatch.setattr(Path, "replace", fail_at_the_second)
        with pytest.raises(OSError, match="No space"), Results(allowed, refused) as results:
            results.complete()

        assert named == ["refused.csv", "allowed.csv"]
        assert list(allowed.parent.iterdir()) == []

    def test_two_runs_do_not_write_into_one_file(self, allowed: Path, refused: Path) -> None:
        """A run that overlaps another one with the same results is refused, and harms nothing."""
        with Results(allowed, refused) as first:
            first.writers(",", "\n")[0].writerow(["customer:1"])
            with (
                pytest.raises(ListUnusable, match="is being written by another run"),
                Results(allowed, refused),
            ):
                pass
            first.complete()

        assert allowed.read_text() == "customer:1\n"

    def test_the_list_itself_is_no_result(self, allowed: Path, refused: Path) -> None:
        """The list is not overwritten, by whatever name it is called."""
        source = allowed.parent / "list.csv"
        source.write_text("subject_id\n")
        allowed.symlink_to(source)
        (refused.parent / "refused.csv.partial").hardlink_to(source)

        for pair in ((allowed, refused.with_name("other")), (allowed.with_name("other"), refused)):
            with pytest.raises(ListUnusable, match="is the list itself"):
                Results(*pair).refuse_same(source.stat())
        assert source.read_text() == "subject_id\n"

    def test_one_file_cannot_be_both(self, allowed: Path) -> None:
        """The same name for both results is refused."""
        same = allowed.parent / "." / allowed.name
        with pytest.raises(ListUnusable, match="are one file"), Results(allowed, same):
            pass

    def test_what_is_no_file_is_left_alone(self, allowed: Path) -> None:
        """A device or a folder is not deleted to make room for a result."""
        with (
            pytest.raises(ListUnusable, match="/dev/null is not a file"),
            Results(allowed, Path("/dev/null")),
        ):
            pass

        assert Path("/dev/null").is_char_device()

    def test_carriage_returns_stay_inside_their_cell(self, allowed: Path, refused: Path) -> None:
        """A cell with a carriage return is quoted, so that no reader sees a new row in it."""
        cells = ["customer:1", "a\rb", "c\r\nd"]
        with Results(allowed, refused) as results:
            results.writers(",", "\n")[0].writerow(cells)
            results.complete()

        with allowed.open(encoding="utf-8", newline="") as written:
            assert list(csv.reader(written, strict=True)) == [cells]
        assert allowed.read_bytes() == b'customer:1,"a\rb","c\r\nd"\n'
