"""The panel's words: one file for each language, the choice between them, and dates.

A text is plain; what is put into it is escaped with it, as a whole, when the page is made.
"""

import tomllib
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from consentclient import ContactField, Scope

LANGUAGES = ("en", "fr")
"""The first one is for readers who ask for none that we have."""

_FOLDER = Path(__file__).parent / "texts"


class Texts:
    """The texts of one language, by their names: `choices.title`."""

    def __init__(self, language: str, zone: ZoneInfo, flat: Mapping[str, str]) -> None:
        self.language = language
        self._zone = zone
        self._flat = flat

    def __call__(self, name: str, /, **values: object) -> str:
        """A text with its values put in. One that is not there is a mistake of ours: KeyError."""
        text = self._flat[name]
        return text.format_map(values) if values else text

    def has(self, name: str) -> bool:
        """Whether there is such a text: words of the service may be newer than the panel."""
        return name in self._flat

    def did(self, action: str) -> str:
        """What was done, as evidence tells it; in English where it was another program's act."""
        return self._flat.get("did." + action.replace(" ", "_"), action)

    def number(self, number: int) -> str:
        """A number as the language groups its digits."""
        return f"{number:,}".replace(",", self._flat["dates.thousands"])

    def fields(self, fields: Iterable[ContactField]) -> str:
        """Names fields of a contact, in their usual order."""
        asked = frozenset(fields)
        return ", ".join(self(f"field.{one.value}") for one in ContactField if one in asked)

    def scope(self, scope: Scope) -> str:
        """How far a choice about publication reaches."""
        if scope.contact_id is None:
            reach = self("scope.account")
        elif scope.domain is None:
            reach = self("scope.contact", contact=scope.contact_id)
        elif scope.role is None:
            reach = self("scope.domain", contact=scope.contact_id, domain=scope.domain)
        else:
            role = self(f"role.{scope.role.value}")
            reach = self("scope.role", contact=scope.contact_id, domain=scope.domain, role=role)
        if not scope.fields:
            return reach
        return self("scope.fields", reach=reach, fields=self.fields(scope.fields))

    def day(self, moment: datetime) -> str:
        """A date."""
        at = moment.astimezone(self._zone)
        day = self._flat["dates.first"] if at.day == 1 else str(at.day)
        return self("dates.day", day=day, month=self._flat[f"dates.month{at.month}"], year=at.year)

    def moment(self, moment: datetime) -> str:
        """A date with the time of day, and where that time holds."""
        at = moment.astimezone(self._zone)
        return self("dates.moment", day=self.day(moment), time=f"{at:%H:%M}", zone=at.tzname())


@cache
def texts(language: str, zone: ZoneInfo) -> Texts:
    """The texts of one of our languages."""
    return Texts(language, zone, flat(language))


def flat(language: str) -> dict[str, str]:
    """The texts of a language's file, by name."""
    with (_FOLDER / f"{language}.toml").open("rb") as file:
        return dict(_flattened(tomllib.load(file), ""))


def _flattened(given: Mapping[str, Any], above: str) -> Iterable[tuple[str, str]]:
    for name, one in given.items():
        if isinstance(one, str):
            yield above + name, one
        else:
            yield from _flattened(one, f"{above}{name}.")


def chosen(cookie: str | None, accept: str) -> str:
    """The reader's language: what they chose here, or what their browser asks for."""
    if cookie in LANGUAGES:
        return cookie
    wishes = []
    for place, part in enumerate(accept.split(",")[:50]):
        name, _, quality = part.strip().lower().partition(";")
        try:
            weight = float(quality.strip().removeprefix("q=")) if quality else 1.0
        except ValueError:
            continue
        wishes.append((-weight, place, name.strip().partition("-")[0]))
    for weight, _, name in sorted(wishes):
        if weight < 0 and name in LANGUAGES:
            return name
    return LANGUAGES[0]
