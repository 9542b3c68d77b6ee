#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""Files arrive in a spool, in every way in which they may, while supervisor, workers and server die at
random instants.

At the end each file lies in done or in failed, once, with its receipt and its rejects; each that is in
done was uploaded once, with exactly its records; and nothing is left in the spool."""

import csv
import json
import os
import shutil
import signal
import time

import campaign
from campaign import main
from harness import records_of, send_signal, wait_until

RENAMED, COPIED, COMPANION = "renamed", "copied", "with a companion"


class World(campaign.World):
    def renew(self, dice):
        service = self.begin(upload={"chunk_bytes": "4K", "lanes": dice.randint(1, 3)},
                             supervisor={"retry_limit": 1000, "max_workers": dice.randint(1, 4)})
        self.spool = service.folder / "spool"
        self.spool.mkdir()
        service.set(spool__in={"path": self.spool, "settle": "100ms"})
        return service.start()


def arrive(world, dice, name):
    """Makes one; answers how, and which of its records are bad."""
    bad = set(dice.sample(range(1, 300), dice.choice([0, 0, 3])))
    path = world.service.people(name, dice.randint(300, 3000), bad=bad)
    if dice.random() < 0.1:
        path.write_text("nobody,knows\nthese,columns\n")
        bad = None
    how = dice.choice([RENAMED, COPIED, COMPANION])
    if how == RENAMED:
        os.rename(path, world.spool / name)
        return how, bad
    with open(path, "rb") as source, open(world.spool / name, "wb") as to:
        shutil.copyfileobj(source, to, 20_000)
    if how == COMPANION:
        (world.spool / f"{name}.ok").touch()
    return how, bad


def disturb(world, dice, tally):
    what = dice.choice(["supervisor", "supervisor", "worker", "server", "shutdown", "nothing"])
    service = world.service
    busy = any(entry.endswith(".csv") for entry in os.listdir(world.spool))
    if what == "supervisor":
        service.kill()
        service.start(wait=False)
    elif what == "worker":
        for pid in service.workers():
            send_signal(pid, signal.SIGKILL)
    elif what == "server":
        world.cluster.crash()
        time.sleep(dice.random() * 0.3)
        world.cluster.start()
    elif what == "shutdown":
        service.stop()
        service.start(wait=False)
    tally.note(f"{what} dies" if what not in ("nothing", "shutdown") else what,
               busy or what == "nothing")


def check_done(service, folder, name, bad):
    """The file, its receipt and its rejects, against the table."""
    receipt = json.loads((folder / f"{name}.json").read_text())
    upload = receipt["upload"]
    assert upload["status"] == "PROCESSED" and receipt["error"] is None, receipt
    wanted = [row for row in records_of(folder / name) if row[0] not in bad]
    assert service.rows(upload["id"]) == wanted, name
    rejects = folder / f"{name}.rejects.csv"
    assert rejects.exists() == bool(bad), name
    if bad:
        with open(rejects, newline="") as file:
            assert [int(row["line"]) for row in csv.DictReader(file)] == sorted(bad)
    return upload["id"]


def one_round(world, dice, tally):
    service = world.renew(dice)
    files = {}
    for number in range(dice.randint(2, 6)):
        name = f"f{number}.csv"
        how, files[name] = arrive(world, dice, name)
        tally.note(how)
        time.sleep(dice.random() * 0.3)
        disturb(world, dice, tally)
    service.wait_ready()
    wait_until(lambda: not any(entry.endswith((".csv", ".ok")) for entry in os.listdir(world.spool)),
               "the spool to be empty")
    ids = set()
    for name, bad in files.items():
        folder = world.spool / ("failed" if bad is None else "done")
        if bad is not None:
            ids.add(check_done(service, folder, name, bad))
        assert (folder / name).exists() and (folder / f"{name}.json").exists(), name
    good = sum(bad is not None for bad in files.values())
    assert len(ids) == good == service.sql.value("SELECT count(*) FROM uploader.file_tracker")
    left = [entry for folder in ("done", "failed") if (world.spool / folder).exists()
            for entry in os.listdir(world.spool / folder)]
    data = [entry for entry in left if entry.endswith(".csv") and not entry.endswith(".rejects.csv")]
    assert sorted(data) == sorted(files), left


if __name__ == "__main__":
    raise SystemExit(main("spool", __doc__, World, one_round, 1000))
