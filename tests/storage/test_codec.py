"""The canonical form of an event: lossless, unchanging, and silent about persons."""

import hashlib
import hmac
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentsvc.domain import encoding
from consentsvc.domain.canonical import Damaged, canonical
from consentsvc.domain.encoding import read_header
from consentsvc.domain.events import (
    Actor,
    ActorKind,
    Directions,
    Event,
    EventKind,
    Evidence,
    NoticeRef,
    Personal,
    Provenance,
    PublicationReport,
    ReportOutcome,
    RevocationReason,
    Wish,
)
from consentsvc.domain.identifiers import ActorId, Position, Pseudonym, PurposeId, SubjectId
from consentsvc.domain.instants import Instant
from consentsvc.domain.merkle import leaf_hash
from consentsvc.domain.scope import ContactField, ContactId, DomainName, Reach, Role, Scope
from consentsvc.storage.codec import header, seal, sealed_hash, unseal
from tests.storage.making import OF_NO_PURPOSE

GOLDEN = Path(__file__).with_name("golden")

KEY, SALT, NONCE = b"k" * 32, b"s" * 32, b"n" * 12
PSEUDONYM = Pseudonym(bytes(range(16)))

PERSONAL = Personal(
    subject=SubjectId("customer:8213"),
    actor=Actor(ActorKind.OPERATOR, ActorId("op-7")),
    channel="téléphone",
    evidence=Evidence(
        "session-1f9a", "form-3", "ticked", "192.0.2.17", 'Mozilla/5.0 "X" \\ \U0001f36a'
    ),
    claimed_at=Instant(1_772_000_000_123_456),
    revocation=RevocationReason.TRANSFERRED_AWAY,
)


SCOPE = Scope(
    Reach(ContactId("contact:K-4711"), DomainName("xn--bcher-kva.example"), Role.TECH),
    frozenset({ContactField.PHONE, ContactField.EMAIL}),
)
REPORT = PublicationReport(
    ReportOutcome.REFUSED,
    "cznic",
    SCOPE.reach,
    Position(41),
    frozenset({ContactField.EMAIL}),
    2308,
)


def placed(kind: EventKind) -> Event:
    """An event of a kind, with everything that one of that kind can have."""
    published = kind is EventKind.NOTICE_PUBLISHED
    names_purpose = kind not in OF_NO_PURPOSE
    personal = PERSONAL
    if kind is EventKind.PUBLICATION_REPORTED:
        personal = replace(PERSONAL, revocation=None, report=REPORT)
    if kind is EventKind.DIRECTIONS_RECORDED:
        until = Instant(1_900_000_000_000_000)
        personal = replace(PERSONAL, revocation=None, directions=Directions(Wish.KEEP, until))
    return Event(
        position=Position(42),
        recorded_at=Instant(1_772_355_600_000_001),
        kind=kind,
        purpose=PurposeId("reseller42.newsletter") if names_purpose else None,
        pseudonym=None if published else PSEUDONYM,
        notice=NoticeRef("2026-03", "fr", bytes(range(32))) if names_purpose else None,
        refers_to=Position(17) if kind is EventKind.CONSENT_EXPIRED else None,
        personal=None if published else personal,
    )


CASES = {kind.value: placed(kind) for kind in EventKind}
CASES["consent_given.scoped"] = replace(
    CASES["consent_given"], personal=replace(PERSONAL, scope=SCOPE)
)

CASES["consent_given.imported"] = replace(
    CASES["consent_given"],
    since=Instant(1_741_000_000_000_001),
    personal=replace(
        PERSONAL,
        provenance=Provenance(
            "crm.example/2026",
            Actor(ActorKind.OPERATOR, ActorId("op-9")),
            "migration",
            "consent.example/00112233445566778899aabbccddeeff",
            Position(7),
        ),
    ),
)

# --- the format does not drift -----------------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
def test_the_format_is_what_it_always_was(case: str) -> None:
    """Both parts of an event of each kind have the very bytes that were written down once.

    A difference would make every proof that was ever handed out worthless. A new kind needs a new
    file, with what this test says it has; those that are there never change.
    """
    event = CASES[case]
    now: dict[str, str] = {}
    sealed = None
    if event.personal is not None:
        sealed = seal(event.personal, KEY, PSEUDONYM, event.purpose, SALT, NONCE)
        now = {"commitment": sealed.commitment.hex(), "sealed": sealed.data.hex()}
    data = header(event, sealed)
    now |= {"header": data.decode("ascii"), "leaf_hash": leaf_hash(data).hex()}
    file = GOLDEN / f"{case}.json"

    assert file.exists(), json.dumps(now, indent=2, sort_keys=True)
    assert now == json.loads(file.read_text(encoding="ascii"))


@pytest.mark.parametrize("case", CASES)
def test_what_was_written_once_is_still_read(case: str) -> None:
    """The bytes that were written down once still mean the same event."""
    golden = json.loads((GOLDEN / f"{case}.json").read_text(encoding="ascii"))
    event = CASES[case]
    read = read_header(golden["header"].encode("ascii"))
    assert read.event == replace(event, personal=None)

    if event.personal is not None:
        assert read.commitment is not None
        sealed = bytes.fromhex(golden["sealed"])
        assert read.sealed_sha256 == hashlib.sha256(sealed).digest()
        assert unseal(sealed, KEY, PSEUDONYM, event.purpose, read.commitment) == event.personal


def test_a_golden_file_stands_for_every_kind() -> None:
    """There is a file for each case and no other, and a case for every kind."""
    assert {file.stem for file in GOLDEN.glob("*.json")} == set(CASES)


def test_a_leaf_is_rfc_6962_s() -> None:
    """A leaf is hashed with a zero before it, so that it is never taken for a node."""
    assert leaf_hash(b"header") == hashlib.sha256(b"\x00header").digest()


# --- nothing is lost ---------------------------------------------------------------------------

printable = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=256)
purposes = st.from_regex(r"(?:[a-z][a-z0-9_]{0,62}\.)?[a-z][a-z0-9_]{0,62}", fullmatch=True).map(
    PurposeId
)
positions = st.integers(1, 2**63 - 1).map(Position)
instants = st.integers(-(2**62), 2**62).map(Instant)
hashes = st.binary(min_size=32, max_size=32)
pseudonyms = st.binary(min_size=16, max_size=16).map(Pseudonym)
texts = st.none() | st.text()
fields = st.frozensets(st.sampled_from(ContactField), min_size=1)
reaches = st.builds(
    lambda parts, depth: Reach(*parts[:depth]),
    st.tuples(printable.map(ContactId), printable.map(DomainName), st.sampled_from(Role)),
    st.integers(0, 3),
)
reports = st.builds(
    PublicationReport,
    outcome=st.sampled_from(ReportOutcome),
    registry=st.text(),
    reach=reaches,
    resolved_at=positions,
    published=st.frozensets(st.sampled_from(ContactField)),
    code=st.none() | st.integers(-(2**31), 2**31),
)
actors = st.builds(Actor, st.sampled_from(ActorKind), st.none() | printable.map(ActorId))
provenances = st.builds(
    Provenance,
    source=st.text(),
    actor=actors,
    channel=st.text(),
    log=st.none() | st.text(),
    position=st.none() | positions,
)
personals = st.builds(
    Personal,
    subject=printable.map(SubjectId),
    actor=actors,
    channel=st.text(),
    evidence=st.builds(Evidence, texts, texts, texts, texts, texts),
    claimed_at=st.none() | instants,
    revocation=st.none() | st.sampled_from(RevocationReason),
    scope=st.none() | st.builds(Scope, reaches, fields),
    report=st.none() | reports,
    provenance=st.none() | provenances,
)
events = st.builds(
    Event,
    position=positions,
    recorded_at=instants,
    kind=st.sampled_from(EventKind),
    purpose=st.none() | purposes,
    pseudonym=pseudonyms,
    notice=st.none() | st.builds(NoticeRef, st.text(), st.text(), hashes),
    refers_to=st.none() | positions,
    personal=personals,
    since=st.none() | st.integers(-(2**63), -(2**62)).map(Instant),
) | st.builds(
    Event,
    position=positions,
    recorded_at=instants,
    kind=st.just(EventKind.NOTICE_PUBLISHED),
    purpose=st.none() | purposes,
    pseudonym=st.none(),
    notice=st.none() | st.builds(NoticeRef, st.text(), st.text(), hashes),
    refers_to=st.none(),
    personal=st.none(),
)
unhurried = settings(deadline=None)


@unhurried
@given(events, st.binary(min_size=32, max_size=32), st.binary(min_size=12, max_size=12))
def test_every_event_comes_back_as_it_was(event: Event, salt: bytes, nonce: bytes) -> None:
    """What is encoded and decoded again is the same event, and encodes to the same bytes."""
    sealed = None
    if event.personal is not None and event.pseudonym is not None:
        sealed = seal(event.personal, KEY, event.pseudonym, event.purpose, salt, nonce)
    data = header(event, sealed)
    read = read_header(data)

    assert read.event == replace(event, personal=None)
    assert read.encode() == data
    if sealed is not None and event.pseudonym is not None:
        assert (read.commitment, read.sealed_sha256) == (
            sealed.commitment,
            sealed_hash(sealed.data),
        )
        assert (
            unseal(sealed.data, KEY, event.pseudonym, event.purpose, sealed.commitment)
            == event.personal
        )


# --- damage is told ----------------------------------------------------------------------------


@unhurried
@given(st.sampled_from(EventKind), st.data())
def test_no_changed_header_passes_for_the_old_one(kind: EventKind, data: st.DataObject) -> None:
    """A changed byte makes a header that is refused, or not canonical, or of another event."""
    original = bytearray(golden_header(kind))
    at = data.draw(st.integers(0, len(original) - 1))
    original[at] ^= data.draw(st.integers(1, 255))
    try:
        read = read_header(bytes(original))
    except Damaged:
        return

    assert read.encode() != bytes(original) or read != read_header(golden_header(kind))


@unhurried
@given(
    st.binary()
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["kind", "position", "recorded_at", "schema", "purpose", "notice"])
                | st.text(),
                inner,
            )
        ),
    ).map(lambda value: json.dumps(value).encode())
)
def test_bytes_that_are_no_header_are_refused(data: bytes) -> None:
    """Whatever is read, the answer is a header or `Damaged`, never another exception."""
    with pytest.raises(Damaged):
        read_header(data)


def golden_header(kind: EventKind) -> bytes:
    text = json.loads((GOLDEN / f"{kind.value}.json").read_text(encoding="ascii"))["header"]
    return str(text).encode("ascii")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"schema":1', '"schema":2'),
        ('"schema":1', '"schema":null'),
        ('"position":42', '"position":"42"'),
        ('"position":42', '"position":42.0'),
        ('"position":42', '"position":true'),
        ('"position":42', '"position":null'),
        ('"kind":"consent_given"', '"kind":"consent_taken"'),
        ('"kind":"consent_given"', '"kind":["consent_given"]'),
        ('"purpose":"reseller42.newsletter"', '"purpose":7'),
        ('"notice":{', '"notice":{},"other":{'),
        ('"locale":"fr",', ""),
        ('"pseudonym":"00', '"pseudonym":"'),
        ('"pseudonym":"0', '"pseudonym":"g'),
        ('"pseudonym":', '"pseudonyms":'),
        ('"commitment":', '"commitments":'),
        ('"sealed_sha256":', '"sealed_sha1":'),
        ("{", "[" * 100_000 + "{"),
    ],
)  # fmt: skip
def test_a_header_with_a_wrong_field_is_refused(old: str, new: str) -> None:
    """A field that is missing, of another type, or one of three that belong together is told."""
    text = golden_header(EventKind.CONSENT_GIVEN).decode()
    assert old in text

    with pytest.raises(Damaged):
        read_header(text.replace(old, new, 1).encode())


@pytest.mark.parametrize("part", ["nonce", "sealed", "tag", "key", "pseudonym", "purpose", "cut"])
def test_a_personal_part_opens_in_its_place_only(part: str) -> None:
    """Changed bytes, another key, and another subject's or purpose's place are all refused."""
    purpose = PurposeId("newsletter")
    sealed = seal(PERSONAL, KEY, PSEUDONYM, purpose, SALT, NONCE)
    data, key, pseudonym = bytearray(sealed.data), bytearray(KEY), bytearray(PSEUDONYM)
    match part:
        case "nonce":
            data[0] ^= 1
        case "sealed":
            data[100] ^= 1
        case "tag":
            data[-1] ^= 1
        case "key":
            key[0] ^= 1
        case "pseudonym":
            pseudonym[0] ^= 1
        case "purpose":
            purpose = PurposeId("newslette")
        case "cut":
            del data[4:]

    with pytest.raises(Damaged, match="does not open"):
        unseal(bytes(data), bytes(key), Pseudonym(bytes(pseudonym)), purpose, sealed.commitment)


def test_a_personal_part_of_another_event_is_told() -> None:
    """Of two events of one person and purpose, neither can have the other's personal part."""
    mine = seal(PERSONAL, KEY, PSEUDONYM, None, SALT, NONCE)
    other = seal(replace(PERSONAL, channel="letter"), KEY, PSEUDONYM, None, SALT, NONCE)

    with pytest.raises(Damaged, match="commits to"):
        unseal(other.data, KEY, PSEUDONYM, None, mine.commitment)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"contact":', b'"contacts":'),
        (b'"contact":"contact:K-4711",', b""),
        (b'"contact":"contact:K-4711"', b'"contact":""'),
        (b'"contact":"contact:K-4711"', b'"contact":null'),
        (b'"contact":"contact:K-4711"', b'"contact":4711'),
        (b'"domain":"xn--bcher-kva.example",', b""),
        (b'"domain":"xn--bcher-kva.example"', b'"domain":["a.example"]'),
        (b'"role":"tech"', b'"role":"technician"'),
        (b'"role":"tech"', b'"role":"tech","registry":"cznic"'),
        (b'"fields":["email","phone"],', b""),
        (b'"fields":["email","phone"]', b'"fields":[]'),
        (b'"fields":["email","phone"]', b'"fields":["phone","email"]'),
        (b'"fields":["email","phone"]', b'"fields":["email","email"]'),
        (b'"fields":["email","phone"]', b'"fields":["email","shoe_size"]'),
        (b'"fields":["email","phone"]', b'"fields":"email"'),
        (b'"fields":["email","phone"]', b'"fields":[["email"]]'),
        (b'"fields":["email","phone"]', b'"fields":{"email":1}'),
        (b'"scope":{', b'"scope":[],"other":{'),
        (b'"scope":{', b'"scope":"account","other":{'),
        (b'"outcome":"refused"', b'"outcome":"lost"'),
        (b'"outcome":"refused",', b""),
        (b'"registry":"cznic"', b'"registry":null'),
        (b'"resolved_at":41', b'"resolved_at":41.0'),
        (b'"resolved_at":41', b'"resolved_at":true'),
        (b'"published":["email"]', b'"published":["phone","email"]'),
        (b'"published":["email"],', b""),
        (b'"code":2308', b'"code":"2308"'),
        (b'"code":2308', b'"code":2308,"more":1'),
        (b'"report":{', b'"report":1,"other":{'),
    ],
)  # fmt: skip
def test_a_scope_or_report_with_a_wrong_field_is_refused(
    old: bytes, new: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not understood whole is told: read in part, it would reach further than was said."""
    personal = replace(PERSONAL, scope=SCOPE, report=REPORT)

    def other(content: dict[str, object]) -> bytes:
        assert old in canonical(content)
        return canonical(content).replace(old, new)

    with monkeypatch.context() as patch:
        patch.setattr(encoding, "canonical", other)
        sealed = seal(personal, KEY, PSEUDONYM, None, SALT, NONCE)

    with pytest.raises(Damaged, match="cannot be read"):
        unseal(sealed.data, KEY, PSEUDONYM, None, sealed.commitment)


@pytest.mark.parametrize(
    "scope",
    [
        Scope(SCOPE.reach, frozenset()),
        Scope(Reach(domain=DomainName("a.example")), SCOPE.fields),
        Scope(Reach(ContactId("contact"), role=Role.TECH), SCOPE.fields),
        Scope(Reach(ContactId("")), SCOPE.fields),
    ],
)
def test_a_scope_that_nobody_could_read_is_not_written(scope: Scope) -> None:
    """A scope without fields, or that is none of the four, is refused before it is sealed."""
    with pytest.raises(ValueError, match=r"scope|reach"):
        seal(replace(PERSONAL, scope=scope), KEY, PSEUDONYM, None, SALT, NONCE)


# --- nobody is named ---------------------------------------------------------------------------


def test_a_header_tells_nothing_about_a_person() -> None:
    """No personal value stands in a header, in no spelling that somebody could look for."""
    personal = replace(PERSONAL, scope=SCOPE, report=REPORT)
    sealed = seal(personal, KEY, PSEUDONYM, PurposeId("newsletter"), SALT, NONCE)
    data = header(
        replace(placed(EventKind.CONSENT_REVOKED), purpose=PurposeId("newsletter")), sealed
    )
    evidence = PERSONAL.evidence
    values = [
        PERSONAL.subject,
        PERSONAL.actor.kind.value,
        PERSONAL.actor.id,
        PERSONAL.channel,
        evidence.session_reference,
        evidence.form_version,
        evidence.action,
        evidence.ip_address,
        evidence.user_agent,
        PERSONAL.claimed_at,
        PERSONAL.revocation.value if PERSONAL.revocation else None,
        SCOPE.reach.contact,
        SCOPE.reach.domain,
        "tech",
        "phone",
        REPORT.registry,
    ]

    for value in values:
        assert value is not None
        raw = str(value).encode()
        digest = hashlib.sha256(raw)
        for spelling in (raw, json.dumps(value)[1:-1].encode(), raw.hex().encode(),
                         digest.hexdigest().encode(), digest.digest()):  # fmt: skip
            assert spelling not in data
            assert spelling not in sealed.data


def test_a_commitment_can_be_opened() -> None:
    """Salt and content prove what was committed to, with nothing but HMAC-SHA-256."""
    sealed = seal(PERSONAL, KEY, PSEUDONYM, None, SALT, NONCE)
    content = json.dumps(
        {
            "actor": {"id": "op-7", "kind": "operator"},
            "channel": "téléphone",
            "claimed_at": 1_772_000_000_123_456,
            "evidence": {
                "action": "ticked",
                "form_version": "form-3",
                "ip_address": "192.0.2.17",
                "session_reference": "session-1f9a",
                "user_agent": 'Mozilla/5.0 "X" \\ \U0001f36a',
            },
            "revocation": "transferred_away",
            "schema": 1,
            "subject": "customer:8213",
        },
        sort_keys=True,
        separators=(",", ":"),
    ).encode()

    assert hmac.new(SALT, content, "sha256").digest() == sealed.commitment


def test_a_commitment_hides_its_content() -> None:
    """Equal contents under other salts have nothing in common: nobody can try out guesses."""
    salts = [bytes([number]) * 32 for number in range(20)]
    commitments = {seal(PERSONAL, KEY, PSEUDONYM, None, salt, NONCE).commitment for salt in salts}

    assert len(commitments) == 20
