# SPDX-License-Identifier: PostgreSQL
"""What a process holds when it has nothing to do, as a series that must not grow.

The heap is what it has allocated and not freed, to the byte (heap.c): it has almost no slack. Its
own memory (RssAnon and VmSwap) has some: what was freed stays with the allocator, in holes that the
next crowd does not fill exactly; but what is lost otherwise (mappings, stacks, the allocator's own)
shows there. VmRSS is that with pages of its programs' files, which the kernel takes and gives as it
likes; it is only shown. Descriptors have no slack.

The first samples are a warm-up, in which the process has been as busy as it will ever be."""

import os
from collections import namedtuple
from pathlib import Path

from harness import children, wait_until

HEAP_SLACK_KIB = 64  # buffers that have the size of the largest they had to hold

Sample = namedtuple("Sample", "at_s resident_kib own_kib heap_kib descriptors")


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
    """Samples of one process. The first `warm_up` ones are only shown; with the next one later ones
    are compared. heap_bytes() says what is allocated; None: that is not known. own_slack_kib None:
    its own memory is not judged."""

    def __init__(self, pid, warm_up, own_slack_kib, heap_bytes=None):
        self.pid, self.warm_up = pid, warm_up
        self.slack_kib = {"own_kib": own_slack_kib,
                          "heap_kib": HEAP_SLACK_KIB if heap_bytes else None}
        self.heap_bytes = heap_bytes or (lambda: 0)
        self.samples = []
        self.open_first = None  # what was open when the series began

    def __str__(self):
        lines = ["  at s   VmRSS KiB  own KiB  heap KiB  descriptors"]
        for number, sample in enumerate(self.samples):
            note = "  warm-up" if number < self.warm_up else ""
            lines.append("{:6.0f}  {:10}  {:7}  {:8}  {:11}{}".format(*sample, note))
        return "\n".join(lines)

    @property
    def began_s(self):
        return self.samples[0].at_s

    @property
    def judged(self):
        return self.samples[self.warm_up:]

    def growth(self, what):
        """How much more than the first that counts the last one has."""
        return getattr(self.judged[-1], what) - getattr(self.judged[0], what) if self.judged else 0

    def take(self, at_s, patience_s=60):
        """One more sample, of a process at rest. A child that ends and a client's connection may
        take their time; a zombie or a descriptor that is left stays for ever."""
        self._wait(lambda: not children(self.pid, zombies=True),
                   lambda: "its children to go, zombies among them:"
                   f" {children(self.pid, zombies=True)}", patience_s)
        if self.open_first is None:
            self.open_first = self._settled()
        count = len(self.open_first)
        self._wait(lambda: len(descriptors(self.pid)) <= count,
                   lambda: f"its descriptors to be {count} again\nthen: {self.open_first}\nnow:"
                   f" {descriptors(self.pid)}", patience_s)
        open_now, heap_bytes = len(descriptors(self.pid)), self.heap_bytes()
        self.samples.append(Sample(at_s, *memory(self.pid), heap_bytes // 1024, open_now))
        for what, slack_kib in self.slack_kib.items():
            if slack_kib is not None and self.growth(what) > slack_kib:
                raise Grown(f"{what} has grown by {self.growth(what)}\n{self}")

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
