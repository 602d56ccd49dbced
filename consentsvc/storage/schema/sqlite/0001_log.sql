-- The log. What is in `header` is the event; the columns beside it repeat what queries need, and
-- `consentsvc verify` compares them.

CREATE TABLE identity (
    store_id BLOB NOT NULL
) STRICT;

CREATE TABLE event (
    position    INTEGER PRIMARY KEY,
    recorded_at INTEGER NOT NULL,   -- microseconds since 1970-01-01T00:00:00Z
    kind        TEXT NOT NULL,
    purpose     TEXT,
    pseudonym   BLOB,
    header      BLOB NOT NULL,
    leaf_hash   BLOB NOT NULL
) STRICT;

CREATE INDEX event_of_subject ON event (pseudonym, position) WHERE pseudonym IS NOT NULL;
CREATE INDEX event_by_time ON event (recorded_at, position);

-- A table of its own, which retention may one day empty without touching an event.
CREATE TABLE personal_part (
    position INTEGER PRIMARY KEY,
    sealed   BLOB NOT NULL
) STRICT;

CREATE TABLE notice (
    position INTEGER PRIMARY KEY,   -- of the event that published it
    purpose  TEXT NOT NULL,
    version  TEXT NOT NULL,
    locale   TEXT NOT NULL,
    title    TEXT NOT NULL,
    text     TEXT NOT NULL,
    sha256   BLOB NOT NULL,
    UNIQUE (purpose, version, locale)
) STRICT;

-- No gap, no second writer's number, and no REPLACE, which would not fire a DELETE trigger.
CREATE TRIGGER event_in_order BEFORE INSERT ON event
WHEN NEW.position IS NOT (SELECT coalesce(max(position), 0) + 1 FROM event)
BEGIN SELECT RAISE(ABORT, 'the event log has no gaps'); END;

CREATE TRIGGER event_no_update BEFORE UPDATE ON event
BEGIN SELECT RAISE(ABORT, 'the event log is append-only'); END;

CREATE TRIGGER event_no_delete BEFORE DELETE ON event
BEGIN SELECT RAISE(ABORT, 'the event log is append-only'); END;

CREATE TRIGGER personal_part_once BEFORE INSERT ON personal_part
WHEN EXISTS (SELECT 1 FROM personal_part WHERE position = NEW.position)
BEGIN SELECT RAISE(ABORT, 'a personal part is written once'); END;

CREATE TRIGGER personal_part_no_update BEFORE UPDATE ON personal_part
BEGIN SELECT RAISE(ABORT, 'a personal part never changes'); END;

CREATE TRIGGER personal_part_no_delete BEFORE DELETE ON personal_part
BEGIN SELECT RAISE(ABORT, 'a personal part is kept'); END;

CREATE TRIGGER notice_once BEFORE INSERT ON notice
WHEN EXISTS (SELECT 1 FROM notice WHERE position = NEW.position
             OR (purpose, version, locale) = (NEW.purpose, NEW.version, NEW.locale))
BEGIN SELECT RAISE(ABORT, 'a published notice never changes'); END;

CREATE TRIGGER notice_no_update BEFORE UPDATE ON notice
BEGIN SELECT RAISE(ABORT, 'a published notice never changes'); END;

CREATE TRIGGER notice_no_delete BEFORE DELETE ON notice
BEGIN SELECT RAISE(ABORT, 'a published notice never goes'); END;

-- The states: a cache of the fold, written in the transaction of the append.
CREATE TABLE consent (
    pseudonym        BLOB NOT NULL,
    purpose          TEXT NOT NULL,
    position         INTEGER NOT NULL,
    choice_kind      TEXT,
    choice_position  INTEGER,
    chosen_at        INTEGER,
    choice_notice    INTEGER,   -- position of the notice's publication
    choice_expired   INTEGER NOT NULL DEFAULT 0,
    request_position INTEGER,
    requested_at     INTEGER,
    request_notice   INTEGER,
    request_expired  INTEGER NOT NULL DEFAULT 0,
    objection        INTEGER,
    PRIMARY KEY (pseudonym, purpose)
) STRICT, WITHOUT ROWID;

CREATE INDEX consent_running ON consent (purpose, chosen_at)
WHERE choice_kind = 'consent_given' AND choice_expired = 0;
CREATE INDEX request_running ON consent (requested_at)
WHERE request_position IS NOT NULL AND request_expired = 0;

CREATE TABLE standing (
    pseudonym   BLOB PRIMARY KEY,
    restriction INTEGER,
    death       INTEGER
) STRICT, WITHOUT ROWID;

-- Requests that were answered, by keyed digest: neither the id nor the content can be read back.
CREATE TABLE request (
    id_digest      BLOB PRIMARY KEY,
    content_digest BLOB NOT NULL,
    pseudonym      BLOB NOT NULL,
    position       INTEGER NOT NULL,   -- the head when it was answered
    answer         BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX request_of_subject ON request (pseudonym);
