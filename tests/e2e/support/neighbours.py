"""What other programs take of the machine while a test measures time.

A limit on time is a claim about our programs. When a compiler or another test has half of the
machine meanwhile, half of the time was not ours: that, and no more, is added to the limit, and
printed.
What runs with a low priority takes as much less as the scheduler lets it.
"""

import os
import time
from pathlib import Path

from .paths import SLOW

TICKS = os.sysconf("SC_CLK_TCK")
CORES = len(os.sched_getaffinity(0))


def _processes():
    """{pid: (parent, CPU seconds of it and of its ended children, weighed)}"""
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            words = (folder / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        weight = min(1, 1.25 ** -int(words[16]))  # of its nice value
        found[int(folder.name)] = int(words[1]), sum(map(int, words[11:15])) / TICKS * weight
    return found


def _is_ours(pid, processes):
    """This process, what it started, and what those did."""
    while pid in processes and pid != os.getpid():
        pid = processes[pid][0]
    return pid == os.getpid()


def _stolen_s():
    """What a hypervisor gave to others."""
    return int(Path("/proc/stat").read_text().split(None, 9)[8]) / TICKS


class Neighbours:
    """From its making on."""

    def __init__(self):
        self._began, self._at = time.monotonic(), _processes()
        self._stolen_s = _stolen_s()

    def took_s(self):
        """How long they would have had the whole machine, in seconds."""
        now = _processes()
        others = [pid for pid in now if not _is_ours(pid, now)]
        before = {pid: cpu for pid, (_, cpu) in self._at.items()}
        used = sum(max(0, now[pid][1] - before.get(pid, 0)) for pid in others)
        elapsed = time.monotonic() - self._began
        return min(elapsed, (used + _stolen_s() - self._stolen_s) / CORES)

    def share(self):
        """0: the machine was ours; 1: it was theirs."""
        return self.took_s() / max(time.monotonic() - self._began, 1e-3)


class Limit:
    """A limit on time, stretched in slow builds and by what neighbours take meanwhile."""

    def __init__(self, limit_s):
        self.limit_s, self._neighbours = limit_s * SLOW, Neighbours()

    def check(self, took_s, what):
        theirs = self._neighbours.took_s()
        said = f"{what}: {took_s:.3f} s of {self.limit_s:.3f} s"
        if theirs > 0.05 * took_s:
            said += f", and {theirs:.3f} s were other programs'"
        print(said)
        assert took_s < self.limit_s + theirs, said
