"""One step at a time: from what is wanted and what stands to the next command.

Only the first command of an answer is ever sent. Once it was accepted the service is asked anew, so
that between a decision and its command lies nothing but the command's own way.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from consentclient import (
    ContactField,
    DataCommand,
    DiscloseCommand,
    DiscloseList,
    ExtensionValues,
    PostalType,
    Publication,
    RegistryCommand,
)
from registry_sync._applied import Applied
from registry_sync._wire import POSTAL, POSTAL_TYPES, Disclose


@dataclass(frozen=True, slots=True)
class Step:
    """The next command, what stands once it is accepted, and what it may do to what is seen.

    `last`: nothing is to follow. `name` is to know it again, should it be refused.
    """

    command: RegistryCommand
    after: Applied
    hides: bool
    shows: bool
    last: bool
    name: str


def next_step(
    answer: Publication,
    applied: Applied,
    changed: frozenset[ContactField],
    digests: Mapping[ContactField, str],
) -> Step | None:
    """The next command, None if the registry need not be told anything.

    `changed` are the values that the registry does not have yet, `digests` those of all values.
    """
    commands = _commands(answer, applied, changed, digests)
    if not commands:
        return None
    command, *rest = commands
    published = answer.published_fields
    if rest:
        published &= applied.published
    known = applied.digests if changed else digests
    match command:
        case DiscloseCommand(DiscloseList() as listed):
            hides, shows = _turns(listed, applied)
            return Step(
                command,
                Applied(listed, published, known),
                hides=hides or not applied.sure,
                shows=shows,
                last=not rest,
                name=_name([listed.flag, sorted(listed.elements), _types(listed)]),
            )
        case ExtensionValues(values):
            shows = bool(answer.published_fields - applied.published)
            hides = bool(applied.published - answer.published_fields)
            return Step(
                command,
                Applied(answer.state, answer.published_fields, known),
                hides=hides or not shows or not applied.sure,
                shows=shows,
                last=not rest,
                name=_name(dict(values)),
            )
        case DataCommand(fields):
            # The address that an extension holds is not among the values: what it says is known
            # again once it was told again.
            sure = applied.sure and not any(isinstance(one, ExtensionValues) for one in rest)
            return Step(
                command,
                Applied(applied.state, published, digests, sure),
                hides=False,
                shows=False,
                last=not rest,
                name=_name({one.value: digests.get(one) for one in fields}),
            )
    raise AssertionError(f"no command: {command}")


def stands(answer: Publication, digests: Mapping[ContactField, str]) -> Applied:
    """What stands where nothing is to be told."""
    return Applied(answer.state, answer.published_fields, digests)


def is_held(command: RegistryCommand, disclose: Disclose | None) -> bool:
    """Whether a registry that holds this preference has carried the command out.

    Only a `disclose` is to be seen there; whatever else is asked is not known.
    """
    if disclose is None or not isinstance(command, DiscloseCommand) or command.listed is None:
        return False
    listed = command.listed
    if disclose.elements & POSTAL and not disclose.types:
        return False  # the forms differ, or there are none
    types = frozenset(map(PostalType, disclose.types))
    held = DiscloseList(disclose.flag, disclose.elements, types)
    return held.flag is listed.flag and _forms(held) == _forms(listed)


def _commands(
    answer: Publication,
    applied: Applied,
    changed: frozenset[ContactField],
    digests: Mapping[ContactField, str],
) -> list[RegistryCommand]:
    found = [
        one
        for one in answer.commands
        if not (isinstance(one, DiscloseCommand) and one.listed is None)
    ]
    if isinstance(answer.state, DiscloseList):
        return _with_lists(found, answer.state, applied, changed)
    if applied.sure and not changed and answer.state == applied.state:
        # Some registries want it said with every update, but there is none.
        return []
    if not changed:
        return found
    data = DataCommand(changed)
    # What must go goes before there are new values, and what may come comes after them.
    if applied.sure:
        # Where the same fields are published and the switch is turned all the same, that is for
        # another use of the contact, and may be off.
        hides = bool(applied.published - answer.published_fields) or (
            applied.state != answer.state and not answer.published_fields - applied.published
        )
    else:
        # Whatever is held and may not be shown may be shown.
        hides = bool(digests.keys() - answer.published_fields)
    return [*found, data] if hides else [data, *found]


def _with_lists(
    found: list[RegistryCommand],
    wanted: DiscloseList,
    applied: Applied,
    changed: frozenset[ContactField],
) -> list[RegistryCommand]:
    if changed and not any(isinstance(one, DataCommand) for one in found):
        found = [*found, DataCommand(changed)]  # the decision is the same: the values go alone
    if applied.sure or (found and isinstance(found[0], DiscloseCommand)):
        return found
    # It is not known what stands, and a complete list makes it known: before new values the one
    # that was thought to stand, which shows nothing that may not be shown, or else the answer
    # would begin with a shorter one.
    stood = applied.state if found and isinstance(applied.state, DiscloseList) else wanted
    return [DiscloseCommand(stood), *found]


def _turns(listed: DiscloseList, applied: Applied) -> tuple[bool, bool]:
    """Whether a list hides something that was shown, and shows something that was hidden."""
    state = applied.state
    before = frozenset[tuple[str, str]]()
    if isinstance(state, DiscloseList) and state.flag is listed.flag:
        before = _forms(state)
    more, less = bool(_forms(listed) - before), bool(before - _forms(listed))
    return (less, more) if listed.flag else (more, less)


def _forms(listed: DiscloseList) -> frozenset[tuple[str, str]]:
    """What a list names: elements, each in the postal forms that are meant."""
    types = _types(listed) or POSTAL_TYPES
    return frozenset(
        (one, type_) for one in listed.elements for type_ in (types if one in POSTAL else ("",))
    )


def _types(listed: DiscloseList) -> list[str]:
    return sorted(one.value for one in listed.types)


def _name(told: object) -> str:
    return json.dumps(told, sort_keys=True)
