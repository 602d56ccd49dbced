-- What was said at one reach of a purpose that takes a scope. A cache of the fold like `consent`,
-- written in the transaction of the append; but here nothing can be read without the subject's key.
CREATE TABLE scoped_consent (
    pseudonym    BLOB NOT NULL,
    purpose      TEXT NOT NULL,
    reach        BLOB NOT NULL,   -- HMAC-SHA-256 of the reach under the subject's key, cut to 16 bytes
    sealed       BLOB NOT NULL,   -- AES-256-GCM under the same key: the reach, and what was said there
    given_at     INTEGER,         -- of the oldest consent that has neither run out nor been taken back
    requested_at INTEGER,         -- of the oldest request that has not run out
    PRIMARY KEY (pseudonym, purpose, reach)
) STRICT, WITHOUT ROWID;

CREATE INDEX scoped_consent_running ON scoped_consent (purpose, given_at)
WHERE given_at IS NOT NULL;
CREATE INDEX scoped_request_running ON scoped_consent (requested_at)
WHERE requested_at IS NOT NULL;
