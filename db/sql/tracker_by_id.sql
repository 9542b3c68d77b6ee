-- A tracker with its recovery point (tracker_by_id).
-- $1 id
-- Result: its row of tracker_with_point, or none. Reading is never a fence.
SELECT p.* FROM @schema@.tracker_with_point AS p WHERE p.id = $1::bigint
