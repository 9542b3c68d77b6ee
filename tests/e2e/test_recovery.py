# SPDX-License-Identifier: PostgreSQL
"""Deaths at named instants, of everyone, and what is there afterwards."""

import os
import signal
import time

import pytest
from harness import Cluster, alive, check_exact, children, send_signal, wait_until

COUNT = 20_000

WORKER_POINTS = [
    "worker.connected",
    "lane.begun",
    "lane.copied",
    "lane.before_commit",
    "lane.commit_sent",
    "lane.committed",
    "worker.before_end",
]
SUPERVISOR_POINTS = [
    "supervisor.before_create",
    "supervisor.before_move",
    "supervisor.move_sent",
    "supervisor.moved",
    "supervisor.worker_started",
]


def to_the_end(service, path):
    """Whatever happened, the upload reaches PROCESSED, and the table holds exactly the file."""
    answer = service.ctl("upload", "--wait", path, "--json")
    if answer.code == 6:  # it got there before
        tracker = service.status(path)["id"]
    else:
        assert answer.code == 0, answer
        tracker = answer.json["id"]
    assert check_exact(service, tracker, with_file=True) == "PROCESSED"


@pytest.mark.parametrize("nth", [1, 5])
@pytest.mark.parametrize("point", WORKER_POINTS)
def test_worker_killed_at(new_service, point, nth):
    """SIGKILL of a worker at each of its points is a crash: it goes on by itself."""
    if nth > 1 and not point.startswith("lane."):
        pytest.skip("this point is passed once")
    service = new_service(upload={"chunk_bytes": "4K"}).start_paused(f"{point}:{nth}")
    path = service.people(count=COUNT)
    waiting = service.ctl_start("upload", "--wait", path, "--json")
    os.kill(service.paused(), signal.SIGKILL)
    out, err = waiting.communicate(timeout=60)
    assert waiting.returncode == 0, (out, err)
    to_the_end(service, path)
    events = [event["event"] for event in service.ok("history", path, "--json").objects]
    assert "interrupt" in events or point == "worker.before_end", events


@pytest.mark.parametrize("point", WORKER_POINTS + SUPERVISOR_POINTS)
def test_supervisor_killed_at(new_service, point):
    """SIGKILL of the supervisor: its worker dies with it, the next life goes on by itself."""
    service = new_service(upload={"chunk_bytes": "4K"}).start_paused(point)
    path = service.people(count=COUNT)
    client = service.ctl_start("upload", path)
    stopped = service.paused()
    service.process.kill()
    service.process.wait()
    client.communicate(timeout=60)
    wait_until(lambda: not alive(stopped), "the worker to die with its supervisor")
    service.start()
    to_the_end(service, path)


@pytest.mark.parametrize("point", ["rollback.before_step", "rollback.after_step",
                                   "worker.before_end"])
@pytest.mark.parametrize("victim", ["worker", "supervisor"])
def test_rollback_survives(new_service, point, victim):
    """A stop whose intent is durable ends STOPPED, whoever dies in its middle."""
    service = new_service(upload={"chunk_bytes": "4K"}).start_paused(point)
    path, tracker = service.in_the_middle()
    service.ok("stop", "--no-wait", path)
    stopped = service.paused()
    if victim == "worker":
        os.kill(stopped, signal.SIGKILL)
    else:
        service.process.kill()
        service.process.wait()
        service.start()
    service.wait_status(path, "STOPPED")
    assert check_exact(service, tracker) == "STOPPED"
    to_the_end(service, path)


def test_rollback_worker_that_hangs_is_replaced(new_service):
    service = new_service(upload={"chunk_bytes": "4K"}, supervisor={"stop_timeout": "1s"})
    service.start_paused("rollback.before_step")
    path, tracker = service.in_the_middle()
    assert service.ok("stop", path, "--json").json["status"] == "STOPPED"
    assert check_exact(service, tracker) == "STOPPED"


def test_a_row_that_cannot_be_read_for_a_moment_goes_on_all_the_same(new_service):
    """When it is its turn to be resumed: the statement is cancelled, and nobody else would look at
    that row again. The first of so many hold up the others as long as they cannot be moved."""
    service = new_service().start()
    service.ok("pause")
    paths = [service.people(f"{i}.csv", 10) for i in range(60)]
    service.ok("upload", *paths)
    service.kill()
    service.start_paused("supervisor.recovered", wait=False)
    service.paused()
    with service.cluster.connect(service.database) as reader, \
            service.cluster.connect(service.database) as mover:
        reader.connection.autocommit = mover.connection.autocommit = False
        mover.run("LOCK TABLE uploader.file_event IN SHARE MODE")
        service.go_on()
        service.wait_ready()
        reader.run("LOCK TABLE uploader.file_checkpoint IN ACCESS EXCLUSIVE MODE")
        mover.connection.rollback()
        pid = wait_until(lambda: service.sql.value(
            "SELECT max(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND query LIKE 'SELECT p.*%'"), "a row to be read")
        service.sql.run("SELECT pg_cancel_backend(%s)", pid)
        wait_until(lambda: "canceling statement" in service.log_text(), "the error")
        reader.connection.rollback()
    service.ok("continue")
    assert service.ctl("wait", *paths, patience_s=300).code == 0
    assert service.count() == 600


# A rollback's step takes so long, and counts itself, also when it does not come to its end.
SLOW_STEP = """
    CREATE SEQUENCE steps;
    CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM nextval('public.steps'), pg_sleep({});
            RETURN NULL;
        END $$;
    CREATE TRIGGER slow BEFORE DELETE ON uploader.file_data FOR EACH STATEMENT EXECUTE FUNCTION slow()"""


def test_rollback_whose_step_takes_longer_than_stop_timeout(new_service):
    service = new_service(upload={"chunk_bytes": "4K"}, supervisor={"stop_timeout": "500ms"}).start()
    service.sql.run(SLOW_STEP.format(2.5))
    path, tracker = service.in_the_middle()
    assert service.ok("stop", path, "--json").json["status"] == "STOPPED"
    assert check_exact(service, tracker) == "STOPPED"
    assert "a step of the rollback was not done in time" in service.log_text()
    assert "tried again, for 2 s" in service.log_text()


def test_worker_that_was_fenced_first_is_given_its_time_to_roll_back(new_service):
    """Its gate tells it before its supervisor does."""
    service = new_service(upload={"chunk_bytes": "4K"}, supervisor={"confine": "no"}).start()
    service.sql.run(SLOW_STEP.format(3))
    path, tracker = service.in_the_middle()
    epoch = service.sql.value("SELECT epoch FROM uploader.file_tracker WHERE id = %s", tracker)
    with service.cluster.connect(service.database) as blocker:
        blocker.connection.autocommit = False
        blocker.run("SELECT FROM uploader.file_tracker WHERE id = %s FOR UPDATE", tracker)
        service.ctl_start("stop", "--no-wait", path)
        wait_until(lambda: service.sql.value(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND application_name LIKE 'uploader/%%/0/%%'") > 0, "the fence to wait")
        os.kill(service.process.pid, signal.SIGSTOP)
        blocker.connection.rollback()
    wait_until(lambda: service.sql.value(
        "SELECT epoch FROM uploader.file_tracker WHERE id = %s", tracker) > epoch, "the fence")
    time.sleep(0.1)
    os.kill(service.process.pid, signal.SIGCONT)
    service.wait_status(path, "STOPPED")
    assert check_exact(service, tracker) == "STOPPED"
    assert service.sql.value("SELECT last_value FROM public.steps") == 1


def test_killed_stays_killed_over_a_restart(service):
    path, tracker = service.in_the_middle()
    rows = service.ok("kill", path, "--json").json["rows"]
    service.kill()
    service.start()
    time.sleep(0.5)
    answer = service.status(path)
    assert (answer["status"], answer["rows"]) == ("KILLED", rows)
    assert check_exact(service, tracker) == "KILLED"


@pytest.mark.parametrize("words, status", [
    (("upload",), "INITIALIZING"), (("upload", "--wait"), "PROCESSED"), (("kill",), "KILLED"),
    (("stop",), "STOPPED")], ids=str)
def test_what_is_acknowledged_survives_the_server(new_service, durable_cluster, words, status):
    """The server crashes right behind the answer. It is one that keeps for itself what it commits
    until it is asked to make it durable, as is its default for this database."""
    service = new_service(cluster=durable_cluster, upload={"chunk_bytes": "4K"},
                          supervisor={"max_workers": 1})
    with durable_cluster.connect() as sql:
        sql.run(f"ALTER DATABASE {service.database} SET synchronous_commit = off")
    service.start()
    if words[0] in ("kill", "stop"):
        path, _ = service.in_the_middle()
    elif status == "INITIALIZING":  # and stays it, for the one worker has another to do
        service.in_the_middle("first.csv", count=400_000)
        path = service.people()
    else:
        path = service.people()
    service.ok(*words, path)
    durable_cluster.crash()
    service.kill()
    durable_cluster.start()
    tracker, found = service.sql.run(
        "SELECT id, status FROM uploader.file_tracker WHERE path = %s", str(path))[0]
    assert found == status
    assert check_exact(service, tracker, with_file=True) == status


def test_the_reject_limit_counts_what_was_rejected_before(new_service):
    count, bad = 20_000, {1, 2, 3, 19_999, 20_000}
    service = new_service(upload={"chunk_bytes": "4K", "reject_limit": 4}).start()
    path = service.people(count=count, bad=bad)
    tracker = service.ok("upload", path, "--json").json["id"]
    wait_until(lambda: service.status(path)["rows"] > 0, "the first rows")
    assert service.ok("kill", path, "--json").json["rejects"] == 3
    answer = service.ok("upload", "--wait", path, "--json", code=1).json
    assert answer["error"]["code"] == "reject_limit"
    assert check_exact(service, tracker, with_file=True) == "FAILED"
    service.set(upload={"reject_limit": 5})
    service.reload()
    assert service.ok("upload", "--wait", path, "--json", code=3).json["rejects"] == 5
    assert check_exact(service, tracker, with_file=True) == "PROCESSED"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_shutdown_ends_at_a_recovery_point(new_service, how):
    service = new_service(upload={"chunk_bytes": "4K"}, supervisor={"resume": "no"}).start()
    path, tracker = service.in_the_middle()
    assert service.stop(how) == 0
    status, interrupted = service.sql.run(
        "SELECT status, interrupted FROM uploader.file_tracker WHERE id = %s", tracker)[0]
    assert (status, interrupted) == ("KILLED", True)
    assert check_exact(service, tracker) == "KILLED"
    assert service.count() > 0
    assert not service.socket.exists()
    service.start()
    answer = service.status(path)
    assert (answer["status"], answer["phase"]) == ("KILLED", "interrupted")
    to_the_end(service, path)


def test_shutdown_with_queued_uploads(new_service):
    service = new_service(upload={"chunk_bytes": "4K"}, supervisor={"max_workers": 1}).start()
    paths = [service.people(f"{i}.csv", 50_000) for i in range(5)]
    service.ok("upload", *paths)
    assert service.stop() == 0
    assert service.sql.value("SELECT count(*) FROM uploader.file_tracker WHERE interrupted") >= 4
    service.start()  # resume = yes: they go on by themselves
    for path in paths:
        service.ok("wait", path)
        to_the_end(service, path)


def test_a_crash_loop_ends(new_service):
    """retry_limit resumes without progress, and it is FAILED with what to do."""
    service = new_service(upload={"chunk_bytes": "4K"}, supervisor={"retry_limit": 2})
    service.start()
    path = service.people(count=60_000)
    # nobody gets past the gate: the lane waits for the lock, and its worker is killed each time
    with service.cluster.connect(service.database) as blocker:
        blocker.connection.autocommit = False
        blocker.run("LOCK TABLE uploader.file_checkpoint IN EXCLUSIVE MODE")
        tracker = service.ok("upload", path, "--json").json["id"]
        for _ in range(50):
            pids = wait_until(
                lambda: service.workers() or service.status(tracker)["status"] == "FAILED",
                "a worker or the end")
            if pids is True:
                break
            time.sleep(0.1)
            for pid in pids:
                send_signal(pid, signal.SIGKILL)
            wait_until(lambda: not set(pids) & set(service.workers()), "the worker to be gone")
        blocker.connection.rollback()
    answer = service.wait_status(path, "FAILED")
    assert answer["error"]["code"] == "retry_limit" and answer["error"]["hint"]
    to_the_end(service, path)


def test_a_worker_that_loses_its_backend_is_replaced(service):
    path = service.people(count=60_000)
    waiting = service.ctl_start("upload", "--wait", path, "--json")
    for _ in range(3):
        wait_until(
            lambda: service.sql.value(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE"
                " application_name LIKE 'uploader/%%' AND query LIKE 'COPY%%'") or
            waiting.poll() is not None, "a backend in COPY")
        time.sleep(0.2)
    out, err = waiting.communicate(timeout=60)
    assert waiting.returncode == 0, (out, err)
    to_the_end(service, path)
    statuses = [e["to"] for e in service.ok("history", path, "--json").objects]
    assert "KILLED" not in statuses  # trouble with the database is no crash


def test_database_crash_in_the_middle(new_service, own_cluster):
    service = new_service(cluster=own_cluster, upload={"chunk_bytes": "4K"}).start()
    path = service.people(count=60_000)
    waiting = service.ctl_start("upload", "--wait", path, "--json")
    wait_until(lambda: service.ctl("status", path).code == 0 and service.status(path)["rows"] > 0,
               "the first rows")
    own_cluster.crash()
    answer = service.ok("ping", "--json").json
    wait_until(lambda: service.ok("ping", "--json").json["database"] == "away", "away to be seen")
    own_cluster.start()
    out, err = waiting.communicate(timeout=90)
    assert waiting.returncode == 0, (out, err, service.log_text()[-3000:])
    to_the_end(service, path)
    assert answer["name"]


def test_no_process_is_left(service):
    path = service.people(count=1000)
    service.ok("upload", "--wait", path)
    wait_until(lambda: not children(service.process.pid, zombies=True), "it to be reaped")


def test_a_failover_that_lost_the_end(new_service, own_cluster):
    """PROCESSED was acknowledged, and the new primary knows nothing of it: it goes on by itself."""
    standby = Cluster(follows=own_cluster)
    try:
        service = new_service(cluster=own_cluster, upload={"chunk_bytes": "4K"})
        service.set(database={"conninfo": f"host={own_cluster.folder},{standby.folder} user=postgres"
                                          f" dbname={service.database}"})
        service.start()
        path, tracker = service.in_the_middle()
        with standby.connect(service.database) as sql:
            wait_until(lambda: sql.run("SELECT 1 FROM uploader.file_checkpoint"), "the first rows")
        standby.stop_receiving()
        service.ok("wait", path)
        with standby.connect(service.database) as sql:
            assert sql.value("SELECT status FROM uploader.file_tracker") == "PROCESSING"
        own_cluster.crash()
        standby.promote()
        service.cluster = standby
        service.leave_sql()
        wait_until(lambda: service.sql.value("SELECT status FROM uploader.file_tracker")
                   == "PROCESSED", "it to go on")
        assert check_exact(service, tracker, with_file=True) == "PROCESSED"
    finally:
        standby.remove()
