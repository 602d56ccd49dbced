"""What is told to a registry: what stands there, and the commands that bring it about.

The words are the registries' own, but not yet XML: an EPP `disclose` is a list of elements, an
extension is a mapping from path to value.
"""

from typing import NamedTuple, TypeAlias

from consentsvc.domain.publication.facts import PostalType
from consentsvc.domain.scope import ContactField
from consentsvc.domain.words import Word


class Operation(Word):
    """What a registry is told: of an object for the first time, or of one that it has."""

    CREATE = "create"
    UPDATE = "update"


class DiscloseList(NamedTuple):
    """An EPP `contact:disclose` element: exceptions to what the server does by itself.

    The elements that have a form for each postal type are meant in all of `types`.
    """

    flag: bool
    elements: frozenset[str]
    types: frozenset[PostalType] = frozenset()


class Disclose(NamedTuple):
    """A contact command, with a disclose element or without one."""

    listed: DiscloseList | None = None


class Extension(NamedTuple):
    """The registry's own extension: paths with their values. Truth values are `true`, `false`."""

    values: frozenset[tuple[str, str]]


class Data(NamedTuple):
    """A contact command that brings the new values of fields."""

    fields: frozenset[ContactField]


Step: TypeAlias = Disclose | Extension | Data
Commands: TypeAlias = tuple[Step, ...]
"""Commands in their order, each after the success of the one before; none if there is nothing."""

Sent: TypeAlias = Disclose | Extension | None
"""What was last sent and accepted, in the form of a create; None for nothing."""


class Told(NamedTuple):
    """What to send, and what stands at the registry once that was accepted."""

    commands: Commands = ()
    state: Sent = None


NOTHING = Told()
