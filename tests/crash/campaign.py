# SPDX-License-Identifier: PostgreSQL
"""What every campaign has: a seed, rounds that can be repeated one by one, a count of what was
tried and of what really hit, and one way to be started.

A campaign is a function round(world, dice, tally), run once for each round with dice of its own.
It raises AssertionError when something is wrong. A fault that came too late is no hit."""

import argparse
import random
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import harness  # noqa: E402


class Tally:
    """How often each thing was tried, and how often it came at an instant that counts."""

    def __init__(self):
        self.tried, self.hit = Counter(), Counter()

    def note(self, what, hit=True):
        self.tried[what] += 1
        self.hit[what] += bool(hit)
        return hit

    def __str__(self):
        width = max(map(len, self.tried), default=0)
        return "\n".join(f"  {what:{width}}  {self.hit[what]:6} of {self.tried[what]:6}"
                         for what in sorted(self.tried))


class World:
    """A server of its own, and the services of a round: the first has made their database."""

    rounds_of_a_database = 20  # to make one for each takes longer than a round
    environment = {"UPLOADER_STEP_RECORDS": "200"}  # a rollback of a small file has several steps, too

    def __init__(self, *settings):
        self.cluster = harness.Cluster("fsync=off", "max_connections=200", *settings)
        self.services = []
        self.rounds = 0

    def next_round(self):
        """Counts a round; whether its database is to be made anew."""
        self.rounds += 1
        return self.rounds % self.rounds_of_a_database == 1

    @property
    def service(self):
        return self.services[0] if self.services else None

    def begin(self, **options):
        """A new service with a new database, in place of those before; not started."""
        self.leave()
        self.services = [harness.Service(self.cluster, **options)]
        self.service.environment.update(self.environment)
        return self.service

    def leave(self):
        """The services end and their database goes; the server is there."""
        database = self.service and self.service.database
        self.stop()
        if database:
            self.cluster.drop_database(database)

    def stop(self):
        for service in reversed(self.services):
            service.remove()
        self.services = []

    def service_log(self):
        return "\n".join(service.log_text()[-6000:] for service in self.services)

    def end(self):
        """Whatever has happened to the server."""
        self.stop()
        self.cluster.remove()


class Failure(AssertionError):
    """A round that failed; its text says how to repeat it."""


def dice_of(seed, number):
    """Each round throws its own dice, so that one can be repeated without those before it."""
    dice = random.Random(f"{seed}/{number}")
    dice.number = number
    return dice


def run(name, one_round, world, seed, numbers, tally=None):
    """Runs the rounds of these numbers; answers the tally."""
    tally = tally or Tally()
    for number in numbers:
        try:
            one_round(world, dice_of(seed, number), tally)
        except Exception as error:
            raise Failure(f"{error}\n{world.service_log()}\nrepeat it with: tests/crash/{name}.py"
                          f" --seed {seed} --first {number} --rounds 1") from error
    return tally


def main(name, doc, make_world, one_round, rounds=None):
    """The program of a campaign: NAME.py [--seed S] [--rounds N] [--first R]. Without `rounds` a whole
    one has as many as the world's `whole` says."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--rounds", type=int, help=f"how many (default {rounds or 'all there are'})")
    parser.add_argument("--first", type=int, default=1, help="number of the first round")
    options = parser.parse_args()
    begin, tally, world = time.monotonic(), Tally(), make_world()
    count = options.rounds or rounds or world.whole - options.first + 1
    numbers = range(options.first, options.first + count)
    print(f"{name}: seed {options.seed}, rounds {numbers[0]} to {numbers[-1]}", flush=True)
    try:
        for number in numbers:
            run(name, one_round, world, options.seed, [number], tally)
            if number % 100 == 0:
                print(f"{name}: round {number}, {time.monotonic() - begin:.0f} s", flush=True)
    except Failure:
        traceback.print_exc()
        return 1
    finally:
        print(f"{name}: seed {options.seed}, {time.monotonic() - begin:.0f} s; hit of tried:")
        print(tally, flush=True)
        world.end()
    return 0


__all__ = ["Failure", "Tally", "World", "dice_of", "harness", "main", "run"]
