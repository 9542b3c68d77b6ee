# SPDX-License-Identifier: PostgreSQL
"""A short soak, and the sampler on a process that holds more and more; make soak runs a long one."""

import os
import socket
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
LEAST = {"kill worker": 2, "terminate backend": 1}

HOLDER = """
import os, socket, sys
kept = []
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
print("ready", flush=True)
for line in sys.stdin:
    if line == "much\\n":
        kept.append(bytes(range(256)) * 8192)
    if line == "little\\n":
        kept.extend(bytes(10_000) for _ in range(10))
    if line == "descriptor\\n":
        kept.append(os.open("/dev/null", os.O_RDONLY))
    if line == "zombie\\n" and os.fork() == 0:
        os._exit(0)
    listener.accept()[0].close()
    print("done", flush=True)
"""


class Holder:
    """A process that holds more of what it is told, and lets go of nothing."""

    def __init__(self, folder):
        self.socket, self.heap_file = str(folder / "s"), folder / "heap"
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, self.socket], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True,
            env=dict(os.environ, LD_PRELOAD=str(soak.HEAP), UPLOADER_HEAP_FILE=str(self.heap_file)))
        assert self.process.stdout.readline() == "ready\n"

    def take(self, what):
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(self.socket)
            assert self.process.stdout.readline() == "done\n"

    def heap_bytes(self):
        return int(self.heap_file.read_text())


@pytest.fixture
def holder(tmp_path):
    holder = Holder(tmp_path)
    yield holder
    holder.process.kill()
    holder.process.communicate()


@pytest.mark.parametrize("what, said", [
    ("much", "own_kib has grown by 2"), ("little", "heap_kib has grown by 9"),
    ("descriptor", "/dev/null"), ("zombie", "zombies")])
def test_the_sampler_notices(holder, what, said):
    """But not what was there at the end of the warm-up."""
    series = Series(holder.process.pid, 1, 1024, holder.heap_bytes)
    for number, before in enumerate(["nothing", "much", "nothing"]):
        holder.take(before)
        series.take(number)
    assert abs(series.growth("own_kib")) < 512
    holder.take(what)
    with pytest.raises(Grown, match=said):
        series.take(3, patience_s=1)


@pytest.mark.skipif(soak.SANITIZED, reason="a sanitizer keeps what was freed")
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
