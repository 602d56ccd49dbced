-- Keys and who they belong to: a file of its own, with a backup life of its own.

CREATE TABLE identity (
    store_id BLOB NOT NULL,
    master_check BLOB NOT NULL   -- opens with the master key, so that a wrong one is told at once
) STRICT;

CREATE TABLE subject (
    subject_id  TEXT PRIMARY KEY,
    pseudonym   BLOB NOT NULL UNIQUE,
    wrapped_key BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE secret (
    name    TEXT PRIMARY KEY,
    wrapped BLOB NOT NULL
) STRICT, WITHOUT ROWID;
