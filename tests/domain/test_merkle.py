"""The Merkle tree is that of RFC 6962, and its proofs prove what they say and nothing else."""

import hashlib
import random
from collections.abc import Iterable, Mapping

import pytest

from consentsvc.domain.merkle import (
    EMPTY_ROOT,
    Frontier,
    Node,
    ProofInvalid,
    check_consistency,
    consistency_nodes,
    frontier_nodes,
    inclusion_nodes,
    leaf_hash,
    proof,
    root_from_inclusion,
)

# Inputs and results that Certificate Transparency's implementations are tested with.
_INPUTS = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
]
_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


class _Tree:
    """A tree that keeps every complete subtree, and counts what is read of it."""

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self.frontier = Frontier()
        self.nodes: dict[Node, bytes] = {}
        self.roots = [EMPTY_ROOT]
        self.read = 0
        for leaf in leaves:
            self.append(leaf)

    def append(self, leaf: bytes) -> None:
        self.nodes[Node(0, self.frontier.size)] = leaf
        self.frontier, completed = self.frontier.appended([leaf])
        self.nodes |= completed
        self.roots.append(self.frontier.root())

    def _hashes(self, named: list[list[Node]]) -> Mapping[Node, bytes]:
        wanted = [node for one in named for node in one]
        self.read = len(wanted)
        return {node: self.nodes[node] for node in wanted}

    def inclusion(self, index: int, size: int) -> list[bytes]:
        named = inclusion_nodes(index, size)
        return proof(named, self._hashes(named))

    def consistency(self, old: int, new: int) -> list[bytes]:
        named = consistency_nodes(old, new)
        return proof(named, self._hashes(named))


def _leaf(number: int) -> bytes:
    return leaf_hash(number.to_bytes(8, "big"))


@pytest.fixture(scope="module")
def tree() -> _Tree:
    return _Tree(map(_leaf, range(300)))


def _root(leaves: list[bytes]) -> bytes:
    """The definition, word for word."""
    match len(leaves):
        case 0:
            return hashlib.sha256(b"").digest()
        case 1:
            return leaves[0]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + _root(leaves[:k]) + _root(leaves[k:])).digest()


def test_known_roots() -> None:
    """The roots of known leaves are the known ones."""
    tree = _Tree(leaf_hash(bytes.fromhex(one)) for one in _INPUTS)

    assert [one.hex() for one in tree.roots[1:]] == _ROOTS


def test_known_proofs() -> None:
    """So are proofs of known leaves."""
    tree = _Tree(leaf_hash(bytes.fromhex(one)) for one in _INPUTS)

    assert [one.hex() for one in tree.inclusion(2, 3)] == [_ROOTS[1]]
    assert [one.hex() for one in tree.inclusion(1, 5)] == [
        _ROOTS[0],
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ]
    assert [one.hex() for one in tree.consistency(1, 1)] == []
    assert [one.hex() for one in tree.consistency(1, 8)] == [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]


def test_every_root(tree: _Tree) -> None:
    """Every size has the root of the definition."""
    leaves = [_leaf(number) for number in range(300)]

    assert tree.roots == [_root(leaves[:size]) for size in range(301)]


def test_many_at_once(tree: _Tree) -> None:
    """Leaves that come together make what they make one by one."""
    pick = random.Random(1)
    frontier = Frontier()
    nodes: dict[Node, bytes] = {}
    while frontier.size < 300:
        step = pick.randrange(1, 40)
        first = frontier.size
        frontier, completed = frontier.appended(map(_leaf, range(first, min(300, first + step))))
        nodes |= completed

    assert frontier == tree.frontier
    assert nodes == {node: one for node, one in tree.nodes.items() if node.level}
    assert [tree.nodes[node] for node in frontier_nodes(300)] == list(frontier.hashes)


@pytest.mark.parametrize("size", range(1, 301))
def test_every_inclusion(tree: _Tree, size: int) -> None:
    """Every leaf is proven to be in every tree that has it, with few reads, and in no other."""
    for index in range(size):
        path = tree.inclusion(index, size)
        assert tree.read <= 2 * size.bit_length()
        assert root_from_inclusion(_leaf(index), index, size, path) == tree.roots[size]


@pytest.mark.parametrize("new", range(301))
def test_every_consistency(tree: _Tree, new: int) -> None:
    """Every tree is proven to begin with every smaller one, with few reads."""
    for old in range(new + 1):
        path = tree.consistency(old, new)
        assert tree.read <= 2 * new.bit_length()
        check_consistency(old, tree.roots[old], new, tree.roots[new], path)


def test_no_other_inclusion(tree: _Tree) -> None:
    """Another leaf, place, size or path leads to another root, or to an error."""
    for size in (1, 2, 3, 7, 8, 13, 64, 65):
        for index in range(size):
            path = tree.inclusion(index, size)
            root = tree.roots[size]

            def leads(leaf: bytes, at: int, of: int, by: list[bytes], to: bytes = root) -> bool:
                try:
                    return root_from_inclusion(leaf, at, of, by) == to
                except ProofInvalid:
                    return False

            leaf = _leaf(index)
            assert leads(leaf, index, size, path)
            assert not leads(_leaf(index + 1), index, size, path)
            assert not leads(leaf, index, size, [*path, root])
            assert not leads(leaf, size, size, path)
            assert not leads(leaf, -1, size, path)
            if size > 1:
                assert not leads(leaf, index ^ 1, size, path)
                assert not leads(leaf, index, size, path[:-1])
            for number in range(len(path)):
                changed = [*path]
                changed[number] = bytes([changed[number][0] ^ 1]) + changed[number][1:]
                assert not leads(leaf, index, size, changed)


def test_no_other_consistency(tree: _Tree) -> None:
    """Another root or path is refused, and so is a tree that shrinks."""
    for old, new in ((1, 2), (3, 7), (4, 7), (6, 8), (8, 8), (0, 5), (64, 200), (127, 129)):
        path = tree.consistency(old, new)
        first, second = tree.roots[old], tree.roots[new]
        wrong = [
            (new, second, old, first, path) if old < new else None,
            (old, tree.roots[old + 1], new, second, path),
            (old, first, new, tree.roots[new + 1], path) if old else None,
            (old, first, new, second, [*path, first]),
            (old, first, new, second, path[:-1]) if path else None,
            *(
                (old, first, new, second, [*path[:at], bytes(32), *path[at + 1 :]])
                for at in range(len(path))
            ),
        ]
        for one in wrong:
            if one is not None:
                with pytest.raises(ProofInvalid):
                    check_consistency(*one)


def test_what_cannot_be_asked() -> None:
    """A leaf that is not there, and a tree that is larger, cannot be asked about."""
    for index, size in ((0, 0), (1, 1), (-1, 3)):
        with pytest.raises(ValueError, match="not in the tree"):
            inclusion_nodes(index, size)
    for old, new in ((2, 1), (-1, 1)):
        with pytest.raises(ValueError, match="not grown"):
            consistency_nodes(old, new)
    with pytest.raises(ValueError, match="one hash for each"):
        Frontier(3, (bytes(32),))
