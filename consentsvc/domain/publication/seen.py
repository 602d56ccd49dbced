"""What a registry has to know of what the public sees: what it is told follows from this alone."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from consentsvc.domain.publication.decided import Decided, all_published, may_show
from consentsvc.domain.publication.facts import PostalType
from consentsvc.domain.publication.profile import Profile, Switch, Table
from consentsvc.domain.publication.wire import Operation
from consentsvc.domain.scope import ContactField, Role


class Seen(NamedTuple):
    """What the public sees of a contact, and what else counts for the registry.

    `elsewhere` are the other uses of the same contact object. `of_domain` are the contacts of the
    domain by their role, for an encoder that asks for them. `legal` and `verified` are as
    the registry has it.
    """

    profile: Profile
    operation: Operation | None
    legal: bool
    verified: bool
    postal_types: frozenset[PostalType]
    decided: Decided
    elsewhere: frozenset[Decided]
    of_domain: tuple[tuple[Role, Decided], ...]

    @property
    def elements(self) -> Mapping[str, frozenset[ContactField]]:
        """The registry's switches, each with the fields that it stands for."""
        return self.profile.elements

    @property
    def table(self) -> Table:
        """The clause that decides each field."""
        return self.decided.table

    def may_show(self, fields: Collection[ContactField]) -> bool:
        """Whether a switch for these fields may be on."""
        return may_show(self.decided, self.elsewhere, fields)

    @property
    def shown(self) -> bool:
        """Whether everything that one switch for all stands for is published."""
        if self.profile.switch is Switch.DOMAIN:
            return all_published(kind for _, one in self.of_domain for kind in one.kinds.values())
        return self.may_show(self.decided.kinds)

    def shown_of(self, role: Role) -> bool:
        """The same, where the switch is the domain's but stands for one of its contacts alone."""
        return all_published(
            kind for other, one in self.of_domain if other is role for kind in one.kinds.values()
        )
