#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""One supervisor for long, many files, up to 100 workers, and faults all along: it grows neither
in memory nor in descriptors, leaves no zombie and no session, and every upload ends as it should.

Rounds of a minute: files come, new ones and such as are forgotten first, as many at once as there
may be workers; workers, sessions and sometimes the server die, the configuration is read again,
clients command, ask, wait and leave in the middle. At the end of a round all goes on to its end,
and what the supervisor then holds is compared (sampler.py). From time to time the supervisor dies
with its workers, and a new series begins."""

import argparse
import json
import signal
import time
import traceback

import campaign
import chaos
import checker
import psycopg2
from campaign import Tally, dice_of, harness
from harness import BUILD, check_exact, wait_until
from sampler import Series

MAX_CONNECTIONS = 350
PATIENCE_S = 900  # for a crowd, on a busy machine
WORKERS = 100
LIFE_S = 20 * 60  # of a supervisor
ROUND_S = 60
ACTS = 10  # of a round, at least, however busy the machine is
WARM_UP = 2  # rounds of every life, which are as busy as any will be
SANITIZED = "asan" in BUILD.name  # it keeps what was freed, and says itself what is lost
SLACK_KIB = None if SANITIZED else 2048
HEAP = BUILD / "tests/heap.so"
CLIENTS = 10  # in the background, at most
GATHER_S = 20
MORE = 10  # uploads, at once
CHECKED = 5  # files after each round; in the end all are
REJECT_LIMIT = 20

# kind of a broken file: the error that it ends with, and whether there is an upload of it at all
BROKEN = {"open quote": ("file_quote", True), "too many rejects": ("reject_limit", True),
          "other header": ("file_header", False), "not UTF-8": ("file_encoding", False),
          "empty": ("file_empty", False)}
# exit codes that a command may have: 4: forgotten, 6: not in this state, 9: the database is away
COMMANDS = {("stop",): {0, 4, 6, 9}, ("kill",): {0, 4, 6, 9}, ("upload",): {0, 1, 6, 9},
            ("upload", "--restart"): {0, 1, 6, 9}, ("verify",): {0, 1, 4, 6, 9},
            ("forget", "--rows"): {0, 4, 6, 9}, ("status",): {0, 4, 9}, ("history",): {0, 4, 9},
            ("rejects",): {0, 4, 9}}
ACKNOWLEDGED = {"stop": {"STOPPED"}, "kill": {"KILLED", "FAILED"}}  # FAILED: it was already
QUESTIONS = ["status", "history", "rejects"]
WAITING = [("wait",), ("wait", "--timeout", "2s"), ("verify",)]


class File:
    """A file, and how its upload has to end."""

    def __init__(self, path, kind):
        self.path, self.kind = path, kind
        self.error, self.has_upload = BROKEN.get(kind, (None, True))

    def has_ended(self, row):
        """row: the service's of its upload; None: there is none."""
        if not self.has_upload or not row:
            return not self.has_upload and not row
        if not self.error:
            return row["status"] == "PROCESSED"
        return row["status"] == "FAILED" and row["error"]["code"] == self.error


def content(dice, kind):
    """50 to 10,000 records, as many files below 700 as above."""
    count = int(50 * 200 ** dice.random())
    bad = set(dice.sample(range(1, count), dice.randint(0, 8)))
    if kind == "too many rejects":
        bad = set(dice.sample(range(1, count), REJECT_LIMIT + 1))
    opened = dice.randint(1, count) if kind == "open quote" else count + 1
    lines = ["name,mail" if kind == "other header" else "name,email"]
    for i in range(1, count + 1):
        name = dice.choice(["Person", '"Per\nson"', '"Per,""son"""', "Pérson"])
        if i >= opened:
            name = '"open' if i == opened else "Person"
        lines.append(f"{name},person{i}@example.org" + (",surplus" if i in bad else ""))
    text = dice.choice(["\n", "\r\n"]).join(lines) if kind != "empty" else ""
    return text.encode("utf-16" if kind == "not UTF-8" else "utf-8")


class World(campaign.World):
    """The one service, its files, the clients in the background, and a series for each life."""

    def __init__(self):
        super().__init__(f"max_connections={MAX_CONNECTIONS}")
        self.files, self.clients, self.touched = [], [], set()
        self.crowd, self.most_workers = 1, 0
        self.series = []
        self.begin(upload={"chunk_bytes": "4K", "reject_limit": REJECT_LIMIT},
                   supervisor={"retry_limit": 1000, "log_level": "info"})
        self.began = time.monotonic()
        self.heap_file = self.service.folder / "heap"
        self.new_life()
        self.rest()

    @property
    def at_s(self):
        return time.monotonic() - self.began

    def new_life(self):
        """Of a supervisor that says how large its heap is, and whose allocator gives back what lies
        on top of it. (By itself it raises that threshold to some megabytes: mallopt(3).)"""
        heap = {"LD_PRELOAD": str(HEAP), "UPLOADER_HEAP_FILE": str(self.heap_file),
                "MALLOC_TRIM_THRESHOLD_": "131072"}
        self.service.start(environment=None if SANITIZED else heap)
        self.series.append(Series(self.service.process.pid, WARM_UP + 1, SLACK_KIB,
                                  None if SANITIZED else self.heap_bytes))

    def heap_bytes(self):
        self.service.ok("ping")  # it says so when a client comes
        return int(self.heap_file.read_text())

    def stop(self):
        self.leave_clients()
        super().stop()

    def leave_clients(self):
        for client in self.clients:
            leave(client)
        self.clients.clear()

    def configure(self, dice, crowd):
        self.crowd = crowd
        self.service.set(
            upload={"chunk_bytes": dice.choice(["4K", "16K", "64K"]), "lanes": dice.randint(1, 3)},
            supervisor={"max_workers": crowd})
        self.service.reload()

    def new_files(self, dice, count):
        """Every fifth is broken, in each way in turn."""
        new = []
        for number in range(len(self.files) + 1, len(self.files) + 1 + count):
            kind = list(BROKEN)[number // 5 % len(BROKEN)] if number % 5 == 0 else "good"
            path = self.service.file(f"f{number}.csv", content(dice, kind))
            new.append(File(path, kind))
        self.files += new
        return new

    def busy(self):
        """The files whose uploads are under way."""
        self.most_workers = max(self.most_workers, len(self.service.workers()))
        rows = chaos.sql(self).run("SELECT path FROM uploader.file_tracker WHERE status IN"
                                   " ('INITIALIZING', 'PROCESSING')")
        paths = {path for path, in rows}
        return [file for file in self.files if str(file.path) in paths]

    def rest(self):
        """All has ended: only the supervisor has sessions, and it holds what it did before."""
        chaos.sql(self)
        self.service.wait_ready()
        wait_until(lambda: len(chaos.backends(self)) == 2, "two sessions, and no more")
        self.series[-1].take(self.at_s)

    def series_text(self):
        return "\n".join(f"series {number}: it grew by {series.growth('own_kib')} KiB, its heap by"
                         f" {series.growth('heap_kib')} KiB\n{series}"
                         for number, series in enumerate(self.series, 1))


# ---- what happens: each answers whether it came at an instant that counts ----


def leave(client):
    client.kill()
    client.communicate()


def client_leaves(world, dice):
    """In the middle of its command, if it still is under way."""
    if not world.clients:
        return False
    client = world.clients.pop(dice.randrange(len(world.clients)))
    hit = client.poll() is None
    leave(client)
    return hit


def client_comes(world, dice):
    """One that stays for a while, in the background."""
    if len(world.clients) >= CLIENTS:
        client_leaves(world, dice)
    files = dice.sample(world.files, min(len(world.files), dice.randint(1, 20)))
    words = dice.choice([*WAITING, ("watch",), ("list",)])
    paths = [file.path for file in files] if words in WAITING else []
    world.clients.append(world.service.ctl_start(*words, "--json", *paths))
    return True


def requests(world, dice):
    """Many of a client's requests over one connection; it reads all answers, or goes at once."""
    files = dice.sample(world.files, min(len(world.files), 10))
    asked = [{"kind": kind, "file": str(file.path)} for file in files for kind in QUESTIONS]
    asked += [{"kind": "ping"}, {"kind": "list", "limit": 20}, {"kind": "nonsense"}] * 10
    dice.shuffle(asked)
    stays = dice.random() < 0.5
    with world.service.raw() as client:
        for ref, message in enumerate(asked):
            client.sendall(json.dumps({**message, "ref": ref}).encode() + b"\n")
        if not stays:
            return True
        left = set(range(len(asked)))
        for line in client.makefile("rb"):
            answer = json.loads(line)
            if answer["kind"] in ("error", "pong", "done") or answer.get("last"):
                left.discard(answer["ref"])
            if not left:
                return True
    raise AssertionError(f"the connection was closed before these were answered: {left}")


def reload(world, dice):
    hit = bool(world.service.workers())
    world.configure(dice, world.crowd)
    return hit


def kill_worker(world, dice):
    """One that has begun a moment ago: many files take no longer than some milliseconds."""
    until = time.monotonic() + 0.3
    while not world.service.workers() and time.monotonic() < until:
        time.sleep(0.001)
    time.sleep(dice.random() * 0.01)
    return chaos.kill_worker(world, dice)


RARE = [chaos.crash_server, chaos.kill_backend]
FAULTS = [kill_worker] * 6 + [chaos.terminate_backend] * 4 + [client_comes] * 3 + [
    client_leaves] * 2 + [requests] * 2 + [reload]


def command(world, dice, tally):
    """A command on a file, more often than not one that is under way; what it acknowledges is
    checked."""
    words = dice.choice(list(COMMANDS))
    file = dice.choice((dice.random() < 0.7 and world.busy()) or world.files)
    world.touched.add(file)
    answer = world.service.ctl(*words, file.path, "--json", patience_s=PATIENCE_S)
    error = answer.code and answer.json["error"]["code"]
    assert answer.code in COMMANDS[words], (words, answer)
    assert answer.code != 1 or words[0] == "verify" and error != "differs" or error == file.error, (
        words, file.kind, answer)
    tally.note("command " + " ".join(words), answer.code == 0)
    if answer.code == 0 and words[0] in ACKNOWLEDGED:
        status = exact(world, answer.json["id"])
        assert status in ACKNOWLEDGED[words[0]], (words, file.path, status, answer)


def exact(world, tracker):
    """check_exact(), also while the server still falls over."""
    while True:
        chaos.sql(world)
        try:
            return check_exact(world.service, tracker, True, set())
        except psycopg2.OperationalError:
            continue


def some_files(world, dice, count, new, tally):
    """So many that have no upload: `new` new ones, and old ones, which are forgotten."""
    old = dice.sample(world.files, min(len(world.files), max(0, count - new)))
    if old:
        world.service.ctl("forget", "--rows", *(file.path for file in old), patience_s=PATIENCE_S)
        tally.note("files uploaded anew")
    files = world.new_files(dice, new) + old
    world.touched.update(files)
    return files


def upload(world, files):
    if files:
        answer = world.service.ctl("upload", *(file.path for file in files), patience_s=PATIENCE_S)
        assert answer.code in {0, 1, 6, 9}, answer


# ---- a round ----


def act(world, dice, tally):
    what = dice.random()
    if what < 0.5:
        fault = dice.choice(RARE) if dice.random() < 0.02 else dice.choice(FAULTS)
        tally.note(fault.__name__.replace("_", " "), fault(world, dice))
    else:
        command(world, dice, tally)


def to_their_ends(world):
    """Every upload goes on, until it has ended as it should."""
    for _ in range(20):
        chaos.sql(world)
        world.service.wait_ready()
        rows = {row["path"]: row for row in world.service.ok("list", "--json").objects}
        left = [file for file in world.files if not file.has_ended(rows.get(str(file.path)))]
        if not left:
            return
        answer = world.service.ctl("upload", "--wait", "--json", *(file.path for file in left),
                                   patience_s=PATIENCE_S)
        assert answer.code in {0, 1, 3, 5, 6, 9}, answer
    raise AssertionError(f"these do not get to their ends: {[rows.get(str(f.path)) for f in left]}")


def gather(world, files, tally):
    """Their workers all at once: somebody holds the table until they are there."""
    workers = min(world.crowd, sum(file.has_upload for file in files))
    with world.cluster.connect(world.service.database) as other:
        other.run("BEGIN; LOCK uploader.file_data IN SHARE MODE")
        upload(world, files)
        end_s = world.at_s + GATHER_S
        while world.busy() and len(world.service.workers()) < workers and world.at_s < end_s:
            time.sleep(0.1)
        tally.note(f"{world.crowd} at once", len(world.service.workers()) > world.crowd // 2)
        other.run("COMMIT")


def disturb(world, dice, tally, files, until_s):
    """Until then faults and commands; in that time the files become so many, and there is always
    something to do."""
    began_s, had, acts = world.at_s, len(world.files), 0
    gather(world, some_files(world, dice, world.crowd, 0 if had else world.crowd, tally), tally)
    while world.at_s < until_s or acts < ACTS:
        acts += 1
        share = min(1, (world.at_s - began_s) / (until_s - began_s))
        new = max(0, int(had + (files - had) * share) - len(world.files))
        idle = world.crowd - len(world.busy())
        if new > 0 or idle > world.crowd // 2:
            upload(world, some_files(world, dice, min(idle, MORE), new, tally))
        act(world, dice, tally)
        time.sleep(dice.random() ** 3 * 0.1)
    upload(world, some_files(world, dice, 0, files - len(world.files), tally))


def one_round(world, dice, tally, most, files, until_s):
    warm = len(world.series[-1].samples) <= WARM_UP
    world.configure(dice, most if warm else dice.choice([most, most // 2, most // 5]))
    world.touched.clear()
    disturb(world, dice, tally, files, until_s)
    if world.at_s - world.series[-1].began_s > LIFE_S:
        tally.note("kill supervisor", world.service.workers())
        world.service.kill()
        world.new_life()
    world.leave_clients()
    to_their_ends(world)
    world.rest()
    touched = [file for file in world.files if file in world.touched and file.has_upload]
    for file in dice.sample(touched, min(CHECKED, len(touched))):
        exact(world, world.service.status(file.path)["id"])


def run(world, seed, seconds, files, tally):
    """The whole: so many files in so many seconds, and some more for the last to end."""
    round_s, number = min(ROUND_S, seconds / 8), 0
    first = min(WORKERS, files // 2)  # at once, and so is the largest crowd
    while world.at_s < seconds or number < WARM_UP + 3:
        number += 1
        until_s = world.at_s + round_s
        so_many = first + int((files - first) * min(1, until_s / seconds))
        one_round(world, dice_of(seed, number), tally, first, so_many, until_s)
        last = str(world.series[-1]).splitlines()[-1]
        print(f"  round {number}: {len(world.files)} files\n{last}", flush=True)
    finish(world)


def finish(world):
    """All uploads in one snapshot, with whatever lies in a table without one; then the service ends
    in order (under a sanitizer that is when leaks are said)."""
    with psycopg2.connect(world.cluster.conninfo(world.service.database)) as connection:
        wrong = checker.Checker(connection, refused=set()).check(with_file=True)
    assert not wrong, "\n".join(wrong[:20])
    assert world.service.stop() == 0, world.service_log()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    options = parser.parse_args()
    print(f"soak: seed {options.seed}, {options.files} files in {options.minutes:g} minutes",
          flush=True)
    for number in (signal.SIGINT, signal.SIGTERM):  # to end it in order, in the background too
        signal.signal(number, signal.default_int_handler)
    tally, world = Tally(), World()
    try:
        run(world, options.seed, options.minutes * 60, options.files, tally)
    except Exception:
        traceback.print_exc()
        print(world.service_log())
        return 1
    finally:
        print(f"soak: seed {options.seed}, {world.at_s:.0f} s, {len(world.files)} files, at most"
              f" {world.most_workers} workers at once; hit of tried:\n{tally}", flush=True)
        print(world.series_text(), flush=True)
        world.end()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
