"""Heartbeats, cancels and small calls do not wait behind a full bulk connection."""

import contextlib
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from support.calls import scripted_request
from support.link import LinkPair, with_keys
from support.neighbours import Limit
from support.paths import SLOW, scaled
from support.process import program_of
from support.wait import wait_until

pytestmark = pytest.mark.timeout(600)

MIB, GIB = 1 << 20, 1 << 30
TENSOR = 32 * MIB
# A cancel passes five threads and ends with the kernel's end of a process: 10 to 50 ms beside
# 1 GiB. Behind some of the tensors it would take longer than this, behind all of them seconds.
ACTED_WITHIN_S = 0.25
LIMITS = "limits: {message: 128MiB, body_total: 4GiB}\n"
# A cancelled call's worker is ended at once, which is how a test sees that the cancel came.
SLICES, HANGING = 5, 4
AT_ONCE = f"lease: {{cancel_grace: 0s}}\nslices: {{cpu: {SLICES}}}\n"
# A heartbeat that waits for the tensors before it would lose the node: 1 GiB takes some 10 s.
# Six beats of silence, as by default: more than twice the time for which a machine at load 17
# was seen to keep a loop from running (0.6 s in one piece).
TIGHT = f"heartbeat: {250 * SLOW}ms, lost_after: {1500 * SLOW}ms, unsent_max: 2GiB"
NO_SHORTCUT = "shared_memory: 0B"
RUNNING = 'sluice_calls_in_state{state="running"}'
LOST = "sluice_nodes_lost_total"
SENT = "sluice_node_bulk_sent_bytes_total"


class Flood:
    """A process of its own, which keeps `count` large tensors on their way at the same time."""

    def __init__(self, pair, count):
        self.count = count
        argv = [sys.executable, "-m", "support.flood", pair.address]
        self.process = subprocess.Popen(
            [*argv, str(count), str(TENSOR)],
            cwd=Path(__file__).parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """What it counted; fails when an answer was not what was sent."""
        out, _ = self.process.communicate("stop\n", timeout=300)
        assert self.process.returncode == 0, out
        return int(out.split()[-1])


def workers_of(executor, model):
    """The processes that run a model."""
    found = set()
    for process in psutil.Process(executor.pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if program_of(process) == "sluice-worker" and model in " ".join(process.cmdline()):
                found.add(process.pid)
    return found


def are_there(pids):
    return {pid for pid in pids if psutil.pid_exists(pid)}


def expect_prompt_cancel(call, pids):
    """From a caller's cancel to the end of the process that ran its call."""
    before, limit = are_there(pids), Limit(ACTED_WITHIN_S)
    started = time.monotonic()
    call.cancel()
    wait_until(lambda: are_there(pids) != before, 20 * SLOW, "a worker's end")
    limit.check(time.monotonic() - started, "a cancel")


def losses(pair):
    """Why a node was lost, as either end tells it."""
    logs = [process.log() for process in pair.processes.values()]
    return [line for log in logs for line in log.splitlines() if "lost" in line]


@pytest.mark.parametrize("security", ["plain", "curve"])
def test_cancels_and_heartbeats_pass_large_tensors(models, tmp_path, _stubs, security):
    """1 GiB of tensors under way in a soak; the processes' own clocks decide who is lost."""
    gateway, executor = with_keys(tmp_path) if security == "curve" else ("", "")
    both = (f"{gateway}{gateway and ', '}{TIGHT}", f"{executor}{executor and ', '}{NO_SHORTCUT}")
    with LinkPair(models, tmp_path, *both, more=(LIMITS, AT_ONCE)) as pair:
        pair.start("gateway")
        node = pair.start("executor")
        stub = pair.wait_ready()
        wait_until(lambda: len(workers_of(node, "scripted")) == SLICES, 20 * SLOW, "workers")
        pids = workers_of(node, "scripted")
        calls = [
            stub.ModelInfer.future(scripted_request(hang=True), timeout=300) for _ in range(HANGING)
        ]
        wait_until(lambda: pair.metric(RUNNING) == HANGING, 10 * SLOW, "the calls run")
        with Flood(pair, scaled(GIB // TENSOR, at_least=6)) as flood:
            wait_until(lambda: pair.metric(SENT) > 2 * TENSOR, 60 * SLOW, "large tensors")
            for call in calls:
                assert pair.metric(LOST) == 0, losses(pair)
                sent = pair.metric(SENT)
                expect_prompt_cancel(call, pids)
                wait_until(lambda sent=sent: pair.metric(SENT) > sent, 60 * SLOW, "tensors go on")
            answers = flood.stop()
        print(f"{security}: beside {flood.count} x {TENSOR >> 20} MiB; {answers} large answers")
        assert pair.metric(LOST) == 0, losses(pair)
        assert "gateway lost" not in node.log()
