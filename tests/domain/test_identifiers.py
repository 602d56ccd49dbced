import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentsvc.domain import identifiers
from consentsvc.domain.errors import InvalidRequest, Violation

PARSERS: list[tuple[Callable[[str], str], int]] = [
    (identifiers.subject_id, 256),
    (identifiers.actor_id, 256),
    (identifiers.request_id, 128),
]
parsers = pytest.mark.parametrize(
    ("parse", "longest"), PARSERS, ids=["subject", "actor", "request"]
)
PRINTABLE = re.compile(r"[!-~]+", re.ASCII)


@parsers
@given(value=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=128))
def test_printable(parse: Callable[[str], str], longest: int, value: str) -> None:
    """Printable ASCII without spaces is taken as it is."""
    assert parse(value) == value


@parsers
@given(value=st.text(max_size=300))
def test_anything(parse: Callable[[str], str], longest: int, value: str) -> None:
    """Nothing else is taken, and the refusal does not repeat it."""
    if PRINTABLE.fullmatch(value) and len(value) <= longest:
        assert parse(value) == value
    else:
        with pytest.raises(InvalidRequest, match=f"must be 1 to {longest} characters"):
            parse(value)


@parsers
def test_length(parse: Callable[[str], str], longest: int) -> None:
    """The longest id is taken, and one of a character more is not."""
    assert parse("x" * longest)
    with pytest.raises(InvalidRequest):
        parse("x" * (longest + 1))


@parsers
@pytest.mark.parametrize("value", ["a\n", "\na", "a\r", "a\x00", "a\x7f", "a\u0130", "\uff41", ""])
def test_traps(parse: Callable[[str], str], longest: int, value: str) -> None:
    """A line's end, a NUL or a letter that folds into another is refused."""
    with pytest.raises(InvalidRequest):
        parse(value)


def test_field() -> None:
    """A refusal names the field that was said, else the usual one."""
    for field in ("subject_id", "batch.subject_ids"):
        with pytest.raises(InvalidRequest) as caught:
            identifiers.subject_id("", field)
        assert [one.field for one in caught.value.violations] == [field]


def test_within() -> None:
    """A refusal seen from outside has the longer path, and is of the same class."""
    inner = InvalidRequest([Violation("a", "b"), Violation("c", "d")])

    assert [one.field for one in inner.within("x[1]").violations] == ["x[1].a", "x[1].c"]


@pytest.mark.parametrize(
    "value", ["a", "newsletter", "whois_publication", "reseller42.newsletter", "a1.b2", "x" * 63]
)
def test_purposes(value: str) -> None:
    """A purpose is a name, or a controller's name, a dot and a name."""
    assert identifiers.purpose_id(value) == value


@pytest.mark.parametrize(
    "value",
    ["", "A", "1a", "_a", "a b", "a-b", "a.", ".a", "a..b", "a.b.c", "a\n", "é", "x" * 64, "a.B"],
)
def test_no_purposes(value: str) -> None:
    """Anything else is refused."""
    with pytest.raises(InvalidRequest):
        identifiers.purpose_id(value)
