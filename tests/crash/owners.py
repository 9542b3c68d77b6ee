#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""Two supervisors with two names and one database, and the same file for both: commands to either
in random order, and one of them is stopped like a machine that hangs (SIGSTOP, its worker too), and
goes on later as if nothing had been."""

import signal
import time

import campaign
from campaign import harness, main
from harness import check_exact, send_signal

COMMANDS = [("upload",), ("upload",), ("kill",), ("stop",), ("upload", "--restart")]
ALLOWED = {0, 3, 5, 6, 8}


class World(campaign.World):
    frozen = None

    def renew(self, dice):
        """The services for a round; their database is made anew from time to time."""
        if self.next_round():
            self.begin_two(dice)
        return self.services

    def begin_two(self, dice):
        options = {"upload": {"chunk_bytes": "4K", "lanes": dice.randint(1, 3)},
                   "supervisor": {"retry_limit": 1000, "stop_timeout": "2s"}}
        first = self.begin(name="first", **options)
        second = harness.Service(self.cluster, first.database, folder=first.folder, name="second",
                                 **options)
        second.environment.update(self.environment)
        self.services.append(second)
        self.frozen = None
        for service in self.services:
            service.start()


def freeze(world, service):
    world.frozen = service
    for pid in [service.process.pid, *service.workers()]:
        send_signal(pid, signal.SIGSTOP)


def thaw(world):
    if world.frozen:
        for pid in [*world.frozen.workers(), world.frozen.process.pid]:
            send_signal(pid, signal.SIGCONT)
    world.frozen = None


def act(world, dice, path, tally):
    what = dice.random()
    service = dice.choice([s for s in world.services if s is not world.frozen])
    if what < 0.25:
        thaw(world)
        return
    if what < 0.5 and not world.frozen:
        busy = [s for s in world.services if s.workers()]
        service = busy[0] if busy else service
        tally.note("freeze", busy)
        freeze(world, service)
        return
    if what < 0.6:
        for pid in service.workers():
            send_signal(pid, signal.SIGKILL)
        return
    words = dice.choice(COMMANDS)
    answer = service.ctl(*words, path, "--json")
    assert answer.code in ALLOWED, (words, answer)
    tally.note("command " + " ".join(words) + (", the other frozen" if world.frozen else ""),
               answer.code == 0)
    if answer.code == 0 and words[0] in ("stop", "kill"):
        check_exact(service, answer.json["id"], True)


def to_the_end(world, path):
    """One of them owns it, and says so; the other refuses."""
    for number in range(40):
        service = world.services[number % 2]
        answer = service.ctl("upload", "--wait", path, "--json")
        if answer.code in (0, 3):
            return answer.json["id"]
        error = answer.json.get("error") or {}
        if error.get("code") == "already_uploaded":
            return service.status(path)["id"]
        assert answer.code in (1, 5, 6), answer
        time.sleep(0.05)
    raise AssertionError(f"it does not get to its end: {answer}")


def one_round(world, dice, tally):
    services = world.renew(dice)
    path = services[0].people(f"f{dice.number}.csv", dice.randint(8000, 30000))
    dice.choice(services).ok("upload", path)
    for _ in range(dice.randint(3, 8)):
        time.sleep(dice.random() ** 2 * 0.15)
        act(world, dice, path, tally)
    if world.frozen:
        time.sleep(dice.random() * 0.5)
    thaw(world)
    tracker = to_the_end(world, path)
    time.sleep(0.1)  # what was frozen may have something in hand still
    assert check_exact(services[0], tracker, True) == "PROCESSED"


if __name__ == "__main__":
    raise SystemExit(main("owners", __doc__, World, one_round, 1000))
