"""What a registry shows of a contact: arithmetic, as FRED's documentation has it.

A preference is an exception to the registry's default. Whatever a request does not list falls back
to the default, and so does everything if its flag points the same way as the default.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from registry_sync._extensions import FRED, Dialect
from registry_sync._wire import ADDRESS_PARTS, POSTAL_TYPES

Item = tuple[str, str]
"""An element that can be shown, and its postal type, which is empty where it has none."""

_POSTAL = frozenset({"name", "org", "addr", *ADDRESS_PARTS})
_ADDRESS: Item = ("addr", "")


class Unacceptable(Exception):
    """The registry answers with this code, and nothing has changed."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(code)


@dataclass(frozen=True, slots=True)
class Asked:
    """A disclose element as it arrived."""

    flag: bool
    listed: frozenset[Item]


@dataclass(frozen=True, slots=True)
class Policy:
    """A registry that hides by default, or shows; `protected` elements may not be listed at all."""

    dialect: Dialect
    hides: bool = True
    protected: frozenset[str] = field(default=frozenset())

    @property
    def everything(self) -> frozenset[Item]:
        """All that a contact can be asked to show or to hide."""
        return self._items((name, "") for name in self.dialect.settable)

    @property
    def default(self) -> frozenset[Item]:
        """What is shown of a contact that has no preference, fixed elements left aside."""
        return frozenset() if self.hides else self.everything

    def created(self, asked: Asked | None) -> frozenset[Item]:
        """What is shown of a new contact."""
        shown = self.default if asked is None else self._applied(asked)
        if self._holds_address:
            if asked is not None and _ADDRESS in asked.listed:
                raise Unacceptable(2001)
            shown |= {_ADDRESS}
        return shown

    def updated(
        self, shown: frozenset[Item], asked: Asked | None, *, may_hide_address: bool
    ) -> frozenset[Item]:
        """What is shown of a contact after an update."""
        if asked is None:
            return shown
        after = self._applied(asked)
        if self._holds_address and not may_hide_address and _ADDRESS not in after:
            raise Unacceptable(2304)
        return after

    def verified(self, shown: frozenset[Item]) -> frozenset[Item]:
        """What is shown of a contact once the registry knows who it is."""
        return shown - {_ADDRESS} if self._holds_address else shown

    def unverified(self, shown: frozenset[Item]) -> frozenset[Item]:
        """What is shown of a contact when the registry does not know any more."""
        return shown | {_ADDRESS} if self._holds_address else shown

    @property
    def _holds_address(self) -> bool:
        # The address is on show until the registry has verified the person.
        return self.dialect == FRED

    def _applied(self, asked: Asked) -> frozenset[Item]:
        if not {name for name, _ in asked.listed} <= self.dialect.settable:
            raise Unacceptable(2001)
        if any(name in self.protected for name, _ in asked.listed):
            raise Unacceptable(2308)
        if asked.flag is not self.hides:
            return self.default
        listed = self._items(asked.listed)
        return listed if self.hides else self.everything - listed

    def _items(self, listed: Iterable[Item]) -> frozenset[Item]:
        parted = "street" in self.dialect.settable
        items = set[Item]()
        for name, type_ in listed:
            names = ADDRESS_PARTS if parted and name == "addr" else (name,)
            typed = self.dialect.typed and name in _POSTAL
            types = ((type_,) if type_ else POSTAL_TYPES) if typed else ("",)
            items.update((name, type_) for name in names for type_ in types)
        return frozenset(items)
