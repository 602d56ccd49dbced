"""Brings people's choices about publication to the registries, and keeps them there.

`registry-sync run` and `registry-sync reconcile` are the job as a program, for a directory in a
file of JSON lines. A registrar that has its domains elsewhere gives the job a `Directory` of its
own, and puts it together as the program does:

    async with (
        AsyncConsentClient("consent.internal:443", credentials=credentials) as client,
        EppRegistry(host, client=name, password=password, tls=tls, prompt=True) as cz,
    ):
        with State(Path("sync.db")) as state:
            registries = Registries(await client.list_profiles())
            await Sync(
                World(client, directory, state, registries, {"cz": cz}, "whois_publication", relay)
            ).follow()

`State` is what the job must not forget; one job has it at a time. An adapter is anything that fits
`Adapter`, by the registry's name: that of its profile or, where each suffix is a registry of its
own, with the suffix behind it, such as `epp-hiding/xyz`. `registry_sync.testing` has a registry to
try it on.
"""

from registry_sync._directory import ContactRecord, Directory, DomainRecord, Use, domain_name
from registry_sync._epp import EppRegistry
from registry_sync._errors import (
    FollowerUnknown,
    LoginRefused,
    Refused,
    RegistryError,
    RegistryUnavailable,
)
from registry_sync._extensions import CISA, FRED, NASK, RFC, Dialect
from registry_sync._jsonl import DirectoryInvalid, JsonLines
from registry_sync._printing import PrintingRegistry
from registry_sync._retry import Retry
from registry_sync._sending import Adapter, Relay
from registry_sync._state import State, StateUnusable
from registry_sync._summary import Summary
from registry_sync._sync import Sync
from registry_sync._things import Registries, contact_facts, domain_facts
from registry_sync._wire import Contact, ContactData, Disclose, Extension, Held, Phone, Postal
from registry_sync._world import World

__all__ = [
    "CISA",
    "FRED",
    "NASK",
    "RFC",
    "Adapter",
    "Contact",
    "ContactData",
    "ContactRecord",
    "Dialect",
    "Directory",
    "DirectoryInvalid",
    "Disclose",
    "DomainRecord",
    "EppRegistry",
    "Extension",
    "FollowerUnknown",
    "Held",
    "JsonLines",
    "LoginRefused",
    "Phone",
    "Postal",
    "PrintingRegistry",
    "Refused",
    "Registries",
    "RegistryError",
    "RegistryUnavailable",
    "Relay",
    "Retry",
    "State",
    "StateUnusable",
    "Summary",
    "Sync",
    "Use",
    "World",
    "contact_facts",
    "domain_facts",
    "domain_name",
]
