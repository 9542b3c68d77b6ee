#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""How cost grows: with the size of the file, the files that wait, the rows that are there already, the
checkpoints. Each is a row of points, its exponent (the slope in log-log), and a plot."""

import argparse
import math
import statistics
import subprocess
import sys
import time
from pathlib import Path

import lab as laboratory
import tables
from lab import ROOT, Lab

from ways import check_rows, upload

RECORD = 44  # bytes, of people()
HOUR_S = 3600

def peak_kib(pid):
    """The most memory that a process has had in use, in KiB; 0 when it is gone."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("VmHWM")), 0)

def measured(lab, path):
    """Seconds of one upload; says what memory its worker had at most."""
    service, peak = lab.new_service(), 0
    begin = time.monotonic()
    process = service.ctl_start("upload", "--wait", path)
    while process.poll() is None:
        peak = max([peak, *map(peak_kib, service.workers())])
        time.sleep(0.02)
    seconds = time.monotonic() - begin
    assert process.returncode == 0, process.communicate()
    process.communicate()
    check_rows(lab, path)
    print(f"  {path.name}: {seconds:.2f} s, worker's memory {peak / 1024:.1f} MiB", file=sys.stderr)
    lab.leave()
    return seconds

def by_size(lab, quick):
    """seconds of an upload by the megabytes of its file"""
    for megabytes in [10, 100] if quick else [10, 100, 1000, 10_000]:
        path = laboratory.people(megabytes * 1_000_000 // RECORD)
        lab.expect(path)  # now, so that a new server's making of WAL files is not counted
        times = 1 if quick else max(1, min(9, 3000 // megabytes))
        yield megabytes, statistics.median(measured(lab, path) for _ in range(times))
        path.unlink()

def rollback_by_size(lab, quick):
    """seconds of the rollback of a whole file by its megabytes"""
    for megabytes in [10, 100] if quick else [10, 100, 1000, 10_000]:
        path = laboratory.people_unended(megabytes * 1_000_000 // RECORD)
        service = lab.new_service()
        service.ctl("upload", "--wait", path, patience_s=HOUR_S)
        begin = time.monotonic()
        service.ctl("stop", path, patience_s=HOUR_S)
        yield megabytes, time.monotonic() - begin
        assert service.count() == 0
        lab.leave()
        path.unlink()

def by_files(lab, quick):
    """seconds of a batch by its files of 100 records"""
    for count in [100, 300] if quick else [1000, 10_000, 100_000]:
        folder = laboratory.small_files(count)
        service = lab.new_service()
        service.stop()
        service.set(batch__small={"files": f"{folder}/*.csv"})
        begin = time.monotonic()
        laboratory.run([ROOT / "build/uploaderd", "--config", service.config, "--batch"])
        yield count, time.monotonic() - begin
        assert service.count() == count * 100
        lab.leave()

def by_rows(lab, quick):
    """seconds of an upload of 1,000,000 records by the millions of rows that are there already"""
    path = laboratory.people(100_000 if quick else 1_000_000)
    service, there = lab.new_service(), 0
    for millions in [0.1, 1] if quick else [1, 5, 10, 20, 50]:
        service.sql.run(
            "INSERT INTO uploader.file_data (file_tracker_id, line_no, name, email)"
            " SELECT -1 - i / 1000000, i, 'Person ' || i, 'person' || i || '@example.org'"
            " FROM generate_series(%s, %s) AS i", there + 1, int(millions * 1_000_000))
        there = int(millions * 1_000_000)
        service.sql.run("CHECKPOINT")
        begin = time.monotonic()
        upload(service, path)
        seconds = time.monotonic() - begin
        service.ok("forget", "--rows", path)
        service.sql.run("VACUUM uploader.file_data")
        yield millions, seconds
    lab.leave()

def by_checkpoints(lab, quick):
    """seconds of an upload by its checkpoints"""
    path = laboratory.people(200_000 if quick else 5_000_000)
    size = path.stat().st_size
    for chunks in [10, 100] if quick else [1, 10, 100, 1000, 10_000]:
        service = lab.new_service(upload={"chunk_bytes": min(max(4096, size // chunks), 1 << 30)})
        begin = time.monotonic()
        upload(service, path)
        seconds = time.monotonic() - begin
        yield service.count("file_checkpoint"), seconds
        lab.leave()

def exponent(points):
    """The slope of the line through the logarithms."""
    logs = [(math.log(x), math.log(y)) for x, y in points]
    middle_x = sum(x for x, _ in logs) / len(logs)
    middle_y = sum(y for _, y in logs) / len(logs)
    return (sum((x - middle_x) * (y - middle_y) for x, y in logs)
            / sum((x - middle_x) ** 2 for x, _ in logs))

def plot(name, what, points):
    rows = "\n".join(f"{x} {y}" for x, y in points)
    script = f"""
$data << END
{rows}
END
set terminal svg size 480,320 font "sans-serif,12" background "white"
set output "{laboratory.RESULTS / f'scale-{name}.svg'}"
set logscale xy
set title "{what}: exponent {exponent(points):.2f}" noenhanced
set grid
unset key
plot $data with linespoints pointtype 7
"""
    subprocess.run(["gnuplot"], input=script, text=True, check=True)

GROWTHS = [by_size, rollback_by_size, by_files, by_rows, by_checkpoints]

def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=" ".join(g.__name__ for g in GROWTHS))
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    lab, rows = Lab(), []
    try:
        for growth in GROWTHS:
            if options.names and growth.__name__ not in options.names:
                continue
            points = []
            for point in growth(lab, options.quick):
                points.append(point)
                print(f"{growth.__name__}: {point[0]:10} {point[1]:10.2f} s", file=sys.stderr,
                      flush=True)
            rows.append((growth.__doc__, f"{exponent(points):.2f}",
                         ", ".join(f"{x}: {y:.2f}" for x, y in points)))
            if not options.quick:
                plot(growth.__name__, growth.__doc__, points)
    finally:
        lab.end()
    tables.show("scale", "How cost grows", ["what", "exponent", "points"], rows, options.quick)
    return 0

if __name__ == "__main__":
    sys.exit(main())
