# SPDX-License-Identifier: PostgreSQL
"""What was measured, as a table in Markdown, as JSON, and as a plot."""

import json
import os
import platform
import statistics
import subprocess
import time

from lab import RESULTS
from ways import WAYS



def machine():
    """What it was measured on."""
    cpu = next((line.partition(":")[2].strip() for line in open("/proc/cpuinfo")
                if line.startswith("model name")), platform.machine())
    memory = next(int(line.split()[1]) for line in open("/proc/meminfo") if "MemTotal" in line)
    return (f"{os.cpu_count()} x {cpu}, {memory / 2**20:.0f} GiB, Linux {platform.release()};"
            " client and server share it")


class Report:
    def __init__(self, cases, size, settings):
        self.cases, self.size, self.settings = cases, size, settings
        self.rounds = []

    def add(self, samples):
        self.rounds.append(samples)

    def ratios(self, case):
        """One of each round."""
        return [samples[case.way].seconds / samples[case.against].seconds for samples in self.rounds]

    def table(self):
        yield "| case | median | minimum | maximum | at most | what |"
        yield "| --- | --- | --- | --- | --- | --- |"
        for case in self.cases:
            ratios = self.ratios(case)
            yield (f"| {case.name} | {statistics.median(ratios):.3f} | {min(ratios):.3f} |"
                   f" {max(ratios):.3f} | {case.at_most:.2f} | {case.what} |")

    def costs(self):
        """CPU seconds and WAL of each way, of the round whose time is the median."""
        yield "| way | client's CPU s | server's CPU s | WAL MB | what |"
        yield "| --- | --- | --- | --- | --- |"
        for name in self.rounds[0]:
            samples = sorted((samples[name] for samples in self.rounds), key=lambda s: s.seconds)
            sample = samples[len(samples) // 2]
            yield (f"| {name} | {sample.client_cpu:.2f} | {sample.server_cpu:.2f} |"
                   f" {sample.wal / 1e6:.0f} | {WAYS[name].__doc__} |")

    def __str__(self):
        lines = [f"{len(self.rounds)} rounds; {self.size.records} records,"
                 f" {self.size.wide_mb} MB of wide records, {self.size.files} small files.",
                 f"Machine: {machine()}.",
                 "Server: " + ", ".join(f"{name} {value}" for name, value in self.settings) + ".",
                 "", *self.table(), "", *self.costs()]
        return "\n".join(lines)

    def write(self):
        RESULTS.mkdir(exist_ok=True)
        text = f"# Ratios\n\nMeasured {time.strftime('%Y-%m-%d')} by `make bench`.\n\n{self}\n"
        (RESULTS / "ratios.md").write_text(text)
        rounds = [{name: sample._asdict() for name, sample in samples.items()}
                  for samples in self.rounds]
        (RESULTS / "ratios.json").write_text(json.dumps(rounds, indent=1) + "\n")
        self.plot(RESULTS / "ratios.svg")

    def plot(self, path):
        """Each ratio with its range, and the line it should stay below, by gnuplot."""
        rows = "\n".join(
            f'{i} {statistics.median(self.ratios(case))} {min(self.ratios(case))}'
            f' {max(self.ratios(case))} {case.at_most} "{case.name}"'
            for i, case in enumerate(self.cases))
        script = f"""
$data << END
{rows}
END
set terminal svg size 800,420 font "sans-serif,13" background "white"
set output "{path}"
set logscale y
set yrange [0.01:2]
set xrange [-0.6:{len(self.cases) - 0.4}]
set ylabel "time, in times of the other way's"
set key top left
set grid y
plot $data using 1:2:(0.6):xtic(6) with boxes fill solid 0.4 title "median of the rounds", \\
     $data using 1:2:3:4 with yerrorbars pointtype 0 linecolor "black" title "minimum to maximum", \\
     $data using 1:5:(0.8) with points pointtype 2 linecolor "red" title "at most"
"""
        subprocess.run(["gnuplot"], input=script, text=True, check=True)


