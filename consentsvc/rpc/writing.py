"""What writes of several services have in common: the request id and the content it stands for."""

from typing import Protocol

from google.protobuf.descriptor import Descriptor

from consentsvc.domain import identifiers
from consentsvc.rpc.callers import Connection, caller
from consentsvc.service.ports import Request


class Write(Protocol):
    """A message that asks for a change."""

    DESCRIPTOR: Descriptor

    @property
    def request_id(self) -> str:
        """The caller's id of this request."""
        ...

    def SerializeToString(self, *, deterministic: bool = ...) -> bytes:  # noqa: N802 - protobuf's name
        """Everything that the caller sent."""
        ...


def request_of(message: Write, context: Connection) -> Request:
    """Ties a request id to its caller and to everything else that the message says."""
    kind = message.DESCRIPTOR.full_name.encode()
    content = kind + b"\x00" + message.SerializeToString(deterministic=True)
    return Request(caller(context).id, identifiers.request_id(message.request_id), content)
