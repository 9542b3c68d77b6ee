# SPDX-License-Identifier: PostgreSQL
"""The ways in which the product is broken: one text of one file in place of another, and the tests
(an expression of pytest -k) of which one at least must go red."""

from collections import namedtuple

Mutant = namedtuple("Mutant", "name what tests file old new")

GATE = "db/sql/migrations/001.sql"
POP = "db/sql/migrations/006.sql"
E2E = "test_recovery or test_states or test_files or test_lanes or test_supervisor"

MUTANTS = [
    Mutant("gate_any_epoch", "the gate lets every epoch pass", "test_unit or wire or owners", GATE,
           "t.id = a_tracker AND t.epoch = a_epoch AND t.token = a_token AND t.owner = a_owner\n"
           "      AND t.status = 'PROCESSING' AND t.wanted IS NULL\n    FOR SHARE",
           "t.id = a_tracker\n    FOR SHARE"),
    Mutant("gate_no_lock", "the gate looks at the tracker without a lock", "test_unit or wire", GATE,
           "t.status = 'PROCESSING' AND t.wanted IS NULL\n    FOR SHARE;",
           "t.status = 'PROCESSING' AND t.wanted IS NULL;"),
    Mutant("gate_no_chain", "the gate does not look whether the chain goes on", "test_unit", GATE,
           "a_last_line - a_first_line + 1 = a_row_count + a_reject_count) IS NOT TRUE THEN",
           "a_last_line - a_first_line + 1 = a_row_count + a_reject_count) IS NULL THEN"),
    Mutant("checkpoint_apart", "a checkpoint in a transaction of its own", E2E,
           "db/sql/chunk_commit.sql", "SELECT @schema@.gate($1",
           "COMMIT; BEGIN; SELECT @schema@.gate($1"),
    Mutant("commit_before_predecessor", "a lane commits as soon as it is copied", E2E,
           "worker/dispatch.c",
           "static void on_lane_copied(void *arg, struct lane *lane)\n{\n    (void)lane;\n",
           "static void on_lane_copied(void *arg, struct lane *lane)\n{\n    struct error ignored;\n"
           "    struct dispatch *m = arg;\n"
           "    if (m->queue[0].lane != lane && lane_commit(lane, NULL, &ignored) == 0)\n"
           "        return;\n"),
    Mutant("rejects_lost", "a chunk's rejects are not sent", "test_csv", "worker/lane.c",
           "if (counts->rejects > 0)\n        send_rejects", "if (counts->rejects < 0)\n        send_rejects"),
    Mutant("reject_lost_on_resume", "a resumed upload counts its rejects from none", "test_recovery",
           "worker/load.c", ".rejects = checkpoint->rejects_total,", ".rejects = 0,"),
    Mutant("resume_no_compare", "a resume does not compare what is in", "test_files", "worker/verify.c",
           "if (v->rc < 0 || memcmp(hash, checkpoint->hash, sizeof hash) != 0)", "if (v->rc < 0)"),
    Mutant("file_not_looked_at", "a file that changes while it is read is not noticed",
           "test_files", "worker/lane.c",
           "int rc = source_check(&lane->input->source, err);",
           "int rc = source_check(&lane->input->source, err);\n    rc = 0;"),
    Mutant("second_pass_unchecked", "what is sent may differ from what was hashed", "test_unit",
           "worker/pass.c", "(!pass->digest && memcmp(hash, pass->chunk.hash, sizeof hash) != 0)", "false"),
    Mutant("stop_unseen", "the gate does not look whether a stop is wanted", "test_unit", GATE,
           "t.status = 'PROCESSING' AND t.wanted IS NULL\n    FOR SHARE",
           "t.status = 'PROCESSING'\n    FOR SHARE"),
    Mutant("stop_without_fence", "a stop's intent is no fence", "test_unit", "db/sql/move.sql",
           "SET epoch = t.epoch + 1,", "SET epoch = t.epoch + ($7 IS NULL)::int,"),
    Mutant("stop_keeps_rejects", "a rollback leaves the rejects", "test_states or test_unit", POP,
           "DELETE FROM @schema@.file_reject AS r\n    WHERE r.file_tracker_id = a_tracker",
           "DELETE FROM @schema@.file_reject AS r\n    WHERE r.file_tracker_id = -a_tracker"),
    Mutant("pop_any_epoch", "a rollback's gate lets every epoch pass", "test_unit", POP,
           "t.id = a_tracker AND t.epoch = a_epoch AND t.token = a_token AND t.wanted IS NOT NULL",
           "t.id = a_tracker AND t.wanted IS NOT NULL"),
    Mutant("pop_place_of_others", "a rollback takes all rows out that lie where its own do",
           "test_unit or test_lanes or test_states", POP,
           "      AND d.file_tracker_id = a_tracker AND d.line_no BETWEEN a_first_line AND a_last_line;",
           ";"),
    Mutant("pop_eager", "steps of a rollback are committed in any order", "test_lanes",
           "worker/rollback.c", " || lane->step.last_chunk != rollback->top", ""),
    Mutant("pop_any_order", "a step of a rollback need not be the newest", "test_unit", POP,
           "IF newest IS DISTINCT FROM a_last_chunk THEN", "IF newest < a_last_chunk THEN"),
    Mutant("kill_goes_on", "what a user killed goes on after a restart", "test_recovery",
           "db/moves.h", 'X(MOVE_KILL, "kill", STATUS_KILLED, WANTED_NOTHING, MARK_CLEARED',
           'X(MOVE_KILL, "kill", STATUS_KILLED, WANTED_NOTHING, MARK_SET'),
    Mutant("finish_unproven", "PROCESSED without a look at the final checkpoint", "test_unit",
           "db/sql/move.sql", "AND p.final AND p.rows + p.rejects = p.line", ""),
    Mutant("acknowledged_too_early", "what is acknowledged is not durable yet", "test_recovery",
           "db/sql/move.sql",
           "SELECT pg_catalog.set_config('synchronous_commit', 'on', true)\n"
           "WHERE pg_catalog.current_setting('synchronous_commit') = 'off';",
           "SELECT pg_catalog.set_config('synchronous_commit', 'off', true);"),
    Mutant("recovery_without_fence", "recovery does not fence", "test_unit or chaos or wire",
           "db/sql/unfinished_fence.sql",
           "SET epoch = t.epoch + 1, token = $2::bigint",
           "SET epoch = t.epoch, token = t.token"),
    Mutant("earlier_life_lives", "an earlier life's backends are left alone", "test_unit",
           "db/sql/earlier_life_terminate.sql", "THEN pg_catalog.pg_terminate_backend(a.pid)",
           "THEN true"),
    Mutant("worker_outlives", "a worker does not die with its supervisor", "test_recovery",
           "worker/main.c", "prctl(PR_SET_PDEATHSIG, SIGKILL);", ""),
    Mutant("limit_of_a_chunk", "chunks of several lanes have a reject limit each", "test_sift",
           "worker/dispatch.c", "if (refuse_crossing(d, lane, &err) < 0 || lane_commit",
           "if ((refuse_crossing(d, lane, &err) < 0 && false) || lane_commit"),
    Mutant("record_cut_at_quote", "a doubled quote ends a field", "test_oracle", "csv/scanner.c",
           "if (*p == s->quote)\n        s->state = QUOTED;", "if (*p == s->quote)\n        s->state = TEXT;"),
    Mutant("messages_kept", "a message is never freed", "test_soak", "ipc/stream.c",
           "on_message(stream->arg, message);\n    json_decref(message);",
           "on_message(stream->arg, message);"),
    Mutant("file_left_open", "a file that was looked at is left open", "test_soak", "csv/inspect.c",
           "err);\n    source_close(&source);", "err);"),
    Mutant("session_left", "a forget leaves its session", "test_soak", "supervisor/forget.c",
           "    db_conn_close(forget->conn);\n", ""),
    Mutant("unconfined", "a worker keeps what it does not need any more", "test_confine",
           "worker/session.c", "        confine_all(session->job.tracker);\n", "        (void)session;\n"),
]
