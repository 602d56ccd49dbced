-- The personal parts that retention has emptied: their events decide nothing any more.
CREATE TABLE emptied (
    position   INTEGER PRIMARY KEY,
    emptied_at INTEGER NOT NULL
) STRICT;

CREATE TRIGGER emptied_no_update BEFORE UPDATE ON emptied
BEGIN SELECT RAISE(ABORT, 'what was emptied stays so'); END;

CREATE TRIGGER emptied_no_delete BEFORE DELETE ON emptied
BEGIN SELECT RAISE(ABORT, 'what was emptied stays so'); END;

DROP TRIGGER personal_part_no_delete;

CREATE TRIGGER personal_part_no_delete BEFORE DELETE ON personal_part
WHEN NOT EXISTS (SELECT 1 FROM emptied WHERE emptied.position = OLD.position)
 AND NOT EXISTS (SELECT 1 FROM event AS erased
                 WHERE erased.kind = 'subject_erased' AND erased.pseudonym =
                     (SELECT pseudonym FROM event WHERE event.position = OLD.position))
BEGIN SELECT RAISE(ABORT, 'a personal part is kept'); END;
