-- Terminates the processes of this owner's name that are of another life, or of this life's earlier
-- connections, which were lost (earlier_life_terminate).
--
-- $1 the name as the application_name has it (16 hex digits), $2 the start of this life
--
-- Result: there, how many there were, terminated just now or not. One of another role cannot be
-- terminated, and counts all the same: its statement may yet happen.
SELECT count(*) AS there,
       count(*) FILTER (WHERE CASE WHEN a.usename = current_user
                                   THEN pg_catalog.pg_terminate_backend(a.pid)
                                   ELSE false END) AS terminated
FROM pg_catalog.pg_stat_activity AS a
WHERE a.datname = pg_catalog.current_database() AND a.pid <> pg_catalog.pg_backend_pid()
  AND pg_catalog.split_part(a.application_name, '/', 1) = 'uploader'
  AND pg_catalog.split_part(a.application_name, '/', 2) = $1::text
  AND (pg_catalog.split_part(a.application_name, '/', 3) <> $2::text
       OR (pg_catalog.split_part(a.application_name, '/', 4) = '0'
           AND a.application_name <> pg_catalog.current_setting('application_name')))
