# SPDX-License-Identifier: PostgreSQL
"""Records that the table refuses, by what the operator added to it: they become rejects with the
server's words, and the rest of the file goes in."""

import base64
import math
import os
import random
import signal
import time

import pytest
from harness import check_exact, wait_until

COUNT = 7500
REFUSED = {i for i in range(1, COUNT + 1) if str(i).endswith("700")}
RAISE = "IF NEW.email ~ '700@' THEN RAISE EXCEPTION 'no % here', NEW.email; END IF;"
DDL = {
    "check": ("23514", "no_seven", """
        ALTER TABLE uploader.file_data ADD CONSTRAINT no_seven CHECK (email !~ '700@')"""),
    "trigger": ("P0001", "no person", f"""
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN {RAISE} RETURN NEW; END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON uploader.file_data
            FOR EACH ROW EXECUTE FUNCTION refuse()"""),
    "the code of a fence": ("UP001", "mine", """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF NEW.email ~ '700@' THEN RAISE EXCEPTION 'mine' USING ERRCODE = 'UP001'; END IF;
            RETURN NEW; END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON uploader.file_data
            FOR EACH ROW EXECUTE FUNCTION refuse()"""),
    "deferred": ("P0001", "no person", f"""
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN {RAISE} RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON uploader.file_data
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()"""),
}
UNIQUE = "CREATE UNIQUE INDEX one_email ON uploader.file_data (email)"
ATTEMPTS = """
    CREATE SEQUENCE attempts;
    CREATE FUNCTION attempt() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM nextval('public.attempts'); RETURN NULL; END $$;
    CREATE TRIGGER attempt BEFORE INSERT ON uploader.file_data
        FOR EACH STATEMENT EXECUTE FUNCTION attempt()"""


def twins(service, same, count=3000, name="twins.csv"):
    """Records of one length; those in `same`, {line: other}, have the other's email."""
    lines = ["name,email"]
    for i in range(1, count + 1):
        lines.append(f"Person {i:06},key{same.get(i, i):06}@example.org")
    return service.file(name, "\n".join(lines) + "\n")


def rejects_of(service, path):
    return {reject["line"]: reject for reject in service.ok("rejects", path, "--json").objects}


@pytest.mark.parametrize("lanes", [1, 3])
@pytest.mark.parametrize("what", DDL)
def test_what_the_table_refuses_is_a_reject(new_service, what, lanes):
    sqlstate, says, ddl = DDL[what]
    service = new_service(upload={"chunk_bytes": "16K", "lanes": lanes}).start()
    service.sql.run(ddl)
    path = service.people(count=COUNT, bad={5, 2000})
    answer = service.ok("upload", "--wait", path, "--json", code=3).json
    assert check_exact(service, answer["id"], True, REFUSED) == "PROCESSED"
    rejects = rejects_of(service, path)
    assert set(rejects) == REFUSED | {5, 2000}
    for line in REFUSED:
        assert rejects[line]["sqlstate"] == sqlstate and says in rejects[line]["reason"]
        raw = base64.b64decode(rejects[line]["raw_base64"]).decode()
        assert raw == f"Person {line},person{line}@example.org"
    assert rejects[5]["sqlstate"] is None and rejects[2000]["sqlstate"] is None


@pytest.mark.parametrize("forced", [False, True])
def test_the_later_of_two_equal_keys_is_the_reject(new_service, forced):
    """Within a chunk, in neighbouring ones, far apart; whichever lane is first."""
    service = new_service(upload={"chunk_bytes": "4K", "lanes": 3})
    service.start(environment={"UPLOADER_FORCE_LANES": "3"} if forced else None)
    service.sql.run(UNIQUE)
    same = {11: 10, 120: 118, 240: 110, 1500: 1, 1501: 1, 2000: 1999, 3000: 2999}
    path = twins(service, same)
    answer = service.ok("upload", "--wait", path, "--json", code=3).json
    assert check_exact(service, answer["id"], True, set(same)) == "PROCESSED"
    rejects = rejects_of(service, path)
    assert set(rejects) == set(same)
    assert {reject["sqlstate"] for reject in rejects.values()} == {"23505"}
    again = twins(service, {}, 10, "other.csv")  # all of its keys are in
    service.ok("upload", "--wait", again, code=3)
    assert set(rejects_of(service, again)) == set(range(1, 11))


def test_a_bad_record_costs_a_logarithm(new_service):
    """Statements are counted by a sequence, which no rollback takes back."""
    service = new_service(upload={"chunk_bytes": "8M"}).start()
    service.sql.run(ATTEMPTS)
    service.sql.run(UNIQUE)
    count = 100_000
    same = {99_000: 1, 50_001: 2, 3: 2}
    path = twins(service, same, count)
    service.ok("upload", "--wait", path, "--json", code=3)
    assert set(rejects_of(service, path)) == set(same)
    attempts = service.sql.value("SELECT last_value FROM attempts")
    assert attempts <= 2 + 2 * len(same) * math.ceil(math.log2(count)), attempts


def test_more_than_reject_limit_ends_it_at_the_record(new_service):
    service = new_service(upload={"chunk_bytes": "8M", "reject_limit": 3}).start()
    service.sql.run(DDL["check"][2])
    path = service.people(count=COUNT, bad={100})
    answer = service.ok("upload", "--wait", path, "--json", code=1).json
    assert answer["error"]["code"] == "reject_limit"
    assert "record 2700: new row" in answer["error"]["detail"]
    assert check_exact(service, answer["id"]) == "FAILED"
    service.set(upload={"reject_limit": len(REFUSED) + 1})
    service.reload()
    service.ok("upload", "--wait", path, code=3)
    assert set(rejects_of(service, path)) == REFUSED | {100}


def test_a_refusal_that_is_no_records_fault_fails_the_upload(service):
    service.sql.run("CREATE FUNCTION closed() RETURNS trigger LANGUAGE plpgsql AS"
                    " $$ BEGIN RAISE EXCEPTION 'the table is closed'; END $$")
    service.sql.run("CREATE TRIGGER closed BEFORE INSERT ON uploader.file_data"
                    " FOR EACH STATEMENT EXECUTE FUNCTION closed()")
    path = service.people(count=100)
    answer = service.ok("upload", "--wait", path, "--json", code=1).json
    assert (answer["error"]["code"], answer["error"]["sqlstate"]) == ("data_refused", "P0001")
    assert check_exact(service, answer["id"]) == "FAILED"
    service.sql.run("DROP TRIGGER closed ON uploader.file_data")
    service.ok("upload", "--wait", path)


def test_a_value_that_is_too_long_for_an_index_is_a_reject(new_service):
    """Too long for the index, and too long for any: the server names the table of the first only."""
    service = new_service(upload={"chunk_bytes": "64K"}).start()
    service.sql.run("CREATE INDEX by_email ON uploader.file_data (email)")
    path = service.people(count=1000)
    with open(path, "a") as file:
        for size in (3000, 20_000):
            file.write(f"Person {size},{random.Random(size).randbytes(size // 2).hex()}\n")
        file.write("Person last,last@example.org\n")
    answer = service.ok("upload", "--wait", path, "--json", code=3).json
    assert check_exact(service, answer["id"], True, {1001, 1002}) == "PROCESSED"
    rejects = rejects_of(service, path)
    assert {line: reject["sqlstate"] for line, reject in rejects.items()} == {
        1001: "54000", 1002: "54000"}
    service.ok("verify", path)


def test_a_limit_that_a_short_record_meets_is_the_servers(service):
    """Such as transaction numbers that have run out: then no record may become a reject."""
    service.sql.run("""
        CREATE FUNCTION none_left() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'none are left' USING ERRCODE = '54000'; END $$;
        CREATE TRIGGER none_left BEFORE INSERT ON uploader.file_data
            FOR EACH ROW EXECUTE FUNCTION none_left()""")
    path = service.people(count=100)
    answer = service.ok("upload", "--wait", path, "--json", code=1).json
    assert (answer["error"]["code"], answer["error"]["sqlstate"]) == ("database_error", "54000")
    assert check_exact(service, answer["id"]) == "FAILED"
    service.sql.run("DROP TRIGGER none_left ON uploader.file_data")
    service.ok("upload", "--wait", path)


@pytest.mark.parametrize("victim", ["worker", "supervisor", "backend"])
@pytest.mark.parametrize("point", ["sift.before_part:1", "sift.before_part:12",
                                   "lane.before_rejects:1", "lane.before_rejects:2"])
def test_a_death_in_the_middle(new_service, point, victim):
    service = new_service(upload={"chunk_bytes": "64K"}).start_paused(point)
    service.sql.run(DDL["check"][2])
    path = service.people(count=COUNT)
    service.ok("upload", path)
    stopped = service.paused()
    if victim == "worker":
        os.kill(stopped, signal.SIGKILL)
    elif victim == "supervisor":
        service.kill()
        service.start()
    else:
        service.sql.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE application_name LIKE 'uploader/%%' AND xact_start IS NOT NULL")
        service.go_on()
    service.ok("wait", path, code=3)
    assert check_exact(service, service.status(path)["id"], True, REFUSED) == "PROCESSED"
    assert set(rejects_of(service, path)) == REFUSED


@pytest.mark.parametrize("command, ends", [("stop", "STOPPED"), ("kill", "KILLED")])
def test_a_command_in_the_middle(new_service, command, ends):
    service = new_service(upload={"chunk_bytes": "64K"}).start_paused("sift.before_part:5")
    service.sql.run(DDL["check"][2])
    path = service.people(count=COUNT)
    service.ok("upload", path)
    service.paused()
    client = service.ctl_start(command, path, "--json")
    if command == "stop":
        wait_until(lambda: service.status(path)["phase"] != "running", "the stop to be durable")
        service.go_on()
    assert client.wait(60) == 0
    assert check_exact(service, service.status(path)["id"]) == ends
    service.ok("upload", "--wait", path, code=3)
    assert set(rejects_of(service, path)) == REFUSED


def test_a_later_chunk_does_not_use_up_what_an_earlier_one_needs(new_service):
    """The first chunk is held up while the second is copied: the limit counts both."""
    service = new_service(upload={"chunk_bytes": "16K", "lanes": 2, "reject_limit": 5}).start()
    service.sql.run("""
        CREATE FUNCTION public.good(name text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
            IF name = 'Person 1' THEN PERFORM pg_advisory_xact_lock_shared(4711); END IF;
            RETURN name !~ '^Person [1-4]00$'; END $$;
        ALTER TABLE uploader.file_data ADD CHECK (public.good(name))""")
    path = service.people(count=1000, bad={550, 650, 750, 850})  # of the second chunk
    with service.cluster.connect(service.database) as blocker:
        blocker.run("SELECT pg_advisory_lock(4711)")
        tracker = service.ok("upload", path, "--json").json["id"]
        wait_until(lambda: service.sql.run(
            "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname ="
            " current_database() AND application_name LIKE 'uploader/%%'"), "the first chunk")
        wait_until(lambda: service.sql.run(
            "SELECT 1 FROM pg_stat_activity WHERE state LIKE 'idle in transaction%%' AND datname ="
            f" current_database() AND application_name LIKE 'uploader/%%/{tracker}/%%'"),
            "the second chunk")
        time.sleep(0.5)  # for what a lane of the wrong order would do
    answer = service.ok("wait", path, "--json", code=1).json
    assert answer["error"]["code"] == "reject_limit", answer
    assert set(rejects_of(service, path)) <= {100, 200, 300, 400}
    check_exact(service, tracker, True, {100, 200, 300, 400})
