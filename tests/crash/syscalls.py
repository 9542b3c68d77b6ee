#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""Worker and supervisor are killed at their n-th system call: of an upload of three chunks, of a
stop, of a resume. What died is started again, and the upload goes on to its end.

All of them are the whole campaign, in their order; --every N takes every N-th. How many there are
is counted first; they differ a little from run to run, so that the last may be missed."""

import contextlib
import shutil
import sys

import campaign
from campaign import main
from harness import BUILD, check_exact, children, sanitizer, wait_until

COUNT = 330  # three chunks
BAD = {5, 200}
REFUSED = {100, 329}
TABLE = """
    ALTER TABLE uploader.file_data ADD CHECK (name NOT IN ('Person 100', 'Person 329'));
    CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.line_no = 300 THEN PERFORM pg_advisory_xact_lock_shared(4711); END IF;
            RETURN NEW;
        END $$;
    CREATE TRIGGER hold BEFORE INSERT ON uploader.file_data FOR EACH ROW EXECUTE FUNCTION hold()"""
CHUNKS = """
    SELECT count(*) FROM uploader.file_checkpoint JOIN uploader.file_tracker ON id = file_tracker_id
    WHERE path = %s"""
NTH = BUILD / "tests/nth"


class World(campaign.World):
    every = 1
    environment = {}  # the same at each round

    def __init__(self):
        super().__init__()
        self.places = []
        for victim in ("worker", "supervisor"):
            for scenario in (upload, stop, resume):
                self.prepare(victim, scenario, 0)
                scenario(self, self.path())
                self.service.stop()
                self.places += [(victim, scenario, n) for n in range(1, self.calls() + 1)]
        self.rounds = 0
        self.whole = -(-len(self.places) // self.every)
        print(f"{len(self.places)} calls", flush=True)

    def prepare(self, victim, scenario, number):
        """A service of which the victim is killed at that call, once: the worker when it is armed. The
        supervisor that is counted through an upload makes the tables, too."""
        migrates = victim == "supervisor" and scenario is upload
        if self.next_round() or migrates:
            self.begin_with_programs()
        service = self.service
        self.counted = service.folder / f"count{self.rounds}"
        self.armed = f"{number} {self.counted}\n" if victim == "worker" else ""
        if victim == "supervisor":
            service.stop()
            service.program = [NTH, str(number), self.counted, service.folder / "bin/uploaderd"]
        if victim == "supervisor" or not service.process or service.process.poll() is not None:
            service.start(wait=False, environment=sanitizer("detect_leaks=0"))  # it cannot, traced
            if lives(service):
                self.make_table()

    def begin_with_programs(self):
        """A new service with programs of its own; its worker is traced when that is asked for."""
        service = self.begin(upload={"chunk_bytes": "4K", "lanes": 1})
        bin_folder = service.folder / "bin"
        bin_folder.mkdir()
        for program in ("uploaderd", "uploader-worker"):
            shutil.copy(BUILD / program, bin_folder / program)
        (bin_folder / "uploader-worker").rename(bin_folder / "real")
        (bin_folder / "uploader-worker").write_text(
            f'#!/bin/sh\n[ -e {service.folder}/armed ] || exec {bin_folder}/real "$@"\n'
            f'read -r nth file <{service.folder}/armed\n'
            f'exec {NTH} -f "$nth" "$file" {bin_folder}/real "$@"\n')
        (bin_folder / "uploader-worker").chmod(0o755)
        service.program = [bin_folder / "uploaderd"]

    def make_table(self):
        if not self.service.sql.run("SELECT 1 FROM pg_trigger WHERE tgname = 'hold'"):
            self.service.sql.run(TABLE)

    def path(self):
        """A new file."""
        return self.service.people(f"f{self.rounds}.csv", COUNT, BAD)

    def arm(self):
        """The next worker, which is to come from a new process."""
        if self.armed:
            wait_until(lambda: not children(self.service.process.pid), "idle workers to end")
            (self.service.folder / "armed").write_text(self.armed)

    def calls(self):
        """How many calls the victim made; 0 when there was none."""
        if not self.counted.exists():
            return 0
        wait_until(lambda: self.counted.read_text().endswith("\n"), "the count")
        return int(self.counted.read_text())


def lives(service):
    """Waits until it is ready, or dead."""
    wait_until(lambda: service.process.poll() is not None
               or service.ask("ping").get("database") == "ready", "uploaderd to be ready, or dead",
               pause_s=0.03)
    return service.process.poll() is None


# ---- scenarios: each goes as far as it goes, with a file of its own ----


def give(service, *words):
    """A command; uploadctl would wait for a supervisor that has died to come back."""
    client = service.ctl_start(*words)
    wait_until(lambda: client.poll() is not None or service.process.poll() is not None,
               "an answer, or a death")
    client.kill()
    client.communicate()


def upload(world, path):
    world.arm()
    give(world.service, "upload", "--wait", path)


@contextlib.contextmanager
def held(world, path):
    """An upload of which two chunks are in, and the third is held up; or its supervisor has died."""
    service = world.service
    with service.cluster.connect(service.database) as blocker:
        blocker.run("SELECT pg_advisory_lock(4711)")
        give(service, "upload", path)
        wait_until(lambda: service.sql.value(CHUNKS, str(path)) == 2
                   or service.process.poll() is not None, "two chunks, or a death")
        yield


def stop(world, path):
    world.arm()
    with held(world, path):
        give(world.service, "stop", path)


def resume(world, path):
    with held(world, path):
        give(world.service, "kill", path)
    world.arm()
    give(world.service, "upload", "--wait", path)


def one_round(world, dice, tally):
    """Round n is the n-th place."""
    victim, scenario, number = world.places[(dice.number - 1) * world.every % len(world.places)]
    world.prepare(victim, scenario, number)
    service, path = world.service, world.path()
    if victim == "worker" or lives(service):
        scenario(world, path)
    died = victim == "worker" or service.process.poll() is not None
    if victim == "supervisor":
        service.process.kill()
        service.process.wait()
    tally.note(f"{victim}, {scenario.__name__}", died and world.calls() == number)
    if victim == "supervisor":
        service.program = [service.folder / "bin/uploaderd"]
        service.start()
        world.make_table()
    upload = service.look(path)
    if upload:
        check_exact(service, upload["id"], True)
    answer = service.upload_after_a_stop(path)
    assert answer.code in (3, 6), (victim, scenario.__name__, number, answer)
    tracker = service.status(path)["id"]
    assert check_exact(service, tracker, True, REFUSED) == "PROCESSED"


def every_of_arguments():
    if "--every" in sys.argv:
        at = sys.argv.index("--every")
        World.every = int(sys.argv[at + 1])
        del sys.argv[at:at + 2]


if __name__ == "__main__":
    every_of_arguments()
    raise SystemExit(main("syscalls", __doc__, World, one_round))
