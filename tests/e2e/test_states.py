# SPDX-License-Identifier: PostgreSQL
"""Every cell of the table of states and commands in docs/design.md, tried for real."""

import os

import pytest
from harness import check_exact, records_of, wait_until

MANY = 60_000  # records that take some seconds in chunks of 4 KiB


@pytest.fixture
def busy(new_service):
    """A service with one worker, so that a second file waits."""
    return new_service(upload={"chunk_bytes": "4K"}, supervisor={"max_workers": 1}).start()


def begin(service, name="big.csv", count=MANY):
    """An upload of which some rows are in, and more to come."""
    path = service.people(name, count)
    tracker = service.ok("upload", path, "--json").json["id"]
    wait_until(lambda: service.status(path)["rows"] > 0, "the first rows")
    return path, tracker


def killed(service, name="big.csv"):
    path, tracker = begin(service, name)
    answer = service.ok("kill", path, "--json").json
    assert answer["status"] == "KILLED" and 0 < answer["rows"] < MANY
    return path, tracker, answer


def finish(service, path, tracker):
    """The same upload goes on to PROCESSED, and the table holds exactly the file."""
    answer = service.ok("upload", path, "--wait", "--json").json
    assert (answer["id"], answer["status"]) == (tracker, "PROCESSED")
    assert service.rows(tracker) == records_of(path)
    check_exact(service, tracker)


def refused(service, code, *arguments):
    answer = service.ok(*arguments, "--json", code=6)
    assert answer.json["error"]["code"] == code
    return answer.json["error"]


# ---- no tracker ----


def test_none_upload(service):
    path = service.people(count=10)
    answer = service.ok("upload", path, "--json").json
    assert answer["status"] in ("INITIALIZING", "PROCESSING", "PROCESSED")
    service.ok("wait", path)
    assert service.rows() == records_of(path)


@pytest.mark.parametrize("command", ["stop", "kill", "wait", "status", "history", "rejects"])
@pytest.mark.parametrize("what", ["none.csv", "4711"])
def test_none_others(service, command, what):
    answer = service.ok(command, what, "--json", code=4)
    assert answer.json["error"]["code"] == "not_found"


# ---- INITIALIZING ----


def test_initializing_upload(busy):
    begin(busy)
    path = busy.people("next.csv", 10)
    first = busy.ok("upload", path, "--json").json
    assert (first["status"], first["phase"]) == ("INITIALIZING", "queued")
    second = busy.ok("upload", path, "--json").json
    assert (second["id"], second["status"]) == (first["id"], "INITIALIZING")


def test_initializing_stop(busy):
    begin(busy)
    path = busy.people("next.csv", 10)
    tracker = busy.ok("upload", path, "--json").json["id"]
    assert busy.ok("stop", path, "--json").json["status"] == "STOPPED"
    assert check_exact(busy, tracker) == "STOPPED"


def test_initializing_stop_takes_out_what_an_earlier_run_left(busy):
    path, tracker, _ = killed(busy, "first.csv")
    begin(busy)
    assert busy.ok("upload", path, "--json").json["phase"] == "queued"
    assert busy.ok("stop", path, "--json").json["status"] == "STOPPED"
    assert busy.count(tracker=tracker) == 0
    assert check_exact(busy, tracker) == "STOPPED"


def test_initializing_kill(busy):
    begin(busy)
    path = busy.people("next.csv", 10)
    tracker = busy.ok("upload", path, "--json").json["id"]
    answer = busy.ok("kill", path, "--json").json
    assert (answer["status"], answer["line"]) == ("KILLED", 0)
    busy.ok("stop", "big.csv")
    finish(busy, path, tracker)


# ---- PROCESSING ----


def test_processing_upload(service):
    path, tracker = begin(service)
    answer = service.ok("upload", path, "--json").json
    assert (answer["id"], answer["status"]) == (tracker, "PROCESSING")


def test_processing_stop(service):
    path, tracker = begin(service)
    answer = service.ok("stop", path, "--json").json
    assert (answer["status"], answer["rows"], answer["line"]) == ("STOPPED", 0, 0)
    assert service.count() == 0
    assert check_exact(service, tracker) == "STOPPED"


def test_processing_stop_no_wait(service):
    path, tracker = begin(service)
    answer = service.ok("stop", path, "--no-wait", "--json").json
    assert answer["status"] in ("PROCESSING", "STOPPED")
    service.wait_status(path, "STOPPED")
    assert check_exact(service, tracker) == "STOPPED"


def test_processing_kill(service):
    path, tracker, answer = killed(service)
    assert service.count(tracker=tracker) == answer["rows"]
    assert not service.workers()
    assert check_exact(service, tracker) == "KILLED"
    finish(service, path, tracker)


# ---- PROCESSING, stop under way ----


@pytest.fixture
def stopping(new_service):
    """An upload whose rollback's worker has paused after its first step."""
    service = new_service(upload={"chunk_bytes": "4K"}).start_paused("rollback.before_step")
    path, tracker = begin(service)
    service.ok("stop", path, "--no-wait")
    service.paused()
    return service, path, tracker


def test_stopping_upload(stopping):
    service, path, tracker = stopping
    refused(service, "stop_under_way", "upload", path)
    refused(service, "stop_under_way", "upload", "--restart", path)
    service.go_on()
    service.wait_status(path, "STOPPED")


def test_stopping_stop_joins(stopping):
    service, path, tracker = stopping
    second = service.ctl_start("stop", path, "--json")
    service.go_on()
    out, err = second.communicate(timeout=60)
    assert second.returncode == 0 and '"STOPPED"' in out, (out, err)
    assert check_exact(service, tracker) == "STOPPED"


def test_stopping_kill(stopping):
    service, path, tracker = stopping
    answer = service.ok("kill", path, "--json").json
    assert answer["status"] == "KILLED" and answer["rows"] > 0
    assert service.count(tracker=tracker) == answer["rows"]
    assert check_exact(service, tracker) == "KILLED"
    assert service.sql.value("SELECT wanted FROM uploader.file_tracker") is None
    finish(service, path, tracker)


def test_stopping_kill_then_stop(stopping):
    service, path, tracker = stopping
    service.ok("kill", path)
    assert service.ok("stop", path, "--json").json["status"] == "STOPPED"
    assert check_exact(service, tracker) == "STOPPED"


# ---- STOPPED ----


def test_stopped(service):
    path, tracker = begin(service)
    service.ok("stop", path)
    assert service.ok("stop", path, "--json").json["status"] == "STOPPED"
    assert "already" in service.ok("stop", path).out.lower()
    refused(service, "not_running", "kill", path)
    finish(service, path, tracker)


# ---- KILLED and FAILED ----


def test_killed_kill(service):
    path, tracker, before = killed(service)
    answer = service.ok("kill", path, "--json").json
    assert (answer["status"], answer["rows"]) == ("KILLED", before["rows"])
    assert "already" in service.ok("kill", path).out.lower()


def test_killed_stop(service):
    path, tracker, _ = killed(service)
    assert service.ok("stop", path, "--json").json["status"] == "STOPPED"
    assert check_exact(service, tracker) == "STOPPED"
    finish(service, path, tracker)


def test_killed_restart(service):
    path, tracker, _ = killed(service)
    answer = service.ok("upload", "--restart", "--wait", path, "--json").json
    assert (answer["id"], answer["status"], answer["rows"]) == (tracker, "PROCESSED", MANY)
    assert service.rows(tracker) == records_of(path)


def test_interrupted_kill_takes_the_mark_away(new_service):
    service = new_service(upload={"chunk_bytes": "4K"}, supervisor={"resume": "no"}).start()
    path, tracker = begin(service)
    service.kill()
    service.start()
    answer = service.wait_status(path, "KILLED")
    assert answer["phase"] == "interrupted"
    service.ok("kill", path)
    assert service.sql.value("SELECT interrupted FROM uploader.file_tracker") is False
    service.stop()
    service.set(supervisor={"resume": "yes"})
    service.start()
    assert service.status(path)["status"] == "KILLED"
    finish(service, path, tracker)


def failed(service):
    path = service.people("bad.csv", 5000, bad=range(2000, 2020))
    answer = service.ok("upload", path, "--wait", "--json", code=1)
    assert answer.json["status"] == "FAILED"
    assert answer.json["error"]["code"] == "reject_limit"
    return path, answer.json


@pytest.fixture
def strict(new_service):
    return new_service(upload={"chunk_bytes": "4K", "reject_limit": 3}).start()


def test_failed_keeps_what_is_in(strict):
    path, answer = failed(strict)
    assert 0 < answer["rows"] < 2000
    assert strict.count(tracker=answer["id"]) == answer["rows"]
    assert check_exact(strict, answer["id"]) == "FAILED"
    assert "nor are the rejects of that chunk kept" in answer["error"]["detail"]
    last = strict.ok("history", path, "--json").objects[-1]
    assert last["reason"].endswith(": " + answer["error"]["message"]), last


def test_failed_kill(strict):
    path, before = failed(strict)
    answer = strict.ok("kill", path, "--json").json
    assert (answer["status"], answer["rows"]) == ("FAILED", before["rows"])


def test_failed_stop(strict):
    path, before = failed(strict)
    assert strict.ok("stop", path, "--json").json["status"] == "STOPPED"
    assert check_exact(strict, before["id"]) == "STOPPED"


def test_failed_upload_goes_on_under_the_limit_now_in_force(strict):
    path, before = failed(strict)
    strict.stop()
    strict.set(upload={"reject_limit": 100})
    strict.start()
    answer = strict.ok("upload", path, "--wait", "--json", code=3).json
    assert (answer["id"], answer["status"], answer["rejects"]) == (before["id"], "PROCESSED", 20)
    assert answer["rows"] == 4980
    assert check_exact(strict, before["id"]) == "PROCESSED"


# ---- PROCESSED ----


@pytest.fixture
def processed(service):
    path = service.people(count=500)
    tracker = service.ok("upload", path, "--wait", "--json").json["id"]
    return service, path, tracker


def test_processed_stop_and_kill(processed):
    service, path, _ = processed
    refused(service, "processed", "stop", path)
    refused(service, "processed", "kill", path)
    assert service.count() == 500


def test_processed_upload(processed):
    service, path, tracker = processed
    refused(service, "already_uploaded", "upload", path)
    refused(service, "already_uploaded", "upload", "--restart", path)
    assert service.count() == 500
    again = service.ok("upload", "--again", "--wait", path, "--json").json
    assert again["id"] > tracker and again["status"] == "PROCESSED"
    assert service.count() == 1000


def test_processed_replaced(processed):
    service, path, tracker = processed
    new = service.people("new.csv", 300)
    os.rename(new, path)
    answer = service.ok("upload", "--wait", path, "--json").json
    assert answer["id"] > tracker and (answer["status"], answer["rows"]) == ("PROCESSED", 300)
    assert service.rows(answer["id"]) == records_of(path)


def test_processed_touched_is_the_same_file(processed):
    service, path, tracker = processed
    os.utime(path)
    answer = service.ok("upload", "--wait", path, "--json", code=6).json
    assert (answer["status"], answer["error"]["code"]) == ("FAILED", "already_uploaded")
    assert answer["id"] > tracker
    refused(service, "already_uploaded", "upload", path)
    assert service.count() == 500
    again = service.ok("upload", "--again", "--wait", path, "--json").json
    assert (again["id"], again["status"]) == (answer["id"], "PROCESSED")


def test_processed_grown(processed):
    service, path, tracker = processed
    with open(path, "a") as file:
        file.write("One More,one@example.org\n")
    answer = service.ok("upload", "--wait", path, "--json", code=6).json
    assert (answer["status"], answer["error"]["code"]) == ("FAILED", "grown")
    assert answer["error"]["hint"]
    refused(service, "grown", "upload", path)
    assert service.count() == 500


# ---- races that the table decides ----


def test_kill_that_finds_the_final_checkpoint(new_service):
    service = new_service().start_paused("worker.before_end")
    path = service.people(count=100)
    tracker = service.ok("upload", path, "--json").json["id"]
    service.paused()
    error = refused(service, "processed", "kill", path)
    assert "PROCESSED" in error["message"]
    assert service.status(path)["status"] == "PROCESSED"
    assert service.rows(tracker) == records_of(path)


def test_stop_wins_over_a_final_chunk_that_is_in(new_service):
    service = new_service(supervisor={"stop_timeout": "1s"}).start_paused("worker.before_end")
    path = service.people(count=100)
    tracker = service.ok("upload", path, "--json").json["id"]
    service.paused()
    assert service.ok("stop", path, "--json").json["status"] == "STOPPED"
    assert check_exact(service, tracker) == "STOPPED"


def test_a_stop_takes_the_rejects_too(busy):
    """Those of many chunks, so that several steps of the rollback have some."""
    path = busy.people(count=MANY, bad=set(range(1, MANY, 97)))
    busy.set(upload={"reject_limit": MANY})
    busy.reload()
    tracker = busy.ok("upload", path, "--json").json["id"]
    wait_until(lambda: busy.count("file_reject") > 20, "rejects")
    busy.ok("stop", path)
    assert check_exact(busy, tracker) == "STOPPED"
    assert busy.count("file_reject") == busy.count() == busy.count("file_checkpoint") == 0
