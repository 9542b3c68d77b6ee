-- mode: string
-- Right after a load the newest ranges of a BRIN index are not summarised, and each step of a
-- rollback would read all of them. Waits a second at most for another that summarises.
-- $1 the service's schema, not quoted
BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
SET LOCAL lock_timeout = '1s';
SELECT pg_catalog.brin_summarize_new_values(i.indexrelid)
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS b ON b.oid = i.indexrelid
JOIN pg_catalog.pg_am AS a ON a.oid = b.relam
JOIN pg_catalog.pg_class AS c ON c.oid = i.indrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = 'file_data' AND a.amname = 'brin';
COMMIT;
