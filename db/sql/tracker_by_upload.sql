-- The tracker that an upload of a path under a profile means: the one that is not PROCESSED (there
-- is at most one), else the newest (tracker_by_upload).
-- $1 path, $2 profile
-- Result: its row of tracker_with_point, or none.
SELECT p.* FROM @schema@.tracker_with_point AS p
WHERE @schema@.path_key(p.path) = @schema@.path_key($1::text) AND p.path = $1::text
  AND p.profile = $2::text
ORDER BY p.status = 'PROCESSED', p.id DESC
LIMIT 1
