"""Questions of publication and their answers: the client's words to messages and back."""

from collections.abc import Iterable

from consentclient import _incoming as incoming
from consentclient import _outgoing as outgoing
from consentclient import _publication_model as model
from consentclient._enums import ContactField
from consentclient._errors import AnswerNotUnderstood, ConsentError
from consentclient._statuses import from_item
from consentclient._words import FIELDS, ROLES, table
from consentsvc.v1 import publication_service_pb2 as messages

_KINDS = {
    model.ContactKind.UNKNOWN: messages.CONTACT_KIND_UNSPECIFIED,
    model.ContactKind.NATURAL: messages.CONTACT_KIND_NATURAL,
    model.ContactKind.LEGAL: messages.CONTACT_KIND_LEGAL,
}
_POSTAL_TYPES = table(messages.PostalType.Value, "POSTAL_TYPE", model.PostalType)
_POSTAL_TYPES_OUT = {one: value for value, one in _POSTAL_TYPES.items()}
_PUBLISHERS = {
    None: messages.PUBLISHER_UNSPECIFIED,
    model.Publisher.REGISTRAR: messages.PUBLISHER_REGISTRAR,
    model.Publisher.REGISTRY: messages.PUBLISHER_REGISTRY,
}
_PUBLISHERS_IN = table(messages.Publisher.Value, "PUBLISHER", model.Publisher)
_OPERATIONS = {
    None: messages.REGISTRY_OPERATION_UNSPECIFIED,
    model.Operation.CREATE: messages.REGISTRY_OPERATION_CREATE,
    model.Operation.UPDATE: messages.REGISTRY_OPERATION_UPDATE,
}
_OUTCOMES = table(messages.FieldOutcome.Value, "FIELD_OUTCOME", model.FieldOutcome)
_REASONS = table(messages.PublicationReason.Value, "PUBLICATION_REASON", model.PublicationReason)
_CONTROLS = table(
    messages.PublicationControl.Value, "PUBLICATION_CONTROL", model.PublicationControl
)
_RULES = table(messages.FieldRule.Value, "FIELD_RULE", model.FieldRule)
_METHODS = table(messages.RedactionMethod.Value, "REDACTION_METHOD", model.RedactionMethod)


# To the service.


def question(one: model.PublicationQuestion) -> messages.PublicationQuestion:
    """One question."""
    return messages.PublicationQuestion(
        purpose_id=one.purpose_id,
        domain=_domain(one.domain),
        role=outgoing.role(one.role),
        contacts=[_contact(contact) for contact in one.contacts],
        other_domains=[_domain(domain) for domain in one.other_domains],
        publisher=_PUBLISHERS[one.publisher],
        operation=_OPERATIONS[one.operation],
        previous=_state_out(one.previous),
        changed_fields=outgoing.fields(one.changed_fields),
    )


def _contact(one: model.ContactFacts) -> messages.ContactFacts:
    return messages.ContactFacts(
        contact_id=one.contact_id,
        subject_id=one.subject_id,
        kind=_KINDS[one.kind],
        has_personal_data=one.has_personal_data,
        filled_fields=outgoing.fields(one.filled_fields),
        pending_fields=outgoing.fields(one.pending_fields),
        postal_types=_postal_types(one.postal_types),
        verified=one.verified,
        in_trade=one.in_trade,
    )


def _domain(one: model.DomainFacts) -> messages.DomainFacts:
    return messages.DomainFacts(
        name=one.name,
        register_time=outgoing.timestamp(one.registered),
        transfer_time=(None if one.transferred is None else outgoing.timestamp(one.transferred)),
        sponsored=one.sponsored,
        proxy=one.proxy,
        bindings=[
            messages.ContactBinding(role=outgoing.role(role), contact_id=contact)
            for role, contact in one.bindings.items()
        ],
    )


def _state_out(state: model.RegistryState) -> messages.RegistryState | None:
    match state:
        case model.DiscloseList():
            return messages.RegistryState(
                disclose=messages.DiscloseList(
                    flag=state.flag,
                    elements=sorted(state.elements),
                    types=_postal_types(state.types),
                )
            )
        case model.ExtensionValues():
            return messages.RegistryState(
                extension=messages.ExtensionValues(values=dict(state.values))
            )
        case None:
            return None


def _postal_types(
    types: Iterable[model.PostalType],
) -> list[messages.PostalType.ValueType]:
    return sorted(_POSTAL_TYPES_OUT[one] for one in types)


# From the service.


def profiles(message: messages.ListProfilesResponse) -> list[model.Profile]:
    """Every profile."""
    return [
        model.Profile(
            id=one.id,
            version=one.version,
            registry=one.registry,
            suffixes=frozenset(one.suffixes),
            publisher=_PUBLISHERS_IN[one.publisher],
            per_contact=one.per_contact,
            per_suffix=one.per_suffix,
            has_commands=one.has_commands,
            offered_roles=frozenset(ROLES[role] for role in one.offered_roles if role in ROLES),
            unverified=tuple(one.unverified),
        )
        for one in message.profiles
    ]


def publications(
    message: messages.BatchResolvePublicationsResponse, asked: int
) -> list[model.Publication | ConsentError]:
    """One answer or error for each question."""
    if len(message.results) != asked:
        raise AnswerNotUnderstood("there are not as many answers as questions")
    return [_result(one, message) for one in message.results]


def publication(
    message: messages.Publication, read_at: str, read_position: int
) -> model.Publication:
    """The answer to one question."""
    return model.Publication(
        domain=message.domain,
        role=ROLES[message.role],
        contact_id=message.contact_id,
        fields=_fields(message.fields),
        profile_id=message.profile_id or None,
        profile_version=message.profile_version or None,
        registry=message.registry or None,
        per_contact=message.per_contact,
        position=message.position if message.HasField("position") else None,
        valid_until=(
            incoming.moment(message.valid_until) if message.HasField("valid_until") else None
        ),
        redactions=tuple(_redaction(one) for one in message.redactions),
        commands=tuple(_command(one) for one in message.commands),
        state=_state(message.state),
        read_at=read_at,
        read_position=read_position,
    )


def _result(
    one: messages.PublicationResult, message: messages.BatchResolvePublicationsResponse
) -> model.Publication | ConsentError:
    match one.WhichOneof("result"):
        case "publication":
            return publication(one.publication, message.read_at, message.read_position)
        case "error":
            return from_item(one.error)
        case _:
            raise AnswerNotUnderstood("a result is neither an answer nor an error")


def _fields(
    message: messages.FieldPublications,
) -> dict[ContactField, model.FieldPublication]:
    notices = [None, *map(incoming.notice_ref, message.notices)]
    groups = [None, *message.groups]
    columns = (
        message.fields,
        message.outcomes,
        message.reasons,
        message.controls,
        message.rules,
        message.positions,
        message.notice_indexes,
        message.group_indexes,
    )
    if len({len(column) for column in columns}) != 1:
        raise AnswerNotUnderstood("the fields do not fit what is said of them")
    return {
        FIELDS[field]: model.FieldPublication(
            _OUTCOMES.get(outcome, model.FieldOutcome.OTHER),
            _REASONS.get(reason, model.PublicationReason.OTHER),
            _CONTROLS.get(control, model.PublicationControl.OTHER) if control else None,
            position or None,
            notices[notice],
            _RULES.get(rule, model.FieldRule.OTHER) if rule else None,
            groups[group],
        )
        for field, outcome, reason, control, rule, position, notice, group in zip(
            *columns, strict=True
        )
        # A field that is newer than this client is one that it does not publish.
        if field in FIELDS
    }


def _redaction(one: messages.Redaction) -> model.Redaction:
    return model.Redaction(
        one.name,
        _METHODS[one.method],
        one.pre_path or None,
        one.post_path or None,
        one.replacement_path or None,
    )


def _command(one: messages.RegistryCommand) -> model.RegistryCommand:
    match one.WhichOneof("command"):
        case "disclose":
            listed = one.disclose
            return model.DiscloseCommand(
                _disclose_list(listed.list) if listed.HasField("list") else None
            )
        case "extension":
            return model.ExtensionValues(dict(one.extension.values))
        case "data":
            return model.DataCommand(frozenset(FIELDS[field] for field in one.data.fields))
        case _:
            raise AnswerNotUnderstood("a command is of no kind that this client can send")


def _state(message: messages.RegistryState) -> model.RegistryState:
    match message.WhichOneof("state"):
        case "disclose":
            return _disclose_list(message.disclose)
        case "extension":
            return model.ExtensionValues(dict(message.extension.values))
        case _:
            return None


def _disclose_list(one: messages.DiscloseList) -> model.DiscloseList:
    return model.DiscloseList(
        one.flag, frozenset(one.elements), frozenset(_POSTAL_TYPES[type_] for type_ in one.types)
    )
