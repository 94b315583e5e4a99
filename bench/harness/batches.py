"""bench/batches: calls that share runs of their model beside calls that do not."""

import argparse
import re
import statistics
import sys
import tempfile
import urllib.request
from pathlib import Path

from . import docs, facts, load, report
from .errors import BenchError
from .options import positive_float, positive_int
from .paths import DOCS, SLUICE_BUILD
from .rows import Row
from .sluice import Sluice

MARKS = "bench/batches --write-docs"
ITEM_BYTES = 205
TOGETHER = 16
LIMIT_S = 120
ROWS = tuple(Row(ITEM_BYTES, connections, 1) for connections in (1, 2, 4, 16, 64))
HEADINGS = ("calls in flight", "model", "calls/s", "p50 ms", "p99 ms", "calls in a run")
MODEL = """\
engine: fake
duration: 5s
max_batch: {most}
inputs:  [{{name: INPUT0, datatype: UINT8, shape: [-1, {bytes}]}}]
outputs: [{{name: OUTPUT0, datatype: UINT8, shape: [-1, {bytes}]}}]
fake: {{run: {run}ms, result: copy}}
"""


def options_of(argv):
    p = argparse.ArgumentParser(
        prog="bench/batches",
        description="What it brings that calls of one model share runs of its engine.",
    )
    p.add_argument("--rounds", type=positive_int, default=5, help="default 5")
    p.add_argument("--seconds", type=positive_float, default=1, help="of one run (default 1)")
    p.add_argument("--run-ms", type=positive_int, default=5, help="of the engine (default 5)")
    p.add_argument("--build", type=Path, default=SLUICE_BUILD, help="default: build/release")
    p.add_argument("--write-docs", action="store_true", help="put the table into docs/")
    return p.parse_args(argv)


# ---- a request, as bytes


def field(number, payload):
    """Of a message: length-delimited, of less than 2^14 bytes."""
    length = len(payload)
    size = [length] if length < 128 else [length & 127 | 128, length >> 7]
    return bytes([number << 3 | 2, *size]) + payload


def request(model):
    """A gRPC message: ModelInferRequest with one item."""
    shape = bytes([1, ITEM_BYTES & 127 | 128, ITEM_BYTES >> 7])
    tensor = field(1, b"INPUT0") + field(2, b"UINT8") + field(3, shape)
    message = field(1, model.encode()) + field(5, tensor) + field(7, bytes(ITEM_BYTES))
    return b"\0" + len(message).to_bytes(4, "big") + message


# ---- measuring


def write_models(repository, run_ms):
    """name -> most calls in a run"""
    models = {"alone": 1, "together": TOGETHER}
    for name, most in models.items():
        folder = repository / name
        folder.mkdir(parents=True)
        text = MODEL.format(most=most, bytes=ITEM_BYTES, run=run_ms)
        (folder / "model.yaml").write_text(text)
    return models


def runs_so_far(server):
    """Calls and runs, by the gateway's metrics."""
    with urllib.request.urlopen(f"http://{server.http}/metrics", timeout=10) as reply:
        text = reply.read().decode()
    found = [re.search(rf"(?m)^sluice_run_calls_{it} (\d+)", text) for it in ("sum", "count")]
    return [int(match[1]) for match in found]


class Cell:
    """What one model does under one load, over all rounds."""

    def __init__(self, row, model):
        self.row, self.model = row, model
        self.loads, self.calls, self.runs = [], 0, 0

    def measure(self, server, folder, options):
        most_runs = options.seconds * 1000 / options.run_ms
        requests = max(2 * self.row.in_flight, round(most_runs * self._calls_in_a_run() / 2))
        requests -= requests % self.row.connections
        calls, runs = runs_so_far(server)
        body, log = folder / self.model, folder / "h2load.log"
        self.loads.append(load.run(self.row, server.url(self.row), body, requests, log, LIMIT_S))
        now = runs_so_far(server)
        self.calls, self.runs = self.calls + now[0] - calls, self.runs + now[1] - runs

    def _calls_in_a_run(self):
        return min(self.row.in_flight, TOGETHER) if self.model == "together" else 1

    def line(self):
        rate = statistics.median(one.rate for one in self.loads)
        p50, p99 = (
            statistics.median(getattr(one, name) for one in self.loads) / 1000
            for name in ("p50_us", "p99_us")
        )
        in_a_run = self.calls / self.runs
        words = (f"{rate:.0f}", f"{p50:.1f}", f"{p99:.1f}", f"{in_a_run:.1f}")
        return (str(self.row.in_flight), self.model, *words)


def measure(options, folder):
    server = Sluice("sluice", options.build, folder, config=one_slice(folder))
    models = write_models(folder / "models", options.run_ms)
    for name in models:
        (folder / name).write_bytes(request(name))
    cells = [Cell(row, model) for row in ROWS for model in models]
    server.start()
    try:
        for _ in range(options.rounds):
            for cell in cells:
                cell.measure(server, folder, options)
    finally:
        server.stop()
    return cells


def one_slice(folder):
    config = folder / "one.yaml"
    config.write_text("executor: {slices: {cpu: 1}}\n")
    return config


def main(argv=None):
    argv = sys.argv[1:] if argv is None else argv
    options = options_of(argv)
    try:
        found = facts.collect(["bench/batches", *argv])
        with tempfile.TemporaryDirectory() as folder:
            cells = measure(options, Path(folder))
        lines = [cell.line() for cell in cells]
        text = "\n\n".join([facts.as_markdown(found), report.markdown(HEADINGS, lines)])
        print(text)
        if options.write_docs:
            docs.write(DOCS, text, MARKS)
    except BenchError as error:
        print(f"bench/batches: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0
