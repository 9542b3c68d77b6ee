#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""A server that is far away: throughput of uploads and of psql \\copy through a proxy that holds every
byte back for half of a round trip in each direction, in parts of the throughput through the same proxy
without a delay, in the same round."""

import argparse
import collections
import random
import socket
import statistics
import sys
import threading
import time
from functools import partial

import lab as laboratory
import tables
from lab import PSQL, Lab, run
from ways import BARE, check_rows, upload

PIECE = 1 << 18
BANDWIDTH_BYTES = 1 << 26  # held back at most, each way: as the windows of a long fat pipe


class Direction:
    """What was read from one side and is not yet due on the other."""

    def __init__(self, source, sink, delay_s):
        self.source, self.sink, self.delay_s = source, sink, delay_s
        self.held, self.bytes, self.over = collections.deque(), 0, False
        self.change = threading.Condition()
        threading.Thread(target=self.send, daemon=True).start()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        try:
            while data := self.source.recv(PIECE):
                with self.change:
                    self.change.wait_for(lambda: self.bytes < BANDWIDTH_BYTES)
                    self.held.append((time.monotonic() + self.delay_s, data))
                    self.bytes += len(data)
                    self.change.notify_all()
        except OSError:
            pass
        with self.change:
            self.over = True
            self.change.notify_all()

    def send(self):
        while True:
            with self.change:
                self.change.wait_for(lambda: self.held or self.over)
                if not self.held:
                    break
                due, data = self.held.popleft()
                self.bytes -= len(data)
                self.change.notify_all()
            time.sleep(max(0, due - time.monotonic()))
            try:
                self.sink.sendall(data)
            except OSError:
                break
        try:
            self.sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


class Proxy:
    """Stands on TCP before the server's Unix socket."""

    def __init__(self, cluster, round_trip_ms):
        self.target = f"{cluster.folder}/.s.PGSQL.5432"
        self.delay_s = round_trip_ms / 2000
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        threading.Thread(target=self.accept, daemon=True).start()

    def conninfo(self, database):
        return (f"host=127.0.0.1 port={self.listener.getsockname()[1]} dbname={database}"
                " user=postgres sslmode=disable gssencmode=disable")

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.target)
            Direction(client, server, self.delay_s)
            Direction(server, client, self.delay_s)

    def close(self):
        self.listener.close()


def by_uploader(lab, proxy, path, lanes):
    service = lab.new_service(upload={"lanes": lanes})
    service.stop()
    service.set(database={"conninfo": proxy.conninfo(service.database)})
    service.start()
    sample = lab.measure(lambda: upload(service, path))
    check_rows(lab, path)
    lab.leave()
    return sample.seconds


def by_psql(lab, proxy, path):
    database = lab.new_database(BARE)
    sample = lab.measure(lambda: run([PSQL, "-X", "-q", "-d", proxy.conninfo(database), "-c",
                                      f"\\copy t (name, email) from '{path}' (format csv, header)"]))
    lab.drop_database(database)
    return sample.seconds


WAYS = {
    "2 lanes (the default)": partial(by_uploader, lanes=2),
    "3 lanes": partial(by_uploader, lanes=3),
    "4 lanes": partial(by_uploader, lanes=4),
    "psql": by_psql,
}
DISTANCES_MS = [0, 1, 10, 50]


def base_of(way):
    """What is its throughput compared with? Of all numbers of lanes, with that of the default."""
    return (0, way if way == "psql" else next(iter(WAYS)))


def one_round(lab, path, dice):
    """{(round trip, way): seconds}, in random order."""
    seconds = {}
    tries = [(distance, way) for distance in DISTANCES_MS for way in WAYS]
    for distance, way in dice.sample(tries, len(tries)):
        proxy = Proxy(lab.cluster, distance)
        seconds[distance, way] = WAYS[way](lab, proxy, path)
        proxy.close()
        print(f"  {distance:3} ms, {way:22} {seconds[distance, way]:8.2f} s", file=sys.stderr,
              flush=True)
    return seconds


def rows_of(rounds):
    for distance in DISTANCES_MS:
        for way in WAYS:
            parts = [seconds[base_of(way)] / seconds[distance, way] for seconds in rounds]
            yield (f"{distance} ms, {way}", str(len(parts)), f"{statistics.median(parts):.2f}",
                   f"{min(parts):.2f}", f"{max(parts):.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    path = laboratory.people(400_000 if options.quick else 5_000_000)
    lab = Lab("listen_addresses=''")
    try:
        rounds = [one_round(lab, path, random.Random(number))
                  for number in range(1 if options.quick else options.rounds)]
    finally:
        lab.end()
    head = ["round trip and way", "rounds", "throughput, of that without delay: median", "minimum",
            "maximum"]
    tables.show("remote", "A server that is far away", head, list(rows_of(rounds)), options.quick)
    return 0


if __name__ == "__main__":
    sys.exit(main())
