"""What every store promises of the Merkle tree over its events."""

import pytest

from consentsvc.domain.errors import PositionUnknown
from consentsvc.domain.identifiers import START, Position
from consentsvc.domain.merkle import (
    Frontier,
    check_consistency,
    leaf_hash,
    root_from_inclusion,
)
from consentsvc.service.ports import EventStore, Transaction
from tests.storage.making import ANNA, BEN, given, record, withdrawn


class TreeContract:
    """See `EventStoreContract`, of which it is a part."""

    async def test_the_tree_grows_with_the_log(self, store: EventStore) -> None:
        """Every event is in the tree at once, and every size has the root of its headers."""
        roots = [await store.tree_root(START)]
        for size in range(1, 20):
            await record(store, given(BEN) if size % 3 else withdrawn(BEN))
            roots.append(await store.tree_root(Position(size)))
        leaves = [leaf_hash(await store.header(Position(one))) for one in range(1, 20)]

        assert roots == [Frontier().appended(leaves[:size])[0].root() for size in range(20)]
        assert roots == [await store.tree_root(Position(size)) for size in range(20)]

    async def test_proofs_of_the_tree(self, store: EventStore) -> None:
        """Every event is proven to be in the tree, and every tree to begin with those before it."""
        await record(store, *(given(BEN) for _ in range(13)))
        roots = [await store.tree_root(Position(size)) for size in range(14)]
        for size in range(1, 14):
            for position in range(1, size + 1):
                path = await store.inclusion_proof(Position(position), Position(size))
                leaf = leaf_hash(await store.header(Position(position)))
                assert root_from_inclusion(leaf, position - 1, size, path) == roots[size]
            for old in range(size + 1):
                path = await store.consistency_proof(Position(old), Position(size))
                check_consistency(old, roots[old], size, roots[size], path)

    async def test_nothing_is_proven_past_the_head(self, store: EventStore) -> None:
        """What is not in the log yet has neither a root nor a proof."""
        await record(store, given())
        two = Position(2)
        for asked in (
            store.header(two),
            store.tree_root(two),
            store.inclusion_proof(two, two),
            store.consistency_proof(Position(1), two),
        ):
            with pytest.raises(PositionUnknown):
                await asked

    async def test_what_was_undone_is_in_no_tree(self, store: EventStore) -> None:
        """A request that fails leaves the tree as it was."""
        await record(store, given())
        before = await store.tree_root(Position(1))

        def fails(transaction: Transaction) -> None:
            transaction.append(withdrawn())
            raise LookupError

        with pytest.raises(LookupError):
            await store.write(fails, {ANNA})
        await record(store, given(BEN))
        path = await store.consistency_proof(Position(1), Position(2))

        check_consistency(1, before, 2, await store.tree_root(Position(2)), path)
