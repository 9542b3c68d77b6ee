# SPDX-License-Identifier: PostgreSQL
"""The queue: priorities, limits, a pause of the whole service, and what is said of what waits."""

import pytest
from harness import check_exact, wait_until


def order(service):
    """The files in the order in which they got a worker."""
    return [path.rsplit("/", 1)[1] for path, in service.sql.run(
        "SELECT t.path FROM uploader.file_event AS e JOIN uploader.file_tracker AS t"
        " ON t.id = e.file_tracker_id WHERE e.event = 'start' ORDER BY e.id")]


def queue(service, name, *options):
    path = service.people(name, 10)
    return service.ok("upload", path, *options, "--json").json


@pytest.fixture
def paused(new_service):
    """A service of one worker that begins nothing."""
    service = new_service(supervisor={"max_workers": 1}).start()
    service.ok("pause")
    return service


def go_on(service, *names):
    service.ok("continue")
    for name in names:
        service.ok("wait", service.files / name)


def test_higher_priorities_first_then_as_they_came(paused):
    names = {"a": 0, "b": -10, "c": 10, "d": 0, "e": 10, "f": 9}
    for name, priority in names.items():
        queue(paused, name, "--priority", str(priority))
    shown = {name: paused.status(paused.files / name) for name in names}
    assert [shown[name]["in_front"] for name in "cefadb"] == [0, 1, 2, 3, 4, 5]
    assert {upload["waits_for"] for upload in shown.values()} == {"continue"}
    assert shown["c"]["priority"] == 10
    go_on(paused, *names)
    assert order(paused) == list("cefadb")
    assert paused.status(paused.files / "b")["in_front"] is None


def test_null_is_not_given(new_service):
    service = new_service(upload={"duplicates": "allow"}, supervisor={"max_workers": 1}).start()
    path = service.people("a", 10)
    service.ok("upload", "--wait", path)
    service.ok("pause")
    first = queue(service, "b", "--priority", "5")
    told = service.ask("upload", file=str(service.files / "b"), priority=None, again=None)
    assert (told["upload"]["id"], told["upload"]["priority"]) == (first["id"], 5)
    service.ok("continue")
    again = service.ask("upload", file=str(path), priority=None, again=None)["upload"]["id"]
    assert service.ok("wait", again, "--json").json["status"] == "PROCESSED"


def test_a_priority_moves_what_waits_already(paused):
    for name in "abcd":
        queue(paused, name)
    first = queue(paused, "c", "--priority", "3")
    assert (first["status"], first["priority"], first["in_front"]) == ("INITIALIZING", 3, 0)
    assert queue(paused, "c")["priority"] == 3  # nobody has asked for another
    queue(paused, "a", "--priority", "-1")
    assert queue(paused, "c", "--priority", "0")["priority"] == 0  # behind those of 0
    events = [event["event"] for event in paused.ok("history", first["id"], "--json").objects]
    assert events == ["create", "queue", "queue"]
    paused.kill()
    paused.start()
    for name in "abcd":
        wait_until(lambda: paused.status(paused.files / name)["waits_for"] == "continue", "it to wait")
    assert paused.status(paused.files / "a")["in_front"] == 3
    go_on(paused, *"abcd")
    assert check_exact(paused, first["id"], with_file=True) == "PROCESSED"


def test_priorities_and_a_pause_outlive_the_supervisor(paused):
    for name, priority in {"a": 0, "b": 5}.items():
        queue(paused, name, "--priority", str(priority))
    paused.kill()
    paused.start()
    assert paused.ok("ping", "--json").json["paused"]
    for name in "ab":
        wait_until(lambda: paused.status(paused.files / name)["waits_for"] == "continue", "it to wait")
    go_on(paused, "a", "b")
    assert [name for name in order(paused)] == ["b", "a"]
    paused.stop()
    paused.start()
    assert not paused.ok("ping", "--json").json["paused"]


def test_a_pause_lets_go_on_what_runs(new_service):
    service = new_service(upload={"chunk_bytes": "4K"}).start()
    path, tracker = service.in_the_middle()
    service.ok("pause")
    assert "paused" in service.ok("ping").out
    assert check_exact(service, tracker) in ("PROCESSING", "PROCESSED")
    service.ok("wait", path)
    assert check_exact(service, tracker, True) == "PROCESSED"
    service.ok("pause")  # once more is no error
    assert queue(service, "b")["status"] == "INITIALIZING"
    service.ok("kill", service.files / "b")
    service.ok("continue")
    service.ok("continue")


def test_a_paused_upload_is_stopped_and_killed_as_any(paused):
    queue(paused, "a")
    queue(paused, "b")
    paused.ok("stop", paused.files / "a")
    paused.ok("kill", paused.files / "b")
    assert paused.status(paused.files / "a")["status"] == "STOPPED"
    assert paused.status(paused.files / "b")["status"] == "KILLED"


def test_a_profile_at_its_limit_is_passed(new_service):
    service = new_service(upload={"chunk_bytes": "4K"}, supervisor={"max_workers": 3},
                          profile__slow={"max_workers": 1}).start_paused("lane.before_commit")
    first = service.people("first", 10)
    service.ok("upload", first, "--profile", "slow")
    service.paused()
    second, other = service.people("second", 10), service.people("other", 10)
    service.ok("upload", second, "--profile", "slow", "--priority", "10")
    service.ok("upload", "--wait", other)
    assert service.status(second)["waits_for"] == "a worker of its profile"
    service.go_on()
    service.ok("wait", second)
    assert order(service) == ["first", "other", "second"]


def test_the_queue_has_a_limit(paused):
    paused.set(supervisor={"max_queued": 2})
    paused.reload()
    for name in "ab":
        queue(paused, name)
    path = paused.people("c", 10)
    error = paused.ok("upload", path, "--json", code=6).json["error"]
    assert error["code"] == "queue_full" and "max_queued" in error["hint"], error
    assert queue(paused, "a")["status"] == "INITIALIZING"  # it is in the queue
    go_on(paused, "a", "b")
    paused.ok("upload", "--wait", path)


@pytest.mark.parametrize("value", ["11", "-11", "high", ""])
def test_what_is_no_priority(paused, value):
    error = paused.ok("upload", "/nowhere", "--priority", value, "--json", code=2).json["error"]
    assert "-10 to 10" in error["hint"], error


def test_the_list_shows_the_places(paused):
    queue(paused, "a")
    queue(paused, "b", "--priority", "1")
    lines = paused.ok("list").out.splitlines()
    assert any("queued #1" in line and line.endswith("/b") for line in lines), lines
    assert any("queued #2" in line and line.endswith("/a") for line in lines), lines
    assert "waits for      continue; uploads before it: 1" in paused.ok("status", paused.files / "a").out
