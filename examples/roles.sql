-- The rights that uploaderd needs in its database: two ways. Run by psql as a superuser, connected to
-- that database, with -v app=ROLE (the role of conninfo), and -v schema=SCHEMA where the configuration
-- names another than uploader. Ends at the first error, with 3.
\set ON_ERROR_STOP on
\if :{?schema}
\else
\set schema uploader
\endif

-- 1. The role makes and migrates the schema itself, and owns it. To take the right away again once the
--    schema is there: REVOKE CREATE ON DATABASE ... FROM ROLE; an upgrade then asks for it.
\if :{?owner}
\else
SELECT format('GRANT CREATE ON DATABASE %I TO %I', current_database(), :'app') \gexec
\endif

-- 2. With -v owner=OTHER, after OTHER has made the schema (uploaderd started once as OTHER, and again for
--    each upgrade): the role reads and writes the tables, those too that OTHER adds at an upgrade, and can
--    change nothing else.
\if :{?owner}
GRANT USAGE ON SCHEMA :"schema" TO :"app";
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA :"schema" TO :"app";
GRANT USAGE ON ALL SEQUENCES IN SCHEMA :"schema" TO :"app";
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA :"schema" TO :"app";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA :"schema"
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO :"app";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA :"schema" GRANT USAGE ON SEQUENCES TO :"app";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA :"schema" GRANT EXECUTE ON FUNCTIONS TO :"app";
\endif
