"""The interleaved run: row by row, each round sends it to every server, in an order that rotates.

A row's rounds follow each other, so that no server has given back the memory that the row needs
while others had their turn."""

import statistics
import time
from dataclasses import asdict, dataclass

from . import cpu, load
from .errors import BenchError

PROBE_S = 0.2  # a first, unmeasured run is at least about this long; its rate sizes the others
RUN_MORE_S, PROBES_S, QUICK_RUN_S = 0.4, 0.6, 0.1  # estimates, only to say how long it takes
PROBE_REQUESTS_MAX = 100_000
COUNT_LIMIT_S = 5
RUN_LIMIT_S = 120


@dataclass(frozen=True)
class Result:
    """One run of h2load against one server."""

    load: load.Load
    cpu_us: dict  # role -> CPU microseconds per call
    others_share: (
        float  # of all CPU time used meanwhile, what was neither the server's nor h2load's
    )

    def as_json(self):
        return {**asdict(self.load), "cpu_us": self.cpu_us, "others_share": self.others_share}


class Plan:
    """What is run how often, and where its files are."""

    def __init__(self, cells, rounds, seconds, folder, say, is_quick=False):
        """cells: row -> the servers that it is sent to. is_quick: as few requests as can be."""
        self._cells, self.rounds, self.seconds = cells, rounds, seconds
        self.folder, self.say, self.is_quick = folder, say, is_quick
        self.results = {}  # (row name, server name) -> [Result], or BenchError
        self._wanted = {}  # (row name, server name) -> requests that fill the seconds of a run

    @property
    def rows(self):
        return list(self._cells)

    def servers_of(self, row):
        return self._cells[row]

    def servers(self):
        return list(dict.fromkeys(server for row in self.rows for server in self._cells[row]))

    def rounds_of(self, row_name, server_name):
        """Its results, round by round; none where a round has failed."""
        found = self.results.get((row_name, server_name))
        return found if isinstance(found, list) else []

    def minutes_text(self):
        """How long run() takes, from what starting h2load and reading its log cost beside a run."""
        cells = sum(map(len, self._cells.values()))
        each_s = QUICK_RUN_S if self.is_quick else self.rounds * (self.seconds + RUN_MORE_S)
        minutes = round(cells * (each_s + PROBES_S) / 60)
        return f"{max(1, minutes)} minute{'s' if minutes > 1 else ''}"

    def run(self):
        for row in self.rows:
            for server in self._cells[row]:
                self._guard(row, server, self._size_runs)
            for number in range(self.rounds):
                for server in rotated(self._cells[row], number):
                    self._guard(row, server, self._measure)
            self.say(f"{row.name}: {self.rounds} rounds done")

    def failures(self):
        """(row name, server name, BenchError): cells that have no figure."""
        return [(*k, v) for k, v in self.results.items() if isinstance(v, BenchError)]

    def _guard(self, row, server, step):
        """One failure and the cell has no figure: the rest of its runs is left out."""
        key = (row.name, server.name)
        if isinstance(self.results.get(key), BenchError):
            return
        try:
            step(row, server)
        except BenchError as error:
            self.results[key] = error
            self.say(f"{row.name}, {server.name}: {error}")

    def _size_runs(self, row, server):
        """Warms the server up and finds out how many of its requests fill the seconds of a run."""
        requests = 2 * row.in_flight
        while not self.is_quick:
            found = self._send(row, server, requests).load
            seconds = requests / found.rate
            if seconds >= PROBE_S or requests >= PROBE_REQUESTS_MAX:
                break
            requests *= 4
        wanted = 0 if self.is_quick else found.rate * self.seconds
        self._wanted[row.name, server.name] = wanted

    def requests_of(self, row):
        """As many for each server: a run makes its connections, too, and whoever sends less over
        them has more of that in each request."""
        wanted = [w for (name, _), w in self._wanted.items() if name == row.name]
        return whole_runs(statistics.median_high(wanted), row)

    def _measure(self, row, server):
        result = self._send(row, server, self.requests_of(row))
        self.results.setdefault((row.name, server.name), []).append(result)

    def _send(self, row, server, requests):
        roles = server.processes()
        answered, used = server.answered(), cpu_by_role(roles)
        found = load.run(
            row,
            server.url(row),
            self.folder / f"request-{row.tensor_bytes}",
            requests,
            self.folder / "h2load.log",
            RUN_LIMIT_S + 10 * self.seconds,
        )
        expect_reply_bytes(found, self.folder / f"reply-{row.tensor_bytes}")
        expect_answered(server, answered, requests)
        now = cpu_by_role(roles)
        spent = {role: now[role] - used[role] for role in roles}
        ours = sum(spent.values()) + found.client_cpu_s
        return Result(
            load=found,
            cpu_us={role: s * 1e6 / requests for role, s in spent.items()},
            others_share=others_share(ours, found.machine_cpu_s),
        )


def whole_runs(requests, row):
    """Rounded to the same number for each connection, and at least twice what is in flight."""
    each = max(2 * row.streams, round(requests / row.connections))
    return each * row.connections


def rotated(items, steps):
    steps %= len(items)
    return items[steps:] + items[:steps]


def cpu_by_role(roles):
    try:
        return {role: sum(map(cpu.process_cpu_s, pids)) for role, pids in roles.items()}
    except (FileNotFoundError, ProcessLookupError) as error:
        raise BenchError(f"a process of the server ended during the run: {error}") from None


def others_share(ours_s, machine_s):
    """Both are sums of 10 ms ticks: ours can come out as the larger one, and both as nothing."""
    return max(0.0, 1 - ours_s / machine_s) if machine_s > 0 else 0.0


def expect_reply_bytes(found, reply):
    expected = reply.stat().st_size
    if found.reply_bytes != expected:
        raise BenchError(f"a reply has {found.reply_bytes} bytes of data instead of {expected}")


def expect_answered(server, before, requests):
    """h2load does not look at grpc-status: the server's own count of answers with OK must agree."""
    if before is None:
        return
    end = time.monotonic() + COUNT_LIMIT_S
    while (count := server.answered() - before) != requests:
        if time.monotonic() > end or count > requests:
            raise BenchError(f"{requests} requests were sent, {count} answered with OK")
        time.sleep(0.02)
