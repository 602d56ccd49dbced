"""EPP `contact:disclose` (RFC 5733, section 2.9): the complete list, never a delta.

One element carries one flag, so the list names the exceptions to what the server does by itself: a
hiding server is told what it may show, a showing one what it must hide. Some servers reset on
update what the list does not name, which is why it is complete or not there at all.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TypeAlias

from consentsvc.domain.publication.facts import PostalType
from consentsvc.domain.publication.profile import Encoder
from consentsvc.domain.publication.seen import Seen
from consentsvc.domain.publication.wire import (
    Commands,
    Data,
    Disclose,
    DiscloseList,
    Operation,
    Sent,
    Told,
)
from consentsvc.domain.scope import ContactField

ELEMENTS: Mapping[str, frozenset[ContactField]] = {
    "name": frozenset({ContactField.NAME}),
    "org": frozenset({ContactField.ORGANIZATION}),
    "addr": frozenset(
        {
            ContactField.STREET,
            ContactField.CITY,
            ContactField.STATE_PROVINCE,
            ContactField.POSTAL_CODE,
            ContactField.COUNTRY,
        }
    ),
    "voice": frozenset({ContactField.PHONE, ContactField.PHONE_EXT}),
    "fax": frozenset({ContactField.FAX, ContactField.FAX_EXT}),
    "email": frozenset({ContactField.EMAIL}),
    # FRED registries
    "vat": frozenset({ContactField.VAT}),
    "ident": frozenset({ContactField.IDENT}),
    "notifyEmail": frozenset({ContactField.NOTIFY_EMAIL}),
    # .gov, in the place of addr
    "street": frozenset({ContactField.STREET}),
    "city": frozenset({ContactField.CITY}),
    "sp": frozenset({ContactField.STATE_PROVINCE}),
    "pc": frozenset({ContactField.POSTAL_CODE}),
    "cc": frozenset({ContactField.COUNTRY}),
}
"""What can be listed, each with the fields that it stands for; a registry knows some of them."""

_POSTAL = frozenset({"name", "org", "addr", "street", "city", "sp", "pc", "cc"})


def told(
    encoder: Encoder,
    seen: Seen,
    previous: Sent,
    data_changed: frozenset[ContactField],
) -> Told:
    """What to send for a contact, given what was last sent and accepted."""
    lists = _Lists(encoder, seen)
    if seen.operation is Operation.UPDATE:
        commands = _update(lists, previous, data_changed)
    else:
        commands = (lists.created(),)
    return Told(commands, lists.updated(lists.shown))


def _update(lists: "_Lists", previous: Sent, data_changed: frozenset[ContactField]) -> Commands:
    before = lists.shown_by(previous)
    now = lists.forms(lists.shown)
    if lists.same(before, now):
        return (Disclose(),)
    if not data_changed:
        return (lists.updated(lists.shown),)
    # Old data is never shown under a new permission, and new data never under one that has ended.
    stands = before
    steps: list[Disclose | Data] = []
    if not lists.same(before & now, before):
        between = lists.whole(before & now)
        stands = lists.forms(between)
        steps.append(lists.updated(between))
    steps.append(Data(data_changed))
    if not lists.same(now, stands):
        steps.append(lists.updated(lists.shown))
    return tuple(steps)


Form: TypeAlias = tuple[str, PostalType | None]
"""An element, in one of its postal forms if it has any."""


class _Lists:
    """Makes and reads the lists of one contact at one registry."""

    def __init__(self, encoder: Encoder, seen: Seen) -> None:
        self._types = seen.postal_types
        self._shows = encoder.shows
        self._forced = frozenset() if seen.verified else encoder.forced
        self._all = frozenset(seen.elements)
        self.shown = frozenset(
            element for element, fields in seen.elements.items() if seen.may_show(fields)
        )

    def created(self) -> Disclose:
        """The list for an object that is not there yet: none if it names nothing."""
        named = self._named(self.shown) - self._forced
        return Disclose(self._list(named) if named else None)

    def updated(self, shown: frozenset[str]) -> Disclose:
        """The list that leaves exactly these elements shown."""
        return Disclose(self._list(self._named(shown) | self._forced))

    def forms(self, elements: Iterable[str]) -> frozenset[Form]:
        """These elements in every form that the contact has; in both where that is not known."""
        types = self._types or frozenset(PostalType)
        return _forms(frozenset(elements), types)

    def whole(self, forms: frozenset[Form]) -> frozenset[str]:
        """The elements of which every form is among these."""
        return frozenset(one for one in self._all if self.forms([one]) <= forms)

    def shown_by(self, sent: Sent) -> frozenset[Form]:
        """What an earlier list left shown; without one, what the server shows by itself."""
        every = self.forms(self._all)
        listed = sent.listed if isinstance(sent, Disclose) else None
        if listed is None or listed.flag is self._shows:
            # A flag that says what the server does anyway leaves it at that.
            return every if self._shows else frozenset()
        # A form that came later is not in the list.
        elements = listed.elements & self._all
        named = _forms(elements, listed.types or frozenset(PostalType))
        return every - named if self._shows else named & every

    def same(self, one: frozenset[Form], other: frozenset[Form]) -> bool:
        """Whether two states are alike, but for what the registry decides."""
        return all(element in self._forced for element, _ in one ^ other)

    def _named(self, shown: frozenset[str]) -> frozenset[str]:
        return self._all - shown if self._shows else shown

    def _list(self, elements: frozenset[str]) -> DiscloseList:
        postal = elements & _POSTAL
        types = self._types if postal else frozenset()
        return DiscloseList(not self._shows, elements, types)


# There are few registries with few elements each; the same sets of them come up all the time.
@lru_cache(maxsize=1_024)
def _forms(elements: frozenset[str], types: frozenset[PostalType]) -> frozenset[Form]:
    return frozenset(
        (element, type_)
        for element in elements
        for type_ in (types if element in _POSTAL else (None,))
    )
