# SPDX-License-Identifier: PostgreSQL
"""forget: an upload that has ended goes, with its rows or without."""

import pytest
from harness import check_exact, wait_until

SMALL = ("file_tracker", "file_checkpoint", "file_reject", "file_event")


def ended(service, how, name="f.csv"):
    """An upload of 60,000 records (or 1,000 when it is to be PROCESSED) in such a state."""
    if how == "PROCESSED":
        path = service.people(name, 1000, bad={5})
        service.ok("upload", "--wait", path, code=3)
    elif how == "FAILED":
        path = service.file(name, "name,email\n" + "n,e\n" * 2000 + '"open\n')
        service.ok("upload", "--wait", path, code=1)
    else:
        path, _ = service.in_the_middle(name)
        service.ok({"KILLED": "kill", "STOPPED": "stop"}[how], path)
    return path


@pytest.mark.parametrize("rows", [False, True])
@pytest.mark.parametrize("how", ["PROCESSED", "KILLED", "STOPPED", "FAILED"])
def test_what_has_ended_is_forgotten(service, how, rows):
    other = ended(service, "PROCESSED", "other.csv")
    path = ended(service, how)
    upload = service.status(path)
    answer = service.ok("forget", path, *(["--rows"] if rows else []))
    count = f"{upload['rows']:,} row{'s' if upload['rows'] != 1 else ''}"
    assert answer.out.startswith(f"forgotten: upload {upload['id']}; {count} ")
    assert ("deleted" if rows else "left in the table") in answer.out
    service.ok("status", path, code=4)
    assert service.count(tracker=upload["id"]) == (0 if rows else upload["rows"])
    for table in SMALL[1:]:
        assert service.count(table, upload["id"]) == 0
    assert check_exact(service, service.status(other)["id"], True) == "PROCESSED"
    again = service.ctl("upload", "--wait", path, "--json")  # as if it had never been there
    assert again.json["id"] > upload["id"]
    assert again.code == {"PROCESSED": 3, "FAILED": 1}.get(how, 0)


def test_what_has_not_ended_is_refused(service):
    path, tracker = service.in_the_middle()
    error = service.ok("forget", path, "--json", code=6).json["error"]
    assert error["code"] == "in_progress" and f"uploadctl stop {tracker}" in error["hint"]
    assert service.status(path)["status"] == "PROCESSING"
    service.ok("stop", path)
    assert service.ok("forget", str(tracker), "--json").json["status"] == "STOPPED"


def test_a_stop_that_is_not_carried_out_yet_is_refused(new_service):
    service = new_service(upload={"chunk_bytes": "4K"}).start_paused("rollback.before_step")
    path, _ = service.in_the_middle()
    service.ok("stop", "--no-wait", path)
    service.paused()
    assert service.ok("forget", path, "--json", code=6).json["error"]["code"] == "in_progress"
    service.go_on()
    service.wait_status(path, "STOPPED")
    service.ok("forget", path)


def test_one_at_a_time(service):
    """Each has a connection, and there are only so many."""
    paths = [service.people(f"{i}.csv", 10) for i in range(8)]
    service.ok("upload", "--wait", *paths)
    with service.cluster.connect(service.database) as blocker:
        blocker.connection.autocommit = False
        blocker.run("LOCK TABLE uploader.file_data IN SHARE MODE")
        before = service.sql.value("SELECT count(*) FROM pg_stat_activity")
        client = service.ctl_start("forget", "--rows", *paths)
        wait_until(lambda: service.sql.run(
            "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"), "the first to wait")
        assert service.sql.value("SELECT count(*) FROM pg_stat_activity") <= before + 1
        blocker.connection.rollback()
    out, _ = client.communicate(timeout=60)
    assert client.returncode == 0 and out.count("forgotten: ") == 8, out
    assert service.log_text().count("forgotten rows=10 deleted uid=") == 8
    assert service.count() == 0


def test_of_nothing(service):
    service.ok("forget", "none.csv", code=4)
    service.ok("forget", "4711", code=4)
    service.ok("forget", code=2)


def test_rows_that_the_index_has_lost_go_too(service):
    """As in a rollback: what is fewer than counted is sought in the table itself."""
    path = ended(service, "PROCESSED")
    service.sql.run("DROP INDEX uploader.file_data_place")
    service.sql.run("CREATE INDEX file_data_place ON uploader.file_data USING brin"
                    " (file_tracker_id int8_minmax_ops, line_no int8_minmax_ops)"
                    " WHERE line_no < 500")
    service.ok("forget", "--rows", path)
    assert service.count() == 0


def test_a_client_that_goes_away_does_not_undo_it(service):
    path = ended(service, "PROCESSED")
    with service.cluster.connect(service.database) as blocker:
        blocker.connection.autocommit = False
        blocker.run("SELECT FROM uploader.file_tracker FOR UPDATE")
        client = service.ctl_start("forget", path)
        wait_until(lambda: service.sql.value("SELECT count(*) FROM pg_stat_activity WHERE"
                                             " wait_event_type = 'Lock'"), "the forget to wait")
        client.kill()
        client.wait()
        assert service.ok("ping", "--json").json["database"] == "ready"
        blocker.connection.rollback()
    wait_until(lambda: service.count("file_tracker") == 0, "the upload to be forgotten")


def test_shutdown_in_its_middle(service):
    path = ended(service, "PROCESSED")
    with service.cluster.connect(service.database) as blocker:
        blocker.connection.autocommit = False
        blocker.run("SELECT FROM uploader.file_tracker FOR UPDATE")
        client = service.ctl_start("forget", path)
        wait_until(lambda: service.sql.value("SELECT count(*) FROM pg_stat_activity WHERE"
                                             " wait_event_type = 'Lock'"), "the forget to wait")
        assert service.stop() == 0
        assert client.wait(60) == 7
        blocker.connection.rollback()
    service.start()
    assert service.ctl("status", path).code in (0, 4)  # it may have happened


def test_an_earlier_upload_of_the_file_is_named(service):
    path = service.people(count=10)
    first = service.ok("upload", "--wait", path, "--json").json["id"]
    path.write_text(path.read_text() + "one,more@example.org\n")
    service.ok("upload", "--wait", path, code=6)  # it has grown: an upload of its own, refused
    answer = service.ok("forget", path)
    assert f"upload {first} of the same file is still there, with 10 rows" in answer.out
    assert "still there" not in service.ok("forget", str(first)).out
