-- What names the snapshot to another connection, as long as this transaction lasts.
-- Result: snapshot.
SELECT pg_catalog.pg_export_snapshot() AS snapshot;
