"""A registry for tests: a real server that speaks EPP, and fails when it is told to.

    async with RegistryServer(Registry(hides=True)) as server:
        server.faults.add(Fault(Kind.DROP_AFTER, nth=2))
        ...
        assert server.registry.visible("ANN-1") == {"email"}

`python -m registry_sync.testing --help` runs one to be watched.
"""

from registry_sync.testing._certificates import Tls, self_signed
from registry_sync.testing._contents import Accepted, StoredContact, StoredDomain
from registry_sync.testing._faults import Fault, Faults, Kind
from registry_sync.testing._registry import Registry
from registry_sync.testing._server import RegistryServer

__all__ = [
    "Accepted",
    "Fault",
    "Faults",
    "Kind",
    "Registry",
    "RegistryServer",
    "StoredContact",
    "StoredDomain",
    "Tls",
    "self_signed",
]
