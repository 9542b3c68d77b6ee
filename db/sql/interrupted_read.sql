-- The trackers that a crash or shutdown interrupted (interrupted_read).
-- $1 owner
-- Result: id, ascending.
SELECT t.id FROM @schema@.file_tracker AS t
WHERE t.owner = $1::text AND t.interrupted
ORDER BY t.id
