-- The newest tracker of a path, whatever its profile (tracker_by_path).
-- $1 path
-- Result: its row of tracker_with_point, or none.
SELECT p.* FROM @schema@.tracker_with_point AS p
WHERE @schema@.path_key(p.path) = @schema@.path_key($1::text) AND p.path = $1::text
ORDER BY p.id DESC
LIMIT 1
