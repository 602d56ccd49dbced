"""The registrar's domains and contacts in a file of JSON lines, of any length.

One object a line, contacts and domains in any order:

    {"contact": "C1", "account": "customer:1", "kind": "natural", "values": {"name": "…"}}
    {"domain": "example.cz", "registered": "2024-02-01T10:00:00Z", "bindings": {"registrant": "C1"}}

A contact's handle is its own, whichever registries it is at, and in capitals or not.

The file is read once into an index on disk: a hundred thousand domains take no memory to speak of.
Nobody else can open it, and it goes when the directory is closed, or with the process.
"""

import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from consentclient import ContactField, ContactKind, ContactRole, PostalType
from registry_sync._directory import ContactRecord, DomainRecord, Use, domain_name

_SCHEMA = """
CREATE TABLE contact (
    id      TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    handle  TEXT NOT NULL UNIQUE COLLATE NOCASE,  -- for many a registry the two are one
    record  TEXT NOT NULL
);
CREATE TABLE domain (name TEXT PRIMARY KEY, record TEXT NOT NULL);
CREATE TABLE use (contact TEXT NOT NULL, domain TEXT NOT NULL, role TEXT NOT NULL);
"""
_INDEXES = """
CREATE INDEX contact_of_account ON contact (account);
CREATE INDEX use_of_contact ON use (contact, domain);
"""

_CONTACT = frozenset(
    {
        "contact",
        "account",
        "kind",
        "has_personal_data",
        "values",
        "pending",
        "postal_types",
        "verified",
        "in_trade",
        "handle",
    }
)
_DOMAIN = frozenset({"domain", "registered", "transferred", "sponsored", "proxy", "bindings"})

# What the consent service takes for a moment: from the one, and before the other.
_FIRST_YEAR, _LAST_YEAR = 1970, 9000

# Most of them cannot be written in XML. Line breaks part the lines of a street.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


class DirectoryInvalid(Exception):
    """The file is not a directory; says in which line, and never what stands there."""


class JsonLines:
    """See `Directory`. For as long as a `with` block runs."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._opened: sqlite3.Connection | None = None

    def contact(self, contact_id: str) -> ContactRecord | None:
        """See `Directory.contact`."""
        row = self._index.execute(
            "SELECT record FROM contact WHERE id = ?", (contact_id,)
        ).fetchone()
        return None if row is None else _contact(json.loads(row[0]))

    def contact_by_handle(self, handle: str) -> ContactRecord | None:
        """See `Directory.contact_by_handle`."""
        row = self._index.execute(
            "SELECT record FROM contact WHERE handle = ?", (handle,)
        ).fetchone()
        return None if row is None else _contact(json.loads(row[0]))

    def domain(self, name: str) -> DomainRecord | None:
        """See `Directory.domain`."""
        row = self._index.execute("SELECT record FROM domain WHERE name = ?", (name,)).fetchone()
        return None if row is None else _domain(json.loads(row[0]))

    def uses(
        self, account: str, contact_id: str | None = None, domain: str | None = None
    ) -> Iterator[Use]:
        """See `Directory.uses`."""
        rows = self._index.execute(
            "SELECT contact, domain, role FROM contact JOIN use ON use.contact = contact.id"
            " WHERE account = ?1 AND (?2 IS NULL OR contact.id = ?2)"
            " AND (?3 IS NULL OR use.domain = ?3)",
            (account, contact_id, domain),
        )
        with closing(rows):
            for contact, name, role in rows:
                yield Use(contact, name, ContactRole(role))

    def domains_of(self, contact_id: str) -> Iterator[DomainRecord]:
        """See `Directory.domains_of`."""
        rows = self._index.execute(
            "SELECT DISTINCT domain.name, record FROM use JOIN domain ON domain.name = use.domain"
            " WHERE use.contact = ? ORDER BY domain.name",
            (contact_id,),
        )
        with closing(rows):
            for _, record in rows:
                yield _domain(json.loads(record))

    def all_uses(self) -> Iterator[Use]:
        """See `Directory.all_uses`."""
        rows = self._index.execute("SELECT contact, domain, role FROM use ORDER BY contact, domain")
        with closing(rows):
            for contact, name, role in rows:
                yield Use(contact, name, ContactRole(role))

    def count(self) -> int:
        """See `Directory.count`."""
        return int(self._index.execute("SELECT count(*) FROM domain").fetchone()[0])

    def __enter__(self) -> Self:
        # A file without a name: SQLite makes it for its owner only, and unlinks it at once.
        self._opened = sqlite3.connect("", check_same_thread=False)
        try:
            self._load(self._opened)
        except OSError as error:
            self.__exit__(None, None, None)
            raise DirectoryInvalid(f"{self._file.name}: {error.strerror}") from error
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    @property
    def _index(self) -> sqlite3.Connection:
        if self._opened is None:
            raise RuntimeError("the directory is not open: use it in a `with` block")
        return self._opened

    def _load(self, index: sqlite3.Connection) -> None:
        index.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + _SCHEMA)
        with index, self._file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                # What is raised by others may quote the line.
                try:
                    self._add(index, json.loads(line))
                except _Wrong as wrong:
                    why = str(wrong)
                except sqlite3.IntegrityError:
                    why = "stands there twice"
                except (ValueError, TypeError, AttributeError, RecursionError, sqlite3.Error):
                    why = "cannot be read"
                else:
                    continue
                raise DirectoryInvalid(f"{self._file.name}:{number}: {why}")
            index.executescript(_INDEXES)
            lost = index.execute(
                "SELECT count(*) FROM use LEFT JOIN contact ON contact.id = use.contact"
                " WHERE contact.id IS NULL"
            ).fetchone()[0]
        if lost:
            raise DirectoryInvalid(f"{self._file.name}: {lost} bindings name contacts it lacks")

    @staticmethod
    def _add(index: sqlite3.Connection, given: Mapping[str, Any]) -> None:
        if "contact" in given:
            _refuse_unknown(given, _CONTACT)
            contact = _contact(given)
            others = index.execute(
                "SELECT 1 FROM contact WHERE handle = ? AND id <> ?", (contact.handle, contact.id)
            )
            if others.fetchone() is not None:
                raise _Wrong("handle is another contact's")
            index.execute(
                "INSERT INTO contact (id, account, handle, record) VALUES (?, ?, ?, ?)",
                (contact.id, contact.account, contact.handle, json.dumps(given)),
            )
            return
        _refuse_unknown(given, _DOMAIN)
        domain = _domain(given)
        index.execute(
            "INSERT INTO domain (name, record) VALUES (?, ?)", (domain.name, json.dumps(given))
        )
        index.executemany(
            "INSERT INTO use (contact, domain, role) VALUES (?, ?, ?)",
            [(contact, domain.name, role.value) for role, contact in domain.bindings.items()],
        )


class _Wrong(ValueError):
    """Something that can be said without quoting the line."""


def _refuse_unknown(given: Mapping[str, Any], known: frozenset[str]) -> None:
    if given.keys() - known:
        raise _Wrong("a member that is not known")


def _contact(given: Mapping[str, Any]) -> ContactRecord:
    return ContactRecord(
        id=_read(given, "contact", _text),
        account=_read(given, "account", _text),
        kind=_read(given, "kind", ContactKind, ContactKind.UNKNOWN),
        has_personal_data=_read(given, "has_personal_data", _truth, True),
        values=_read(given, "values", _values, {}),
        pending=_read(given, "pending", _several(ContactField), frozenset()),
        postal_types=_read(given, "postal_types", _several(PostalType), frozenset()),
        verified=_read(given, "verified", _truth, False),
        in_trade=_read(given, "in_trade", _truth, False),
        handle=_read(given, "handle", _text, given["contact"]),
    )


def _domain(given: Mapping[str, Any]) -> DomainRecord:
    return DomainRecord(
        name=_read(given, "domain", _name),
        registered=_read(given, "registered", _moment),
        bindings=_read(given, "bindings", _bindings, {}),
        transferred=_read(given, "transferred", _moment, None),
        sponsored=_read(given, "sponsored", _truth, True),
        proxy=_read(given, "proxy", _truth, False),
    )


_NEEDED = object()


def _read(
    given: Mapping[str, Any], name: str, parse: Callable[[Any], Any], otherwise: Any = _NEEDED
) -> Any:
    """Reads a member; null is as if it were not there."""
    value = given.get(name)
    if value is None:
        if otherwise is _NEEDED:
            raise _Wrong(f"{name} is missing")
        return otherwise
    try:
        return parse(value)
    except (ValueError, TypeError, AttributeError, OverflowError):
        raise _Wrong(f"{name} cannot be read") from None


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("not a text")
    value.encode()  # half of a pair of surrogates is no text either
    return value


def _name(value: Any) -> str:
    return domain_name(_text(value))


def _moment(value: Any) -> datetime:
    at = datetime.fromisoformat(_text(value))
    if at.tzinfo is None:
        raise ValueError("no time zone")
    at = at.astimezone(UTC)
    if not _FIRST_YEAR <= at.year < _LAST_YEAR:
        raise ValueError("too early or too late")
    return at


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("neither true nor false")
    return value


def _values(value: Any) -> dict[ContactField, str]:
    named = {ContactField(name): one for name, one in value.items()}
    values = {name: _text(one) for name, one in named.items() if one not in (None, "")}
    if any(map(_CONTROL.search, values.values())):
        raise ValueError("a control character")
    return values


def _bindings(value: Any) -> dict[ContactRole, str]:
    return {ContactRole(role): _text(contact) for role, contact in value.items()}


def _several(word: Callable[[Any], Any]) -> Callable[[Any], frozenset[Any]]:
    def read(value: Any) -> frozenset[Any]:
        if not isinstance(value, list):
            raise TypeError("not a list")
        return frozenset(map(word, value))

    return read
