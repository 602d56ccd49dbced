"""The panel's words in its languages."""

import re
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from consentclient import (
    ContactField,
    ContactRole,
    EventKind,
    Reason,
    RevocationReason,
    TrackerKind,
)
from panel import _prompts, _visit
from panel._texts import LANGUAGES, chosen, flat, texts

UTC_ZONE = ZoneInfo("UTC")
TEMPLATES = Path(__file__).parents[2] / "clients" / "panel" / "templates"


def test_every_language_has_every_text() -> None:
    """With the same values put in."""
    first, *others = [flat(language) for language in LANGUAGES]
    for other in others:
        assert other.keys() == first.keys()
        for name, text in first.items():
            assert set(re.findall(r"{\w+}", other[name])) == set(re.findall(r"{\w+}", text)), name


def test_every_text_that_a_page_names_is_there() -> None:
    """No page is the first to find out."""
    known = flat(LANGUAGES[0])
    for file in TEMPLATES.iterdir():
        for name in re.findall(r'\bt\("([a-z_.]+)"[,)]', file.read_text()):
            assert name in known, f"{file.name}: {name}"


def test_french_punctuation_does_not_begin_a_line() -> None:
    """The space before it is one at which no line breaks."""
    for name, text in flat("fr").items():
        assert not re.search(r" [:;?!»]|« ", text), name


def test_no_name_follows_a_french_word_that_would_lose_its_vowel() -> None:
    """Names begin with any letter: "le registre de AFNIC" is none."""
    for name, text in flat("fr").items():
        assert not re.search(r"\bde {", text), name


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_services_words_have_a_text(language: str) -> None:
    """Every reason of a decision, every kind of event and tracker, every field and role."""
    t = texts(language, UTC_ZONE)

    assert all(t.has(f"reason.{one.value}") for one in Reason)
    assert all(t.has(f"tracker.{one.value}") for one in TrackerKind)
    assert all(t.has(f"event.{one.value}") for one in EventKind)
    assert all(t.has(f"field.{one.value}") for one in ContactField)
    assert all(t.has(f"role.{one.value}") for one in ContactRole)
    assert all(t.has(f"channel.{one}") for one in (_visit.CHANNEL, _prompts.CHANNEL))
    known = set(RevocationReason) - {RevocationReason.OTHER}
    assert all(t.has(f"revocation.{one.value}") for one in known)


@pytest.mark.parametrize(
    ("language", "at", "day", "moment"),
    [
        ("en", datetime(2026, 3, 1, 9, 5, tzinfo=UTC), "1 March 2026", "at 09:05 (UTC)"),
        ("fr", datetime(2026, 3, 1, 9, 5, tzinfo=UTC), "1er mars 2026", "à 09:05 (UTC)"),
        ("fr", datetime(2026, 8, 15, 9, 5, tzinfo=UTC), "15 août 2026", "à 09:05 (UTC)"),
    ],
)
def test_dates(language: str, at: datetime, day: str, moment: str) -> None:
    """As the language writes them."""
    t = texts(language, UTC_ZONE)

    assert t.day(at) == day
    assert t.moment(at) == f"{day} {moment}"


def test_dates_are_those_of_the_time_zone() -> None:
    """Late in the evening in UTC it is tomorrow in Paris."""
    t = texts("en", ZoneInfo("Europe/Paris"))

    assert t.moment(datetime(2026, 6, 30, 22, 30, tzinfo=UTC)) == "1 July 2026 at 00:30 (CEST)"


@pytest.mark.parametrize(
    ("cookie", "accept", "language"),
    [
        (None, "", "en"),
        (None, "fr", "fr"),
        (None, "fr-CA, en;q=0.8", "fr"),
        (None, "de, en;q=0.5, fr;q=0.9", "fr"),
        (None, "fr;q=0, en;q=0.1", "en"),
        (None, "*", "en"),
        (None, "fr;q=much, ,;;", "en"),
        ("fr", "en", "fr"),
        ("de", "fr", "fr"),
    ],
)
def test_the_readers_language(cookie: str | None, accept: str, language: str) -> None:
    """What they chose, then what their browser asks for, then English."""
    assert chosen(cookie, accept) == language
