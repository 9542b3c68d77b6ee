# SPDX-License-Identifier: PostgreSQL
"""What surrounds a supervisor and goes wrong: sessions, locks, rights, schema, socket, shutdown."""

import datetime
import fcntl
import json
import os
import resource
import re
import time

import pytest
from harness import ROOT, SANITIZED, alive, check_exact, records_of, wait_until

OF_SUPERVISOR = "application_name LIKE 'uploader/%/0/%'"  # its sessions work for no tracker


# ---- its sessions ----


def sessions(service):
    """Their pids."""
    return [pid for pid, in service.sql.run(
        "SELECT pid FROM pg_stat_activity"
        f" WHERE datname = current_database() AND {OF_SUPERVISOR}")]


def both_sessions(service):
    """Of reads and of fences: their pids, or none unless both are there."""
    pids = sessions(service)
    return pids if len(pids) == 2 else []


def test_the_supervisors_own_sessions_are_ended(service):
    path, tracker = service.in_the_middle()
    for _ in range(3):
        pids = wait_until(lambda: both_sessions(service), "both sessions of the supervisor")
        service.sql.run("SELECT pg_terminate_backend(pid) FROM unnest(%s) AS pid", pids)
        wait_until(lambda: not set(pids) & set(both_sessions(service)), "them to be gone")
    service.wait_ready()
    service.ok("wait", path)
    assert check_exact(service, tracker, with_file=True) == "PROCESSED"
    other = service.people("other.csv", 100)
    service.ok("upload", "--wait", other)


def test_changes_that_queue_up_get_more_sessions_for_a_while(new_service):
    service = new_service(supervisor={"max_workers": 4}).start()
    assert len(sessions(service)) == 2
    paths = [service.people(f"{i}.csv", 10) for i in range(40)]
    service.ok("upload", "--wait", *paths)
    assert 2 < len(sessions(service)) <= 5
    assert service.count() == 40 * 10
    wait_until(lambda: len(sessions(service)) == 2, "the others to be closed")
    service.ok("upload", "--wait", service.people("last.csv", 10))


def test_a_further_session_that_cannot_be_had_is_done_without(new_service):
    service = new_service(supervisor={"max_workers": 1, "retry_limit": 1000}, upload={"lanes": 1})
    loader = f"loader_{service.database}"
    service.sql.run(f"CREATE ROLE {loader} LOGIN CONNECTION LIMIT 2;"
                    f" GRANT CREATE ON DATABASE {service.database} TO {loader}")
    service.set(database={"conninfo": service.cluster.conninfo(service.database, loader)})
    service.start()
    paths = [service.people(f"{i}.csv", 10) for i in range(10)]
    service.ok("upload", *paths)  # no worker of theirs can connect
    wait_until(lambda: "a further connection cannot be had" in service.log_text(), "the notice")
    assert len(sessions(service)) == 2
    service.sql.run(f"ALTER ROLE {loader} CONNECTION LIMIT 3")
    service.ok("wait", *paths)
    assert service.count() == 10 * 10


def test_a_locked_row_holds_up_no_other_at_recovery(new_service):
    """Unfinished trackers are fenced in one statement, without those whose row is locked."""
    service = new_service(upload={"chunk_bytes": "4K"}, supervisor={"resume": "no"}).start()
    one, first = service.in_the_middle(count=300_000)  # it still runs when the other does
    two, second = service.in_the_middle("two.csv")
    service.kill()
    with service.cluster.connect(service.database) as blocker:
        blocker.connection.autocommit = False
        blocker.run("SELECT FROM uploader.file_tracker WHERE id = %s FOR UPDATE", first)
        service.start(wait=False)
        wait_until(lambda: service.sql.value(
            "SELECT status FROM uploader.file_tracker WHERE id = %s", second) == "KILLED",
            "the other upload to be KILLED")
        assert service.sql.value(
            "SELECT status FROM uploader.file_tracker WHERE id = %s", first) == "PROCESSING"
        blocker.connection.rollback()
    for path, tracker in ((one, first), (two, second)):
        service.wait_status(path, "KILLED")
        assert check_exact(service, tracker) == "KILLED"
        service.ok("upload", "--wait", path)
        assert check_exact(service, tracker, with_file=True) == "PROCESSED"


def test_very_many_unfinished_uploads(new_service):
    count = 5_000
    service = new_service(upload={"chunk_bytes": "4K"}, supervisor={"resume": "no"}).start()
    path, tracker = service.in_the_middle()
    service.kill()
    columns = ("profile, profile_text, status, owner, size, device, inode, mtime_ns, ctime_ns")
    service.sql.run(
        f"INSERT INTO uploader.file_tracker (path, {columns}) SELECT t.path || '.' || n, {columns}"
        f" FROM uploader.file_tracker AS t, generate_series(1, {count}) AS n")
    service.start()
    states = service.sql.run("SELECT status, interrupted, count(*) FROM uploader.file_tracker"
                             " GROUP BY 1, 2")
    assert states == [("KILLED", True, count + 1)]
    assert check_exact(service, tracker) == "KILLED"
    service.ok("upload", "--wait", path)
    listed = service.ok("list", "--status", "KILLED", "--json").objects
    assert len({upload["id"] for upload in listed}) == count


# ---- the state of the server: what is to be mended is said, and the rest goes by itself ----


@pytest.mark.parametrize("condition, hint", [
    ("disk_full", "Make room"), ("deadlock_detected", "pg_blocking_pids"),
    ("read_only_sql_transaction", "no standby"), ("query_canceled", "timeout of the role"),
])
def test_an_error_of_the_servers_state_says_what_to_do(new_service, condition, hint):
    service = new_service(upload={"chunk_bytes": "4K"}).start()
    service.sql.run("CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                    f" RAISE 'so it is' USING ERRCODE = '{condition}'; END $$;"
                    "CREATE TRIGGER fail BEFORE INSERT ON uploader.file_data"
                    " FOR EACH ROW WHEN (NEW.line_no = 500) EXECUTE FUNCTION fail()")
    path = service.people(count=1000)
    tracker = service.ok("upload", path, "--json").json["id"]
    error = wait_until(lambda: service.status(tracker)["error"], "the reason")
    assert hint in error["hint"] and "by themselves" in error["hint"], error
    service.sql.run("DROP TRIGGER fail ON uploader.file_data")
    service.ok("wait", path)
    assert check_exact(service, tracker, with_file=True) == "PROCESSED"


def test_a_database_that_is_read_only(service):
    with service.cluster.connect() as sql:
        sql.run(f"ALTER DATABASE {service.database} SET default_transaction_read_only = on")
        sql.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                service.database)
        wait_until(lambda: "default_transaction_read_only" in service.ctl("ping", "--json").out,
                   "the hint")
        sql.run(f"ALTER DATABASE {service.database} RESET default_transaction_read_only")
    service.leave_sql()
    service.ok("upload", "--wait", service.people(count=10))


def test_a_fence_that_was_cancelled_is_tried_again(new_service):
    """It waits for a lock, so that it is surely under way."""
    service = new_service(upload={"chunk_bytes": "4K", "lanes": 1}).start()
    path, tracker = service.in_the_middle()
    with service.cluster.connect(service.database) as blocker:
        blocker.run("BEGIN; SELECT FROM uploader.file_tracker FOR UPDATE")
        killing = service.ctl_start("kill", path)
        fence, = wait_until(lambda: service.sql.run(
            "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND"
            f" datname = current_database() AND {OF_SUPERVISOR}"), "the fence")
        service.sql.run("SELECT pg_cancel_backend(%s)", fence[0])
        wait_until(lambda: "57014" in service.log_text(), "it to be cancelled")
        blocker.run("ROLLBACK")
    out, err = killing.communicate(timeout=60)
    assert killing.returncode == 0, (out, err)
    assert check_exact(service, tracker) == "KILLED"
    service.ok("upload", "--wait", path)
    assert check_exact(service, tracker, with_file=True) == "PROCESSED"


# ---- what others do to the tables ----


@pytest.mark.parametrize("keeper", [
    "CREATE FUNCTION uploader.keep() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN RETURN CASE WHEN OLD.line_no % 100 = 0 THEN NULL ELSE OLD END; END $$;"
    "CREATE TRIGGER keep BEFORE DELETE ON uploader.file_data FOR EACH ROW"
    " EXECUTE FUNCTION uploader.keep()",
    "CREATE RULE keep AS ON DELETE TO uploader.file_data DO INSTEAD NOTHING",
    "CREATE FUNCTION uploader.keep() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN INSERT INTO uploader.file_data SELECT OLD.*; RETURN NULL; END $$;"
    "CREATE CONSTRAINT TRIGGER keep AFTER DELETE ON uploader.file_data DEFERRABLE INITIALLY DEFERRED"
    " FOR EACH ROW WHEN (OLD.line_no % 100 = 0) EXECUTE FUNCTION uploader.keep()",
])
def test_rows_that_cannot_be_deleted_are_never_called_gone(service, keeper):
    path, tracker = service.in_the_middle()
    service.ok("kill", path)
    service.sql.run(keeper)
    stopping = service.ctl_start("stop", path)
    message = wait_until(lambda: (service.status(path)["error"] or {}).get("message"), "the reason")
    assert "cannot be deleted" in message, message
    assert service.status(path)["status"] == "PROCESSING"
    assert f"trying again: {message}" in stopping.stderr.readline()  # it goes on to wait
    refused = service.ok("upload", path, "--json", code=6).json["error"]
    assert message in refused["detail"] and f"uploadctl kill {tracker}" in refused["hint"]
    kind = "TRIGGER" if "TRIGGER" in keeper else "RULE"
    service.sql.run(f"DROP {kind} keep ON uploader.file_data")
    out, err = stopping.communicate(timeout=60)
    assert stopping.returncode == 0, (out, err)
    assert check_exact(service, tracker) == "STOPPED"


def test_rows_that_a_policy_hides_are_never_called_gone(new_service):
    """What cannot see all rows is an error, and leaves all as it is; a stop waits until it can."""
    service = new_service(upload={"chunk_bytes": "4K"})
    service.be_a_role()
    service.start()
    path, tracker = service.in_the_middle()
    rows = service.ok("kill", path, "--json").json["rows"]
    service.sql.run("ALTER TABLE uploader.file_data ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
                    "CREATE POLICY keep ON uploader.file_data USING (line_no > 100)")
    for command in (["verify"], ["forget", "--rows"], ["upload", "--wait"]):
        answer = service.ctl(*command, path)
        assert answer.code == 1 and "row-level security" in answer.err, (command, answer)
    stopping = service.ctl_start("stop", path)
    assert "row-level security" in stopping.stderr.readline()
    assert service.count() == rows and check_exact(service, tracker) == "PROCESSING"
    service.sql.run("ALTER TABLE uploader.file_data DISABLE ROW LEVEL SECURITY")
    stopping.communicate(timeout=60)
    assert stopping.returncode == 0 and check_exact(service, tracker) == "STOPPED"


@pytest.mark.parametrize("change, says", [
    ("ALTER TABLE uploader.file_data SET UNLOGGED", "file_data is unlogged"),
    ("ALTER TABLE uploader.file_data RENAME TO rows;"
     "CREATE VIEW uploader.file_data AS SELECT * FROM uploader.rows", "file_data is not a table"),
    ("DROP TABLE uploader.file_data; CREATE TABLE uploader.file_data (file_tracker_id bigint, line_no"
     " bigint, name text, email text) PARTITION BY HASH (line_no); CREATE TABLE uploader.d0 PARTITION"
     " OF uploader.file_data FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE UNLOGGED TABLE"
     " uploader.d1 PARTITION OF uploader.file_data FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
     "has a partition that is unlogged"),
])
def test_a_target_that_cannot_keep_the_promise_is_refused(service, change, says):
    service.sql.run(change)
    path = service.people(count=100)
    answer = service.ok("upload", "--wait", "--json", path, code=1).json
    assert answer["status"] == "FAILED" and says in answer["error"]["message"], answer
    assert service.count() == 0


def test_kill_of_a_rollback_that_waits_for_another_session(service):
    """The server's process outlives its killed worker, holds the row, and would go on later."""
    path, tracker = service.in_the_middle()
    rows = service.ok("kill", path, "--json").json["rows"]
    with service.cluster.connect(service.database) as blocker:
        blocker.connection.autocommit = False
        blocker.run("LOCK TABLE uploader.file_data IN SHARE MODE")
        service.ok("stop", "--no-wait", path)
        wait_until(lambda: service.sql.value(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND query LIKE '%pop_rows(%'"), "the rollback to wait")
        answer = service.ok("kill", path, "--json").json
        assert (answer["status"], answer["rows"]) == ("KILLED", rows)
        blocker.connection.rollback()
    assert check_exact(service, tracker) == "KILLED"
    service.ok("upload", "--wait", path)
    assert check_exact(service, tracker, with_file=True) == "PROCESSED"


# ---- shutdown ----


def test_shutdown_before_the_database_was_there(new_service, own_cluster):
    database = own_cluster.new_database()
    own_cluster.stop()
    service = new_service(cluster=own_cluster, database=database).start(wait=False)
    wait_until(lambda: service.ctl("ping").code == 0, "an answer")
    assert service.stop() == 0
    assert not service.socket.exists()


def test_shutdown_while_the_database_does_not_answer(new_service, own_cluster):
    """What it cannot record any more, the next start does."""
    service = new_service(cluster=own_cluster, upload={"chunk_bytes": "4K"},
                          supervisor={"resume": "no", "stop_timeout": "1s"}).start()
    path, tracker = service.in_the_middle()
    workers = service.workers()
    go_on = own_cluster.freeze()
    try:
        service.stop()
        wait_until(lambda: not any(map(alive, workers)), "the workers to be gone")
    finally:
        go_on()
    service.start()
    service.wait_status(path, "KILLED")
    assert check_exact(service, tracker) == "KILLED"


def test_shutdown_with_a_locked_row(new_service):
    service = new_service(upload={"chunk_bytes": "4K"},
                          supervisor={"resume": "no", "stop_timeout": "1s"}).start()
    path, tracker = service.in_the_middle()
    with service.cluster.connect(service.database) as blocker:
        blocker.connection.autocommit = False
        blocker.run("SELECT FROM uploader.file_tracker FOR UPDATE")
        service.stop()
        blocker.connection.rollback()
    service.start()
    service.wait_status(path, "KILLED")
    assert check_exact(service, tracker) == "KILLED"


# ---- rights and schema ----


def test_rights_that_are_granted_later(new_service, cluster):
    database = cluster.new_database()
    with cluster.connect(database) as sql:
        sql.run(f"DROP ROLE IF EXISTS role_{database}")
        sql.run(f"CREATE ROLE role_{database} LOGIN")
    service = new_service(database=database)
    service.set(database={"conninfo": cluster.conninfo(database, f"role_{database}")})
    service.start(wait=False)
    hint = wait_until(lambda: re.search("hint: As the database's owner: (GRANT [^;]*);",
                                        service.log_text()), "what to do in the log")
    answer = service.ok("ping", "--json").json  # says the same
    assert (answer["database"], answer["error"]["sqlstate"]) == ("away", "42501")
    assert hint[1] in answer["error"]["hint"] and hint[1] in service.ok("ping").out
    service.sql.run(hint[1])
    service.wait_ready()
    assert service.ok("ping", "--json").json["error"] is None
    path = service.people(count=100)
    service.ok("upload", "--wait", path)
    assert service.rows() == records_of(path)
    service.stop()
    service.sql.run(f"DROP OWNED BY role_{database}")
    service.sql.run(f"DROP ROLE role_{database}")


def test_a_schema_of_the_first_version_is_migrated(new_service):
    """With what it holds."""
    service = new_service(upload={"chunk_bytes": "4K"})
    first = (ROOT / "db/sql/migrations/001.sql").read_text().replace("@schema@", "uploader")
    service.sql.run("CREATE SCHEMA uploader;" + first.replace("%", "%%") +
                    "INSERT INTO uploader.schema_version VALUES (%s)", 1)
    path = service.people(count=100)
    tracker = service.sql.value(
        "INSERT INTO uploader.file_tracker (path, profile, profile_text, status, owner)"
        " VALUES (%s, 'contacts', '{}', 'STOPPED', 'one') RETURNING id", str(path))
    service.sql.run("INSERT INTO uploader.file_data (file_tracker_id, line_no, name, email)"
                    " VALUES (0, 1, 'n', 'e')")
    service.start()
    assert service.sql.value("SELECT max(version) FROM uploader.schema_version") > 1
    assert service.count() == 1
    answer = service.ok("upload", "--wait", path, "--json").json
    assert answer["id"] == tracker
    assert service.rows(tracker) == records_of(path)


def test_a_newer_schema_ends_it(service):
    assert service.stop() == 0
    service.sql.run("INSERT INTO uploader.schema_version (version) VALUES (999)")
    service.start(wait=False)
    assert service.process.wait(60) == 1
    service.sql.run("DELETE FROM uploader.schema_version WHERE version = 999")
    assert "999" in service.only_error()
    service.start()


# ---- its log ----


def test_a_log_that_nobody_reads_holds_up_nothing(service):
    assert service.stop() == 0
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 8192)
    service.start(log=writer)
    paths = [service.people(f"{i}.csv", 100) for i in range(30)]
    service.ok("upload", "--wait", *paths)
    assert len(os.read(reader, 8192)) > 4096  # it was full
    assert service.stop() == 0
    os.close(reader)


def test_a_name_fakes_no_field_of_the_log(service):
    path = service.people('a" tracker=9 code=x.csv', 10)
    service.ok("upload", "--wait", path)
    quoted = str(path).replace('"', '\\"')
    assert f'path="{quoted}"\n' in service.log_text()
    plain = service.people("plain.csv", 10)
    service.ok("upload", "--wait", plain)
    assert f"path={plain}\n" in service.log_text()
    path.write_text('name,email\n"open')
    service.ok("upload", "--wait", path, code=1)
    line, = (line for line in service.log_text().splitlines() if "the upload failed" in line)
    assert f'path="{quoted}" code=file_quote: ' in line
    deep = service.files / ("d" * 250) / ("e" * 250) / ('f" g' * 50)
    deep.parent.mkdir(parents=True)
    deep.write_text('name,email\n"open')
    service.ok("upload", "--wait", deep, code=1)
    quoted = str(deep).replace('"', '\\"')
    assert f'path="{quoted}" code=file_quote: ' in service.log_text()


# ---- its place ----


def test_a_file_in_the_sockets_place_stays(new_service):
    service = new_service()
    service.socket.write_text("precious")
    service.start(wait=False)
    assert service.process.wait(60) == 1
    assert str(service.socket) in service.only_error()
    assert service.socket.read_text() == "precious"
    service.socket.unlink()
    service.start()


@pytest.mark.parametrize("option", ["conninfo", "schema", "socket", "name"])
def test_what_a_reload_cannot_change_is_said(service, option):
    section = "database" if option in ("conninfo", "schema") else "supervisor"
    value = {"conninfo": service.cluster.conninfo("other"),
             "socket": service.folder / "other.sock"}.get(option, "other")
    service.set(**{section: {option: value}})
    service.reload(f"{section}.{option} counts from the next start on")
    service.ok("upload", "--wait", service.people(count=10))


def test_many_idle_clients_lock_nobody_out(new_service):
    """The soft limit of descriptors is raised to the hard one."""
    service = new_service()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    try:
        service.start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    idle = [service.raw() for _ in range(200)]
    path = service.people(count=100)
    service.ok("upload", "--wait", path)
    for client in idle:
        client.close()


def resident_mib(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmRSS"))


def test_clients_that_never_read_take_bounded_memory(new_service):
    """Each leaves a page of rejects unread, some 5 MiB; others are answered all the while."""
    service = new_service(upload={"max_record": "64K"}).start()
    bad = b"".join(b"x" * 9000 + b",y,z\n" for _ in range(500))
    path = service.file("bad.csv", b"name,email\n" + bad)
    tracker = service.ok("upload", "--wait", "--json", path, code=3).json["id"]
    request = {"kind": "rejects", "ref": 1, "id": tracker, "limit": 500}
    clients = []
    for _ in range(80):
        client = service.raw()
        client.sendall(json.dumps(request).encode() + b"\n")
        clients.append(client)
        service.ok("ping")
    wait_until(lambda: "does not read its answers" in service.log_text(), "the first to be closed")
    service.ok("status", path)
    if not SANITIZED:  # a sanitizer keeps what was freed
        wait_until(lambda: resident_mib(service.process.pid) < 350, "the memory to be bounded")
    for client in clients:
        client.close()


def test_trouble_is_told_until_the_upload_comes_further(new_service):
    """The next try may wait for long, and looks healthy all the while."""
    service = new_service(upload={"chunk_bytes": "4K"}).start()
    path, tracker = service.in_the_middle()
    with service.cluster.connect(service.database) as blocker:
        blocker.connection.autocommit = False
        blocker.run("LOCK TABLE uploader.file_data IN SHARE MODE")
        service.sql.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        f" WHERE application_name LIKE 'uploader/%%/{tracker}/%%'")

        def tries_again():
            upload = service.status(tracker)
            return upload["phase"] == "running" and upload["error"] and not upload["retry_at"]

        wait_until(tries_again, "the trouble to be told of one that runs")
        blocker.connection.rollback()
    service.ok("wait", path)
    assert service.status(path)["error"] is None
    assert check_exact(service, tracker, True) == "PROCESSED"


def test_a_right_that_is_lost_in_the_middle_is_said(cluster, new_service):
    """What the supervisor itself may not write: nobody knows unless status and wait say it."""
    service = new_service()
    database = service.database
    with cluster.connect(database) as sql:
        sql.run(f"CREATE ROLE lost_{database} LOGIN")
        sql.run(f"GRANT CREATE ON DATABASE {database} TO lost_{database}")
    service.set(database={"conninfo": cluster.conninfo(database, f"lost_{database}")},
                upload={"chunk_bytes": "4K"})
    service.start()
    path, tracker = service.in_the_middle()
    # the owner of a table may grant itself everything again, so it is another's now
    service.sql.run("ALTER TABLE uploader.file_event OWNER TO postgres")
    service.sql.run(f"REVOKE ALL ON uploader.file_event FROM lost_{database}")

    def said():
        upload = service.status(tracker)
        error = upload["error"]
        return error and error["sqlstate"] == "42501" and upload["retry_at"] and upload

    upload = wait_until(said, "the lost right to be said")
    assert "file_event" in upload["error"]["message"]
    due = datetime.datetime.fromisoformat(upload["retry_at"]).timestamp()
    assert abs(due - time.time()) < 60
    wait_until(lambda: "next try" in service.ok("status", tracker).out, "the next try to be shown")
    service.sql.run(f"ALTER TABLE uploader.file_event OWNER TO lost_{database}")
    service.ok("wait", path)
    upload = service.status(path)
    assert (upload["error"], upload["retry_at"]) == (None, None)
    assert check_exact(service, tracker, True) == "PROCESSED"
    service.stop()
    service.sql.run(f"DROP OWNED BY lost_{database} CASCADE; DROP ROLE lost_{database}")
