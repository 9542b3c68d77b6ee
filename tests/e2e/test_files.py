# SPDX-License-Identifier: PostgreSQL
"""Files that cannot be uploaded, and files that change: each a clear answer, nothing lost."""

import bz2
import gzip
import lzma
import os
import pwd
import shutil
import socket
import subprocess

import pytest
from harness import BUILD, SANITIZED, check_exact, records_of


def refused(service, path, code):
    answer = service.ok("upload", path, "--json", code=1)
    error = answer.json["error"]
    assert error["code"] == code, error
    assert error["message"] and error["hint"], error
    service.ok("status", path, code=4)  # no tracker is left
    return error


def test_missing(service):
    refused(service, service.files / "none.csv", "file_missing")


def test_folder(service):
    (service.files / "folder.csv").mkdir()
    refused(service, service.files / "folder.csv", "file_kind")


def test_fifo(service):
    os.mkfifo(service.files / "fifo.csv")
    refused(service, service.files / "fifo.csv", "file_kind")


def test_socket(service):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(service.files / "socket.csv"))
        refused(service, service.files / "socket.csv", "file_kind")


def test_device(new_service):
    service = new_service(files={"allow": "/dev"}).start()
    refused(service, "/dev/null", "file_kind")
    refused(service, "/dev/zero", "file_kind")


def test_symlink(service):
    path = service.people(count=10)
    link = service.files / "link.csv"
    link.symlink_to(path)
    error = refused(service, link, "file_kind")
    assert "symbolic link" in error["message"]
    folder = service.files / "folder"
    folder.symlink_to(service.files)
    refused(service, folder / "people.csv", "file_kind")


@pytest.mark.skipif(SANITIZED, reason="a sanitizer wants to be loaded first")
def test_without_openat2(new_service):
    """As under systemd's RestrictSUIDSGID=: part by part, and by no link either."""
    service = new_service().start(environment={"LD_PRELOAD": BUILD / "tests/openat2.so"})
    deep = service.files / "a/b"
    deep.mkdir(parents=True)
    path = service.people("a/b/people.csv", count=10)
    service.ok("upload", "--wait", path)
    service.ok("upload", "--wait", service.people("top.csv", count=10))
    (deep / "link.csv").symlink_to(path)
    (service.files / "folder").symlink_to(deep)
    (service.files / "a/outside").symlink_to("/etc")
    for name in ("a/b/link.csv", "folder/people.csv", "a/outside/passwd"):
        assert "symbolic link" in refused(service, service.files / name, "file_kind")["message"]
    for name in ("a/none/people.csv", "a/b/none.csv", "a/b/people.csv/none.csv"):
        refused(service, service.files / name, "file_missing")
    for name in (f"a/{'x' * 256}/people.csv", f"a/b/{'x' * 256}"):
        refused(service, service.files / name, "file_name")
    refused(service, deep, "file_kind")
    assert service.count() == 20


@pytest.mark.parametrize("path", ["/etc/passwd", "/", "/proc/self/environ"])
def test_outside(service, path):
    answer = service.ctl("upload", path, "--json")
    assert answer.code == 1
    assert answer.json["error"]["code"] in ("file_outside", "file_name")


def test_outside_by_dots(service):
    error = refused(service, f"{service.files}/../s.conf", "file_outside")
    assert "allow" in error["hint"]


def test_empty(service):
    refused(service, service.file("empty.csv", b""), "file_empty")


@pytest.mark.parametrize("content, says, hint", [
    (gzip.compress(b"name,email\nn,e\n"), "packed by gzip", "gunzip -k 'a b.csv'"),
    (bz2.compress(b"name,email\nn,e\n"), "packed by bzip2", "bunzip2 -k"),
    (lzma.compress(b"name,email\nn,e\n"), "packed by xz", "unxz -k"),
    (b"PK\x03\x04" + bytes(range(256)), "zip archive", "as CSV"),
    (b"%PDF-1.4\n...", "PDF", "as CSV"),
], ids=["gzip", "bzip2", "xz", "zip", "pdf"])
def test_a_file_that_is_packed(service, content, says, hint):
    path = service.file("a b.csv", content)
    error = service.ok("upload", path, "--json", code=1).json["error"]
    hint = hint.replace("'a b.csv'", f"'{path}'")
    assert error["code"] == "file_encoding" and says in error["message"] and hint in error["hint"]


@pytest.mark.parametrize("encoding, bom", [("utf-16", b""), ("utf-16-le", b""), ("utf-16-be", b""),
                                           ("utf-16-le", b"\xff\xfe"), ("utf-32", b"")])
def test_utf16(service, encoding, bom):
    text = "name,email\n" + "Person,person@example.org\n" * 20
    path = service.file("wide.csv", bom + text.encode(encoding))
    error = refused(service, path, "file_encoding")
    command = error["hint"]
    assert "iconv -f" in command
    # the command in the hint works
    start = command.index("iconv")
    line = command[start:].splitlines()[0].rstrip(".")
    subprocess.run(["sh", "-ec", line], cwd=service.files, check=True)
    made = [p for p in service.files.iterdir() if p != path]
    assert len(made) == 1
    service.ok("upload", "--wait", made[0])
    assert service.count() == 20


@pytest.mark.parametrize("content", [b"name,em\xe9ail\na,b\n", b"name,email\ncaf\xe9,b\n"])
def test_latin1_at_the_beginning(service, content):
    error = refused(service, service.file("latin.csv", content), "file_encoding")
    assert "iconv" in error["hint"]


def test_unreadable(cluster, new_service):
    """As an account that may not read the file: root may read all."""
    if os.getuid() != 0:
        service = new_service().start()
        path = service.people(count=10)
        path.chmod(0)
        refused(service, path, "file_access")
        return
    service = new_service()
    nobody = pwd.getpwnam("nobody")
    path = service.people(count=10)
    path.chmod(0o600)
    for folder in (service.folder, ):
        os.chown(folder, nobody.pw_uid, -1)
    build = service.folder / "bin"
    build.mkdir()
    import harness
    for name in ("uploaderd", "uploader-worker"):
        shutil.copy(harness.BUILD / name, build)
    service.config.chmod(0o644)
    service.log.touch()
    with open(service.log, "ab") as log:
        service.process = subprocess.Popen(
            ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups",
             build / "uploaderd", "--config", service.config], stdout=log, stderr=log)
    service.wait_ready()
    error = refused(service, path, "file_access")
    assert "people.csv" in error["message"]


def test_names_with_blanks_and_quotes(service):
    path = service.people("it's a \"file\".csv", 10)
    service.ok("upload", "--wait", path)
    assert service.rows() == records_of(path)


def test_relative_paths_are_made_absolute(service):
    service.people(count=10)
    answer = service.ok("upload", "--wait", "./x/../people.csv", "--json").json
    assert answer["path"] == str(service.files / "people.csv")


def test_a_file_with_a_name_of_digits(service):
    service.people("123", 10)
    service.ok("upload", "123", code=4)
    service.ok("upload", "--wait", "./123")
    assert service.count() == 10


def half(service, count=100_000):
    path, tracker = service.in_the_middle("half.csv", count)
    answer = service.ok("kill", path, "--json").json
    assert answer["status"] == "KILLED"
    return path, tracker, answer


def test_changed_between_kill_and_resume(service):
    path, tracker, before = half(service)
    place = path.read_bytes().index(b"Person", before["offset"] // 2)
    with open(path, "r+b") as file:  # a letter of a name: the file stays well formed
        file.seek(place)
        file.write(b"#")
    answer = service.ok("upload", "--wait", path, "--json", code=1)
    error = answer.json.get("error")
    assert error["code"] == "file_changed" and "chunk" in error["message"] + error["detail"]
    assert "--restart" in error["hint"]
    after = service.status(path)
    assert (after["status"], after["rows"]) == ("KILLED", before["rows"])
    service.ok("wait", path, code=1)
    assert service.sql.value("SELECT interrupted FROM uploader.file_tracker") is False
    assert check_exact(service, tracker) == "KILLED"
    again = service.ok("upload", "--restart", "--wait", path, "--json").json
    assert (again["id"], again["status"]) == (tracker, "PROCESSED")
    assert service.rows(tracker) == records_of(path)


def test_shrunk_between_kill_and_resume(service):
    path, tracker, before = half(service)
    os.truncate(path, before["offset"] - 1)
    assert service.ok("upload", "--wait", path, "--json",
                      code=1).json["error"]["code"] == "file_changed"
    assert service.status(path)["status"] == "KILLED"
    assert check_exact(service, tracker) == "KILLED"


def test_grown_between_kill_and_resume(service):
    path, tracker, _ = half(service)
    with open(path, "a") as file:
        file.write("One More,one@example.org\n")
    answer = service.ok("upload", "--wait", path, "--json").json
    assert (answer["id"], answer["rows"]) == (tracker, 100_001)
    assert service.rows(tracker) == records_of(path)


def test_what_goes_on_in_its_last_record_has_changed(service):
    """Without a line end before, what is appended makes another record of the last one."""
    path = service.file("open.csv", "name,email\nab,c")
    service.ok("upload", "--wait", path)
    with open(path, "a") as file:
        file.write("d\nx,y\n")
    answer = service.ok("upload", "--wait", path, "--json").json  # another file at this path
    assert service.rows(answer["id"]) == records_of(path) == [(1, "ab", "cd"), (2, "x", "y")]


@pytest.mark.parametrize("rest", ["\nx,y\n", "\r\nx,y\r\n"])
def test_what_goes_on_behind_its_last_record_has_grown(service, rest):
    path = service.file("open.csv", "name,email\nab,c")
    service.ok("upload", "--wait", path)
    with open(path, "a", newline="") as file:
        file.write(rest)
    answer = service.ok("upload", "--wait", path, "--json", code=6).json
    assert answer["error"]["code"] == "grown"


@pytest.mark.parametrize("change", ["append", "truncate", "rewrite", "replace", "remove"])
def test_changed_while_it_is_read(new_service, change):
    service = new_service(upload={"chunk_bytes": "4K"}).start_paused("lane.committed:3")
    path = service.people(count=20_000)
    tracker = service.ok("upload", path, "--json").json["id"]
    service.paused()
    if change == "append":
        with open(path, "a") as file:
            file.write("One More,one@example.org\n")
    elif change == "truncate":
        os.truncate(path, 20_000)
    elif change == "rewrite":
        with open(path, "r+b") as file:
            file.seek(400_000)
            file.write(b"#")
    elif change == "replace":
        os.rename(service.people("other.csv", 20_000), path)
    else:
        os.remove(path)
    service.go_on()
    answer = service.wait_status(tracker, "FAILED")
    assert answer["error"]["code"] == "file_unstable", answer["error"]
    assert answer["rows"] > 0
    assert check_exact(service, tracker) == "FAILED"


def test_settings_changed_between_kill_and_resume(new_service):
    service = new_service(upload={"chunk_bytes": "4K"}).start()
    path, tracker, before = half(service)
    service.stop()
    service.set(profile__contacts={"surplus_columns": "ignore"})
    service.start()
    error = service.ok("upload", path, "--json", code=1).json["error"]
    assert error["code"] == "settings_changed" and "surplus_columns" in error["message"]
    assert error["detail"] == 'It was begun with "refuse"; the profile has "ignore" now.'
    assert service.status(path)["rows"] == before["rows"]
    assert service.status(path)["next"] == f"uploadctl upload --restart {path}"
    service.ok("upload", "--restart", "--wait", path)
    assert service.rows(tracker) == records_of(path)


def check_peak(service):
    """Of the worker that has paused, which then goes on."""
    with open(f"/proc/{service.paused()}/status") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    service.go_on()
    assert SANITIZED or peak < 32 * 1024, f"{peak} KiB"


def test_memory_of_a_worker(new_service):
    """Under 32 MiB with the default options, whatever the file; of one that verifies, too."""
    service = new_service().start_paused("worker.before_end")
    path = service.files / "large.csv"
    with open(path, "w") as file:
        file.write("name,email\n")
        for i in range(300_000):
            file.write(f"Person {i},{'x' * 200}{i}@example.org\n")
            if i % 500 == 0:
                file.write("only one field\n")
    service.ok("upload", path)
    check_peak(service)
    service.ok("wait", path, code=3)
    service.stop()
    service.start_paused("worker.before_end")
    client = service.ctl_start("verify", path)
    check_peak(service)
    assert client.wait(60) == 0
