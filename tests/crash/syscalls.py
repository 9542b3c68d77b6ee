#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""Worker and supervisor are killed at their n-th system call: of an upload of three chunks, of a
stop, of a resume. What died is started again, and the upload goes on to its end.

All of them are the whole campaign, in their order; --every N takes every N-th. How many there are
is counted first; they differ a little from run to run, so that the last may be missed."""

import shutil
import signal
import sys

import campaign
from campaign import main
from harness import BUILD, check_exact, sanitizer, wait_until

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
NTH = BUILD / "tests/nth"


class World(campaign.World):
    every = 1

    def __init__(self):
        super().__init__()
        self.places = []
        self.count = 0
        for victim in ("worker", "supervisor"):
            for scenario in (upload, stop, resume):
                self.prepare(victim, 0)
                scenario(self.service)
                self.rest()
                self.places += [(victim, scenario, n) for n in range(1, self.count + 1)]
        self.whole = -(-len(self.places) // self.every)
        print(f"{len(self.places)} calls", flush=True)

    def prepare(self, victim, number):
        """A service of which the victim is killed at that call, once, when it is armed."""
        service = self.begin(upload={"chunk_bytes": "4K", "lanes": 1})
        self.counted = service.folder / "count"
        bin_folder = service.folder / "bin"
        bin_folder.mkdir()
        for program in ("uploaderd", "uploader-worker", "uploadctl"):
            shutil.copy(BUILD / program, bin_folder / program)
        service.program = [bin_folder / "uploaderd"]
        if victim == "supervisor":
            service.program = [NTH, str(number), self.counted, bin_folder / "uploaderd"]
        else:
            (bin_folder / "uploader-worker").rename(bin_folder / "real")
            (bin_folder / "uploader-worker").write_text(
                f'#!/bin/sh\n[ -e {service.folder}/armed ] || exec {bin_folder}/real "$@"\n'
                f'exec {NTH} {number} {self.counted} {bin_folder}/real "$@"\n')
            (bin_folder / "uploader-worker").chmod(0o755)
        service.start(wait=False, environment=sanitizer("detect_leaks=0"))  # it cannot, traced
        if lives(service):
            service.sql.run(TABLE)

    def rest(self):
        """Ends the supervisor, which writes the count."""
        self.service.stop()
        wait_until(lambda: self.counted.read_text().endswith("\n"), "the count")
        self.count = int(self.counted.read_text())


def lives(service):
    """Waits until it is ready, or dead."""
    def settled():
        if service.process.poll() is not None:
            return "dead"
        answer = service.ctl("ping", "--json")
        return "ready" if answer.code == 0 and answer.json["database"] == "ready" else None

    return wait_until(settled, "uploaderd to be ready, or dead") == "ready"


# ---- scenarios: each goes as far as it goes ----


def arm(service):
    (service.folder / "armed").touch()


def upload(service):
    path = service.people(count=COUNT, bad=BAD)
    arm(service)
    service.ctl("upload", "--wait", path)


def stop(service):
    """Of an upload that is held up in its third chunk."""
    path = service.people(count=COUNT, bad=BAD)
    arm(service)
    with service.cluster.connect(service.database) as blocker:
        blocker.run("SELECT pg_advisory_lock(4711)")
        service.ctl("upload", path)
        wait_until(lambda: service.count("file_checkpoint") == 2
                   or service.process.poll() is not None, "two chunks, or a death")
        service.ctl("stop", path)


def resume(service):
    path = service.people(count=COUNT, bad=BAD)
    service.ctl("upload", path)
    service.ctl("kill", path)
    arm(service)
    service.ctl("upload", "--wait", path)


def one_round(world, dice, tally):
    """Round n is the n-th place."""
    victim, scenario, number = world.places[(dice.number - 1) * world.every % len(world.places)]
    world.prepare(victim, number)
    service = world.service
    path = service.files / "people.csv"
    if victim == "worker" or lives(service):
        scenario(service)
    if not path.exists():
        service.people(count=COUNT, bad=BAD)
    died = victim == "worker" or service.process.poll() is not None
    if service.process.poll() is not None:
        service.process.wait()
    else:
        service.process.send_signal(signal.SIGKILL)
        service.process.wait()
    wait_until(lambda: world.counted.read_text().endswith("\n") if world.counted.exists() else True,
               "the count")
    hit = world.counted.exists() and int(world.counted.read_text()) == number and died
    tally.note(f"{victim}, {scenario.__name__}", hit)
    service.program = [service.folder / "bin/uploaderd"]
    service.start()
    if not service.sql.run("SELECT 1 FROM pg_trigger WHERE tgname = 'hold'"):
        service.sql.run(TABLE)
    answer = service.ctl("status", path, "--json")
    if answer.code == 0:
        check_exact(service, answer.json["id"], True)
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
