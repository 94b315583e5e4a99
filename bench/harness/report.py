"""Medians, ratios with their ranges, and the tables for people, programs and docs."""

from dataclasses import dataclass
from math import comb
from statistics import median

HEADINGS = ("size, load", "server", "requests/s", "p50", "p99", "CPU per call", "of it", "others")
RATIO_HEADINGS = ("size, load", "requests/s", "p50", "CPU per call")


@dataclass(frozen=True)
class Ratio:
    """Of one figure of two servers, taken round by round."""

    middle: float
    low: float
    high: float

    def __str__(self):
        return f"{self.middle:.2f} ({self.low:.2f}..{self.high:.2f})"


def ratio(ours, theirs):
    pairs = [a / b for a, b in zip(ours, theirs, strict=True) if b > 0]
    return Ratio(median(pairs), *interval(pairs)) if pairs else None


def interval(values):
    """The 95 % interval of the median by order statistics; the whole range when there are too few
    values for one (fewer than 6)."""
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


FIGURES = {
    "rate": lambda result: result.load.rate,
    "p50_us": lambda result: result.load.p50_us,
    "p99_us": lambda result: result.load.p99_us,
    "cpu_us": total_cpu_us,
    "others_share": lambda result: result.others_share,
}


def medians(results):
    """One cell's figures, each the median of its rounds."""
    figures = {name: median(map(get, results)) for name, get in FIGURES.items()}
    roles = results[0].cpu_us
    figures["cpu_us_by_role"] = {r: median(x.cpu_us.get(r, 0) for x in results) for r in roles}
    return figures


def ratios(ours, theirs):
    return {
        name: ratio(list(map(FIGURES[name], ours)), list(map(FIGURES[name], theirs)))
        for name in ("rate", "p50_us", "cpu_us")
    }


def main_table(plan):
    """Lists of words: a line for each row and server."""
    lines = []
    for row in plan.rows:
        for server in plan.servers:
            found = plan.results.get((row.name, server.name))
            lines.append([row.name, server.name, *_cell(found)])
    return lines


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


def ratio_table(plan, ours, theirs):
    """A line for each row that both servers have figures of."""
    lines = []
    for row in plan.rows:
        a, b = (plan.results.get((row.name, name)) for name in (ours, theirs))
        if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
            found = ratios(a, b)
            lines.append([row.name, *(str(found[k] or "-") for k in ("rate", "p50_us", "cpu_us"))])
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


def as_json(plan, facts, pairs):
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
    return {"facts": facts, "cells": cells, "ratios": [_pair_json(plan, *pair) for pair in pairs]}


def _pair_json(plan, ours, theirs):
    lines = ratio_table(plan, ours, theirs)
    return {"of": ours, "to": theirs, "rows": {line[0]: line[1:] for line in lines}}
