"""The command line of bench/run."""

import argparse
from pathlib import Path

from . import aims
from .lineup import KNOWN
from .paths import SLUICE_BUILD
from .rows import ROWS


def parse(argv):
    p = argparse.ArgumentParser(
        prog="bench/run",
        description="Sluice beside other servers, in one interleaved run of h2load."
        " What is measured, and how to read it: docs/BENCHMARKS.md",
    )
    add_extent(p)
    add_sluice(p)
    p.add_argument("--echo-threads", type=positive_int, default=1, help="of the echo (default 1)")
    p.add_argument("--write-docs", action="store_true", help="put the tables into docs/")
    options = p.parse_args(argv)
    if options.quick:
        options.rounds = 1
    if options.quick and options.write_docs:
        p.error("--quick has no figures for --write-docs")
    if options.aims:
        judged = {aim.row for aim in aims.AIMS}
        options.rows = [row for row in options.rows if row.name in judged]
    if not options.rows:
        p.error("no row is left: none of those that --rows names has an aim")
    return options


def add_extent(p):
    """How much is run."""
    p.add_argument("--rounds", type=positive_int, default=5, help="of the whole table (default 5)")
    p.add_argument("--seconds", type=positive_float, default=2, help="of one run (default 2)")
    p.add_argument(
        "--quick", action="store_true", help="does everything answer? 1 round, few requests"
    )
    p.add_argument(
        "--aims", action="store_true", help="only the rows that have aims and the peers they name"
    )
    p.add_argument(
        "--servers",
        type=known_servers,
        metavar="A,B",
        help=f"some of {','.join(KNOWN)} (default: all that are installed)",
    )
    p.add_argument(
        "--rows",
        type=known_rows,
        default=list(ROWS),
        metavar="TEXT,TEXT",
        help="only rows whose name has one of the texts, as '0.2 KiB c8', 'MiB' or 'TLS'",
    )


def add_sluice(p):
    """Which Sluice."""
    p.add_argument(
        "--build",
        type=Path,
        default=SLUICE_BUILD,
        metavar="DIR",
        help="the build of Sluice (default: build/release)",
    )
    p.add_argument("--config", type=Path, metavar="FILE", help="for sluice up --config")
    p.add_argument(
        "--variant",
        type=variant,
        action="append",
        default=[],
        metavar="NAME=DIR[,FILE]",
        help="one more Sluice: another build, another configuration; can be repeated",
    )
    p.add_argument(
        "--without-store",
        type=variant,
        action="append",
        default=[],
        metavar="NAME=DIR[,FILE]",
        help="one more Sluice that keeps its receipts in memory alone: what durability costs",
    )
    p.add_argument(
        "--state",
        type=Path,
        metavar="DIR",
        help="where each Sluice has its store (default: in memory, as all files of a run)",
    )


def positive_int(text):
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0")
    return int(text)


def positive_float(text):
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 600:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds up to 600")
    return value


def known_servers(text):
    names = text.split(",")
    for name in names:
        if name not in KNOWN:
            raise argparse.ArgumentTypeError(f"{name} is none of {','.join(KNOWN)}")
    return names


def known_rows(text):
    words = text.split(",")
    rows = [row for row in ROWS if any(word in row.name for word in words)]
    if not rows:
        names = ", ".join(row.name for row in ROWS)
        raise argparse.ArgumentTypeError(f"no row has {text} in its name: {names}")
    return rows


def variant(text):
    """NAME=DIR or NAME=DIR,FILE."""
    name, _, rest = text.partition("=")
    build, _, config = rest.partition(",")
    if not name or not build or name in KNOWN:
        raise argparse.ArgumentTypeError(f"{text} is not NAME=DIR or NAME=DIR,FILE")
    return name, Path(build), Path(config) if config else None
