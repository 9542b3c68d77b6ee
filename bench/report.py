# SPDX-License-Identifier: PostgreSQL
"""What was measured, as a table in Markdown, as JSON, and as a plot."""

import json
import os
import platform
import statistics
import subprocess
import time

from cases import CASES
from lab import RESULTS
from ways import WAYS


def machine():
    """What it was measured on."""
    cpu = next((line.partition(":")[2].strip() for line in open("/proc/cpuinfo")
                if line.startswith("model name")), platform.machine())
    memory = next(int(line.split()[1]) for line in open("/proc/meminfo") if "MemTotal" in line)
    return (f"{os.cpu_count()} x {cpu}, {memory / 2**20:.0f} GiB, Linux {platform.release()};"
            " client and server share it")


def limit(case):
    return "" if case.at_most is None else f"{case.at_most:.2f}"


class Report:
    """What one run has measured. What is kept is of the last run of each case: one that is run again
    takes its own place only."""

    def __init__(self, cases, size, settings):
        self.cases, self.size, self.settings = cases, size, settings
        self.kept = {"ratios": {}, "ways": {}}

    def add(self, samples):
        """A round."""
        for case in self.cases:
            ratio = samples[case.way].seconds / samples[case.against].seconds
            self.kept["ratios"].setdefault(case.name, []).append(round(ratio, 4))
        for name, sample in samples.items():
            self.kept["ways"].setdefault(name, []).append(sample._asdict())

    def table(self):
        yield "| case | rounds | median | minimum | maximum | at most | what |"
        yield "| --- | --- | --- | --- | --- | --- | --- |"
        for case in self.cases:
            ratios = self.kept["ratios"][case.name]
            yield (f"| {case.name} | {len(ratios)} | {statistics.median(ratios):.3f} |"
                   f" {min(ratios):.3f} | {max(ratios):.3f} | {limit(case)} | {case.what} |")

    def costs(self):
        """CPU seconds and WAL of each way, of the round whose time is the median."""
        yield "| way | client's CPU s | server's CPU s | WAL MB | what |"
        yield "| --- | --- | --- | --- | --- |"
        for name, samples in self.kept["ways"].items():
            sample = sorted(samples, key=lambda s: s["seconds"])[len(samples) // 2]
            yield (f"| {name} | {sample['client_cpu']:.2f} | {sample['server_cpu']:.2f} |"
                   f" {sample['wal'] / 1e6:.0f} | {WAYS[name].__doc__} |")

    def __str__(self):
        lines = [f"{self.size.records} records, {self.size.wide_mb} MB of wide records,"
                 f" {self.size.files} small files.",
                 f"Machine: {machine()}.",
                 "Server: " + ", ".join(f"{name} {value}" for name, value in self.settings) + ".",
                 "", *self.table(), "", *self.costs()]
        return "\n".join(lines)

    def write(self):
        RESULTS.mkdir(exist_ok=True)
        kept = RESULTS / "ratios.json"
        if kept.exists():
            for key, values in json.loads(kept.read_text()).items():
                self.kept[key] = {**values, **self.kept[key]}
        self.cases = [case for case in CASES if case.name in self.kept["ratios"]]
        kept.write_text(json.dumps(self.kept, indent=1) + "\n")
        text = f"# Ratios\n\nMeasured {time.strftime('%Y-%m-%d')} by `make bench`.\n\n{self}\n"
        (RESULTS / "ratios.md").write_text(text)
        self.plot(RESULTS / "ratios.svg")

    def plot(self, path):
        """Each ratio with its range, and the line it should stay below, by gnuplot."""
        rows = "\n".join(
            f'{i} {statistics.median(ratios)} {min(ratios)} {max(ratios)} '
            f'{limit(case) or "NaN"} "{case.name}"'
            for i, case in enumerate(self.cases) for ratios in [self.kept["ratios"][case.name]])
        script = f"""
$data << END
{rows}
END
set terminal svg size 800,420 font "sans-serif,13" background "white"
set output "{path}"
set logscale y
set yrange [0.01:4]
set xrange [-0.6:{len(self.cases) - 0.4}]
set ylabel "time, in times of the other way's"
set key top left
set grid y
plot $data using 1:2:(0.6):xtic(6) with boxes fill solid 0.4 title "median of the rounds", \\
     $data using 1:2:3:4 with yerrorbars pointtype 0 linecolor "black" title "minimum to maximum", \\
     $data using 1:5:(0.8) with points pointtype 2 linecolor "red" title "at most"
"""
        subprocess.run(["gnuplot"], input=script, text=True, check=True)


