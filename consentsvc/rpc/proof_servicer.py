"""ProofService."""

from typing import Any

from consentsvc.domain.errors import InvalidRequest
from consentsvc.domain.identifiers import Position
from consentsvc.service.checkpoints import Checkpoints
from consentsvc.service.ports import EventStore
from consentsvc.v1 import proof_service_pb2 as messages
from consentsvc.v1.proof_service_pb2_grpc import ProofServiceServicer


class ProofServicer(ProofServiceServicer):
    """Proves that the log is what it was."""

    def __init__(self, store: EventStore, checkpoints: Checkpoints) -> None:
        self._store = store
        self._checkpoints = checkpoints

    async def GetCheckpoint(
        self, request: messages.GetCheckpointRequest, context: Any
    ) -> messages.GetCheckpointResponse:
        """See the proto."""
        if request.covering_position == 0:
            found = await self._checkpoints.last()
        else:
            covering = _from_one(request.covering_position, "covering_position")
            found = await self._checkpoints.covering(covering)
        response = messages.GetCheckpointResponse(verifier_key=self._checkpoints.verifier_key)
        if found is not None:
            response.checkpoint = found.note
            response.tree_size = found.size
        return response

    async def GetInclusionProof(
        self, request: messages.GetInclusionProofRequest, context: Any
    ) -> messages.GetInclusionProofResponse:
        """See the proto."""
        position = _from_one(request.position, "position")
        size = _from_one(request.tree_size, "tree_size")
        if size < position:
            raise InvalidRequest.field("tree_size", "must be the position at least")
        hashes = await self._store.inclusion_proof(position, size)
        header = await self._store.header(position)
        return messages.GetInclusionProofResponse(header=header, hashes=hashes)

    async def GetConsistencyProof(
        self, request: messages.GetConsistencyProofRequest, context: Any
    ) -> messages.GetConsistencyProofResponse:
        """See the proto."""
        old = _from_one(request.old_tree_size, "old_tree_size")
        new = _from_one(request.new_tree_size, "new_tree_size")
        if new < old:
            raise InvalidRequest.field("new_tree_size", "must be the old one at least")
        hashes = await self._store.consistency_proof(old, new)
        return messages.GetConsistencyProofResponse(hashes=hashes)


def _from_one(given: int, field: str) -> Position:
    if given < 1:
        raise InvalidRequest.field(field, "must be 1 or more")
    return Position(given)
