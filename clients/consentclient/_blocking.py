"""What the calls of a program that waits have in common."""

from consentclient._background import Background
from consentclient._channel import Connection
from consentclient._client import EveryCall


class BlockingCalls:
    """Calls over one connection, made on a loop in the background and waited for."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._client = EveryCall(connection)
        self._background = Background(connection)
