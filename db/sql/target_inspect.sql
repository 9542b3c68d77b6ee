-- What the target is like, with its partitions, if it has some (target_inspect).
-- `unfit`: why it cannot keep what is promised of its rows, or NULL.
-- `one_lane`: whether a row of one lane could wait for a row of another, through a unique or
-- exclusion constraint or index, or through a trigger. (Foreign keys' own triggers are internal;
-- the locks that they take do not exclude each other.)
-- $1 the service's schema, not quoted
SELECT CASE WHEN c.relkind NOT IN ('r', 'p') THEN 'is not a table'
            WHEN c.relpersistence <> 'p' THEN 'is unlogged: a crash of the server would empty it'
            WHEN parts.foreign_ THEN 'has a foreign table among its partitions'
            WHEN parts.unlogged THEN
                'has a partition that is unlogged: a crash of the server would empty it'
       END AS unfit,
       parts.one_lane
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
    SELECT bool_or(p.relkind = 'f') AS foreign_,
           bool_or(p.relpersistence <> 'p') AS unlogged,
           bool_or(EXISTS (
               SELECT FROM pg_catalog.pg_index AS i
               WHERE i.indrelid = p.oid AND (i.indisunique OR i.indisexclusion)
           ) OR EXISTS (
               SELECT FROM pg_catalog.pg_trigger AS t
               WHERE t.tgrelid = p.oid AND NOT t.tgisinternal
           )) AS one_lane
    FROM pg_catalog.pg_class AS p
    WHERE p.oid = c.oid OR p.oid IN (SELECT relid FROM pg_catalog.pg_partition_tree(c.oid))
) AS parts
WHERE n.nspname = $1 AND c.relname = 'file_data'
