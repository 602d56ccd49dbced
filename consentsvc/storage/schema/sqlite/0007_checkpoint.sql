-- States of the log that were signed, kept for ever: each is somewhere else too, with whoever was
-- shown it, and this log has to agree with all of them.
CREATE TABLE checkpoint (
    size INTEGER PRIMARY KEY,   -- of the tree: the position of the last event that is in it
    root BLOB NOT NULL,
    note TEXT NOT NULL          -- as it was signed
) STRICT;

CREATE TRIGGER checkpoint_once BEFORE INSERT ON checkpoint
WHEN EXISTS (SELECT 1 FROM checkpoint WHERE size = NEW.size)
BEGIN SELECT RAISE(ABORT, 'a size is signed once'); END;

CREATE TRIGGER checkpoint_no_update BEFORE UPDATE ON checkpoint
BEGIN SELECT RAISE(ABORT, 'a checkpoint never changes'); END;

CREATE TRIGGER checkpoint_no_delete BEFORE DELETE ON checkpoint
BEGIN SELECT RAISE(ABORT, 'a checkpoint is kept for ever'); END;
