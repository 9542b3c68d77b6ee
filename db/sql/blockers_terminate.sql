-- Terminates what a waiting statement of this program waits for, if it is the service's
-- (blockers_terminate).
--
-- $1 the process that waits. Processes that have this session's own application_name are looked at
-- as well: they are this supervisor's other connections, and behind a pooler $1 may be invented.
--
-- Result: terminated, how many; foreign_pid, a process at the root that is not the service's or not
-- of this role (0: none, -1: a prepared transaction).
--
-- The roots alone are ended: who waits himself, for the same row, does no harm. As long as it waits
-- only, that is: pg_blocking_pids knows nothing of a statement that has given up.
WITH RECURSIVE waiting (pid) AS (
    SELECT $1::integer
    UNION
    SELECT a.pid FROM pg_catalog.pg_stat_activity AS a
    WHERE a.application_name = pg_catalog.current_setting('application_name')
      AND a.datname = pg_catalog.current_database() AND a.pid <> pg_catalog.pg_backend_pid()
), blocking (pid) AS (
    SELECT b.pid FROM waiting AS w, pg_catalog.unnest(pg_catalog.pg_blocking_pids(w.pid)) AS b (pid)
    UNION
    SELECT b.pid
    FROM blocking AS k, pg_catalog.unnest(pg_catalog.pg_blocking_pids(k.pid)) AS b (pid)
), root AS MATERIALIZED (
    SELECT k.pid, k.pid = 0 OR a.pid IS NOT NULL AS lives,
           coalesce(pg_catalog.split_part(a.application_name, '/', 1) = 'uploader'
                    AND a.usename = current_user, false) AS ours
    FROM blocking AS k
    LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = k.pid
    WHERE k.pid <> pg_catalog.pg_backend_pid()
      AND pg_catalog.cardinality(pg_catalog.pg_blocking_pids(k.pid)) = 0
)
SELECT count(*) FILTER (WHERE CASE WHEN r.ours THEN pg_catalog.pg_terminate_backend(r.pid)
                                   ELSE false END) AS terminated,
       coalesce(min(CASE WHEN r.pid = 0 THEN -1 ELSE r.pid END)
                    FILTER (WHERE r.lives AND NOT r.ours), 0) AS foreign_pid
FROM root AS r
