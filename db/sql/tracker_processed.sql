-- The newest PROCESSED tracker of a path and profile (tracker_processed).
-- $1 path, $2 profile
-- Result: its row of tracker_with_point, or none.
SELECT p.* FROM @schema@.tracker_with_point AS p
WHERE @schema@.path_key(p.path) = @schema@.path_key($1::text) AND p.path = $1::text
  AND p.profile = $2::text AND p.status = 'PROCESSED'
ORDER BY p.id DESC
LIMIT 1
