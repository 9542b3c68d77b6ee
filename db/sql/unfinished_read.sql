-- What recovery has to deal with (unfinished_fence): the trackers just fenced and, behind them, those
-- that are unfinished and have not been fenced. (Not those that a crash or shutdown interrupted:
-- interrupted_read.)
--
-- $1 owner, $2 token of the fence; NULL: there was none
--
-- Result: rows of tracker_with_point with the column skipped; those not skipped first, then by id.
SELECT p.*, (p.token = $2::bigint) IS NOT TRUE AS skipped
FROM @schema@.tracker_with_point AS p
WHERE p.owner = $1::text
  AND (p.status IN ('INITIALIZING', 'PROCESSING') OR p.wanted IS NOT NULL)
ORDER BY skipped, p.id
