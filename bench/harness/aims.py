"""What Sluice is meant to reach, and whether a run says that it did.

An aim is a bound for one figure of one row: a ratio to a peer, taken round by round, or a figure of
Sluice alone. It is reached when the whole 95 % interval keeps it, missed when none of it does, and
undecided between. Too few rounds have no 95 % interval and decide nothing."""

from dataclasses import dataclass

from . import report

HEADINGS = ("size, load", "aim", "what", "found", "verdict")


@dataclass(frozen=True)
class Aim:
    stage: str  # "first", or "then": once the first is reached
    row: str
    figure: str  # of report.FIGURES
    peer: str | None  # None: the figure itself, not a ratio
    limit: float
    is_floor: bool  # at least limit, or at most

    @property
    def text(self):
        side = "at least" if self.is_floor else "at most"
        what = report.FIGURE_NAMES[self.figure]
        if self.peer is None:
            return f"{what} {side} {report.time_text(self.limit)}"
        return f"{what} {side} {self.limit:g} x {self.peer}"


def faster(stage, row, peer, times=1.0):
    return Aim(stage, row, "rate", peer, times, is_floor=True)


def sooner(stage, row, peer):
    return Aim(stage, row, "p50_us", peer, 1.0, is_floor=False)


FRONT_CPU_US = 16.0
FRONT_CPU_SHARE = 0.52  # that over the 31 us which the echo took on the machine of the aim

AIMS = (
    faster("first", "0.2 KiB c8 m32", "echo"),
    Aim("then", "0.2 KiB c8 m32", "front_cpu_us", None, FRONT_CPU_US, is_floor=False),
    Aim("then", "0.2 KiB c8 m32", "front_cpu_us", "echo", FRONT_CPU_SHARE, is_floor=False),
    faster("then", "0.2 KiB c8 m32", "echo", 2),
    sooner("first", "0.2 KiB c1 m1", "nginx"),
    sooner("then", "0.2 KiB c1 m1", "triton"),
    faster("first", "16 MiB c4 m2", "triton"),
    faster("then", "16 MiB c4 m2", "echo"),
    faster("first", "0.2 KiB c1000 m1", "triton"),
    faster("first", "0.2 KiB c1000 m1", "haproxy"),
    faster("then", "0.2 KiB c1000 m1", "echo", 2),
    faster("first", "TLS 0.2 KiB c8 m32", "echo"),
    faster("then", "TLS 0.2 KiB c8 m32", "echo", 2),
)


def peers_of(row_name):
    """Those that an aim of this row names."""
    return {aim.peer for aim in AIMS if aim.row == row_name and aim.peer}


def verdict(aim, found, rounds):
    """found: a report.Spread."""
    if rounds < report.ROUNDS_MIN:
        return f"fewer than {report.ROUNDS_MIN} rounds"
    low, high = (found.low, found.high) if aim.is_floor else (-found.high, -found.low)
    limit = aim.limit if aim.is_floor else -aim.limit
    if low >= limit:
        return "reached"
    return "missed" if high < limit else "undecided"


def measured(aim, plan, ours):
    """The figure's spread; None where this run has no rounds of it."""
    mine = plan.rounds_of(aim.row, ours)
    if not mine:
        return None
    if aim.peer is None:
        return report.spread([report.FIGURES[aim.figure](x) for x in mine])
    theirs = plan.rounds_of(aim.row, aim.peer)
    return report.ratio(aim.figure, mine, theirs) if len(theirs) == len(mine) else None


def table(plan, ours):
    """A line for each aim that this run can judge."""
    lines = []
    for aim in AIMS:
        found = measured(aim, plan, ours)
        if found:
            lines.append(
                [aim.row, aim.stage, aim.text, str(found), verdict(aim, found, plan.rounds)]
            )
    return lines
