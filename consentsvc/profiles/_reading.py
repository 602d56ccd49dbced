"""From the files to profiles: each file by itself, then what it takes over from another."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from consentsvc.domain.instants import Instant, instant
from consentsvc.domain.publication import encode
from consentsvc.domain.publication.profile import (
    Clause,
    Condition,
    Control,
    Encoder,
    Instead,
    Profile,
    Publisher,
    Rule,
    Switch,
)
from consentsvc.domain.scope import COMMON_FIELDS, ContactField, DomainName, Role
from consentsvc.profiles import _checking
from consentsvc.toml_reading import File, Table

Layer = dict[str, File]
"""Files by the ids of their profiles."""

Options = Mapping[str, bool]

_ID = re.compile(r"[a-z][a-z0-9-]{0,62}")
_ROLES = {one.value: one for one in Role}
_FIELDS = {one.value: one for one in ContactField if one is not ContactField.ALL}
_RULES = {one.value: one for one in Rule}
_INSTEAD = {one.value: one for one in Instead}
_SWITCHES = {one.value: one for one in Switch}
_PUBLISHERS = {one.value: one for one in Publisher}
_ENCODERS = {one: one for one in encode.ENCODERS}
_ASKING = frozenset({Rule.OPT_IN, Rule.OPT_OUT})
_ALL_ROLES = frozenset(Role)


class Row(NamedTuple):
    """A clause, on which options it depends, and where in its file it stands."""

    clause: Clause
    options: Options
    place: tuple[str | int, ...]


class Offer(NamedTuple):
    """Roles whose contacts are offered a consent, and on which options that depends."""

    roles: frozenset[Role]
    options: Options


@dataclass(frozen=True, slots=True)
class Draft:
    """What a file says, before its options are applied."""

    id: str
    registry: str
    version: str
    valid_from: Instant | None
    suffixes: tuple[DomainName, ...]
    publisher: Publisher
    switch: Switch
    encoder: Encoder
    rows: tuple[Row, ...]
    offers: tuple[Offer, ...]
    options: Options
    proxy_allowed: bool
    kind_by_registrant: bool
    own_registry: bool
    unverified: tuple[str, ...]

    def profile(self, options: Options) -> Profile:
        """The profile that it is, with its options set so."""
        offered = [one.roles for one in self.offers if _holds(one.options, options)]
        return Profile(
            self.id,
            self.version,
            self.registry,
            frozenset(self.suffixes),
            self.publisher,
            self.switch,
            tuple(one.clause for one in self.rows if _holds(one.options, options)),
            self.encoder,
            frozenset[Role]().union(*offered) if self.offers else _ALL_ROLES,
            self.proxy_allowed,
            self.kind_by_registrant,
            self.own_registry,
            self.valid_from,
            self.unverified,
        )


def _holds(wanted: Options, options: Options) -> bool:
    return all(options.get(name) is value for name, value in wanted.items())


class Reading:
    """One reading of all files. Its result counts only if no file turns out to have a mistake."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self._layers = layers
        self._drafts: dict[tuple[int, str], Draft | None] = {}
        self._open: set[tuple[int, str]] = set()

    def profiles(self) -> list[Profile]:
        """A profile for each id, read from the last layer that has it."""
        for level, layer in enumerate(self._layers):
            for name in layer:
                self._draft(level, name)
        current = [
            (self._layers[level][name], draft)
            for (level, name), draft in sorted(self._drafts.items(), key=lambda one: one[0][1])
            if draft is not None and level == self._level_of(name)
        ]
        _checking.refuse_shared_suffixes(
            (file, draft.id, draft.publisher, draft.suffixes) for file, draft in current
        )
        return [draft.profile(draft.options) for _, draft in current]

    def _draft(self, level: int, name: str) -> Draft | None:
        """What a file says; None if it, or what it takes over, cannot be told."""
        key = (level, name)
        if key not in self._drafts:
            self._drafts[key] = None  # until it is told: it may lead back to itself
            self._open.add(key)
            self._drafts[key] = self._told(level, name)
            self._open.remove(key)
        return self._drafts[key]

    def _being_told(self, level: int, name: str) -> bool:
        return (level, name) in self._open

    def _told(self, level: int, name: str) -> Draft | None:
        file = self._layers[level][name]
        if not file.readable:
            return None
        root = file.root
        if not _ID.fullmatch(name):
            file.report((), "must be named after its id: a-z, 0-9 and -, starting with a letter")
        if not root.has("extends"):
            return _File(root, name).draft()
        extended = root.line("extends")
        # What it replaces is what it means by its own name.
        found = self._level_of(extended, level if extended == name else len(self._layers))
        base = None if found is None else self._draft(found, extended)
        if base is None:
            if found is None and extended:
                root.report("is the id of no profile", "extends")
            elif found is not None and self._being_told(found, extended):
                root.report("leads back to this file", "extends")
            root.leave()
            return None
        return _extended(root, name, base)

    def _level_of(self, name: str, below: int | None = None) -> int | None:
        levels = range(len(self._layers) if below is None else below)
        return next((one for one in reversed(levels) if name in self._layers[one]), None)


def _extended(root: Table, name: str, base: Draft) -> Draft:
    """A file that takes over everything of another profile but for what it says itself."""
    encoder = base.encoder
    if encoder.name == encode.DISCLOSE and root.has("shows"):
        encoder = replace(encoder, shows=root.flag("shows"))
    return replace(
        base,
        id=name,
        registry=root.line("registry") if root.has("registry") else base.registry,
        version=root.line("version") if root.has("version") else base.version,
        valid_from=_moment(root, "valid_from") or base.valid_from,
        suffixes=_suffixes(root) if root.has("suffixes") else base.suffixes,
        encoder=encoder,
        options={**base.options, **dict(_options_set(root, base))},
        proxy_allowed=root.flag("proxy_allowed")
        if root.has("proxy_allowed")
        else base.proxy_allowed,
        unverified=_sentences(root) if root.has("unverified") else base.unverified,
    )


def _options_set(root: Table, base: Draft) -> Iterator[tuple[str, bool]]:
    table = root.table("options") if root.has("options") else None
    if table is not None:
        for option in base.options:
            if table.has(option):
                yield option, table.flag(option)


class _File:
    """A file that says everything itself."""

    def __init__(self, root: Table, name: str) -> None:
        self._root = root
        self._name = name
        self._options = dict(_flags(root.table("options"))) if root.has("options") else {}
        self._used: set[str] = set()
        self._publisher = root.choice("publisher", _PUBLISHERS, Publisher.REGISTRY)
        self._encoder = root.choice("encoder", _ENCODERS, "")

    def draft(self) -> Draft:
        root = self._root
        draft = Draft(
            self._name,
            root.line("registry"),
            root.line("version"),
            _moment(root, "valid_from", required=True),
            _suffixes(root, required=True),
            self._publisher,
            self._switch(),
            self._told_by(),
            tuple(
                row for table in root.array("clauses", required=True) for row in self._rows(table)
            ),
            tuple(self._offer(table) for table in root.array("offers")),
            self._options,
            _flag(root, "proxy_allowed"),
            _flag(root, "kind_by_registrant"),
            _flag(root, "own_registry"),
            _sentences(root),
        )
        self._check(draft)
        return draft

    def _switch(self) -> Switch:
        switch = self._root.choice("switch", _SWITCHES, Switch.NONE)
        if self._encoder and (switch is Switch.NONE) is not (self._encoder == encode.NONE):
            self._root.report(
                "must be none exactly if encoder is none: a switch is there to be told", "switch"
            )
        if self._publisher is Publisher.REGISTRAR and self._encoder not in {"", encode.NONE}:
            self._root.report("must be none: the registrar tells nobody", "encoder")
        return switch

    def _told_by(self) -> Encoder:
        if self._encoder != encode.DISCLOSE:
            return Encoder(self._encoder)
        groups = {one: one for one in encode.ENCODERS[encode.DISCLOSE]}
        return Encoder(
            self._encoder,
            self._root.flag("shows"),
            frozenset(self._root.choices("forced", groups, once=True)),
        )

    def _check(self, draft: Draft) -> None:
        root = self._root
        for option in self._options:
            if option not in self._used:
                root.report("has nothing that depends on it", "options", option)
        elements = draft.profile(draft.options).elements
        for one in sorted(draft.encoder.forced - set(elements)):
            root.report(f"holds {one}, which is the group of no clause", "forced")
        _checking.refuse_clauses_that_never_apply(root, draft, draft.rows)
        _checking.refuse_overlaps(root, draft.rows)

    def _offer(self, table: Table) -> Offer:
        return Offer(_roles(table), self._depends(table))

    def _depends(self, table: Table) -> Options:
        wanted = table.table("option") if table.has("option") else None
        if wanted is None:
            return {}
        found = {one: wanted.flag(one) for one in self._options if wanted.has(one)}
        self._used.update(found)
        return found

    def _rows(self, table: Table) -> Iterator[Row]:
        options = self._depends(table)
        rule = table.choice("rule", _RULES, Rule.NEVER)
        instead = Instead.REDACT
        if table.has("instead"):
            instead = table.choice("instead", _INSTEAD, instead)
            if rule is Rule.ALWAYS:
                table.report("has no place beside always: there is nothing instead", "instead")
        clause = Clause(
            _roles(table),
            frozenset(COMMON_FIELDS),
            rule,
            self._control(rule),
            instead,
            None,
            _condition(table),
            _moment(table, "valid_from"),
            _moment(table, "valid_to"),
        )
        if not _in_order(clause.valid_from, clause.valid_to):
            table.report("must be after valid_from", "valid_to")
        if table.has("groups"):
            if rule not in _ASKING:
                table.report("has no place here: where nobody is asked, no switch counts", "groups")
            if table.has("fields"):
                table.report("has no place beside groups", "fields")
            for place, group, fields in self._groups(table):
                yield Row(
                    replace(clause, fields=fields, group=group), options, (*table.key, *place)
                )
            return
        if table.has("fields"):
            clause = replace(clause, fields=_fields(table))
        if rule in _ASKING and self._publisher is Publisher.REGISTRY and self._encoder:
            table.report(
                "must be said of groups: the registry takes a wish for what has a switch", "rule"
            )
        yield Row(clause, options, table.key)

    def _control(self, rule: Rule) -> Control:
        if self._publisher is Publisher.REGISTRAR:
            return Control.OURS
        return Control.REGISTRY_KNOB if rule in _ASKING else Control.REGISTRY_FIXED

    def _groups(
        self, table: Table
    ) -> Iterator[tuple[tuple[str | int, ...], str, frozenset[ContactField]]]:
        known = encode.ENCODERS.get(self._encoder, {})
        seen: dict[ContactField, str] = {}
        for place, group in table.lines("groups"):
            at = ("groups", place)
            fields = known.get(group)
            if fields is None:
                if self._encoder:
                    names = ", ".join(known) or "none"
                    table.report(f"must be a group that the encoder has: {names}", *at)
                continue
            twice = sorted({seen[one] for one in fields if one in seen})
            if twice:
                table.report(f"holds fields that {', '.join(twice)} holds too", *at)
            seen.update(dict.fromkeys(fields, group))
            yield at, group, fields


def _flags(table: Table | None) -> Iterator[tuple[str, bool]]:
    if table is not None:
        for name in table.names():
            yield name, table.flag(name)


def _flag(table: Table, name: str) -> bool:
    return table.has(name) and table.flag(name)


def _moment(table: Table, name: str, *, required: bool = False) -> Instant | None:
    if required and not table.has(name):
        table.report("is missing", name)
    found: datetime | None = table.moment(name)
    return None if found is None else instant(found)


def _in_order(one: Instant | None, other: Instant | None) -> bool:
    return one is None or other is None or one < other


def _roles(table: Table) -> frozenset[Role]:
    if not table.has("roles"):
        return _ALL_ROLES
    roles = frozenset(table.choices("roles", _ROLES, once=True))
    if not roles:
        table.report("must name one role at least", "roles")
    return roles


def _fields(table: Table) -> frozenset[ContactField]:
    fields = frozenset(table.choices("fields", _FIELDS, once=True))
    if not fields:
        table.report("must name one field at least", "fields")
    return fields


def _condition(table: Table) -> Condition:
    when = table.table("when") if table.has("when") else None
    if when is None:
        return Condition()
    asked = {
        one: when.flag(one)
        for one in ("legal", "has_personal_data", "verified", "in_trade")
        if when.has(one)
    }
    condition = Condition(**asked, since=_moment(when, "since"), before=_moment(when, "before"))
    if not _in_order(condition.since, condition.before):
        when.report("must be after since", "before")
    return condition


def _suffixes(root: Table, *, required: bool = False) -> tuple[DomainName, ...]:
    if required and not root.has("suffixes"):
        root.report("is missing", "suffixes")
    found: list[DomainName] = []
    for place, suffix in root.lines("suffixes"):
        if not _checking.is_suffix(suffix):
            root.report("must be A-labels in lower case, without a dot in front", "suffixes", place)
        elif suffix in found:
            root.report("is listed twice", "suffixes", place)
        else:
            found.append(DomainName(suffix))
    return tuple(found)


def _sentences(root: Table) -> tuple[str, ...]:
    return tuple(sentence for _, sentence in root.lines("unverified"))
