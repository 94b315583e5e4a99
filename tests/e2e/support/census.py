"""What a cluster holds of the machine: processes, descriptors, memory, files."""

import os
import re
import time
from collections import Counter

import psutil

from .paths import SLOW
from .process import open_files, program_of

# Buffers that are kept for reuse come and go with the load; everything else must come back exactly.
MEMFD = re.compile(r"^/memfd:")


def resident_bytes(process):
    return psutil.Process(process.pid).memory_info().rss


def resident_kinds(process):
    """(anonymous, shared): the process's own, and memfds that it has mapped, whoever made them;
    nothing of one that has ended."""
    with open(f"/proc/{process.pid}/status") as status:
        kb = {line.split(":")[0]: line.split()[1] for line in status if line.startswith("Rss")}
    return int(kb.get("RssAnon", 0)) << 10, int(kb.get("RssShmem", 0)) << 10


def descriptors(process):
    """{kind: count}; numbers of sockets and pipes left out."""
    return Counter(re.sub(r"\d{2,}|\(deleted\)", "", name) for name in open_files(process))


class Census:
    """Taken when nothing is under way."""

    def __init__(self, cluster):
        daemons = {name: d for name, d in cluster.daemons.items() if d.is_alive()}
        self.daemons = {name: descriptors(d) for name, d in daemons.items()}
        self.resident = {name: resident_bytes(d) for name, d in daemons.items()}
        self.programs = Counter(program_of(p) for p in cluster.processes())
        self.zombies = [p for p in psutil.Process().children(recursive=True) if is_zombie(p)]
        self.files = sorted(
            name for name in os.listdir(cluster.folder) if not name.endswith((".log", ".yaml"))
        )
        self.shared = [
            name for name in os.listdir("/dev/shm") if re.match("sluice-(?!bench)", name)
        ]

    def problems(self, before, memory_slack_bytes):
        """Sentences about what is there that was not; memory may have grown by the slack."""
        found = []
        for what in ("programs", "files", "shared"):
            if getattr(self, what) != getattr(before, what):
                found.append(f"{what}: {getattr(before, what)} became {getattr(self, what)}")
        if self.zombies:
            found.append(f"zombies: {self.zombies}")
        for name, now in self.daemons.items():
            found += compare_descriptors(name, before.daemons[name], now)
            grown = self.resident[name] - before.resident[name]
            if grown > memory_slack_bytes:
                found.append(f"{name} has {grown >> 20} MiB more than before")
        return found


def expect_as_before(cluster, before, memory_slack_bytes, limit_s=10 * SLOW):
    """Waits until the census has no problems and every worker is there."""
    end = time.monotonic() + limit_s
    while True:
        found = Census(cluster).problems(before, memory_slack_bytes)
        if not found and len(cluster.workers()) == cluster.worker_count():
            return
        assert time.monotonic() < end, found or "workers are missing"
        time.sleep(0.05)


def compare_descriptors(name, before, now):
    grown = {kind: now[kind] - before[kind] for kind in now if now[kind] > before[kind]}
    memfds = sum(count for kind, count in grown.items() if MEMFD.match(kind))
    others = {kind: count for kind, count in grown.items() if not MEMFD.match(kind)}
    found = [f"{name} has {others} more descriptors than before"] if others else []
    if memfds > KEPT_MEMFDS_MAX:
        found.append(f"{name} has {memfds} more memfds than before")
    return found


KEPT_MEMFDS_MAX = 16


def is_zombie(process):
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
