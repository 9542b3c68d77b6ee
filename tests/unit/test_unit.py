# SPDX-License-Identifier: PostgreSQL
"""Runs the unit tests (cmocka), each program one test here. Those of db/ get a private server."""

import os
import subprocess
from pathlib import Path

import pytest

BUILD = Path(os.environ["UPLOADER_BUILD"])
NAMES = sorted(path.stem for path in Path(__file__).parent.glob("test_*.c"))


@pytest.mark.parametrize("name", NAMES)
def test_unit(name, cluster):
    environment = dict(os.environ, UPLOADER_TEST_CONNINFO=cluster.conninfo(cluster.new_database()))
    done = subprocess.run(
        [BUILD / "tests" / name], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
