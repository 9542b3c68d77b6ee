#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""The server dies, and its standby takes its place. It follows asynchronously and is held back, so that
a part of what was acknowledged is lost with the old one.

Rows and checkpoints agree on the new server all the same; what was PROCESSED may be under way again
there; and the same command takes the upload to its end."""

import signal
import time

import campaign
from campaign import harness, main
from harness import check_exact, children, send_signal, wait_until

BAD = {7, 900}


class World(campaign.World):
    """A new standby for each round, of the one that was promoted in the round before."""

    def __init__(self):
        super().__init__("synchronous_commit=local")
        self.standby = None

    def renew(self, dice):
        """The service finds the new server by itself: its conninfo names both."""
        self.leave()
        self.standby = harness.Cluster(follows=self.cluster)
        service = self.begin(upload={"chunk_bytes": "4K", "lanes": dice.randint(1, 3)},
                             supervisor={"retry_limit": 1000})
        service.set(database={"conninfo": f"host={self.cluster.folder},{self.standby.folder}"
                              f" dbname={service.database} user=postgres"
                              " target_session_attrs=read-write"})
        return service.start()

    def take_over(self):
        """The server is no more; its standby is."""
        self.cluster.crash()
        self.standby.promote()
        self.cluster.remove()
        self.cluster, self.standby = self.standby, None
        self.service.cluster = self.cluster
        self.service.leave_sql()

    def end(self):
        self.stop()
        for cluster in (self.standby, self.cluster):
            if cluster:
                cluster.remove()


def receivers(cluster):
    """The processes of a standby that write down what it is sent."""
    with open(f"{cluster.folder}/data/postmaster.pid") as file:
        postmaster = int(file.readline())
    return [pid for pid in children(postmaster)
            if "walreceiver" in open(f"/proc/{pid}/cmdline").read()]


def point_of(cluster, database, tracker):
    """Status and rows of a tracker as a server has them; None: it does not know it."""
    with cluster.connect(database) as sql:
        rows = sql.run("SELECT status, rows FROM uploader.tracker_with_point WHERE id = %s", tracker)
    return rows[0] if rows else None


def one_round(world, dice, tally):
    service = world.renew(dice)
    path = service.people(count=dice.randint(8000, 40_000), bad=BAD)
    tracker = service.ok("upload", path, "--json").json["id"]
    wait_until(lambda: service.status(tracker)["rows"] > 0, "the first rows")
    held = receivers(world.standby)
    for pid in held:
        send_signal(pid, signal.SIGSTOP)
    if dice.random() < 0.3:
        service.ctl(dice.choice(["kill", "stop"]), path)
    time.sleep(dice.random() * 0.5)
    before = point_of(world.cluster, service.database, tracker)
    for pid in held:
        send_signal(pid, signal.SIGKILL)  # what the sender had in hand for it is lost
    world.take_over()
    service.wait_ready()
    after = point_of(world.cluster, service.database, tracker)
    tally.note("a part is lost", after is None or after[1] < before[1])
    tally.note(f"was {before[0]}")
    if after:
        check_exact(service, tracker, True)
    end(service, path)
    tracker = service.status(path)["id"]
    assert check_exact(service, tracker, True) == "PROCESSED"


def end(service, path):
    """A stop that the new server knows of ends first."""
    for _ in range(100):
        answer = service.ctl("upload", "--wait", path, "--json")
        if answer.code == 3 or answer.code == 6 and service.status(path)["status"] == "PROCESSED":
            return
        assert answer.code in (1, 4, 5, 6, 9), answer
        time.sleep(0.1)
    raise AssertionError(f"it does not get to its end: {answer}")


if __name__ == "__main__":
    raise SystemExit(main("standby", __doc__, World, one_round, 20))
