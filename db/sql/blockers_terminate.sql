-- Terminates what a waiting statement of this program waits for, if it is the service's
-- (blockers_terminate).
--
-- $1 the process that waits. Processes that have this session's own application_name are looked at
-- as well: they are this supervisor's other connections, and behind a pooler $1 may be invented.
--
-- Result: terminated, how many; foreign_pid, a process at the root that is not the service's or not
-- of this role (0: none, -1: a prepared transaction).
--
-- The roots are ended: who waits himself, for the same row, does no harm. As long as it waits only,
-- that is: pg_blocking_pids knows nothing of a statement that has given up. And when no root is the
-- service's, a worker's session that stands in the way itself is ended: it may hold the row and wait
-- for somebody else (a rollback, for a table that is locked), and a fence outlaws it anyway.
WITH RECURSIVE waiting (pid) AS (
    SELECT $1::integer
    UNION
    SELECT a.pid FROM pg_catalog.pg_stat_activity AS a
    WHERE a.application_name = pg_catalog.current_setting('application_name')
      AND a.datname = pg_catalog.current_database() AND a.pid <> pg_catalog.pg_backend_pid()
), direct (pid) AS MATERIALIZED (
    SELECT b.pid FROM waiting AS w, pg_catalog.unnest(pg_catalog.pg_blocking_pids(w.pid)) AS b (pid)
), blocking (pid) AS (
    SELECT d.pid FROM direct AS d
    UNION
    SELECT b.pid
    FROM blocking AS k, pg_catalog.unnest(pg_catalog.pg_blocking_pids(k.pid)) AS b (pid)
), found AS MATERIALIZED (
    SELECT k.pid, k.pid = 0 OR a.pid IS NOT NULL AS lives,
           pg_catalog.cardinality(pg_catalog.pg_blocking_pids(k.pid)) = 0 AS is_root,
           k.pid IN (SELECT d.pid FROM direct AS d)
               AND pg_catalog.split_part(a.application_name, '/', 4) <> '0' AS of_worker,
           coalesce(pg_catalog.split_part(a.application_name, '/', 1) = 'uploader'
                    AND a.usename = current_user, false) AS ours
    FROM blocking AS k
    LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = k.pid
    WHERE k.pid <> pg_catalog.pg_backend_pid()
)
SELECT count(*) FILTER (WHERE CASE WHEN f.ours
                                        AND (f.is_root OR f.of_worker AND NOT EXISTS (
                                            SELECT FROM found AS r WHERE r.is_root AND r.ours))
                                   THEN pg_catalog.pg_terminate_backend(f.pid)
                                   ELSE false END) AS terminated,
       coalesce(min(CASE WHEN f.pid = 0 THEN -1 ELSE f.pid END)
                    FILTER (WHERE f.is_root AND f.lives AND NOT f.ours), 0) AS foreign_pid
FROM found AS f
