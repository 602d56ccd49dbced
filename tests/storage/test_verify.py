"""`verify` finds what was changed behind the store's back, and says where."""

import asyncio
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from consentsvc.domain.catalogue import Notice
from consentsvc.domain.errors import StoreUnavailable
from consentsvc.domain.events import EventKind
from consentsvc.domain.identifiers import Position, PurposeId, SubjectId
from consentsvc.domain.instants import Instant
from consentsvc.domain.merkle import leaf_hash
from consentsvc.domain.publication.choices import Mark, Said
from consentsvc.domain.scope import ACCOUNT, ContactField, ContactId, Reach
from consentsvc.service.checkpoints import Checkpoints
from consentsvc.service.notices import publish
from consentsvc.service.ports import Remembered
from consentsvc.service.signing import Signer
from consentsvc.storage import sqlite_files, sqlite_tree
from consentsvc.storage import verify as verifying
from consentsvc.storage.errors import StoreRefused
from consentsvc.storage.scoped_codec import Owner, encode, reach_digest, seal
from consentsvc.storage.sqlite import open_sqlite
from consentsvc.storage.verify import KEPT, Problem, Report, verify
from tests.storage.making import (
    ANNA,
    EMAIL,
    IN_ROLE,
    NAME,
    OF_CONTACT,
    OF_DOMAIN,
    PUBLICATION,
    a_life,
    event,
    given,
    record,
    reported,
    request,
    scoped,
)
from tests.support.catalogues import NEWSLETTER, catalogue
from tests.support.clock import FakeClock

Rows = list[tuple[Any, ...]]

PEOPLE = 4

# A position in the middle of the log, of a consent; see `healthy`.
MIDDLE = 11


# What Anna said last, at three reaches: so that no column of them is empty in all rows.
SAID = (
    scoped(EventKind.CONSENT_GIVEN, OF_CONTACT, NAME),
    scoped(EventKind.CONSENT_GIVEN, IN_ROLE, NAME | EMAIL),
    scoped(EventKind.CONSENT_REQUESTED, OF_DOMAIN, EMAIL),
    scoped(EventKind.CONSENT_WITHDRAWN, OF_DOMAIN, NAME),
    reported(),
)


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed store that nobody has touched: notices 1 to 8, then everything that can happen."""
    path = tmp_path_factory.mktemp("healthy") / "log.db"

    async def make() -> None:
        clock = FakeClock()
        async with open_sqlite(path, clock=clock) as store:
            await publish(store, catalogue())
            notice = (await store.published())[0].notice
            consent = event(EventKind.CONSENT_GIVEN, ANNA, NEWSLETTER, notice=notice)
            asked = event(EventKind.CONSENT_REQUESTED, ANNA, NEWSLETTER, notice=notice)
            assert await record(store, consent, asked, consent, asked) == [9, 10, MIDDLE, 12]
            await a_life(store, clock, seed=4, requests=20, people=PEOPLE - 1)
            # So that no column of a state is empty in all of its rows.
            expired = event(EventKind.CONSENT_EXPIRED, ANNA, NEWSLETTER, refers_to=Position(MIDDLE))
            objection = event(EventKind.OBJECTION_RAISED, ANNA, NEWSLETTER)
            restricted = event(EventKind.PROCESSING_RESTRICTED, ANNA, None)
            death = event(EventKind.DEATH_REPORTED, ANNA, None)
            await record(store, expired, objection, asked, restricted, death)
            await record(store, *SAID)
            checkpoints = Checkpoints(store, Signer("log.example/1", store.secret("checkpoint")))
            await checkpoints.sign()
            await record(store, *SAID)
            await checkpoints.sign()

    asyncio.run(make())
    return path


@pytest.fixture
def path(healthy: Path, tmp_path: Path) -> Path:
    """A copy to be tampered with."""
    copied(healthy, tmp_path)
    return tmp_path / healthy.name


def copied(store: Path, folder: Path) -> None:
    for suffix in ("", ".keys", ".master-key"):
        shutil.copy(store.with_name(store.name + suffix), folder)


def keys_of(path: Path) -> Path:
    return path.with_name(path.name + ".keys")


def ask(path: Path, statement: str, *values: object) -> Rows:
    """Reads as anybody could who has the file."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        connection.text_factory = bytes
        return connection.execute(statement, values).fetchall()


def tamper(path: Path, *statements: str | tuple[str, tuple[object, ...]]) -> None:
    """Changes what triggers guard, and puts them back as if nothing had been."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        triggers = connection.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"
        ).fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            sql, values = (statement, ()) if isinstance(statement, str) else statement
            connection.execute(sql, values)
        for _, sql in triggers:
            connection.execute(sql)


def at(problem: Problem) -> tuple[int | None, str]:
    return problem.position, problem.table


def first(report: Report) -> tuple[int | None, str]:
    assert report.problems
    return at(report.problems[0])


def unsigned(report: Report) -> list[Problem]:
    """The problems but for those of what was signed, which follow from any change of the log."""
    signed = {"checkpoint", "keys.last_checkpoint"}
    return [one for one in report.problems if one.table not in signed]


# --- a healthy store ---------------------------------------------------------------------------


def test_nothing_is_wrong_with_an_honest_log(healthy: Path) -> None:
    """What the store wrote passes, whole, and is counted."""
    ((events,),) = ask(healthy, "SELECT count(*) FROM event")

    assert verify(healthy) == Report(events, PEOPLE, (), 0)
    assert events > 40


def test_an_empty_log_passes(tmp_path: Path) -> None:
    """A store that nothing has been written to is in order."""
    path = tmp_path / "log.db"

    async def make() -> None:
        async with open_sqlite(path, clock=FakeClock()):
            pass

    asyncio.run(make())

    assert verify(path) == Report(0, 0, (), 0)


def test_looking_changes_nothing(path: Path) -> None:
    """Log, keys and master key have the same bytes before and after."""

    def contents() -> list[bytes]:
        names = (path.name + suffix for suffix in ("", ".keys", ".master-key"))
        return [path.with_name(name).read_bytes() for name in names]

    before = contents()
    verify(path)

    assert contents() == before


def test_progress_goes_up_to_the_end(healthy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Progress never goes back, and ends with all of all."""
    monkeypatch.setattr(verifying, "_AT_ONCE", 7)
    told: list[tuple[int, int]] = []
    report = verify(healthy, progress=lambda done, total: told.append((done, total)))

    assert report.problems == ()
    assert told == sorted(told)
    assert len(told) > 5
    # Notices are events of the log and of nobody's states.
    ((notices,),) = ask(healthy, "SELECT count(*) FROM notice")
    assert told[-1] == (2 * report.events - notices, 2 * report.events)


async def test_it_runs_beside_a_server(tmp_path: Path, clock: FakeClock) -> None:
    """While the log grows there is never a moment at which it looks wrong."""
    path = tmp_path / "log.db"
    async with open_sqlite(path, clock=clock) as store:
        await a_life(store, clock, seed=5)
        verified = asyncio.ensure_future(asyncio.to_thread(_verify_often, path))
        number = 0
        while not verified.done():
            number += 1
            subject = SubjectId(f"customer:{number % 50}")
            said = scoped(EventKind.CONSENT_GIVEN, OF_CONTACT, NAME, subject)
            await asyncio.gather(*(record(store, given(subject), said) for _ in range(5)))
            notices = [one.notice for one in await store.published()][:2]
            await record(store, *(event(EventKind.CONSENT_REFUSED, subject, notice=one)
                                  for one in notices))  # fmt: skip
        reports = await verified

    assert [report.problems for report in reports] == [()] * len(reports)
    assert reports[-1].events > reports[0].events


def _verify_often(path: Path) -> list[Report]:
    return [verify(path) for _ in range(10)]


# --- one value changed -------------------------------------------------------------------------

LOG = {
    "event": ["position", "recorded_at", "kind", "purpose", "pseudonym", "header", "leaf_hash"],
    "personal_part": ["position", "sealed"],
    "notice": ["position", "purpose", "version", "locale", "title", "text", "sha256"],
}
STATES = {
    "consent": [
        "pseudonym", "purpose", "position", "choice_kind", "choice_position", "chosen_at",
        "choice_notice", "choice_expired", "request_position", "requested_at", "request_notice",
        "request_expired", "objection", "by_signal", "tolerated",
        "objected_at",
    ],
    "standing": ["pseudonym", "restriction", "death"],
    "scoped_consent": [
        "pseudonym", "purpose", "reach", "sealed", "given_at", "requested_at",
    ],
    "request": ["id_digest", "content_digest", "pseudonym", "position", "answer", "mac"],
}  # fmt: skip
TREE = {"tree": ["size", "frontier"], "tree_node": ["level", "number", "hash"]}
SIGNED = {"checkpoint": ["size", "root", "note"]}
# Of a log that begins a new epoch; see test_new_epoch.py.
EPOCH = {
    "ancestor": ["store_id", "size", "signed", "root", "note"],
    "ancestor_checkpoint": ["store_id", "size", "root", "note"],
}
OF_KEYS = {"epoch": ["store_id", "ancestor", "signed", "root", "note"]}
FRAME = {
    "identity": ["store_id", "unsealed_requests", "unsealed_mac"],
    "migration": ["number", "name", "sha256"],
}
KEYS = {
    "subject": ["subject_id", "pseudonym", "wrapped_key"],
    "secret": ["name", "wrapped"],
    "identity": ["store_id", "master_check"],
    "migration": ["number", "name", "sha256"],
    "last_checkpoint": ["size", "root", "note"],
}
# Of a store that has forgotten somebody; see test_erased.py.
ERASURE = {
    "kept_proof": ["subject", "purpose", "position", "until", "mac"],
    "pending_erasure": ["pseudonym", "due_at", "begun", "begun_at"],
    "follower": ["name", "through"],
    "emptied": ["position", "emptied_at"],
}
OF_ERASED = {"erased": ["pseudonym"], "suppressed": ["subject", "kind", "purpose", "mac"]}


def columns_of(path: Path) -> set[tuple[str, str]]:
    return {
        (table.decode(), column.decode())
        for table, column in ask(
            path,
            "SELECT list.name, info.name FROM pragma_table_list AS list,"
            " pragma_table_info(list.name) AS info"
            " WHERE list.schema = 'main' AND list.name NOT LIKE 'sqlite_%'",
        )
    }


def pairs(*tables: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(name, one) for table in tables for name, columns in table.items() for one in columns]


def test_every_column_is_held_to_something(healthy: Path) -> None:
    """No column can be added to the schema without being tampered with here."""
    assert columns_of(healthy) == set(pairs(LOG, TREE, SIGNED, EPOCH, STATES, FRAME, ERASURE))
    assert columns_of(keys_of(healthy)) == set(pairs(KEYS, OF_KEYS, OF_ERASED))


def flipped(value: object, bit: int) -> object:
    """The same value but for one bit."""
    if isinstance(value, int):
        return value ^ (bit << 8)
    assert isinstance(value, bytes)
    changed = bytearray(value)
    changed[len(changed) // 2] ^= bit
    return bytes(changed)


def flip(path: Path, table: str, column: str, bit: int, where: str = "TRUE") -> object:
    """Flips a bit of the first value there is in a column; returns the row's position, if any."""
    without = ("standing", "scoped_consent", *TREE, *SIGNED, *FRAME, *KEYS, *OF_ERASED)
    without += ("pending_erasure", "follower")
    position = "position" if table not in without else "NULL"
    value, found_at = ask(
        path,
        f"SELECT {column}, {position} FROM {table}"
        f" WHERE {column} IS NOT NULL AND {where} ORDER BY {column}",
    )[0]
    changed = flipped(value, bit)
    kept = "CAST(? AS TEXT)" if is_text(path, table, column) else "?"
    tamper(path, (
        f"UPDATE {table} SET {column} = {kept} WHERE {column} = {kept} AND {where}",
        (changed, value),
    ))  # fmt: skip
    return found_at


def is_text(path: Path, table: str, column: str) -> bool:
    kinds = ask(path, f"SELECT typeof({column}) FROM {table} WHERE {column} IS NOT NULL")
    return (b"text",) in kinds


# Bit 0 makes another character, bit 7 bytes that are no UTF-8.
BITS = pytest.mark.parametrize("bit", [0x01, 0x80])


@BITS
@pytest.mark.parametrize(("table", "column"), pairs(LOG))
def test_a_changed_value_of_the_log_is_found_at_its_position(
    path: Path, table: str, column: str, bit: int
) -> None:
    """A single bit, in any column of an event, its personal part or notice, is named first."""
    where = "position = 3" if table == "notice" else f"position = {MIDDLE}"
    position = flip(path, table, column, bit, where)
    report = verify(path)
    expected = {"position": "event"} if table == "event" else {"position": table}

    assert first(report) == (position, expected.get(column, table))
    assert_no_personal_data(path, report)


@BITS
@pytest.mark.parametrize(("table", "column"), pairs(SIGNED))
def test_a_changed_checkpoint_is_found(path: Path, table: str, column: str, bit: int) -> None:
    """A single bit in anything of what was signed."""
    flip(path, table, column, bit)
    report = verify(path)

    assert table in {one.table for one in report.problems}
    assert_no_personal_data(path, report)


@BITS
@pytest.mark.parametrize(("table", "column"), pairs(TREE))
def test_a_changed_tree_is_found(path: Path, table: str, column: str, bit: int) -> None:
    """A single bit of the tree is found, and no event is blamed."""
    flip(path, table, column, bit)
    report = verify(path)

    assert {one.table for one in unsigned(report)} <= set(TREE)
    assert unsigned(report)
    assert_no_personal_data(path, report)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM tree_node WHERE (level, number) = (2, 0)",
        "INSERT INTO tree_node VALUES (40, 7, zeroblob(32))",
        "DELETE FROM tree",
        "INSERT INTO tree VALUES (1, zeroblob(32))",
        "UPDATE tree SET size = size - 1",
    ],
)
def test_a_tree_that_is_another_one_is_found(path: Path, statement: str) -> None:
    """So is a subtree or an edge that is missing, or one too many."""
    tamper(path, statement)

    assert {one.table for one in unsigned(verify(path))} <= set(TREE)
    assert unsigned(verify(path))


@BITS
@pytest.mark.parametrize(("table", "column"), pairs(STATES))
def test_a_changed_state_is_found(path: Path, table: str, column: str, bit: int) -> None:
    """A single bit of what is kept beside the log is found, and the log itself is not blamed."""
    flip(path, table, column, bit)
    report = verify(path)

    assert {problem.table for problem in report.problems} == {table}
    assert report.problems[0].position is not None
    assert_no_personal_data(path, report)


def test_a_changed_state_is_named_by_its_latest_event(path: Path) -> None:
    """A wrong consent is told by the position at which it was last right."""
    ((latest,),) = ask(path, "SELECT max(position) FROM consent WHERE chosen_at NOT NULL")
    flip(path, "consent", "chosen_at", 1, f"position = {latest}")

    assert [at(one) for one in verify(path).problems] == [(latest, "consent")]


@BITS
@pytest.mark.parametrize(("table", "column"), pairs(FRAME))
def test_a_changed_frame_is_found(path: Path, table: str, column: str, bit: int) -> None:
    """Which store it is, and what made it, cannot be changed unnoticed."""
    flip(path, table, column, bit)

    told = "request" if column.startswith("unsealed") else "identity"
    assert first(verify(path)) == (None, {"identity": told, "migration": "log"}[table])


@BITS
@pytest.mark.parametrize(("table", "column"), pairs(KEYS))
def test_a_changed_key_file_is_found(path: Path, table: str, column: str, bit: int) -> None:
    """A single bit of the key file is found; a subject's is told at that subject's first event."""
    ((pseudonym,),) = ask(path, f"SELECT pseudonym FROM event WHERE position = {MIDDLE}")
    where = f"pseudonym = X'{pseudonym.hex()}'" if table == "subject" else "TRUE"
    flip(keys_of(path), table, column, bit, where)
    report = verify(path)

    if table == "last_checkpoint":
        assert "keys.last_checkpoint" in {one.table for one in report.problems}
        return
    assert (
        first(report)
        == {
            "subject": (9, "personal_part"),
            "secret": (None, "keys.secret"),
            "identity": (None, "identity" if column == "store_id" else "keys.identity"),
            "migration": (None, "keys"),
        }[table]
    )
    assert_no_personal_data(path, report)


def assert_no_personal_data(path: Path, report: Report) -> None:
    told = repr(report)
    for spelling in ("K-4711", "bcher", "email", "registrant"):
        assert spelling not in told
    for subject, pseudonym in ask(keys_of(path), "SELECT subject_id, pseudonym FROM subject"):
        assert subject.decode(errors="replace") not in told
        assert pseudonym.hex() not in told
    assert "panel" not in told


# --- rows taken, added, exchanged --------------------------------------------------------------


def test_a_deleted_event_is_found(path: Path) -> None:
    """A row taken out of the middle is named, however its remains were tidied away."""
    tamper(
        path,
        f"DELETE FROM event WHERE position = {MIDDLE}",
        f"DELETE FROM personal_part WHERE position = {MIDDLE}",
    )

    assert first(verify(path)) == (MIDDLE, "event")


def test_several_deleted_events_are_one_gap(path: Path) -> None:
    """A gap is told once, with how much is missing."""
    tamper(path, f"DELETE FROM event WHERE position BETWEEN {MIDDLE} AND {MIDDLE + 4}")
    problem, *_ = verify(path).problems

    assert at(problem) == (MIDDLE, "event")
    assert problem.what == "is missing, the first of 5"


def test_an_event_before_the_first_is_found(path: Path) -> None:
    """There is nothing at position zero or below."""
    tamper(path, "UPDATE event SET position = 0 WHERE position = 1")

    assert [at(one) for one in verify(path).problems][:2] == [(0, "event"), (1, "event")]


def test_a_tail_that_was_cut_off_is_found_by_what_follows_from_it(path: Path) -> None:
    """If only the last events are gone, states and requests still tell of them."""
    ((last,),) = ask(path, "SELECT max(position) FROM event")
    tamper(
        path,
        f"DELETE FROM event WHERE position > {last} - 15",
        f"DELETE FROM personal_part WHERE position > {last} - 15",
    )

    assert {one.table for one in unsigned(verify(path))} == {
        "consent",
        "standing",
        "scoped_consent",
        "tree",
        "tree_node",
    }


def test_a_deleted_personal_part_is_found(path: Path) -> None:
    """An event whose personal part is gone is named, the last one too."""
    ((last,),) = ask(path, "SELECT max(position) FROM event")
    tamper(path, f"DELETE FROM personal_part WHERE position = {last}")

    assert verify(path).problems == (Problem(last, "personal_part", "is missing"),)


def test_exchanged_personal_parts_are_found(path: Path) -> None:
    """Parts exchanged between two events of one person and purpose are named, both."""
    tamper(
        path,
        "UPDATE personal_part SET position = -1 WHERE position = 9",
        f"UPDATE personal_part SET position = 9 WHERE position = {MIDDLE}",
        f"UPDATE personal_part SET position = {MIDDLE} WHERE position = -1",
    )

    assert [at(one) for one in verify(path).problems] == [
        (9, "personal_part"),
        (MIDDLE, "personal_part"),
    ]


@pytest.mark.parametrize("column", ["wrapped_key", "subject_id"])
def test_exchanged_subjects_are_found(path: Path, column: str) -> None:
    """Two people's keys, or their names, cannot be exchanged in the key file."""
    keys = keys_of(path)
    (one, ones), (other, others) = ask(keys, f"SELECT pseudonym, {column} FROM subject LIMIT 2")
    kept = "CAST(? AS TEXT)" if column == "subject_id" else "?"
    change = f"UPDATE subject SET {column} = {kept} WHERE pseudonym = ?"
    tamper(keys, (change, (b"aside", one)), (change, (ones, other)), (change, (others, one)))
    report = verify(path)
    concerned = {
        position
        for (position,) in ask(
            path, "SELECT position FROM event WHERE pseudonym IN (?, ?)", one, other
        )
    }

    assert {one.position for one in report.problems if one.table == "personal_part"} == concerned


def test_a_subject_that_was_renamed_is_found(path: Path) -> None:
    """Even who has the master key cannot give one person's consents to another."""
    keyring = sqlite_files.read_only(path, None)
    ((pseudonym, wrapped),) = ask(
        keys_of(path), "SELECT pseudonym, wrapped_key FROM subject WHERE subject_id = 'anna'"
    )
    key = keyring.open_key(ANNA, pseudonym, wrapped)
    rewrapped = keyring._wrap(key, pseudonym + b"hanna")
    tamper(keys_of(path), (
        "UPDATE subject SET subject_id = 'hanna', wrapped_key = ? WHERE subject_id = 'anna'",
        (rewrapped,),
    ))  # fmt: skip
    report = verify(path)

    assert first(report) == (9, "personal_part")
    assert {one.what for one in report.problems} == {
        "is about another person than the one whose key it is"
    }


def test_an_added_personal_part_is_found(path: Path) -> None:
    """A part of an event that is not there, or that has none, is named."""
    tamper(path, "INSERT INTO personal_part SELECT 3, sealed FROM personal_part LIMIT 1")
    tamper(path, "INSERT INTO personal_part SELECT 999, sealed FROM personal_part LIMIT 1")

    assert [at(one) for one in verify(path).problems] == [
        (3, "personal_part"),
        (999, "personal_part"),
    ]


def test_a_deleted_notice_is_found(path: Path) -> None:
    """A text that was published and is gone is named where it was published."""
    tamper(path, "DELETE FROM notice WHERE position = 2")

    assert first(verify(path)) == (2, "notice")


def test_an_added_notice_is_found(path: Path) -> None:
    """A text that no event published is named, wherever it is put."""
    copy = "INSERT INTO notice SELECT {}, purpose, 'x', locale, title, text, sha256 FROM notice"
    tamper(path, copy.format(MIDDLE) + " LIMIT 1")
    tamper(path, copy.format(999).replace("'x'", "'y'") + " LIMIT 1")

    assert [at(one) for one in verify(path).problems] == [(MIDDLE, "notice"), (999, "notice")]


@pytest.mark.parametrize("table", ["consent", "standing"])
def test_a_missing_state_is_found(path: Path, table: str) -> None:
    """A state that should be there and is not is told."""
    tamper(path, f"DELETE FROM {table} WHERE pseudonym = (SELECT max(pseudonym) FROM {table})")
    report = verify(path)

    assert {one.table for one in report.problems} == {table}
    assert {one.what for one in report.problems} == {"is missing"}


@pytest.mark.parametrize(
    ("pseudonym", "count"),
    [("X''", 2), ("zeroblob(16)", 2), ("X'FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF'", 2), ("known", 1)],
)
def test_a_state_that_follows_from_nothing_is_found(path: Path, pseudonym: str, count: int) -> None:
    """A yes that nobody gave is told, whether its subject is known or not."""
    if pseudonym == "known":
        pseudonym = "(SELECT pseudonym FROM event WHERE position = 9)"
    else:
        tamper(path, f"INSERT INTO standing VALUES ({pseudonym}, 9, NULL)")
    tamper(
        path,
        "INSERT INTO consent (pseudonym, purpose, position, choice_kind, choice_position)"
        f" VALUES ({pseudonym}, 'never.asked', 9, 'consent_given', 9)",
    )
    report = verify(path)

    assert [one.what for one in report.problems] == ["follows from no event"] * count
    assert {one.position for one in report.problems} == {9}


# --- what was said at a reach --------------------------------------------------------------------


def owner_of(path: Path, subject: SubjectId = ANNA) -> Owner:
    """What it takes to read and to forge a subject's rows: the master key."""
    keyring = sqlite_files.read_only(path, None)
    ((pseudonym, wrapped),) = ask(
        keys_of(path), "SELECT pseudonym, wrapped_key FROM subject WHERE subject_id = ?", subject
    )
    return Owner(keyring.open_key(subject, pseudonym, wrapped), pseudonym, PUBLICATION)


def row_at(owner: Owner, reach: Reach) -> tuple[str, tuple[object, ...]]:
    """The condition that finds a row."""
    where = "pseudonym = ? AND purpose = ? AND reach = ?"
    return where, (owner.pseudonym, owner.purpose, reach_digest(owner.key, reach))


def position_of(path: Path, number: int) -> int:
    """Where the one of `SAID` lies."""
    ((last,),) = ask(path, "SELECT max(position) FROM event")
    return int(last) - len(SAID) + 1 + number


@pytest.mark.parametrize("at_byte", [0, 12, 40, -1])
def test_a_flipped_byte_of_a_sealed_row_is_found_at_its_latest_event(
    path: Path, at_byte: int
) -> None:
    """What no longer opens is named by the event that was last right there."""
    where, values = row_at(owner_of(path), IN_ROLE)
    ((sealed,),) = ask(path, f"SELECT sealed FROM scoped_consent WHERE {where}", *values)
    changed = bytearray(sealed)
    changed[at_byte] ^= 1
    tamper(path, (f"UPDATE scoped_consent SET sealed = ? WHERE {where}", (bytes(changed), *values)))
    report = verify(path)

    assert report.problems == (
        Problem(
            Position(position_of(path, 1)), "scoped_consent", "does not open with its subject's key"
        ),
    )


def test_a_missing_row_is_found(path: Path) -> None:
    """What was said and is not there is named by its latest event."""
    where, values = row_at(owner_of(path), OF_DOMAIN)
    tamper(path, (f"DELETE FROM scoped_consent WHERE {where}", values))

    assert verify(path).problems == (
        Problem(Position(position_of(path, 3)), "scoped_consent", "is missing"),
    )


def test_all_rows_gone_are_found(path: Path) -> None:
    """An emptied table does not pass for one that nothing was ever written to."""
    tamper(path, "DELETE FROM scoped_consent")
    report = verify(path)

    assert {(one.table, one.what) for one in report.problems} == {("scoped_consent", "is missing")}


@pytest.mark.parametrize("column", ["given_at", "requested_at"])
@pytest.mark.parametrize("value", [None, 1])
def test_a_wrong_age_is_found(path: Path, column: str, value: int | None) -> None:
    """A row that would be swept too early, or never, is named."""
    reach, number = (OF_CONTACT, 0) if column == "given_at" else (OF_DOMAIN, 3)
    where, values = row_at(owner_of(path), reach)
    tamper(path, (f"UPDATE scoped_consent SET {column} = ? WHERE {where}", (value, *values)))

    assert [at(one) for one in verify(path).problems] == [
        (position_of(path, number), "scoped_consent")
    ]


def test_a_row_moved_to_another_reach_is_found(path: Path) -> None:
    """A consent cannot be made one for the whole account by who has only the file."""
    owner = owner_of(path)
    where, values = row_at(owner, OF_CONTACT)
    digest = reach_digest(owner.key, ACCOUNT)
    tamper(path, (f"UPDATE scoped_consent SET reach = ? WHERE {where}", (digest, *values)))

    assert verify(path).problems == (
        Problem(Position(position_of(path, 0)), "scoped_consent", "is missing"),
        Problem(None, "scoped_consent", "does not open with its subject's key"),
    )


@pytest.mark.parametrize(
    ("lies_at", "says", "what"),
    [
        (IN_ROLE, IN_ROLE, "is not what follows from the events"),
        (IN_ROLE, OF_DOMAIN, "is not what follows from the events"),
        (Reach(ContactId("x")), Reach(ContactId("x")), "follows from no event"),
        (Reach(ContactId("x")), IN_ROLE, "lies where another reach is kept"),
    ],
)
def test_a_row_forged_with_the_key_is_found(
    path: Path, lies_at: Reach, says: Reach, what: str
) -> None:
    """Who has the keys too cannot put words into somebody's mouth that no event has."""
    owner = owner_of(path)
    mark = Mark(EventKind.CONSENT_GIVEN, Position(MIDDLE), Instant(1))
    plain = encode(says, {ContactField.ALL: Said(mark)}, lambda _: None)
    digest = reach_digest(owner.key, lies_at)
    forged = seal(owner, digest, plain, b"n" * 12)
    tamper(path, (
        "INSERT OR REPLACE INTO scoped_consent VALUES (?, ?, ?, ?, 1, NULL)",
        (owner.pseudonym, owner.purpose, digest, forged),
    ))  # fmt: skip
    expected = position_of(path, 1) if lies_at == IN_ROLE else MIDDLE

    assert verify(path).problems == (Problem(Position(expected), "scoped_consent", what),)


def test_a_row_that_cannot_be_read_is_found(path: Path) -> None:
    """What opens and is nothing that was ever written is told."""
    owner = owner_of(path)
    digest = reach_digest(owner.key, Reach(ContactId("x")))
    forged = seal(owner, digest, b"{}", b"n" * 12)
    tamper(path, (
        "INSERT INTO scoped_consent VALUES (?, ?, ?, ?, NULL, NULL)",
        (owner.pseudonym, owner.purpose, digest, forged),
    ))  # fmt: skip

    assert verify(path).problems == (Problem(None, "scoped_consent", "cannot be read"),)


@pytest.mark.parametrize("purpose", [PUBLICATION, NEWSLETTER])
def test_an_added_row_is_found(path: Path, purpose: PurposeId) -> None:
    """A row of nobody, or of a purpose that takes no scope, is told."""
    pseudonym = owner_of(path).pseudonym if purpose == NEWSLETTER else b"\0" * 16
    tamper(path, (
        "INSERT INTO scoped_consent SELECT ?, ?, reach, sealed, NULL, NULL FROM scoped_consent"
        " WHERE reach = (SELECT max(reach) FROM scoped_consent)",
        (pseudonym, purpose),
    ))  # fmt: skip

    assert [at(one) for one in verify(path).problems] == [(None, "scoped_consent")]


def test_a_saying_on_a_text_that_nobody_published_is_found(path: Path) -> None:
    """A consent at a reach, made to name another text than the one that was shown, is told."""

    async def make() -> None:
        async with open_sqlite(path, clock=FakeClock()) as store:
            notice = next(one.notice for one in await store.published()
                          if one.purpose == PUBLICATION)  # fmt: skip
            await record(store, scoped(EventKind.CONSENT_GIVEN, OF_CONTACT, NAME, notice=notice))

    asyncio.run(make())
    ((last, header),) = ask(path, "SELECT max(position), header FROM event")
    forge(path, last, header.partition(b'"sha256":"')[2][:64], b"0" * 64)
    report = verify(path)

    assert [(*at(one), one.what) for one in report.problems] == [
        (last, "consent", "its notice was never published"),
        (last, "scoped_consent", "its notice was never published"),
    ]


def test_rows_whose_key_is_gone_are_not_called_sound(path: Path) -> None:
    """Without a person's key what they said cannot be looked at, and that is told."""
    tamper(keys_of(path), "DELETE FROM subject WHERE subject_id = 'anna'")
    report = verify(path)

    assert Problem(
        None, "scoped_consent", "was not looked at: its subject's key does not open"
    ) in report.problems  # fmt: skip


# --- forged with care --------------------------------------------------------------------------


def forge(path: Path, position: int, old: bytes, new: bytes, *columns: str) -> None:
    """Rewrites a header with its leaf hash, its columns and the whole tree."""
    ((header,),) = ask(path, "SELECT header FROM event WHERE position = ?", position)
    assert old in header
    forged = header.replace(old, new)
    tamper(
        path,
        (
            "UPDATE event SET header = ?, leaf_hash = ? WHERE position = ?",
            (forged, leaf_hash(forged), position),
        ),
        *(f"UPDATE event SET {column} WHERE position = {position}" for column in columns),
        "DELETE FROM tree_node",
        "UPDATE tree SET size = 0, frontier = x''",
    )
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        sqlite_tree.grow(connection)


def test_a_header_and_its_hash_that_were_rewritten_are_found(path: Path) -> None:
    """Where the tree was left as it was, it tells of what was rewritten."""
    ((header,),) = ask(path, "SELECT header FROM event WHERE position = ?", MIDDLE)
    forged = header.replace(header.partition(b'"commitment":"')[2][:8], b"00000000")
    tamper(path, (
        "UPDATE event SET header = ?, leaf_hash = ? WHERE position = ?",
        (forged, leaf_hash(forged), MIDDLE),
    ))  # fmt: skip

    assert (MIDDLE + 1, "tree_node") in map(at, verify(path).problems)


def test_another_spelling_of_a_header_is_found(path: Path) -> None:
    """A header that says the same in other bytes is not the one that was hashed."""
    forge(path, MIDDLE, b'"schema":1', b'"schema": 1')

    assert [at(one) for one in unsigned(verify(path))] == [(MIDDLE, "event")]
    assert "canonical" in verify(path).problems[0].what


def test_another_kind_of_choice_is_found(path: Path) -> None:
    """A refusal made into a consent, columns and hash included, is not what the state says."""
    forge(path, 10, b"consent_requested", b"consent_withdrawn", "kind = 'consent_withdrawn'")
    forge(path, MIDDLE, b"consent_given", b"consent_refused", "kind = 'consent_refused'")
    report = verify(path)

    assert {one.table for one in unsigned(report)} == {"consent"}
    assert len(report.problems) > len(unsigned(report))


def test_a_header_that_cannot_be_read_is_found(path: Path) -> None:
    """A header of no known kind is told, its hash notwithstanding, and the rest is looked at."""
    forge(path, MIDDLE, b"consent_given", b"consent_taken", "kind = 'consent_taken'")
    tamper(path, f"DELETE FROM personal_part WHERE position = {MIDDLE + 1}")

    assert [at(one) for one in unsigned(verify(path))] == [
        (MIDDLE, "event"),
        (MIDDLE + 1, "personal_part"),
    ]


def test_time_that_goes_back_is_found(path: Path) -> None:
    """An event cannot be dated before the one before it."""
    ((moment,),) = ask(path, "SELECT recorded_at FROM event WHERE position = 10")
    old, new = str(moment).encode(), str(moment - 1).encode()
    forge(path, 10, old, new, f"recorded_at = {moment - 1}")
    report = verify(path)

    assert first(report) == (10, "event")
    assert "before the one before it" in report.problems[0].what


def test_an_event_given_to_somebody_else_is_found(path: Path) -> None:
    """With another's pseudonym an event's personal part does not open."""
    mine, others = (
        pseudonym
        for (pseudonym,) in ask(
            path, "SELECT DISTINCT pseudonym FROM event WHERE pseudonym NOT NULL ORDER BY position"
        )[:2]
    )
    forge(
        path,
        MIDDLE,
        mine.hex().encode(),
        others.hex().encode(),
        f"pseudonym = X'{others.hex()}'",
    )

    assert first(verify(path)) == (MIDDLE, "personal_part")


def test_a_notice_rewritten_with_its_hash_is_found(path: Path) -> None:
    """A text exchanged together with its stored hash is not the one that the event names."""
    ((purpose, version, locale, title),) = ask(
        path, "SELECT purpose, version, locale, title FROM notice WHERE position = 2"
    )
    other = Notice(purpose.decode(), version.decode(), locale.decode(), title.decode(), "Other.")
    tamper(path, ("UPDATE notice SET text = ?, sha256 = ? WHERE position = 2",
                  (other.text, other.sha256)))  # fmt: skip

    assert first(verify(path)) == (2, "notice")


def rewrite_schema(path: Path, statement: str, *values: object) -> None:
    """Changes what SQLite takes for granted, as a damaged page would."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(statement, values)


def test_a_value_of_another_type_is_found(path: Path) -> None:
    """A header that is not bytes at all is told, and the rest is looked at."""
    strictly = "UPDATE sqlite_schema SET sql = {} WHERE name = 'event'"
    rewrite_schema(path, strictly.format("replace(sql, ' STRICT', '')"))
    tamper(
        path,
        f"UPDATE event SET header = CAST(header AS TEXT) WHERE position = {MIDDLE}",
        f"DELETE FROM personal_part WHERE position = {MIDDLE + 1}",
    )
    rewrite_schema(path, strictly.format("sql || ' STRICT'"))
    log = [at(one) for one in verify(path).problems if one.table in LOG]

    assert log == [(MIDDLE, "event"), (MIDDLE + 1, "personal_part")]


def test_an_index_that_leads_astray_is_found(path: Path) -> None:
    """Rows that are right but can no longer be found by their index are told."""
    index = "request_of_subject"
    (row,) = ask(path, "SELECT * FROM sqlite_schema WHERE name = ?", index)
    rewrite_schema(path, f"DELETE FROM sqlite_schema WHERE name = '{index}'")
    others = "(SELECT max(pseudonym) FROM request)"
    tamper(path, f"UPDATE request SET pseudonym = {others} WHERE position ="
                 f" (SELECT min(position) FROM request WHERE pseudonym <> {others})")  # fmt: skip
    kind, name, table, root, sql = row
    rewrite_schema(
        path,
        "INSERT INTO sqlite_schema VALUES (?, ?, ?, ?, ?)",
        *(kind.decode(), name.decode(), table.decode(), root, sql.decode()),
    )
    told = [one for one in verify(path).problems if one.table != "request"]

    assert {at(one) for one in told} == {(None, "log")}
    assert all(index in one.what for one in told)


def test_a_consent_to_a_text_that_nobody_published_is_found(path: Path) -> None:
    """A header made to name another text than the one that was shown is told."""
    ((header,),) = ask(path, f"SELECT header FROM event WHERE position = {MIDDLE}")
    shown = header.partition(b'"sha256":"')[2][:64]
    forge(path, MIDDLE, shown, b"0" * 64)
    report = verify(path)

    assert [(one.table, one.what) for one in unsigned(report)] == [
        ("consent", "its notice was never published")
    ]


def test_a_key_of_somebody_without_events_is_looked_at(path: Path) -> None:
    """A key that does not open is told, even if nothing was ever sealed with it."""

    async def make() -> None:
        async with open_sqlite(path, clock=FakeClock()) as store:
            await store.pseudonyms([SubjectId("stranger")])

    asyncio.run(make())
    flip(keys_of(path), "subject", "wrapped_key", 1, "subject_id = 'stranger'")
    report = verify(path)

    assert [at(one) for one in report.problems] == [(None, "keys.subject")]
    assert report.subjects == PEOPLE + 1


def test_a_guard_that_was_taken_away_is_found(path: Path) -> None:
    """A trigger that is missing, changed or added is told, though every row is right."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER event_no_delete")
        connection.execute("DROP TRIGGER event_no_update")
        connection.execute(
            "CREATE TRIGGER event_no_update BEFORE UPDATE ON event WHEN FALSE BEGIN SELECT 1; END"
        )
        connection.execute("CREATE TRIGGER more AFTER INSERT ON event BEGIN SELECT 1; END")
    report = verify(path)

    assert [one.what for one in report.problems] == [
        "trigger event_no_delete is missing or changed",
        "trigger event_no_update is missing or changed",
        "a trigger was added",
    ]


# --- files that are not there, or not the right ones -------------------------------------------


@pytest.mark.parametrize("suffix", ["", ".keys", ".master-key"])
def test_missing_files_are_told(path: Path, suffix: str) -> None:
    """Without all three files there is nothing to verify, and none is made."""
    path.with_name(path.name + suffix).unlink()

    with pytest.raises(StoreRefused, match=r"restore|there is no log"):
        verify(path)
    assert len(list(path.parent.iterdir())) == 2


def test_another_master_key_is_told_once(path: Path) -> None:
    """With the wrong master key everything is checked that needs none."""
    other = path.with_name("other")
    other.write_bytes(b"\1" * 32)
    report = verify(path, other)

    assert [at(one) for one in report.problems] == [
        (None, "keys.identity"),
        (None, "scoped_consent"),
        (None, "request"),
    ]
    for one in report.problems[1:]:
        assert "was not looked at" in one.what
    assert report.events > 40


@pytest.mark.parametrize("name", ["links", "requests", "tokens"])
def test_a_secret_that_is_gone_is_told(path: Path, name: str) -> None:
    """What cannot be looked at for want of a secret does not pass for sound."""
    tamper(keys_of(path), f"DELETE FROM secret WHERE name = '{name}'")
    report = verify(path)

    assert first(report) == (None, "keys.secret")
    assert (len(report.problems) == 2) == (name == "requests")


# --- answered requests -------------------------------------------------------------------------


async def test_what_is_damaged_is_not_answered_from(path: Path, clock: FakeClock) -> None:
    """A repeat of a request whose row was changed is not answered, and `verify` names the row.

    Nothing held the row to anything: whoever changed it chose what every repeat was told, and it
    passed for sound.
    """
    asked = request(id="request-9")
    async with open_sqlite(path, clock=clock) as store:
        await store.write(lambda one: one.remember(asked, ANNA, b"the first answer"), {ANNA})
        position = await store.head()
        whole = await store.write(lambda one: one.recall(asked))
    tamper(path, ("UPDATE request SET answer = ? WHERE position = ?", (b"another", position)))
    async with open_sqlite(path, clock=clock) as store:
        with pytest.raises(StoreUnavailable):
            await store.write(lambda one: one.recall(asked))

    assert whole == Remembered(same_content=True, answer=b"the first answer")
    assert [at(one) for one in verify(path).problems] == [(position, "request")]


async def test_an_answer_without_its_seal_is_not_taken_for_an_old_one(
    path: Path, clock: FakeClock
) -> None:
    """A changed row is found also if its seal was taken off: only so many rows never had one."""
    asked = request(id="request-9")
    async with open_sqlite(path, clock=clock) as store:
        await store.write(lambda one: one.remember(asked, ANNA, b"the first answer"), {ANNA})
        position = await store.head()
    tamper(path, (
        "UPDATE request SET answer = ?, mac = NULL WHERE position = ?", (b"another", position)
    ))  # fmt: skip
    async with open_sqlite(path, clock=clock) as store:
        with pytest.raises(StoreUnavailable):
            await store.write(lambda one: one.recall(asked))

    assert [at(one) for one in verify(path).problems] == [(position, "request")]
    assert verify(path).unsealed == 1


@pytest.mark.parametrize("mac", ["NULL", "x'00'"])
def test_a_store_that_has_lost_count_does_not_open(path: Path, mac: str) -> None:
    """How many rows have no seal is counted once, and never again for one that had been counted."""
    tamper(path, f"UPDATE identity SET unsealed_requests = NULL, unsealed_mac = {mac}")

    with pytest.raises(StoreRefused, match=r"requests are not sealed .* restore it"):
        asyncio.run(_opened(path))
    assert first(verify(path)) == (None, "request")


async def _opened(path: Path) -> None:
    async with open_sqlite(path, clock=FakeClock()):
        pass


def test_keys_of_another_store_are_told(path: Path, tmp_path: Path) -> None:
    """A key file that belongs to another log opens nothing here."""
    asyncio.run(_other(tmp_path / "other.db"))
    for suffix in (".keys", ".master-key"):
        shutil.copy(tmp_path / f"other.db{suffix}", path.with_name(path.name + suffix))
    report = verify(path)

    assert (None, "identity") in [at(one) for one in report.problems]
    assert (9, "personal_part") in [at(one) for one in report.problems]


async def _other(path: Path) -> None:
    async with open_sqlite(path, clock=FakeClock()) as store:
        await record(store, given())


# --- too much to tell --------------------------------------------------------------------------


def test_a_ruined_log_is_told_in_bounds(tmp_path: Path, clock: FakeClock) -> None:
    """Of many problems the first are kept, in order, and the others counted."""
    path = tmp_path / "log.db"
    number = KEPT + 50

    async def make() -> None:
        async with open_sqlite(path, clock=clock) as store:
            subjects = [SubjectId(f"customer:{one}") for one in range(number)]
            await record(store, *(given(subject) for subject in subjects))

    asyncio.run(make())
    tamper(path, "UPDATE event SET leaf_hash = zeroblob(32)")
    report = verify(path)

    assert [one.position for one in report.problems] == list(range(1, KEPT + 1))
    assert report.more == 50


# --- damage of any kind ------------------------------------------------------------------------


def contents(path: Path) -> object:
    """All values of log, states and keys, or that they cannot be read."""
    states = {table: STATES[table] for table in ("consent", "standing", "scoped_consent")}
    tables = KEYS if path.name.endswith(".keys") else LOG | states
    try:
        return [
            ask(path, f"SELECT {', '.join(columns)} FROM {table} ORDER BY {', '.join(columns)}")
            for table, columns in tables.items()
        ]
    except (sqlite3.DatabaseError, UnicodeDecodeError):  # the latter of SQLite's own message
        return None


@pytest.mark.parametrize("suffix", ["", ".keys"])
@pytest.mark.parametrize("flips", [150, pytest.param(3_000, marks=pytest.mark.soak)])
def test_a_flipped_byte_anywhere_is_survived(path: Path, suffix: str, flips: int) -> None:
    """Whichever byte of a file is damaged, verifying ends, and tells if a stored value changed."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown if the test fails
    chance = random.Random(seed)
    damaged = path.with_name(path.name + suffix)
    original = damaged.read_bytes()
    before = contents(damaged)
    written = [where for where, byte in enumerate(original) if byte]
    changes = 0
    for _ in range(flips):
        # Most of a small file is empty: look there too, but not mainly.
        empty = chance.random() < 0.2
        where = chance.randrange(len(original)) if empty else chance.choice(written)
        how = chance.randrange(1, 256)
        data = bytearray(original)
        data[where] ^= how
        damaged.write_bytes(data)
        report = verify(path)
        changed = contents(damaged) != before
        changes += changed

        assert report.problems or not changed, f"byte {where} changed by {how:#x}"
        for left in ("-wal", "-shm"):
            damaged.with_name(damaged.name + left).unlink(missing_ok=True)
    assert changes > flips / 10


@pytest.mark.parametrize("suffix", ["", ".keys"])
@pytest.mark.parametrize("keep", [0, 1, 100, 4096, 5000, 20_000])
def test_a_file_that_was_cut_off_is_survived(path: Path, suffix: str, keep: int) -> None:
    """Of a file that ends too early as much is told as can be told."""
    damaged = path.with_name(path.name + suffix)
    damaged.write_bytes(damaged.read_bytes()[:keep])

    assert verify(path).problems
