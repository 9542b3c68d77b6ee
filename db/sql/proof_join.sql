-- mode: string
-- Behind proof_begin: the snapshot of another connection instead of one's own.
-- $1 its name
SET TRANSACTION SNAPSHOT $1;
