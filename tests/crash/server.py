#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""The server is in trouble at a random instant of an upload, a resume or a stop: it shuts down at once,
has no connection or no room left, finds a deadlock, ends what takes too long or waits too long for a
lock, is read only by default, loses sessions, or stands still.

Whatever happens is no end: when the trouble is over, the upload goes on by itself, or with the same
command where it has been given up, and the table holds exactly the file. (standby.py has the server
that is replaced by its standby.)"""

import contextlib
import os
import signal
import subprocess
import tempfile
import time

import campaign
import psycopg2
from campaign import main
from harness import check_exact, send_signal, wait_until

BAD = {7, 900}


class Disk:
    """A tablespace on a small file system of its own, where one may mount."""

    def __init__(self, cluster):
        self.folder = tempfile.mkdtemp(prefix="upl-disk-", dir="/tmp")
        self.ballast = f"{self.folder}/ballast"
        self.there = self.call("mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", self.folder)
        if not self.there:
            print("no file system can be mounted here: the disk is never full")
            return
        owner = os.stat(f"{cluster.folder}/data")
        self.call("chown", f"{owner.st_uid}:{owner.st_gid}", self.folder)
        with cluster.connect() as sql:
            sql.run(f"CREATE TABLESPACE small LOCATION '{self.folder}'")

    @staticmethod
    def call(*command):
        sudo = [] if os.getuid() == 0 else ["sudo", "-n"]
        with contextlib.suppress(FileNotFoundError):
            return subprocess.run([*sudo, *command], stderr=subprocess.DEVNULL).returncode == 0
        return False

    def fill(self, left):
        """But for so many bytes."""
        with open(self.ballast, "wb", buffering=0) as file:
            with contextlib.suppress(OSError):
                while file.write(bytes(65536)):
                    pass
            file.truncate(max(0, file.tell() - left))

    def free(self):
        os.unlink(self.ballast)

    def end(self):
        if self.there:
            self.call("umount", self.folder)
        os.rmdir(self.folder)


class World(campaign.World):
    rounds_of_a_database = 10

    def __init__(self):
        super().__init__("max_connections=16", "deadlock_timeout=20ms", "wal_level=minimal",
                         "max_wal_senders=0")
        self.disk = Disk(self.cluster)

    def renew(self, dice):
        if self.next_round():
            self.begin(upload={"chunk_bytes": "4K", "lanes": dice.randint(1, 3)},
                       supervisor={"retry_limit": 1000}).start()
        return self.service

    def end(self):
        super().end()
        self.disk.end()

    def said(self, text):
        """How often the server has logged it."""
        with open(f"{self.cluster.folder}/log", errors="replace") as log:
            return log.read().count(text)


# ---- troubles: each is a context; what it yields says, afterwards, whether it was met ----


@contextlib.contextmanager
def immediate_stop(world, _):
    busy = bool(world.service.workers())
    world.cluster.crash()
    yield lambda: busy
    world.cluster.start()


@contextlib.contextmanager
def no_connections(world, _):
    """All are taken, and the workers lose theirs."""
    before = world.said("too many clients already")
    with contextlib.ExitStack() as taken:
        sql = taken.enter_context(world.cluster.connect())
        take_all(world, taken)
        end_workers(sql)
        take_all(world, taken)
        yield lambda: world.said("too many clients already") > before + 2  # two were ours


def take_all(world, taken):
    with contextlib.suppress(psycopg2.OperationalError):
        while True:
            taken.enter_context(world.cluster.connect())


def end_workers(sql):
    """The sessions of workers end: those of trackers, whose number is not 0."""
    sql.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE split_part("
            "application_name, '/', 1) = 'uploader' AND split_part(application_name, '/', 4) <> '0'")


@contextlib.contextmanager
def disk_full(world, dice):
    if not world.disk.there:
        yield lambda: False
        return
    before = world.said("No space left on device")
    world.disk.fill(left=dice.randint(0, 300_000))
    yield lambda: world.said("No space left on device") > before
    world.disk.free()


@contextlib.contextmanager
def deadlock(world, dice):
    """A session has what a chunk needs next, and wants what the chunk has."""
    before = world.said("deadlock detected")
    for _ in range(5):
        with world.cluster.connect(world.service.database) as sql:
            with contextlib.suppress(psycopg2.Error):
                sql.run("BEGIN; SET LOCAL lock_timeout = '1s';"
                        " LOCK TABLE uploader.file_checkpoint IN EXCLUSIVE MODE")
                time.sleep(dice.random() * 0.02)
                sql.run("LOCK TABLE uploader.file_data IN ACCESS EXCLUSIVE MODE; COMMIT")
    yield lambda: world.said("deadlock detected") > before


@contextlib.contextmanager
def lock_timeout(world, dice):
    """Somebody has the tracker, or the table, for longer than anybody waits."""
    before = world.said("due to lock timeout")
    what, seconds = dice.choice([("SELECT FROM uploader.file_tracker FOR UPDATE", 3),
                                 ("LOCK TABLE uploader.file_data IN ACCESS EXCLUSIVE MODE", 6)])
    with world.cluster.connect(world.service.database) as sql:
        with contextlib.suppress(psycopg2.Error):
            sql.run(f"BEGIN; {what}")
            time.sleep(seconds)
        yield lambda: world.said("due to lock timeout") > before


@contextlib.contextmanager
def default_of_database(world, setting, value):
    """The database's sessions begin with it from now on; those that were there end."""
    busy = bool(world.service.workers())
    name = world.service.database
    with world.cluster.connect() as sql:
        sql.run(f"ALTER DATABASE {name} SET {setting} = '{value}'")
        sql.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name LIKE 'uploader/%%'")
        yield lambda: busy
        sql.run(f"ALTER DATABASE {name} RESET {setting}")


def statement_timeout(world, dice):
    return default_of_database(world, "statement_timeout", dice.choice(["1ms", "3ms", "20ms"]))


def idle_timeout(world, _):
    return default_of_database(world, "idle_in_transaction_session_timeout", "1ms")


def read_only(world, _):
    return default_of_database(world, "default_transaction_read_only", "on")


@contextlib.contextmanager
def cancelled(world, dice):
    """An administrator cancels whatever a session does, again and again."""
    hit = 0
    with world.cluster.connect() as sql:
        for _ in range(10):
            hit += len(sql.run("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE"
                               " application_name LIKE 'uploader/%%' AND state = 'active'"))
            time.sleep(dice.random() * 0.02)
        yield lambda: hit > 0


@contextlib.contextmanager
def terminated(world, dice):
    with world.cluster.connect() as sql:
        pids = [pid for pid, in sql.run("SELECT pid FROM pg_stat_activity"
                                        " WHERE application_name LIKE 'uploader/%%'")]
        some = pids if dice.random() < 0.5 else dice.sample(pids, min(1, len(pids)))
        for pid in some:
            sql.run("SELECT pg_terminate_backend(%s)", pid)
    busy = bool(world.service.workers())
    yield lambda: busy and some


@contextlib.contextmanager
def slow(world, dice):
    """All of the server stands still for moments, or one session does."""
    busy = bool(world.service.workers())
    if dice.random() < 0.5:
        thaw = world.cluster.freeze()
    else:
        with world.cluster.connect() as sql:
            pids = [pid for pid, in sql.run("SELECT pid FROM pg_stat_activity"
                                            " WHERE application_name LIKE 'uploader/%%'")]
        chosen = dice.sample(pids, min(1, len(pids)))
        for pid in chosen:
            send_signal(pid, signal.SIGSTOP)

        def thaw():
            for pid in chosen:
                send_signal(pid, signal.SIGCONT)
    yield lambda: busy
    thaw()


TROUBLES = [immediate_stop, no_connections, disk_full, deadlock, lock_timeout, statement_timeout,
            idle_timeout, read_only, cancelled, terminated, slow]


# ---- a round ----


def wait_to_be_met(service, tracker, met):
    """Some are met only by the next worker, which comes when the one before has been missed."""
    end = time.monotonic() + 3
    while not met() and time.monotonic() < end:
        answer = service.ctl("status", tracker, "--json")
        if answer.code == 0 and answer.json["status"] in ("PROCESSED", "STOPPED"):
            break
        time.sleep(0.02)
    return met()


def begin(world, dice, path):
    """An upload, a resume or a stop is under way; answers the tracker and what that is."""
    service = world.service
    what = dice.choice(["upload", "resume", "stop"])
    tracker = service.ok("upload", path, "--json").json["id"]
    wait_until(lambda: service.status(tracker)["rows"] > 0, "the first rows")
    if what == "resume" and service.ctl("kill", path).code == 0:
        service.ctl("upload", path)
    time.sleep(dice.random() ** 2 * 0.1)
    if what == "stop":
        service.ctl("stop", "--no-wait", path)
    return tracker, what


def to_the_end(service, path):
    """With the same command again, where somebody has given it up."""
    for _ in range(100):
        answer = service.ctl("upload", "--wait", path, "--json")
        if answer.code == 3 or answer.code == 6 and service.status(path)["status"] == "PROCESSED":
            return
        assert answer.code in (1, 5, 6, 9), answer  # 6: a stop is under way
        time.sleep(0.1)
    raise AssertionError(f"it does not get to its end: {answer}")


def one_round(world, dice, tally):
    service = world.renew(dice)
    trouble = TROUBLES[(dice.number - 1) % len(TROUBLES)]
    path = service.people(f"f{dice.number}.csv", dice.randint(30_000, 80_000), bad=BAD)
    if trouble is disk_full and world.disk.there:
        service.sql.run("ALTER TABLE uploader.file_data SET TABLESPACE small")
    tracker, what = begin(world, dice, path)
    with trouble(world, dice) as met:
        time.sleep(dice.random() * 0.2)
        hit = wait_to_be_met(service, tracker, met)
    tally.note(f"{trouble.__name__.replace('_', ' ')}", hit)
    service.leave_sql()  # the server may have ended it
    service.wait_ready()
    to_the_end(service, path)
    assert check_exact(service, tracker, True) == "PROCESSED", (trouble.__name__, what)
    if trouble is disk_full and world.disk.there:
        service.sql.run("ALTER TABLE uploader.file_data SET TABLESPACE pg_default")


if __name__ == "__main__":
    raise SystemExit(main("server", __doc__, World, one_round, 20 * len(TROUBLES)))
