"""ProofService: what was signed, and what it proves."""

from consentclient import _incoming as incoming
from consentclient._channel import Calls
from consentclient._model import InclusionProof, SignedCheckpoint
from consentsvc.v1 import proof_service_pb2 as messages


class ProofCalls(Calls):
    """What an auditor asks for. Nothing here is worth more than the checks that are made on it."""

    async def checkpoint(self, covering_position: int | None = None) -> SignedCheckpoint | None:
        """The last checkpoint, None before the first; or the first that covers an event.

        The latter is waited for, about a second.
        """
        return await self._connection.call(
            self._connection.stubs.proofs.GetCheckpoint,
            messages.GetCheckpointRequest(covering_position=covering_position or 0),
            incoming.checkpoint,
        )

    async def inclusion_proof(self, position: int, tree_size: int) -> InclusionProof:
        """Proves that an event is in the log of some size."""
        return await self._connection.call(
            self._connection.stubs.proofs.GetInclusionProof,
            messages.GetInclusionProofRequest(position=position, tree_size=tree_size),
            lambda answer: InclusionProof(answer.header, tuple(answer.hashes)),
        )

    async def consistency_proof(self, old_tree_size: int, new_tree_size: int) -> tuple[bytes, ...]:
        """Proves that the log of some size begins with the log of a smaller size."""
        return await self._connection.call(
            self._connection.stubs.proofs.GetConsistencyProof,
            messages.GetConsistencyProofRequest(
                old_tree_size=old_tree_size, new_tree_size=new_tree_size
            ),
            lambda answer: tuple(answer.hashes),
        )
