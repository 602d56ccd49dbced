"""From the service's commands to what goes over the line, for one registry."""

from collections.abc import Mapping
from typing import Protocol

from consentclient import (
    ContactField,
    DataCommand,
    DiscloseCommand,
    DiscloseList,
    ExtensionValues,
    Publication,
    RegistryCommand,
)
from registry_sync._directory import ContactRecord
from registry_sync._wire import ContactData, Disclose, Extension, Held, Phone, Postal


class Answer(Protocol):
    """What a registry says of a command that it has accepted."""

    @property
    def pending(self) -> bool:
        """Whether what was asked is not in force yet."""
        ...


class Adapter(Protocol):
    """A registry, as far as the job sends to it. `EppRegistry` is one, if it is `prompt`.

    Raises `Refused` for what the registry will not do, `RegistryUnavailable` if it could not be
    found out what it did, and ValueError for what cannot be said in its words. It sends a command
    once: by the time of another attempt it may be another command that is wanted.
    """

    async def ready(self) -> bool | None:
        """Sees to it that a command could be sent at once; may raise `LoginRefused`.

        Tells whether the registry says that it hides by default; None if it does not say.
        """
        ...

    async def held(self, name: str, *, of_domain: bool) -> Held:
        """Asks what has become of a contact object, by its handle, or of a domain."""
        ...

    async def update_contact(
        self,
        handle: str,
        *,
        disclose: Disclose | None = None,
        extension: Extension | None = None,
        data: ContactData | None = None,
        emails: Mapping[str, str] | None = None,
    ) -> Answer:
        """Changes a contact object."""
        ...

    async def update_domain(self, name: str, extension: Extension) -> Answer:
        """Changes what a registry's extension says of a domain."""
        ...


class Relay(Protocol):
    """Makes the address that stands in for a person's own."""

    def __call__(self, contact: ContactRecord) -> str:
        """The relay address of a contact."""
        ...


async def send(
    adapter: Adapter,
    command: RegistryCommand,
    publication: Publication,
    contact: ContactRecord,
    relay: Relay,
) -> bool:
    """Sends one command, with the values that it needs; tells whether it is in force."""
    match command:
        case DiscloseCommand(DiscloseList(flag, elements, types)):
            listed = Disclose(flag, elements, frozenset(one.value for one in types))
            answer = await adapter.update_contact(contact.handle, disclose=listed)
        case DataCommand(fields):
            answer = await adapter.update_contact(contact.handle, data=data_of(contact, fields))
        case ExtensionValues(values) if publication.per_contact:
            emails = {"real": contact.values.get(ContactField.EMAIL, ""), "relay": relay(contact)}
            answer = await adapter.update_contact(
                contact.handle, extension=Extension(values), emails=emails
            )
        case ExtensionValues(values):
            answer = await adapter.update_domain(publication.domain, Extension(values))
        case _:
            raise AssertionError(f"no command: {command}")
    return not answer.pending


_ADDRESS = frozenset(
    {
        ContactField.STREET,
        ContactField.CITY,
        ContactField.STATE_PROVINCE,
        ContactField.POSTAL_CODE,
        ContactField.COUNTRY,
    }
)

SENT = _ADDRESS | {
    ContactField.NAME,
    ContactField.ORGANIZATION,
    ContactField.PHONE,
    ContactField.PHONE_EXT,
    ContactField.FAX,
    ContactField.FAX_EXT,
    ContactField.EMAIL,
    ContactField.VAT,
    ContactField.NOTIFY_EMAIL,
}
"""The fields whose values are brought to a registry when they change."""


def data_of(contact: ContactRecord, fields: frozenset[ContactField]) -> ContactData:
    """The values of some fields. Of an address all parts, for it is changed whole."""
    values = contact.values

    def of(name: ContactField) -> str | None:
        return values.get(name, "") if name in fields else None

    postal = None
    if fields & (_ADDRESS | {ContactField.NAME, ContactField.ORGANIZATION}):
        # An address that is gone has no city: it is for the command to say that it cannot be said.
        gone = {ContactField.CITY: "", ContactField.COUNTRY: ""}
        parts = {**gone, **values} if fields & _ADDRESS else {}
        street = parts.get(ContactField.STREET, "")
        postal = Postal(
            of(ContactField.NAME),
            of(ContactField.ORGANIZATION),
            tuple(street.splitlines()),
            parts.get(ContactField.CITY),
            parts.get(ContactField.STATE_PROVINCE),
            parts.get(ContactField.POSTAL_CODE),
            parts.get(ContactField.COUNTRY),
        )
    types = sorted(one.value for one in contact.postal_types) or ["loc"]
    return ContactData(
        postal={} if postal is None else dict.fromkeys(types, postal),
        voice=_phone(values, fields, ContactField.PHONE, ContactField.PHONE_EXT),
        fax=_phone(values, fields, ContactField.FAX, ContactField.FAX_EXT),
        email=of(ContactField.EMAIL),
        vat=of(ContactField.VAT),
        notify_email=of(ContactField.NOTIFY_EMAIL),
    )


def _phone(
    values: Mapping[ContactField, str],
    fields: frozenset[ContactField],
    number: ContactField,
    extension: ContactField,
) -> Phone | None:
    if not fields & {number, extension}:
        return None
    return Phone(values.get(number, ""), values.get(extension, ""))
