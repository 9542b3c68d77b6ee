-- A page of trackers, newest first (tracker_list).
-- $1 status (NULL: all), $2 only below this id (0: from the newest), $3 at most so many
-- Result: rows of tracker_with_point.
SELECT p.* FROM @schema@.tracker_with_point AS p
WHERE ($1::text IS NULL OR p.status = $1::text) AND ($2::bigint = 0 OR p.id < $2::bigint)
ORDER BY p.id DESC
LIMIT $3::bigint
