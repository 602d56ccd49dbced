"""What is next at a registry: who has to wait for whom, and whether it still answers anybody."""

from collections.abc import Callable

from registry_sync._due import Due, Thing
from registry_sync._resting import Resting
from registry_sync._state import State

# What is resolved at once: enough that a question costs little, few enough that a withdrawal which
# comes meanwhile is not far behind.
_ROUND = 200
# One command that fails may be its own fault. So many different ones in a row are the registry's.
_DOWN = 3


class Turns:
    """The order of what is to be done at one registry.

    A withdrawal that is new is always first. Those that have failed take turns with everything
    that is not urgent: they would keep it away for ever if they failed slowly.
    """

    def __init__(self, registry: str, state: State, resting: Resting) -> None:
        self._registry = registry
        self._state = state
        self._resting = resting
        self._failing: dict[Thing, None] = {}
        self._looks_down = False
        self._others_turn = False

    def next(self) -> list[Due]:
        """What to do next, all of it urgent or none; empty if everything that is left rests."""
        resting = self._resting
        due = self._fresh_first(resting.rests)
        if due and due[0].urgent and resting.knows(due[0]) and self._others_turn:
            due = self._fresh_first(lambda one: one.urgent or resting.rests(one)) or due
        self._others_turn = bool(due) and due[0].urgent
        return due

    def must_wait(self, due: Due) -> bool:
        """Whether somebody has just taken something back, perhaps: that goes first."""
        knows = self._resting.knows
        return (not due.urgent or knows(due)) and self._state.is_pressed(self._registry, knows)

    def failed(self, due: Due) -> bool:
        """Puts it off; tells whether the registry looks down."""
        self._resting.put_off(due)
        self._failing[due.thing] = None
        if len(self._failing) < _DOWN:
            return False
        self._failing.clear()
        self._looks_down = True
        return True

    def answered(self) -> None:
        """Notes that the registry has answered something."""
        self._failing.clear()
        self._looks_down = False

    def _fresh_first(self, passed_over: Callable[[Due], bool]) -> list[Due]:
        """What is due, and what has failed before at its end: it may fail again, and again."""
        knows = self._resting.knows
        due = self._due(passed_over)
        failed = [one for one in due if knows(one)]
        if not failed:
            return due
        fresh = self._due(lambda one: passed_over(one) or knows(one))
        if not fresh or fresh[0].urgent is not due[0].urgent:
            return due
        return [*fresh, *failed][:_ROUND]

    def _due(self, passed_over: Callable[[Due], bool]) -> list[Due]:
        # However many fail by themselves at the front, they must not hide that others would not:
        # a reconciliation tries 18 before it gives up, and the next one would try the same.
        return self._state.due(self._registry, _ROUND, passed_over, anyhow=self._looks_down)
