# SPDX-License-Identifier: PostgreSQL
"""uploaderd --batch: what the [batch NAME] sections name, a line a file, and an exit code."""

import json
import os
import signal
import subprocess

from harness import BUILD, check_exact, records_of, wait_until


def batch(service, *arguments):
    return subprocess.run([BUILD / "uploaderd", "--config", service.config, "--batch", *arguments],
                          capture_output=True, text=True, timeout=120)


def batch_start(service):
    return subprocess.Popen([BUILD / "uploaderd", "--config", service.config, "--batch"],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def configured(new_service, **options):
    service = new_service(upload={"chunk_bytes": "4K"}, **options)
    service.set(batch__all={"files": service.files / "*.csv"})
    return service


def test_batch(new_service):
    service = configured(new_service)
    paths = [service.people(f"{i}.csv", 100 * i) for i in range(1, 12)]
    done = batch(service)
    assert done.returncode == 0, done
    lines = done.stdout.splitlines()
    for i, path in enumerate(paths, 1):
        line, = [line for line in lines if line.endswith(str(path))]
        assert line.split()[:3] == ["PROCESSED", str(100 * i), "0"], line
    assert "11" in lines[-1]
    for path in paths:
        tracker = service.sql.value("SELECT id FROM uploader.file_tracker WHERE path = %s",
                                    str(path))
        assert service.rows(tracker) == records_of(path)
    again = batch(service)  # all are in already
    assert again.returncode == 0, again
    assert service.count("file_tracker") == 11


def test_batch_with_rejects(new_service):
    service = configured(new_service)
    service.people("a.csv", 300, bad=[150])
    done = batch(service)
    assert done.returncode == 3, done
    assert done.stdout.splitlines()[0].split()[:3] == ["PROCESSED", "299", "1"]


def test_batch_with_a_file_that_is_refused(new_service):
    service = configured(new_service)
    good = service.people("a.csv", 100)
    service.file("b.csv", b"")
    done = batch(service)
    assert done.returncode == 1
    assert "b.csv" in done.stdout and "empty" in done.stderr + done.stdout
    assert service.rows() == records_of(good)


def test_batch_with_bytes_that_are_in_from_another_path(new_service):
    service = configured(new_service)
    service.set(upload={"duplicates": "content"})
    service.people("a.csv", 100)
    first = batch(service)
    assert first.returncode == 0, first
    service.people("b.csv", 100)
    again = batch(service)
    assert again.returncode == 0, again
    assert [line.split()[:3] for line in again.stdout.splitlines()[:2]] == [
        ["PROCESSED", "100", "0"], ["DUPLICATE", "0", "0"]]
    assert "2 in (2 of them before)" in again.stdout
    assert service.count() == 100


def test_batch_with_a_file_whose_row_is_not_to_be_had(new_service):
    """It is in: so much is known, and that it was PROCESSED. That no more is, is said."""
    service = configured(new_service)
    path = service.people("a.csv", 100)
    assert batch(service).returncode == 0
    service.sql.run("""
        CREATE OR REPLACE FUNCTION uploader.tracker_processed(a_path text, a_profile text)
        RETURNS SETOF uploader.tracker_with_point LANGUAGE plpgsql AS $$ BEGIN
            RAISE EXCEPTION 'took too long' USING ERRCODE = 'query_canceled';
        END $$""")
    again = batch(service)
    assert again.returncode == 0, again
    lines = again.stdout.splitlines()
    assert lines[0].split() == ["PROCESSED", "100", "0", str(path)], again
    assert lines[1].startswith("1 file: 1 in (1 of them before)"), again
    assert "took too long" in again.stderr and str(path) in again.stderr, again


def test_batch_pattern_that_matches_nothing(new_service):
    service = configured(new_service)
    service.set(batch__all={"files": [service.files / "*.csv", service.files / "none*"]})
    service.people("a.csv", 100)
    done = batch(service)
    assert done.returncode == 0 and "none*" in done.stderr, done


def test_batch_without_any_file(new_service):
    """Nothing has come tonight: no failure."""
    done = batch(configured(new_service))
    assert done.returncode == 0 and "matches no file" in done.stderr, done
    assert done.stdout == "0 files: 0 in (0 of them before), 0 not in; 0 rows and 0 rejects in all\n"


def test_batch_without_a_database(new_service):
    """It says so and ends, for nobody may be there to see that it waits."""
    service = configured(new_service)
    service.people("a.csv", 100)
    service.set(database={"conninfo": service.cluster.conninfo("nowhere")})
    done = batch(service)
    assert done.returncode == 1 and done.stdout.startswith("NOT_BEGUN"), done
    assert 'database "nowhere" does not exist' in done.stderr, done


def test_batch_beside_the_service(new_service):
    service = configured(new_service).start()
    path = service.people("a.csv", 100)
    other = service.people("other.txt", 100)
    done = batch(service)
    assert done.returncode == 0, done
    service.ok("upload", "--wait", other)
    assert service.status(path)["status"] == "PROCESSED"
    assert service.status(path)["owner"] != service.status(other)["owner"]


def test_batch_goes_on_and_leaves_what_was_stopped(new_service):
    service = configured(new_service).start()
    killed = service.people("killed.csv", 100_000)
    stopped = service.people("stopped.csv", 100_000)
    for path, command in ((killed, "kill"), (stopped, "stop")):
        service.ok("upload", path)
        wait_until(lambda path=path: service.status(path)["rows"] > 0, "the first rows")
        service.ok(command, path)
    done = batch(service)
    assert done.returncode == 1, done
    assert [line.split()[0] for line in done.stdout.splitlines()[:2]] == ["PROCESSED", "STOPPED"]
    assert service.status(stopped)["status"] == "STOPPED"
    done = batch(service, "--include-stopped")
    assert done.returncode == 0, done
    assert service.status(stopped)["status"] == "PROCESSED"


def test_batch_stop_and_kill_at_its_socket(new_service):
    service = configured(new_service)
    path = service.people("a.csv", 300_000)
    running = batch_start(service)
    socket = f"{service.socket}.batch"

    def rows():
        done = subprocess.run([BUILD / "uploadctl", "--socket", socket, "status", path, "--json"],
                              capture_output=True, text=True)
        return done.returncode == 0 and json.loads(done.stdout)["rows"]

    wait_until(rows, "the first rows")
    subprocess.run([BUILD / "uploadctl", "--socket", socket, "kill", path], check=True,
                   capture_output=True)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 1 and out.startswith("KILLED"), (out, err)


def test_batch_terminated(new_service):
    service = configured(new_service)
    service.people("a.csv", 300_000)
    running = batch_start(service)

    def started():
        try:
            return service.count("file_checkpoint") > 0
        except Exception:  # the schema is not there yet
            return False

    wait_until(started, "the first chunk")
    running.send_signal(signal.SIGTERM)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 1, (out, err)
    tracker = service.sql.value("SELECT id FROM uploader.file_tracker")
    assert check_exact(service, tracker) == "KILLED"
    done = batch(service)
    assert done.returncode == 0, done
    assert check_exact(service, tracker) == "PROCESSED"
    assert os.path.exists(service.config)


def test_batch_with_a_profile_of_its_own(new_service):
    service = new_service(profile__shop={"columns": ["Kunde", "Mail"], "delimiter": ";"})
    service.set(batch__shop={"files": service.files / "*.shop", "profile": "shop"},
                batch__rest={"files": service.files / "*.csv"})
    service.file("a.shop", "Mail;Kunde\ne1;n1\n")
    service.file("b.csv", "name,email\nn2,e2\n")
    done = batch(service)
    assert done.returncode == 0, done
    assert service.sql.run("SELECT t.profile, d.name, d.email FROM uploader.file_data AS d"
                           " JOIN uploader.file_tracker AS t ON t.id = d.file_tracker_id"
                           " ORDER BY 1") == [("contacts", "n2", "e2"), ("shop", "n1", "e1")]


def without_database(new_service, own_cluster):
    """A batch run that answers while its server is stopped: (service, path, running)."""
    database = own_cluster.new_database()
    own_cluster.stop()
    service = configured(new_service, cluster=own_cluster, database=database)
    path = service.people("a.csv", 100)
    running = batch_start(service)
    wait_until(lambda: subprocess.run([BUILD / "uploadctl", "--socket", f"{service.socket}.batch",
                                       "ping"], capture_output=True).returncode == 0, "an answer")
    return service, path, running


def test_batch_waits_for_its_database(new_service, own_cluster):
    service, path, running = without_database(new_service, own_cluster)
    own_cluster.start()
    out, err = running.communicate(timeout=60)
    assert running.returncode == 0, (out, err)
    assert service.rows() == records_of(path)


def test_batch_terminated_before_its_database_was_there(new_service, own_cluster):
    _, path, running = without_database(new_service, own_cluster)
    running.send_signal(signal.SIGTERM)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 1, (out, err)
    assert out.startswith("NOT_BEGUN") and str(path) in out, (out, err)
