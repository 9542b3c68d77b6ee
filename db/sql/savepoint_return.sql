-- mode: string
-- A part was refused: back to before it, where another begins.
ROLLBACK TO SAVEPOINT part
