-- mode: string
-- Before the first part of a chunk whose bad records are sought.
SAVEPOINT part
