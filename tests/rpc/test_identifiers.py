"""Identifiers: taken byte for byte, or refused by the field's name."""

import itertools

import pytest

from consentsvc.domain.catalogue import Catalogue
from consentsvc.v1 import consent_pb2 as shared
from consentsvc.v1 import consent_query_service_pb2 as queries
from consentsvc.v1 import consent_service_pb2 as consents
from consentsvc.v1.error_reason_pb2 import ErrorReason
from tests.support import acts, catalogues
from tests.support.answers import checked
from tests.support.refusals import refused
from tests.support.requests import GOOD, good, put, send
from tests.support.wire import Wire, change

WRONG = {
    "empty": "",
    "space": "a b",
    "leading space": " a",
    "trailing space": "a ",
    "newline": "a\n",
    "NUL": "a\x00b",
    "delete": "a\x7f",
    "not ASCII": "jérôme",
    "fullwidth": "\uff21",
    "no-break space": "a\u00a0b",
}
ALIKE = [
    ("customer:1", "Customer:1", "CUSTOMER:1", "customer:1x", "customer"),
    ("a/b", "a:b", "a|b", "a", "b", "ab", "a//b", "a:b|c", "a|b:c"),
    ("1", "01", "1.0", "1e0", "+1", "0x1", "true", "null", "NaN"),
    ("%", "_", "*", "?", "'", '"', "\\", "\\\\", '["a"]', "{}", "a';--"),
]

SUBJECTS = [
    "GetReceipt",
    "CheckConsent",
    "ListConsents",
    "ListConsentEvents",
    "UpdateConsents",
    "ReportPublication",
    "RestrictProcessing",
    "LiftRestriction",
    "RevokeConsents",
    "ReportDeath",
    "ExportSubject",
    "LinkSubjects",
    "EraseSubject",
    "RecordDirections",
]
WRITES = [
    "UpdateConsents",
    "ConfirmConsent",
    "RedeemLink",
    "ReportPublication",
    "RestrictProcessing",
    "LiftRestriction",
    "RevokeConsents",
    "ReportDeath",
    "ExportSubject",
    "LinkSubjects",
    "EraseSubject",
    "RecordDirections",
]
ACTORS = [
    "UpdateConsents",
    "ReportPublication",
    "RestrictProcessing",
    "LiftRestriction",
    "RevokeConsents",
    "ReportDeath",
    "ExportSubject",
    "LinkSubjects",
    "EraseSubject",
    "RecordDirections",
]


@pytest.fixture
def catalogue() -> Catalogue:
    return catalogues.with_publication()


def takers() -> list[tuple[str, str, int]]:
    """Every field that takes an id: the method, the path and the longest id."""
    return (
        [(method, "subject_id", 256) for method in SUBJECTS]
        + [(method, "request_id", 128) for method in WRITES]
        + [(method, "actor.id", 256) for method in ACTORS]
    )


def takers_inside() -> list[tuple[str, str, int]]:
    """The same fields of what a request has many of."""
    return [
        ("ImportEvents", "events[1].import_id", 128),
        ("ImportEvents", "events[1].stated.subject_id", 256),
        ("ImportEvents", "events[1].stated.actor.id", 256),
    ]


def test_no_field_is_forgotten() -> None:
    """The lists above name every request that has such a field."""
    named = {
        (method, field.name)
        for method, message in GOOD.items()
        for field in message.DESCRIPTOR.fields
        if field.name in {"subject_id", "request_id", "actor"}
    }

    assert {(method, path.partition(".")[0]) for method, path, _ in takers()} == named


@pytest.mark.parametrize(("method", "path", "longest"), takers() + takers_inside())
async def test_refused(wire: Wire, method: str, path: str, longest: int) -> None:
    """NUL, blanks, non-ASCII, nothing, and one character too many are refused by the field."""
    for wrong in (*WRONG.values(), "x" * (longest + 1)):
        request = good(method)
        if path == "actor.id":
            request.actor.CopyFrom(acts.OPERATOR)
        put(request, path, wrong)
        refusal = await refused(send(wire, request))

        assert (refusal.code.name, refusal.reason) == ("INVALID_ARGUMENT", "INVALID_FIELD")
        assert refusal.fields == (path,)
        assert not wrong or wrong not in refusal.message


@pytest.mark.parametrize(("method", "path", "longest"), takers() + takers_inside())
async def test_longest(wire: Wire, method: str, path: str, longest: int) -> None:
    """The longest id of the most unusual characters is taken."""
    request = good(method)
    if path == "actor.id":
        request.actor.CopyFrom(acts.OPERATOR)
    put(request, path, "!~" * (longest // 2))
    if method in {"ConfirmConsent", "RedeemLink"}:
        assert (await refused(send(wire, request))).reason == "LINK_UNKNOWN"
    elif method == "GetReceipt":
        assert (await refused(send(wire, request))).reason == "EVENT_UNKNOWN"
    else:
        assert await send(wire, request)


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
async def test_in_a_batch(wire: Wire, wrong: str) -> None:
    """In a batch only the pair with the wrong subject is refused, by its place."""
    answer = await wire.queries.BatchCheckConsents(
        queries.BatchCheckConsentsRequest(
            batch=queries.CheckBatch(subject_ids=["anna", wrong], purpose_ids=["newsletter"])
        )
    )
    error = answer.decisions.errors[0]

    assert (error.index, error.field) == (1, "batch.subject_ids[1]")
    assert error.reason == ErrorReason.ERROR_REASON_INVALID_FIELD
    assert answer.decisions.answers[0] == shared.ANSWER_NOT_PERMITTED


@pytest.mark.parametrize(
    "wrong", ["", "Newsletter", "a b", "a.b.c", ".a", "a.", "1a", "é", "a\x00", "x" * 64]
)
async def test_purposes(wire: Wire, wrong: str) -> None:
    """A purpose id that cannot be one is refused wherever purposes are named."""
    for method, path in (
        ("CheckConsent", "purpose_id"),
        ("UpdateConsents", "changes[1].purpose_id"),
        ("RevokeConsents", "purpose_ids[1]"),
        ("SyncConsents", "purpose_ids[1]"),
        ("ImportEvents", "events[0].stated.purpose_id"),
    ):
        request = good(method)
        put(request, path, wrong)
        refusal = await refused(send(wire, request))

        assert refusal.code.name == "INVALID_ARGUMENT"
        assert refusal.reason in {"INVALID_FIELD", "UNKNOWN_PURPOSE"}
        assert refusal.fields == (path,)


@pytest.mark.parametrize("alike", ALIKE, ids=["case", "separators", "numbers", "wildcards"])
async def test_subjects_never_meet(wire: Wire, alike: tuple[str, ...]) -> None:
    """Subjects whose ids differ by case, by a separator or in spelling are different people."""
    for given in alike[::2]:
        await wire.update(given, change("give", "newsletter"))
    batch = await wire.queries.BatchCheckConsents(
        queries.BatchCheckConsentsRequest(
            batch=queries.CheckBatch(subject_ids=alike, purpose_ids=["newsletter"])
        )
    )
    expected = [
        shared.ANSWER_PERMITTED if one in alike[::2] else shared.ANSWER_NOT_PERMITTED
        for one in alike
    ]

    assert list(batch.decisions.answers) == expected
    assert [(await checked(wire, one, "newsletter")).answer for one in alike] == expected
    assert [len(await acts.history(wire, one)) for one in alike[:2]] == [1, 0]


@pytest.mark.parametrize("alike", ALIKE, ids=["case", "separators", "numbers", "wildcards"])
async def test_request_ids_never_meet(wire: Wire, alike: tuple[str, ...]) -> None:
    """Nor do request ids."""
    answers = [
        await wire.update(f"subject:{one}", change("give", "newsletter"), request_id=one)
        for one in alike
    ]

    assert len({one.outcomes[0].position for one in answers}) == len(alike)


async def test_subject_and_purpose_do_not_run_together(wire: Wire) -> None:
    """A subject whose id ends like a purpose is not met by another purpose's question."""
    subjects = ["anna", "anna:newsletter", "anna/reseller42", "anna|newsletter"]
    for subject in subjects[1:]:
        await wire.update(subject, change("give", "newsletter"), change("give", "profiling"))
    purposes = ["newsletter", "profiling", "reseller42.newsletter"]
    reasons = {(await checked(wire, "anna", purpose)).reason for purpose in purposes}

    assert reasons == {shared.DECISION_REASON_NEVER_ASKED}


async def test_other_spelling_of_an_actor(wire: Wire) -> None:
    """Actors keep their spelling."""
    for name in ("op7", "OP7", "op:7"):
        actor = shared.Actor(kind=shared.ACTOR_KIND_OPERATOR, id=name)
        await wire.update("anna", change("refuse", "newsletter"), actor=actor)
        await wire.update("anna", change("withdraw", "newsletter"), actor=actor)
    names = [one.actor.id for one in await acts.history(wire, "anna")]

    assert [name for name, _ in itertools.groupby(names)] == ["op7", "OP7", "op:7"]


@pytest.mark.parametrize("channel", ["panel", "p", "x" * 32, "a_1", "_", "1phone"])
async def test_channels(wire: Wire, channel: str) -> None:
    """A channel is any 1 to 32 characters of a-z, 0-9 and _."""
    answer = await send(wire, good("UpdateConsents", channel=channel))

    assert answer.outcomes[0].effect == consents.CHANGE_EFFECT_RECORDED


@pytest.mark.parametrize("channel", ["", "Panel", "x" * 33, "a b", "a-b", "é", "a\n"])
async def test_channels_refused(wire: Wire, channel: str) -> None:
    """Anything else is refused."""
    for method in ACTORS:
        refusal = await refused(send(wire, good(method, channel=channel)))

        assert (refusal.reason, refusal.fields) == ("INVALID_FIELD", ("channel",))
