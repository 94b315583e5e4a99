"""The programs that time one module alone: run one after the other, shown, and put into docs/."""

import argparse
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from . import docs, facts
from .errors import BenchError
from .paths import ROOT, SLUICE_BUILD

PROGRAMS = (
    "micro_duration",
    "micro_identify",
    "micro_jwt",
    "micro_ledger",
    "micro_order",
    "micro_sched",
    "micro_store",
)


@dataclass(frozen=True)
class Aim:
    """The first number that line finds in a program's words must be below the bound."""

    program: str
    what: str
    line: str
    below: float


STORED = r"^\| {}.* \| \d+ \| ([\d.]+)"  # CPU us, in the row of that name
MILLION = r"^ *1000000(?: +\d+){{{}}} +(\d+)"  # ns, in the row of so many calls

AIMS = (
    Aim(
        "micro_duration",
        "a usual expression costs under 5 us for a call",
        r"^value, shape, math .* ([\d.]+) us +\d+ bytes$",
        5,
    ),
    Aim("micro_identify", "an API token costs under 1 us", r"^API token.* (\d+) ns$", 1000),
    Aim("micro_identify", "a remembered token costs under 1 us", r"remembered +(\d+) ns$", 1000),
    Aim(
        "micro_store",
        "16 receipts at once cost under 3 us each",
        STORED.format("groups of 16, n"),
        3,
    ),
    Aim("micro_store", "their tables under 6 us each", STORED.format("tables .* 10,000"), 6),
    Aim("micro_order", "with a million calls an insert costs under 2 us", MILLION.format(0), 2000),
    Aim("micro_order", "finding a place under 2 us", MILLION.format(1), 2000),
    Aim("micro_order", "a removal under 2 us", MILLION.format(2), 2000),
    Aim("micro_order", "taking out the first under 2 us", MILLION.format(3), 2000),
    Aim("micro_jwt", "a new RS256 token costs under 2 x OpenSSL's check", r"^RS256.*x([\d.]+)", 2),
)


def parse(argv):
    p = argparse.ArgumentParser(
        prog="bench/micro/run",
        description="Times single modules by the CPU time of a program of their own."
        " What each is for: docs/BENCHMARKS.md",
    )
    p.add_argument("program", nargs="*", metavar="PROGRAM", help=f"of {', '.join(PROGRAMS)}; all")
    p.add_argument("--build", type=Path, default=SLUICE_BUILD, metavar="DIR", help="build/release")
    p.add_argument("--write-docs", action="store_true", help="put what they say into docs/")
    options = p.parse_args(argv)
    for name in options.program:
        if name not in PROGRAMS:
            p.error(f"{name} is none of {', '.join(PROGRAMS)}")
    return options


def run(program, build):
    """What it printed."""
    path = build / "bench" / program
    if not path.exists():
        raise BenchError(f"{path} is not there: cmake --build --preset release")
    done = subprocess.run([path], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"{program} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout.rstrip()


def judge(program, text):
    """A line for each aim of a program."""
    lines = []
    for aim in AIMS:
        if aim.program != program:
            continue
        found = re.search(aim.line, text, re.MULTILINE)
        if found is None:
            raise BenchError(f"{program} no longer says what '{aim.what}' is judged by")
        word = "reached" if float(found.group(1)) < aim.below else "missed"
        lines.append(f"aim: {aim.what}: {word}")
    return lines


def main(argv=None):
    options = parse(argv)
    words = sys.argv[1:] if argv is None else argv
    known = facts.collect(["bench/micro/run", *words])
    try:
        for program in options.program or PROGRAMS:
            said = run(program, options.build)
            text = "\n".join([said, *judge(program, said)])
            print(f"{program}\n{text}\n", flush=True)
            if options.write_docs:
                block = f"{facts.of_run(known)}\n\n```\n{text}\n```"
                docs.write(ROOT / "docs/BENCHMARKS.md", block, f"bench/micro/run {program}")
    except BenchError as error:
        print(f"bench/micro/run: {error}", file=sys.stderr)
        return 1
    return 0
