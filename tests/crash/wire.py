#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""The connection between worker and server is cut behind its n-th byte, in either direction.

A proxy stands between them. A first upload shows where messages begin and end; a round cuts the
connection of a worker behind one of these places, a byte before or after it (--bytes: behind any
byte), the reply to a COMMIT among them: as FIN, with the server's side left open for a while (its
backend lives on, and may still commit), or by silence, which a kill or a stop then ends."""

import os
import selectors
import socket
import struct
import sys
import threading
import time

import campaign
from campaign import main
from harness import check_exact, wait_until

COUNT = 330  # three chunks
BAD = {5, 200}
REFUSED = {100, 329}
CHECK = "ALTER TABLE uploader.file_data ADD CHECK (name NOT IN ('Person 100', 'Person 329'))"
TO_SERVER, TO_WORKER = 0, 1
HOWS = ["fin", "zombie", "silence kill", "silence stop"]


class Cut:
    def __init__(self, direction, at, how):
        self.direction, self.at, self.how, self.hit = direction, at, how, threading.Event()


class Proxy:
    """Passes bytes on between clients of its folder's socket and the cluster's."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.folder = f"{cluster.folder}-proxy"
        os.makedirs(self.folder, exist_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(f"{self.folder}/.s.PGSQL.5432")
        self.listener.listen(64)
        self.cut = None
        self.seen = None  # bytes of a worker's connection, in each direction, while it is recorded
        self.zombies = []
        threading.Thread(target=self.accept, daemon=True).start()

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
                        self.carry_out(cut, server)
                        return
                    to.sendall(data)
                    passed[direction] += len(data)

    def carry_out(self, cut, server):
        cut.hit.set()
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


class World(campaign.World):
    every_byte = False

    def __init__(self):
        super().__init__()
        self.proxy = Proxy(self.cluster)
        self.record()

    def renew(self):
        self.proxy.end_zombies()
        self.begin(upload={"chunk_bytes": "4K", "lanes": 1})
        conninfo = self.cluster.conninfo(self.service.database)
        self.service.set(database={
            "conninfo": conninfo.replace(self.cluster.folder, self.proxy.folder)})
        self.service.start()
        self.service.sql.run(CHECK)
        return self.service

    def record(self):
        """Uploads once, to know the places."""
        service = self.renew()
        self.proxy.seen = [bytearray(), bytearray()]
        service.ok("upload", "--wait", service.people(count=COUNT, bad=BAD), code=3)
        seen, self.proxy.seen = self.proxy.seen, None
        self.places = []
        for direction in (TO_SERVER, TO_WORKER):
            ends = boundaries(bytes(seen[direction]), direction == TO_SERVER)
            near = {end + delta for end in ends for delta in (-1, 0, 1)}
            all_of_them = range(1, len(seen[direction])) if self.every_byte else sorted(near)
            self.places += [(direction, at) for at in all_of_them if 0 < at < len(seen[direction])]

    def end(self):
        super().end()
        self.proxy.close()


def one_round(world, dice, tally):
    service = world.renew()
    direction, at = dice.choice(world.places)
    how = dice.choice(HOWS)
    cut = world.proxy.cut = Cut(direction, at, how)
    path = service.people(count=COUNT, bad=BAD)
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
    if "--bytes" in sys.argv:
        sys.argv.remove("--bytes")
        World.every_byte = True
    raise SystemExit(main("wire", __doc__, World, one_round, 2000))
