-- What the target is like. `unfit`: why it cannot keep what is promised of its rows, or NULL.
-- `one_lane`: whether a row of one lane could wait for a row of another, through a unique or
-- exclusion constraint or index, or through a trigger. (Foreign keys' own triggers are internal;
-- the locks that they take do not exclude each other.)
-- $1 the service's schema, not quoted
SELECT CASE WHEN c.relkind NOT IN ('r', 'p') THEN 'is not a table'
            WHEN c.relpersistence <> 'p' THEN 'is unlogged: a crash of the server would empty it'
       END AS unfit,
       EXISTS (
           SELECT FROM pg_catalog.pg_index AS i
           WHERE i.indrelid = c.oid AND (i.indisunique OR i.indisexclusion)
       ) OR EXISTS (
           SELECT FROM pg_catalog.pg_trigger AS t
           WHERE t.tgrelid = c.oid AND NOT t.tgisinternal
       ) AS one_lane
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = 'file_data'
