"""Questions of publication and their answers: messages to the domain's words and back."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import TypeVar

from grpc import StatusCode

from consentsvc.domain import identifiers
from consentsvc.domain.errors import InvalidRequest
from consentsvc.domain.events import NoticeRef, PublicationReport, ReportOutcome
from consentsvc.domain.identifiers import Position
from consentsvc.domain.publication import encode, rdap
from consentsvc.domain.publication.decided import Decided, Outcome, Reason
from consentsvc.domain.publication.facts import Contact, ContactKind, Domain, Facts, PostalType
from consentsvc.domain.publication.profile import Control, Profile, Publisher, Rule, Switch, Table
from consentsvc.domain.publication.wire import (
    Data,
    Disclose,
    DiscloseList,
    Extension,
    Operation,
    Sent,
    Step,
    Told,
)
from consentsvc.domain.scope import ContactId, Reach, Role
from consentsvc.rpc import scopes, translate
from consentsvc.service.publications import PublicationQuestion, Published
from consentsvc.v1 import consent_pb2 as consent_messages
from consentsvc.v1 import error_reason_pb2
from consentsvc.v1 import publication_service_pb2 as messages

T = TypeVar("T")
V = TypeVar("V", bound=int)

_OTHER_DOMAINS = 10_000
_VALUES, _VALUE = 32, 256
_REGISTRY = 64
_CODE: int = StatusCode.INVALID_ARGUMENT.value[0]

_KINDS = {
    messages.CONTACT_KIND_UNSPECIFIED: ContactKind.UNKNOWN,
    messages.CONTACT_KIND_NATURAL: ContactKind.NATURAL,
    messages.CONTACT_KIND_LEGAL: ContactKind.LEGAL,
}
_POSTAL_TYPES = {
    messages.POSTAL_TYPE_INT: PostalType.INT,
    messages.POSTAL_TYPE_LOC: PostalType.LOC,
}
_POSTAL_TYPES_OUT = {one: value for value, one in _POSTAL_TYPES.items()}
_PUBLISHERS = {
    messages.PUBLISHER_UNSPECIFIED: None,
    messages.PUBLISHER_REGISTRAR: Publisher.REGISTRAR,
    messages.PUBLISHER_REGISTRY: Publisher.REGISTRY,
}
_PUBLISHERS_OUT = {one: value for value, one in _PUBLISHERS.items()}
_OPERATIONS = {
    messages.REGISTRY_OPERATION_UNSPECIFIED: None,
    messages.REGISTRY_OPERATION_CREATE: Operation.CREATE,
    messages.REGISTRY_OPERATION_UPDATE: Operation.UPDATE,
}
_REPORTS = {
    consent_messages.REPORT_OUTCOME_APPLIED: ReportOutcome.APPLIED,
    consent_messages.REPORT_OUTCOME_REFUSED: ReportOutcome.REFUSED,
}
_OUTCOMES = {one: messages.FieldOutcome.Value(f"FIELD_OUTCOME_{one.name}") for one in Outcome}
_REASONS = {
    one: messages.PublicationReason.Value(f"PUBLICATION_REASON_{one.name}") for one in Reason
}
_CONTROLS: Mapping[Control | None, messages.PublicationControl.ValueType] = {
    None: messages.PUBLICATION_CONTROL_UNSPECIFIED
} | {one: messages.PublicationControl.Value(f"PUBLICATION_CONTROL_{one.name}") for one in Control}
_RULES: Mapping[Rule | None, messages.FieldRule.ValueType] = {
    None: messages.FIELD_RULE_UNSPECIFIED
} | {one: messages.FieldRule.Value(f"FIELD_RULE_{one.name}") for one in Rule}
_METHODS = {
    one: messages.RedactionMethod.Value(f"REDACTION_METHOD_{one.name}") for one in rdap.Method
}


# Coming in.


def question(message: messages.PublicationQuestion) -> PublicationQuestion:
    """Accepts a question whose facts hang together."""
    role = _known(scopes.ROLES, message.role, "role", "must be the contact's role")
    contacts = _contacts(message.contacts)
    try:
        domain = _domain(message.domain, contacts)
    except InvalidRequest as error:
        raise error.within("domain") from error
    if role not in domain.bindings:
        raise InvalidRequest.field("role", "has no contact in the domain's bindings")
    return PublicationQuestion(
        Facts(domain, contacts, _other_domains(message.other_domains, contacts, domain)),
        role,
        _known(_PUBLISHERS, message.publisher, "publisher", "must be a known one"),
        _known(_OPERATIONS, message.operation, "operation", "must be a known one"),
        _state(message.previous, "previous") if message.HasField("previous") else None,
        scopes.contact_fields(message.changed_fields, "changed_fields"),
    )


def report(
    message: consent_messages.PublicationReport, reach: Reach, field: str
) -> PublicationReport:
    """Accepts what a registry made of what it was told about a contact, or one use of it."""
    if not 0 < len(message.registry) <= _REGISTRY or not message.registry.isprintable():
        raise InvalidRequest.field(
            f"{field}.registry", f"must be 1 to {_REGISTRY} printable characters"
        )
    if message.resolved_position < 0:
        raise InvalidRequest.field(f"{field}.resolved_position", "must be 0 or a position")
    return PublicationReport(
        _known(_REPORTS, message.outcome, f"{field}.outcome", "must say what became of it"),
        message.registry,
        reach,
        Position(message.resolved_position),
        scopes.contact_fields(message.published_fields, f"{field}.published_fields"),
        message.code if message.HasField("code") else None,
    )


def _known(words: Mapping[V, T], value: V, field: str, otherwise: str) -> T:
    if value not in words:
        raise InvalidRequest.field(field, otherwise)
    return words[value]


# A refusal learns on its way out where the field is: the paths of all that is right would cost a
# batch a tenth of its time. And a slice of a repeated field is one step, while to go through the
# field itself asks it for each item by its place.


def _contacts(given: Sequence[messages.ContactFacts]) -> Mapping[ContactId, Contact]:
    contacts: dict[ContactId, Contact] = {}
    for index, message in enumerate(given[:]):
        try:
            contact = _contact(message)
            if contact.id in contacts:
                raise InvalidRequest.field("contact_id", "is that of another contact too")
        except InvalidRequest as error:
            raise error.within(f"contacts[{index}]") from error
        contacts[contact.id] = contact
    return contacts


def _contact(message: messages.ContactFacts) -> Contact:
    return Contact(
        identifiers.contact_id(message.contact_id),
        identifiers.subject_id(message.subject_id),
        _known(_KINDS, message.kind, "kind", "must be a known one"),
        message.has_personal_data if message.HasField("has_personal_data") else True,
        scopes.contact_fields(message.filled_fields, "filled_fields"),
        scopes.contact_fields(message.pending_fields, "pending_fields"),
        _postal_types(message.postal_types, "postal_types"),
        message.verified,
        message.in_trade,
    )


def _postal_types(
    given: Collection[messages.PostalType.ValueType], field: str
) -> frozenset[PostalType]:
    if not given:
        return frozenset()
    return frozenset(
        _known(_POSTAL_TYPES, one, f"{field}[{index}]", "must be int or loc")
        for index, one in enumerate(given)
    )


def _domain(message: messages.DomainFacts, contacts: Mapping[ContactId, Contact]) -> Domain:
    if not message.HasField("register_time"):
        raise InvalidRequest.field("register_time", "must say when it was registered")
    bindings: dict[Role, ContactId] = {}
    for index, one in enumerate(message.bindings[:]):
        role = scopes.ROLES.get(one.role)
        contact = ContactId(one.contact_id)
        if role is None:
            raise InvalidRequest.field(f"bindings[{index}].role", "must be one of the roles")
        if role in bindings:
            raise InvalidRequest.field(f"bindings[{index}].role", "has a contact already")
        if contact not in contacts:
            raise InvalidRequest.field(f"bindings[{index}].contact_id", "is none of the contacts")
        bindings[role] = contact
    return Domain(
        scopes.domain_name(message.name, "name"),
        translate.moment(message.register_time, "register_time"),
        (
            translate.moment(message.transfer_time, "transfer_time")
            if message.HasField("transfer_time")
            else None
        ),
        message.sponsored,
        message.proxy,
        MappingProxyType(bindings),
    )


def _other_domains(
    given: Sequence[messages.DomainFacts], contacts: Mapping[ContactId, Contact], domain: Domain
) -> tuple[Domain, ...]:
    if not given:
        return ()
    if len(given) > _OTHER_DOMAINS:
        raise InvalidRequest.field("other_domains", f"must be {_OTHER_DOMAINS} at most")
    others: list[Domain] = []
    for index, message in enumerate(given):
        try:
            others.append(_domain(message, contacts))
        except InvalidRequest as error:
            raise error.within(f"other_domains[{index}]") from error
    if len({domain.name, *[one.name for one in others]}) != 1 + len(others):
        raise InvalidRequest.field("other_domains", "must not name a domain twice")
    return tuple(others)


def _state(message: messages.RegistryState, field: str) -> Sent:
    match message.WhichOneof("state"):
        case "disclose":
            listed = message.disclose
            _refuse_long(listed.elements, f"{field}.disclose.elements")
            types = _postal_types(listed.types, f"{field}.disclose.types")
            return Disclose(DiscloseList(listed.flag, frozenset(listed.elements), types))
        case "extension":
            values = dict(message.extension.values)
            _refuse_long([*values, *values.values()], f"{field}.extension.values")
            return Extension(frozenset(values.items()))
        case _:
            return None


def _refuse_long(words: Sequence[str], field: str) -> None:
    if len(words) > 2 * _VALUES or any(len(one) > _VALUE for one in words):
        raise InvalidRequest.field(field, "is not what this service answered")


# Going out.


def profile(one: Profile) -> messages.Profile:
    """The rules of one registry, as far as a caller needs them."""
    return messages.Profile(
        id=one.id,
        version=one.version,
        registry=one.registry,
        suffixes=sorted(one.suffixes),
        publisher=_PUBLISHERS_OUT[one.publisher],
        per_contact=one.switch is Switch.CONTACT,
        per_suffix=one.own_registry,
        has_commands=one.encoder.name != encode.NONE,
        offered_roles=sorted(scopes.ROLES_OUT[role] for role in one.offers),
        unverified=one.unverified,
    )


def answer(one: Published, message: messages.Publication) -> None:
    """Writes the answer to one question into a message, where it stays: copies cost much."""
    resolution = one.resolution
    decided = resolution.decided
    message.MergeFromString(
        _alike(resolution.role, resolution.profile, resolution.own_table, decided, one.told)
    )
    message.domain = resolution.facts.domain.name
    message.contact_id = resolution.contact.id
    if decided.used:
        positions = resolution.positions
        message.fields.positions.extend(positions)
        position = max(positions)
        if position:
            message.position = position
    ends = resolution.valid_until
    if ends is not None:
        message.valid_until.FromMicroseconds(ends)


def error(refused: InvalidRequest, message: messages.PublicationError) -> None:
    """Writes what is wrong with one question of many."""
    violation = refused.violations[0]
    message.code = _CODE
    message.reason = error_reason_pb2.ErrorReason.Value(f"ERROR_REASON_{refused.reason}")
    message.field = violation.field
    message.message = violation.description


# Who chose the same under the same rules is told the same, but for which contact it is and when.
# What is merged in again and again is kept as bytes: a message would be made bytes of each time.
@lru_cache(maxsize=4_096)
def _alike(
    role: Role, profile: Profile | None, table: Table, decided: Decided, told: Told
) -> bytes:
    kinds = decided.kinds.values()
    clauses = [table.get(one) for one in decided.kinds]
    notices, groups = _Places[NoticeRef](), _Places[str]()
    fields = messages.FieldPublications(
        fields=[scopes.FIELDS_OUT[one] for one in decided.kinds],
        outcomes=[_OUTCOMES[one.outcome] for one in kinds],
        reasons=[_REASONS[one.reason] for one in kinds],
        controls=[_CONTROLS[one.control] for one in kinds],
        rules=[_RULES[None if one is None else one.rule] for one in clauses],
        positions=() if decided.used else [0] * len(kinds),
        notice_indexes=[0 if one.notice is None else notices[one.notice] for one in kinds],
        notices=map(translate.notice_ref, notices),
        group_indexes=[
            0 if one is None or one.group is None else groups[one.group] for one in clauses
        ],
        groups=groups,
    )
    message = messages.Publication(role=scopes.ROLES_OUT[role], fields=fields)
    if profile is None or profile.publisher is Publisher.REGISTRAR:
        message.redactions.extend(map(_redaction, rdap.redacted(role, decided.kinds)))
    for step in told.commands:
        _command(step, message.commands.add())
    if told.state is not None:
        _state_out(told.state, message.state)
    if profile is not None:
        message.profile_id = profile.id
        message.profile_version = profile.version
        message.registry = profile.registry
        message.per_contact = profile.switch is Switch.CONTACT
    return message.SerializeToString()


class _Places(dict[T, int]):
    """Numbers what comes up from 1, in the order in which it does."""

    def __missing__(self, one: T) -> int:
        self[one] = place = len(self) + 1
        return place


def _redaction(one: rdap.Member) -> messages.Redaction:
    return messages.Redaction(
        name=one.name,
        method=_METHODS[one.method],
        pre_path=one.pre_path or "",
        post_path=one.post_path or "",
        replacement_path=one.replacement_path or "",
    )


def _command(step: Step, message: messages.RegistryCommand) -> None:
    match step:
        case Disclose(listed):
            message.disclose.SetInParent()
            if listed is not None:
                message.disclose.list.CopyFrom(_disclose_list(listed))
        case Extension(values):
            _extension(values, message.extension)
        case Data(fields):
            message.data.SetInParent()
            message.data.fields.extend(scopes.fields_out(fields))


def _state_out(state: Sent, message: messages.RegistryState) -> None:
    match state:
        case Disclose(listed) if listed is not None:
            message.disclose.CopyFrom(_disclose_list(listed))
        case Extension(values):
            _extension(values, message.extension)


def _extension(values: Iterable[tuple[str, str]], message: messages.ExtensionValues) -> None:
    message.SetInParent()
    for path, value in values:
        message.values[path] = value


def _disclose_list(listed: DiscloseList) -> messages.DiscloseList:
    return messages.DiscloseList(
        flag=listed.flag,
        elements=sorted(listed.elements),
        types=sorted(_POSTAL_TYPES_OUT[one] for one in listed.types),
    )
