"""What was said at a reach, as a row holds it: lossless, bound to its place, and silent."""

import hmac

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentsvc.domain.canonical import Damaged
from consentsvc.domain.events import DENIALS, EventKind, NoticeRef
from consentsvc.domain.identifiers import Position, Pseudonym, PurposeId
from consentsvc.domain.instants import Instant
from consentsvc.domain.publication.choices import NOTHING_SAID, Mark, Said
from consentsvc.domain.scope import ACCOUNT, ContactField, ContactId, DomainName, Reach, Role
from consentsvc.storage.codec import seal as seal_personal
from consentsvc.storage.scoped_codec import (
    Owner,
    decode,
    decode_sayings,
    encode,
    reach_digest,
    seal,
    unseal,
)
from tests.storage.making import IN_ROLE, NESTED, OF_CONTACT
from tests.storage.test_codec import KEY, NONCE, PERSONAL, PSEUDONYM, SALT, reaches

OWNER = Owner(KEY, PSEUDONYM, PurposeId("publication"))
NOTICES = {number: NoticeRef(str(number), "en", bytes([number]) * 32) for number in (1, 2, 3)}

GIVEN = Mark(EventKind.CONSENT_GIVEN, Position(7), Instant(1_772_355_600_000_001), NOTICES[3])
SAYINGS = {
    ContactField.NAME: Said(GIVEN),
    ContactField.EMAIL: Said(
        GIVEN,
        Mark(EventKind.CONSENT_WITHDRAWN, Position(9), Instant(1_772_355_600_000_002)),
        Mark(EventKind.CONSENT_EXPIRED, Position(10), Instant(1_772_355_600_000_003)),
        Mark(EventKind.CONSENT_REQUESTED, Position(8), Instant(1_772_355_600_000_002), NOTICES[1]),
        request_expired=True,
    ),
    ContactField.CITY: Said(GIVEN),
}


def published(notice: NoticeRef | None) -> int | None:
    return next((number for number, one in NOTICES.items() if one == notice), None)


def notice(position: int | None) -> NoticeRef | None:
    return None if position is None else NOTICES[position]


def test_a_row_is_what_it_always_was() -> None:
    """The plain form has the very bytes that were written down once: rows outlive releases."""
    assert encode(IN_ROLE, SAYINGS, published) == (
        b'{"reach":{"contact":"contact:K-4711","domain":"xn--bcher-kva.example",'
        b'"role":"registrant"},"said":[{"consent_given":[7,1772355600000001,3],'
        b'"fields":["city","name"]},{"consent_expired":[10,1772355600000003,null],'
        b'"consent_given":[7,1772355600000001,3],"consent_requested":[8,1772355600000002,1],'
        b'"consent_withdrawn":[9,1772355600000002,null],"fields":["email"],'
        b'"request_expired":true}],"schema":1}'
    )
    assert (
        reach_digest(KEY, IN_ROLE)
        == (hmac.digest(KEY, b"contact:K-4711\nxn--bcher-kva.example\nregistrant", "sha256")[:16])
    )


def marks(*kinds: EventKind) -> st.SearchStrategy[Mark | None]:
    return st.none() | st.builds(
        Mark,
        kind=st.sampled_from(kinds),
        position=st.integers(1, 2**63 - 1).map(Position),
        recorded_at=st.integers(-(2**62), 2**62).map(Instant),
        notice=st.none() | st.sampled_from(list(NOTICES.values())),
    )


sayings = st.dictionaries(
    st.sampled_from(ContactField),
    st.builds(
        Said,
        marks(EventKind.CONSENT_GIVEN),
        marks(*sorted(DENIALS, key=lambda kind: kind.value)),
        marks(EventKind.CONSENT_EXPIRED),
        marks(EventKind.CONSENT_REQUESTED),
        st.booleans(),
    ).filter(lambda said: said != NOTHING_SAID),
    min_size=1,
)


@settings(deadline=None)
@given(reaches, sayings)
def test_everything_that_was_said_comes_back(reach: Reach, said: dict[ContactField, Said]) -> None:
    """What is encoded and decoded again is the same, in the same bytes whatever the order."""
    plain = encode(reach, said, published)

    assert decode(plain, notice) == (reach, said)
    assert decode_sayings(plain, notice) == said
    assert encode(reach, dict(reversed(said.items())), published) == plain


@pytest.mark.parametrize(
    "part", ["nonce", "sealed", "tag", "cut", "key", "pseudonym", "purpose", "digest", "longer"]
)
def test_a_row_opens_in_its_place_only(part: str) -> None:
    """Changed bytes, another key, and another person's, purpose's or reach's place are refused."""
    owner, digest = OWNER, reach_digest(KEY, IN_ROLE)
    data = bytearray(seal(owner, digest, encode(IN_ROLE, SAYINGS, published), NONCE))
    match part:
        case "nonce":
            data[0] ^= 1
        case "sealed":
            data[50] ^= 1
        case "tag":
            data[-1] ^= 1
        case "cut":
            del data[5:]
        case "key":
            owner = owner._replace(key=b"x" * 32)
        case "pseudonym":
            owner = owner._replace(pseudonym=Pseudonym(b"x" * 16))
        case "purpose":
            owner = owner._replace(purpose=PurposeId("publicatio"))
        case "digest":
            digest = reach_digest(KEY, OF_CONTACT)
        case "longer":  # the same bytes in all, with the seam elsewhere
            digest, owner = digest + b"p", owner._replace(purpose=PurposeId("ublication"))

    with pytest.raises(Damaged, match="does not open"):
        unseal(owner, digest, bytes(data))


def test_a_personal_part_is_no_row() -> None:
    """What was sealed as part of an event does not open as a state."""
    other = seal_personal(PERSONAL, KEY, PSEUDONYM, OWNER.purpose, SALT, NONCE)

    with pytest.raises(Damaged, match="does not open"):
        unseal(OWNER, reach_digest(KEY, ACCOUNT), other.data)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"schema":1', b'"schema":2'),
        (b'"said":', b'"says":'),
        (b'"said":[', b'"said":[7,'),
        (b'"fields":["email"]', b'"fields":["shoe_size"]'),
        (b'"fields":["email"],', b""),
        (b'"fields":["email"]', b'"fields":7'),
        (b"[8,1772355600000002,1]", b"[8,1772355600000002]"),
        (b"[8,1772355600000002,1]", b"[8,1772355600000002,1,1]"),
        (b"[8,1772355600000002,1]", b"8"),
        (b'"consent_requested"', b'"consent_desired"'),
        (b"{", b"["),
        (b"city", b"\xff"),
    ],
)
def test_what_cannot_be_read_is_told(old: bytes, new: bytes) -> None:
    """Even of what opens nothing is guessed: an event of no known kind might be a no."""
    plain = encode(IN_ROLE, SAYINGS, published)
    assert old in plain

    for read in (decode, decode_sayings):
        with pytest.raises(Damaged):
            read(plain.replace(old, new), notice)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"reach":', b'"reaches":'),
        (b'"role":"registrant"', b'"role":"holder"'),
        (b'"role":"registrant"', b'"role":"registrant","registry":"cznic"'),
        (b'"contact":"contact:K-4711",', b""),
    ],
)
def test_a_reach_that_cannot_be_read_is_told(old: bytes, new: bytes) -> None:
    """A reach that is not understood whole is none."""
    plain = encode(IN_ROLE, SAYINGS, published)
    assert old in plain

    with pytest.raises(Damaged):
        decode(plain.replace(old, new), notice)


def test_reaches_have_digests_of_their_own() -> None:
    """No two reaches of a person have one digest, and no two people one for the same reach."""
    some = [
        *NESTED,
        Reach(ContactId("a"), DomainName("b")),
        Reach(ContactId("ab")),
        Reach(ContactId("b"), DomainName("a")),
        *(Reach(ContactId("a"), DomainName("b"), role) for role in Role),
    ]
    digests = {reach_digest(key, reach) for reach in some for key in (KEY, b"x" * 32)}

    assert len(digests) == 2 * len(some)
    assert {len(one) for one in digests} == {16}


def test_a_row_tells_nothing_about_a_person() -> None:
    """Neither digest nor sealed bytes hold what was said, or at which reach."""
    plain = encode(IN_ROLE, SAYINGS, published)
    digest = reach_digest(KEY, IN_ROLE)
    row = digest + seal(OWNER, digest, plain, NONCE)

    for spelling in (b"K-4711", b"xn--bcher", b"registrant", b"email", b"consent", b"1772355"):
        assert spelling in plain
        assert spelling not in row
