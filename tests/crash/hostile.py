#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""Clients that mean no good, while an upload runs: half a frame and silence, a frame of a gigabyte,
ten thousand connections, one that never reads its answers, a million questions a minute.

Others are answered all the while, over a connection that they have and over new ones; the supervisor's
memory stays bounded, and the table holds exactly the file. What an answer takes is printed, beside what
an echo server takes under the same load at the same time."""

import contextlib
import json
import subprocess
import time
from pathlib import Path

import campaign
from campaign import main
from harness import BUILD, MAX_FILES, PATIENCE_S, SANITIZED, check_exact, wait_until

LOAD = BUILD / "tests/load"
MEMORY_KIB = 64 * 1024  # of the supervisor, at most

CONNECTIONS = 10_000
STATUS_A_MINUTE = 1_000_000
PROBES_A_SECOND = 100

class World(campaign.World):
    seconds = 3  # that each behaviour goes on

    def __init__(self):
        super().__init__()
        self.connections = min(CONNECTIONS, MAX_FILES - 200)
        self.begin(upload={"chunk_bytes": "16K"}, supervisor={"log_level": "warning"}).start()
        self.echo_socket = f"{self.service.folder}/echo"
        size = len(json.dumps(self.service.ok("ping", "--json").json))
        self.echo = subprocess.Popen([LOAD, "echo", self.echo_socket, str(max(size, 700))])
        wait_until(lambda: Path(self.echo_socket).exists(), "the echo server")
        self.times = []

    def end(self):
        self.echo.kill()
        self.echo.wait()
        for row in self.times:
            print("  {:16} p50 {:7} us, p99 {:7} us; an echo: p50 {:7} us, p99 {:7} us".format(*row))
        super().end()

# ---- behaviours: each is a context, in which it goes on ----

@contextlib.contextmanager
def half_a_frame(service, _):
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(service.raw()).sendall(b'{"kind": "status", "ref"')
        yield

@contextlib.contextmanager
def a_gigabyte(service, _):
    """Frames without an end; each connection is closed long before."""
    sent, piece = 0, bytes(1 << 16).replace(b"\0", b"x")
    while sent < 1 << 30:
        with service.raw() as one, contextlib.suppress(OSError):
            while sent < 1 << 30:
                sent += one.send(piece)
        sent += 1 << 24  # it was refused: few of them will do
    yield

@contextlib.contextmanager
def ten_thousand(service, world):
    with contextlib.ExitStack() as stack:
        for _ in range(world.connections):
            stack.enter_context(service.raw())
        yield

@contextlib.contextmanager
def never_reads(service, _):
    with service.raw() as one, contextlib.suppress(OSError):
        one.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                one.sendall(b'{"kind": "list", "ref": 1}\n' * 100)
        yield

@contextlib.contextmanager
def a_million_a_minute(service, world, target=None):
    """Of the upload's status; also as what the echo server gets."""
    rate = STATUS_A_MINUTE / 60
    process = subprocess.Popen([LOAD, "ask", target or service.socket, str(rate),
                                str(world.seconds + 1), world.question], stdout=subprocess.PIPE,
                               text=True)
    yield
    out, _ = process.communicate(timeout=PATIENCE_S)
    world.asked = int(out.split()[0])

BEHAVIOURS = [half_a_frame, a_gigabyte, ten_thousand, never_reads, a_million_a_minute]

# ---- honest clients ----

def probe(target, world):
    """p50 and p99 of answers to a client that has a connection already."""
    done = subprocess.run([LOAD, "ask", target, str(PROBES_A_SECOND), str(world.seconds),
                           world.question], capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    count, half, most = map(int, done.stdout.split())
    assert count > 0, "an honest client got no answer"
    return half, most

def peak_kib(pid):
    text = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmHWM"))

def one_round(world, dice, tally):
    service = world.service
    behaviour = BEHAVIOURS[(dice.number - 1) % len(BEHAVIOURS)]
    path = service.people(f"f{dice.number}.csv", count=100_000)
    tracker = service.ok("upload", path, "--json").json["id"]
    world.question = json.dumps({"kind": "status", "ref": 1, "id": tracker})
    wait_until(lambda: service.status(tracker)["rows"] > 0, "the first rows")
    with behaviour(service, world):
        half, most = probe(service.socket, world)
        for _ in range(3):  # with new connections
            service.ok("ping")
            service.ok("status", tracker)
    if behaviour is a_million_a_minute:
        tally.note("a million a minute, all asked", world.asked >= STATUS_A_MINUTE / 60 * world.seconds)
        with a_million_a_minute(service, world, world.echo_socket):
            echo = probe(world.echo_socket, world)
    else:
        echo = probe(world.echo_socket, world)
    tally.note(behaviour.__name__.replace("_", " "))
    world.times.append((behaviour.__name__.replace("_", " "), half, most, *echo))
    service.ctl("wait", tracker)
    assert check_exact(service, tracker, True) == "PROCESSED"
    peak = peak_kib(service.process.pid)
    assert SANITIZED or peak <= MEMORY_KIB, f"{behaviour.__name__}: {peak} KiB of memory"
    service.ok("forget", "--rows", tracker)
    time.sleep(0.1)

if __name__ == "__main__":
    raise SystemExit(main("hostile", __doc__, World, one_round, len(BEHAVIOURS)))
