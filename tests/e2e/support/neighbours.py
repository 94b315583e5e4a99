"""What other programs take of the machine while a test measures time.

A limit on time is a claim about our programs. When a compiler or another test has half of the
machine meanwhile, half of the time was not ours: that, and no more, is added to the limit, and
printed. What runs at a low priority does not count: it leaves the processor to whoever wants it.
"""

import os
import time
from pathlib import Path

from .paths import SLOW

TICKS = os.sysconf("SC_CLK_TCK")
CORES = os.cpu_count()


def _busy_s():
    """Seconds that all processors worked at ordinary priority, or for another virtual machine."""
    words = Path("/proc/stat").read_text().split(None, 9)[1:9]
    user, _nice, system, _idle, _iowait, irq, softirq, steal = map(int, words)
    return (user + system + irq + softirq + steal) / TICKS


def _family():
    """{pid: (parent, CPU seconds of it and of its children that have ended)}: what we started."""
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            words = (folder / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        found[int(folder.name)] = int(words[1]), sum(map(int, words[11:15])) / TICKS
    return {pid: what for pid, what in found.items() if _is_ours(pid, found)}


def _is_ours(pid, processes):
    while pid in processes and pid != os.getpid():
        pid = processes[pid][0]
    return pid == os.getpid()


class Neighbours:
    """From its making on."""

    def __init__(self):
        self._began, self._busy_s, self._ours = time.monotonic(), _busy_s(), _family()

    def took_s(self):
        """How long they would have had the whole machine, in seconds."""
        now = _family()
        # Who has ended was counted into its parent's; whose parent ended before it, nowhere.
        before = sum(cpu for pid, (up, cpu) in self._ours.items() if pid in now or up in now)
        ours = sum(cpu for _, cpu in now.values()) - before
        theirs = (_busy_s() - self._busy_s - ours) / CORES
        return min(max(0, theirs), time.monotonic() - self._began)

    def share(self):
        """0: the machine was ours; 1: it was theirs."""
        return self.took_s() / max(time.monotonic() - self._began, 1e-3)


class Limit:
    """A limit on time, stretched in slow builds and by what neighbours take meanwhile."""

    def __init__(self, limit_s):
        self.limit_s, self._neighbours = limit_s * SLOW, Neighbours()

    def check(self, took_s, what):
        theirs = self._neighbours.share() * took_s
        said = f"{what}: {took_s:.3f} s of {self.limit_s:.3f} s"
        if theirs > 0.05 * took_s:
            said += f", and {theirs:.3f} s were other programs'"
        print(said)
        assert took_s < self.limit_s + theirs, said
