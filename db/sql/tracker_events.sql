-- A page of a tracker's history, oldest first (tracker_events). Ids of one tracker's events follow
-- the order of its changes: each is drawn while the tracker's row is locked.
-- $1 tracker, $2 behind this event's id (0: from the first), $3 at most so many
-- Result: id, at (RFC 3339 in UTC), from_status, to_status, event, reason, uid, host.
SELECT e.id, pg_catalog.to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at,
       e.from_status, e.to_status, e.event, e.reason, e.uid, e.host
FROM @schema@.file_event AS e
WHERE e.file_tracker_id = $1::bigint AND e.id > $2::bigint
ORDER BY e.id
LIMIT $3::bigint
