# SPDX-License-Identifier: PostgreSQL
"""Some seconds of each fuzz target, after its kept inputs; make fuzz runs them for half an hour.
FUZZ_SEED repeats a run."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import fuzz  # noqa: E402

SECONDS = 5

pytestmark = pytest.mark.skipif(
    "asan" in os.environ.get("UPLOADER_BUILD", ""),
    reason="the targets have a build with sanitizers of their own, which make test runs")


@pytest.fixture(scope="session")
def programs():
    """Built here, so that only who runs these tests waits for their build."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(["make", "-C", fuzz.HERE.parents[1], "fuzz-programs"], env=plain,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", fuzz.NAMES)
def test_target(tmp_path, programs, name):
    seed = int(os.environ.get("FUZZ_SEED", time.time_ns() % 1_000_000 + 1))
    print(f"FUZZ_SEED={seed}")
    kept = len(list((fuzz.HERE / "corpus" / name).iterdir()))
    executions, _ = fuzz.fuzz(name, SECONDS, seed, tmp_path / "new")
    assert executions >= kept > 0
