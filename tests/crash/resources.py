#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""Resources run out: memory, descriptors, processes and threads of worker and supervisor, room for
the log and its reader, the control socket's queue, and clients that do not read.

Whatever runs out is said by one clear message, with a documented code and what to do; others are
served as far as they need nothing of it; nothing is lost or doubled; and with the limit lifted the
same upload goes on to its end, by itself where it was only tried again."""

import contextlib
import fcntl
import json
import os
import re
import resource
import select
import shutil
import signal
import socket
import subprocess
import time

import campaign
from campaign import main
from harness import BUILD, ROOT, SANITIZED, alive, check_exact, send_signal, wait_until

DOCUMENTED = set(re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/codes.md").read_text(), re.M))
MiB = 1024 * 1024
CLIENTS_MAX = 1000  # of the control socket; those that come then are told so
NOBODY = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]


class World(campaign.World):
    def __init__(self):
        super().__init__()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))  # for many clients

    def prepare(self, dice):
        """A service, not started, whose worker can be given other limits than it has."""
        service = self.begin(upload={"chunk_bytes": "4K", "lanes": dice.randint(1, 3)},
                             supervisor={"retry_limit": 3, "log_level": "debug"})
        self.user = []  # what a program is put behind to run as the service's user
        self.worker_limit = service.folder / "limit"
        programs = service.folder / "bin"
        programs.mkdir()
        for program in ("uploaderd", "uploader-worker"):
            shutil.copy(BUILD / program, programs / program)
        (programs / "uploader-worker").rename(programs / "real")
        (programs / "uploader-worker").write_text(
            f'#!/bin/sh\nlimit=\n[ ! -e {self.worker_limit} ] || read -r limit '
            f'<{self.worker_limit}\nexec $limit {programs}/real "$@"\n')
        (programs / "uploader-worker").chmod(0o755)
        service.program = [programs / "uploaderd"]
        return service

    def be_nobody(self):
        """Limits of processes do not count for root."""
        if os.getuid() == 0:
            self.user = NOBODY
            for folder in (self.service.folder, self.service.files):
                shutil.chown(folder, "nobody")
            self.service.program = [*NOBODY, *self.service.program]

    def start_limited(self, limit):
        """The supervisor under a limit from its start; waits until it is ready, or has ended."""
        service = self.service
        program = service.program
        service.program = [*program[:-1], "prlimit", limit, program[-1]]
        service.start(wait=False)
        service.program = program
        wait_until(lambda: service.process.poll() is not None or is_ready(service),
                   "uploaderd to be ready, or to have ended")
        return service.process.poll() is None

    @contextlib.contextmanager
    def limited(self, pid, name, soft):
        """A process that runs, under another soft limit; None: it may do as it could before."""
        command = [*self.user, "prlimit", "--pid", str(pid)]
        hard = subprocess.run([*command, f"--{name}", "--output=HARD", "--noheadings", "--raw"],
                              check=True, capture_output=True, text=True).stdout.strip()
        subprocess.run([*command, f"--{name}={soft}:"], check=True)
        yield
        if alive(pid):
            subprocess.run([*command, f"--{name}={hard}:"], check=True)

    @contextlib.contextmanager
    def worker_limited(self, *words):
        """Workers that start now have that limit."""
        self.worker_limit.write_text(f"prlimit {' '.join(words)}\n")
        yield
        self.worker_limit.unlink()

    def check(self, ended=False):
        """The musts, for every upload that there is. No schema: it was never ready."""
        if not self.service.sql.value("SELECT to_regclass('uploader.file_tracker')"):
            return
        trackers = [row for row, in self.service.sql.run("SELECT id FROM uploader.file_tracker")]
        for tracker in trackers:
            status = check_exact(self.service, tracker, True)
            assert status == "PROCESSED" or not ended, status

    def finish(self):
        """The limit is lifted: every file goes on to its end."""
        service = self.service
        if service.process.poll() is not None:
            service.start()
        service.wait_ready()
        for path in service.files.iterdir():
            answer = service.ctl("upload", "--wait", path, "--json")
            assert answer.code in (0, 6), answer
        self.check(ended=True)
        assert not re.search(r"ended by signal (6|11)\b", service.log_text())
        assert service.stop() == 0


def is_ready(service):
    answer = service.ctl("ping", "--json")
    return answer.code == 0 and answer.json["database"] == "ready"


def is_clear(error):
    """One message, with a documented code and what to do."""
    assert error["code"] in DOCUMENTED and error["message"] and error["hint"], error
    assert "signal" not in (error["detail"] or ""), error
    return True


def says(service, text, code):
    """The log's lines with this text are errors with that code and a hint."""
    errors = [line for line in service.log_text().splitlines() if " error: " in line]
    lines = [line for line in errors if text in line]
    for line in lines:
        assert re.search(rf" code={code}\b", line) and " hint: " in line, line
    return lines


def settled(service, path):
    """Waits until the upload has ended, or an error is shown while it is tried again."""
    def look():
        row = service.status(path)
        return row if row["phase"] == "ended" or row["error"] else None

    return wait_until(look, "the upload to end, or to say what is wrong")


# ---- faults: each brings its limit about, says whether it was felt, and lifts it ----


@contextlib.contextmanager
def worker_memory_at_start(world, dice):
    service = world.service.start()
    path = service.people(count=2000)
    limit = dice.choice([f"--data={dice.randint(MiB, 40 * MiB)}",
                         f"--as={dice.randint(8 * MiB, 60 * MiB)}"])
    with world.worker_limited(limit):
        service.ok("upload", path)
        row = settled(service, path)
        yield bool(row["error"]) and is_clear(row["error"])


@contextlib.contextmanager
def worker_memory(world, dice):
    """In the middle of its work it gets no more; the next one does."""
    service = world.service.start()
    path, _ = service.in_the_middle(count=8000)
    for pid in service.workers():
        with world.limited(pid, "data", 1):
            wait_until(lambda: not alive(pid), "the worker to end, in one way or another")
    yield bool(says(service, "no memory", "out_of_memory"))
    service.ok("wait", path)


@contextlib.contextmanager
def supervisor_memory_at_start(world, dice):
    """It ends before it is ready, or with the first work that is too much."""
    service = world.service
    path = service.people(count=1000)
    if world.start_limited(f"--data={dice.randint(MiB, 40 * MiB)}"):
        service.ctl("upload", "--wait", path)
    code = service.process.poll()
    yield code is not None and ended_clearly(service, code)
    service.stop()
    service.start()


def ended_clearly(service, code):
    """For want of memory: libc's linker says so itself, the program in one line."""
    assert code in (1, 10, 127), (code, service.log_text())
    assert code == 127 or sum(" error: " in line and " hint: " in line
                              for line in service.log_text().splitlines()) == 1
    return True


@contextlib.contextmanager
def supervisor_memory(world, dice):
    """In the middle of its work it gets no more, while clients ask for some."""
    service = world.service.start()
    service.in_the_middle(count=8000)
    workers, clients = service.workers(), []
    with world.limited(service.process.pid, "data", 1):
        with contextlib.suppress(OSError):
            for _ in range(CLIENTS_MAX // 4):
                clients.append(service.raw())
                clients[-1].sendall(b"{" * 1000)  # the beginning of a frame
        with contextlib.suppress(subprocess.TimeoutExpired):
            service.process.wait(5)
    code = service.process.poll()
    wait_until(lambda: code is None or not any(map(alive, workers)), "its workers to end with it")
    yield code is not None and code == 10 and bool(says(service, "no memory", "out_of_memory"))
    for client in clients:
        client.close()


@contextlib.contextmanager
def supervisor_descriptors(world, dice):
    """None is left for a client, for the file, for a worker. What runs goes on."""
    service = world.service.start()
    running, _ = service.in_the_middle("running.csv", 10_000)
    path = service.people(count=1000)
    pid = service.process.pid
    used = len(os.listdir(f"/proc/{pid}/fd"))
    with world.limited(pid, "nofile", used + dice.randint(0, 5)):
        client = service.ctl_start("upload", path, "--json")
        wait_until(lambda: client.poll() is not None or says(service, "have to wait", "system"),
                   "an answer, or a client that has to wait")
        wait_until(lambda: not service.workers(), "the worker to end")
        world.check()
    out, err = client.communicate(timeout=60)
    assert client.returncode in (0, 1), (out, err)
    refused = client.returncode == 1 and is_clear(json.loads(out)["error"])
    yield refused or bool(says(service, "Too many open files", "system"))
    service.ok("wait", running)


@contextlib.contextmanager
def worker_descriptors(world, dice):
    """None is left for its loop, its connections, the file, a further lane."""
    service = world.service.start()
    path = service.people(count=2000)
    with world.worker_limited(f"--nofile={dice.randint(8, 15)}"):
        service.ok("upload", path)
        row = settled(service, path)
        assert row["status"] != "FAILED" or is_clear(row["error"])
        yield bool(row["error"]) or "a further lane cannot connect" in service.log_text()


def serve_without_log(world, dice):
    """Uploads and a kill with a log that takes nothing."""
    service = world.service
    path = service.people(count=1000)
    assert service.ctl("upload", "--wait", path).code == 0
    path, tracker = service.in_the_middle("killed.csv", 6000)
    answer = service.ctl("kill", path)
    assert answer.code in (0, 6), answer
    world.check()


@contextlib.contextmanager
def log_on_a_full_disk(world, dice):
    world.service.start(log="/dev/full")
    serve_without_log(world, dice)
    assert world.service.stop() == 0
    yield True


@contextlib.contextmanager
def log_that_may_not_grow(world, dice):
    service = world.service
    size = dice.randint(544, 3000)  # the lock file takes as much, for 32 lives
    assert world.start_limited(f"--fsize={size}")
    serve_without_log(world, dice)
    assert service.stop() == 0
    yield service.log.stat().st_size == size


@contextlib.contextmanager
def log_without_reader(world, dice):
    reader, writer = os.pipe()
    os.close(reader)
    world.service.start(log=writer)
    serve_without_log(world, dice)
    assert world.service.stop() == 0
    yield True


@contextlib.contextmanager
def log_that_nobody_reads(world, dice):
    """And then somebody does: what comes from then on is there."""
    service = world.service
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.write(writer, b"." * dice.randint(2000, 4096))
    service.start(log=writer)
    serve_without_log(world, dice)
    os.set_blocking(reader, False)
    lost = b"killed" not in os.read(reader, 4096)
    service.ok("upload", "--wait", service.people("last.csv", 10))
    wait_until(lambda: select.select([reader], [], [], 0)[0], "lines in the log again")
    lines = os.read(reader, 8192)
    assert b"last.csv" in lines, lines
    assert service.stop() == 0
    yield lost
    os.close(reader)


@contextlib.contextmanager
def no_process(world, dice):
    """The upload waits, says why, and goes on by itself."""
    world.be_nobody()
    service = world.service.start()
    path = service.people(count=2000)
    with world.limited(service.process.pid, "nproc", 0):
        service.ok("upload", path)
        error = settled(service, path)["error"]
        world.check()
    yield error["code"] == "system" and is_clear(error)
    service.ok("wait", path)


@contextlib.contextmanager
def no_thread_of_worker(world, dice):
    """As above."""
    world.be_nobody()
    service = world.service.start()
    path = service.people(count=2000)
    with world.worker_limited("--nproc=1:"):
        service.ok("upload", path)
        error = settled(service, path)["error"]
        world.check()
    yield error["code"] == "system" and is_clear(error)
    service.ok("wait", path)


@contextlib.contextmanager
def no_thread_of_supervisor(world, dice):
    """It does not become ready, and says why in one line."""
    world.be_nobody()
    service = world.service
    service.people(count=1000)
    assert not world.start_limited("--nproc=1:")
    assert service.process.poll() == 1
    line = service.only_error()
    yield " code=system: " in line and " hint: " in line and "threads" in line


@contextlib.contextmanager
def full_queue_of_the_socket(world, dice):
    """The supervisor hangs, and its queue is full; when it goes on, who still waits is served."""
    service = world.service.start()
    path, _ = service.in_the_middle(count=6000)
    service.process.send_signal(signal.SIGSTOP)
    clients = []
    with contextlib.suppress(BlockingIOError):
        while len(clients) < 2 * CLIENTS_MAX:
            client = socket.socket(socket.AF_UNIX)
            client.setblocking(False)
            clients.append(client)
            client.connect(str(service.socket))
    waits = service.ctl_start("status", path)
    time.sleep(0.3)
    full = len(clients) < 2 * CLIENTS_MAX and waits.poll() is None
    for client in clients:
        client.close()
    service.process.send_signal(signal.SIGCONT)
    out, err = waits.communicate(timeout=60)
    assert waits.returncode == 0, (out, err)
    yield full


@contextlib.contextmanager
def too_many_clients(world, dice):
    """All of them wait for something: who comes then is told so, who is there is served. (Those who
    wait for nothing give their place away.)"""
    service = world.service.start()
    path, tracker = service.in_the_middle(count=6000)
    workers = service.workers()
    for pid in workers:
        send_signal(pid, signal.SIGSTOP)
    clients = []

    def one_more():
        client = service.raw()
        clients.append(client)
        client.sendall(b'{"kind":"wait","ref":1,"id":%d}\n' % tracker)
        return len(clients) >= CLIENTS_MAX and service.ctl("ping", "--json").code == 6

    turned_away = not workers or wait_until(one_more, "a client too many", pause_s=0)
    if workers:
        answer = service.ctl("status", path, "--json")
        assert answer.code == 6 and answer.json["error"]["code"] == "busy" and is_clear(
            answer.json["error"]), answer
        clients[0].sendall(b'{"kind":"ping","ref":2}\n')
        wait_until(lambda: b'"pong"' in clients[0].recv(65536), "an answer to who is there")
    yield workers and turned_away
    for pid in workers:
        send_signal(pid, signal.SIGCONT)
    for client in clients:
        client.close()
    wait_until(lambda: service.ctl("ping").code == 0, "room for a client")


@contextlib.contextmanager
def client_that_does_not_read(world, dice):
    """It asks, and does not read, until its requests are not read any more; others are served. Then
    it reads, and every answer is there, once and in order."""
    service = world.service.start()
    path, tracker = service.in_the_middle(count=6000)
    client = service.raw()
    client.setblocking(False)
    asked, data = 0, b""
    with contextlib.suppress(BlockingIOError):
        while asked < 100_000:
            data = b'{"kind":"status","id":%d,"ref":%d}\n' % (tracker, asked)
            sent = client.send(data)
            asked += 1
            assert sent == len(data)
    service.ok("ping")
    service.ok("wait", path)
    service.ok("status", path)
    client.settimeout(60)
    answers = client.makefile("rb")
    refs = [json.loads(answers.readline())["ref"] for _ in range(asked)]
    assert refs == list(range(asked))
    yield asked < 100_000
    client.close()


# A sanitizer needs memory, and a process of its own in which it looks for leaks.
NOT_SANITIZED = (worker_memory_at_start, worker_memory, supervisor_memory_at_start,
                 supervisor_memory, no_thread_of_worker, no_thread_of_supervisor)
FAULTS = {function.__name__.replace("_", " "): function for function in (
    *(() if SANITIZED else NOT_SANITIZED),
    worker_descriptors, supervisor_descriptors, no_process, log_on_a_full_disk,
    log_that_may_not_grow, log_without_reader, log_that_nobody_reads, full_queue_of_the_socket,
    too_many_clients, client_that_does_not_read)}
NAMES = list(FAULTS)
# which cannot come too late
CERTAIN = ("no process", "log on a full disk", "log without reader", "too many clients")


def one_round(world, dice, tally):
    """The faults take turns; the dice say how much is left."""
    name = NAMES[(dice.number - 1) % len(NAMES)]
    world.prepare(dice)
    with FAULTS[name](world, dice) as hit:
        tally.note(name, hit)
        world.check()
    world.finish()


if __name__ == "__main__":
    raise SystemExit(main("resources", __doc__, World, one_round, 320))
