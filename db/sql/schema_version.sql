-- The version of the schema (schema_migrate).
-- Result: version, that of the last migration made; 0 for none.
SELECT coalesce(max(v.version), 0) AS version FROM @schema@.schema_version AS v
