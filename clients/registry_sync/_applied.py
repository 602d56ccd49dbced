"""What stands at the registries, as it is written down."""

import json
import sqlite3
from collections.abc import Mapping
from typing import Any, NamedTuple

from consentclient import (
    ContactFacts,
    ContactField,
    ContactKind,
    DiscloseList,
    ExtensionValues,
    PostalType,
    RegistryState,
)
from registry_sync._due import Thing


class Applied(NamedTuple):
    """What stands at the registry, as far as the job knows; `refused` is what it would not take.

    `digests` is None where no values were ever compared: what the registry has is taken for right.
    Unless `sure`, something else was sent since, and may have been carried out or not; `pending`
    says that the registry has taken it, and that it was not in force when it did. `handle` is that
    of the contact object that was told, `facts` are what the service was told of the contact.
    """

    state: RegistryState = None
    published: frozenset[ContactField] = frozenset()
    digests: Mapping[ContactField, str] | None = None
    sure: bool = True
    refused: str | None = None
    handle: str = ""
    facts: ContactFacts | None = None
    pending: bool = False


def read(connection: sqlite3.Connection, thing: Thing) -> Applied:
    """What stands of a thing; nothing is known of what was never told."""
    row = connection.execute(
        "SELECT state, published, digests, sure, refused, handle, facts, pending"
        " FROM applied WHERE kind = ? AND registry = ? AND name = ?",
        thing,
    ).fetchone()
    if row is None:
        return Applied(sure=False)  # what others made of the object is not known
    state, published, digests, sure, refused, handle, facts, pending = row
    known = json.loads(digests)
    return Applied(
        _state(json.loads(state)),
        frozenset(map(ContactField, json.loads(published))),
        None if known is None else {ContactField(name): one for name, one in known.items()},
        bool(sure),
        refused,
        handle,
        _facts(facts),
        bool(pending),
    )


def write(connection: sqlite3.Connection, thing: Thing, applied: Applied) -> None:
    """Notes what stands of a thing."""
    digests = applied.digests
    connection.execute(
        "INSERT OR REPLACE INTO applied"
        " (kind, registry, name, state, published, digests, sure, refused, handle, account,"
        " facts, pending)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *thing,
            json.dumps(written(applied.state)),
            json.dumps(sorted(one.value for one in applied.published)),
            json.dumps(digests and {one.value: digest for one, digest in digests.items()}),
            int(applied.sure),
            applied.refused,
            applied.handle,
            "" if applied.facts is None else applied.facts.subject_id,
            "" if applied.facts is None else written_facts(applied.facts),
            int(applied.pending),
        ),
    )


def written(state: RegistryState) -> Any:
    """What a registry was told, in the words of JSON."""
    match state:
        case DiscloseList():
            return {
                "flag": state.flag,
                "elements": sorted(state.elements),
                "types": sorted(one.value for one in state.types),
            }
        case ExtensionValues():
            return {"values": dict(sorted(state.values.items()))}
        case None:
            return None


def _state(told: Any) -> RegistryState:
    if told is None:
        return None
    if "values" in told:
        return ExtensionValues(told["values"])
    return DiscloseList(
        told["flag"], frozenset(told["elements"]), frozenset(map(PostalType, told["types"]))
    )


def written_facts(facts: ContactFacts) -> str:
    """What the service was told of a contact, in the words of JSON."""
    return json.dumps(
        [
            facts.contact_id,
            facts.subject_id,
            facts.kind.value,
            sorted(one.value for one in facts.filled_fields),
            sorted(one.value for one in facts.postal_types),
            facts.has_personal_data,
            facts.verified,
            facts.in_trade,
        ]
    )


def _facts(text: str) -> ContactFacts | None:
    if not text:
        return None
    contact_id, subject_id, kind, filled, types, personal, verified, in_trade = json.loads(text)
    return ContactFacts(
        contact_id,
        subject_id,
        ContactKind(kind),
        frozenset(map(ContactField, filled)),
        postal_types=frozenset(map(PostalType, types)),
        has_personal_data=personal,
        verified=verified,
        in_trade=in_trade,
    )
