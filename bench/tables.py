# SPDX-License-Identifier: PostgreSQL
"""What was measured apart from the ratios, as tables in bench/results."""

import time

from lab import RESULTS
from report import machine


def line(cells):
    return f"| {' | '.join(cells)} |"


def rows_in(path):
    """{first cell: line} of a table that was written before."""
    lines = [old for old in path.read_text().splitlines() if old.startswith("| ")]
    return {old.split(" | ")[0].removeprefix("| "): old for old in lines[2:]}


def show(name, title, head, rows, quick):
    """Prints the rows and, unless they are of a quick run, puts them into the table NAME.md. A row is
    told by its first cell and stays until it is measured again, so each has the day on which it was."""
    head = [line([*head, "measured"]), line(["---"] * (len(head) + 1))]
    fresh = {row[0]: line([*row, time.strftime("%Y-%m-%d")]) for row in rows}
    print("\n".join([*head, *fresh.values()]))
    if quick:
        return
    path = RESULTS / f"{name}.md"
    kept = rows_in(path) if path.exists() else {}
    RESULTS.mkdir(exist_ok=True)
    path.write_text("\n".join([f"# {title}", "", f"{machine()}.", "", *head,
                               *(kept | fresh).values(), ""]))
