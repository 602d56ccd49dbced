-- An objection that a signal raised gives way to a consent, and one that the person took back is not
-- raised by a signal again.

ALTER TABLE consent ADD COLUMN by_signal INTEGER NOT NULL DEFAULT 0;
ALTER TABLE consent ADD COLUMN tolerated INTEGER;   -- where the person took an objection back

UPDATE consent SET tolerated = (
    SELECT max(position) FROM event
    WHERE event.pseudonym = consent.pseudonym AND event.purpose = consent.purpose
      AND event.kind = 'objection_withdrawn'
) WHERE objection IS NULL;
