-- Pseudonyms whose key was destroyed: a copy of the log from before does not bring them back.
CREATE TABLE erased (
    pseudonym BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- That somebody of an id was erased, and each no that outlives it.
CREATE TABLE suppressed (
    subject TEXT NOT NULL,   -- HMAC-SHA-256 of the subject's id, in hex
    kind    TEXT NOT NULL,   -- of the event that it was
    purpose TEXT NOT NULL,   -- empty where it concerns every purpose
    mac     BLOB NOT NULL,   -- HMAC-SHA-256 of the row: nothing else tells what it was
    PRIMARY KEY (subject, kind, purpose)
) STRICT, WITHOUT ROWID;
