# SPDX-License-Identifier: PostgreSQL
"""What a process holds when it has nothing to do, as a series that must not grow.

Memory is what the process has for itself, in memory or swapped out (RssAnon, VmSwap): VmRSS also has
pages of its programs' files, which the kernel takes and gives as it likes. It is shown all the same.

Of memory some growth is no leak: what is freed stays with the allocator, in holes that the next
crowd does not fill exactly. So the series begins after a warm-up, in which the process has been as
busy as it will ever be, and has a slack that does not grow with time: a leak does. Descriptors have
no slack at all."""

import os
from collections import namedtuple
from pathlib import Path

from harness import children, wait_until

Sample = namedtuple("Sample", "at_s resident_kib own_kib descriptors")


class Grown(AssertionError):
    """The process holds more than it did."""


def descriptors(pid):
    """What each open descriptor is."""
    found = []
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            found.append(os.readlink(f"/proc/{pid}/fd/{number}"))
        except FileNotFoundError:  # it was closed meanwhile
            pass
    return sorted(found)


def memory(pid):
    """VmRSS, and what of it is the process's own with what of that was swapped out, in KiB."""
    lines = (line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    kib = {words[0]: int(words[1]) for words in lines if words[-1] == "kB"}
    return kib["VmRSS:"], kib["RssAnon:"] + kib["VmSwap:"]


class Series:
    """Samples of one process. The first `warm_up` ones are only shown; the first behind them is what
    later ones are compared with. slack_kib None: memory is not judged."""

    def __init__(self, pid, warm_up, slack_kib):
        self.pid, self.warm_up, self.slack_kib = pid, warm_up, slack_kib
        self.samples = []
        self.open_first = None  # what was open at rest when the series began

    def __str__(self):
        lines = ["  at s   VmRSS KiB  own KiB  descriptors"]
        for number, sample in enumerate(self.samples):
            note = "  warm-up" if number < self.warm_up else ""
            lines.append("{:6.0f}  {:10}  {:7}  {:11}{}".format(*sample, note))
        return "\n".join(lines)

    @property
    def began_s(self):
        return self.samples[0].at_s

    @property
    def last(self):
        return self.samples[-1]

    @property
    def judged(self):
        return self.samples[self.warm_up:]

    @property
    def growth_kib(self):
        """The most that any sample has above the first that counts."""
        return max(s.own_kib for s in self.judged) - self.judged[0].own_kib if self.judged else 0

    def take(self, at_s, patience_s=60):
        """One more sample, when all is at rest. A child that ends and a client's connection may take
        their time; a zombie or a descriptor that is left stays for ever."""
        def alone():
            return not children(self.pid, zombies=True)

        self._wait(alone, lambda: f"its children (zombies among them)"
                   f" {children(self.pid, zombies=True)} to go", patience_s)
        if self.open_first is None:
            self.open_first = self._settled()
        count = len(self.open_first)
        self._wait(lambda: len(descriptors(self.pid)) <= count,
                   lambda: f"descriptors to be {count} again\nthen: {self.open_first}\nnow:"
                   f" {descriptors(self.pid)}", patience_s)
        self.samples.append(Sample(at_s, *memory(self.pid), len(descriptors(self.pid))))
        if self.slack_kib is not None and self.growth_kib > self.slack_kib:
            raise Grown(f"memory has grown by {self.growth_kib} KiB\n{self}")

    def _wait(self, condition, what, patience_s):
        try:
            wait_until(condition, "it", patience_s)
        except AssertionError:
            raise Grown(f"waited {patience_s} s in vain for {what()}\n{self}") from None

    def _settled(self):
        """What is open when that has been the same for a while: whoever asked just now is gone."""
        same = [0, None]

        def settled():
            now = descriptors(self.pid)
            same[0] = same[0] + 1 if now == same[1] else 0
            same[1] = now
            return now if same[0] >= 20 else None

        return wait_until(settled, "the descriptors to settle")
