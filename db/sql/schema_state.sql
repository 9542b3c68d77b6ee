-- What there is of the service's schema, and what this role may do about it (schema_migrate). Looks
-- into the catalogue only, which everybody may.
--
-- $1 the schema, quoted
--
-- Result: schema_there, versioned (it has schema_version), may_read (that), may_create_tables,
-- may_create_schema, quoted_role, quoted_database.
SELECT n.oid IS NOT NULL AS schema_there,
       v.oid IS NOT NULL AS versioned,
       pg_catalog.has_schema_privilege(n.oid, 'USAGE')
           AND pg_catalog.has_table_privilege(v.oid, 'SELECT') AS may_read,
       pg_catalog.has_schema_privilege(n.oid, 'USAGE')
           AND pg_catalog.has_schema_privilege(n.oid, 'CREATE') AS may_create_tables,
       pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')
           AS may_create_schema,
       pg_catalog.quote_ident(current_user) AS quoted_role,
       pg_catalog.quote_ident(pg_catalog.current_database()) AS quoted_database
FROM (SELECT pg_catalog.to_regnamespace($1::text)::oid AS oid) AS n
LEFT JOIN pg_catalog.pg_class AS v ON v.relnamespace = n.oid AND v.relname = 'schema_version'
