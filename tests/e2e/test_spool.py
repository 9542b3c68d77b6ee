# SPDX-License-Identifier: PostgreSQL
"""Spools: files that arrive in a folder are uploaded once, and moved out when that is durable."""

import csv
import ctypes
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

import pytest
from harness import BUILD, SANITIZED, check_exact, records_of, wait_until

ENDED = ("PROCESSED", "FAILED", "STOPPED", "KILLED")


@pytest.fixture
def new_spool(new_service):
    """A maker of services with a spool in their folder; the spool is service.spool."""
    def make(start=True, **options):
        section = {"settle": "300ms", **options.pop("spool", {})}
        service = new_service(**{"upload": {"chunk_bytes": "4K"}, **options})
        service.spool = service.folder / "spool"
        service.spool.mkdir()
        service.set(spool__in={"path": service.spool, **section})
        return service.start() if start else service
    return make


@pytest.fixture
def spool(new_spool):
    return new_spool()


def arrive(service, name="people.csv", count=1000, bad=()):
    """Written elsewhere, and moved into the spool in one step."""
    path = service.people(name, count, bad=set(bad))
    os.rename(path, service.spool / name)
    return service.spool / name


def moved(service, name, folder="done"):
    """Waits until it is there; answers its receipt."""
    path = service.spool / folder / name
    wait_until(path.exists, f"{path}\n{service.log_text()[-2000:]}")
    assert not (service.spool / name).exists()
    return json.loads((service.spool / folder / f"{name}.json").read_text())


def uploads(service):
    return service.sql.value("SELECT count(*) FROM uploader.file_tracker")


def test_a_file_that_is_moved_in(spool):
    arrive(spool)
    receipt = moved(spool, "people.csv")
    upload = receipt["upload"]
    assert (upload["status"], upload["rows"], receipt["error"]) == ("PROCESSED", 1000, None)
    assert len(upload["content"]) == 32 and upload["created_at"] <= upload["updated_at"]
    assert spool.rows(upload["id"]) == records_of(spool.spool / "done/people.csv")
    assert sorted(os.listdir(spool.spool)) == ["done"]
    assert sorted(os.listdir(spool.spool / "done")) == ["people.csv", "people.csv.json"]


def test_rejects_lie_beside_it(spool):
    arrive(spool, bad=[3, 500])
    receipt = moved(spool, "people.csv")
    assert receipt["upload"]["rejects"] == 2
    with open(spool.spool / "done/people.csv.rejects.csv", newline="") as file:
        rejects = list(csv.DictReader(file))
    assert [int(reject["line"]) for reject in rejects] == [3, 500]
    shown = spool.ok("rejects", "--csv", str(receipt["upload"]["id"])).out
    assert (spool.spool / "done/people.csv.rejects.csv").read_text() == shown


def test_a_file_that_is_being_written_is_not_begun(spool):
    path = spool.spool / "slow.csv"
    with open(path, "w") as file:
        empty = f'left in spool in path={path} why="it is empty"'
        wait_until(lambda: empty in spool.log_text(), empty)
        file.write("name,email\n")
        for number in range(5):
            file.write(f"Person {number},p@example.org\n")
            file.flush()
            time.sleep(0.4)  # longer than it takes to settle
            assert uploads(spool) == 0
    receipt = moved(spool, "slow.csv")
    assert receipt["upload"]["rows"] == 5


def test_a_file_that_is_linked_in(spool):
    os.link(spool.people(count=10), spool.spool / "people.csv")
    assert moved(spool, "people.csv")["upload"]["rows"] == 10


def test_a_file_settles_first(new_spool):
    service = new_spool(spool={"settle": "2s"})
    path = service.people(count=10)
    shutil.copy(path, service.spool / "people.csv")
    begun = time.monotonic()
    moved(service, "people.csv")
    assert time.monotonic() - begun > 1.5  # the least, however slow the machine is


def test_a_companion_says_that_it_is_complete(new_spool):
    service = new_spool(spool={"settle": "1h"})
    path = service.people(count=10)
    shutil.copy(path, service.spool / "people.csv")
    (service.spool / "people.csv.ok").touch()
    moved(service, "people.csv")
    assert sorted(os.listdir(service.spool)) == ["done"]


def test_what_was_there_before_the_start(new_spool):
    service = new_spool(start=False)
    for name in ("a.csv", "b.csv"):
        arrive(service, name, 10)
    for name in (".hidden.csv", "other.txt"):
        arrive(service, name, 10)
    (service.spool / "folder.csv").mkdir()
    os.symlink("/etc/passwd", service.spool / "link.csv")
    os.mkfifo(service.spool / "fifo.csv")
    (service.spool / "empty.csv").touch()
    longest, longer = "l" * 196 + ".csv", "l" * 197 + ".csv"
    arrive(service, longest, 10, bad=[5]), arrive(service, longer, 10)
    service.start()
    moved(service, "a.csv"), moved(service, "b.csv"), moved(service, longest)
    time.sleep(0.5)
    assert uploads(service) == 3
    left = {".hidden.csv", "other.txt", "folder.csv", "link.csv", "fifo.csv", "empty.csv", "done", longer}
    assert set(os.listdir(service.spool)) == left
    for name, why in (("link.csv", "it is a symbolic link"), ("fifo.csv", "it is no regular file"),
                      ("empty.csv", "it is empty"), (longer, "its name is longer than 200 bytes")):
        line = f'left in spool in path={service.spool}/{name} why="{why}"'
        wait_until(lambda line=line: service.log_text().count(line), line)
        assert service.log_text().count(line) == 1
    assert "folder.csv" not in service.log_text()
    with open(service.spool / "empty.csv", "w") as file:
        file.write("name,email\na,b\n")
    moved(service, "empty.csv")


@pytest.mark.parametrize("data, code", [
    (b"who,where\n1,2\n", "file_header"), (b"name,email\n\xff,x\n", "file_encoding"),
    (b'name,email\n"a,b\n', "file_quote"),
])
def test_a_file_that_cannot_be_uploaded(spool, data, code):
    path = spool.file("bad.csv", data)
    os.rename(path, spool.spool / "bad.csv")
    receipt = moved(spool, "bad.csv", "failed")
    assert receipt["error"]["code"] == code
    assert (spool.spool / "failed/bad.csv").read_bytes() == data
    # what the hint names is there
    assert f"{spool.spool}/bad" not in receipt["error"]["hint"]
    if code == "file_encoding":
        assert f"{spool.spool}/failed/bad.csv > {spool.spool}/failed/bad.utf8.csv" in \
            receipt["error"]["hint"]


def test_too_many_rejects_and_a_second_try(new_spool):
    """Moved back after the limit was raised, it goes on."""
    service = new_spool(upload={"chunk_bytes": "4K", "reject_limit": 1})
    arrive(service, bad=[3, 500])
    receipt = moved(service, "people.csv", "failed")
    assert receipt["error"]["code"] == "reject_limit" and receipt["upload"]["status"] == "FAILED"
    service.set(upload={"reject_limit": 10})
    service.reload()
    os.rename(service.spool / "failed/people.csv", service.spool / "people.csv")
    again = moved(service, "people.csv")["upload"]
    assert (again["id"], again["status"], again["rejects"]) == (receipt["upload"]["id"],
                                                                "PROCESSED", 2)


def test_the_same_file_once_more(spool):
    path = arrive(spool)
    first = moved(spool, "people.csv")["upload"]
    shutil.copy(spool.spool / "done/people.csv", spool.files / "copy")
    os.rename(spool.files / "copy", path)
    receipt = moved(spool, "people.csv", "failed")
    assert receipt["error"]["code"] == "already_uploaded"
    assert spool.count() == first["rows"]


def test_the_same_file_again_and_again(spool):
    """Each of those refused, which are one tracker's, has a name and a receipt of its own."""
    def again(name):
        shutil.copy(spool.spool / "done/people.csv", spool.files / "copy")
        os.rename(spool.files / "copy", spool.spool / "people.csv")
        return moved(spool, name, "failed")

    arrive(spool, count=10)
    moved(spool, "people.csv")
    receipts = {"people.csv": again("people.csv")}
    number = receipts["people.csv"]["upload"]["id"]
    for name in (f"people.csv.{number}", f"people.csv.{number}.2", f"people.csv.{number}.3"):
        receipts[name] = again(name)
        assert receipts[name]["upload"]["id"] == number
    for name, receipt in receipts.items():
        assert json.loads((spool.spool / "failed" / f"{name}.json").read_text()) == receipt


def test_another_file_of_the_same_name(spool):
    arrive(spool)
    first = moved(spool, "people.csv")["upload"]
    path = spool.file("people.csv", "name,email\n" + "Somebody,else@example.org\n" * 500)
    os.rename(path, spool.spool / "people.csv")
    second = wait_until(lambda: [name for name in os.listdir(spool.spool / "done")
                                 if name.startswith("people.csv.") and name.endswith(".json")
                                 and name != "people.csv.json"], "the second")
    receipt = json.loads((spool.spool / "done" / second[0]).read_text())["upload"]
    assert receipt["id"] != first["id"] and receipt["rows"] == 500
    wait_until((spool.spool / "done" / f"people.csv.{receipt['id']}").exists, "the file")


@pytest.mark.parametrize("command, status", [("stop", "STOPPED"), ("kill", "KILLED")])
def test_what_a_user_ends_is_left(spool, command, status):
    path = arrive(spool, count=60_000)
    wait_until(lambda: spool.ctl("status", path, "--json").code == 0
               and spool.status(path)["rows"] > 0, "the first rows")
    spool.ok(command, path)
    spool.stop()
    spool.start()
    time.sleep(1)
    assert spool.status(path)["status"] == status and path.exists()
    spool.ok("upload", "--wait", path)
    assert moved(spool, "people.csv")["upload"]["rows"] == 60_000


def test_a_folder_that_comes_later(new_spool):
    service = new_spool(start=False)
    service.spool.rmdir()
    service.start()
    wait_until(lambda: "spool in waits" in service.log_text(), "the error")
    service.spool.mkdir()
    arrive(service, count=10)
    moved(service, "people.csv")


def exchange(one, other):
    """At no time there is none of them."""
    at_fdcwd, rename_exchange = -100, 2
    rc = ctypes.CDLL(None, use_errno=True).renameat2(at_fdcwd, os.fsencode(one), at_fdcwd,
                                                     os.fsencode(other), rename_exchange)
    assert rc == 0, os.strerror(ctypes.get_errno())


def test_a_folder_that_is_replaced(new_spool):
    """What is told of the old one says nothing of the new one, and that one is watched, too."""
    service = new_spool(spool={"settle": "1h"})
    arrive(service, "first.csv", count=10)
    moved(service, "first.csv")
    old, new = service.folder / "old", service.folder / "new"
    new.mkdir()
    exchange(service.spool, new)
    os.rename(new, old)
    half = service.people("half.csv", 10).read_bytes()
    writer = open(service.spool / "half.csv", "wb")
    writer.write(half[:-20])
    writer.flush()
    os.rename(service.people("half.csv", 10), old / "half.csv")
    time.sleep(1)
    arrive(service, "second.csv", count=10)
    moved(service, "second.csv")
    assert uploads(service) == 2
    writer.close()


@pytest.mark.parametrize("point", ["spool.before_receipt", "spool.before_move", "spool.moved",
                                   "worker.before_end", "lane.committed", "supervisor.moved/finish"])
def test_killed_at(new_spool, point):
    """It is uploaded once, and moved, by the next life."""
    service = new_spool(start=False).start_paused(point)
    arrive(service, bad=[7])
    service.paused()
    service.kill()
    service.start()
    receipt = moved(service, "people.csv")
    assert uploads(service) == 1
    tracker = receipt["upload"]["id"]
    assert check_exact(service, tracker) == "PROCESSED"
    rows = [row for row in records_of(service.spool / "done/people.csv") if row[0] != 7]
    assert service.rows(tracker) == rows
    left = set(os.listdir(service.spool / "done"))
    assert left >= {"people.csv", "people.csv.json", "people.csv.rejects.csv"}


def test_a_reload_leaves_the_spools_as_they_are(new_spool):
    """They keep their folder and profile, also for a worker that takes over, until the next start."""
    service = new_spool(start=False, spool={"profile": "orders"},
                        profile__orders={"reject_limit": 7}).start_paused("lane.before_commit:2")
    arrive(service)
    worker = service.paused()
    new = service.folder / "new"
    new.mkdir()
    service.set(spool__in={"path": new, "profile": "contacts"})
    del service.options["profile orders"]
    service.write_config()
    for _ in range(2):
        service.reload("sections [spool NAME] count from the next start on")
    os.kill(worker, signal.SIGKILL)
    moved(service, "people.csv")
    arrive(service, "more.csv", 10)
    assert moved(service, "more.csv")["upload"]["profile"] == "orders"
    os.rename(service.people(count=10), new / "new.csv")
    assert service.ctl("upload", new / "new.csv", "--json").json["error"]["code"] == "file_outside"
    service.stop()
    service.start()
    wait_until((new / "done/new.csv").exists, "what is in the new folder")


def test_many_files(spool):
    count = 20 if SANITIZED else 200  # more than are begun at once
    for number in range(count):
        arrive(spool, f"f{number}.csv", 5)
    done = spool.spool / "done"
    wait_until(lambda: len(list(done.glob("*.csv"))) == count, "all of them")
    assert uploads(spool) == count and spool.count() == 5 * count


def test_a_shutdown_in_the_middle(spool):
    arrive(spool, count=60_000)
    wait_until(lambda: spool.count() > 0, "the first rows")
    spool.stop()
    spool.start()
    receipt = moved(spool, "people.csv")
    assert receipt["upload"]["rows"] == 60_000 and uploads(spool) == 1


def check(service):
    return subprocess.run([BUILD / "uploaderd", "--config", service.config, "--check"],
                          capture_output=True, text=True)


def test_check_says_what_is_wrong(new_service):
    service = new_service()
    service.set(spool__in={"profile": "none"})
    done = check(service)
    assert done.returncode == 2
    assert "the spool has no path" in done.stderr and "no profile" in done.stderr, done.stderr
    service.set(spool__in={"path": service.folder / "none", "profile": "contacts"})
    done = check(service)
    assert done.returncode == 0
    assert "spool in.path: warning: there is no folder" in done.stderr, done.stderr


def test_a_file_that_would_be_uploaded_twice(spool):
    """Two spools, the second of which has what the first moves: neither --check nor a service that
    is under way takes them."""
    spool.set(spool__twice={"path": spool.spool / "done"})
    done = check(spool)
    assert done.returncode == 2
    assert f'spool twice.path: "{spool.spool}/done" is the folder done of [spool in]' in done.stderr
    spool.reload("the old one stays in force")
    arrive(spool)
    moved(spool, "people.csv")
    assert uploads(spool) == 1


def test_folders_of_another_file_system(new_spool):
    """Nothing can be moved there: said at --check and at the start, and no error, as one that is
    not there is none. What is not there, or on the same, is not named."""
    service = new_spool(start=False)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        if os.stat(other).st_dev == os.stat(service.spool).st_dev:
            pytest.skip("/dev/shm is no file system of its own here")
        service.set(spool__in={"path": service.spool, "done": other, "failed": f"{other}/none"})
        done = check(service)
        assert (done.returncode, done.stdout) == (0, "ok\n")
        says = f'spool in.done: warning: "{other}" is on another file system than "{service.spool}" now; '
        assert says in done.stderr and "spool in.failed" not in done.stderr, done.stderr
        assert len(done.stderr.splitlines()) == 1, done.stderr
        service.start()
        assert "spool in.done: warning: " in service.log_text()
