-- The tracker that an upload of a path under a profile means: the one that is not PROCESSED (there
-- is at most one), else the newest (tracker_by_upload).
-- $1 path, $2 profile
-- Result: its row of tracker_with_point, or none.
SELECT p.* FROM @schema@.tracker_of_upload($1::text, $2::text) AS p
