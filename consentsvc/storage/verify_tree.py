"""Holds the tree that is kept against the one that the events make."""

import sqlite3
from collections.abc import Callable

from consentsvc.domain.canonical import Damaged
from consentsvc.domain.merkle import Frontier
from consentsvc.storage import sqlite_tree


class Tree:
    """The tree of a log that is looked at from its beginning.

    It ends at the first leaf that cannot be told, and at the first subtree that is not right: what
    is above it cannot be right either.
    """

    def __init__(
        self, connection: sqlite3.Connection, problem: Callable[[int | None, str, str], None]
    ) -> None:
        self._connection = connection
        self._problem = problem
        self._edge = Frontier()
        self._leaves: list[bytes] = []
        self._ended = False

    def add(self, position: int, leaf: bytes) -> None:
        """Takes the next event into the tree, by its leaf hash."""
        if position == self._edge.size + len(self._leaves) + 1:
            self._leaves.append(leaf)

    def check(self, last: int) -> None:
        """Checks what the events up to the last one make, in the view that they were read in."""
        if self._ended:
            return
        whole = self._edge.size + len(self._leaves) == last
        more = bool(self._leaves)
        self._edge, completed = self._edge.appended(self._leaves)
        self._leaves = []
        for node, hash_ in completed.items():
            if self._kept(node) != hash_:
                self._end(
                    (node.number + 1) << node.level, "tree_node", "is not what the events make"
                )
                return
        if not whole:
            self._end(self._edge.size + 1, "tree", "cannot be told from here on")
        elif not more:
            self._check_end()

    def _kept(self, node: tuple[int, int]) -> bytes | None:
        row = self._connection.execute(
            "SELECT hash FROM tree_node WHERE (level, number) = (?, ?)", node
        ).fetchone()
        return None if row is None else row[0]

    def _check_end(self) -> None:
        try:
            kept = sqlite_tree.frontier(self._connection)
        except Damaged as error:
            self._end(None, "tree", str(error))
            return
        if kept != self._edge:
            self._end(self._edge.size, "tree", "its right edge is not what the events make")
        beyond = self._connection.execute(
            "SELECT 1 FROM tree_node WHERE level < 1 OR number < 0 OR (number + 1) << level > ?",
            (self._edge.size,),
        )
        if beyond.fetchone() is not None:
            self._end(None, "tree_node", "holds what no event makes")

    def _end(self, position: int | None, table: str, what: str) -> None:
        self._problem(position, table, what)
        self._ended = True
