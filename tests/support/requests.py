"""One good request for every method, and a way to spoil a field of it."""

import re
from typing import Any

from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from consentsvc.v1 import consent_event_service_pb2 as events
from consentsvc.v1 import consent_pb2 as shared
from consentsvc.v1 import consent_query_service_pb2 as queries
from consentsvc.v1 import consent_service_pb2 as consents
from consentsvc.v1 import proof_service_pb2 as proofs
from consentsvc.v1 import publication_service_pb2 as publications
from consentsvc.v1 import subject_rights_service_pb2 as rights
from tests.support.acts import OPERATOR, SUBJECT, SYSTEM, stamp
from tests.support.wire import Wire, change

_BATCH = queries.CheckBatch(
    subject_ids=["anna", "ben", "anna"], purpose_ids=["newsletter", "profiling", "statistics"]
)
_QUESTION = publications.PublicationQuestion(
    purpose_id="whois",
    domain=publications.DomainFacts(
        name="example.cz",
        register_time=stamp(1_700_000_000_000_000),
        sponsored=True,
        bindings=[
            publications.ContactBinding(role=shared.CONTACT_ROLE_REGISTRANT, contact_id="C1")
        ],
    ),
    role=shared.CONTACT_ROLE_REGISTRANT,
    contacts=[
        publications.ContactFacts(
            contact_id="C1",
            subject_id="anna",
            kind=publications.CONTACT_KIND_NATURAL,
            filled_fields=[
                shared.CONTACT_FIELD_NAME,
                shared.CONTACT_FIELD_PHONE,
                shared.CONTACT_FIELD_EMAIL,
            ],
        )
    ],
    operation=publications.REGISTRY_OPERATION_UPDATE,
)
_INSTRUCTION: dict[str, Any] = {
    "subject_id": "anna",
    "actor": OPERATOR,
    "channel": "letter",
    "request_id": "request-0",
}

GOOD: dict[str, Message] = {
    "CheckConsent": queries.CheckConsentRequest(subject_id="anna", purpose_id="newsletter"),
    "BatchCheckConsents": queries.BatchCheckConsentsRequest(batch=_BATCH),
    "StreamCheckConsents": queries.StreamCheckConsentsRequest(batch=_BATCH),
    "ListPurposes": consents.ListPurposesRequest(locale="en"),
    "GetNotice": consents.GetNoticeRequest(purpose_id="newsletter", version="1", locale="en"),
    "ListConsents": consents.ListConsentsRequest(subject_id="anna"),
    "UpdateConsents": consents.UpdateConsentsRequest(
        subject_id="anna",
        actor=SUBJECT,
        channel="panel",
        changes=[change("give", "newsletter"), change("give", "profiling")],
        evidence=shared.Evidence(action="ticked"),
        request_id="request-0",
    ),
    "ConfirmConsent": consents.ConfirmConsentRequest(token="AAAA", request_id="request-0"),
    "DescribeLink": consents.DescribeLinkRequest(token="AAAA"),
    "RedeemLink": consents.RedeemLinkRequest(token="AAAA", request_id="request-0"),
    "ListProfiles": publications.ListProfilesRequest(),
    "ResolvePublication": publications.ResolvePublicationRequest(question=_QUESTION),
    "BatchResolvePublications": publications.BatchResolvePublicationsRequest(
        questions=[_QUESTION, _QUESTION]
    ),
    "ReportPublication": publications.ReportPublicationRequest(
        purpose_id="whois",
        subject_id="anna",
        actor=SYSTEM,
        channel="registry_sync",
        scope=shared.Scope(contact_id="C1"),
        report=shared.PublicationReport(
            outcome=shared.REPORT_OUTCOME_APPLIED,
            registry="CZ.NIC",
            published_fields=[shared.CONTACT_FIELD_NAME],
            code=1000,
        ),
        request_id="request-0",
    ),
    "GetReceipt": consents.GetReceiptRequest(subject_id="anna", position=1),
    "GetCheckpoint": proofs.GetCheckpointRequest(covering_position=1),
    "GetInclusionProof": proofs.GetInclusionProofRequest(position=1, tree_size=1),
    "GetConsistencyProof": proofs.GetConsistencyProofRequest(old_tree_size=1, new_tree_size=1),
    "ListConsentEvents": consents.ListConsentEventsRequest(subject_id="anna"),
    "ListEvents": events.ListEventsRequest(),
    "WatchEvents": events.WatchEventsRequest(start_position=1),
    "SyncConsents": events.SyncConsentsRequest(purpose_ids=["newsletter", "profiling"]),
    "AcknowledgeEvents": events.AcknowledgeEventsRequest(follower_id="registry_sync"),
    "RestrictProcessing": rights.RestrictProcessingRequest(**_INSTRUCTION),
    "LiftRestriction": rights.LiftRestrictionRequest(**_INSTRUCTION),
    "RevokeConsents": rights.RevokeConsentsRequest(
        purpose_ids=["newsletter", "profiling"],
        reason=shared.REVOCATION_REASON_INVALID,
        **_INSTRUCTION,
    ),
    "RecordDirections": rights.RecordDirectionsRequest(
        directions=shared.Directions(erase=True), **_INSTRUCTION
    ),
    "ReportDeath": rights.ReportDeathRequest(**_INSTRUCTION),
    "LinkSubjects": rights.LinkSubjectsRequest(other_subject_id="device:1", **_INSTRUCTION),
    "ExportSubject": rights.ExportSubjectRequest(**_INSTRUCTION),
    "ImportEvents": rights.ImportEventsRequest(
        events=[
            rights.ImportedEvent(
                import_id="row-1",
                stated=rights.StatedEvent(
                    subject_id="anna",
                    kind=shared.EVENT_KIND_CONSENT_GIVEN,
                    purpose_id="newsletter",
                    notice=shared.NoticeRef(version="1", locale="en"),
                    claimed_time=stamp(1_750_000_000_000_000),
                    actor=SUBJECT,
                    channel="web",
                    evidence=shared.Evidence(action="ticked"),
                ),
            ),
            rights.ImportedEvent(
                import_id="row-2",
                stated=rights.StatedEvent(
                    subject_id="ben",
                    kind=shared.EVENT_KIND_CONSENT_REVOKED,
                    purpose_id="profiling",
                    claimed_time=stamp(1_750_000_000_000_000),
                    actor=OPERATOR,
                    channel="letter",
                    revocation_reason=shared.REVOCATION_REASON_INVALID,
                ),
            ),
        ]
    ),
    "EraseSubject": rights.EraseSubjectRequest(**_INSTRUCTION),
}
"""By the method's name. All succeed on a new store but those with a token, and the
receipt."""

IMPORT_HEADER = rights.ImportEventsRequest(
    header=rights.ImportHeader(actor=OPERATOR, channel="migration", source="crm.example/2026")
)
"""The first message of an import; the good request comes after it."""

SERVER_STREAMING = frozenset({"WatchEvents", "SyncConsents", "ExportSubject"})


def good(method: str, **fields: Any) -> Any:
    """A copy of the good request, with fields set by their paths, dots written as `__`."""
    message = type(GOOD[method])()
    message.CopyFrom(GOOD[method])
    for path, value in fields.items():
        put(message, path.replace("__", "."), value)
    return message


def put(message: Message, path: str, value: Any) -> None:
    """Sets a field by a path such as `changes[1].notice.version`."""
    *parents, name = re.findall(r"\w+", path)
    target: Any = message
    for parent in parents:
        target = target[int(parent)] if parent.isdigit() else getattr(target, parent)
    if name.isdigit():
        target[int(name)] = value
    elif isinstance(value, list):
        target.ClearField(name)
        getattr(target, name).extend(value)
    elif isinstance(value, Message):
        getattr(target, name).CopyFrom(value)
    else:
        setattr(target, name, value)


def path_of(method: str) -> str:
    """The full name of a method, as it stands in a request's header."""
    return f"/{_service(method).full_name}/{method}"


async def send_raw(wire: Wire, method: str, data: bytes) -> bytes:
    """Sends bytes to a method, whether or not they are a message, and returns the first answer."""
    channel: Any = wire.channel
    answer: bytes
    if method == "StreamCheckConsents":
        answer = await channel.stream_stream(path_of(method))(iter([data])).read()
    elif method == "ImportEvents":
        requests = iter([IMPORT_HEADER.SerializeToString(), data])
        answer = await channel.stream_unary(path_of(method))(requests)
    elif method in SERVER_STREAMING:
        call = channel.unary_stream(path_of(method))(data)
        try:
            answer = await call.read()
        finally:
            call.cancel()
    else:
        answer = await channel.unary_unary(path_of(method))(data)
    return answer


async def send(wire: Wire, request: Message) -> Any:
    """Calls the method that takes such a request, and returns its first answer."""
    method = request.DESCRIPTOR.name.removesuffix("Request")
    answer = await send_raw(wire, method, request.SerializeToString())
    kind = GetMessageClass(_service(method).methods_by_name[method].output_type)
    return kind.FromString(answer)


def _service(method: str) -> Any:
    file: Any = GOOD[method].DESCRIPTOR.file
    (service,) = file.services_by_name.values()
    return service
