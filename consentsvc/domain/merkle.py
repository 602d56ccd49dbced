"""The Merkle tree of the log (RFC 6962, section 2.1): roots, proofs, and how to check them.

A tree of n leaves is made of complete subtrees, which never change once they are full. Their hashes
are what is kept: a `Node` names one by its level (a leaf has level 0) and its number among those of
its level, so that it covers the leaves from `number << level` on, `1 << level` of them. A proof of
any size needs no more than two of them a level.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

EMPTY_ROOT = hashlib.sha256(b"").digest()
"""The root of a tree without leaves."""


class Node(NamedTuple):
    """The name of a complete subtree."""

    level: int
    number: int


class ProofInvalid(ValueError):
    """A proof does not prove what it should."""


def leaf_hash(data: bytes) -> bytes:
    """Hashes a leaf's data."""
    return hashlib.sha256(b"\x00" + data).digest()


def parent_hash(left: bytes, right: bytes) -> bytes:
    """Hashes two subtrees into one."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """The right edge of a tree: all it takes to go on, and to tell the root.

    `hashes` are those of its complete subtrees, the largest first: one for each bit that is set in
    `size`.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0 or self.size.bit_count() != len(self.hashes):
            raise ValueError("a frontier has one hash for each complete subtree")

    def appended(self, leaves: Iterable[bytes]) -> "tuple[Frontier, dict[Node, bytes]]":
        """The frontier with more leaves, by their hashes, and every subtree that became complete.

        The leaves themselves are not among these.
        """
        size, hashes = self.size, list(self.hashes)
        completed: dict[Node, bytes] = {}
        for leaf in leaves:
            found, level = leaf, 0
            while size >> level & 1:
                found = parent_hash(hashes.pop(), found)
                level += 1
                completed[Node(level, size >> level)] = found
            hashes.append(found)
            size += 1
        return Frontier(size, tuple(hashes)), completed

    def root(self) -> bytes:
        """The root of the tree as it is now."""
        return _joined(self.hashes) if self.hashes else EMPTY_ROOT


def frontier_nodes(size: int) -> list[Node]:
    """Names the complete subtrees at the right edge of a tree, the largest first."""
    return _subtrees(0, size)


def inclusion_nodes(index: int, size: int) -> list[list[Node]]:
    """Names what the proof is made of that a leaf is in a tree; see `proof`."""
    if not 0 <= index < size:
        raise ValueError("the leaf is not in the tree")
    path: list[list[Node]] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_subtrees(middle, end))
            end = middle
        else:
            path.append(_subtrees(start, middle))
            start = middle
    return path[::-1]


def consistency_nodes(old: int, new: int) -> list[list[Node]]:
    """Names what the proof is made of that a tree grew out of a smaller one; see `proof`."""
    if not 0 <= old <= new:
        raise ValueError("the tree has not grown to this size")
    if old in {0, new}:
        return []
    path: list[list[Node]] = []
    start, end, whole = 0, new, True
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            path.append(_subtrees(middle, end))
            end = middle
        else:
            path.append(_subtrees(start, middle))
            start, whole = middle, False
    if not whole:
        path.append(_subtrees(start, end))
    return path[::-1]


def proof(named: Sequence[Sequence[Node]], hashes: Mapping[Node, bytes]) -> list[bytes]:
    """Makes a proof of what was named for it, given the hashes of all of that."""
    return [_joined([hashes[node] for node in one]) for one in named]


def root_from_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root that a proof leads to from a leaf, by its hash; `ProofInvalid` if it leads nowhere.

    It is for the caller to compare it with a root that somebody has signed.
    """
    if not 0 <= index < size:
        raise ProofInvalid("the leaf is not in a tree of this size")
    inner = (index ^ (size - 1)).bit_length()
    if len(path) != inner + (index >> inner).bit_count():
        raise ProofInvalid("the proof has another length than one for this leaf and size")
    found = leaf
    for level, sibling in enumerate(path[:inner]):
        pair = (sibling, found) if index >> level & 1 else (found, sibling)
        found = parent_hash(*pair)
    for sibling in path[inner:]:
        found = parent_hash(sibling, found)
    return found


def check_consistency(
    old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]
) -> None:
    """Makes sure that the larger tree begins with the smaller one; raises `ProofInvalid`."""
    if not 0 <= old <= new:
        raise ProofInvalid("the tree has shrunk")
    if old in {0, new}:
        if path:
            raise ProofInvalid("nothing is to be proven, and there is a proof")
        if old_root != (new_root if old == new else EMPTY_ROOT):
            raise ProofInvalid("two trees of one size have two roots")
        return
    before, after = _roots(old, old_root, new, path)
    if before != old_root:
        raise ProofInvalid("the proof does not lead to the root of the smaller tree")
    if after != new_root:
        raise ProofInvalid("the proof does not lead to the root of the larger tree")


def _roots(old: int, old_root: bytes, new: int, path: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The roots of both trees, as a proof tells them."""
    # Where the smaller tree is one complete subtree, its root is where the proof begins.
    shift = (old & -old).bit_length() - 1
    whole = old == 1 << shift
    before = after = old_root if whole else next(iter(path), b"")
    rest = path if whole else path[1:]
    last, index = (new - 1) >> shift, (old - 1) >> shift
    inner = (index ^ last).bit_length()
    if len(path) - len(rest) != (not whole) or len(rest) != inner + (index >> inner).bit_count():
        raise ProofInvalid("the proof has another length than one for these sizes")
    for level, sibling in enumerate(rest):
        if level >= inner or index >> level & 1:
            before, after = parent_hash(sibling, before), parent_hash(sibling, after)
        else:
            after = parent_hash(after, sibling)
    return before, after


def _split(size: int) -> int:
    """The largest power of two below a size: so many leaves are on the left."""
    return 1 << ((size - 1).bit_length() - 1)


def _subtrees(start: int, end: int) -> list[Node]:
    """Names the complete subtrees that cover leaves, from the left. `start` is where one begins."""
    found = []
    while start < end:
        level = (end - start).bit_length() - 1
        found.append(Node(level, start >> level))
        start += 1 << level
    return found


def _joined(hashes: Sequence[bytes]) -> bytes:
    """The hash of a tree, from its complete subtrees, the largest first."""
    found = hashes[-1]
    for one in hashes[-2::-1]:
        found = parent_hash(one, found)
    return found
