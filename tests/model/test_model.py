# SPDX-License-Identifier: PostgreSQL
"""The bounded search of the protocol's model: clean, and every mutant caught."""

import os
import subprocess
from pathlib import Path

import pytest


@pytest.mark.skipif("asan" in os.environ.get("UPLOADER_BUILD", ""),
                    reason="the model has no C of ours in it")
def test_model(tmp_path):
    done = subprocess.run([Path(__file__).parent / "run", "quick"], capture_output=True, text=True,
                          env=dict(os.environ, BUILD=str(tmp_path)), timeout=3600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed, 0 failed" in done.stdout
