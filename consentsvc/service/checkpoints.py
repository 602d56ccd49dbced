"""The log's states, signed: so that what it says today can be held against what it said before."""

import asyncio
from datetime import timedelta

import structlog

from consentsvc.domain.errors import PositionUnknown, StoreUnavailable
from consentsvc.domain.identifiers import START, Position
from consentsvc.domain.notes import Checkpoint, Note, NoteInvalid, Signer, signed, verifier_text
from consentsvc.service.ports import EventStore, SignedCheckpoint

_log = structlog.get_logger(__name__)

# How often one who waits looks: another process may be the one that signs.
_LOOK_EVERY_SECONDS = 0.05

# Far longer than it takes to sign: whoever signs is gone then, or cannot.
_PATIENCE_SECONDS = 10.0


class CannotSign(Exception):
    """The log cannot go on with what it has signed before. The server does not start."""


class Checkpoints:
    """Signs the states of a log, and hands out what was signed.

    A checkpoint is never signed twice with two contents: a position, once it is there, never
    changes; a log that lost some has another origin before it signs again (see `EventStore`).
    """

    def __init__(self, store: EventStore, signer: Signer) -> None:
        self._store = store
        self._signer = signer

    @property
    def verifier_key(self) -> str:
        """The key that checkpoints verify with, in one line."""
        return verifier_text(self._signer.name, self._signer.public_key)

    async def check_origin(self) -> None:
        """Raises `CannotSign` if the name to sign under is not the one of before."""
        last = await self._store.last_checkpoint()
        if last is None:
            return
        try:
            origin = Checkpoint.parse(Note.parse(last.note).text).origin
        except NoteInvalid as error:
            raise CannotSign(f"the last checkpoint is damaged: {error}") from error
        if origin != self._signer.name:
            raise CannotSign(
                f"the log has signed as {origin}, and is now to sign as {self._signer.name}"
            )

    async def run(self, every: timedelta) -> None:
        """Signs whenever the log has grown, until it is cancelled, and at most so often."""
        while True:
            signed_size = START
            try:
                last = await self.sign()
                signed_size = START if last is None else last.size
            except Exception as error:  # noqa: BLE001 - a failure must not be the last attempt
                _log.warning("signing_failed", error=type(error).__name__)
            await asyncio.sleep(every.total_seconds())
            await self._store.past(signed_size)

    async def sign(self) -> SignedCheckpoint | None:
        """Signs the log as it is now, if it has grown; tells the last checkpoint."""
        last, size = await self._store.last_checkpoint(), await self._store.head()
        if size == START or (last is not None and last.size >= size):
            return last
        root = await self._store.tree_root(size)
        text = Checkpoint(self._signer.name, size, root).text()
        checkpoint = SignedCheckpoint(size, root, str(signed(text, self._signer)))
        await self._store.keep_checkpoint(checkpoint)
        return await self._store.last_checkpoint()  # another process may have signed more

    async def last(self) -> SignedCheckpoint | None:
        """Tells the last checkpoint."""
        return await self._store.last_checkpoint()

    async def covering(self, position: Position) -> SignedCheckpoint:
        """Tells the first checkpoint that has the event at a position; waits for it to be signed.

        Raises `PositionUnknown` for a position past the head.
        """
        if not START < position <= await self._store.head():
            raise PositionUnknown("the log has no event at this position")
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while (found := await self._store.covering_checkpoint(position)) is None:  # noqa: ASYNC110 - another process may be the one that signs
                    await asyncio.sleep(_LOOK_EVERY_SECONDS)
        except TimeoutError as error:
            raise StoreUnavailable("no checkpoint is being signed now") from error
        return found
