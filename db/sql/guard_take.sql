-- Tries to take the session's advisory lock of an owner's name (guard_take).
--
-- $1, $2 the upper and the lower 32 bits of the name's XXH3
--
-- Result: taken; holder_pid and holder_name (its application_name), NULL when it is taken here, or
-- when its holder has just gone. Locks are looked at live, so what is read is no older than the
-- try.
WITH try AS MATERIALIZED (
    SELECT pg_catalog.pg_try_advisory_lock($1::bigint::bit(32)::integer,
                                           $2::bigint::bit(32)::integer) AS taken
)
SELECT t.taken, h.pid AS holder_pid, h.application_name AS holder_name
FROM try AS t
LEFT JOIN LATERAL (
    SELECT l.pid, a.application_name
    FROM pg_catalog.pg_locks AS l
    LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
    WHERE NOT t.taken AND l.granted AND l.locktype = 'advisory' AND l.objsubid = 2
      AND l.classid = $1::bigint::oid AND l.objid = $2::bigint::oid
      AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d
                        WHERE d.datname = pg_catalog.current_database())
    LIMIT 1
) AS h ON true
