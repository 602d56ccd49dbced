"""A registry for tests: what it holds, what may be done to it, what the public can see."""

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from registry_sync._extensions import RFC, Dialect
from registry_sync._wire import ContactData, Postal
from registry_sync.testing import _contents as contents
from registry_sync.testing._contents import Accepted, StoredContact, StoredDomain
from registry_sync.testing._policy import Asked, Policy, Unacceptable

_NOTHING: Mapping[str, str] = MappingProxyType({})


class Registry:
    """Contacts and domains of one registrar, kept as FRED's documentation says.

    `hides` is the default policy. In FRED's dialect name and org are always shown, and the address
    until the contact is verified. Requests that list a `protected` element get 2308. Where it
    `reviews`, changes are accepted with 1001, and wait until somebody decides.
    """

    def __init__(
        self,
        *,
        dialect: Dialect = RFC,
        hides: bool = True,
        protected: Collection[str] = (),
        reviews: bool = False,
        client: str = "registrar",
        password: str = "correct horse",  # noqa: S107  # there is nothing behind it
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.dialect = dialect
        self.policy = Policy(dialect, hides, frozenset(protected))
        self.reviews = reviews
        self.client = client
        self.password = password
        self.now = now
        self.contacts: dict[str, StoredContact] = {}
        self.domains: dict[str, StoredDomain] = {}
        self.messages: list[tuple[str, str]] = []
        self._history: list[Accepted] = []
        self._waiting: dict[str, Callable[[], None]] = {}

    @property
    def history(self) -> tuple[Accepted, ...]:
        """Every change that was carried out, in order, with what held after it."""
        return tuple(self._history)

    def visible(self, handle: str) -> frozenset[str]:
        """The elements of which the public sees a value now."""
        return frozenset(self.published(handle))

    def published(self, handle: str) -> dict[str, tuple[str, ...]]:
        """The values that the public sees now, by element."""
        contact = self.contacts[handle]
        return contents.published(contact.data, contact.shown, self.dialect.fixed)

    def disclosed(self, handle: str) -> frozenset[str]:
        """The elements that are set to be shown, whether or not a value is held."""
        return self.dialect.fixed.union(name for name, _ in self.contacts[handle].shown)

    def verify(self, handle: str) -> None:
        """The registry has made sure who a natural person is: it hides the address, and says so."""
        contact = self.contacts[handle]
        contact.verified = True
        if not _is_organisation(contact.data):
            contact.shown = self.policy.verified(contact.shown)
            self.messages.append((str(len(self._history) + 1), f"{handle} has been verified"))
        self._accept("verified", handle, _NOTHING)

    def unverify(self, handle: str) -> None:
        """The registry does not know any more who this is: it shows the address, without a word."""
        contact = self.contacts[handle]
        contact.verified = False
        contact.shown = self.policy.unverified(contact.shown)
        self._accept("unverified", handle, _NOTHING)

    def submit(self, about: str, change: Callable[[], None]) -> None:
        """Carries a change out, or lets it wait; one at a time of each contact and domain."""
        if about in self._waiting:
            raise Unacceptable(2304)
        if self.reviews:
            self._waiting[about] = change
        else:
            change()

    def is_pending(self, about: str) -> bool:
        """Whether a change of a contact or a domain waits."""
        return about in self._waiting

    def decide(self, *, approve: bool) -> None:
        """Carries out all changes that wait, or drops them."""
        waiting, self._waiting = self._waiting, {}
        if approve:
            for change in waiting.values():
                change()

    def create_contact(
        self,
        handle: str,
        data: ContactData,
        asked: Asked | None = None,
        said: Mapping[str, str] = _NOTHING,
    ) -> None:
        """Makes a contact with this disclose and this extension."""
        if handle in self.contacts:
            raise Unacceptable(2302)
        if data.email is None or not data.postal or not all(map(_complete, data.postal.values())):
            raise Unacceptable(2003)
        shown = self.policy.created(asked)
        self.contacts[handle] = contact = StoredContact(handle, data, shown, self.now())
        contents.merge(contact.extension, said)
        self._accept("contact:create", handle, said)

    def update_contact(
        self, handle: str, change: ContactData, asked: Asked | None, said: Mapping[str, str]
    ) -> None:
        """Changes values and, with them or alone, the disclosure."""
        contact = self.contact(handle)
        data = contents.changed(contact.data, change)
        may_hide_address = contact.verified and not _is_organisation(data)
        contact.shown = self.policy.updated(contact.shown, asked, may_hide_address=may_hide_address)
        contact.data = data
        contents.merge(contact.extension, said)
        self._accept("contact:update", handle, said)

    def create_domain(
        self, name: str, contacts: Mapping[str, str], said: Mapping[str, str] = _NOTHING
    ) -> None:
        """Makes a domain, bound to contacts by role."""
        if name in self.domains:
            raise Unacceptable(2302)
        self._bind(name, contacts, StoredDomain(name, self.now()), said)
        self._accept("domain:create", name, said)

    def update_domain(
        self, name: str, contacts: Mapping[str, str], said: Mapping[str, str]
    ) -> None:
        """Changes which contacts a domain is bound to, and what extensions say of it."""
        self._bind(name, contacts, self.domain(name), said)
        self._accept("domain:update", name, said)

    def contact(self, handle: str) -> StoredContact:
        """A contact that is there."""
        if handle not in self.contacts:
            raise Unacceptable(2303)
        return self.contacts[handle]

    def domain(self, name: str) -> StoredDomain:
        """A domain that is there."""
        if name not in self.domains:
            raise Unacceptable(2303)
        return self.domains[name]

    def _bind(
        self, name: str, contacts: Mapping[str, str], domain: StoredDomain, said: Mapping[str, str]
    ) -> None:
        for handle in contacts.values():
            self.contact(handle)
        domain.contacts = dict(contacts)
        contents.merge(domain.extension, said)
        self.domains[name] = domain

    def _accept(self, command: str, about: str, said: Mapping[str, str]) -> None:
        published = self.published(about) if about in self.contacts else {}
        number = len(self._history) + 1
        self._history.append(Accepted(number, command, about, published, dict(said)))


def _complete(postal: Postal) -> bool:
    return bool(postal.name and postal.city and postal.cc)


def _is_organisation(data: ContactData) -> bool:
    return any(postal.org for postal in data.postal.values())
