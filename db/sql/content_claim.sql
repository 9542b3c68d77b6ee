-- mode: string
-- Takes a file's bytes for a tracker that is about to load them from record 1, unless another upload
-- has them.
-- $1 tracker, $2 epoch, $3 token, $4 owner, $5 hash (NULL: not read), $6 size, $7 whatever others have
-- Result: who has them (id, path, status), or none.
BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
SET LOCAL row_security = off;
SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = 0;
SELECT h.id, h.path, h.status
FROM @schema@.claim_content($1::bigint, $2::bigint, $3::bigint, $4::text, $5::bytea, $6::bigint,
                            $7::boolean) AS h;
COMMIT
