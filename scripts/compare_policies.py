#!/usr/bin/env python3
"""Plays scenarios by each policy, and writes what came of them into a page between its marks.

    scripts/compare_policies.py [--build build/release] [PAGE]

The page (docs/SCHEDULING.md) has, for each table, a line `<!-- sim: NAME [OPTION]... -->` and a
line `<!-- end -->`; what stands between them is made anew. Numbers are means over SEEDS; a long
scenario says `seeds=1` first. `<!-- eta: NAME... -->` is a table of what calls were told of their
start, and what came of it.
"""

import argparse
import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SEEDS = [101, 102, 103]
ETAS = re.compile(r"(<!-- eta: (.*?) -->\n).*?(<!-- end -->)", re.S)
MARKED = re.compile(r"(<!-- sim: (\S+)(.*?) -->\n).*?(<!-- end -->)", re.S)
POLICIES = ["fair", "strict", "fifo"]


def runs(build, scenario, options, seed):
    told = subprocess.run(
        [build / "bin/sluice-sim", ROOT / f"scenarios/{scenario}.yaml", "--json"]
        + ["--seed", str(seed), *options],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(told.stdout)["runs"]


def play(build, scenario, options, seed):
    """Policy to result."""
    return {run["label"]: run for run in runs(build, scenario, ["--compare", *options], seed)}


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def served(part):
    return 100 * part["ended"].get("OK", 0) / part["calls"] if part["calls"] else 0


def over(days, policy, kind, name, value):
    return mean(value(day[policy][kind][name]) for day in days)


def row(title, days, value, form="{:.2f}"):
    return f"| {title} | " + " | ".join(form.format(value(policy)) for policy in POLICIES) + " |"


def tier_rows(days):
    measures = [
        ("mean wait, s", lambda t: t["wait"]["mean_s"], "{:.2f}"),
        ("p99 wait, s", lambda t: t["wait"]["p99_s"], "{:.2f}"),
        ("served, %", served, "{:.1f}"),
        ("time, %", lambda t: 100 * t["share"], "{:.1f}"),
    ]
    for tier in days[0]["fair"]["tiers"]:
        for title, value, form in measures:
            yield row(
                f"{tier}: {title}",
                days,
                lambda p, tier=tier, value=value: over(days, p, "tiers", tier, value),
                form,
            )


def group_rows(days):
    groups = {name: g for name, g in days[0]["fair"]["visitors"].items() if g["calls"] > 0}
    if len(groups) > len(days[0]["fair"]["tiers"]):
        for group in groups:
            for title, value, form in [
                ("mean wait, s", lambda g: g["wait"]["mean_s"], "{:.2f}"),
                ("served, %", served, "{:.1f}"),
            ]:
                yield row(
                    f"*{group}*: {title}",
                    days,
                    lambda p, group=group, value=value: over(days, p, "visitors", group, value),
                    form,
                )
    for group, told in groups.items():
        if told["visitors_who_asked"] > 1:
            yield row(
                f"*{group}*: Jain's index",
                days,
                lambda p, group=group: over(days, p, "visitors", group, lambda g: g["jain"]),
                "{:.3f}",
            )


def table(days):
    yield "| | " + " | ".join(POLICIES) + " |"
    yield "|---|" + "---:|" * len(POLICIES)
    yield from tier_rows(days)
    yield from group_rows(days)
    yield row(
        "utilisation, %",
        days,
        lambda p: mean(100 * day[p]["utilisation"] for day in days),
        "{:.1f}",
    )


def make(build, scenario, options):
    seeds = SEEDS
    if options and options[0].startswith("seeds="):
        seeds = SEEDS[: int(options[0][6:])]
        options = options[1:]
    with ThreadPoolExecutor(2) as pool:
        days = list(pool.map(lambda seed: play(build, scenario, options, seed), seeds))
    wrong = [run["wrong"] for day in days for run in day.values() if run["wrong"]]
    if wrong:
        sys.exit(f"{scenario}: {wrong[0]}")
    return "\n".join(table(days)) + "\n"


def eta_rows(build, scenario):
    days = [runs(build, scenario, [], seed)[0] for seed in SEEDS]
    for tier in days[0]["tiers"]:
        etas = [day["tiers"][tier]["eta"] for day in days]
        if not all(eta["told"] for eta in etas):
            continue
        cells = [
            f"{mean(eta['told'] for eta in etas):.0f}",
            f"{100 * mean(eta['within_p50'] for eta in etas):.1f}",
            f"{100 * mean(eta['within_p90'] for eta in etas):.1f}",
            f"{mean(eta['p90_to_p50_median'] for eta in etas):.2f}",
            f"{mean(eta['wait_to_p50_p90'] for eta in etas):.2f}",
        ]
        yield f"| {scenario}: {tier} | " + " | ".join(cells) + " |"


def eta_table(build, scenarios):
    heads = ["told", "p50 held, %", "p90 held, %", "p90 / p50 as told", "nine of ten within, x p50"]
    lines = ["| | " + " | ".join(heads) + " |", "|---|" + "---:|" * len(heads)]
    for scenario in scenarios:
        lines += eta_rows(build, scenario)
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("page", nargs="?", default=ROOT / "docs/SCHEDULING.md", type=Path)
    parser.add_argument("--build", default=ROOT / "build/release", type=Path)
    args = parser.parse_args()
    text = args.page.read_text(encoding="utf-8")
    fresh = MARKED.sub(
        lambda m: m[1] + make(args.build, m[2], m[3].split()) + m[4],
        text,
    )
    fresh = ETAS.sub(lambda m: m[1] + eta_table(args.build, m[2].split()) + m[3], fresh)
    args.page.write_text(fresh, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
