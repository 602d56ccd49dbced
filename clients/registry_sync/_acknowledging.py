"""What the consent service is told of how far everything is done at the registries.

Before it forgets somebody it waits for that: from then on nobody can say whose contact is to be
hidden. So less may be told than is done, and more never.
"""

from consentclient import InvalidRequest
from registry_sync._errors import FollowerUnknown
from registry_sync._world import World


class Acknowledgements:
    """Tells it in the name of a follower, one cursor after the other.

    A cursor is told once all is done that was to be done when it was the job's: what a registry has
    refused is, what waits for one is not.
    """

    def __init__(self, world: World, follower: str) -> None:
        self._world = world
        self._follower = follower
        self._told: str | None = None
        self._next: str | None = None

    async def introduce(self) -> None:
        """Raises `FollowerUnknown` if the service waits for no follower of this name."""
        page = await self._world.client.list_events(page_size=1)
        # A log begins with a notice, which is nobody's: nothing had to be done about it.
        if page.events and page.events[0].pseudonym is None:
            await self._acknowledge(page.cursor)

    async def tell(self) -> bool:
        """Tells of a cursor if that is done, and whether it was; raises `FollowerUnknown`."""
        state = self._world.state
        if self._next is None and state.cursor() != self._told:
            self._next = state.cursor()
            state.await_due()
        # A report that comes when its subject is forgotten would make them known again.
        if self._next is None or state.is_awaited() or state.reports(1):
            return False
        await self._acknowledge(self._next)
        self._told, self._next = self._next, None
        return True

    async def tell_all(self) -> None:
        """Tells of every cursor that is done."""
        while await self.tell():
            pass

    async def _acknowledge(self, cursor: str) -> None:
        try:
            await self._world.client.acknowledge(self._follower, cursor)
        except InvalidRequest as error:
            raise FollowerUnknown(self._follower) from error
