"""Medians, ratios with their ranges, and the tables for people, programs and docs."""

from dataclasses import dataclass
from math import comb
from statistics import median

HEADINGS = ("size, load", "server", "requests/s", "p50", "p99", "CPU per call", "of it", "others")
RATIO_FIGURES = ("rate", "p50_us", "p99_us", "cpu_us", "front_cpu_us")
ROUNDS_MIN = 6  # fewer have no 95 % interval
WORKER = "worker"  # the role that a bare echo has no counterpart of


@dataclass(frozen=True)
class Spread:
    """Median and interval of one figure's rounds, or of its ratio to another server's."""

    middle: float
    low: float
    high: float

    def __str__(self):
        return f"{self.middle:.2f} ({self.low:.2f}..{self.high:.2f})"


def spread(values):
    return Spread(median(values), *interval(values)) if values else None


def interval(values):
    """The 95 % interval of the median by order statistics; the whole range of fewer than
    ROUNDS_MIN values."""
    ordered, cut, count = sorted(values), 0, len(values)
    outside = 0.0
    for k in range(count // 2):
        outside += 2 * comb(count, k) / 2**count
        if outside > 0.05:
            break
        cut = k
    return ordered[cut], ordered[-1 - cut]


def total_cpu_us(result):
    return sum(result.cpu_us.values())


def front_cpu_us(result):
    """Without the worker: gateway and executor. All of a server that has no worker."""
    return total_cpu_us(result) - result.cpu_us.get(WORKER, 0)


FIGURES = {
    "rate": lambda result: result.load.rate,
    "p50_us": lambda result: result.load.p50_us,
    "p99_us": lambda result: result.load.p99_us,
    "cpu_us": total_cpu_us,
    "front_cpu_us": front_cpu_us,
    "others_share": lambda result: result.others_share,
}
FIGURE_NAMES = {
    "rate": "requests/s",
    "p50_us": "p50",
    "p99_us": "p99",
    "cpu_us": "CPU per call",
    "front_cpu_us": "CPU without the worker",
}


def medians(results):
    """One cell's figures, each the median of its rounds."""
    figures = {name: median(map(get, results)) for name, get in FIGURES.items()}
    roles = results[0].cpu_us
    figures["cpu_us_by_role"] = {r: median(x.cpu_us.get(r, 0) for x in results) for r in roles}
    return figures


def ratio(figure, ours, theirs):
    """Taken round by round; None where their figure is too small to be measured."""
    get = FIGURES[figure]
    return spread([get(a) / get(b) for a, b in zip(ours, theirs, strict=True) if get(b) > 0])


def main_table(plan):
    """Lists of words: a line for each row and server."""
    return [
        [row.name, server.name, *_cell(plan.results.get((row.name, server.name)))]
        for row in plan.rows
        for server in plan.servers_of(row)
    ]


def answered_table(plan):
    """A line for each row: who has answered all its requests."""
    return [
        [
            row.name,
            ", ".join(s.name for s in plan.servers_of(row) if plan.rounds_of(row.name, s.name)),
        ]
        for row in plan.rows
    ]


def _cell(found):
    if not isinstance(found, list):
        return ["no figure", "-", "-", "-", str(found or "not run"), "-"]
    figures = medians(found)
    roles = figures["cpu_us_by_role"]
    parts = [f"{role} {time_text(us)}" for role, us in roles.items() if us >= 0.05]
    return [
        f"{figures['rate']:,.0f}" if figures["rate"] >= 100 else f"{figures['rate']:.1f}",
        time_text(figures["p50_us"]),
        time_text(figures["p99_us"]),
        time_text(figures["cpu_us"]),
        ", ".join(parts) if len(roles) > 1 else "",
        f"{100 * figures['others_share']:.0f} %",
    ]


def ratio_headings():
    return ["size, load", "ratio", *(FIGURE_NAMES[name] for name in RATIO_FIGURES)]


def ratio_table(plan, pairs):
    """A line for each row and pair that has figures of both."""
    lines = []
    for row in plan.rows:
        for ours, theirs in pairs:
            a, b = plan.rounds_of(row.name, ours), plan.rounds_of(row.name, theirs)
            if a and len(a) == len(b):
                found = (str(ratio(name, a, b) or "-") for name in RATIO_FIGURES)
                lines.append([row.name, f"{ours} : {theirs}", *found])
    return lines


def time_text(us):
    """Three digits and a unit: 65.2 us, 4.81 ms."""
    for limit, unit_us, name in ((1e3, 1, "us"), (1e6, 1e3, "ms"), (float("inf"), 1e6, "s")):
        if us < 0.9995 * limit:
            value = us / unit_us
            digits = 0 if value >= 99.95 else 1 if value >= 9.995 else 2
            return f"{value:.{digits}f} {name}"
    raise AssertionError


def plain(headings, lines):
    """Columns in line, for a terminal."""
    widths = [max(len(line[i]) for line in [headings, *lines]) for i in range(len(headings))]
    return "\n".join(
        "  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip()
        for line in [headings, *lines]
    )


def markdown(headings, lines):
    ruled = [headings, ["---"] * len(headings), *lines]
    return "\n".join("| " + " | ".join(line) + " |" for line in ruled)


def as_json(plan, facts, tables):
    """tables: name -> headings and lines."""
    cells = [
        {
            "row": row,
            "server": server,
            **(
                {"error": str(found)}
                if not isinstance(found, list)
                else {"medians": medians(found), "rounds": [r.as_json() for r in found]}
            ),
        }
        for (row, server), found in plan.results.items()
    ]
    return {"facts": facts, "cells": cells, **{k: [h, *v] for k, (h, v) in tables.items()}}
