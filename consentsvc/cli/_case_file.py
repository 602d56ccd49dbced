"""Decision cases as a file has them: read whole, and refused where they are not of the format."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, NoReturn, TypeVar

from consentsvc.domain.events import ActorKind, EventKind
from consentsvc.domain.identifiers import Position, SubjectId
from consentsvc.domain.instants import Instant, instant
from consentsvc.domain.publication.decided import Outcome, Reason
from consentsvc.domain.publication.epp import ELEMENTS
from consentsvc.domain.publication.facts import Contact, ContactKind, Domain, PostalType
from consentsvc.domain.publication.profile import Control, Rule
from consentsvc.domain.publication.wire import Operation
from consentsvc.domain.scope import EVERY_FIELD, ContactField, ContactId, DomainName, Reach, Role

T = TypeVar("T")

Wire = Mapping[str, Any]
"""What is sent: lists sorted, and the values of an extension by their paths."""

_NOTHING: Mapping[str, bool] = MappingProxyType({})
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")
_NAME = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
_TLD = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*")
_FIELDS = {one.name: one for one in ContactField if one is not ContactField.ALL}
_ROLES = {one.name: one for one in Role}
_KINDS = {one.name: one for one in ContactKind}
_ACTORS = {one.name: one for one in ActorKind}
_EVENTS = {
    one.name: one
    for one in (
        EventKind.CONSENT_GIVEN,
        EventKind.CONSENT_REFUSED,
        EventKind.CONSENT_WITHDRAWN,
        EventKind.CONSENT_REVOKED,
        EventKind.CONSENT_REQUESTED,
        EventKind.CONSENT_EXPIRED,
    )
}
_REVOCATIONS = ("SUBJECT_CHANGED", "TRANSFERRED_AWAY", "LEGAL_BASIS_CHANGED")
_REJECTIONS = ("ROLE_NOT_OFFERED", "REQUEST_EXPIRED", "INVALID_SCOPE")
_POSTAL_TYPES = {one.value: one for one in PostalType}
_OPERATIONS = {one.value: one for one in Operation}
_RULES = {one.name: one for one in (Rule.ALWAYS, Rule.OPT_IN, Rule.NEVER)}


class NotCases(Exception):
    """The file holds no decision cases: says where and why."""


class DatedRule(NamedTuple):
    """A rule that a case puts in front of its profile's."""

    valid_from: Instant
    valid_to: Instant | None
    legal: bool
    has_personal_data: bool | None
    fields: frozenset[ContactField]
    rule: Rule


class Overrides(NamedTuple):
    """What a case changes in its profile."""

    options: Mapping[str, bool] = _NOTHING
    shows: bool | None = None
    rules: tuple[DatedRule, ...] = ()


class Saying(NamedTuple):
    """An event of the case's log, or a choice that is written after it."""

    position: Position
    at: Instant
    kind: EventKind
    account: SubjectId
    reach: Reach
    fields: frozenset[ContactField]
    actor: ActorKind
    confirms: Position | None


class Expected(NamedTuple):
    """What the public is to see of a field; without a control it is not compared."""

    outcome: Outcome
    reason: Reason
    control: Control | None


@dataclass(frozen=True, slots=True)
class Case:
    """One situation, one question, and the right answer."""

    id: str
    title: str
    rule: str
    contacts: Mapping[ContactId, Contact]
    domains: tuple[Domain, ...]
    overrides: Overrides
    events: tuple[Saying, ...]
    asked: Domain
    role: Role
    as_of: Instant | None
    operation: Operation | None
    previous: Wire | None
    data_changed: frozenset[ContactField]
    written: Saying | None
    outcomes: Mapping[ContactField, Expected] | None
    wire: Wire | None
    redacted: frozenset[tuple[str, str]] | None
    recorded: EventKind | None
    rejected: str | None


def read(path: Path) -> list[Case]:
    """Every case of a file. Raises `NotCases`, and `OSError` if it cannot be opened."""
    try:
        content = json.loads(path.read_bytes())
    except UnicodeDecodeError as error:
        raise NotCases(f"{path}: is not UTF-8") from error
    except json.JSONDecodeError as error:
        raise NotCases(f"{path}:{error.lineno}: is not JSON: {error.msg}") from error
    return told(content, str(path))


def told(content: Any, name: str) -> list[Case]:
    """Every case of what a file of that name holds."""
    root = _Node(content, name, "").object("version", "cases")
    if root.need("version").value != 1:
        root.need("version").refuse("must be 1")
    cases = [_case(one) for one in root.need("cases").items()]
    if not cases:
        root.need("cases").refuse("must not be empty")
    return cases


class _Node:
    """A value of the file, and where it stands."""

    def __init__(self, value: Any, file: str, way: str) -> None:
        self.value = value
        self._file = file
        self._way = way

    def refuse(self, message: str) -> NoReturn:
        raise NotCases(": ".join(one for one in (self._file, self._way, message) if one))

    def object(self, *names: str) -> "_Node":
        if not isinstance(self.value, dict):
            self.refuse("must be an object")
        for name in self.value:
            if name not in names:
                self._inside(name).refuse("is not a member that belongs here")
        return self

    def get(self, name: str) -> "_Node | None":
        return self._inside(name) if name in self.value else None

    def need(self, name: str) -> "_Node":
        if name not in self.value:
            self._inside(name).refuse("is missing")
        return self._inside(name)

    def members(self) -> "Iterator[tuple[str, _Node]]":
        if not isinstance(self.value, dict):
            self.refuse("must be an object")
        for name in self.value:
            yield name, self._inside(name)

    def items(self) -> "list[_Node]":
        if not isinstance(self.value, list):
            self.refuse("must be an array")
        return [
            _Node(one, self._file, f"{self._way}[{place}]") for place, one in enumerate(self.value)
        ]

    def text(self, pattern: re.Pattern[str] | None = None) -> str:
        if not isinstance(self.value, str) or not self.value:
            self.refuse("must be a string with something in it")
        if pattern is not None and not pattern.fullmatch(self.value):
            self.refuse(f"must match {pattern.pattern}")
        return str(self.value)

    def flag(self) -> bool:
        if not isinstance(self.value, bool):
            self.refuse("must be true or false")
        return bool(self.value)

    def position(self) -> Position:
        if type(self.value) is not int or self.value < 1:
            self.refuse("must be a whole number from 1 on")
        return Position(self.value)

    def moment(self) -> Instant:
        text = self.text(_MOMENT)
        try:
            return instant(datetime.fromisoformat(text))
        except ValueError:
            self.refuse("is no moment")

    def word(self, words: Mapping[str, T]) -> T:
        if not isinstance(self.value, str) or self.value not in words:
            self.refuse(f"must be one of: {', '.join(words)}")
        return words[self.value]

    def words(self, words: Mapping[str, T], *, empty: bool = False) -> frozenset[T]:
        found = [one.word(words) for one in self.items()]
        if len(set(found)) < len(found) or not (found or empty):
            self.refuse("must name each once" if found else "must not be empty")
        return frozenset(found)

    def _inside(self, name: str) -> "_Node":
        value = self.value.get(name) if isinstance(self.value, dict) else None
        return _Node(value, self._file, f"{self._way}.{name}" if self._way else name)


def _case(node: _Node) -> Case:
    node.object("id", "title", "rule", "given", "when", "then")
    given = node.need("given").object(
        "contacts", "domain", "other_domains", "profile_overrides", "events"
    )
    contacts = {one.id: one for one in map(_contact, given.need("contacts").items())}
    others = given.get("other_domains")
    told = [given.need("domain"), *([] if others is None else others.items())]
    domains = tuple(_domain(one, contacts) for one in told)
    overrides = given.get("profile_overrides")
    events = tuple(_event(one) for one in given.need("events").items())

    when = node.need("when").object("resolve", "sync", "write")
    sync = when.get("sync")
    question = when.need("resolve") if sync is None else sync
    if sync is not None and len(when.value) > 1:
        when.refuse("must be sync alone, or resolve, or write and resolve")
    more = () if sync is None else ("operation", "previous", "data_changed")
    question.object("domain", "role", "as_of", *more)
    asked = question.need("domain").word({one.name: one for one in domains})
    role = question.need("role").word(_ROLES)
    as_of = question.get("as_of")
    previous, changed = question.get("previous"), question.get("data_changed")
    written = when.get("write")

    then = node.need("then").object("outcomes", "wire", "rdap", "recorded", "rejected")
    outcomes, wire, rdap = then.get("outcomes"), then.get("wire"), then.get("rdap")
    recorded, rejected = then.get("recorded"), then.get("rejected")
    return Case(
        id=node.need("id").text(),
        title=node.need("title").text(),
        rule=node.need("rule").text(),
        contacts=contacts,
        domains=domains,
        overrides=Overrides() if overrides is None else _overrides(overrides),
        events=events,
        asked=asked,
        role=role,
        as_of=None if as_of is None else as_of.moment(),
        operation=None if sync is None else sync.need("operation").word(_OPERATIONS),
        previous=None if previous is None else _wire(previous),
        data_changed=frozenset() if changed is None else changed.words(_FIELDS),
        written=None if written is None else _written(written, events),
        outcomes=None if outcomes is None else _outcomes(outcomes),
        wire=None if wire is None else _wire(wire),
        redacted=None if rdap is None else _redacted(rdap),
        recorded=None if recorded is None else recorded.word(_EVENTS),
        rejected=None if rejected is None else rejected.word({one: one for one in _REJECTIONS}),
    )


def _contact(node: _Node) -> Contact:
    node.object(
        "id", "account", "kind", "has_personal_data", "fields",
        "data_pending", "postal_types", "verified", "in_trade",
    )  # fmt: skip
    values = node.need("fields").object(*_FIELDS)
    for _, value in values.members():
        value.text()
    pending, postal = node.get("data_pending"), node.get("postal_types")
    verified, trade = node.get("verified"), node.get("in_trade")
    return Contact(
        ContactId(node.need("id").text()),
        SubjectId(node.need("account").text()),
        node.need("kind").word(_KINDS),
        node.need("has_personal_data").flag(),
        frozenset(_FIELDS[name] for name, _ in values.members()),
        frozenset() if pending is None else pending.words(_FIELDS),
        frozenset() if postal is None else postal.words(_POSTAL_TYPES),
        verified is not None and verified.flag(),
        trade is not None and trade.flag(),
    )


def _domain(node: _Node, contacts: Mapping[ContactId, Contact]) -> Domain:
    node.object("name", "tld", "registered_at", "transferred_at", "sponsored", "proxy", "bindings")
    name = node.need("name").text(_NAME)
    tld = node.need("tld").text(_TLD)
    if not name.endswith(f".{tld}"):
        node.need("tld").refuse(f"is not how {name} ends")
    transferred = node.get("transferred_at")
    bound = {
        _Node(role, *_where(one)).word(_ROLES): one.word({id_: id_ for id_ in contacts})
        for role, one in node.need("bindings").members()
    }
    return Domain(
        DomainName(name),
        node.need("registered_at").moment(),
        None if transferred is None else transferred.moment(),
        node.need("sponsored").flag(),
        node.need("proxy").flag(),
        bound,
    )


def _where(node: _Node) -> tuple[str, str]:
    return node._file, node._way  # noqa: SLF001 - of its own kind


def _overrides(node: _Node) -> Overrides:
    node.object("tech_consent_offered", "redact_city", "dcp", "rules")
    options = {
        name: value.flag()
        for name in ("tech_consent_offered", "redact_city")
        if (value := node.get(name)) is not None
    }
    dcp, rules = node.get("dcp"), node.get("rules")
    return Overrides(
        options,
        None if dcp is None else dcp.word({"none": False, "all": True}),
        () if rules is None else tuple(map(_rule, rules.items())),
    )


def _rule(node: _Node) -> DatedRule:
    node.object("valid_from", "valid_to", "kind", "has_personal_data", "fields", "rule")
    ends, personal = node.get("valid_to"), node.get("has_personal_data")
    return DatedRule(
        node.need("valid_from").moment(),
        None if ends is None else ends.moment(),
        node.need("kind").word({"NATURAL": False, "LEGAL": True}),
        None if personal is None else personal.flag(),
        node.need("fields").words(_FIELDS),
        node.need("rule").word(_RULES),
    )


def _event(node: _Node) -> Saying:
    node.object(
        "position", "at", "kind", "account", "scope", "fields", "actor", "reason", "confirms"
    )
    said = _saying(node, node.need("position").position())
    if not said.reach.sound:
        node.need("scope").refuse("must be account, contact, domain or role")
    return said


def _written(node: _Node, events: tuple[Saying, ...]) -> Saying:
    node.object("at", "kind", "account", "scope", "fields", "actor", "reason", "confirms")
    last = max((one.position for one in events), default=0)
    said = _saying(node, Position(last + 1))
    if said.confirms is not None:
        asked = [one.position for one in events if one.kind is EventKind.CONSENT_REQUESTED]
        if said.confirms not in asked:
            node.need("confirms").refuse("is the position of no request")
    return said


def _saying(node: _Node, position: Position) -> Saying:
    reason, confirms = node.get("reason"), node.get("confirms")
    if reason is not None:
        reason.word({one: one for one in _REVOCATIONS})
    scope = node.need("scope").object("contact", "domain", "role")
    contact, domain, role = scope.get("contact"), scope.get("domain"), scope.get("role")
    fields = node.need("fields")
    return Saying(
        position,
        node.need("at").moment(),
        node.need("kind").word(_EVENTS),
        SubjectId(node.need("account").text()),
        Reach(
            None if contact is None else ContactId(contact.text()),
            None if domain is None else DomainName(domain.text(_NAME)),
            None if role is None else role.word(_ROLES),
        ),
        EVERY_FIELD if fields.value == ["ALL"] else fields.words(_FIELDS),
        node.need("actor").object("kind").need("kind").word(_ACTORS),
        None if confirms is None else confirms.position(),
    )


def _outcomes(node: _Node) -> dict[ContactField, Expected]:
    found: dict[ContactField, Expected] = {}
    for name, one in node.object(*_FIELDS).members():
        one.object("outcome", "reason", "control")
        control = one.get("control")
        found[_FIELDS[name]] = Expected(
            one.need("outcome").word({each.name: each for each in Outcome}),
            one.need("reason").word({each.name: each for each in Reason}),
            None if control is None else control.word({each.name: each for each in Control}),
        )
    return found


def _redacted(node: _Node) -> frozenset[tuple[str, str]]:
    members = node.object("redacted").need("redacted").items()
    return frozenset(
        (one.object("name", "method").need("name").text(), one.need("method").text())
        for one in members
    )


def _wire(node: _Node) -> Wire:
    node.object("epp_disclose", "extension", "steps", "nothing")
    if len(node.value) != 1:
        node.refuse("must have one member")
    for name, value in node.members():
        match name:
            case "epp_disclose":
                return {name: _disclose(value)}
            case "extension":
                return {name: dict(_flattened(value))}
            case "steps":
                return {name: [_step(one) for one in value.items()]}
    return {"nothing": True}


def _step(node: _Node) -> Wire:
    node.object("epp_disclose", "data")
    data = node.get("data")
    if data is not None:
        return {"data": sorted(one.name for one in data.words(_FIELDS))}
    return {"epp_disclose": _disclose(node.need("epp_disclose"))}


def _disclose(node: _Node) -> Wire | None:
    if node.value is None:
        return None
    node.object("flag", "elements", "types")
    flag, types = node.need("flag"), node.get("types")
    if type(flag.value) is not int or flag.value not in {0, 1}:
        flag.refuse("must be 0 or 1")
    named = node.need("elements").words({one: one for one in ELEMENTS}, empty=True)
    told: dict[str, Any] = {"flag": flag.value, "elements": sorted(named)}
    if types is not None:
        told["types"] = sorted(types.words({one: one for one in _POSTAL_TYPES}))
    return told


def _flattened(node: _Node, way: str = "") -> Iterator[tuple[str, str]]:
    """The values of an extension by their paths; what only has to be there is empty."""
    for name, value in node.members():
        path = f"{way}/{name}" if way else name
        if isinstance(value.value, dict):
            inside = list(_flattened(value, path))
            yield from inside or [(path, "")]
        elif isinstance(value.value, bool):
            yield path, "true" if value.value else "false"
        elif isinstance(value.value, int | str):
            yield path, str(value.value)
        else:
            value.refuse("must be a value or an object")
