-- What recovery has to deal with (unfinished_fence): the trackers just fenced, those that a crash
-- or shutdown interrupted, and, behind them, those that are unfinished and have not been fenced.
--
-- $1 owner, $2, $3, $4 arrays of id, epoch and token, as fenced
--
-- Result: rows of tracker_with_point with the column skipped; those not skipped first, then by id.
SELECT p.*, f.id IS NULL AND NOT p.interrupted AS skipped
FROM @schema@.tracker_with_point AS p
LEFT JOIN unnest($2::bigint[], $3::bigint[], $4::bigint[]) AS f (id, epoch, token)
    ON f.id = p.id AND f.epoch = p.epoch AND f.token = p.token
WHERE p.owner = $1::text
  AND (p.status IN ('INITIALIZING', 'PROCESSING') OR p.wanted IS NOT NULL OR p.interrupted)
ORDER BY skipped, p.id
