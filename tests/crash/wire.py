#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""The connection between worker and server is cut behind its n-th byte, in either direction.

A proxy stands between them, on TCP. A first upload shows how many bytes there are and where messages
begin and end; round n cuts the connection of a worker at the n-th case: behind a message, a byte
before or after that, the reply to a COMMIT among them, in each of the ways of HOWS, and (unless
--messages) behind any byte between in one of them: by FIN, by RST, with the server's side left open for a while
(its backend lives on, and may still commit), or by silence, which a kill or a stop then ends."""

import random
import selectors
import socket
import struct
import sys
import threading
import time
from collections import Counter

import campaign
from campaign import main
from harness import check_exact, wait_until

COUNT = 330  # three chunks
BAD = {5, 200}
REFUSED = {100, 329}
CHECK = "ALTER TABLE uploader.file_data ADD CHECK (name NOT IN ('Person 100', 'Person 329'))"
# What is sent has the same length for each upload of a database.
FIRST_ID = "SELECT setval(pg_get_serial_sequence('uploader.file_tracker', 'id'), 1000)"
TO_SERVER, TO_WORKER = 0, 1
HOWS = ["fin", "rst", "zombie", "silence kill", "silence stop"]
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

    def people(self):
        """A new file, which says the same."""
        return self.service.people(f"f{self.rounds % self.rounds_of_a_database:02}.csv", COUNT, BAD)

    def record(self):
        """Uploads once, to know the cases: direction, byte and how."""
        service = self.renew()
        self.proxy.seen = [bytearray(), bytearray()]
        service.ok("upload", "--wait", self.people(), code=3)
        seen, self.proxy.seen = self.proxy.seen, None
        self.cases = []
        for direction in (TO_SERVER, TO_WORKER):
            ends = boundaries(bytes(seen[direction]), direction == TO_SERVER)
            near = {end + delta for end in ends for delta in (-1, 0, 1)}
            places = range(1, len(seen[direction]))
            self.cases += [(direction, at, how) for at in places if at in near for how in HOWS]
            if self.every_byte:
                self.cases += [(direction, at, HOWS[at % len(HOWS)])
                               for at in places if at not in near]
        random.Random(0).shuffle(self.cases)  # a part of them is spread over all, and over every kind
        seen = Counter()
        self.cases.sort(key=lambda case: turn(seen, (case[0], case[2])))
        self.whole = len(self.cases)

    def end(self):
        super().end()
        self.proxy.close()


def one_round(world, dice, tally):
    service = world.renew()
    direction, at, how = world.cases[(dice.number - 1) % len(world.cases)]
    cut = world.proxy.cut = Cut(direction, at, how)
    path = world.people()
    tracker = service.ok("upload", path, "--json").json["id"]
    wait_until(lambda: cut.hit.is_set() or service.status(tracker)["status"] == "PROCESSED",
               "the cut, or the end")
    hit = tally.note(f"{how}, {'to the server' if direction == TO_SERVER else 'to the worker'}",
                     cut.hit.is_set())
    if how.startswith("silence") and hit:
        command = how.split()[1]
        answer = service.ctl(command, path, "--json")
        assert answer.code in (0, 6), (direction, at, answer)  # 6: it was all in, but for the end
        status = check_exact(service, tracker, True, REFUSED)
        assert answer.code == 6 or status == {"kill": "KILLED", "stop": "STOPPED"}[command]
    else:
        check_exact(service, tracker, True, REFUSED)
    answer = service.ctl("upload", "--wait", path, "--json")
    assert answer.code in (3, 6), (direction, at, how, answer)
    assert check_exact(service, tracker, True, REFUSED) == "PROCESSED", (direction, at, how)
    world.proxy.cut = None


if __name__ == "__main__":
    World.every_byte = "--messages" not in sys.argv
    sys.argv = [word for word in sys.argv if word != "--messages"]
    raise SystemExit(main("wire", __doc__, World, one_round))
