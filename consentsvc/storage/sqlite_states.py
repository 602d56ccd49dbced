"""The state tables of SQLite: rows to consents and back.

Notices are held by the position of the event that published them.
"""

import sqlite3
from collections.abc import Iterable
from typing import Any

from consentsvc.domain.canonical import Damaged
from consentsvc.domain.consent import (
    NOTHING_KNOWN,
    NOTHING_STANDS,
    Choice,
    Consent,
    Objection,
    Request,
    Standing,
)
from consentsvc.domain.events import EventKind, NoticeRef
from consentsvc.domain.identifiers import Position, Pseudonym, PurposeId

CONSENT_COLUMNS = (
    "position, choice_kind, choice_position, chosen_at, choice_notice, choice_expired,"
    " request_position, requested_at, request_notice, request_expired, objection, by_signal,"
    " tolerated, objected_at"
)

_KINDS = {kind.value: kind for kind in EventKind}


class Notices:
    """Published notices by the position of their publication, each read once.

    Nothing ever changes in what is committed, so readers share one for good, from any thread. What
    a writer sees may yet be undone: a transaction has one of its own.
    """

    def __init__(self) -> None:
        self._refs: dict[int, NoticeRef] = {}

    def ref(self, connection: sqlite3.Connection, position: int | None) -> NoticeRef | None:
        """Names the notice that was published at a position."""
        if position is None:
            return None
        known = self._refs.get(position)
        if known is None:
            row = connection.execute(
                "SELECT version, locale, sha256 FROM notice WHERE position = ?", (position,)
            ).fetchone()
            if row is None:
                raise Damaged(f"no notice was published at position {position}")
            known = self._refs[position] = NoticeRef(*row)
        return known


def notice_position(
    connection: sqlite3.Connection, purpose: PurposeId, notice: NoticeRef | None
) -> int | None:
    """Tells where a notice was published."""
    if notice is None:
        return None
    row = connection.execute(
        "SELECT position FROM notice"
        " WHERE purpose = ? AND version = ? AND locale = ? AND sha256 = ?",
        (purpose, *notice),
    ).fetchone()
    if row is None:
        raise LookupError(f"notice {notice.version} of {purpose} was never published")
    return int(row[0])


def read_consent(
    connection: sqlite3.Connection, notices: Notices, pseudonym: Pseudonym, purpose: PurposeId
) -> Consent:
    """Reads one state."""
    row = connection.execute(
        f"SELECT {CONSENT_COLUMNS} FROM consent WHERE pseudonym = ? AND purpose = ?",  # noqa: S608 - a constant
        (pseudonym, purpose),
    ).fetchone()
    return NOTHING_KNOWN if row is None else consent_of(connection, notices, row)


def read_consents(
    connection: sqlite3.Connection, notices: Notices, pseudonym: Pseudonym
) -> dict[PurposeId, Consent]:
    """Reads all states of one subject."""
    rows = connection.execute(
        f"SELECT {CONSENT_COLUMNS}, purpose FROM consent WHERE pseudonym = ?",  # noqa: S608 - a constant
        (pseudonym,),
    ).fetchall()
    return {PurposeId(row[-1]): consent_of(connection, notices, row[:-1]) for row in rows}


def read_standing(connection: sqlite3.Connection, pseudonym: Pseudonym) -> Standing:
    """Reads what stands above a subject's choices."""
    row = connection.execute(
        "SELECT restriction, death FROM standing WHERE pseudonym = ?", (pseudonym,)
    ).fetchone()
    return NOTHING_STANDS if row is None else Standing(*row)


def consent_of(connection: sqlite3.Connection, notices: Notices, row: Iterable[Any]) -> Consent:
    """Turns the columns of `CONSENT_COLUMNS` into a consent."""
    (
        position,
        kind,
        chosen,
        chosen_at,
        choice_notice,
        choice_expired,
        requested,
        requested_at,
        request_notice,
        request_expired,
        objected,
        by_signal,
        tolerated,
        objected_at,
    ) = row
    choice = request = objection = None
    if kind is not None:
        if kind not in _KINDS:
            raise Damaged(f"the choice at position {chosen} is of no kind")
        notice = notices.ref(connection, choice_notice)
        choice = Choice(_KINDS[kind], chosen, chosen_at, notice, choice_expired == 1)
    if requested is not None:
        notice = notices.ref(connection, request_notice)
        request = Request(requested, requested_at, notice, request_expired == 1)
    if objected is not None:
        objection = Objection(objected, objected_at, by_signal == 1)
    return Consent(choice, request, objection, position, tolerated)


def columns_of(
    connection: sqlite3.Connection, purpose: PurposeId, consent: Consent
) -> tuple[Any, ...]:
    """Turns a consent into the columns of `CONSENT_COLUMNS`."""
    choice, request, objection = consent.choice, consent.request, consent.objection
    return (
        consent.position,
        choice and choice.kind.value,
        choice and choice.position,
        choice and choice.recorded_at,
        choice and notice_position(connection, purpose, choice.notice),
        choice is not None and choice.expired,
        request and request.position,
        request and request.recorded_at,
        request and notice_position(connection, purpose, request.notice),
        request is not None and request.expired,
        objection and objection.position,
        objection is not None and objection.by_signal,
        consent.tolerated,
        objection and objection.recorded_at,
    )


def write_consent(
    connection: sqlite3.Connection, pseudonym: Pseudonym, purpose: PurposeId, consent: Consent
) -> None:
    """Writes one state over the one before."""
    connection.execute(
        f"INSERT OR REPLACE INTO consent (pseudonym, purpose, {CONSENT_COLUMNS})"  # noqa: S608 - a constant
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (pseudonym, purpose, *columns_of(connection, purpose, consent)),
    )


def write_standing(
    connection: sqlite3.Connection, pseudonym: Pseudonym, standing: Standing
) -> None:
    """Writes what stands above a subject's choices."""
    connection.execute(
        "INSERT OR REPLACE INTO standing (pseudonym, restriction, death) VALUES (?, ?, ?)",
        (pseudonym, standing.restriction, standing.death),
    )


def last_event(connection: sqlite3.Connection) -> tuple[Position, int]:
    """Tells the head's position and recorded time, zeros for an empty log."""
    row = connection.execute(
        "SELECT position, recorded_at FROM event ORDER BY position DESC LIMIT 1"
    ).fetchone()
    return (Position(0), 0) if row is None else row
