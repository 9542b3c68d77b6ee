#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""The connection between worker and server is cut behind its n-th byte, in either direction.

A proxy stands between them, on TCP. A first upload of each kind of FILES shows how many bytes there are
and where messages begin and end; round n cuts the connection of a worker at the n-th case: behind a
message, a byte before or after that, the reply to a COMMIT among them, in each of the ways of HOWS: by
FIN, by RST, with the server's side left open for a while (its backend lives on, and may still commit),
or by silence, which a kill or a stop then ends; and (unless --messages) for SMALL behind any byte
between, by FIN and by RST."""

import selectors
import socket
import struct
import sys
import threading
import time
import zlib
from collections import Counter, namedtuple

import campaign
from campaign import main
from harness import check_exact, wait_until

File = namedtuple("File", "name count bad refused")
SMALL = File("small", 138, {5, 137}, set())  # two chunks, with a reject each
SIFTED = File("sifted", 330, {5, 200}, {140, 329})  # three, two of which have to be halved
FILES = [SMALL, SIFTED]
CHECK = "ALTER TABLE uploader.file_data ADD CHECK (name NOT IN ('Person 140', 'Person 329'))"
# What is sent has the same length for each upload of a database.
FIRST_ID = "SELECT setval(pg_get_serial_sequence('uploader.file_tracker', 'id'), 1000)"
TO_SERVER, TO_WORKER = 0, 1
HOWS = ["fin", "rst", "zombie", "silence kill", "silence stop"]
HOWS_BETWEEN = HOWS[:2]
Case = namedtuple("Case", "file direction at how")
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: what is closed is reset


class Cut:
    def __init__(self, direction, at, how):
        self.direction, self.at, self.how, self.hit = direction, at, how, threading.Event()


class Proxy:
    """Passes bytes on between clients on TCP and the cluster's socket."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.cut = None
        self.seen = None  # bytes of a worker's connection, in each direction, while it is recorded
        self.zombies = []
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def way(self):
        """What a conninfo says to come here; the startup packet is the first that is sent."""
        return (f"hostaddr=127.0.0.1 port={self.listener.getsockname()[1]} sslmode=disable"
                " gssencmode=disable")

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=[client], daemon=True).start()

    @staticmethod
    def of_worker(startup):
        """Does the startup packet name a tracker in its application_name?"""
        words = startup[8:].split(b"\0")
        name = dict(zip(words[::2], words[1::2])).get(b"application_name", b"")
        return name.count(b"/") == 4 and name.split(b"/")[3] != b"0"

    def serve(self, client):
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(f"{self.cluster.folder}/.s.PGSQL.5432")
            startup = client.recv(65536, socket.MSG_PEEK)
            self.pass_on(client, server, self.of_worker(startup))
        except OSError:
            pass
        finally:
            client.close()
            if server not in self.zombies:
                server.close()

    def pass_on(self, client, server, worker):
        passed = [0, 0]
        with selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ, (TO_SERVER, server))
            selector.register(server, selectors.EVENT_READ, (TO_WORKER, client))
            while True:
                for key, _ in selector.select():
                    direction, to = key.data
                    data = key.fileobj.recv(65536)
                    if not data:
                        return
                    if worker and self.seen:
                        self.seen[direction] += data
                    cut = self.cut if worker and self.cut and not self.cut.hit.is_set() else None
                    here = cut and cut.direction == direction
                    if here and passed[direction] + len(data) >= cut.at:
                        to.sendall(data[:cut.at - passed[direction]])
                        self.carry_out(cut, client, server)
                        return
                    to.sendall(data)
                    passed[direction] += len(data)

    def carry_out(self, cut, client, server):
        cut.hit.set()
        if cut.how == "rst":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        if cut.how == "zombie":
            self.zombies.append(server)
        if cut.how.startswith("silence"):
            time.sleep(5)  # longer than anybody waits for the command that follows

    def end_zombies(self):
        while self.zombies:
            self.zombies.pop().close()

    def close(self):
        self.end_zombies()
        self.listener.close()


def boundaries(data, startup):
    """Offsets at which messages end; a client's first one has no type byte."""
    at, found = 0, []
    if startup:
        at = struct.unpack(">I", data[:4])[0]
        found.append(at)
    while at + 5 <= len(data):
        at += 1 + struct.unpack(">I", data[at + 1:at + 5])[0]
        found.append(at)
    return found


def turn(seen, kind):
    """Which of its kind this one is."""
    seen[kind] += 1
    return seen[kind]


class World(campaign.World):
    every_byte = False
    environment = {}  # the same at each round

    def __init__(self):
        super().__init__()
        self.proxy = Proxy(self.cluster)
        self.record()

    def renew(self):
        """The service for a round; its database is made anew from time to time."""
        self.proxy.end_zombies()
        if self.next_round():
            self.begin(upload={"chunk_bytes": "4K", "lanes": 1})
            conninfo = self.cluster.conninfo(self.service.database)
            self.service.set(database={"conninfo": f"{conninfo} {self.proxy.way}"})
            self.service.start()
            self.service.sql.run(FIRST_ID)
            self.service.sql.run(CHECK)
        return self.service

    def people(self, file):
        """A new file, which says the same."""
        name = f"f{self.rounds % self.rounds_of_a_database:02}.csv"
        return self.service.people(name, file.count, file.bad)

    def record(self):
        """Uploads each file once, to know the cases."""
        self.cases = [case for file in FILES for case in self.cases_of(file)]
        # A part of them is spread over all, and over every kind; in an order that is the same when a
        # number that was sent had a digit less.
        self.cases.sort(key=lambda case: zlib.crc32(repr(case).encode()))
        seen = Counter()
        self.cases.sort(key=lambda case: turn(seen, (case.direction, case.how)))
        self.whole = len(self.cases)

    def cases_of(self, file):
        service = self.renew()
        self.proxy.seen = [bytearray(), bytearray()]
        service.ok("upload", "--wait", self.people(file), code=3)
        seen, self.proxy.seen = self.proxy.seen, None
        between = HOWS_BETWEEN if file is SMALL and self.every_byte else []
        for direction in (TO_SERVER, TO_WORKER):
            ends = boundaries(bytes(seen[direction]), direction == TO_SERVER)
            near = {end + delta for end in ends for delta in (-1, 0, 1)}
            for at in range(1, len(seen[direction])):
                for how in HOWS if at in near else between:
                    yield Case(file, direction, at, how)

    def end(self):
        super().end()
        self.proxy.close()


def one_round(world, dice, tally):
    service = world.renew()
    case = file, direction, at, how = world.cases[(dice.number - 1) % len(world.cases)]
    cut = world.proxy.cut = Cut(direction, at, how)
    path = world.people(file)
    tracker = service.ok("upload", path, "--json").json["id"]
    wait_until(lambda: cut.hit.is_set() or service.status(tracker)["status"] == "PROCESSED",
               "the cut, or the end")
    hit = tally.note(f"{how}, {'to the server' if direction == TO_SERVER else 'to the worker'}",
                     cut.hit.is_set())
    if how.startswith("silence") and hit:
        command = how.split()[1]
        answer = service.ctl(command, path, "--json")
        assert answer.code in (0, 6), (case, answer)  # 6: it was all in, but for the end
        status = check_exact(service, tracker, True, file.refused)
        assert answer.code == 6 or status == {"kill": "KILLED", "stop": "STOPPED"}[command]
    else:
        check_exact(service, tracker, True, file.refused)
    answer = service.ctl("upload", "--wait", path, "--json")
    assert answer.code in (3, 6), (case, answer)
    assert check_exact(service, tracker, True, file.refused) == "PROCESSED", case
    world.proxy.cut = None


if __name__ == "__main__":
    World.every_byte = "--messages" not in sys.argv
    sys.argv = [word for word in sys.argv if word != "--messages"]
    raise SystemExit(main("wire", __doc__, World, one_round))
