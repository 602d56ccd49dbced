"""A registrar with its consent service, its registries and the job between them."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Self

from consentclient import (
    Action,
    Actor,
    ActorKind,
    AsyncConsentClient,
    Change,
    ConsentEvent,
    ContactField,
    ContactRole,
    Erased,
    EventKind,
    FieldOutcome,
    NoticeRef,
    Profile,
    Publication,
    PublicationQuestion,
    PublicationReport,
    Publisher,
    Retry,
    Scope,
)
from consentsvc.domain.catalogue import Catalogue, NoticeVersion
from registry_sync import (
    FRED,
    Adapter,
    ContactRecord,
    EppRegistry,
    JsonLines,
    Registries,
    State,
    Sync,
    Use,
    World,
    contact_facts,
    domain_facts,
)
from registry_sync._sending import data_of
from registry_sync.testing import Accepted, Registry, RegistryServer
from tests.support import catalogues
from tests.support.wire import Wire

PURPOSE = "whois"
FOLLOWER = "registry_sync"
"""Whom the consent service waits for before it forgets anybody."""
NOTICE = NoticeRef("1", "en")
OPERATOR = Actor(ActorKind.OPERATOR, "op7")

EVERY = frozenset({ContactField.ALL})
EMAIL = frozenset({ContactField.EMAIL})
VOICE = frozenset({ContactField.PHONE, ContactField.PHONE_EXT})

PERSON = {
    "name": "Camille Durand",
    "street": "1 rue de l'Exemple",
    "city": "Exempleville",
    "postal_code": "00000",
    "country": "FR",
    "phone": "+33.199000000",
    "email": "camille@durand.example",
}

ELEMENTS: Mapping[str, frozenset[str]] = {
    "name": frozenset({"name"}),
    "org": frozenset({"organization"}),
    "addr": frozenset({"street", "city", "state_province", "postal_code", "country"}),
    "voice": frozenset({"phone", "phone_ext"}),
    "fax": frozenset({"fax", "fax_ext"}),
    "email": frozenset({"email"}),
    "vat": frozenset({"vat"}),
    "notifyEmail": frozenset({"notify_email"}),
}
"""The elements that the public sees, each with the fields that must all be published for it."""

_NOT_SEEN = {FieldOutcome.ABSENT, FieldOutcome.NOT_OUTPUT}

OPENED: Mapping[str, Callable[[], Registry]] = {
    "no": lambda: Registry(hides=False),
    "uk": Registry,
    "cz": lambda: Registry(dialect=FRED),
    "afnic": Registry,
    "ca": Registry,
}
"""The registries, by the job's names: one that shows, two that hide, and two with a switch."""

ALL_OR_NOTHING = "everything"

Serve = Callable[[str], AbstractAsyncContextManager[Wire]]
"""Serves a consent service at an address."""


def contact(name: str, account: str = "", **more: Any) -> dict[str, Any]:
    """A line of the directory."""
    return {
        "contact": name,
        "account": account or f"account:{name}",
        "kind": "natural",
        "values": PERSON,
        **more,
    }


def domain(name: str, registrant: str, **more: Any) -> dict[str, Any]:
    """A line of the directory."""
    usual = {"registered": "2025-02-01T10:00:00Z", "bindings": {"registrant": registrant}}
    return {"domain": name, **usual, **more}


def write_lines(file: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Writes a directory."""
    with file.open("w", encoding="utf-8") as out:
        out.writelines(f"{json.dumps(one)}\n" for one in lines)


def elements(answer: Publication) -> set[str]:
    """The elements that the public sees where this is the answer."""
    seen = set()
    for element, names in ELEMENTS.items():
        outcomes = [
            answer.fields[one].outcome for one in map(ContactField, names) if one in answer.fields
        ]
        valued = [one for one in outcomes if one not in _NOT_SEEN]
        if valued and all(one is FieldOutcome.PUBLISH for one in valued):
            seen.add(element)
    return seen


def asked_about(*versions: NoticeVersion) -> Catalogue:
    """A catalogue in which people are asked about publication, in words of these versions."""
    whois = catalogues.purpose(catalogues.WHOIS, takes_scope=True, versions=versions or None)
    return catalogues.catalogue(whois)


def allowed(registry: str, answer: Publication) -> set[str]:
    """What the public may see at a registry where this is the answer."""
    if registry in {"afnic", "ca"}:
        return {ALL_OR_NOTHING} if answer.published_fields else set()
    return elements(answer)


class Scene:
    """The registrar. `registries` are servers by the name of the job's registry."""

    serve: Serve

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.catalogue = asked_about()
        self.patience = 60
        self.port = 0
        self.passwords: dict[str, str] = {}
        self._running = AsyncExitStack()
        self._opened: AsyncConsentClient | None = None
        self.registries: dict[str, RegistryServer] = {}
        self.unreachable: set[str] = set()
        self.purpose = PURPOSE
        self.pauses: list[float] = []
        self.time = 0.0
        self.lines: list[dict[str, Any]] = []
        self.profiles: list[Profile] = []
        self.set_up: dict[str, int] = {}
        self._events: list[ConsentEvent] = []
        self._cursor: str | None = None

    @property
    def client(self) -> AsyncConsentClient:
        """Asks the consent service."""
        assert self._opened is not None
        return self._opened

    @property
    def target(self) -> str:
        """Where the consent service is, also while it is down."""
        return f"127.0.0.1:{self.port}"

    async def starts(self) -> None:
        """The consent service is there from here on, in one place."""
        wire = await self._running.enter_async_context(self.serve(self.target))
        self.port = wire.server.port
        client = AsyncConsentClient(self.target, retry=Retry(attempts=50))
        self._opened = await self._running.enter_async_context(client)

    async def stops(self) -> None:
        """The consent service goes down."""
        await self._running.aclose()

    async def __aenter__(self) -> Self:
        await self.starts()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stops()

    @property
    def directory_file(self) -> Path:
        """Where the directory is."""
        return self.folder / "directory.jsonl"

    @property
    def state_file(self) -> Path:
        """Where the job's memory is."""
        return self.folder / "state.db"

    async def has(self, *lines: dict[str, Any]) -> None:
        """Says what the registrar has; each registry gets what is its own."""
        self.profiles = await self.client.list_profiles()
        self.lines = list(lines)
        write_lines(self.directory_file, lines)
        registries = Registries(self.profiles)
        with JsonLines(self.directory_file) as directory:
            for use in directory.all_uses():
                record = directory.contact(use.contact)
                found = registries.registry(use.domain)
                assert record is not None
                if found is not None and found[0] in self.registries:
                    _place(self.registries[found[0]].registry, record, use.domain)
        self.forget()

    def changes(self, name: str, **values: Any) -> None:
        """A contact's line says something else from now on; the registries are not told."""
        for line in self.lines:
            if line.get("contact") == name:
                line.update(values)
        write_lines(self.directory_file, self.lines)

    @asynccontextmanager
    async def job(
        self, *, pause: Callable[[float], Awaitable[None]] | None = None, **options: Any
    ) -> AsyncIterator[Sync]:
        """The job, on what is remembered of earlier ones. It waits in `pause`, for no time."""

        async def pauses(seconds: float) -> None:
            await (pause or self.pause)(seconds)
            self.time += seconds  # a pause that is broken off has taken no time

        async with AsyncExitStack() as stack:
            directory = stack.enter_context(JsonLines(self.directory_file))
            state = stack.enter_context(State(self.state_file))
            adapters: dict[str, Adapter] = {}
            for name, server in self.registries.items():
                adapters[name] = await stack.enter_async_context(self.adapter(name, server))
            client = await stack.enter_async_context(AsyncConsentClient(self.target))
            usual: dict[str, Any] = {
                "client": client,
                "directory": directory,
                "state": state,
                "registries": Registries(self.profiles),
                "adapters": adapters,
                "purpose_id": self.purpose,
                "relay": lambda one: f"{one.handle}@relay.invalid",
                "pause": pauses,
                "clock": lambda: self.time,
            }
            yield Sync(World(**usual | options))

    def adapter(self, name: str, server: RegistryServer) -> EppRegistry:
        """How the job reaches a registry."""
        return EppRegistry(
            server.host,
            1 if name in self.unreachable else server.port,
            client=server.registry.client,
            password=self.passwords.get(name, server.registry.password),
            plain=True,
            dialect=server.registry.dialect,
            prompt=True,
        )

    async def pause(self, seconds: float) -> None:
        """Takes the place of waiting."""
        self.pauses.append(seconds)
        # A job never gives up. A test does.
        assert len(self.pauses) < 1_000
        await asyncio.sleep(0)

    async def settle(self, **options: Any) -> Sync:
        """A job that reads all there is, does all that is to be done, and ends."""
        async with self.job(**options) as sync:
            await sync.follow(await self.head())
        return sync

    async def reconcile(self, **options: Any) -> Sync:
        """A job that compares everything."""
        async with self.job(**options) as sync:
            await sync.reconcile()
        return sync

    async def head(self) -> int:
        """The position of the last event."""
        return (await self.client.list_events(page_size=1)).head_position

    async def say(
        self,
        action: Action,
        account: str,
        fields: frozenset[ContactField] = EVERY,
        contact: str | None = None,
        domain: str | None = None,
        role: ContactRole | None = None,
    ) -> None:
        """A customer says something at some scope."""
        scope = None
        if action not in {Action.OBJECT, Action.WITHDRAW_OBJECTION}:
            scope = Scope(fields, contact, domain, role)
        notice = NOTICE if action in {Action.GIVE, Action.REFUSE} else None
        change = Change(PURPOSE, action, notice, scope=scope)
        await self.client.update(account, [change], channel="panel")

    async def give(self, account: str, fields: frozenset[ContactField] = EVERY, **at: Any) -> None:
        """A customer flips the switch on."""
        await self.say(Action.GIVE, account, fields, **at)

    async def withdraw(
        self, account: str, fields: frozenset[ContactField] = EVERY, **at: Any
    ) -> None:
        """A customer flips the switch off."""
        await self.say(Action.WITHDRAW, account, fields, **at)

    async def erase(self, account: str) -> Erased:
        """A customer is forgotten, once the service has waited for whom it waits for."""
        return await self.client.erase(account, actor=OPERATOR, channel="letter")

    async def wanted(self) -> dict[tuple[str, str], set[str]]:
        """What the consent service says of everything that has a switch, asked as anybody would."""
        registries = Registries(self.profiles)
        found: dict[tuple[str, str], set[str]] = {}
        with JsonLines(self.directory_file) as directory:
            for use in directory.all_uses():
                thing = registries.thing(use)
                if thing is None or thing.registry not in self.registries:
                    continue
                key = (thing.registry, thing.name)
                if key not in found:
                    answer = await self.client.resolve(ask_about(directory, registries, use))
                    found[key] = allowed(thing.registry, answer)
        return found

    def seen(self) -> dict[tuple[str, str], set[str]]:
        """What the public sees of it."""
        registries = Registries(self.profiles)
        found = {}
        with JsonLines(self.directory_file) as directory:
            for use in directory.all_uses():
                thing = registries.thing(use)
                if thing is not None and thing.registry in self.registries:
                    record = directory.contact(use.contact)
                    assert record is not None
                    about = record.handle if thing.kind == "contact" else thing.name
                    found[thing.registry, thing.name] = self.seen_of(thing.registry, about)
        return found

    def seen_of(self, name: str, about: str) -> set[str]:
        """What the public sees at a registry of one contact object, or of one domain."""
        registry = self.registries[name].registry
        match name:
            case "afnic":
                shown = "frnic:list" not in registry.contacts[about].extension
            case "ca":
                said = registry.domains[about].extension
                shown = said.get("fury:properties/PRIVACY") == "PUBLIC"
            case _:
                return set(registry.visible(about))
        return {ALL_OR_NOTHING} if shown else set()

    def history(self, name: str) -> list[Accepted]:
        """What a registry has carried out since it was set up."""
        return list(self.registries[name].registry.history[self.set_up[name] :])

    def forget(self) -> None:
        """What was carried out until now is history."""
        self.set_up = {name: len(one.registry.history) for name, one in self.registries.items()}

    async def reports(self) -> list[PublicationReport]:
        """What the job has told the consent service, in the order of the log."""
        events = await self.log(EventKind.PUBLICATION_REPORTED)
        return [one.report for one in events if one.report is not None]

    async def told(self, since: int = 0) -> dict[tuple[str, str], set[str]]:
        """What the public sees, by what the job has told the consent service of it at last."""
        named = {one.registry: one.id for one in self.profiles}
        found: dict[tuple[str, str], set[str]] = {}
        for event in await self.log(EventKind.PUBLICATION_REPORTED):
            if event.position <= since or event.report is None or event.scope is None:
                continue
            name = named[event.report.registry]
            fields = {one.value for one in event.report.published_fields}
            if name in {"afnic", "ca"}:
                seen = {ALL_OR_NOTHING} if fields else set()
            else:
                seen = {one for one, of in ELEMENTS.items() if of & fields}
            found[name, event.scope.domain or event.scope.contact_id or ""] = seen
        return found

    async def log(self, kind: EventKind | None = None) -> list[ConsentEvent]:
        """What is in the log, of one kind."""
        at_head = False
        while not at_head:
            page = await self.client.list_events(self._cursor)
            self._events += page.events
            self._cursor, at_head = page.cursor, page.at_head
        return [one for one in self._events if kind in {None, one.kind}]

    async def next_report(self, after: int) -> ConsentEvent:
        """Waits until the job has told the consent service of something."""
        watch: AsyncGenerator[Any, None] = self.client.watch(start_position=after + 1)
        async for batch in watch:
            for event in batch.events:
                if event.kind is EventKind.PUBLICATION_REPORTED:
                    await watch.aclose()
                    return event  # type: ignore[no-any-return]  # a batch is not typed here
        raise AssertionError


def ask_about(directory: JsonLines, registries: Registries, use: Use) -> PublicationQuestion:
    """The whole truth about a contact at a registry, from the registrar's side."""
    at = registries.registry(use.domain)
    domains = [
        one for one in directory.domains_of(use.contact) if registries.registry(one.name) == at
    ]
    if at is not None and not at[1].per_contact:
        domains = [one for one in domains if one.name == use.domain]
    bound = dict.fromkeys(who for one in domains for who in one.bindings.values())
    known = [one for one in map(directory.contact, bound) if one is not None]
    role = next(at for at, who in domains[0].bindings.items() if who == use.contact)
    return PublicationQuestion(
        PURPOSE,
        domain_facts(domains[0], domains[0].bindings),
        role,
        tuple(map(contact_facts, known)),
        other_domains=tuple(domain_facts(one, one.bindings) for one in domains[1:]),
        publisher=Publisher.REGISTRY,
    )


def _place(registry: Registry, record: ContactRecord, name: str) -> None:
    if record.handle not in registry.contacts:
        registry.create_contact(record.handle, data_of(record, frozenset(record.values)))
        if record.verified and registry.dialect == FRED:
            registry.verify(record.handle)
    if name not in registry.domains:
        registry.create_domain(name, {"registrant": record.handle})


async def ended(task: asyncio.Task[None]) -> None:
    """Tells a job to stop, and waits until it has."""
    task.cancel()
    await asyncio.wait([task])


def complaints(caplog: Any) -> list[tuple[int, str]]:
    """What the job has complained about."""
    return [
        (one.levelno, one.getMessage())
        for one in caplog.records
        if one.name.startswith("registry_sync") and one.levelno >= logging.WARNING
    ]
