# SPDX-License-Identifier: PostgreSQL
"""Lanes that could block each other: by rule the target is loaded by one lane; and, with the rule
put out of force (test builds: UPLOADER_FORCE_LANES), the way out that is taken then. And those of a
rollback (test builds: UPLOADER_STEP_RECORDS, so that a small file has several steps)."""

import os
import re
import signal

import pytest
from harness import Service, check_exact, records_of, wait_until


def neighbours(service, name="twins.csv"):
    """The last record of a chunk and the first of the next have the same email."""
    path = service.files / name
    with open(path, "w") as file:
        file.write("name,email\n")
        for i in range(1, 3001):
            file.write(f"Person {i:06},key{i:06}@example.org\n")
    return path


def count_in_one_row(sql):
    sql.run("CREATE TABLE tally (n bigint); INSERT INTO tally VALUES (0)")
    sql.run("CREATE FUNCTION tally() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN UPDATE tally SET n = n + 1; RETURN NULL; END $$")
    sql.run("CREATE TRIGGER tally AFTER INSERT ON uploader.file_data"
            " FOR EACH STATEMENT EXECUTE FUNCTION tally()")


def unique_index(sql):
    sql.run("CREATE UNIQUE INDEX file_data_email ON uploader.file_data (email)")


@pytest.mark.parametrize("forced", [False, True])
def test_statement_trigger_that_counts_in_one_row(new_service, forced):
    service = new_service(upload={"chunk_bytes": "4K", "lanes": 2})
    service.start(environment={"UPLOADER_FORCE_LANES": "2"} if forced else None)
    count_in_one_row(service.sql)
    path = neighbours(service)
    answer = service.ok("upload", "--wait", path, "--json").json
    assert answer["status"] == "PROCESSED"
    assert service.rows(answer["id"]) == records_of(path)
    assert check_exact(service, answer["id"]) == "PROCESSED"
    chunks = service.count("file_checkpoint")
    assert service.sql.value("SELECT n FROM tally") == chunks > 10


@pytest.mark.parametrize("forced", [False, True])
def test_unique_index_without_a_clash(new_service, forced):
    service = new_service(upload={"chunk_bytes": "4K", "lanes": 2})
    service.start(environment={"UPLOADER_FORCE_LANES": "2"} if forced else None)
    unique_index(service.sql)
    path = neighbours(service)
    answer = service.ok("upload", "--wait", path, "--json").json
    assert service.rows(answer["id"]) == records_of(path)


def test_a_trigger_that_eats_rows_is_found(service):
    service.sql.run("CREATE FUNCTION eat() RETURNS trigger LANGUAGE plpgsql AS"
                    " $$ BEGIN RETURN CASE WHEN NEW.line_no = 700 THEN NULL ELSE NEW END; END $$")
    service.sql.run("CREATE TRIGGER eat BEFORE INSERT ON uploader.file_data"
                    " FOR EACH ROW EXECUTE FUNCTION eat()")
    path = service.people(count=1000)
    answer = service.ok("upload", "--wait", path, "--json", code=1).json
    assert answer["error"]["code"] == "rows_lost"
    assert 0 < answer["line"] < 700
    assert check_exact(service, answer["id"]) == "FAILED"


# ---- a rollback ----

STEPS = {"UPLOADER_STEP_RECORDS": "200"}  # two chunks each


def lanes_of(service, tracker):
    """Sessions of its worker."""
    return service.sql.value("SELECT count(*) FROM pg_stat_activity"
                             " WHERE datname = current_database() AND application_name LIKE %s",
                             f"uploader/%/{tracker}/%")


def all_in(service, point=None, statements=None, count=3000):
    """Its upload has failed at its last record, many steps of a rollback away from nothing."""
    more = service.pause_environment(point) if point else {}
    service.start(environment={**STEPS, **more})
    if statements:
        service.sql.run(statements)
    path = service.people(count=count)
    whole = path.read_bytes()
    path.write_bytes(whole + b'"open')
    tracker = service.ok("upload", "--wait", "--json", path, code=1).json["id"]
    assert service.sql.value("SELECT max(last_line) FROM uploader.file_checkpoint") > count * 2 // 3
    path.write_bytes(whole)
    return path, tracker


def stops(service, path, tracker, lanes):
    """It pauses in the middle of its rollback, which has so many lanes, and goes on to its end."""
    service.ok("stop", "--no-wait", path)
    worker = service.paused()
    assert lanes_of(service, tracker) == lanes
    assert check_exact(service, tracker) in ("FAILED", "PROCESSING")
    os.kill(worker, signal.SIGCONT)
    service.wait_status(path, "STOPPED")
    assert check_exact(service, tracker) == "STOPPED"


@pytest.fixture(name="laned")
def three_lanes(new_service):
    return new_service(upload={"chunk_bytes": "4K", "lanes": 3})


def test_rollback_over_several_lanes(laned):
    service = laned
    path, tracker = all_in(service, "rollback.rows_out:4")
    stops(service, path, tracker, 3)
    assert "over one lane" not in service.log_text()  # no step has come before a newer one
    service.ok("upload", "--wait", path)
    assert check_exact(service, tracker, with_file=True) == "PROCESSED"


def test_rollback_by_the_worker_that_uploads(laned):
    """On a busy machine its gate may tell it of the stop long before its supervisor does: then it
    ends, and another rolls back."""
    service = laned
    service.set(supervisor={"confine": "no"})
    service.start(environment=STEPS)
    for i in range(5):
        path, tracker = service.in_the_middle(f"{i}.csv", count=300_000)
        wait_until(lambda: service.sql.value(
            "SELECT max(last_line) FROM uploader.file_checkpoint") > 1000, "several steps")
        worker, = service.workers()
        assert service.ok("stop", path, "--json").json["status"] == "STOPPED"
        assert check_exact(service, tracker) == "STOPPED"
        if re.search(rf"uploader-worker\[{worker}\].* rolls back lanes=3", service.log_text()):
            return
    raise AssertionError("the worker that uploads never rolled back over its lanes")


@pytest.mark.parametrize("act", ["crash", "kill"])
def test_rollback_over_several_lanes_ends_in_its_middle(laned, act):
    service = laned
    path, tracker = all_in(service, "rollback.rows_out:4")
    service.ok("stop", "--no-wait", path)
    worker = service.paused()
    if act == "crash":
        os.kill(worker, signal.SIGKILL)
        service.wait_status(path, "STOPPED")
        assert check_exact(service, tracker) == "STOPPED"
    else:
        answer = service.ok("kill", path, "--json").json
        assert answer["status"] == "KILLED" and answer["rows"] > 0
        assert check_exact(service, tracker) == "KILLED"
    service.ok("upload", "--wait", path)
    assert check_exact(service, tracker, with_file=True) == "PROCESSED"


def test_rollback_whose_lanes_block_each_other(laned):
    """Of rules nobody asks before; the lane that waits gives up, and one goes on."""
    service = laned
    path, tracker = all_in(service, statements=(
        "CREATE TABLE tally (n bigint); INSERT INTO tally VALUES (0);"
        " CREATE RULE tally AS ON DELETE TO uploader.file_data DO ALSO UPDATE public.tally SET n = n + 1"))
    assert service.ok("stop", path, "--json").json["status"] == "STOPPED"
    assert check_exact(service, tracker) == "STOPPED"
    assert "the rollback goes on over one lane" in service.log_text()
    assert service.sql.value("SELECT n FROM tally") > 5


def test_rollback_of_a_table_with_triggers_has_one_lane(laned):
    service = laned
    path, tracker = all_in(service, "rollback.rows_out:2", statements=(
        "CREATE TABLE tally (n bigint); INSERT INTO tally VALUES (0);"
        " CREATE FUNCTION tally() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN UPDATE public.tally SET n = n + 1; RETURN NULL; END $$;"
        " CREATE TRIGGER tally AFTER DELETE ON uploader.file_data"
        " FOR EACH STATEMENT EXECUTE FUNCTION tally()"))
    stops(service, path, tracker, 1)
    assert "over one lane" not in service.log_text()
    assert service.sql.value("SELECT n FROM tally") > 5


def test_rollback_whose_second_lane_cannot_be_had(laned):
    service = laned
    role = service.be_a_role()
    path, tracker = all_in(service, "rollback.rows_out:2")
    service.allow_connections(role, 1)
    stops(service, path, tracker, 1)


def test_rollback_of_a_chain_that_has_lost_its_beginning(laned):
    """By somebody's hand: what is left is taken out."""
    service = laned
    path, tracker = all_in(service)
    service.sql.run(
        "WITH k AS (DELETE FROM uploader.file_checkpoint WHERE chunk_no <= (SELECT max(chunk_no) - 3"
        " FROM uploader.file_checkpoint) RETURNING last_line) DELETE FROM uploader.file_data"
        " WHERE line_no <= (SELECT max(last_line) FROM k)")
    assert service.ok("stop", path, "--json").json["status"] == "STOPPED"
    assert service.count() == service.count("file_checkpoint") == 0


def test_rollback_whose_commit_is_under_way_when_a_lane_gives_up(new_service):
    """Both answers are there when the worker looks: what has been committed counts."""
    service = new_service(upload={"chunk_bytes": "4K", "lanes": 2}, supervisor={"stop_timeout": "1h"})
    path, tracker = all_in(service, statements=(
        "CREATE TABLE tally (n bigint); INSERT INTO tally VALUES (0);"
        " CREATE RULE tally AS ON DELETE TO uploader.file_data DO ALSO UPDATE public.tally SET n = n + 1;"
        " CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_sleep(6.5); RETURN NULL; END $$"))
    at_work = ("SELECT array_agg(DISTINCT substring(query, 'pop_(rows|chunks)')) FROM pg_stat_activity"
               " WHERE state = 'active' AND datname = current_database()"
               " AND application_name LIKE 'uploader/%'")
    whole = path.read_bytes()
    for _ in range(10):  # until the newest step has its rows out first, and the other waits for it
        service.sql.run("CREATE TRIGGER slow AFTER DELETE ON uploader.file_checkpoint"
                        " FOR EACH STATEMENT EXECUTE FUNCTION slow()")
        service.ok("stop", "--no-wait", path)
        wait_until(lambda: service.sql.value(at_work + " AND query LIKE '%pop_chunks(%'"), "a commit")
        worker, = service.workers()
        os.kill(worker, signal.SIGSTOP)
        waits = "rows" in service.sql.value(at_work)
        wait_until(lambda: service.sql.value(at_work) is None, "the answers")
        service.sql.run("DROP TRIGGER slow ON uploader.file_checkpoint")
        os.kill(worker, signal.SIGCONT)
        service.wait_status(path, "STOPPED")
        assert check_exact(service, tracker) == "STOPPED"
        if waits:
            return
        path.write_bytes(whole + b'"open')
        service.ok("upload", "--wait", path, code=1)
    raise AssertionError("one lane never waited for the other")


def test_rollback_that_another_supervisor_takes_over(laned, cluster):
    """What the lanes of the first hold is ended, and not waited for."""
    first = laned
    first.set(supervisor={"name": "first", "stop_timeout": "1h"})
    path, tracker = all_in(first, "rollback.rows_out:2")
    second = Service(cluster, first.database, folder=first.folder, name="second",
                     supervisor={"stop_timeout": "1h"}, upload={"chunk_bytes": "4K", "lanes": 3})
    second.start(environment=STEPS)
    try:
        first.ok("stop", "--no-wait", path)
        first.paused()
        first.process.send_signal(signal.SIGSTOP)
        second.ok("stop", path)
        assert check_exact(first, tracker) == "STOPPED"
    finally:
        first.process.send_signal(signal.SIGCONT)
        second.remove()


def test_rollback_that_loses_a_lane_which_has_nothing_to_do(new_service):
    """Its session is ended: the others go on."""
    service = new_service(upload={"chunk_bytes": "4K", "lanes": 2}, supervisor={"stop_timeout": "1h"})
    path, tracker = all_in(service, "rollback.before_step", count=330)
    assert service.sql.value("SELECT count(*) FROM uploader.file_checkpoint") <= 3
    service.ok("stop", "--no-wait", path)
    worker = service.paused()
    service.sql.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND application_name LIKE %s"
                    " AND query = 'ROLLBACK'", f"uploader/%/{tracker}/%")
    os.kill(worker, signal.SIGCONT)
    service.wait_status(path, "STOPPED")
    assert check_exact(service, tracker) == "STOPPED"
    assert len(re.findall("rolls back lanes=2", service.log_text())) == 1


def test_rollbacks_beyond_max_workers_have_one_lane(new_service):
    service = new_service(upload={"chunk_bytes": "4K", "lanes": 4}, supervisor={"max_workers": 1})
    service.start(environment=STEPS)
    paths = [service.people(f"{i}.csv", count=2000) for i in range(4)]
    for path in paths:
        path.write_bytes(path.read_bytes() + b'"open')
        service.ok("upload", "--wait", path, code=1)
    with service.cluster.connect(service.database) as blocker:
        blocker.connection.autocommit = False
        blocker.run("LOCK TABLE uploader.file_data IN SHARE MODE")
        for path in paths:
            service.ok("stop", "--no-wait", path)
        wait_until(lambda: service.log_text().count("rolls back lanes=") == 4, "all of them")
        blocker.connection.rollback()
    for path in paths:
        service.wait_status(path, "STOPPED")
    assert service.log_text().count("rolls back lanes=4") == 1
    assert service.log_text().count("rolls back lanes=1") == 3
