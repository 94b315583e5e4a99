"""Options, the order of things, exit codes: 0 all figures, 1 some cell has none, 2 wrong usage."""

import argparse
import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from . import answers, docs, facts, report
from .errors import BenchError
from .measure import Plan
from .paths import COMPARE_BUILD, COMPARE_SOURCE, DOCS, OUT, SLUICE_BUILD
from .rows import ROWS
from .servers import Echo, Nghttpd, Sluice, find_program

KNOWN = ("sluice", "echo", "nghttpd")


def parse(argv):
    p = argparse.ArgumentParser(prog="bench/run", description=__doc__.split(":")[0])
    p.add_argument("--rounds", type=positive_int, default=5, help="of the whole table (default 5)")
    p.add_argument("--seconds", type=positive_float, default=3, help="of one run (default 3)")
    p.add_argument("--quick", action="store_true", help="a smoke test: 1 round of 0.2 s a run")
    p.add_argument(
        "--servers",
        type=known_servers,
        default=list(KNOWN),
        metavar="A,B",
        help=f"some of {','.join(KNOWN)} (default: all)",
    )
    p.add_argument(
        "--rows",
        type=known_rows,
        default=list(ROWS),
        metavar="TEXT,TEXT",
        help="only rows whose name has one of the texts, as '0.2 KiB c8' or 'MiB'",
    )
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
    p.add_argument("--echo-threads", type=positive_int, default=1, help="of the echo (default 1)")
    p.add_argument("--write-docs", action="store_true", help="put the tables into docs/")
    options = p.parse_args(argv)
    if options.quick:
        options.rounds, options.seconds = 1, 0.2
    return options


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


def build_echo():
    """Configures and builds bench/compare; nothing happens when it is up to date."""
    log = OUT / "compare-build.log"
    steps = (
        ["cmake", "-S", COMPARE_SOURCE, "-B", COMPARE_BUILD, "-G", "Ninja"],
        ["cmake", "--build", COMPARE_BUILD],
    )
    with log.open("w") as out:
        for words in steps:
            if subprocess.run(words, stdout=out, stderr=out, check=False).returncode != 0:
                raise BenchError(
                    f"bench/compare does not build, see {log};"
                    " scripts/deps.sh build bench installs what it needs"
                )
    return COMPARE_BUILD / "grpc_echo"


def make_servers(options, folder):
    made = []
    if "sluice" in options.servers:
        made.append(Sluice("sluice", options.build, folder, options.config))
    made += [Sluice(name, build, folder, config) for name, build, config in options.variant]
    if "echo" in options.servers:
        made.append(Echo("echo", build_echo(), folder, options.echo_threads))
    if not made:
        raise BenchError("nghttpd alone has nothing to serve: name another server beside it")
    if "nghttpd" in options.servers:
        made.append(Nghttpd("nghttpd", folder))
    return made


def prepare(servers, rows, folder):
    """All are up, and answer alike."""
    for server in servers:
        server.start()
    answers.verify(servers, sorted({row.tensor_bytes for row in rows}), folder)
    for server in servers:
        if isinstance(server, Nghttpd):
            for row in rows:
                server.take_reply(row, folder / f"reply-{row.tensor_bytes}")


@contextlib.contextmanager
def work_folder():
    """In memory where possible, so that h2load's log does not wait for a disk."""
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="sluice-bench-", dir=memory))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def pairs_of(plan):
    """Who is compared with whom: each Sluice with the echo, each variant with the first Sluice."""
    names = [server.name for server in plan.servers]
    sluices = [server.name for server in plan.servers if isinstance(server, Sluice)]
    pairs = [(name, "echo") for name in sluices if "echo" in names]
    pairs += [(name, sluices[0]) for name in sluices[1:]]
    return pairs or [(names[0], name) for name in names[1:]]


def show(plan):
    print(report.plain(list(report.HEADINGS), report.main_table(plan)))
    for ours, theirs in pairs_of(plan):
        lines = report.ratio_table(plan, ours, theirs)
        if lines:
            print(f"\n{ours} : {theirs}, {docs.spread_text(plan.rounds)}")
            print(report.plain(list(report.RATIO_HEADINGS), lines))
    print("\nOnly ratios of one run count: figures drift by 30 % and more from hour to hour.")


def keep(plan, found, write_docs):
    path = OUT / f"bench-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}.json"
    path.write_text(json.dumps(report.as_json(plan, found, pairs_of(plan)), indent=1) + "\n")
    say(f"all rounds are in {path}")
    if write_docs:
        docs.write(DOCS, docs.render(plan, found, pairs_of(plan)))
        say(f"the tables are in {DOCS}")


def measure(options, found):
    with work_folder() as folder, contextlib.ExitStack() as stack:
        servers = make_servers(options, folder)
        for server in servers:
            stack.callback(server.stop)
        prepare(servers, options.rows, folder)
        say("all servers answer alike, byte for byte")
        plan = Plan(options.rows, servers, options.rounds, options.seconds, folder, say)
        plan.run()
    return plan


def main(argv=None):
    argv = sys.argv[1:] if argv is None else argv
    options = parse(argv)
    OUT.mkdir(parents=True, exist_ok=True)
    try:
        find_program("h2load")
        found = facts.collect(["bench/run", *argv])
        plan = measure(options, found)
        show(plan)
        failures = plan.failures()
        if failures and options.write_docs:
            raise BenchError("some cells have no figure, so docs are left as they are")
        keep(plan, found, options.write_docs)
    except BenchError as error:
        print(f"bench/run: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 1 if failures else 0
