# SPDX-License-Identifier: PostgreSQL
"""The hash of a whole file, and what the option duplicates makes of it."""

import shutil
import signal
import subprocess

import pytest
import xxhash
from harness import BUILD, check_exact, send_signal, wait_until


def content_of(path):
    return xxhash.xxh3_128(path.read_bytes()).hexdigest()


def copy_of(path, name="copy.csv"):
    return shutil.copy(path, path.with_name(name))


def refused(service, path, code, *options):
    """Ends FAILED, with nothing in; answers its error."""
    upload = service.ok("upload", "--wait", path, "--json", *options, code=6).json
    assert (upload["status"], upload["rows"], upload["error"]["code"]) == ("FAILED", 0, code)
    return upload["error"]


@pytest.fixture(name="by_content")
def content_service(new_service):
    return new_service(upload={"duplicates": "content", "chunk_bytes": "4K"}).start()


@pytest.mark.parametrize("lanes", [1, 3])
@pytest.mark.parametrize("end", ["", "\n", "\n\n\n", "\r\n\r"])
def test_the_hash_is_that_of_the_file(new_service, end, lanes):
    service = new_service(upload={"chunk_bytes": "4K", "lanes": lanes}).start()
    path = service.file("f.csv", "name,email\n" + "n,e\n\n" * 5000 + "last,one" + end)
    upload = service.ok("upload", "--wait", path, "--json").json
    assert upload["content"] == content_of(path)
    assert upload["content"] in service.ok("status", path).out
    check_exact(service, upload["id"], True)


def test_the_hash_after_resumes_is_that_of_the_file(new_service):
    service = new_service(upload={"chunk_bytes": "4K"}).start()
    path, tracker = service.in_the_middle()
    for _ in range(3):
        service.ok("kill", path)
        assert service.status(tracker)["content"] is None
        service.ok("upload", path)
        before = service.status(tracker)["rows"]
        wait_until(lambda: service.status(tracker)["rows"] > before, "a further chunk")
    assert service.ok("wait", tracker, "--json").json["content"] == content_of(path)
    check_exact(service, tracker, True)


def test_a_file_that_has_grown_between_has_the_hash_of_all(new_service):
    service = new_service(upload={"chunk_bytes": "4K"}).start()
    path, tracker = service.in_the_middle()
    service.ok("kill", path)
    with open(path, "a") as file:
        file.write("one more,o@example.org\n")
    assert service.ok("upload", "--wait", path, "--json").json["content"] == content_of(path)


def test_by_path_a_copy_is_another_file(service):
    path = service.people()
    service.ok("upload", "--wait", path)
    service.ok("upload", "--wait", copy_of(path))
    assert service.count() == 2000


def test_by_content_a_copy_is_refused(by_content):
    path = by_content.people()
    first = by_content.ok("upload", "--wait", path, "--json").json["id"]
    copy = copy_of(path)
    error = refused(by_content, copy, "already_uploaded")
    assert f"upload {first}, of \"{path}\"" in error["detail"]
    assert f"uploadctl upload --again {copy}" in error["hint"]
    refused(by_content, copy, "already_uploaded")  # it is looked at again, at each upload
    assert by_content.count() == 1000
    upload = by_content.ok("upload", "--again", "--wait", copy, "--json").json
    assert upload["status"] == "PROCESSED" and by_content.count() == 2000
    assert upload["content"] == content_of(path)
    check_exact(by_content, upload["id"], True)


def test_by_content_one_byte_is_a_difference(by_content):
    path = by_content.people()
    by_content.ok("upload", "--wait", path)
    copy = copy_of(path)
    copy.write_bytes(path.read_bytes()[:-2] + b"X\n")
    by_content.ok("upload", "--wait", copy)
    longer = copy_of(path, "longer.csv")
    longer.write_bytes(path.read_bytes() + b"\n")  # an empty line is no record, but a byte
    by_content.ok("upload", "--wait", longer)
    assert by_content.count() == 3000


def test_by_content_what_a_path_had_before_counts_as_well(by_content):
    path = by_content.people()
    by_content.ok("upload", "--wait", path)
    shutil.move(path, path.with_name("moved.csv"))
    refused(by_content, path.with_name("moved.csv"), "already_uploaded")


def test_by_content_a_rolled_back_or_forgotten_upload_does_not_count(by_content):
    path, tracker = by_content.in_the_middle()
    copy = copy_of(path)
    error = refused(by_content, copy, "duplicate")
    assert f"uploadctl stop {tracker} && uploadctl upload {copy}" in error["hint"]
    by_content.ok("kill", path)
    refused(by_content, copy, "duplicate")  # rows of it are in
    by_content.ok("stop", path)
    upload = by_content.ok("upload", "--wait", copy, "--json").json
    assert upload["status"] == "PROCESSED"
    refused(by_content, path, "already_uploaded")
    by_content.ok("forget", "--rows", copy)
    by_content.ok("upload", "--wait", path)
    assert by_content.count() == upload["rows"]


def test_by_content_what_was_begun_otherwise_does_not_count(new_service):
    """The file is replaced at a path whose upload had taken the bytes, but nothing of them is in."""
    service = new_service(upload={"duplicates": "content", "chunk_bytes": "4K"})
    service.start_paused("worker.claimed")
    path = service.people()
    copy = copy_of(path)
    service.ok("upload", path)
    service.paused()
    refused(service, copy, "duplicate")
    service.ok("kill", path)
    path.write_text("name,email\nsome,one\n")
    service.ok("upload", "--wait", path)
    service.ok("upload", "--wait", copy)
    assert service.count() == 1001


def test_by_content_of_copies_at_once_one_is_in(new_service):
    service = new_service(upload={"duplicates": "content"}, supervisor={"max_workers": 8}).start()
    paths = [service.people("0.csv", 3000)]
    paths += [copy_of(paths[0], f"{i}.csv") for i in range(1, 8)]
    answers = [json for path in paths for json in [service.ok("upload", path, "--json").json]]
    ends = [service.ctl("wait", answer["id"], "--json").json for answer in answers]
    assert sorted(end["status"] for end in ends) == ["FAILED"] * 7 + ["PROCESSED"]
    assert {end["error"]["code"] for end in ends if end["error"]} <= {"duplicate",
                                                                     "already_uploaded"}
    assert service.count() == 3000


def test_by_content_a_killed_one_goes_on(by_content):
    path, tracker = by_content.in_the_middle()
    by_content.ok("kill", path)
    assert by_content.ok("upload", "--wait", path, "--json").json["id"] == tracker
    check_exact(by_content, tracker, True)


def test_by_content_a_crash_between_claim_and_first_chunk(new_service):
    service = new_service(upload={"duplicates": "content"}).start_paused("worker.claimed")
    path = service.people()
    tracker = service.ok("upload", path, "--json").json["id"]
    send_signal(service.paused(), signal.SIGKILL)
    assert service.ok("wait", tracker, "--json").json["content"] == content_of(path)
    check_exact(service, tracker, True)


def test_by_content_another_profile_is_another_upload(new_service):
    service = new_service(upload={"duplicates": "content"})
    service.set(profile__swapped={"columns": "email, name"})
    service.start()
    path = service.people()
    service.ok("upload", "--wait", path)
    service.ok("upload", "--wait", "--profile", "swapped", path)
    assert service.count() == 2000


def test_allow_refuses_nothing(new_service):
    service = new_service(upload={"duplicates": "allow"}).start()
    path = service.people()
    first = service.ok("upload", "--wait", path, "--json").json["id"]
    second = service.ok("upload", "--wait", path, "--json").json
    assert second["id"] > first and second["status"] == "PROCESSED"
    with open(path, "a") as file:
        file.write("one more,o@example.org\n")
    service.ok("upload", "--wait", path)
    assert service.count() == 3001


def test_allow_does_not_make_a_batch_upload_twice(new_service):
    service = new_service(upload={"duplicates": "allow"})
    path = service.people()
    service.set(batch__all={"files": path})
    for _ in range(2):
        subprocess.run([BUILD / "uploaderd", "--config", service.config, "--batch"], check=True)
        assert service.count() == 1000
