-- The logs that this one is a restored copy of: those before it had signed more than it has.
CREATE TABLE ancestor (
    store_id BLOB PRIMARY KEY,
    size     INTEGER NOT NULL,   -- the events that were taken over from it
    signed   INTEGER,            -- the last state that it had signed, with what is lost now
    root     BLOB,
    note     TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE ancestor_checkpoint (
    store_id BLOB NOT NULL,
    size     INTEGER NOT NULL,
    root     BLOB NOT NULL,
    note     TEXT NOT NULL,
    PRIMARY KEY (store_id, size)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER ancestor_once BEFORE INSERT ON ancestor
WHEN EXISTS (SELECT 1 FROM ancestor WHERE store_id = NEW.store_id)
BEGIN SELECT RAISE(ABORT, 'an ancestor is named once'); END;

CREATE TRIGGER ancestor_no_update BEFORE UPDATE ON ancestor
BEGIN SELECT RAISE(ABORT, 'an ancestor never changes'); END;

CREATE TRIGGER ancestor_no_delete BEFORE DELETE ON ancestor
BEGIN SELECT RAISE(ABORT, 'an ancestor is never forgotten'); END;

CREATE TRIGGER ancestor_checkpoint_once BEFORE INSERT ON ancestor_checkpoint
WHEN EXISTS (SELECT 1 FROM ancestor_checkpoint WHERE (store_id, size) = (NEW.store_id, NEW.size))
BEGIN SELECT RAISE(ABORT, 'a size is signed once'); END;

CREATE TRIGGER ancestor_checkpoint_no_update BEFORE UPDATE ON ancestor_checkpoint
BEGIN SELECT RAISE(ABORT, 'a checkpoint never changes'); END;

CREATE TRIGGER ancestor_checkpoint_no_delete BEFORE DELETE ON ancestor_checkpoint
BEGIN SELECT RAISE(ABORT, 'a checkpoint is kept for ever'); END;
