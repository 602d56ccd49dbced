"""Which contacts and domains are this customer's: the registrar's directory, held to one account.

The port is that of the registry sync job, so that a registrar fits its own systems to it once.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from registry_sync import ContactRecord, Directory, DomainRecord, Use

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Holding:
    """A customer's own contacts, by id, and where they are bound, by domain."""

    contacts: dict[str, ContactRecord] = field(default_factory=dict)
    uses: dict[str, list[Use]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DomainHolding:
    """A domain with every contact that it names, and the other domains of a contact."""

    record: DomainRecord
    bound: dict[str, ContactRecord]
    others: dict[str, list[DomainRecord]]


class Contacts:
    """Asks the directory, which may wait for a disk, without holding anybody else up."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._turn = asyncio.Lock()

    async def of(self, account: str) -> Holding:
        """A customer's contacts and domains."""
        return await self._ask(lambda: self._holding(account))

    async def domain(self, name: str, own: frozenset[str]) -> DomainHolding | None:
        """A domain, with the other domains of those of its contacts that are the customer's own."""
        return await self._ask(lambda: self._domain(name, own))

    async def _ask(self, question: Callable[[], T]) -> T:
        async with self._turn:
            return await asyncio.to_thread(question)

    def _holding(self, account: str) -> Holding:
        holding = Holding()
        for use in self._directory.uses(account):
            if use.contact not in holding.contacts:
                contact = self._directory.contact(use.contact)
                # Asked once more: what belongs to somebody else must not get through here.
                if contact is None or contact.account != account:
                    continue
                holding.contacts[use.contact] = contact
            holding.uses.setdefault(use.domain, []).append(use)
        return holding

    def _domain(self, name: str, own: frozenset[str]) -> DomainHolding | None:
        record = self._directory.domain(name)
        if record is None:
            return None
        found = {one: self._directory.contact(one) for one in set(record.bindings.values())}
        bound = {name: one for name, one in found.items() if one is not None}
        others = {
            one: [other for other in self._directory.domains_of(one) if other.name != name]
            for one in bound
            if one in own
        }
        return DomainHolding(record, bound, others)
