-- Terminates processes of older epochs of a tracker that still hold a lock on one of the service's
-- tables (stragglers_terminate). A courtesy: none of them can commit any more.
--
-- $1 tracker, $2 its epoch now, $3 the service's schema, quoted
--
-- The application_name has neither database nor schema in it; the locks tell. One that PostgreSQL
-- has cut at 63 bytes may end in half a number, and is left alone.
SELECT pg_catalog.pg_terminate_backend(a.pid)
FROM pg_catalog.pg_stat_activity AS a
WHERE a.datname = pg_catalog.current_database() AND a.usename = current_user
  AND a.pid <> pg_catalog.pg_backend_pid()
  AND pg_catalog.octet_length(a.application_name) < 63
  AND pg_catalog.split_part(a.application_name, '/', 1) = 'uploader'
  AND pg_catalog.split_part(a.application_name, '/', 4) = $1::bigint::text
  AND CASE WHEN pg_catalog.split_part(a.application_name, '/', 5) ~ '^[0-9]{1,18}$'
           THEN pg_catalog.split_part(a.application_name, '/', 5)::bigint < $2::bigint
           ELSE false END
  AND EXISTS (SELECT FROM pg_catalog.pg_locks AS l
              JOIN pg_catalog.pg_class AS c ON c.oid = l.relation
              WHERE l.pid = a.pid AND c.relnamespace = pg_catalog.to_regnamespace($3::text))
