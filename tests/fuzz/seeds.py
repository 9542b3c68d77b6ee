#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""Writes the inputs that the kept corpora began with: seeds.py FOLDER. To begin anew when what an
input's first bytes choose is changed: write them into build/fuzz/new, fuzz, and merge."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "csv"))

import test_oracle  # noqa: E402


def csv_seeds():
    """The oracle's files, under the first dialects, with short limits and without."""
    for group, limit in (("CORPUS", 255), ("LENGTHS", 19), ("OPEN", 19)):
        for name, data in getattr(test_oracle, group).items():
            data = data[0] if isinstance(data, tuple) else data
            for how in (0, 8, 16, 48):
                yield f"{name}-{how}", bytes((how, limit, 2, 20, 3, 1)) + data[:600]
                if how == 8:
                    yield f"{name}-headed", bytes((8, limit, 6, 9, 2, 2)) + b"n,e\n" + data[:600]


SEEDS = {"csv": csv_seeds}


def main(folder):
    for target, seeds in SEEDS.items():
        (folder / target).mkdir(parents=True, exist_ok=True)
        for name, data in seeds():
            (folder / target / f"seed-{name}").write_bytes(data)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
