"""A registry, a registrar's directory and the job between them, for the demo: all of them real."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from lxml import etree

from consentclient import AsyncConsentClient
from registry_sync import (
    FRED,
    ContactData,
    ContactRecord,
    EppRegistry,
    JsonLines,
    Phone,
    Postal,
    Registries,
    State,
    Summary,
    Sync,
    World,
)
from registry_sync.testing import Registry, RegistryServer

DOMAIN, HANDLE = "camille.cz", "CAMILLE-1"
_CLIENT, _PASSWORD = "REG-DEMO", "demo"
_REGISTERED = "2024-02-01T10:00:00Z"
_VALUES = {
    "name": "Camille Durand",
    "street": "1 rue de l'Exemple",
    "city": "Exempleville",
    "postal_code": "00000",
    "country": "FR",
    "phone": "+33.199000000",
    "email": "camille@durand.example",
}


class Publishing:
    """What the registry was sent and shows, and the job that sends to it."""

    def __init__(
        self, registry: Registry, frames: list[str], world: World, directory: Path
    ) -> None:
        self._registry = registry
        self._frames = frames
        self._world = world
        self.directory = directory

    async def sync(self, until: int) -> Summary:
        """Runs the job until it has read the log through a position."""
        self._frames.clear()
        job = Sync(self._world)
        await job.follow(until)
        return job.summary

    def updates(self) -> list[str]:
        """The frames of the last run that change a contact, as the registry received them."""
        return [one for one in self._frames if ":update" in one]

    def shows(self, element: str) -> bool:
        """Whether the public sees a value in an element of the contact."""
        return element in self._registry.visible(HANDLE)


@asynccontextmanager
async def publishing(
    client: AsyncConsentClient, folder: Path, subject: str, purpose: str
) -> AsyncIterator[Publishing]:
    """Starts a registry with one contact, whose owner is the subject, for as long as it runs."""
    directory = folder / "directory.jsonl"
    _write(directory, subject)
    registry = Registry(dialect=FRED, client=_CLIENT, password=_PASSWORD)
    registry.create_contact(HANDLE, _data())
    frames: list[str] = []
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(RegistryServer(registry, watch=_Watch(frames)))
        epp = await stack.enter_async_context(
            EppRegistry(
                server.host,
                server.port,
                client=_CLIENT,
                password=_PASSWORD,
                plain=True,
                dialect=FRED,
            )
        )
        world = World(
            client,
            stack.enter_context(JsonLines(directory)),
            stack.enter_context(State(folder / "sync.db")),
            Registries(await client.list_profiles()),
            {"cz": epp},
            purpose,
            _relay,
        )
        yield Publishing(registry, frames, world, directory)


class _Watch:
    """Keeps what arrives at the registry, as it can be read."""

    def __init__(self, frames: list[str]) -> None:
        self._frames = frames

    def received(self, _name: str, root: "etree._Element", _fault: object) -> None:
        etree.indent(root)
        self._frames.append(etree.tostring(root, encoding="unicode"))

    def answered(self, xml: bytes) -> None:
        """What the registry answers is not shown."""


def _relay(contact: ContactRecord) -> str:
    return f"{contact.handle}@relay.invalid"


def _data() -> ContactData:
    postal = Postal(
        _VALUES["name"],
        None,
        (_VALUES["street"],),
        _VALUES["city"],
        None,
        _VALUES["postal_code"],
        _VALUES["country"],
    )
    return ContactData({"loc": postal}, Phone(_VALUES["phone"]), email=_VALUES["email"])


def _write(directory: Path, subject: str) -> None:
    lines = (
        {"contact": HANDLE, "account": subject, "kind": "natural", "values": _VALUES},
        {"domain": DOMAIN, "registered": _REGISTERED, "bindings": {"registrant": HANDLE}},
    )
    directory.write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")
