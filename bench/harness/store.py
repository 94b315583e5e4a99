"""bench/store: whole calls with a store and without one."""

import argparse
import sys
import tempfile
from pathlib import Path

from . import docs, facts, lineup, report
from . import main as run
from .errors import BenchError
from .options import parse, positive_float, positive_int
from .paths import DOCS, SLUICE_BUILD

MARKS = "bench/store --write-docs"
ROWS = "0.2 KiB c1 m1,0.2 KiB c8 m32"
FULL, NONE = "sync-full", "without"


def options_of(argv):
    p = argparse.ArgumentParser(
        prog="bench/store",
        description="What it costs that receipts last: a Sluice with a store beside one without.",
    )
    p.add_argument("--rounds", type=positive_int, default=15, help="default 15")
    p.add_argument("--seconds", type=positive_float, default=0.5, help="of one run (default 0.5)")
    p.add_argument(
        "--state",
        type=Path,
        default=Path("/tmp"),
        help="a folder on the file system that is to be measured (default /tmp)",
    )
    p.add_argument("--build", type=Path, default=SLUICE_BUILD, help="default: build/release")
    p.add_argument("--write-docs", action="store_true", help="put the tables into docs/")
    return p.parse_args(argv)


def words_of(options, synced):
    """For bench/run; synced: a configuration in which each group is synced."""
    words = ["--rounds", options.rounds, "--seconds", options.seconds, "--rows", ROWS]
    words += ["--servers", lineup.OURS, "--build", options.build, "--state", options.state]
    words += ["--variant", f"{FULL}={options.build},{synced}"]
    return [*map(str, words), "--without-store", f"{NONE}={options.build}"]


def measure(options):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as synced:
        synced.write("gateway: {store: {sync: full}}\n")
        synced.flush()
        plain = parse(words_of(options, synced.name))
        plain.rows = [row for row in plain.rows if not row.tls]
        return run.measure(plain)


def whole(options):
    """Headings and lines: medians, and ratios to a Sluice without a store."""
    plan = measure(options)
    if plan.failures():
        raise BenchError("some cells have no figure")
    pairs = [(name, NONE) for name in (lineup.OURS, FULL)]
    medians = list(report.HEADINGS), report.main_table(plan)
    return medians, (report.ratio_headings(), report.ratio_table(plan, pairs))


def main(argv=None):
    argv = sys.argv[1:] if argv is None else argv
    options = options_of(argv)
    try:
        found = facts.collect(["bench/store", *argv])
        parts = [facts.as_markdown(found)]
        parts += [report.markdown(*table) for table in whole(options)]
        print("\n\n".join(parts))
        if options.write_docs:
            docs.write(DOCS, "\n\n".join(parts), MARKS)
    except BenchError as error:
        print(f"bench/store: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0
