"""Situations in the format of decision cases, in few words, and what the program answers."""

from collections.abc import Mapping, Sequence
from typing import Any

from consentsvc.cli import _case_file, _cases

Event = dict[str, Any]
Json = dict[str, Any]

FIELDS = (
    "NAME", "ORGANIZATION", "STREET", "CITY", "STATE_PROVINCE", "POSTAL_CODE", "COUNTRY",
    "PHONE", "PHONE_EXT", "FAX", "FAX_EXT", "EMAIL",
)  # fmt: skip
ADDRESS = ("STREET", "CITY", "STATE_PROVINCE", "POSTAL_CODE", "COUNTRY")

NATURAL, LEGAL, UNKNOWN = "NATURAL", "LEGAL", "UNKNOWN"


def contact(
    kind: str = NATURAL,
    fields: Sequence[str] = FIELDS,
    name: str = "C1",
    account: str = "A",
    **more: Any,
) -> Json:
    """A contact that holds a value for each of these fields."""
    values = dict.fromkeys(fields, "x")
    personal = kind != LEGAL
    return {
        "id": name, "account": account, "kind": kind, "has_personal_data": personal,
        "fields": values, **more,
    }  # fmt: skip


def domain(name: str = "example.com", **more: Any) -> Json:
    """A domain with us, of which C1 is the registrant."""
    return {
        "name": name,
        "tld": name.rpartition(".")[2],
        "registered_at": "2024-02-01T10:00:00Z",
        "sponsored": True,
        "proxy": False,
        "bindings": {"REGISTRANT": "C1"},
        **more,
    }


def said(
    what: str,
    *fields: str,
    contact: str | None = "C1",
    domain: str | None = None,
    role: str | None = None,
    account: str = "A",
    at: str | None = None,
    actor: str = "SUBJECT",
    **more: Any,
) -> Event:
    """Something that was said of a contact; its place in the log, and a day, come with `log`."""
    scope = {"contact": contact, "domain": domain, "role": role}
    event: Event = {
        "kind": f"CONSENT_{what}",
        "account": account,
        "scope": {name: value for name, value in scope.items() if value is not None},
        "fields": list(fields) or ["ALL"],
        "actor": {"kind": actor},
        **more,
    }
    if at is not None:
        event["at"] = at
    return event


def gave(*fields: str, **where: Any) -> Event:
    return said("GIVEN", *fields, **where)


def refused(*fields: str, **where: Any) -> Event:
    return said("REFUSED", *fields, **where)


def withdrew(*fields: str, **where: Any) -> Event:
    return said("WITHDRAWN", *fields, **where)


def revoked(*fields: str, reason: str = "SUBJECT_CHANGED", **where: Any) -> Event:
    return said("REVOKED", *fields, reason=reason, **{"actor": "SYSTEM", **where})


def requested(*fields: str, **where: Any) -> Event:
    return said("REQUESTED", *fields, **{"actor": "RESELLER", **where})


def expired(*fields: str, **where: Any) -> Event:
    return said("EXPIRED", *fields, **{"actor": "SYSTEM", **where})


def log(events: Sequence[Event]) -> list[Event]:
    """The events in their places, on days of March 2025 where they have none of their own."""
    return [
        {"position": place, "at": f"2025-03-{place:02}T09:00:00Z", **event}
        for place, event in enumerate(events, 1)
    ]


def case(
    events: Sequence[Event] = (),
    *,
    on: Json | None = None,
    contacts: Sequence[Json] | None = None,
    others: Sequence[Json] = (),
    role: str = "REGISTRANT",
    as_of: str | None = None,
    overrides: Json | None = None,
    write: Event | None = None,
    sync: Json | None = None,
) -> Json:
    """A case that asks about the registrant, as it would stand in a file."""
    asked = on or domain()
    given: Json = {
        "contacts": list(contacts or [contact()]), "domain": asked, "events": log(events)
    }  # fmt: skip
    if others:
        given["other_domains"] = list(others)
    if overrides:
        given["profile_overrides"] = overrides
    question: Json = {"domain": asked["name"], "role": role}
    if as_of is not None:
        question["as_of"] = as_of
    when: Json = {"resolve": question} if sync is None else {"sync": {**question, **sync}}
    if write is not None:
        when["write"] = {"at": "2025-06-01T09:00:00Z", **write}
    then = {"outcomes": {"NAME": {"outcome": "PUBLISH", "reason": "CONSENT"}}}
    return {
        "id": "more-001", "title": "t", "rule": "r", "given": given, "when": when, "then": then
    }  # fmt: skip


def answer(told: Json) -> _cases.Answer:
    """What the program makes of a case."""
    (one,) = _case_file.told({"version": 1, "cases": [told]}, "more")
    return _cases.ask(one)


def outcomes(*events: Event, **situation: Any) -> dict[str, str]:
    """Outcome, reason and control of each field, in one line of words."""
    results = answer(case(events, **situation)).results
    return {
        field.name: " ".join(
            one.name for one in (result.outcome, result.reason, result.control) if one is not None
        )
        for field, result in results.items()
    }


def reason(field: str, *events: Event, **situation: Any) -> str:
    """Outcome and reason of one field."""
    return " ".join(outcomes(*events, **situation)[field].split()[:2])


def told(operation: str, *events: Event, **situation: Any) -> Mapping[str, Any]:
    """What is sent, the extension's values by their paths."""
    sync: Json = {"operation": operation}
    for name in ("previous", "data_changed"):
        if name in situation:
            sync[name] = situation.pop(name)
    return answer(case(events, sync=sync, **situation)).wire


def everywhere(word: str, **exceptions: str) -> dict[str, str]:
    """The same for all common fields, but for those that are named."""
    return {**dict.fromkeys(FIELDS, word), **exceptions}


def these(fields: Sequence[str], word: str) -> dict[str, str]:
    """The same for some fields."""
    return dict.fromkeys(fields, word)
