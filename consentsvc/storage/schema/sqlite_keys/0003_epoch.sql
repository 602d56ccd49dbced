-- A new epoch that has been begun here, and perhaps not in the log yet: which log it goes on from,
-- and the last state that one had signed.
CREATE TABLE epoch (
    store_id BLOB PRIMARY KEY,   -- of the new log
    ancestor BLOB NOT NULL,
    signed   INTEGER,
    root     BLOB,
    note     TEXT
) STRICT, WITHOUT ROWID;
