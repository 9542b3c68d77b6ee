# SPDX-License-Identifier: PostgreSQL
"""A short soak, and the sampler on processes that do hold more and more; make soak runs a long one."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import soak  # noqa: E402
from campaign import Tally  # noqa: E402
from sampler import Grown, Series  # noqa: E402

FILES, SECONDS = 30, 20
LEAST = {"kill worker": 3, "terminate backend": 2, "requests": 1, "client comes": 1}

HOLDER = """
import os, sys
kept = []
for line in sys.stdin:
    if line == "memory\\n":
        kept.append(bytes(range(256)) * 8192)
    if line == "descriptor\\n":
        kept.append(os.open("/dev/null", os.O_RDONLY))
    if line == "zombie\\n" and os.fork() == 0:
        os._exit(0)
    print("done", flush=True)
"""


@pytest.fixture
def holder():
    """A process that holds more of what it is told, and lets go of nothing."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)

    def tell(what):
        process.stdin.write(f"{what}\n")
        process.stdin.flush()
        assert process.stdout.readline() == "done\n"

    process.tell = tell
    yield process
    process.kill()
    process.communicate()


def series_of(holder):
    """With a first sample that counts, behind a warm-up in which its memory has grown."""
    series = Series(holder.pid, 1, 1024)
    holder.tell("nothing")
    series.take(0)
    holder.tell("memory")
    series.take(1)
    return series


@pytest.mark.parametrize("what, said", [("memory", "memory has grown by 2"),
                                        ("descriptor", "/dev/null"), ("zombie", "zombies")])
def test_the_sampler_notices(holder, what, said):
    series = series_of(holder)
    holder.tell("nothing")
    series.take(2)
    assert abs(series.growth_kib) < 512
    holder.tell(what)
    with pytest.raises(Grown, match=said):
        series.take(3, patience_s=1)


def test_sample():
    seed = int(os.environ.get("UPLOADER_SEED", time.time_ns() % 1_000_000))
    print(f"UPLOADER_SEED={seed}")
    tally, world = Tally(), soak.World()
    try:
        soak.run(world, seed, SECONDS, FILES, tally)
    finally:
        print(f"{tally}\n{world.series_text()}\n{world.service_log()}")
        world.end()
    assert len(world.files) == FILES
    assert len(world.series[-1].judged) >= 3
    for what, often in LEAST.items():  # a sample that hits nothing proves nothing
        assert tally.hit[what] >= often, tally
