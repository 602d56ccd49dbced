"""What every store promises of the checkpoints that it keeps, and of the leaves they cover."""

from consentsvc.domain.encoding import commitment, read_header, read_personal_part
from consentsvc.domain.identifiers import Position
from consentsvc.service.ports import EventStore, SignedCheckpoint
from tests.storage.making import ANNA, BEN, everything, given, record, withdrawn


async def signed(store: EventStore, size: int) -> SignedCheckpoint:
    """A checkpoint of the store's first events; nobody has really signed it."""
    root = await store.tree_root(Position(size))
    return SignedCheckpoint(Position(size), root, f"checkpoint of {size}\n")


class CheckpointContract:
    """See `EventStoreContract`, of which it is a part."""

    async def test_checkpoints_are_kept(self, store: EventStore) -> None:
        """The last is the largest; an event's is the smallest that has it, and stays that."""
        none = await store.last_checkpoint()
        await record(store, *(given(BEN) for _ in range(9)))
        three, five, seven = [await signed(store, size) for size in (3, 5, 7)]
        for one in (three, seven, seven, three, five):
            await store.keep_checkpoint(one)
        covering = [await store.covering_checkpoint(Position(one)) for one in range(1, 10)]

        assert none is None
        assert await store.last_checkpoint() == seven
        assert covering == [three] * 3 + [seven] * 4 + [None] * 2

    async def test_a_leaf_is_told_to_its_subject(self, store: EventStore) -> None:
        """Header and personal part fit together, and say what the event says."""
        await record(store, given(ANNA), withdrawn(BEN))
        event, _ = await everything(store)
        leaf = await store.leaf(ANNA, Position(1))

        assert leaf is not None
        assert leaf.opened is not None
        assert leaf.header == await store.header(Position(1))
        assert read_header(leaf.header).commitment == commitment(*leaf.opened)
        assert read_personal_part(leaf.opened.personal) == event.personal

    async def test_no_leaf_of_somebody_else(self, store: EventStore) -> None:
        """Nothing is told of an event that is another's, nobody's, or not there."""
        await record(store, given(ANNA), given(BEN))

        for subject, position in ((ANNA, 2), (BEN, 1), (BEN, 3), (BEN, 2**63)):
            assert await store.leaf(subject, Position(position)) is None
