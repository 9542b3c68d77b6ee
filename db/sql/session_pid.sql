-- Which process of the server answers (session_check): not what the connection was told when it was
-- made, for a pooler invents that.
-- Result: pid.
SELECT pg_catalog.pg_backend_pid() AS pid
