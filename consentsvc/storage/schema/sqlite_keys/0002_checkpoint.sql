-- The last state of the log that was signed: written here before it is written there. A log that was
-- restored from a copy of before it is known by this. No row before the first is signed, then one.
CREATE TABLE last_checkpoint (
    size INTEGER NOT NULL,
    root BLOB NOT NULL,
    note TEXT NOT NULL
) STRICT;

CREATE TRIGGER last_checkpoint_grows BEFORE UPDATE ON last_checkpoint
WHEN NEW.size <= OLD.size
BEGIN SELECT RAISE(ABORT, 'the last checkpoint is never an earlier one'); END;

CREATE TRIGGER last_checkpoint_one_row BEFORE INSERT ON last_checkpoint
WHEN EXISTS (SELECT 1 FROM last_checkpoint)
BEGIN SELECT RAISE(ABORT, 'there is one last checkpoint'); END;
