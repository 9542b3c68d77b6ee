-- mode: string
-- A part is in; the next begins.
RELEASE SAVEPOINT part;
SAVEPOINT part;
