"""What failed by itself, and rests while everything else goes on."""

from collections.abc import Callable
from typing import NamedTuple

from registry_sync._due import Due, Thing
from registry_sync._errors import PutOff

# Each time twice as long. To try costs as long as the registry lets us wait for an answer, and
# that is time in which nothing else is done there.
_FIRST, _LONGEST = 0.1, 300.0
# Nobody is asked for less than that: a person may have to look at it.
_FIRST_OF_ACCEPTED = 30.0


class _Rest(NamedTuple):
    due: Due
    seconds: float
    until: float
    accepted: bool


class Resting:
    """The things at one registry that are to be left alone for a while.

    A change ends the rest: what is wanted now may be something else. `clock` counts seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._rests: dict[Thing, _Rest] = {}

    def put_off(self, due: Due, *, accepted: bool = False) -> None:
        """Lets it rest, longer than the last time; `accepted`: it is only not in force yet."""
        last = self._rests.get(due.thing)
        first = _FIRST_OF_ACCEPTED if accepted else _FIRST
        seconds = first
        if last is not None and last.due.mark == due.mark:
            seconds = max(first, min(2 * last.seconds, _LONGEST))
        self._rests[due.thing] = _Rest(due, seconds, self._clock() + seconds, accepted)

    def wake(self, thing: Thing) -> None:
        """Forgets about it."""
        self._rests.pop(thing, None)

    def knows(self, due: Due) -> bool:
        """Whether it has failed before, as it is."""
        rest = self._rests.get(due.thing)
        return rest is not None and rest.due.mark == due.mark

    def rests(self, due: Due) -> bool:
        """Whether it is to be left alone now."""
        return self.knows(due) and self._rests[due.thing].until > self._clock()

    def left(self) -> PutOff:
        """What to say where nothing else is left to do than what rests."""
        rests = self._rests.values()
        until = min((one.until for one in rests), default=0.0)
        return PutOff(
            len(rests),
            max(0.0, until - self._clock()),
            accepted=all(one.accepted for one in rests),
        )
