#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""How long a command takes, beside what the machine itself takes for the least that it must do, in the
same run, in turn: commits of one row, an echo on a Unix socket, one UPDATE of as many rows."""

import argparse
import json
import os
import shutil
import socket
import socketserver
import statistics
import sys
import tempfile
import threading
import time

import lab as laboratory
import tables
from lab import Lab
from harness import wait_until

FLOOR_COMMITS = 3  # that an acknowledged command is allowed: intent, fence, result


class Client:
    """Requests over one connection of the control socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.lines = self.socket.makefile("rb")
        self.ref = 0

    def ask(self, kind, **fields):
        """The last answer."""
        self.ref += 1
        request = {"kind": kind, "ref": self.ref, **fields}
        self.socket.sendall(json.dumps(request).encode() + b"\n")
        while True:
            answer = json.loads(self.lines.readline())
            if answer["kind"] == "error":
                raise SystemExit(f"{request}: {answer}")
            if answer["kind"] in ("pong", "done") or answer.get("last"):
                return answer

    def close(self):
        self.lines.close()
        self.socket.close()


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(data)


def timed(act):
    begin = time.monotonic()
    act()
    return (time.monotonic() - begin) * 1000


def centiles(times):
    cuts = statistics.quantiles(times, n=100)
    return statistics.median(times), cuts[98]


class Times:
    """Milliseconds of each thing, by name."""

    def __init__(self):
        self.of = {}

    def add(self, name, act):
        self.of.setdefault(name, []).append(timed(act))

    def rows(self):
        for name, times in self.of.items():
            half, most = centiles(times)
            yield name, str(len(times)), f"{half:.2f}", f"{most:.2f}"


# ---- commands, and three commits ----


def commits(sql):
    for _ in range(FLOOR_COMMITS):
        sql.run("UPDATE floor SET n = n + 1")


def commands(lab, times, count):
    """An upload acknowledged, its kill, and a stop of one that has just begun."""
    service = lab.new_service()
    service.sql.run("CREATE TABLE floor (n bigint); INSERT INTO floor VALUES (0)")
    client = Client(service.socket)
    source = laboratory.people(200_000)
    for number in range(count):
        path = service.files / f"f{number}.csv"
        shutil.copyfile(source, path)
        times.add(f"{FLOOR_COMMITS} commits of a row", lambda: commits(service.sql))
        times.add("upload acknowledged", lambda: client.ask("upload", file=str(path)))
        wait_until(lambda: service.workers(), "its worker", pause_s=0.001)
        times.add("kill, durably KILLED", lambda: client.ask("kill", file=str(path)))
        client.ask("upload", file=str(path))
        wait_until(lambda: service.workers(), "its worker", pause_s=0.001)
        times.add("stop of one just begun, durably STOPPED",
                  lambda: client.ask("stop", file=str(path), wait=True))
        path.unlink()
    client.close()
    lab.leave()


# ---- status while workers are busy, and an echo ----


def status_under_load(lab, times, count):
    service = lab.new_service()
    path = laboratory.people(5_000_000)
    folder = tempfile.mkdtemp(prefix="upl-echo-", dir="/tmp")
    with socketserver.ThreadingUnixStreamServer(f"{folder}/echo", Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        echo = socket.socket(socket.AF_UNIX)
        echo.connect(f"{folder}/echo")
        client = Client(service.socket)
        client.ask("upload", file=str(path))
        wait_until(lambda: service.status(path)["rows"] > 0, "its first rows")
        for _ in range(count):
            times.add("echo, while an upload runs",
                      lambda: (echo.sendall(b"x" * 900), echo.recv(65536)))
            times.add("status, while an upload runs", lambda: client.ask("status", file=str(path)))
            time.sleep(0.002)
        assert service.status(path)["status"] == "PROCESSING", "the upload was over too soon"
        client.ask("stop", file=str(path))
        client.close()
        echo.close()
        server.shutdown()
    os.unlink(f"{folder}/echo")
    os.rmdir(folder)
    lab.leave()


# ---- a start with many uploads to recover ----


def recovery(lab, times, trackers, rounds):
    """Until the first upload is accepted, beside one UPDATE of as many rows of the same table."""
    for _ in range(rounds):
        service = lab.new_service(supervisor={"max_workers": 4})
        owner = service.ok("ping", "--json").json["name"]
        service.stop()
        service.sql.run(FILL, owner, trackers)
        service.sql.run("VACUUM ANALYZE uploader.file_tracker")
        service.sql.run("CHECKPOINT")
        times.add(f"one UPDATE of {trackers} trackers", lambda: service.sql.run(
            "UPDATE uploader.file_tracker SET tries = tries + 1"))
        service.sql.run("VACUUM uploader.file_tracker")
        service.sql.run("CHECKPOINT")
        path = service.people(count=10)
        times.add(f"start with {trackers} unfinished, to the first upload accepted",
                  lambda: start_and_upload(service, path))
        lab.leave()


FILL = """INSERT INTO uploader.file_tracker
    (path, profile, profile_text, status, owner, device, inode, size, mtime_ns, ctime_ns)
    SELECT '/nowhere/' || i || '.csv', 'contacts',
           '{"columns":["name","email"],"delimiter":",","header":true,"quote":"\\"","surplus_columns":"refuse"}',
           'PROCESSING', %s, 1, i, 1, 1, 1 FROM generate_series(1, %s) AS i"""


def start_and_upload(service, path):
    service.start(wait=False)
    wait_until(lambda: service.socket.exists() and service.ctl("upload", path).code == 0,
               "an upload to be accepted", patience_s=600)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    times, lab = Times(), Lab()
    try:
        commands(lab, times, 20 if options.quick else 200)
        status_under_load(lab, times, 50 if options.quick else 500)
        recovery(lab, times, 2000 if options.quick else 100_000, 2 if options.quick else 5)
    finally:
        lab.end()
    tables.show("latency", "Latencies", ["what", "times", "p50 ms", "p99 ms"], times.rows(),
                options.quick)
    return 0


if __name__ == "__main__":
    sys.exit(main())
