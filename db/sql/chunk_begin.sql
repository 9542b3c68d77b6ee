-- mode: string
-- Begins a chunk's transaction, and looks at the tracker without a lock: whoever has lost it need
-- not send the rows. That proves nothing, the gate does.
--
-- Chunks in the middle need not reach the disk before the next: rows and checkpoint vanish together
-- in a crash of the server. Where a commit must be durable, whatever durable level the operator has
-- set is left as it is (local, remote_apply); only "off" is none, and becomes "on".
-- Constraints that are deferred would be found at the COMMIT, where it is too late to tell which row
-- it was: here they are checked with the rows.
-- What an operator allows the sessions of others does not count here: a chunk takes as long as it takes,
-- and waits in its transaction for the one before it.
-- The gate keeps where the chunk's rows went: from what is the last block now.
-- Notices would tell the worker nothing, but look like the failure of a COPY.
-- $1 tracker, $2 epoch, $3 token, $4 owner, $5 synchronous, $6 lock_timeout in ms
BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
SET LOCAL row_security = off;
SET LOCAL statement_timeout = 0;
SELECT pg_catalog.set_config('synchronous_commit',
           CASE WHEN NOT $5::boolean THEN 'off'
                WHEN pg_catalog.current_setting('synchronous_commit') = 'off' THEN 'on'
                ELSE pg_catalog.current_setting('synchronous_commit') END, true);
SET LOCAL lock_timeout = $6;
SET LOCAL idle_in_transaction_session_timeout = 0;
SET LOCAL client_min_messages = 'error';
SET CONSTRAINTS ALL IMMEDIATE;
SELECT pg_catalog.set_config('uploader.from_block',
                             greatest(@schema@.last_block(), 0)::text, true);
SELECT EXISTS (
    SELECT FROM @schema@.file_tracker AS t
    WHERE t.id = $1 AND t.epoch = $2 AND t.token = $3 AND t.owner = $4
      AND t.status = 'PROCESSING' AND t.wanted IS NULL
) AS mine;
