# SPDX-License-Identifier: PostgreSQL
"""uploaderd as a daemon: its socket, its name, its database, its end."""

import json
import os
import re
import signal
import socket
import subprocess
import time

import pytest
from harness import BUILD, SANITIZED, check_exact, records_of, send_signal, wait_until


def run(*arguments, **options):
    return subprocess.run([BUILD / "uploaderd", *map(str, arguments)], capture_output=True,
                          text=True, timeout=60, **options)


def test_help_version_states():
    assert run("--help").returncode == 0 and "--config" in run("--help").stdout
    assert run("-h").returncode == 0 and run("-h").stdout == run("--help").stdout
    assert run("--version").returncode == 0
    assert "queued + slot -> starting" in run("--print-states").stdout
    assert run("--print-states=dot").stdout.startswith("digraph")
    assert run("--nonsense").returncode == 2
    assert run("surplus").returncode == 2


# ---- the database comes and goes ----


def test_starts_and_answers_while_the_database_is_away(new_service, own_cluster):
    database = own_cluster.new_database()
    own_cluster.stop()
    service = new_service(cluster=own_cluster, database=database).start(wait=False)
    wait_until(lambda: service.ctl("ping").code == 0, "an answer")
    answer = service.ok("ping", "--json").json
    assert answer["database"] == "away"
    path = service.people(count=10)
    waiting = service.ctl_start("upload", path, "--json")  # waits up to 10 s
    error = json.loads(waiting.communicate(timeout=60)[0])["error"]
    assert waiting.returncode == 9 and error["code"] == "database_away" and error["hint"]
    for command in ("status", "stop", "kill"):
        assert service.ctl(command, path).code == 9
    own_cluster.start()
    service.wait_ready()
    service.ok("upload", "--wait", path)
    assert service.rows() == records_of(path)


def test_kill_while_the_database_is_away(new_service, own_cluster):
    """The process is killed at once, the command is not acknowledged, KILLED is recorded later."""
    service = new_service(cluster=own_cluster, upload={"chunk_bytes": "4K"}).start()
    path, tracker = service.in_the_middle()
    go_on = own_cluster.freeze()  # nobody notices yet that it is away
    try:
        workers = service.workers()
        killing = service.ctl_start("kill", path, "--json")
        wait_until(lambda: not set(workers) & set(service.workers()), "the worker to be gone", 5)
        out, _ = killing.communicate(timeout=60)
        assert killing.returncode == 9, out
    finally:
        go_on()
    service.wait_status(path, "KILLED")
    assert check_exact(service, tracker) == "KILLED"
    assert service.sql.value("SELECT interrupted FROM uploader.file_tracker") is False


# ---- one place, one name ----


def test_second_on_the_same_socket(service):
    second = run("--config", service.config)
    assert second.returncode == 1
    assert len(second.stderr.strip().splitlines()) == 1 and str(service.socket) in second.stderr
    service.ok("ping")


def test_second_of_the_same_name_elsewhere(service, new_service):
    """Across hosts, as it were: another socket, another lock file, the same name and database."""
    name = service.ok("ping", "--json").json["name"]
    second = new_service(database=service.database, name=name)
    second.start(wait=False)
    assert second.process.wait(60) == 1
    assert "name" in second.only_error()
    path = service.people(count=10)
    service.ok("upload", "--wait", path)


def test_a_stale_socket_is_replaced(service):
    service.kill()
    assert service.socket.exists()
    service.start()
    service.ok("ping")


def test_a_lock_file_that_cannot_be_written_in_full(new_service):
    service = new_service()
    limited = subprocess.run(["prlimit", "--fsize=5", BUILD / "uploaderd", "--config",
                              service.config], capture_output=True, text=True, timeout=60)
    assert limited.returncode == 1
    assert "could not write" in limited.stderr and "File too large" in limited.stderr


def test_another_name_touches_nothing_but_by_command(new_service):
    one = new_service(upload={"chunk_bytes": "4K"}, supervisor={"resume": "no"}).start()
    path, tracker = one.in_the_middle()
    two = new_service(database=one.database)
    two.set(files={"allow": one.files}, upload={"chunk_bytes": "4K"})
    two.start()
    # an upload of it is answered with its owner, and does nothing
    answer = two.ok("upload", path, "--json").json
    assert (answer["id"], answer["phase"]) == (tracker, "foreign")
    assert answer["owner"] == one.ok("ping", "--json").json["name"]
    one.kill()
    two.stop()
    two.start()
    assert two.status(path)["status"] == "PROCESSING"  # its owner is gone, and nobody touched it
    assert f"uploadctl kill {tracker}" in two.ok("status", path).out
    assert f"uploadctl kill {tracker}" in two.ok("upload", path).out
    # the remedy for a lost host: kill is a fence, then it can be taken over
    assert two.ok("kill", path, "--json").json["status"] == "KILLED"
    assert check_exact(two, tracker) == "KILLED"
    answer = two.ok("upload", "--wait", path, "--json").json
    assert answer["owner"] == two.ok("ping", "--json").json["name"]
    assert two.rows(tracker) == records_of(path)
    # and the lost host comes back: it does not touch what is no longer its own
    one.start()
    assert one.status(path)["status"] == "PROCESSED"
    assert check_exact(one, tracker) == "PROCESSED"


def test_stop_of_a_lost_host_takes_over(new_service):
    one = new_service(upload={"chunk_bytes": "4K"}).start()
    path, tracker = one.in_the_middle()
    two = new_service(database=one.database).start()
    one.process.send_signal(signal.SIGSTOP)
    for pid in one.workers():
        send_signal(pid, signal.SIGSTOP)
    try:
        assert two.ok("stop", path, "--json").json["status"] == "STOPPED"
        assert check_exact(two, tracker) == "STOPPED"
    finally:
        one.process.send_signal(signal.SIGCONT)
        for pid in one.workers():
            send_signal(pid, signal.SIGCONT)
    time.sleep(1)  # the woken worker tries to commit, and is fenced
    assert check_exact(two, tracker) == "STOPPED"
    assert one.status(path)["status"] == "STOPPED"


# ---- configuration ----


def test_reload(service):
    service.set(upload={"reject_limit": 0})
    service.reload()
    path = service.people(count=500, bad=[200])
    answer = service.ok("upload", "--wait", path, "--json", code=1).json
    assert answer["error"]["code"] == "reject_limit"


def test_reload_of_a_wrong_configuration_keeps_the_old(service):
    service.set(extra="[nonsense]\nkey = 1")
    service.reload("the old one stays in force")
    assert "nonsense" in service.log_text()
    path = service.people(count=10)
    service.ok("upload", "--wait", path)


def test_check(new_service):
    service = new_service()
    done = run("--config", service.config, "--check")
    assert (done.returncode, done.stdout.strip()) == (0, "ok")
    service.config.write_text("[supervisor]\nmax_workers = none\nresume = perhaps\n[upload]\n"
                              "chunk_bytes = 1\nnonsense = 2\n[what]\n")
    for arguments in (["--check"], []):
        done = run("--config", service.config, *arguments)
        assert done.returncode == 2
        for line, key in ((2, "supervisor.max_workers"), (3, "supervisor.resume"),
                          (5, "upload.chunk_bytes"), (6, "upload.nonsense")):
            assert f"{service.config}:{line}: {key}: " in done.stderr, done.stderr
        assert f"{service.config}:7:" in done.stderr
    assert run("--config", service.folder / "none.conf", "--check").returncode == 2


@pytest.mark.parametrize("conninfo, says", [
    ("host=/tmp usr=me", 'invalid connection option "usr"'),
    ("postgresql:///db?prot=1", 'invalid URI query parameter: "prot"'),
    ("host=/tmp sslmode=perhaps", 'invalid sslmode value: "perhaps"'),
    ("host=/a,/b port=1,2,3", "could not match 3 port numbers to 2 hosts"),
    ("service=nowhere", 'definition of service "nowhere" not found'),
    ("host=/tmp password=two words", "a word without = behind it"),
    ("host=/tmp password='open words", "unterminated quoted string"),
    ("host=/tmp password=two words=more", "an option that libpq does not know"),
    ("postgresql://u:p@words@h/db", "host has a @ in it"),
    ("postgresql://h:words/x@h/db", "port is not a number"),
    ("host=/tmp connect_timeout=abc", "connect_timeout is not a number"),
    ("host=/tmp target_session_attrs=zz", "target_session_attrs is none of libpq's"),
])
def test_check_of_a_conninfo(new_service, conninfo, says):
    service = new_service()
    service.config.write_text(f"[database]\nconninfo = {conninfo}\n")
    for arguments in (["--check"], []):
        done = run("--config", service.config, *arguments)
        assert done.returncode == 2, done
        assert done.stderr.startswith(f"{service.config}:2: database.conninfo: "), done.stderr
        assert says in done.stderr and "words" not in done.stderr, done.stderr


def test_check_warns_of_a_folder_that_is_not_there(new_service):
    service = new_service()
    for text, lines in (("allow =\n    /nowhere\n    /tmp\n\n    /either", (3, 6)),
                        ("allow = /nowhere\n    /either", (2, 3))):
        service.config.write_text(f"[files]\n{text}\n[upload]\n")
        done = run("--config", service.config, "--check")
        assert (done.returncode, done.stdout) == (0, "ok\n")
        for says, line, path in zip(done.stderr.splitlines(), lines, ("/nowhere", "/either"), strict=True):
            assert says.startswith(f"{service.config}:{line}: files.allow: warning: there is no folder "
                                   f'"{path}" now; '), done.stderr


def test_check_warns_of_a_folder_behind_a_link(new_service):
    service = new_service()
    (service.folder / "link").symlink_to(service.files)
    service.config.write_text(f"[files]\nallow = {service.folder}/link\n")
    done = run("--config", service.config, "--check")
    assert (done.returncode, done.stdout) == (0, "ok\n")
    assert done.stderr.startswith(f"{service.config}:2: files.allow: warning: a symbolic link is on"), done
    assert f"write {service.files};" in done.stderr


# ---- the control socket ----


def ask(client, message):
    client.sendall(message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n")
    data = b""
    while not data.endswith(b"\n"):
        piece = client.recv(65536)
        if not piece:
            break
        data += piece
    return [json.loads(line) for line in data.splitlines()]


@pytest.mark.parametrize("message", [
    b"nonsense\n", b"[]\n", b"{}\n", b"\n", b"\0\n", b"{\"kind\":\"ping\"}\n",
    b"{\"kind\":\"ping\",\"ref\":\"x\"}\n", b"{\"kind\":\"ping\",\"ref\":1,\"more\":1}\n",
    b"{\"kind\":\"job\",\"ref\":1}\n", b"{\"kind\":\"pong\",\"ref\":1}\n",
    b"{\"kind\":\"ping\",\"ref\":1,\"ref\":2}\n", b"[" * 5000 + b"\n", b"x" * 100_000 + b"\n",
    b"\xff\xfe\n", b"{\"kind\":\"status\",\"ref\":1}\n",
    b"{\"kind\":\"status\",\"ref\":1,\"file\":\"relative\"}\n",
    b"{\"kind\":\"status\",\"ref\":1,\"file\":\"/a/../b\"}\n",
    b"{\"kind\":\"status\",\"ref\":1,\"file\":\"/a\\nb\"}\n",
    b"{\"kind\":\"status\",\"ref\":1,\"file\":\"/a\",\"id\":1}\n",
    b"{\"kind\":\"status\",\"ref\":1,\"id\":-9223372036854775808}\n",
    b"{\"kind\":\"list\",\"ref\":1,\"status\":\"NONSENSE\"}\n",
    b"{\"kind\":\"list\",\"ref\":1,\"limit\":-1}\n",
    b"{\"kind\":\"upload\",\"ref\":1,\"file\":\"/a\",\"profile\":\"none\"}\n",
])
def test_hostile_frames_are_answered_with_an_error(service, message):
    client = service.raw()
    try:
        answers = ask(client, message)
    except ConnectionResetError:
        answers = []
    for answer in answers:
        assert answer["kind"] == "error" and answer["error"]["code"], answer
    service.ok("ping")


def test_half_a_frame_and_silence(service):
    clients = [service.raw() for _ in range(50)]
    for client in clients:
        client.sendall(b'{"kind":"pi')
    service.ok("ping")
    clients[0].sendall(b'ng","ref":7}\n')
    assert json.loads(clients[0].recv(65536))["ref"] == 7
    for client in clients:
        client.close()
    service.ok("ping")


def test_a_client_that_asks_much_at_once_is_not_served_alone(service):
    """Who connects while there are hundreds of requests is answered before the last of them, which
    is none, and ends its client."""
    busy = service.raw()
    assert ask(busy, {"kind": "ping", "ref": 1})[0]["kind"] == "pong"
    service.process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, service.process.pid, os.WSTOPPED)
    busy.sendall(500 * b'{"kind":"ping","ref":1}\n' + b"none\n")
    other = service.raw()
    other.sendall(b'{"kind":"metrics","ref":1}\n')
    service.process.send_signal(signal.SIGCONT)
    metrics = json.loads(other.makefile("rb").readline())["metrics"]
    assert "\nuploader_clients 2\n" in metrics, metrics
    assert busy.makefile("rb").read().count(b'"pong"') == 500


def test_a_client_that_never_reads(service):
    path = service.people(count=2000, bad=range(200, 1000))
    service.ok("upload", "--wait", path, code=3)
    client = service.raw()
    client.setblocking(False)
    line = json.dumps({"kind": "rejects", "ref": 1, "file": str(path)}).encode() + b"\n"
    try:
        for _ in range(10_000):
            client.send(line)
    except (BlockingIOError, BrokenPipeError, ConnectionResetError):
        pass
    for _ in range(20):
        service.ok("ping")
    with open(f"/proc/{service.process.pid}/status") as status:
        peak = next(int(text.split()[1]) for text in status if text.startswith("VmHWM"))
    if not SANITIZED:
        assert peak < 128 * 1024, f"{peak} KiB"
    client.close()


def test_many_clients(service):
    """Those who ask nothing give their place to those who come; who has asked, keeps it."""
    clients = [service.raw()]
    try:
        assert ask(clients[0], {"kind": "ping", "ref": 1})[0]["kind"] == "pong"
        for _ in range(1500):  # or as many as this process may open
            try:
                clients.append(service.raw())
            except OSError:
                break
        assert len(clients) > 1100, "fewer than there is room for: allow this process more files"
        assert ask(clients[0], {"kind": "ping", "ref": 2})[0]["kind"] == "pong"
        assert ask(clients[-1], {"kind": "ping", "ref": 1})[0]["kind"] == "pong"
        assert service.ctl("ping").code == 0
        assert clients[1].recv(1) == b""
    finally:
        for client in clients:
            client.close()


def test_a_log_elsewhere_than_in_the_journal_has_the_time(service):
    lines = service.log_text().splitlines()
    assert lines
    for line in lines:
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z uploaderd\[\d+\]: ", line), line
