"""Tokens of links: what they say to this service, and to nobody else."""

import base64
import itertools

import pytest

from consentsvc.domain.errors import LinkUnknown
from consentsvc.domain.identifiers import Position, Pseudonym, PurposeId
from consentsvc.service.links import Confirmation, Links, Withdrawal

LINKS = Links(bytes(range(32)))
ANNA, BEN = Pseudonym(b"anna's pseudonym"), Pseudonym(b"ben's pseudonym.")
# Of each length modulo 3, which is what base64 pads to.
PURPOSES = [PurposeId(name) for name in ("newsletter", "profiling", "reseller42.newsletter")]

purposes = pytest.mark.parametrize("purpose", PURPOSES)


def sealed(token: str) -> bytes:
    return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))


def text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def opens(token: str, links: Links = LINKS) -> list[str]:
    """The kinds as which a token opens."""
    kinds = {"withdrawal": links.open_withdrawal, "confirmation": links.open_confirmation}
    found = []
    for kind, open_ in kinds.items():
        try:
            open_(token)
        except LinkUnknown:
            continue
        found.append(kind)
    return found


def tokens(purpose: PurposeId) -> dict[str, str]:
    return {
        "withdrawal": LINKS.withdrawal(ANNA, purpose),
        "confirmation": LINKS.confirmation(ANNA, purpose, Position(7)),
    }


@purposes
def test_round_trip(purpose: PurposeId) -> None:
    """A token says again what it was made of, also with the largest position there is."""
    last = Position(2**63 - 1)

    assert LINKS.open_withdrawal(LINKS.withdrawal(ANNA, purpose)) == Withdrawal(ANNA, purpose)
    assert LINKS.open_confirmation(LINKS.confirmation(ANNA, purpose, last)) == Confirmation(
        ANNA, purpose, last
    )


@purposes
def test_other_kind(purpose: PurposeId) -> None:
    """A token opens as what it was made for, and never as the other kind."""
    assert {kind: opens(token) for kind, token in tokens(purpose).items()} == {
        "withdrawal": ["withdrawal"],
        "confirmation": ["confirmation"],
    }


@purposes
def test_altered(purpose: PurposeId) -> None:
    """A token altered in a single bit of any byte opens as nothing."""
    for token in tokens(purpose).values():
        data = sealed(token)
        altered = [
            bytes([*data[:place], data[place] ^ 1 << bit, *data[place + 1 :]])
            for place in range(len(data))
            for bit in range(8)
        ]

        assert text(data) == token
        assert [opens(text(one)) for one in altered] == [[]] * len(data) * 8


@purposes
def test_cut_and_extended(purpose: PurposeId) -> None:
    """Nor does any piece of a token, or one with more behind it or another in front."""
    for token in tokens(purpose).values():
        pieces = [token[:end] for end in range(len(token))]
        data = sealed(token)
        longer = [text(data + b"\0"), text(b"\0" + data), text(data + data), token * 2]

        assert [opens(one) for one in pieces + longer] == [[]] * (len(token) + 4)


@pytest.mark.parametrize("junk", ["", "A", "=", "====", "é", "\0", "a b", "..", "A" * 100_000])
def test_junk(junk: str) -> None:
    """What never was a token is refused like one of another service."""
    assert opens(junk) == []


@purposes
def test_other_key(purpose: PurposeId) -> None:
    """A token made under another key opens as nothing."""
    other = Links(bytes(range(1, 33)))

    assert [opens(token, other) for token in tokens(purpose).values()] == [[], []]


@purposes
def test_nothing_to_read(purpose: PurposeId) -> None:
    """Neither who nor what for can be read from a token."""
    for token in tokens(purpose).values():
        for readable in (sealed(token), token.encode()):
            assert bytes(ANNA) not in readable
            assert purpose.encode() not in readable
            assert text(ANNA).encode()[:8] not in readable


def test_nothing_in_common() -> None:
    """Two tokens of one subject, or for one purpose, have nothing in common to be told by."""
    made = [
        *(LINKS.withdrawal(who, purpose) for who in (ANNA, BEN) for purpose in PURPOSES),
        *(LINKS.confirmation(ANNA, PURPOSES[0], Position(position)) for position in (1, 2)),
    ]
    chunks = [
        {data[place : place + 4] for place in range(len(data) - 3)} for data in map(sealed, made)
    ]

    assert all(not one & other for one, other in itertools.combinations(chunks, 2))


@purposes
def test_equal(purpose: PurposeId) -> None:
    """The same subject and purpose have the same token always, also after a restart."""
    again = Links(bytes(range(32)))

    assert again.withdrawal(ANNA, purpose) == LINKS.withdrawal(ANNA, purpose)
    assert again.confirmation(ANNA, purpose, Position(7)) == tokens(purpose)["confirmation"]


def test_where_the_seams_are() -> None:
    """What a token holds never runs together: a purpose is not read as a part of what is before."""
    position = Position(int.from_bytes(b"newslett", "big"))
    token = LINKS.confirmation(ANNA, PurposeId("er"), position)

    assert LINKS.open_confirmation(token) == Confirmation(ANNA, PurposeId("er"), position)
    assert opens(token) == ["confirmation"]


@pytest.mark.parametrize("spelling", ["padding", "alphabet", "last character"])
def test_one_spelling(spelling: str) -> None:
    """A token is taken as it was made, and in no other spelling of the same bytes."""
    made = [LINKS.withdrawal(ANNA, PurposeId("profiling" + "x" * more)) for more in range(3)]
    respelt = {
        "padding": [one + "=" * (-len(one) % 4) for one in made if len(one) % 4],
        "alphabet": [
            one.replace("-", "+").replace("_", "/") for one in made if set(one) & set("-_")
        ],
        "last character": [
            one[:-1] + last
            for one in made
            for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
            if last != one[-1]
        ],
    }[spelling]

    assert respelt
    assert [one for one in respelt if opens(one)] == []
