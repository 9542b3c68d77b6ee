#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""Runs the fuzz targets: fuzz.py [--seconds N] [--seed S] [--jobs N] [--merge] [NAME...]

The kept inputs of corpus/NAME come first, then what libFuzzer makes of them, for so many seconds or
100,000,000 executions. New inputs go to build/fuzz/new/NAME, and --merge takes those of them that
reach anything new into corpus/NAME. An input that breaks something goes to build/fuzz/broken; the
command that repeats it is printed."""

import argparse
import errno
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = HERE.parents[1] / "build/fuzz"
NAMES = sorted(path.stem.removeprefix("fuzz_") for path in HERE.glob("fuzz_*.c"))

EXECUTIONS = 100_000_000
MAX_BYTES = {"csv": 512}  # of an input: longer ones find no more, and take longer
INPUT_SECONDS = 20  # for one input; most take less than a thousandth

# Each target's words: the texts in the tables of these sources.
WORDS = {"conf": ["conf/options.h", "conf/options.c"],
         "control": ["ipc/messages.h", "ipc/messages.c", "base/status.h"],
         "worker": ["ipc/messages.h", "ipc/messages.c", "ipc/job.h", "ipc/job.c"]}


class Broken(AssertionError):
    """A target ended other than it should; its text says how to repeat it."""


def environment(scratch):
    """A small quarantine is as good for such short lives, and faster."""
    return dict(os.environ, TMPDIR=str(scratch), UV_THREADPOOL_SIZE="1",
                ASAN_OPTIONS="abort_on_error=1:detect_leaks=1:quarantine_size_mb=16",
                UBSAN_OPTIONS="print_stacktrace=1")


def run(command, **options):
    """Another test's child may have inherited the linker's open file, for as long as it has not called
    exec: the program just built is busy then."""
    for patience in range(100, -1, -1):
        try:
            return subprocess.run(command, **options)
        except OSError as error:
            if error.errno != errno.ETXTBSY or patience == 0:
                raise
        time.sleep(0.05)


def start(name, *arguments):
    """Runs a target to its end: its output. Its scratch files are in memory where that can be."""
    shm = Path("/dev/shm")
    scratch = tempfile.mkdtemp(prefix="uploader-fuzz.", dir=shm if shm.is_dir() else None)
    broken = BUILD / "broken"
    broken.mkdir(parents=True, exist_ok=True)
    command = [BUILD / f"fuzz_{name}", f"-timeout={INPUT_SECONDS}", "-print_funcs=0",
               f"-max_len={MAX_BYTES.get(name, 2048)}",
               f"-artifact_prefix={broken}/{name}-", *arguments]
    try:
        done = run(command, env=environment(scratch), stdout=subprocess.PIPE,
                   stderr=subprocess.STDOUT, errors="replace", check=False)
    finally:
        shutil.rmtree(scratch)
    if done.returncode != 0:
        kept = re.findall(r"Test unit written to (\S+)", done.stdout)
        again = f"repeat it with: build/fuzz/fuzz_{name} {kept[-1]}" if kept else " ".join(map(str, command))
        raise Broken(f"{done.stdout[-6000:]}\n{name}: {again}")
    return done.stdout


def dictionary(name, folder):
    """A dictionary of libFuzzer's: a file beside this one, or from the sources that name the words."""
    path = HERE / f"{name}.dict"
    if name in WORDS:
        text = "".join((HERE.parents[1] / source).read_text() for source in WORDS[name])
        words = sorted(set(re.findall(r'"([\w/ ]{2,20})"', text)))
        path = folder / f"{name}.dict"
        path.write_text("".join(f'"{word}"\n' for word in words))
    return path


def fuzz(name, seconds, seed, new):
    """The kept inputs, then others for so many seconds: (executions, edges reached)."""
    new.mkdir(parents=True, exist_ok=True)
    output = start(name, f"-seed={seed}", f"-max_total_time={seconds}", f"-runs={EXECUTIONS}",
                   "-print_final_stats=1", f"-dict={dictionary(name, new.parent)}",
                   new, HERE / "corpus" / name)
    executions = int(re.search(r"number_of_executed_units: (\d+)", output)[1])
    return executions, int(re.findall(r" cov: (\d+)", output)[-1])


def merge(name):
    """What is new in reach goes into the kept corpus: how many inputs."""
    kept = HERE / "corpus" / name
    before = len(list(kept.iterdir()))
    start(name, "-merge=1", "-use_counters=0", kept, BUILD / "new" / name)
    return len(list(kept.iterdir())) - before


def one(name, options):
    begin = time.monotonic()
    if options.merge:
        print(f"{name}: {merge(name)} inputs taken into tests/fuzz/corpus/{name}", flush=True)
        return True
    try:
        executions, edges = fuzz(name, options.seconds, options.seed, BUILD / "new" / name)
    except Broken as broken:
        print(broken, flush=True)
        return False
    print(f"{name}: seed {options.seed}, {time.monotonic() - begin:.0f} s, {executions:,} executions,"
          f" {edges} edges, clean", flush=True)
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--seconds", type=int, default=1800)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000 + 1)
    parser.add_argument("--jobs", type=int, default=1, help="so many targets at once")
    parser.add_argument("--merge", action="store_true", help="keep what is new, instead of fuzzing")
    options = parser.parse_args()
    with ThreadPoolExecutor(options.jobs) as pool:
        results = list(pool.map(lambda name: one(name, options), options.names or NAMES))
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
