# SPDX-License-Identifier: PostgreSQL
"""A sample of every campaign; make campaign runs the whole. UPLOADER_SEED repeats one."""

import os
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import campaign  # noqa: E402
import chaos  # noqa: E402
import files  # noqa: E402
import hostile  # noqa: E402
import owners  # noqa: E402
import points  # noqa: E402
import resources  # noqa: E402
import server  # noqa: E402
import spool  # noqa: E402
import standby  # noqa: E402
import syscalls  # noqa: E402
import wire  # noqa: E402
from harness import SANITIZED  # noqa: E402

SHARE = 16 if SANITIZED else 1  # all of it is run without sanitizers, and faster

CAMPAIGNS = {  # module: rounds of its sample, and what must have hit at least so often in it; "": all
    chaos: (100, {"kill worker": 10, "kill supervisor": 1, "command stop": 5, "command kill": 1}),
    files: (90, {"truncate": 1, "replace between": 1, "fail": 1, "fail between": 1}),
    hostile: (len(hostile.BEHAVIOURS), {"": 5}),
    owners: (20, {"freeze": 5}),
    points: (len(points.PAIRS), {}),
    resources: (len(resources.FAULTS) * SHARE, dict.fromkeys(resources.CERTAIN, 1)),
    server: (len(server.TROUBLES), {"": 7}),
    spool: (8, {"supervisor dies": 1}),
    standby: (1, {}),
    syscalls: (128, {"worker, stop": 5, "supervisor, upload": 3}),
    wire: (60, {"zombie, to the worker": 5, "silence stop, to the worker": 5}),
}

syscalls.World.every = 50 * SHARE


PATIENCE = 5  # a slow machine may need the rounds so many times until all that must hit has hit


def has_hit(tally, least):
    return all((tally.hit[what] if what else tally.hit.total()) >= often
               for what, often in least.items())


@pytest.mark.parametrize("module", CAMPAIGNS, ids=lambda module: module.__name__)
def test_sample(module):
    rounds, least = CAMPAIGNS[module]
    rounds = max(1, rounds // SHARE)
    least = {"": 1} if SANITIZED else least
    seed = int(os.environ.get("UPLOADER_SEED", time.time_ns() % 1_000_000))
    print(f"UPLOADER_SEED={seed}")
    world, tally = module.World(), campaign.Tally()
    try:
        for first in range(1, 1 + PATIENCE * rounds, rounds):
            numbers = range(first, first + rounds)
            campaign.run(module.__name__, module.one_round, world, seed, numbers, tally)
            if has_hit(tally, least):
                break
    finally:
        world.end()
    print(tally)
    assert has_hit(tally, least), tally  # a sample that hits nothing proves nothing
