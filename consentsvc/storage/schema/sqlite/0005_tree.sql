-- The Merkle tree over the events' leaf hashes (RFC 6962): its complete subtrees, which never
-- change. Those of level 0 are the leaf hashes themselves.
CREATE TABLE tree_node (
    level  INTEGER NOT NULL,   -- it covers 2 ^ level leaves
    number INTEGER NOT NULL,   -- among those of its level, from 0 on
    hash   BLOB NOT NULL,
    PRIMARY KEY (level, number)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER tree_node_once BEFORE INSERT ON tree_node
WHEN EXISTS (SELECT 1 FROM tree_node WHERE (level, number) = (NEW.level, NEW.number))
BEGIN SELECT RAISE(ABORT, 'a subtree is written once'); END;

CREATE TRIGGER tree_node_no_update BEFORE UPDATE ON tree_node
BEGIN SELECT RAISE(ABORT, 'a subtree never changes'); END;

CREATE TRIGGER tree_node_no_delete BEFORE DELETE ON tree_node
BEGIN SELECT RAISE(ABORT, 'a subtree is kept'); END;

-- Its right edge, written in the transaction of the append. One row.
CREATE TABLE tree (
    size     INTEGER NOT NULL,   -- the position of the last event that is in it
    frontier BLOB NOT NULL       -- the hashes of its complete subtrees, the largest first
) STRICT;

INSERT INTO tree (size, frontier) VALUES (0, x'');

CREATE TRIGGER tree_grows BEFORE UPDATE ON tree
WHEN NEW.size <= OLD.size
BEGIN SELECT RAISE(ABORT, 'the tree only grows'); END;

CREATE TRIGGER tree_one_row BEFORE INSERT ON tree
BEGIN SELECT RAISE(ABORT, 'there is one tree'); END;

CREATE TRIGGER tree_no_delete BEFORE DELETE ON tree
BEGIN SELECT RAISE(ABORT, 'there is one tree'); END;
