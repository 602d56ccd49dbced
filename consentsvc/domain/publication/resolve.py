"""What the public may see: choices, rules and facts brought together, in one fixed order."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from consentsvc.domain.events import NoticeRef
from consentsvc.domain.identifiers import START, Position, SubjectId
from consentsvc.domain.instants import Instant
from consentsvc.domain.publication.choices import (
    SILENT,
    Answer,
    Choices,
    Moment,
    Spoken,
    Verdict,
)
from consentsvc.domain.publication.decided import (
    Asking,
    Decided,
    Heard,
    Outcome,
    Reason,
    asking,
    decided,
    shared,
    together,
    unruled,
)
from consentsvc.domain.publication.facts import Contact, Domain, Facts
from consentsvc.domain.publication.profile import (
    NO_TABLE,
    Control,
    Found,
    Profile,
    Profiles,
    Publisher,
    Switch,
    Table,
)
from consentsvc.domain.publication.seen import Seen
from consentsvc.domain.publication.wire import Operation
from consentsvc.domain.scope import ContactField, Reach, Role, reaches


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

# What is on an enumeration is looked up in Python each time that it is named.
_ALL = ContactField.ALL
_NOTHING = Answer(Verdict.NO_CONSENT)
_NOBODY: frozenset[Decided] = frozenset()


class Resolution:
    """One question: what may the public see of one contact in one role?

    Everything that is said to others about it follows from this, so that no two of them differ.
    The question is asked at `moment`, whose `transferred_at` is each domain's own. `found` is the
    profile that answers, None if nobody knows what holds.
    """

    __slots__ = (
        "_answers",
        "_decided",
        "_elsewhere",
        "_other_uses",
        "_own_table",
        "_reaches",
        "choices",
        "contact",
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
        self.contact: Contact = facts.contacts[facts.domain.bindings[role]]
        """The contact that is bound to the role."""
        self.found: Found | None = profiles.find(facts.domain.name, moment.now, publisher)
        self.profile: Profile | None = None if self.found is None else self.found.profile
        self._decided: Decided | None = None
        self._own_table: Table | None = None
        self._answers: list[Answer] = []
        self._elsewhere = _NOBODY
        self._reaches = reaches(self.contact.id, facts.domain.name, role)
        self._other_uses: tuple[tuple[Domain, Role], ...] = ()
        if facts.others or len(facts.domain.bindings) > 1:
            self._other_uses = tuple(self._find_other_uses())

    def ask_at(self, moment: Moment) -> None:
        """Asks at another moment, under the same profile, before anything was resolved."""
        self.moment = moment

    @property
    def elements(self) -> Mapping[str, frozenset[ContactField]]:
        """The registry's switches, each with the fields that it stands for."""
        return {} if self.profile is None else self.profile.elements

    def needs(self) -> list[tuple[SubjectId, tuple[Reach, ...]]]:
        """Names the choices that can decide: whose, and at which reaches."""
        domain, profile = self.facts.domain, self.profile
        if profile is None:
            return []
        needed = [(self.contact.account, self._reaches)]
        others = self._other_uses
        if profile.switch is Switch.DOMAIN:
            others = tuple((domain, role) for role in domain.bindings if role is not self.role)
        for used, role in others:
            contact = self.facts.contacts[used.bindings[role]]
            needed.append((contact.account, reaches(contact.id, used.name, role)))
        return needed

    @property
    def decided(self) -> Decided:
        """Every field that the contact or the profile has, in one order."""
        if self._decided is None:
            domain = self.facts.domain
            one, self._answers = self._alone(domain, self.role)
            one = self._together(domain, self.role, one)
            if self._other_uses:
                self._elsewhere = frozenset(
                    self._together(domain, role, self._alone(domain, role)[0])
                    for domain, role in self._other_uses
                )
                one = shared(one, self._elsewhere)
            self._decided = one
        return self._decided

    @property
    def positions(self) -> Sequence[Position]:
        """The positions of the events that decided, field by field; START where none did."""
        by_field = self.decided.by_field
        return by_field([one.position or START for one in self._answers])

    @property
    def results(self) -> Results:
        """The same as `decided`, each with the event that decided."""
        return {
            field: FieldResult(
                kind.outcome,
                kind.reason,
                kind.control,
                kind.notice,
                self._answers[kind.place].position,
                self._answers[kind.place].valid_until,
            )
            for field, kind in self.decided.kinds.items()
        }

    @property
    def valid_until(self) -> Instant | None:
        """The first moment at which time alone can change a result."""
        first = None if self.profile is None else self.profile.next_change(self.moment.now)
        for place in self.decided.used:
            ends = self._answers[place].valid_until
            if ends is not None and (first is None or ends < first):
                first = ends
        return first

    def seen(self, *, of_domain: bool = False) -> Seen:
        """What the registry has to know, with the contacts of the domain if they count."""
        profile = self.profile
        if profile is None:
            raise ValueError("nobody knows the registry")
        one = self.decided
        domain = self.facts.domain
        everybody: tuple[tuple[Role, Decided], ...] = ()
        if of_domain or profile.switch is Switch.DOMAIN:
            everybody = tuple((role, self._of_role(role)) for role in domain.bindings)
        return Seen(
            profile,
            self.operation,
            self.legal,
            self.verified,
            self.contact.postal_types,
            one,
            self._elsewhere,
            everybody,
        )

    @property
    def legal(self) -> bool:
        """Whether the rules for legal persons apply to the contact."""
        return self._legal(self.facts.domain, self.contact)

    @property
    def verified(self) -> bool:
        """Whether the registry has verified the person."""
        return self._verified(self.contact)

    @property
    def own_table(self) -> Table:
        """The clause that decides each field, were the domain with us."""
        if self._own_table is None:
            self._own_table = self.table(self.facts.domain, self.role)
        return self._own_table

    def table(self, domain: Domain, role: Role) -> Table:
        """The clause that decides each field of the contact in a role of a domain."""
        if self.profile is None:
            return NO_TABLE
        contact = self.facts.contacts[domain.bindings[role]]
        return self.profile.table(
            role,
            contact,
            self._legal(domain, contact),
            domain,
            self.moment.now,
            verified=self._verified(contact),
        )

    def _legal(self, domain: Domain, contact: Contact) -> bool:
        if self.profile is not None and self.profile.kind_by_registrant:
            registrant = domain.bindings.get(Role.REGISTRANT)
            return registrant is not None and self.facts.contacts[registrant].legal
        return contact.legal

    def _verified(self, contact: Contact) -> bool:
        # Nobody is verified at a registry before they are there.
        return contact.verified and self.operation is not Operation.CREATE

    def _of_role(self, role: Role) -> Decided:
        domain = self.facts.domain
        if role is self.role and self.profile is not None and self.profile.switch is Switch.DOMAIN:
            return self.decided  # which no other use of the contact has a say in
        return self._together(domain, role, self._alone(domain, role)[0])

    def _alone(self, domain: Domain, role: Role) -> tuple[Decided, list[Answer]]:
        """What each field is before it shares a switch with others, and what was said, by place."""
        contact = self.facts.contacts[domain.bindings[role]]
        profile = self.profile
        if profile is None:
            return unruled(contact.filled, Reason.UNKNOWN_PROFILE), [_NOTHING]
        if not domain.sponsored:
            return unruled(contact.filled, Reason.NOT_SPONSORED), [_NOTHING]
        table = self.own_table if self._owns(domain, role) else self.table(domain, role)
        proxy = domain.proxy and profile.proxy_allowed
        answers, heard = self._hear(
            domain, role, contact, asking(table, contact.filled, proxy=proxy)
        )
        return decided(table, contact.filled, contact.pending, heard, proxy=proxy), answers

    def _hear(
        self, domain: Domain, role: Role, contact: Contact, asked: tuple[Asking, ...]
    ) -> tuple[list[Answer], tuple[Heard, ...]]:
        answers: list[Answer] = [_NOTHING]
        heard: list[Heard] = []
        if not asked:
            return answers, ()
        moment = self.moment
        if domain.transferred_at is not None:
            moment = moment._replace(transferred_at=domain.transferred_at)
        reached = (
            self._reaches if self._owns(domain, role) else reaches(contact.id, domain.name, role)
        )
        spoken = Spoken(self.choices.get(contact.account, SILENT), reached, moment)
        for rule, fields, heeds_requests in asked:
            # Most people speak of all fields or of none: what nobody named has one result.
            named = [one for one in fields if one in spoken.named] if spoken.named else ()
            for one in (_ALL, *named):
                said = spoken.answer(one, heeds_requests)
                verdict, _, notice, _ = said
                answers.append(said)
                heard.append((rule, one, verdict, notice))
        return answers, tuple(heard)

    def _owns(self, domain: Domain, role: Role) -> bool:
        """Whether it is the use that was asked about."""
        return domain is self.facts.domain and role is self.role

    def _together(self, domain: Domain, role: Role, one: Decided) -> Decided:
        if not one.table.groups:
            return one
        others: tuple[Decided, ...] = ()
        if self.profile is not None and self.profile.switch is Switch.DOMAIN:
            others = tuple(
                self._alone(domain, other)[0] for other in domain.bindings if other is not role
            )
        return together(one, others)

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
