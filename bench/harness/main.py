"""The order of things, and exit codes: 0 all figures, 1 some cell has none, 2 wrong usage."""

import contextlib
import json
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

from . import aims, answers, docs, facts, report
from .errors import BenchError
from .lineup import line_up, makers
from .measure import Plan
from .options import parse
from .paths import DOCS, OUT
from .process import find_program
from .sluice import Sluice


def start_all(cells, folder, stack):
    """All are up, and answer alike."""
    servers = list(dict.fromkeys(server for row in cells for server in cells[row]))
    sizes = sorted({row.tensor_bytes for row in cells})
    if not any(server.is_real for server in servers):
        raise BenchError("nghttpd alone has nothing to serve: name another server beside it")
    for server in servers:
        stack.callback(server.stop)
        server.start()
    answers.verify(servers, sizes, folder)
    for server in servers:
        if not server.is_real:
            for size in sizes:
                server.take_reply(size, folder / f"reply-{size}")


@contextlib.contextmanager
def work_folder():
    """In memory where possible, so that h2load's log does not wait for a disk."""
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="sluice-bench-", dir=memory))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def raise_file_limit():
    """As far as it may: 1000 connections have two ends here, behind a proxy four."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def pairs_of(plan):
    """Who is compared with whom: the first Sluice with each peer, each variant with that Sluice."""
    sluices = [server.name for server in plan.servers() if isinstance(server, Sluice)]
    names = list(dict.fromkeys(server.name for server in plan.servers()))
    ours = sluices[0] if sluices else names[0]
    pairs = [(ours, name) for name in names if name != ours and name not in sluices]
    return pairs + [(name, ours) for name in dict.fromkeys(sluices) if name != ours]


def tables_of(plan):
    """Title -> headings and lines; tables without a line are left out."""
    rounds = f"{plan.rounds} round{'s' if plan.rounds > 1 else ''}"
    if plan.is_quick:
        return {"Who answered": (["size, load", "servers"], report.answered_table(plan))}
    medians = list(report.HEADINGS), report.main_table(plan)
    pairs = pairs_of(plan)
    ours = pairs[0][0] if pairs else ""
    spread = "95 % interval" if plan.rounds >= report.ROUNDS_MIN else "smallest..largest"
    ratios = report.ratio_headings(), report.ratio_table(plan, pairs)
    judged = list(aims.HEADINGS), aims.table(plan, ours)
    found = {
        f"Medians of {rounds}": medians,
        f"Ratios, median of {rounds} ({spread})": ratios,
        f"Aims of {ours}, median of {rounds} ({spread})": judged,
    }
    return {title: table for title, table in found.items() if table[1]}


def show(tables):
    for title, (headings, lines) in tables.items():
        print(f"\n{title}\n{report.plain(headings, lines)}")


def keep(plan, found, tables):
    path = OUT / f"bench-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}.json"
    path.write_text(json.dumps(report.as_json(plan, found, tables), indent=1) + "\n")
    say(f"all rounds are in {path}")


def write_docs(plan, found, tables):
    if plan.failures():
        raise BenchError("some cells have no figure, so docs are left as they are")
    docs.write(DOCS, docs.render(found, tables))
    say(f"the tables are in {DOCS}")


def measure(options):
    found = makers(options, say)
    with work_folder() as folder, contextlib.ExitStack() as stack:
        cells = line_up(found, options.rows, options.aims, folder)
        start_all(cells, folder, stack)
        plan = Plan(cells, options.rounds, options.seconds, folder, say, options.quick)
        say(f"all servers answer alike, byte for byte; the run takes about {plan.minutes_text()}")
        plan.run()
    return plan


def main(argv=None):
    argv = sys.argv[1:] if argv is None else argv
    options = parse(argv)
    OUT.mkdir(parents=True, exist_ok=True)
    raise_file_limit()
    try:
        find_program("h2load")
        found = facts.collect(["bench/run", *argv])
        plan = measure(options)
        tables = tables_of(plan)
        show(tables)
        say("only ratios of one run count: figures drift by 30 % from hour to hour")
        keep(plan, found, tables)
        if options.write_docs:
            write_docs(plan, found, tables)
    except BenchError as error:
        print(f"bench/run: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 1 if plan.failures() else 0
