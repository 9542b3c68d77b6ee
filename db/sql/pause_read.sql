-- Whether this owner is paused (pause_read).
-- $1 owner
-- Result: paused.
SELECT EXISTS (SELECT FROM @schema@.pause AS p WHERE p.owner = $1::text) AS paused
