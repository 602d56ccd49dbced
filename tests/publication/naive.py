"""The rules read aloud: a slow reader of the whole log, who folds nothing and knows no profiles.

Written from the registries' rules and not from the program, so that the two can be compared.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

from consentsvc.domain.events import DENIALS, EventKind
from consentsvc.domain.identifiers import Position, SubjectId
from consentsvc.domain.instants import Instant, add
from consentsvc.domain.publication.facts import Contact, Domain, Facts
from consentsvc.domain.scope import COMMON_FIELDS, ContactField, ContactId, DomainName, Reach, Role

F = ContactField
NAME = frozenset({F.NAME})
ORG = frozenset({F.ORGANIZATION})
ADDR = frozenset({F.STREET, F.CITY, F.STATE_PROVINCE, F.POSTAL_CODE, F.COUNTRY})
VOICE = frozenset({F.PHONE, F.PHONE_EXT})
FAX = frozenset({F.FAX, F.FAX_EXT})
EMAIL = frozenset({F.EMAIL})
COMMON = frozenset(COMMON_FIELDS)
SIX = {"name": NAME, "org": ORG, "addr": ADDR, "voice": VOICE, "fax": FAX, "email": EMAIL}


class Entry(NamedTuple):
    """A line of the log."""

    position: Position
    at: Instant
    kind: EventKind
    account: SubjectId
    reach: Reach
    fields: frozenset[ContactField]
    refers_to: Position | None = None


class Target(NamedTuple):
    """A contact in a role of a domain."""

    account: SubjectId
    contact: ContactId
    domain: DomainName
    role: Role

    def scopes(self) -> list[Reach]:
        """The four, from wide to narrow."""
        return [
            Reach(),
            Reach(self.contact),
            Reach(self.contact, self.domain),
            Reach(self.contact, self.domain, self.role),
        ]


def verdict(
    log: Iterable[Entry],
    target: Target,
    field: ContactField,
    now: Instant,
    transferred_at: Instant | None,
    *,
    requests: bool = True,
) -> str:
    """CONSENT, or why not."""
    scopes = target.scopes()
    mine = [
        one
        for one in log
        if one.account == target.account
        and one.reach in scopes
        and (field in one.fields or F.ALL in one.fields)
    ]
    asked = [one for one in mine if one.kind is EventKind.CONSENT_REQUESTED]
    of_requests = {one.position for one in asked}
    counted = [
        one
        for one in mine
        if one.kind is not EventKind.CONSENT_REQUESTED
        and not (one.kind is EventKind.CONSENT_EXPIRED and one.refers_to in of_requests)
        and not (
            one.kind is EventKind.CONSENT_GIVEN
            and transferred_at is not None
            and one.at < transferred_at
        )
    ]
    left = [
        one
        for one in counted
        if not (
            one.kind is EventKind.CONSENT_GIVEN
            and any(
                no.kind in DENIALS
                and no.position > one.position
                and scopes.index(no.reach) <= scopes.index(one.reach)
                for no in counted
            )
        )
    ]
    decides = max(
        left, key=lambda one: (scopes.index(one.reach), one.position), default=None
    )  # fmt: skip
    if decides is not None and decides.kind is EventKind.CONSENT_GIVEN:
        return "CONSENT"
    confirmed = {one.refers_to for one in mine if one.kind is EventKind.CONSENT_GIVEN}
    waiting = [
        one
        for one in asked
        if one.position not in confirmed
        and (
            decides is None
            or (
                one.position > decides.position
                and scopes.index(one.reach) >= scopes.index(decides.reach)
            )
        )
    ]
    if waiting and requests:
        latest = max(waiting, key=lambda one: one.position)
        return "PENDING" if now < add(latest.at, timedelta(days=30)) else "EXPIRED"
    if decides is None:
        return "NO_CONSENT"
    return decides.kind.name.removeprefix("CONSENT_")


class Rule(NamedTuple):
    """What a row says of one field: the base rule, its group, and what stands in for the value."""

    base: str
    group: str | None = None
    instead: str = "REDACT"


FIXED = Rule("NEVER")
MANDATORY = Rule("ALWAYS")
OPT_IN = Rule("OPT_IN")
RELAYED = Rule("OPT_IN", None, "REPLACE")

OF_CONTACT = frozenset({"org", "net", "fr", "it", "pl", "cz", "eu", "uk", "lu", "nz", "gov"})
OF_DOMAIN = frozenset({"ca", "cat", "pt"})
TLDS = ("com", "de", "nl", "us", *sorted(OF_CONTACT), *sorted(OF_DOMAIN), "zz")
"""Of the gTLDs, .org and .net are registries here: one hides by itself, the other shows."""


def grouped(field: ContactField, groups: Mapping[str, frozenset[ContactField]]) -> Rule:
    for name, fields in groups.items():
        if field in fields:
            return Rule("OPT_IN", name)
    return FIXED


class Case(NamedTuple):
    """What a row may ask about."""

    role: Role
    contact: Contact
    legal: bool
    came: Instant
    now: Instant
    dates: Mapping[str, Instant]


WHOLE = Rule("OPT_IN", "whole")
CZ = {
    **SIX,
    "vat": frozenset({F.VAT}),
    "ident": frozenset({F.IDENT}),
    "notifyEmail": frozenset({F.NOTIFY_EMAIL}),
}
UK = {one: SIX[one] for one in ("name", "org", "addr")}
GOV = {
    **{one: SIX[one] for one in ("name", "org", "voice", "fax", "email")},
    **{one.value: frozenset({one}) for one in ADDR},
}


def _gtld(case: Case, field: ContactField) -> Rule | None:
    if case.role is Role.REGISTRANT:
        if field in {F.STATE_PROVINCE, F.COUNTRY}:
            return MANDATORY
        return RELAYED if field is F.EMAIL else OPT_IN
    if case.role is Role.TECH and field in NAME | VOICE | EMAIL:
        return RELAYED if field is F.EMAIL else OPT_IN
    return None


def _whole(case: Case, field: ContactField) -> Rule:
    return MANDATORY if case.legal else WHOLE


def _it(case: Case, field: ContactField) -> Rule:
    return MANDATORY if case.legal and case.came >= case.dates["it"] else WHOLE


def _cz(case: Case, field: ContactField) -> Rule | None:
    if field in NAME | ORG or (field in ADDR and not case.contact.verified):
        return MANDATORY
    return None if field is F.MOBILE_PHONE else grouped(field, CZ)


def _eu(case: Case, field: ContactField) -> Rule:
    if case.legal:
        return MANDATORY if field in ORG | EMAIL | {F.CITY, F.COUNTRY} else FIXED
    return RELAYED if field is F.EMAIL else FIXED


def _nl(case: Case, field: ContactField) -> Rule:
    if case.role is Role.ADMIN and field is F.EMAIL:
        return MANDATORY
    of_company = case.role is Role.REGISTRANT and case.legal and field is F.ORGANIZATION
    return MANDATORY if of_company else FIXED


def _de(case: Case, field: ContactField) -> Rule:
    known = case.role is Role.REGISTRANT and case.legal and case.now >= case.dates["de"]
    return MANDATORY if known and field in ORG | ADDR | EMAIL | {F.PHONE} else FIXED


def _nz(case: Case, field: ContactField) -> Rule:
    if case.legal or case.contact.in_trade:
        return MANDATORY
    if field in ADDR | VOICE | FAX:
        return Rule("OPT_OUT", "irpo")
    return MANDATORY if field in NAME | EMAIL else FIXED


ROWS: dict[str, Callable[[Case, ContactField], Rule | None]] = {
    "com": _gtld,
    **dict.fromkeys(("org", "net", "lu"), lambda _, field: grouped(field, SIX)),
    **dict.fromkeys(("fr", "pl", "cat", "ca"), _whole),
    "it": _it,
    "cz": _cz,
    "eu": _eu,
    "nl": _nl,
    "de": _de,
    "uk": lambda _, field: grouped(field, UK),
    "pt": lambda case, _: WHOLE if case.role is Role.REGISTRANT else FIXED,
    "us": lambda _, field: MANDATORY,
    "nz": _nz,
    "gov": lambda _, field: grouped(field, GOV),
}


def rule(tld: str, case: Case, field: ContactField) -> Rule | None:
    """What the row of a registry says; None if the field is not part of the output."""
    if field not in COMMON and tld != "cz":
        return None
    return ROWS[tld](case, field)


Said = dict[ContactField, str]


class Reader:
    """Answers as the rules are written, one step after the other."""

    def __init__(
        self, facts: Facts, log: Sequence[Entry], now: Instant, dates: Mapping[str, Instant]
    ) -> None:
        self.facts = facts
        self.log = log
        self.now = now
        self.dates = dates

    def verdict(
        self, domain: Domain, role: Role, field: ContactField, *, requests: bool = True
    ) -> str:
        contact = self.facts.contacts[domain.bindings[role]]
        target = Target(contact.account, contact.id, domain.name, role)
        return verdict(
            self.log, target, field, self.now, domain.transferred_at, requests=requests
        )  # fmt: skip

    def rule(self, domain: Domain, role: Role, field: ContactField) -> Rule | None:
        contact = self.facts.contacts[domain.bindings[role]]
        tld = _tld(domain)
        legal = contact.legal
        if tld in {"ca", "cat"}:
            registrant = domain.bindings.get(Role.REGISTRANT)
            legal = registrant is not None and self.facts.contacts[registrant].legal
        came = max(domain.registered_at, domain.transferred_at or domain.registered_at)
        case = Case(role, contact, legal, came, self.now, self.dates)
        return rule(tld, case, field)

    def alone(self, domain: Domain, role: Role) -> Said:
        """Steps 1 to 7."""
        return {
            field: self._alone(domain, role, field) for field in ContactField if field is not F.ALL
        }

    def _alone(  # noqa: PLR0911 - one return for each step, as the rules are told
        self, domain: Domain, role: Role, field: ContactField
    ) -> str:
        contact = self.facts.contacts[domain.bindings[role]]
        if _tld(domain) == "zz":
            return "REDACT UNKNOWN_PROFILE"
        if not domain.sponsored:
            return "REDACT NOT_SPONSORED"
        found = self.rule(domain, role, field)
        if found is None:
            return "NOT_OUTPUT ROLE_NOT_OUTPUT"
        if domain.proxy and _tld(domain) in {"com", "org", "net"}:
            return "PROXY PROXY_ACTIVE"
        if field not in contact.filled:
            return "ABSENT NO_DATA"
        if found.base == "ALWAYS":
            return "PUBLISH MANDATORY"
        if found.base == "NEVER":
            return "REDACT NEVER"
        said = self.verdict(domain, role, field, requests=found.base != "OPT_OUT")
        waits = field in contact.pending
        if said == "CONSENT" and not waits:
            return "PUBLISH CONSENT"
        if found.base == "OPT_OUT" and said not in {"REFUSED", "WITHDRAWN", "REVOKED"}:
            return "PUBLISH MANDATORY"
        return f"{found.instead} {'DATA_CHANGE_PENDING' if said == 'CONSENT' else said}"

    def grouped(self, domain: Domain, role: Role) -> Said:
        """Step 8."""
        found = self.alone(domain, role)
        if not domain.sponsored or _tld(domain) == "zz":
            return found
        sharing = domain.bindings if _tld(domain) in OF_DOMAIN else [role]
        for field, word in list(found.items()):
            rule = self.rule(domain, role, field)
            if rule is None or rule.group is None or not word.startswith("PUBLISH"):
                continue
            for other in sharing:
                said = found if other is role else self.alone(domain, other)
                alone = self.alone(domain, role) if other is role else said
                for one, its_word in alone.items():
                    its_rule = self.rule(domain, other, one)
                    if (
                        its_rule is not None
                        and its_rule.group == rule.group
                        and not its_word.startswith(("PUBLISH", "ABSENT"))
                    ):
                        found[field] = "REDACT COARSE_CAPABILITY"
        return found

    def results(self, role: Role) -> Said:
        """Steps 1 to 9."""
        domain = self.facts.domain
        found = self.grouped(domain, role)
        if _tld(domain) not in OF_CONTACT or not domain.sponsored:
            return found
        contact = domain.bindings[role]
        for other in (domain, *self.facts.others):
            if _tld(other) != _tld(domain):
                continue
            for its_role, bound in other.bindings.items():
                if bound != contact or (other is domain and its_role is role):
                    continue
                theirs = self.grouped(other, its_role)
                for field, word in found.items():
                    rule = self.rule(domain, role, field)
                    if (
                        rule is not None
                        and rule.base.startswith("OPT")
                        and word.startswith("PUBLISH")
                        and not theirs[field].startswith("PUBLISH")
                    ):
                        found[field] = f"{rule.instead} SHARED_HANDLE"
        return found


def _tld(domain: Domain) -> str:
    return domain.name.rpartition(".")[2]
