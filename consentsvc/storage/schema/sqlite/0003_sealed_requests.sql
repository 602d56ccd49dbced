-- Each answered request under a keyed hash of its whole row. Those that were answered before have
-- none; how many they are is kept under such a hash too, so that no other can pass for one of them.

ALTER TABLE request ADD COLUMN mac BLOB;   -- HMAC-SHA-256; NULL only for a row older than this column

CREATE INDEX request_unsealed ON request (position) WHERE mac IS NULL;

CREATE TRIGGER request_sealed BEFORE INSERT ON request
WHEN NEW.mac IS NULL
BEGIN SELECT RAISE(ABORT, 'an answered request is sealed'); END;

CREATE TRIGGER request_no_update BEFORE UPDATE ON request
BEGIN SELECT RAISE(ABORT, 'an answered request never changes'); END;

ALTER TABLE identity ADD COLUMN unsealed_requests INTEGER;
ALTER TABLE identity ADD COLUMN unsealed_mac BLOB;
