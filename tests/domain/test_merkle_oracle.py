"""The tree against another implementation of RFC 6962: pymerkle, which is for tests only."""

import random
from collections.abc import Iterator

import pymerkle  # type: ignore[import-untyped]  # it tells no types
import pytest

from consentsvc.domain.merkle import (
    Frontier,
    Node,
    check_consistency,
    consistency_nodes,
    frontier_nodes,
    inclusion_nodes,
    leaf_hash,
    proof,
    root_from_inclusion,
)


class Both:
    """The same leaves in our tree and in theirs."""

    def __init__(self, size: int) -> None:
        self.theirs = pymerkle.InmemoryTree(algorithm="sha256")
        leaves = []
        for number in range(size):
            data = number.to_bytes(8, "big")
            self.theirs.append_entry(data)
            leaves.append(leaf_hash(data))
        self._nodes = {Node(0, at): leaf for at, leaf in enumerate(leaves)}
        self._nodes |= Frontier().appended(leaves)[1]

    def root(self, size: int) -> bytes:
        """Our root; theirs has to be the same."""
        ours = Frontier(size, tuple(self._nodes[one] for one in frontier_nodes(size))).root()
        assert ours == self.theirs.get_root(size)
        return ours

    def compare_inclusion(self, index: int, size: int) -> None:
        """Both proofs name the same hashes, and each convinces the other's checker."""
        ours = proof(inclusion_nodes(index, size), self._nodes)
        leaf, root = self._nodes[Node(0, index)], self.root(size)
        theirs = self.theirs.prove_inclusion(index + 1, size)

        assert sorted(theirs.path) == sorted([leaf, *ours])
        assert root_from_inclusion(leaf, index, size, ours) == root
        pymerkle.verify_inclusion(leaf, root, theirs)

    def compare_consistency(self, old: int, new: int) -> None:
        """Ours convinces our checker of their roots, and theirs their checker of ours."""
        ours = proof(consistency_nodes(old, new), self._nodes)
        roots = self.theirs.get_root(old), self.theirs.get_root(new)

        check_consistency(old, roots[0], new, roots[1], ours)
        theirs = self.theirs.prove_consistency(old, new)
        pymerkle.verify_consistency(self.root(old), self.root(new), theirs)


def some(pick: random.Random, low: int, high: int) -> Iterator[int]:
    """Both ends, and some between."""
    yield from {low, high, *(pick.randint(low, high) for _ in range(4))}


def test_all_sizes_to_300(pick: random.Random) -> None:
    """Roots of all, proofs of every leaf of the small ones and of some of the others."""
    both = Both(300)
    for size in range(1, 301):
        for index in range(size) if size <= 40 else some(pick, 0, size - 1):
            both.compare_inclusion(index, size)
        for old in range(1, size + 1) if size <= 40 else some(pick, 1, size):
            both.compare_consistency(old, size)


def test_random_sizes(pick: random.Random) -> None:
    """The same at sizes that nobody chose."""
    _compare(pick, 10_000)


@pytest.mark.soak
@pytest.mark.timeout(1_800)
def test_random_sizes_to_a_million(pick: random.Random) -> None:
    """The same for large ones."""
    _compare(pick, 1_000_000)


def _compare(pick: random.Random, largest: int) -> None:
    both = Both(largest)
    for _ in range(50):
        size = pick.randint(1, largest)
        both.compare_inclusion(pick.randrange(size), size)
        both.compare_consistency(pick.randint(1, size), size)
