"""What can go wrong between a client and a registry, on purpose.

A fault waits for the n-th command from now that it is meant for, or comes at random from a seed.
"""

import enum
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self


class Kind(enum.Enum):
    """The ways to fail."""

    SLOW = "slow"
    """Carried out, and answered so many seconds later."""

    DROP_BEFORE = "drop-before"
    """Not carried out, and the connection cut."""

    DROP_AFTER = "drop-after"
    """Carried out, and the connection cut before the answer."""

    REFUSE = "refuse"
    """Not carried out, and answered with a code."""

    TWICE = "twice"
    """Carried out, and answered twice."""

    STRAY = "stray"
    """Carried out, and answered as if it had been something else."""

    GARBAGE = "garbage"
    """Carried out, and answered with a frame that is no XML."""

    NOISE = "noise"
    """Carried out, and answered with bytes that are no frame."""

    CLOSE = "close"
    """Not carried out, answered with a code, and the connection cut."""


_USUAL_VALUES = {Kind.SLOW: 1.0, Kind.REFUSE: 2400, Kind.CLOSE: 2502}

# Not for sessions: a client that cannot log in meets nothing else.
_NOT_FOR = frozenset({"login", "logout"})

_WRITTEN = re.compile(
    r"(?P<kind>[a-z-]+)(:(?P<value>[0-9.]+))?(@(?P<nth>[0-9]+))?(/(?P<command>[a-z:]+))?"
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: for the n-th command, of one name or, without it, of any but login and logout."""

    kind: Kind
    value: float = 0.0
    nth: int = 1
    command: str | None = None

    def __post_init__(self) -> None:
        if self.nth < 1:
            raise ValueError("the first command is number 1")
        if not self.value and self.kind in _USUAL_VALUES:
            object.__setattr__(self, "value", _USUAL_VALUES[self.kind])

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads KIND[:VALUE][@NTH][/COMMAND], such as refuse:2304@3/contact:update."""
        found = _WRITTEN.fullmatch(text)
        if found is None or found["kind"] not in {one.value for one in Kind}:
            kinds = ", ".join(one.value for one in Kind)
            raise ValueError(f"{text!r} is not KIND[:VALUE][@NTH][/COMMAND] with a KIND of {kinds}")
        return cls(
            Kind(found["kind"]),
            float(found["value"] or 0),
            int(found["nth"] or 1),
            found["command"],
        )

    def meant_for(self, command: str) -> bool:
        """Whether a command of this name counts."""
        return command not in _NOT_FOR if self.command is None else command == self.command


class Faults:
    """The faults that are still to come."""

    def __init__(self, *faults: Fault) -> None:
        self._waiting = list(faults)
        self._chance = 0.0
        self._random = random.Random(0)  # noqa: S311  # to be repeatable is its purpose
        self._kinds: Sequence[Kind] = ()

    def add(self, *faults: Fault) -> None:
        """Lets these come, counted from now."""
        self._waiting += faults

    def at_random(self, chance: float, seed: int, kinds: Sequence[Kind] = tuple(Kind)) -> None:
        """Lets faults of these kinds come with this probability; 0 ends it."""
        if not 0 <= chance <= 1:
            raise ValueError("a chance lies between 0 and 1")
        self._chance = chance
        self._random = random.Random(seed)  # noqa: S311  # to be repeatable is its purpose
        self._kinds = kinds

    def next(self, command: str) -> Fault | None:
        """The fault for the command that has just arrived, if there is one."""
        due = None
        waiting = []
        for fault in self._waiting:
            if not fault.meant_for(command):
                waiting.append(fault)
            elif fault.nth > 1:
                waiting.append(replace(fault, nth=fault.nth - 1))
            elif due is None:
                due = fault
            else:
                waiting.append(fault)
        self._waiting = waiting
        if due is None and command not in _NOT_FOR and self._random.random() < self._chance:
            due = Fault(self._random.choice(self._kinds))
        return due
