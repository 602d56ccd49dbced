"""Reads the catalogue from its files, and refuses it with every mistake in them at once.

`X.toml` holds controllers, purposes, versions of notices and trackers; the texts of the notices
stand beside it in `X.LOCALE.toml`, one file for each locale, so that a translator opens one file
and a new locale is a new file. `default.toml` comes with the package.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from consentsvc.domain import identifiers
from consentsvc.domain.catalogue import (
    Catalogue,
    Controller,
    EssentialStorage,
    EvidenceField,
    LegalBasis,
    Notice,
    NoticeVersion,
    Purpose,
    Tracker,
    TrackerKind,
)
from consentsvc.domain.errors import InvalidRequest
from consentsvc.domain.identifiers import PurposeId
from consentsvc.toml_reading import File, Mistake, Table

__all__ = ["CatalogueInvalid", "Mistake", "load"]

# Ten years: beyond it, a number is more likely a slip (days, or a year) than a validity.
_LONGEST_VALIDITY = 120
_LOCALE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")
_CONTROLLER = re.compile(r"[a-z][a-z0-9_]{0,62}")
_VERSION = re.compile(r"[A-Za-z0-9._-]{1,32}")

_BASES = {one.value: one for one in LegalBasis}
_KINDS = {one.value: one for one in TrackerKind}
_EVIDENCE = {one.value: one for one in EvidenceField}
_NOBODY = Controller("", "", "", "", "", "")


class CatalogueInvalid(Exception):
    """The files hold no catalogue. Prints as its mistakes, one to a line."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__("\n".join(map(str, mistakes)))
        self.mistakes = tuple(mistakes)


def load(path: Path | None = None) -> Catalogue:
    """The catalogue in the file, or else the one that comes with the package.

    Raises `CatalogueInvalid` with every mistake in the file and its texts, and `OSError` if one
    of them cannot be opened.
    """
    folder: Traversable = path.parent if path else resources.files(__name__)
    name = path.name if path else "default.toml"

    main = File(name, (folder / name).read_bytes())
    texts: dict[str, File] = {}
    misnamed: list[Mistake] = []
    for locale, file in _beside(folder, name):
        if _LOCALE.fullmatch(locale):
            texts[locale] = File(file.name, file.read_bytes())
        else:
            misnamed.append(Mistake(file.name, 1, "", f"is named after no locale: {locale}"))

    catalogue = _Reading(main, texts).catalogue()
    mistakes = [one for file in (main, *texts.values()) for one in file.mistakes()] + misnamed
    if mistakes:
        raise CatalogueInvalid(mistakes)
    return catalogue


def _beside(folder: Traversable, name: str) -> Iterator[tuple[str, Traversable]]:
    pattern = re.compile(re.escape(name.removesuffix(".toml")) + r"\.(.+)\.toml")
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if match := pattern.fullmatch(entry.name):
            yield match[1], entry


class _Reading:
    """One reading of a catalogue. Its result counts only if no file turns out to have a mistake."""

    def __init__(self, main: File, texts: Mapping[str, File]) -> None:
        self._main = main
        self._texts = texts
        self._shown = {locale: _shown(file) for locale, file in texts.items()}
        self._controllers = {
            one.name: _controller(one) for one in main.root.sections("controllers")
        }
        self._main_controller = main.root.choice("main_controller", self._controllers, _NOBODY)

    def catalogue(self) -> Catalogue:
        root = self._main.root
        if not self._texts:
            root.report("has no texts: a file for each locale, X.LOCALE.toml, must stand beside it")
        purposes = {PurposeId(one.name): self._purpose(one) for one in root.sections("purposes")}
        if self._main.readable:
            self._refuse_stray_texts(purposes)
        essential = tuple(
            EssentialStorage(name=one.line("name"), goal=self._told(one, "goal"))
            for one in root.array("essential_storage")
        )
        return Catalogue(purposes, essential)

    def _purpose(self, table: Table) -> Purpose:
        purpose = Purpose(
            id=_purpose_id(table),
            controller=self._controller_of(table),
            basis=table.choice("basis", _BASES, LegalBasis.CONSENT),
            validity_months=table.number("validity_months", 1, _LONGEST_VALIDITY),
            needs_confirmation=table.flag("needs_confirmation"),
            evidence=frozenset(table.choices("evidence", _EVIDENCE)),
            versions=tuple(self._versions(table)),
            trackers=tuple(self._tracker(one) for one in table.array("trackers")),
            takes_scope=table.flag("takes_scope", required=False),
            marked_for_signal=table.flag("global_privacy_control", required=False),
            retention_months=table.number("retention_months", 1, _LONGEST_VALIDITY),
            proof_months=table.number("proof_months", 1, _LONGEST_VALIDITY),
        )
        if purpose.basis is LegalBasis.LEGITIMATE_INTEREST:
            if purpose.needs_confirmation:
                table.report("must be false: nobody is asked beforehand", "needs_confirmation")
            if purpose.validity_months is not None:
                table.report("must be left out: an objection does not expire", "validity_months")
            if purpose.takes_scope:
                table.report("must be false: data is published on consent only", "takes_scope")
        if purpose.takes_scope and purpose.marked_for_signal:
            # A consent ends a signal's objection: one for a single field would end it for all.
            table.report("must be false: a signal names no scope", "global_privacy_control")
        return purpose

    def _controller_of(self, table: Table) -> Controller:
        # Whose a purpose is shows in its id, so that no caller takes one controller's consent
        # for another's.
        controller = table.choice("controller", self._controllers, _NOBODY)
        prefix, _, _ = table.name.rpartition(".")
        owner = prefix or self._main_controller.id
        if controller.id and owner and controller.id != owner:
            why = "the prefix of the purpose" if prefix else "as the purpose has no prefix"
            table.report(f"must be {owner}, {why}", "controller")
        return controller

    def _versions(self, purpose: Table) -> Iterator[NoticeVersion]:
        seen: set[str] = set()
        for table in purpose.array("versions", required=True):
            version = _version(table, seen)
            notices = {
                locale: self._notice(purpose.name, version, locale) for locale in self._texts
            }
            yield NoticeVersion(version, table.flag("asks_again"), notices)

    def _notice(self, purpose: str, version: str, locale: str) -> Notice:
        if version and (purpose, version) not in self._shown[locale]:
            self._texts[locale].report((purpose, version), f"is missing: {self._main.name} has it")
        title, text = self._shown[locale].get((purpose, version), ("", ""))
        return Notice(PurposeId(purpose), version, locale, title, text)

    def _tracker(self, table: Table) -> Tracker:
        return Tracker(
            name=table.line("name"),
            kind=table.choice("kind", _KINDS, TrackerKind.COOKIE),
            host=table.line("host"),
            lifetime=self._told(table, "lifetime"),
            goal=self._told(table, "goal"),
        )

    def _told(self, table: Table, key: str) -> dict[str, str]:
        told = table.table(key)
        return {locale: told.line(locale) for locale in self._texts} if told else {}

    def _refuse_stray_texts(self, purposes: Mapping[PurposeId, Purpose]) -> None:
        for locale, shown in self._shown.items():
            for name, version in shown:
                purpose = purposes.get(PurposeId(name))
                versions = [one.version for one in purpose.versions] if purpose else []
                # A version that could not be read may be the very one.
                if version not in versions and "" not in versions:
                    message = f"is the text of no version in {self._main.name}"
                    self._texts[locale].report((name, version), message)


def _shown(file: File) -> dict[tuple[str, str], tuple[str, str]]:
    """Title and text by purpose and version."""
    return {
        (purpose.name, version.name): (version.line("title"), version.text("text"))
        for purpose in file.root.tables()
        for version in purpose.tables()
    }


def _controller(table: Table) -> Controller:
    if not _CONTROLLER.fullmatch(table.name):
        table.report("must be a name of a-z, 0-9 and _, starting with a letter")
    return Controller(
        id=table.name,
        name=table.line("name"),
        address=table.line("address"),
        contact=table.line("contact"),
        data_protection_officer=table.line("data_protection_officer"),
        authority=table.line("authority"),
    )


def _purpose_id(table: Table) -> PurposeId:
    try:
        return identifiers.purpose_id(table.name)
    except InvalidRequest as refused:
        table.report(refused.violations[0].description)
        return PurposeId(table.name)


def _version(table: Table, seen: set[str]) -> str:
    """The version, or nothing if it is not to be used."""
    version = table.line("version")
    if version in seen:
        table.report("is listed twice", "version")
    elif version and not _VERSION.fullmatch(version):
        table.report("must be 1 to 32 letters, digits, dots, _ or -", "version")
    elif version:
        seen.add(version)
        return version
    return ""
