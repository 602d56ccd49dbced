"""What the public may see: choices, rules and facts brought together, in one fixed order."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from consentsvc.domain.events import NoticeRef
from consentsvc.domain.identifiers import Position, SubjectId
from consentsvc.domain.instants import Instant
from consentsvc.domain.publication.choices import (
    SILENT,
    Answer,
    Answers,
    Choices,
    Moment,
    Verdict,
)
from consentsvc.domain.publication.facts import Contact, Domain, Facts
from consentsvc.domain.publication.profile import (
    NO_TABLE,
    Clause,
    Control,
    Found,
    Instead,
    Profile,
    Profiles,
    Publisher,
    Rule,
    Switch,
    Table,
)
from consentsvc.domain.scope import (
    ContactField,
    DomainName,
    Reach,
    Role,
    reaches,
)
from consentsvc.domain.words import Word


class Outcome(Word):
    """What the public sees of a field."""

    PUBLISH = "publish"
    REDACT = "redact"
    REPLACE = "replace"
    PROXY = "proxy"
    ABSENT = "absent"
    NOT_OUTPUT = "not_output"


class Reason(Word):
    """Why the public sees it."""

    CONSENT = "consent"
    MANDATORY = "mandatory"
    NO_CONSENT = "no_consent"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    REVOKED = "revoked"
    EXPIRED = "expired"
    PENDING = "pending"
    NOTICE_SUPERSEDED = "notice_superseded"
    DECEASED = "deceased"
    RESTRICTED = "restricted"
    OBJECTED = "objected"
    DATA_CHANGE_PENDING = "data_change_pending"
    COARSE_CAPABILITY = "coarse_capability"
    SHARED_HANDLE = "shared_handle"
    NEVER = "never"
    NOT_SPONSORED = "not_sponsored"
    UNKNOWN_PROFILE = "unknown_profile"
    PROXY_ACTIVE = "proxy_active"
    NO_DATA = "no_data"
    ROLE_NOT_OUTPUT = "role_not_output"


class Operation(Word):
    """What a registry is told: of an object for the first time, or of one that it has."""

    CREATE = "create"
    UPDATE = "update"


class FieldResult(NamedTuple):
    """What the public sees of a field, why, and who decides.

    `notice` and `position` are those of the event that decided, None if none did.
    """

    outcome: Outcome
    reason: Reason
    control: Control | None = None
    notice: NoticeRef | None = None
    position: Position | None = None
    valid_until: Instant | None = None

    @property
    def published(self) -> bool:
        """Whether the public sees the value."""
        return self.outcome is Outcome.PUBLISH


Results = Mapping[ContactField, FieldResult]

_UNKNOWN_PROFILE = FieldResult(Outcome.REDACT, Reason.UNKNOWN_PROFILE)
_NOT_SPONSORED = FieldResult(Outcome.REDACT, Reason.NOT_SPONSORED)
_NOT_OUTPUT = FieldResult(Outcome.NOT_OUTPUT, Reason.ROLE_NOT_OUTPUT)
_ABSENT = FieldResult(Outcome.ABSENT, Reason.NO_DATA)
_WITHOUT_VALUE = frozenset({Outcome.ABSENT, Outcome.NOT_OUTPUT})
_SHOWABLE = frozenset({Outcome.PUBLISH, *_WITHOUT_VALUE})
_NOT_KEPT_BACK = frozenset({Outcome.PUBLISH, Outcome.ABSENT})
_INSTEAD = {Instead.REDACT: Outcome.REDACT, Instead.REPLACE: Outcome.REPLACE}
_REASONS = {one: Reason[one.name] for one in Verdict}
_NOBODY = Answer(Verdict.NO_CONSENT)
_PROXY = {one: FieldResult(Outcome.PROXY, Reason.PROXY_ACTIVE, one) for one in Control}
_MANDATORY = {one: FieldResult(Outcome.PUBLISH, Reason.MANDATORY, one) for one in Control}

# A no of the person's own, or one that stands above their choices; what merely lapsed is no
# objection to a field that is published unless somebody objects.
_OBJECTIONS = frozenset(
    {
        Verdict.REFUSED,
        Verdict.WITHDRAWN,
        Verdict.REVOKED,
        Verdict.DECEASED,
        Verdict.RESTRICTED,
        Verdict.OBJECTED,
    }
)


class Resolution:
    """One question: what may the public see of one contact in one role?

    Everything that is said to others about it follows from this, so that no two of them differ.
    The question is asked at `moment`, whose `transferred_at` is each domain's own. `found` is the
    profile that answers, None if nobody knows what holds.
    """

    __slots__ = (
        "_elsewhere",
        "_of_domain",
        "_other_uses",
        "_results",
        "_tables",
        "choices",
        "facts",
        "found",
        "moment",
        "operation",
        "profile",
        "profiles",
        "publisher",
        "role",
    )

    def __init__(
        self,
        profiles: Profiles,
        facts: Facts,
        role: Role,
        choices: Mapping[SubjectId, Choices],
        moment: Moment,
        publisher: Publisher | None = None,
        operation: Operation | None = None,
    ) -> None:
        self.profiles = profiles
        self.facts = facts
        self.role = role
        self.choices = choices
        self.moment = moment
        self.publisher = publisher
        self.operation = operation
        self.found: Found | None = profiles.find(facts.domain.name, moment.now, publisher)
        self.profile: Profile | None = None if self.found is None else self.found.profile
        self._tables: dict[tuple[DomainName, Role], Table] = {}
        self._results: dict[ContactField, FieldResult] | None = None
        self._of_domain: Mapping[Role, Results] | None = None
        self._elsewhere: Mapping[ContactField, set[Outcome]] | None = None
        self._other_uses = tuple(self._find_other_uses())

    def ask_at(self, moment: Moment) -> None:
        """Asks at another moment, under the same profile, before anything was resolved."""
        self.moment = moment

    @property
    def elements(self) -> Mapping[str, frozenset[ContactField]]:
        """The registry's switches, each with the fields that it stands for."""
        return {} if self.profile is None else self.profile.elements

    @property
    def contact(self) -> Contact:
        """The contact that is bound to the role."""
        return self.facts.contacts[self.facts.domain.bindings[self.role]]

    def needs(self) -> Iterator[tuple[SubjectId, tuple[Reach, ...]]]:
        """Names the choices that can decide: whose, and at which reaches."""
        domain, profile = self.facts.domain, self.profile
        if profile is None:
            return
        uses = [(domain, self.role), *self._other_uses]
        if profile.switch is Switch.DOMAIN:
            uses += [(domain, role) for role in domain.bindings if role is not self.role]
        for used, role in uses:
            contact = self.facts.contacts[used.bindings[role]]
            yield contact.account, reaches(contact.id, used.name, role)

    @property
    def results(self) -> Results:
        """Every field that the contact or the profile has, in one order."""
        if self._results is None:
            self._results = self._grouped(self.facts.domain, self.role)
            if self._other_uses:
                self._share(self._results)
        return self._results

    @property
    def of_domain(self) -> Mapping[Role, Results]:
        """The results of every contact that is bound to the domain, by its role."""
        if self._of_domain is None:
            domain = self.facts.domain
            self._of_domain = {role: self._of_role(role) for role in domain.bindings}
        return self._of_domain

    def may_show(self, fields: Collection[ContactField]) -> bool:
        """Whether a switch for these fields may be on: all that hold a value are published.

        A switch of the contact object is the same for every use of it, so that what one use holds
        back is not shown for another, whichever of them is asked about.
        """
        results = self.results
        outcomes = {results.get(one, _ABSENT).outcome for one in fields}
        if not outcomes <= _SHOWABLE:
            return False
        if self._other_uses:
            elsewhere = self._said_elsewhere()
            for one in fields:
                everywhere = {results.get(one, _ABSENT).outcome, *elsewhere.get(one, ())}
                if everywhere != {Outcome.PUBLISH} and not everywhere <= _WITHOUT_VALUE:
                    return False
        return Outcome.PUBLISH in outcomes

    def _of_role(self, role: Role) -> Results:
        if role is self.role and self.profile is not None and self.profile.switch is Switch.DOMAIN:
            return self.results  # which no other use of the contact has a say in
        return self._grouped(self.facts.domain, role)

    @property
    def valid_until(self) -> Instant | None:
        """The first moment at which time alone can change a result."""
        moments = {one.valid_until for one in self.results.values()}
        if self.profile is not None:
            moments.add(self.profile.next_change(self.moment.now))
        return min((one for one in moments if one is not None), default=None)

    @property
    def legal(self) -> bool:
        """Whether the rules for legal persons apply to the contact."""
        return self._legal(self.facts.domain, self.contact)

    @property
    def verified(self) -> bool:
        """Whether the registry has verified the person."""
        return self._verified(self.contact)

    def table(self, domain: Domain, role: Role) -> Table:
        """The clause that decides each field of the contact in a role of a domain."""
        if self.profile is None:
            return NO_TABLE
        key = (domain.name, role)
        table = self._tables.get(key)
        if table is None:
            contact = self.facts.contacts[domain.bindings[role]]
            table = self._tables[key] = self.profile.table(
                role,
                contact,
                self._legal(domain, contact),
                domain,
                self.moment.now,
                verified=self._verified(contact),
            )
        return table

    def _legal(self, domain: Domain, contact: Contact) -> bool:
        if self.profile is not None and self.profile.kind_by_registrant:
            registrant = domain.bindings.get(Role.REGISTRANT)
            return registrant is not None and self.facts.contacts[registrant].legal
        return contact.legal

    def _verified(self, contact: Contact) -> bool:
        # Nobody is verified at a registry before they are there.
        return contact.verified and self.operation is not Operation.CREATE

    def _alone(self, domain: Domain, role: Role) -> dict[ContactField, FieldResult]:
        """What each field is by itself, before it shares a switch with others."""
        contact = self.facts.contacts[domain.bindings[role]]
        profile = self.profile
        if profile is None:
            return dict.fromkeys(_fields(NO_TABLE, contact.filled), _UNKNOWN_PROFILE)
        if not domain.sponsored:
            return dict.fromkeys(_fields(NO_TABLE, contact.filled), _NOT_SPONSORED)
        table = self.table(domain, role)
        settled, open_ = _by_rules(table, contact.filled, domain.proxy and profile.proxy_allowed)
        results = dict(settled)
        moment = self.moment
        if domain.transferred_at is not None:
            moment = moment._replace(transferred_at=domain.transferred_at)
        said = Answers(
            self.choices.get(contact.account, SILENT),
            reaches(contact.id, domain.name, role),
            moment,
        )
        special = said.named | contact.pending
        for clause, fields in open_:
            # Most people speak of all fields or of none: what nobody named has one result.
            results.update(dict.fromkeys(fields, _chosen(clause, said, ContactField.ALL)))
            for one in special & fields:
                results[one] = _chosen(clause, said, one, pending=one in contact.pending)
        return results

    def _grouped(self, domain: Domain, role: Role) -> dict[ContactField, FieldResult]:
        """The same, where fields that share a switch are published together or not at all."""
        results = self._alone(domain, role)
        if self.profile is None or not self.profile.elements or not domain.sponsored:
            return results
        table = self.table(domain, role)
        sharing: list[tuple[Table, Results]] = [(table, results)]
        if self.profile.switch is Switch.DOMAIN:
            sharing += [
                (self.table(domain, other), self._alone(domain, other))
                for other in domain.bindings
                if other is not role
            ]
        for group, fields in table.groups.items():
            outcomes = {
                theirs[one].outcome
                for their_table, theirs in sharing
                for one in their_table.groups.get(group, ())
            }
            if not outcomes <= _NOT_KEPT_BACK:
                for one in fields:
                    if results[one].published:
                        results[one] = results[one]._replace(
                            outcome=Outcome.REDACT, reason=Reason.COARSE_CAPABILITY
                        )
        return results

    def _share(self, results: dict[ContactField, FieldResult]) -> None:
        """Holds back what another use of the same contact object does not publish."""
        table = self.table(self.facts.domain, self.role)
        switched = [
            one
            for one, clause in table.items()
            if clause.rule in {Rule.OPT_IN, Rule.OPT_OUT}
            and one in results
            and results[one].published
        ]
        for one in switched:
            if not self._said_elsewhere().get(one, set()) <= {Outcome.PUBLISH}:
                results[one] = results[one]._replace(
                    outcome=_INSTEAD[table[one].instead], reason=Reason.SHARED_HANDLE
                )

    def _said_elsewhere(self) -> Mapping[ContactField, set[Outcome]]:
        """What the other uses of the same contact object say of each field."""
        if self._elsewhere is None:
            found: dict[ContactField, set[Outcome]] = {}
            for domain, role in self._other_uses:
                for one, result in self._grouped(domain, role).items():
                    found.setdefault(one, set()).add(result.outcome)
            self._elsewhere = found
        return self._elsewhere

    def _find_other_uses(self) -> Iterator[tuple[Domain, Role]]:
        """Where the registry's switch belongs to the contact object: what else it stands for."""
        if self.profile is None or self.profile.switch is not Switch.CONTACT:
            return
        this = self.facts.domain
        contact = this.bindings[self.role]
        for domain in (this, *self.facts.others):
            if domain is this or self._same_registry(domain):
                for role, bound in domain.bindings.items():
                    if bound == contact and not (domain is this and role is self.role):
                        yield domain, role

    def _same_registry(self, domain: Domain) -> bool:
        found = self.profiles.find(domain.name, self.moment.now, self.publisher)
        return (
            found is not None and self.found is not None and found.registry == self.found.registry
        )


def _fields(table: Table, filled: frozenset[ContactField]) -> Sequence[ContactField]:
    """What the profile outputs, and what else the contact holds."""
    more = filled.difference(table.order)
    if not more:
        return table.order
    return (*table.order, *sorted(more, key=lambda one: one.value))


class _Open(NamedTuple):
    """Fields that hold a value and wait for somebody's word, for all of which the same holds."""

    clause: Clause
    fields: frozenset[ContactField]


# Contacts of one kind hold values in much the same fields, and before anybody has chosen there is
# nothing else that tells them apart.
@lru_cache(maxsize=4_096)
def _by_rules(
    table: Table, filled: frozenset[ContactField], proxy: bool
) -> tuple[Results, Sequence[_Open]]:
    """Every field in its order by the rules alone, and those of which somebody has a say."""
    settled: dict[ContactField, FieldResult] = {}
    open_: dict[tuple[Rule, Control, Instead], tuple[Clause, set[ContactField]]] = {}
    for one in _fields(table, filled):
        clause = table.get(one)
        if clause is None:
            settled[one] = _NOT_OUTPUT
        elif proxy:
            settled[one] = _PROXY[clause.control]
        elif one not in filled:
            settled[one] = _ABSENT
        elif clause.rule is Rule.ALWAYS:
            settled[one] = _MANDATORY[clause.control]
        elif clause.rule is Rule.NEVER:
            settled[one] = _withheld(clause, Reason.NEVER)
        else:
            settled[one] = _withheld(clause, Reason.NO_CONSENT)
            kind = (clause.rule, clause.control, clause.instead)
            open_.setdefault(kind, (clause, set()))[1].add(one)
    return settled, [_Open(clause, frozenset(fields)) for clause, fields in open_.values()]


def _withheld(clause: Clause, reason: Reason, said: Answer = _NOBODY) -> FieldResult:
    _, position, notice, valid_until = said
    return FieldResult(
        _INSTEAD[clause.instead], reason, clause.control, notice, position, valid_until
    )


def _chosen(
    clause: Clause, said: Answers, field: ContactField, *, pending: bool = False
) -> FieldResult:
    """What a field is of which somebody has a say."""
    if clause.rule is Rule.OPT_IN:
        return _opt_in(clause, said[field], pending=pending)
    # An objection stands, also while the person is asked anew.
    return _opt_out(clause, said.unasked(field), pending=pending)


def _opt_in(clause: Clause, said: Answer, *, pending: bool) -> FieldResult:
    """What a field is that needs a consent."""
    verdict, position, notice, valid_until = said
    if verdict is not Verdict.CONSENT:
        return _withheld(clause, _REASONS[verdict], said)
    if pending:
        return _withheld(clause, Reason.DATA_CHANGE_PENDING, said)
    return FieldResult(
        Outcome.PUBLISH, Reason.CONSENT, clause.control, notice, position, valid_until
    )


def _opt_out(clause: Clause, said: Answer, *, pending: bool) -> FieldResult:
    """What a field is that is published unless somebody objects."""
    if said.verdict in _OBJECTIONS:
        return _withheld(clause, _REASONS[said.verdict], said)
    if said.consented and not pending:
        return _opt_in(clause, said, pending=False)
    return _MANDATORY[clause.control]
