-- mode: string
-- Before the first statement of a worker over a session that another has left (db/kept.h): what a
-- trigger or a default may have left in it goes. As DISCARD ALL, but for the plans, which are what
-- such a session is kept for.
-- $1 application_name
CLOSE ALL;
SET SESSION AUTHORIZATION DEFAULT;
RESET ROLE;
RESET ALL;
DEALLOCATE ALL;
UNLISTEN *;
SELECT pg_catalog.pg_advisory_unlock_all();
DISCARD TEMP;
DISCARD SEQUENCES;
SET application_name = $1;
