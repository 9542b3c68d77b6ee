# SPDX-License-Identifier: PostgreSQL
"""Lanes that could block each other: by rule the target is loaded by one lane; and, with the rule
put out of force (test builds: UPLOADER_FORCE_LANES), the way out that is taken then. And those of a
rollback (test builds: UPLOADER_STEP_RECORDS, so that a small file has several steps)."""

import os
import signal

import pytest
from harness import check_exact, records_of


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


def lanes_that_delete(service):
    return service.sql.value("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pop_rows(%'"
                             " AND state <> 'idle' AND pid <> pg_backend_pid()")


def all_in(service, point=None, statements=None):
    """Its upload has failed at its last record, many steps of a rollback away from nothing."""
    more = service.pause_environment(point) if point else {}
    service.start(environment={**STEPS, **more})
    if statements:
        service.sql.run(statements)
    path = service.people(count=3000)
    whole = path.read_bytes()
    path.write_bytes(whole + b'"open')
    tracker = service.ok("upload", "--wait", "--json", path, code=1).json["id"]
    assert service.sql.value("SELECT max(last_line) FROM uploader.file_checkpoint") > 2000
    path.write_bytes(whole)
    return path, tracker


@pytest.fixture(name="laned")
def three_lanes(new_service):
    return new_service(upload={"chunk_bytes": "4K", "lanes": 3})


@pytest.mark.parametrize("confine", ["yes", "no"])
def test_rollback_over_several_lanes(laned, confine):
    service = laned
    service.set(supervisor={"confine": confine})
    path, tracker = all_in(service, "rollback.rows_out:4")
    service.ok("stop", "--no-wait", path)
    worker = service.paused()
    assert lanes_that_delete(service) > 1
    assert check_exact(service, tracker) in ("FAILED", "PROCESSING")
    os.kill(worker, signal.SIGCONT)
    service.wait_status(path, "STOPPED")
    assert check_exact(service, tracker) == "STOPPED"
    service.ok("upload", "--wait", path)
    assert check_exact(service, tracker, with_file=True) == "PROCESSED"


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
    service.ok("stop", "--no-wait", path)
    worker = service.paused()
    assert lanes_that_delete(service) == 1
    os.kill(worker, signal.SIGCONT)
    service.wait_status(path, "STOPPED")
    assert check_exact(service, tracker) == "STOPPED"
    assert "over one lane" not in service.log_text()
    assert service.sql.value("SELECT n FROM tally") > 5


def test_rollback_whose_second_lane_cannot_be_had(laned):
    service = laned
    role = service.be_a_role()
    path, tracker = all_in(service, "rollback.rows_out:2")
    service.allow_connections(role, 1)
    service.ok("stop", "--no-wait", path)
    worker = service.paused()
    assert lanes_that_delete(service) == 1
    os.kill(worker, signal.SIGCONT)
    service.wait_status(path, "STOPPED")
    assert check_exact(service, tracker) == "STOPPED"
