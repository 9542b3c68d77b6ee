-- The newest PROCESSED tracker of a path and profile (tracker_processed).
-- $1 path, $2 profile
-- Result: its row of tracker_with_point, or none.
SELECT p.* FROM @schema@.tracker_processed($1::text, $2::text) AS p
