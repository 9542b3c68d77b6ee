-- mode: string
-- Also where no transaction is open: that is a warning.
ROLLBACK;
