-- Whether the target can keep what is promised of its rows (target_inspect).
-- $1 the service's schema, not quoted
-- Result: unfit, one_lane, as inspect_target has them; none when there is no such table.
SELECT i.unfit, i.one_lane FROM @schema@.inspect_target($1::text) AS i
