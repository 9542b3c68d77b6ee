-- The rights that uploaderd needs in its database: two ways. Run by psql as a superuser, connected to
-- that database, with -v app=ROLE (the role of conninfo).

-- 1. The role makes and migrates the schema itself, and owns it. To take the right away again once the
--    schema is there: REVOKE CREATE ON DATABASE ... FROM ROLE; an upgrade then asks for it.
\if :{?owner}
\else
SELECT format('GRANT CREATE ON DATABASE %I TO %I', current_database(), :'app') \gexec
\endif

-- 2. With -v owner=OTHER, after OTHER has made the schema (uploaderd started once as OTHER, and again for
--    each upgrade): the role reads and writes the tables, and can change nothing else.
\if :{?owner}
GRANT USAGE ON SCHEMA uploader TO :"app";
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA uploader TO :"app";
GRANT USAGE ON ALL SEQUENCES IN SCHEMA uploader TO :"app";
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA uploader TO :"app";
\endif
