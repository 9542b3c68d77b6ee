# SPDX-License-Identifier: PostgreSQL
"""Many small files: each has a worker of its own, forked by a process that stays for the next, and
from the second on they share a session of the server's (worker/forker.h, db/kept.h)."""

import contextlib
import os
import re
import signal
import sys
import time

import pytest
from harness import check_exact, children, records_of, send_signal, wait_until

OF_WORKERS = "application_name LIKE 'uploader/%' AND split_part(application_name, '/', 4) <> '0'"
SESSION = "ALTER TABLE uploader.file_data ADD session int DEFAULT pg_backend_pid()"


@pytest.fixture
def one_by_one(new_service):
    """Files are uploaded one after the other."""
    service = new_service(supervisor={"max_workers": 1, "log_level": "debug"})
    service.start()
    return service


def upload(service, count, first=0):
    """Trackers of so many new files, as they were uploaded: none is waited for before the next."""
    paths = [service.people(f"{i:02}.csv", 20 + i) for i in range(first, first + count)]
    service.ok("upload", "--wait", *paths)
    ids = [service.status(path)["id"] for path in paths]
    for tracker, path in zip(ids, paths):
        assert check_exact(service, tracker, with_file=True) == "PROCESSED"
        assert service.rows(tracker) == records_of(path)
    return sorted(ids)


def sessions(service):
    """{tracker: the sessions that its rows came over}"""
    rows = service.sql.run("SELECT file_tracker_id, array_agg(DISTINCT session)"
                           " FROM uploader.file_data GROUP BY 1")
    return {tracker: set(pids) for tracker, pids in rows}


def pids_of_workers(service):
    """{tracker: pids of the workers that said in the log how they ended}"""
    found = {}
    for pid, tracker in re.findall(r"uploader-worker\[(\d+)\]: tracker=(\d+) .* ends outcome=",
                                   service.log_text()):
        found.setdefault(int(tracker), set()).add(int(pid))
    return found


def test_a_worker_each_and_one_session(one_by_one):
    service = one_by_one
    service.sql.run(SESSION)
    ids = upload(service, 5)
    over = sessions(service)
    assert all(len(over[tracker]) == 1 for tracker in ids)
    first, *others = (over[tracker] for tracker in ids)
    assert first not in others  # made when it was worth it
    assert len(set.union(*others)) < 4  # one, but on a machine that takes seconds between two files
    workers = pids_of_workers(service)
    assert len({pid for tracker in ids for pid in workers[tracker]}) == 5
    assert len(set(re.findall(r"worker started pid=(\d+)", service.log_text()))) < 4


def test_nothing_stays_when_there_is_nothing_to_do(one_by_one):
    service = one_by_one
    upload(service, 3)
    wait_until(lambda: not children(service.process.pid, zombies=True), "the forker to end")
    wait_until(lambda: not service.sql.value(
        f"SELECT count(*) FROM pg_stat_activity WHERE {OF_WORKERS}"), "its session to end")
    upload(service, 2, first=3)


def test_what_an_upload_leaves_in_its_session(one_by_one):
    """A trigger sets, locks and prepares for the session; the next file finds none of it."""
    service = one_by_one
    service.sql.run(SESSION)
    service.sql.run("""
        CREATE TABLE found (line_no bigint, setting text, isolation text, locks bigint, name text);
        GRANT ALL ON found TO PUBLIC;
        CREATE FUNCTION leave() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.line_no = 1 THEN
                INSERT INTO found SELECT NEW.file_tracker_id, current_setting('my.left', true),
                    current_setting('default_transaction_isolation'),
                    (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 99
                     AND pid = pg_backend_pid()),
                    split_part(current_setting('application_name'), '/', 4);
                PERFORM set_config('my.left', 'x', false);
                PERFORM set_config('default_transaction_isolation', 'serializable', false);
                PERFORM pg_advisory_lock_shared(99);
                CREATE TEMP TABLE file_tracker (id int);
                EXECUTE 'LISTEN note';
            END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER leave BEFORE INSERT ON uploader.file_data FOR EACH ROW EXECUTE FUNCTION leave()""")
    ids = upload(service, 4)
    assert len(set.union(*sessions(service).values())) < 4
    found = service.sql.run("SELECT * FROM found ORDER BY 1")
    assert [row[0] for row in found] == ids
    assert all((row[1] or "", *row[2:]) == ("", "read committed", 0, str(row[0])) for row in found)


@contextlib.contextmanager
def third_held(service):
    """Four files of which the third waits for a lock meanwhile, over a session that is kept: (paths, the
    session)."""
    service.sql.run(SESSION)
    service.sql.run("""
        CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.line_no = 22 THEN PERFORM pg_advisory_xact_lock_shared(4711); END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER hold BEFORE INSERT ON uploader.file_data FOR EACH ROW EXECUTE FUNCTION hold()""")
    with service.cluster.connect(service.database) as blocker:
        blocker.run("SELECT pg_advisory_lock(4711)")
        paths = [service.people(f"{i:02}.csv", 20 + i) for i in range(4)]
        for path in paths:
            service.ok("upload", path)
        waiting = ("SELECT pid FROM pg_stat_activity WHERE wait_event = 'advisory'"
                   " AND application_name LIKE 'uploader/%'")
        wait_until(lambda: service.sql.value(waiting), "the third file to wait")
        yield paths, service.sql.value(waiting)


def end_well(service, paths):
    service.ok("wait", *paths)
    for path in paths:
        assert check_exact(service, service.status(path)["id"], True) == "PROCESSED"


@pytest.mark.parametrize("victim", ["worker", "forker", "session"])
def test_killed_in_a_session_that_is_kept(one_by_one, victim):
    service = one_by_one
    with third_held(service) as (paths, session):
        forker, = children(service.process.pid)
        worker, = service.workers()
        if victim == "session":
            service.sql.run("SELECT pg_terminate_backend(%s)", session)
        else:
            send_signal(worker if victim == "worker" else forker, signal.SIGKILL)
        wait_until(lambda: not {forker, worker} & {*children(service.process.pid), *service.workers()},
                   "worker and forker to be gone")
    end_well(service, paths)
    assert not any(session in pids for tracker, pids in sessions(service).items()
                   if tracker >= service.status(paths[2])["id"])


@pytest.mark.parametrize("confine", ["yes", "no"])
def test_stopped_in_a_session_that_is_kept(one_by_one, confine):
    service = one_by_one
    service.set(supervisor={"confine": confine})
    service.reload()
    with third_held(service) as (paths, session):
        assert service.ok("stop", paths[2], "--json").json["status"] == "STOPPED"
    wait_until(lambda: not service.sql.value("SELECT 1 FROM pg_stat_activity WHERE pid = %s",
                                             session), "the session to end")
    assert check_exact(service, service.status(paths[2])["id"]) == "STOPPED"
    end_well(service, [paths[0], paths[1], paths[3]])


def test_session_that_has_ended_meanwhile(one_by_one):
    """Nobody finds out by a try that fails."""
    service = one_by_one
    upload(service, 3)
    service.sql.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {OF_WORKERS}")
    time.sleep(0.1)
    upload(service, 3, first=3)
    assert "trouble" not in service.log_text()


def test_password_changes_between_two(one_by_one):
    """A session that was opened with another is not gone on in."""
    service = one_by_one
    secret = service.folder / "password"
    secret.touch(0o600)
    secret.write_text("one\n")
    service.set(database={"password_file": secret})
    service.reload()
    with third_held(service) as (paths, session):
        secret.write_text("two\n")
        service.reload()
    end_well(service, paths)
    before, last = sorted(sessions(service))[-2:]
    assert session in sessions(service)[before] and session not in sessions(service)[last]


def test_workers_without_a_parent_are_reaped(new_service):
    """In a container the supervisor is process 1, to which a killed forker leaves its worker."""
    service = new_service(upload={"chunk_bytes": "4K"})
    service.program = [sys.executable, "-c", "import ctypes, os, sys; ctypes.CDLL(None).prctl(36, 1);"
                       "os.execv(sys.argv[1], sys.argv[1:])", *service.program]  # CHILD_SUBREAPER
    service.start()
    for number in range(3):
        path, tracker = service.in_the_middle(f"{number}.csv")
        service.ok("kill", path)
        assert check_exact(service, tracker) == "KILLED"
    wait_until(lambda: not children(service.process.pid, zombies=True), "all to be reaped")
    upload(service, 3, first=3)


def test_forker_is_named_so(one_by_one):
    """As ps and pgrep show it: who looks for workers finds those that upload, and no other."""
    service = one_by_one
    with third_held(service) as (paths, _):
        forker, = children(service.process.pid)
        worker, = service.workers()
        names = [open(f"/proc/{pid}/comm").read().strip() for pid in (forker, worker)]
        assert names == ["uploader-forker", "uploader-worker"]
        assert os.readlink(f"/proc/{forker}/exe") == os.readlink(f"/proc/{worker}/exe")
    end_well(service, paths)
