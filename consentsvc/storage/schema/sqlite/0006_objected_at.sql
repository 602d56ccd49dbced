-- When the objection that stands was recorded: a panel tells since when it is heeded.

ALTER TABLE consent ADD COLUMN objected_at INTEGER;

UPDATE consent SET objected_at = (
    SELECT recorded_at FROM event WHERE event.position = consent.objection
) WHERE objection IS NOT NULL;
