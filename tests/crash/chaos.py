#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""Deaths and commands in random order at random instants, several files at once.

A round: some files with rejects are given to a service whose table is plain, or has a unique
index, or a trigger; workers, supervisor, backends and the server die, and commands come; at random
instants and after every acknowledged command the musts are checked in one snapshot; then every
file goes on to its end, and the table holds exactly the files."""

import itertools
import os
import signal
import time

import campaign
import psycopg2
from campaign import harness, main
from harness import check_exact, children, send_signal, wait_until

TABLES = {
    "plain": "",
    "unique index": "CREATE UNIQUE INDEX one_email ON uploader.file_data (file_tracker_id, email)",
    "check": "ALTER TABLE uploader.file_data ADD CHECK (name <> 'Refused')",
    "statement trigger": """
        CREATE TABLE tally (n bigint); INSERT INTO tally VALUES (0);
        CREATE FUNCTION tally() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN UPDATE public.tally SET n = n + 1; RETURN NULL; END $$;
        CREATE TRIGGER tally AFTER INSERT ON uploader.file_data
            FOR EACH STATEMENT EXECUTE FUNCTION tally()""",
    "row trigger": """
        CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN NEW.updated_at := now(); RETURN NEW; END $$;
        CREATE TRIGGER touch BEFORE INSERT ON uploader.file_data
            FOR EACH ROW EXECUTE FUNCTION touch()""",
}


class World(campaign.World):
    def __init__(self):
        super().__init__()
        self.table = None
        self.refused = {}  # path: lines that the table refuses
        self.names = itertools.count(1)

    def renew(self, dice):
        """The service for a round; its database is made anew from time to time."""
        if self.next_round():
            service = self.begin(upload={"chunk_bytes": "4K", "lanes": dice.randint(1, 4)},
                                 supervisor={"retry_limit": 1000, "log_level": "info"}).start()
            self.table = dice.choice(list(TABLES))
            if TABLES[self.table]:
                service.sql.run(TABLES[self.table])
        return self.service


# ---- what happens: each answers whether it came at an instant that counts ----


def kill_worker(world, dice):
    pids = world.service.workers()
    if pids:
        send_signal(dice.choice(pids), signal.SIGKILL)
    return bool(pids)


def kill_supervisor(world, _):
    hit = bool(world.service.workers())
    world.service.kill()
    world.service.start()
    return hit


def kill_both(world, dice):
    hit = kill_worker(world, dice)
    kill_supervisor(world, dice)
    return hit


def shutdown(world, _):
    hit = bool(world.service.workers())
    assert world.service.stop() == 0
    world.service.start()
    return hit


def answers(world):
    try:
        world.service.sql.run("SELECT 1")
        return True
    except psycopg2.Error:
        return False  # it is closed now, and the next is a new one


def sql(world):
    """A connection that lives; the one of before may have died with its server."""
    wait_until(lambda: answers(world), "the server to answer")
    return world.service.sql


def backends(world):
    return [pid for pid, in sql(world).run(
        "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'uploader/%%'")]


def terminate_backend(world, dice):
    pids = backends(world)
    hit = bool(pids and world.service.workers())
    if pids:
        sql(world).run("SELECT pg_terminate_backend(%s)", dice.choice(pids))
    return hit


def kill_backend(world, dice):
    """SIGKILL of one: the server ends all the others and recovers."""
    pids = backends(world)
    hit = bool(pids and world.service.workers())
    if pids:
        send_signal(dice.choice(pids), signal.SIGKILL)
        soon = time.monotonic() + 2  # it may have ended by itself just before
        while answers(world) and time.monotonic() < soon:
            time.sleep(0.005)
    return hit


def crash_server(world, _):
    hit = bool(world.service.workers())
    world.cluster.crash()
    world.cluster.start()
    return hit


def kill_postmaster(world, _):
    """Its backends see that and end, each when it likes; until then no new server may start."""
    hit = bool(world.service.workers())
    with open(f"{world.cluster.folder}/data/postmaster.pid") as file:
        pid = int(file.readline())
    family = children(pid)
    send_signal(pid, signal.SIGKILL)
    wait_until(lambda: not any(map(harness.alive, [pid, *family])), "the backends to end")
    # where nobody reaps it, it counts as running; its family is gone, so nothing can come after
    os.unlink(f"{world.cluster.folder}/data/postmaster.pid")
    os.unlink(f"{world.cluster.folder}/.s.PGSQL.5432.lock")
    world.cluster.start()
    return hit


def tidy_index(world, dice):
    """The BRIN index is summarised, or loses a range's summary, while chunks and rollbacks go on."""
    statement = dice.choice(["VACUUM uploader.file_data",
                             "SELECT brin_summarize_new_values('uploader.file_data_place')",
                             "SELECT brin_desummarize_range('uploader.file_data_place', 0)"])
    sql(world).run(statement)
    return bool(world.service.workers())


FAULTS = [kill_worker, kill_supervisor, kill_both, shutdown, terminate_backend, kill_backend,
          crash_server, kill_postmaster, tidy_index]
RARE = {crash_server, kill_postmaster, kill_backend}  # for they take long
COMMANDS = [("stop",), ("kill",), ("upload",), ("upload", "--restart")]
ENDS = {"stop": "STOPPED", "kill": "KILLED"}
ALLOWED = {0, 6, 9}  # done, refused as it is done already, database away


def exact(world, tracker, path):
    """check_exact(), also while the server still falls over the loss of a backend."""
    while True:
        sql(world)
        try:
            return check_exact(world.service, tracker, True, world.refused[path])
        except psycopg2.OperationalError:
            continue


def command(world, dice, path, tally):
    """A command on a file, waited for, and checked if it was acknowledged."""
    words = dice.choice(COMMANDS)
    answer = world.service.ctl(*words, path, "--json")
    assert answer.code in ALLOWED, (words, answer)
    end = ENDS.get(words[0])
    hit = answer.code == 0 and answer.json["rows"] > 0 if end != "STOPPED" else answer.code == 0
    tally.note("command " + " ".join(words), hit)
    if end and answer.code == 0:
        assert exact(world, answer.json["id"], path) == end, (words, answer)


def make_file(world, dice):
    """A file with some bad records and some that the table may refuse, with quoted line breaks and
    one of the line ends; answers its path and the number of its rejects."""
    count = dice.randint(500, 5000)
    odd = dice.sample(range(2, count), dice.randint(0, 8))
    bad = set(odd[::2])
    refused = set(odd[1::2]) if world.table in ("unique index", "check") else set()
    end = dice.choice(["\n", "\r\n"])
    lines = ["name,email"]
    for i in range(1, count + 1):
        name = dice.choice(["Person", '"Per\nson"', '"Per,""son"""', "Pérson"])
        key = i
        if i in refused and world.table == "check":
            name = "Refused"
        elif i in refused:
            key = 1  # whose email is taken
        lines.append(f"{name},person{key}@example.org" + (",surplus" if i in bad else ""))
    text = end.join(lines) + dice.choice([end, ""])
    path = world.service.file(f"r{next(world.names)}.csv", text)
    world.refused[path] = refused
    return path, len(bad) + len(refused)


def to_the_end(world, path, bad):
    """Whatever happened: the upload gets to PROCESSED, and the table holds exactly the file."""
    service = world.service
    sql(world)
    service.wait_ready()
    for _ in range(20):
        answer = service.upload_after_a_stop(path)
        if answer.code in (0, 3, 6):
            break
        assert answer.code in (5, 9), answer  # a stop or kill from before; the database was away
    tracker = service.status(path)["id"]
    assert exact(world, tracker, path) == "PROCESSED", (path, answer)
    sql(world)
    assert service.count("file_reject", tracker) == bad, path


def one_round(world, dice, tally):
    service = world.renew(dice)
    files = [make_file(world, dice) for _ in range(dice.randint(1, 3))]
    service.ok("upload", *(path for path, _ in files))
    for _ in range(dice.randint(1, 5)):
        time.sleep(dice.random() ** 3 * 0.1)
        act = dice.random()
        if act < 0.45:
            fault = dice.choice(FAULTS)
            if fault in RARE and dice.random() < 0.7:
                fault = kill_worker
            tally.note(fault.__name__.replace("_", " "), fault(world, dice))
        elif act < 0.9:
            command(world, dice, dice.choice(files)[0], tally)
        else:
            for path, _ in files:
                answer = service.ctl("status", path, "--json")
                if answer.code == 0:
                    exact(world, answer.json["id"], path)
            tally.note("look in the middle", service.workers())
    for path, bad in files:
        to_the_end(world, path, bad)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    raise SystemExit(main("chaos", __doc__, World, one_round, 10_000))
