# SPDX-License-Identifier: PostgreSQL
"""verify: equal or not, tried on tables and files that were damaged on purpose."""

import os
import signal
import time

import pytest
from harness import Service, alive, children, wait_until

BAD = {7, 8, 450}

# what is done to the table of a PROCESSED upload of 900 records, and the record and words that
# verify has to name it by
DAMAGES = {
    "a row removed": ("DELETE FROM @file_data WHERE line_no = 300", 300, "missing in the table"),
    "the last row removed": (
        "DELETE FROM @file_data WHERE line_no = 900", 900, "missing in the table"),
    "a row doubled": (
        "INSERT INTO @file_data (file_tracker_id, line_no, name, email) SELECT file_tracker_id,"
        " line_no, name, email FROM @file_data WHERE line_no = 300", 300, "more than once"),
    "a row a thousand times": (
        "INSERT INTO @file_data (file_tracker_id, line_no, name, email) SELECT file_tracker_id,"
        " line_no, name, email FROM @file_data, generate_series(1, 1000) WHERE line_no = 300", 300,
        "more than once"),
    "a name changed": (
        "UPDATE @file_data SET name = name || ' ' WHERE line_no = 300", 300, "another name"),
    "an email changed": (
        "UPDATE @file_data SET email = upper(email) WHERE line_no = 300", 300, "another email"),
    "a row too many at the end": (
        "INSERT INTO @file_data (file_tracker_id, line_no, name, email) SELECT file_tracker_id,"
        " 901, 'n', 'e' FROM @file_data WHERE line_no = 1", 901, "a row of record 901"),
    "a row of record 0": (
        "INSERT INTO @file_data (file_tracker_id, line_no, name, email) SELECT file_tracker_id,"
        " 0, 'n', 'e' FROM @file_data WHERE line_no = 1", 0, "a row of record 0"),
    "a row for a reject": (
        "INSERT INTO @file_data (file_tracker_id, line_no, name, email) SELECT file_tracker_id,"
        " 7, 'n', 'e' FROM @file_data WHERE line_no = 1", 7, "and among the rejects"),
    "a reject removed": (
        "DELETE FROM @file_reject WHERE line_no = 450", 450, "missing among the rejects"),
    "a reject of a good record": (
        "WITH gone AS (DELETE FROM @file_data WHERE line_no = 300 RETURNING *) INSERT INTO"
        " @file_reject (file_tracker_id, line_no, start_offset, length, reason, raw) SELECT"
        " file_tracker_id, 300, 1, 1, 'why', 'x' FROM gone", 300, "a good record there"),
    "a reject besides a row": (
        "INSERT INTO @file_reject (file_tracker_id, line_no, start_offset, length, reason, raw)"
        " SELECT file_tracker_id, 300, 1, 1, 'why', 'x' FROM @file_data WHERE line_no = 300", 300,
        "and among the rejects"),
    "a reject with other bytes": (
        "UPDATE @file_reject SET raw = raw || 'x' WHERE line_no = 450", 450, "other bytes"),
    "a reject from elsewhere": (
        "UPDATE @file_reject SET start_offset = 1 WHERE line_no = 450", 450, "another place"),
    "a checkpoint removed": (
        "DELETE FROM @file_checkpoint WHERE chunk_no = 3",
        "SELECT first_line FROM @file_checkpoint WHERE chunk_no = 3",
        "chain of checkpoints is broken"),
}


# With one lane it walks, with two it sweeps first (worker/sweep.h).
@pytest.fixture(scope="module", params=[1, 2], ids=["one lane", "two lanes"])
def processed(cluster, request):
    service = Service(cluster, upload={"chunk_bytes": "4K", "lanes": request.param}).start()
    service.people(count=900, bad=BAD)
    service.ok("upload", "--wait", "people.csv", code=3)
    yield service
    service.remove()


def test_equal(processed):
    answer = processed.ok("verify", "people.csv")
    assert "verified: upload 1 is PROCESSED; 897 rows and 3 rejects" in answer.out
    upload = processed.ok("verify", "people.csv", "--json").json
    assert upload == processed.status("people.csv")
    processed.ok("verify", "people.csv", "1")


@pytest.mark.parametrize("what", DAMAGES)
def test_damaged_table(processed, what):
    """Each damage is done and undone in the same database; the service looks at it in between."""
    statement, record, says = DAMAGES[what]
    tables = ("file_data", "file_reject", "file_checkpoint")
    sql = processed.sql
    if isinstance(record, str):
        record = sql.value(record.replace("@", "uploader."))
    for table in tables:
        sql.run(f"CREATE TABLE kept_{table} AS TABLE uploader.{table}")
    try:
        sql.run(statement.replace("@", "uploader."))
        answer = processed.ctl("verify", "people.csv", "--json")
        error = answer.json["error"]
        assert (answer.code, error["code"]) == (1, "differs")
        assert says in error["detail"], error
        assert f"from record {record} on" in error["message"], error
        assert "uploadctl forget --rows 1" in error["hint"]
    finally:
        for table in tables:
            sql.run(f"DELETE FROM uploader.{table}")
            sql.run(f"INSERT INTO uploader.{table} SELECT * FROM kept_{table}")
            sql.run(f"DROP TABLE kept_{table}")
    processed.ok("verify", "people.csv")


@pytest.mark.parametrize("change, code, says", [
    (lambda data: data.replace(b"Person 300,", b"Person 3OO,"), "file_changed", "chunk"),
    (lambda data: data + b"one,more\n", "differs", "bytes"),
    (lambda data: data[:-30], "file_changed", "chunk"),
    (lambda data: data.replace(b"Person 20,", b'"erson 20,'), "file_changed", "chunk"),
    (lambda data: b"", "file_empty", ""),
], ids=["rewritten", "appended", "cut", "an open quote", "emptied"])
def test_changed_file(processed, change, code, says):
    path = processed.files / "people.csv"
    data = path.read_bytes()
    path.write_bytes(change(data))
    try:
        error = processed.ok("verify", "people.csv", "--json", code=1).json["error"]
    finally:
        path.write_bytes(data)
    assert error["code"] == code and says in (error["detail"] or ""), error


@pytest.mark.parametrize("lanes", [1, 2])
def test_a_file_that_was_changed_is_not_the_tables_fault(new_service, lanes):
    """Also when the records differ long before the end of the chunk, whose hash it is known by."""
    service = new_service(upload={"lanes": lanes}).start()
    path = service.people(count=150_000)
    service.ok("upload", "--wait", path)
    path.write_bytes(path.read_bytes().replace(b"Person 300,", b"Person 3OO,"))
    error = service.ok("verify", path, "--json", code=1).json["error"]
    assert error["code"] == "file_changed" and "forget" not in error["hint"], error


def uploaded_under(new_service, max_record, lanes, record):
    """A service with this `max_record`, and a file whose record 300 this is: (service, path)."""
    service = new_service(
        upload={"chunk_bytes": "4K", "lanes": lanes, "max_record": max_record}).start()
    path = service.people(count=900)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:300], record, *lines[300:]]) + "\n")
    return service, path


def verify_under(service, path, max_record, code=0):
    service.set(upload={"max_record": max_record})
    service.reload()
    return service.ok("verify", path, "--json", code=code).json


@pytest.mark.parametrize("lanes", [1, 2])
@pytest.mark.parametrize("record", ["n" * 200 + ",e", "too,long," + "x" * 200],
                         ids=["good", "bad in another way"])
def test_rejects_of_a_max_record_that_was_raised(new_service, record, lanes):
    service, path = uploaded_under(new_service, "64", lanes, record)
    service.ok("upload", "--wait", path, code=3)
    verify_under(service, path, "1M")
    service.sql.run("UPDATE uploader.file_reject SET raw = substr(raw, 1, 63)")
    error = service.ok("verify", path, "--json", code=1).json["error"]
    assert error["code"] == "differs" and "Record 300:" in error["detail"], error
    service.sql.run("UPDATE uploader.file_reject SET reason = replace(reason, '64', '63')")
    verify_under(service, path, "64")
    service.sql.run("UPDATE uploader.file_reject SET raw = substr(raw, 1, 62) || '!'")
    verify_under(service, path, "1M", code=1)


@pytest.mark.parametrize("lanes", [1, 2])
@pytest.mark.parametrize("record", ["n" * 200 + ",e", '"' + "n" * 200 + '",e'],
                         ids=["plain", "quoted"])
def test_rows_of_a_max_record_that_was_lowered(new_service, record, lanes):
    service, path = uploaded_under(new_service, "1M", lanes, record)
    service.ok("upload", "--wait", path)
    verify_under(service, path, "64")
    service.sql.run("UPDATE uploader.file_data SET name = 'n' WHERE length(name) = 200")
    verify_under(service, path, "64", code=1)


def test_a_file_that_was_moved_since(service):
    path = service.people(count=2000, bad=[7])
    tracker = service.ok("upload", "--wait", "--json", path, code=3).json["id"]
    there = path.rename(service.files / "moved.csv")
    error = service.ok("verify", tracker, "--json", code=1).json["error"]
    assert error["code"] == "file_missing" and f"verify {tracker} --at" in error["hint"]
    assert "PROCESSED" in service.ok("verify", tracker, "--at", there).out
    assert "PROCESSED" in service.ok("verify", path, "--at", "moved.csv").out
    there.write_bytes(there.read_bytes().replace(b"Person 3,", b"Person E,"))
    error = service.ok("verify", tracker, "--at", there, "--json", code=1).json["error"]
    assert error["code"] == "file_changed" and str(there) in error["message"]
    error = service.ok("verify", tracker, "--at", "/etc/passwd", "--json", code=1).json["error"]
    assert error["code"] == "file_outside"
    error = service.ok("verify", tracker, "--at", "gone.csv", "--json", code=1).json["error"]
    assert error["message"].endswith('/gone.csv"')
    assert "several" in service.ok("verify", tracker, path, "--at", there, code=2).err


def test_settings_of_the_role_do_not_end_it(new_service):
    """One connection is idle in its transaction while the other brings the rows."""
    service = new_service(upload={"chunk_bytes": "4K", "lanes": 2})
    service.sql.run(f"ALTER DATABASE {service.database} SET idle_in_transaction_session_timeout = '50ms'")
    service.start()
    path = service.people(count=100_000)
    service.ok("upload", "--wait", path)
    service.ok("verify", path)


def test_more_files_than_are_verified_at_a_time(new_service):
    service = new_service(supervisor={"max_workers": 1}).start()
    paths = [service.people(f"{i}.csv", 10) for i in range(5)]
    service.ok("upload", "--wait", *paths)
    service.ok("verify", *paths)


def test_rows_that_the_table_refused(service):
    service.sql.run("ALTER TABLE uploader.file_data ADD CHECK (name <> 'Person 500')")
    path = service.people(count=1000, bad={3})
    service.ok("upload", "--wait", path, code=3)
    service.ok("verify", path)


def test_a_file_that_was_given_once_more(service):
    """The newest upload of it is the one that was refused, which has no rows; the ID leads to the other."""
    path = service.people(count=10)
    first = service.ok("upload", "--wait", path, "--json").json["id"]
    os.utime(path)
    service.ok("upload", "--wait", path, code=6)
    assert "0 rows" in service.ok("verify", path, code=6).out
    service.ok("verify", first)
    service.ok("forget", "--rows", first)
    assert service.count() == 0


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_what_is_not_whole(service, how):
    """Of a KILLED upload, what is in; of a STOPPED one, that nothing is left, without its file."""
    path, tracker = service.in_the_middle()
    service.ok(how, path)
    if how == "stop":
        path.unlink()
    rows = service.status(tracker)["rows"]
    answer = service.ok("verify", tracker, code=5)  # it is not all there
    assert "verified as far as it came" in answer.out
    assert f"{rows:,} rows and 0 rejects" in answer.out
    with_stranger = ("INSERT INTO uploader.file_data (file_tracker_id, line_no, name, email)"
                     " VALUES (%s, 59999, 'n', 'e')")
    service.sql.run(with_stranger, tracker)
    error = service.ok("verify", tracker, "--json", code=1).json["error"]
    assert "a row of record 59999" in error["detail"]


def test_a_row_that_the_index_has_lost(service):
    """A second row for a record that no index leads to: found by the count of the whole table."""
    path = service.people(count=1000)
    service.ok("upload", "--wait", path)
    hears = "UPDATE pg_index SET indisready = %s WHERE indexrelid = 'uploader.file_data_place'::regclass"
    service.sql.run("INSERT INTO uploader.file_data (file_tracker_id, line_no, name, email)"
                    " SELECT 0, g, 'n', 'e' FROM generate_series(1, 20000) AS g")
    service.sql.run("SELECT brin_summarize_new_values('uploader.file_data_place')")
    service.sql.run(hears, False)
    # behind what is summarised for others, where the index, which did not hear of it, does not look
    service.sql.run("INSERT INTO uploader.file_data (file_tracker_id, line_no, name, email)"
                    " SELECT file_tracker_id, line_no, name, email FROM uploader.file_data"
                    " WHERE file_tracker_id > 0 AND line_no = 500")
    service.sql.run(hears, True)
    error = service.ok("verify", path, "--json", code=1).json["error"]
    assert "1001 rows" in error["detail"] and "lead to 1000" in error["detail"], error


def test_what_has_not_ended_is_refused(service):
    path, _ = service.in_the_middle()
    assert service.ok("verify", path, "--json", code=6).json["error"]["code"] == "in_progress"
    service.ok("verify", "none.csv", code=4)


def nasty(service):
    rows = [f'"Person ""{i}""\nline",p{i}@x' if i % 7 else f"{i},a,b" for i in range(1, 30_000)]
    return service.file("nasty.csv", "\ufeffname,email\r\n" + "\r\n\r\n".join(rows))


@pytest.mark.parametrize("lanes", [1, 2])
@pytest.mark.parametrize("chunk_bytes", ["4K", "300K", "64M"])
def test_many_parts(new_service, chunk_bytes, lanes):
    service = new_service(upload={"chunk_bytes": chunk_bytes, "lanes": lanes,
                                  "reject_limit": 10_000}).start()
    path = nasty(service)
    service.ok("upload", "--wait", path, code=3)
    answer = service.ok("verify", path)
    assert "verified" in answer.out and "%" in answer.err
    service.sql.run("UPDATE uploader.file_data SET name = 'x' WHERE line_no = 29998")
    assert "from record 29998 on" in service.ctl("verify", path).err


def lay_anew(sql, order):
    """The rows lie in the table in this order."""
    sql.run(f"CREATE TABLE kept AS SELECT * FROM uploader.file_data ORDER BY {order}")
    sql.run("TRUNCATE uploader.file_data")
    sql.run("INSERT INTO uploader.file_data TABLE kept")
    sql.run("DROP TABLE kept")


@pytest.mark.parametrize("order", ["line_no DESC", "line_no %% 7, line_no", "md5(name)"],
                         ids=["backwards", "in seven turns", "at random"])
def test_rows_that_lie_in_another_order(new_service, order):
    """In the big chunk further from where they should be than rows are kept waiting for."""
    service = new_service(upload={"chunk_bytes": "4M", "lanes": 2}).start()
    path = service.people(count=130_000, bad={1, 77_777, 130_000})
    service.ok("upload", "--wait", path, code=3)
    lay_anew(service.sql, order.replace("%%", "%"))
    service.ok("verify", path)
    service.sql.run("UPDATE uploader.file_data SET email = 'x' WHERE line_no IN (70000, 70001)")
    assert "from record 70000 on" in service.ctl("verify", path).err
    service.sql.run("UPDATE uploader.file_data SET email = 'person' || line_no || '@example.org'"
                    " WHERE line_no IN (70000, 70001)")
    service.sql.run("INSERT INTO uploader.file_data (file_tracker_id, line_no, name, email)"
                    " SELECT file_tracker_id, line_no, name, email FROM uploader.file_data"
                    " WHERE line_no = 129999")
    answer = service.ctl("verify", path)
    assert "from record 129999 on" in answer.err and "more than once" in answer.err


def test_many_small_chunks_are_one_pass(new_service):
    """Their rows come sooner than the file is read."""
    service = new_service(upload={"chunk_bytes": "4K", "lanes": 2}).start()
    path = service.people(count=100_000, bad=BAD)
    service.ok("upload", "--wait", path, code=3)
    lay_anew(service.sql, "line_no")
    service.ok("verify", path)
    assert "walks the chunks" not in service.log_text()
    lay_anew(service.sql, "line_no DESC")
    service.ok("verify", path)
    assert "walks the chunks" in service.log_text()


def test_wide_rows(new_service):
    service = new_service(upload={"chunk_bytes": "1M", "lanes": 2}).start()
    path = service.file("wide.csv", "name,email\n" + "".join(
        f"{'n' * (i * 7919 % 60_000)},{i}@x\n" for i in range(1, 600)))
    service.ok("upload", "--wait", path)
    lay_anew(service.sql, "line_no % 3, line_no")
    service.ok("verify", path)
    service.sql.run("UPDATE uploader.file_data SET name = name || 'n' WHERE line_no = 599")
    assert "from record 599 on" in service.ctl("verify", path).err


def test_a_second_connection_that_is_not_to_be_had(new_service):
    service = new_service(upload={"chunk_bytes": "4K", "lanes": 1})
    role = service.be_a_role()
    service.start()
    path = service.people(count=10_000)
    service.ok("upload", "--wait", path)
    service.set(upload={"lanes": 2})
    service.reload()
    service.allow_connections(role, 1)
    service.ok("verify", path)
    service.sql.run("DELETE FROM uploader.file_data WHERE line_no = 5000")
    assert "from record 5000 on" in service.ctl("verify", path).err


def stopped_while_it_streams(service, path):
    """A verification whose worker is stopped (SIGSTOP) with rows still to be sent to it: its
    client, the worker, and the processes of its connections, that of the rows first. One that is
    through before it is seen is begun again."""
    connections = ("SELECT query LIKE '%TO STDOUT%' AND state = 'active' AS streams, pid, wait_event"
                   " FROM pg_stat_activity WHERE application_name LIKE 'uploader/%/1/%'"
                   " ORDER BY streams DESC")
    for _ in range(20):
        client = service.ctl_start("verify", path, "--json")
        worker, = wait_until(lambda: service.workers(), "the worker that verifies")
        wait_until(lambda: client.poll() is not None or any(
            streams for streams, _, _ in service.sql.run(connections)), "rows")
        if client.poll() is None:
            os.kill(worker, signal.SIGSTOP)
            time.sleep(0.2)
            _, pids, waits = zip(*service.sql.run(connections))
            if waits[0] == "ClientWrite":
                return client, worker, pids
            os.kill(worker, signal.SIGCONT)
        client.communicate(timeout=60)
    pytest.fail("every verification is through before its rows are seen")


@pytest.mark.parametrize("lost", [0, 1], ids=["of the rows", "the other"])
def test_a_connection_that_is_lost(new_service, lost):
    service = new_service(upload={"chunk_bytes": "4K", "lanes": 2}).start()
    path = service.people(count=300_000)
    service.ok("upload", "--wait", path)
    lay_anew(service.sql, "line_no")  # in disorder they are walked in the end, by the other
    client, worker, pids = stopped_while_it_streams(service, path)
    assert service.sql.value("SELECT pg_terminate_backend(%s, 10000)", pids[lost])
    os.kill(worker, signal.SIGCONT)
    out, _ = client.communicate(timeout=60)
    assert client.returncode == 9, out
    service.ok("verify", path)


def test_a_client_that_goes_away_ends_it(new_service):
    service = new_service(upload={"chunk_bytes": "4K"}).start()
    path = service.people(count=300_000)
    service.ok("upload", "--wait", path)
    client = service.ctl_start("verify", path)
    worker, = wait_until(lambda: service.workers(), "the worker that verifies")
    os.kill(worker, signal.SIGSTOP)  # as one that counts the table, it has nothing to say for long
    client.send_signal(signal.SIGKILL)
    client.wait()
    wait_until(lambda: not service.workers(), "it to end")
    assert service.ok("ping", "--json").json["running"] == 0


def test_a_worker_that_dies_is_said(new_service):
    service = new_service(upload={"chunk_bytes": "4K"}).start()
    path = service.people(count=300_000)
    service.ok("upload", "--wait", path)
    client = service.ctl_start("verify", path, "--json")
    pid, = wait_until(lambda: service.workers(), "the worker that verifies")
    os.kill(pid, signal.SIGKILL)
    assert client.wait(60) == 1
    assert service.status(path)["status"] == "PROCESSED"
    client = service.ctl_start("verify", path, "--json")
    pid, = wait_until(lambda: service.workers(), "the worker that verifies")
    assert service.stop() == 0
    assert client.wait(60) == 7
    wait_until(lambda: not alive(pid), "it to end with its supervisor")
    assert not children(service.process.pid)
