-- Forgetting a person: the personal parts of their events go, the events stay.

CREATE INDEX event_erased ON event (pseudonym) WHERE kind = 'subject_erased';

CREATE TRIGGER event_of_erased BEFORE INSERT ON event
WHEN EXISTS (SELECT 1 FROM event
             WHERE kind = 'subject_erased' AND event.pseudonym = NEW.pseudonym)
BEGIN SELECT RAISE(ABORT, 'an erased subject has no more events'); END;

CREATE TRIGGER request_of_erased BEFORE INSERT ON request
WHEN EXISTS (SELECT 1 FROM event
             WHERE kind = 'subject_erased' AND event.pseudonym = NEW.pseudonym)
BEGIN SELECT RAISE(ABORT, 'an erased subject is answered nothing'); END;

DROP TRIGGER personal_part_no_delete;

CREATE TRIGGER personal_part_no_delete BEFORE DELETE ON personal_part
WHEN NOT EXISTS (SELECT 1 FROM event AS erased
                 WHERE erased.kind = 'subject_erased' AND erased.pseudonym =
                     (SELECT pseudonym FROM event WHERE event.position = OLD.position))
BEGIN SELECT RAISE(ABORT, 'a personal part is kept'); END;

-- Erasures that are to come: either they have begun, and followers are waited for, or they are due
-- on a day that the person has chosen.
CREATE TABLE pending_erasure (
    pseudonym BLOB PRIMARY KEY,
    due_at    INTEGER NOT NULL,
    begun     INTEGER,   -- the head when everything had been revoked: followers are to get there
    begun_at  INTEGER
) STRICT, WITHOUT ROWID;

CREATE TRIGGER pending_erasure_of_erased BEFORE INSERT ON pending_erasure
WHEN EXISTS (SELECT 1 FROM event
             WHERE kind = 'subject_erased' AND event.pseudonym = NEW.pseudonym)
BEGIN SELECT RAISE(ABORT, 'an erased subject is not erased again'); END;

CREATE INDEX pending_erasure_due ON pending_erasure (due_at);

-- Which events on a purpose were an erased subject's, for as long as the catalogue asks for.
CREATE TABLE kept_proof (
    subject  TEXT NOT NULL,      -- HMAC-SHA-256 of the subject's id, in hex
    purpose  TEXT NOT NULL,
    position INTEGER NOT NULL,
    until    INTEGER NOT NULL,
    mac      BLOB NOT NULL,      -- HMAC-SHA-256 of the row
    PRIMARY KEY (subject, purpose, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX kept_proof_until ON kept_proof (until);

-- How far those followers have acted that an erasure waits for.
CREATE TABLE follower (
    name    TEXT PRIMARY KEY,
    through INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
