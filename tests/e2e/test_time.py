"""The moment that nobody wants a call any more: its slice is free soon, whoever left and however,
and what it cost is what it used.

The slice-free time of a trial is what the executor's own record of the lease (its receipt) says
beyond the moment that the caller left, or beyond the call's limit: `lease.cancel_grace`, 1 s, at
most. The gateway measures the same (sluice_slice_freed_seconds), and that is printed.
"""

import itertools
import shutil
import signal
import struct
import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from support.calls import refusal, request, scripted_request
from support.cluster import Cluster
from support.models import write_fake, write_model
from support.neighbours import Limit
from support.paths import DATA, ROOT, SLOW, scaled
from support.raw_h2 import HEADERS, RawH2
from support.receipts import receipts_of
from support.stubs import pb
from support.wait import wait_until

GRACE_S = 1  # the default
# States of sluice.v1.CallStatus: a call that waits may have been sent ahead to its node.
WAITING, RUNNING = (2, 3), (4,)
OWN_TIME_S = 0.4  # of calls that end by their own limit or deadline
CONFIG = """
trusted_proxies: [127.0.0.0/8]
tiers: {everybody: {daily: 100d, in_flight: 1000}}
networks: {0.0.0.0/0: everybody}
"""


def make_cluster(models, folder, *, slices, gateway="", **more):
    store = f"store: {{path: '{folder}/sluice.db'}}\n"
    executor = f"state: {folder}/NODE.state\n"
    return Cluster(
        models, folder, slices=slices, gateway=CONFIG + store + gateway, executor=executor, **more
    )


def receipts(cluster):
    """{call id: its receipt}; that there are not two of one."""
    found = [r for r in receipts_of(cluster.folder / "sluice.db") if not r.is_orphan]
    by_id = {r.call_id: r for r in found}
    assert len(by_id) == len(found)
    return by_id


def receipt(cluster, call_id):
    """Of a call that has ended: there when its slice is free, too."""
    return wait_until(lambda: receipts(cluster).get(call_id), 10 * SLOW, "its receipt")


def state_of(visitor, call_id):
    try:
        return visitor.GetCall(pb("sluice.v1").GetCallRequest(call_id=call_id), timeout=20).state
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.NOT_FOUND:
            raise
        return None


def until(visitor, call_id, states):
    wait_until(lambda: state_of(visitor, call_id) in states, 20 * SLOW, f"states {states}")


# ---- who leaves, and how: begins a call and answers how to leave it; that tells when nobody wanted
# it any more

CHILD = """
import sys, time
sys.path.insert(0, sys.argv[1])
from support.raw_h2 import RawH2
client = RawH2(sys.argv[2])
client.call(1, sys.stdin.buffer.read(), metadata=[("sluice-call-id", sys.argv[3])])
time.sleep(600)
"""


def future_of(cluster, call_id, message, metadata=(), timeout=60 * SLOW):
    sent = [("sluice-call-id", call_id), *metadata]
    return cluster.shared.ModelInfer.future(message, metadata=sent, timeout=timeout)


def by_reset(cluster, call_id, message):
    future = future_of(cluster, call_id, message)

    def leave():
        future.cancel()
        return time.monotonic()

    return leave


def by_closing(cluster, call_id, message):
    client = RawH2(cluster.grpc)
    client.call(1, message.SerializeToString(), metadata=[("sluice-call-id", call_id)])

    def leave():
        client.socket.close()
        return time.monotonic()

    return leave


def by_dying(cluster, call_id, message):
    argv = [sys.executable, "-c", CHILD, str(Path(__file__).parent), cluster.grpc, call_id]
    child = subprocess.Popen(argv, stdin=subprocess.PIPE)
    child.stdin.write(message.SerializeToString())
    child.stdin.close()

    def leave():
        child.kill()
        left_at = time.monotonic()
        child.wait()
        return left_at

    return leave


def by_cancel_call(cluster, call_id, message):
    future = future_of(cluster, call_id, message)

    def leave():
        left_at = time.monotonic()
        cluster.visits.CancelCall(pb("sluice.v1").CancelCallRequest(call_id=call_id), timeout=20)
        assert future.exception().code() == grpc.StatusCode.CANCELLED
        return left_at

    return leave


def by_deadline(cluster, call_id, message):
    """Of one who waits for the answer: grpcio would reset the call at the same moment."""
    began_at, client = time.monotonic(), RawH2(cluster.grpc)
    metadata = [("sluice-call-id", call_id), ("grpc-timeout", f"{OWN_TIME_S * 1000:.0f}m")]
    client.call(1, message.SerializeToString(), metadata=metadata)

    def leave():
        client.wait_for(HEADERS, stream=1)
        client.socket.close()
        return began_at + OWN_TIME_S

    return leave


def by_limit(cluster, call_id, message):
    began_at = time.monotonic()  # a lower bound of its start
    future = future_of(cluster, call_id, message, [("sluice-duration", f"{OWN_TIME_S}s")])

    def leave():
        error = future.exception()
        trailers = dict(error.trailing_metadata())
        assert trailers["sluice-reason"] == "DURATION_EXCEEDED"
        assert error.details() == "Duration exceeded: the call used its 400ms"
        assert trailers["sluice-charged-ms"] == "400.000"
        return began_at + OWN_TIME_S

    return leave


WAYS = {
    by_reset: "CANCELLED",
    by_closing: "CANCELLED",
    by_dying: "CANCELLED",
    by_cancel_call: "CANCELLED",
    by_deadline: "DEADLINE_EXCEEDED",
    by_limit: "DURATION_EXCEEDED",
}
# One stops when it is asked to, the other must be killed.
SCRIPTS = [{"run": "60s"}, {"hang": True}]


@dataclass
class Trial:
    way: object
    script: dict
    call_id: str = ""
    wanted_s: float = 0  # from its sending to the moment that nobody wanted it any more

    def run(self, cluster):
        self.call_id = str(uuid.uuid4())
        began_at = time.monotonic()
        leave = self.way(cluster, self.call_id, scripted_request(**self.script))
        if self.way not in (by_deadline, by_limit):
            until(cluster.visits, self.call_id, RUNNING)
        self.wanted_s = leave() - began_at

    def late_s(self, receipt):
        """How long its slice was taken for nobody, at most."""
        assert receipt.reason == WAYS[self.way]
        # What was used is paid for, and no more than was held.
        assert receipt.charged_us == min(receipt.used_us, receipt.held_us)
        return receipt.used_us / 1e6 - self.wanted_s


def print_freed(cluster, after):
    """As the gateway has measured it; how often."""
    name = "sluice_slice_freed_seconds"
    counted = cluster.metrics()
    count = counted[f'{name}_count{{after="{after}"}}']
    soon = counted[f'{name}_bucket{{after="{after}",le="0.05"}}']
    within = counted[f'{name}_bucket{{after="{after}",le="1"}}']
    mean_s = counted[f'{name}_sum{{after="{after}"}}'] / max(1, count)
    print(f"after {after}: {count:.0f}, {soon:.0f} in 50 ms, {within:.0f} in 1 s")
    print(f"after {after}: {mean_s:.3f} s on average")
    return count


@pytest.fixture
def one_model(tmp_path_factory):
    models = tmp_path_factory.mktemp("scripted")
    write_fake(models, "scripted", result="copy")
    return models


def test_a_slice_is_free_within_the_grace_whoever_leaves_and_however(one_model, tmp_path, _stubs):
    """Each trial finds a free slice, also while that of the one before is being cleared."""
    count, callers = scaled(1000, at_least=100), 6
    kinds = itertools.cycle(itertools.product(WAYS, SCRIPTS))
    trials = [Trial(*kind) for kind in itertools.islice(kinds, count)]
    with make_cluster(one_model, tmp_path, slices=2 * callers) as cluster:
        cluster.shared, cluster.visits = cluster.stub(), cluster.visitor()
        limits = {"run": Limit(0.2), "hang": Limit(GRACE_S)}
        with ThreadPoolExecutor(callers) as pool:
            list(pool.map(lambda trial: trial.run(cluster), trials))
        found = {t.call_id: receipt(cluster, t.call_id) for t in trials}
        for way, script in itertools.product(WAYS, SCRIPTS):
            kind = next(iter(script))
            late = [
                t.late_s(found[t.call_id]) for t in trials if (t.way, t.script) == (way, script)
            ]
            limits[kind].check(max(late), f"{way.__name__} of {kind}, the slowest of {len(late)}")
        # One whose deadline came before its start had no slice.
        cancelled = [found[t.call_id] for t in trials if t.way is not by_limit]
        assert print_freed(cluster, "limit") == count - len(cancelled)
        assert print_freed(cluster, "cancel") == sum(r.used_us > 0 for r in cancelled)
        assert len(receipts(cluster)) == count
        assert cluster.calls() == 0


def test_the_next_call_begins_when_the_slice_is_free(few_models, tmp_path, _stubs):
    """A worker that stopped goes on; one that was killed is made again."""
    took = {"run": [], "hang": []}
    with make_cluster(few_models, tmp_path, slices=1) as cluster:
        cluster.shared, cluster.visits = cluster.stub(), cluster.visitor()
        limit = Limit(GRACE_S + 1)
        for script in SCRIPTS * scaled(60, at_least=3):
            first, second = str(uuid.uuid4()), str(uuid.uuid4())
            leave = by_reset(cluster, first, scripted_request(**script))
            until(cluster.visits, first, RUNNING)
            future = future_of(cluster, second, scripted_request())
            until(cluster.visits, second, WAITING)
            left_at = leave()
            assert future.result().outputs
            took[next(iter(script))].append(time.monotonic() - left_at)
        for kind, times in took.items():
            limit.check(max(times), f"the next call after {kind}, the slowest of {len(times)}")


@pytest.fixture
def endless_network(tmp_path_factory):
    """A repository with an ONNX network that loops as often as it is told to."""
    made = subprocess.run([ROOT / "scripts/venv.sh", "magika"], capture_output=True, text=True)
    capi = "lib/python3*/site-packages/onnxruntime/capi/libonnxruntime.so.*"
    (library,) = Path(made.stdout.strip()).glob(capi)
    models = tmp_path_factory.mktemp("endless")
    folder = write_model(
        models,
        "long",
        f"""\
engine: onnx
onnx: {{library: '{library}', file: long.onnx}}
inputs:  [{{name: n, datatype: INT64, shape: []}}, {{name: x, datatype: FP32, shape: []}}]
outputs: [{{name: s, datatype: FP32, shape: []}}]
""",
    )
    shutil.copy(DATA / "onnx/long.onnx", folder)
    return models


def test_a_network_stops_in_the_middle_and_stays_loaded(endless_network, tmp_path, _stubs):
    def looping(count):
        scalars = [("n", "INT64", [], struct.pack("<q", count)), ("x", "FP32", [], bytes(4))]
        return request("long", scalars)

    with make_cluster(endless_network, tmp_path, slices=1) as cluster:
        cluster.shared, cluster.visits = cluster.stub(), cluster.visitor()
        assert cluster.shared.ModelInfer(looping(1), timeout=20 * SLOW).outputs
        workers = {worker.pid for worker in cluster.workers()}
        limit = Limit(0.2)
        for _ in range(scaled(40, at_least=3)):
            trial = Trial(by_reset, {}, str(uuid.uuid4()))
            began_at = time.monotonic()
            leave = by_reset(cluster, trial.call_id, looping(2**62))
            until(cluster.visits, trial.call_id, RUNNING)
            trial.wanted_s = leave() - began_at
            late_s = trial.late_s(receipt(cluster, trial.call_id))
            limit.check(late_s, "a network that was cancelled")
            assert cluster.shared.ModelInfer(looping(1), timeout=20 * SLOW).outputs
        assert {worker.pid for worker in cluster.workers()} == workers


def test_a_call_that_waits_leaves_at_once(few_models, tmp_path, _stubs):
    with make_cluster(few_models, tmp_path, slices=1) as cluster:
        cluster.shared, cluster.visits = cluster.stub(), cluster.visitor()
        running = str(uuid.uuid4())
        end = by_reset(cluster, running, scripted_request(run="60s"))
        until(cluster.visits, running, RUNNING)
        limit, slowest = Limit(0.5), 0
        for way in (by_reset, by_closing, by_dying, by_cancel_call, by_deadline):
            waiting = str(uuid.uuid4())
            leave = way(cluster, waiting, scripted_request())
            if way is not by_deadline:
                until(cluster.visits, waiting, WAITING)
            left_at = leave()
            wait_until(lambda: cluster.calls() == 1, 10 * SLOW, "an empty queue")
            slowest = max(slowest, time.monotonic() - left_at)
            told = receipt(cluster, waiting)
            assert (told.reason, told.used_us, told.charged_us) == (WAYS[way], 0, 0)
        limit.check(slowest, "the slowest to leave the queue")
        assert state_of(cluster.visits, running) in RUNNING
        end()


def test_who_has_waited_long_enough_is_told_so(few_models, tmp_path, _stubs):
    with make_cluster(few_models, tmp_path, slices=1) as cluster:
        cluster.shared, cluster.visits = cluster.stub(), cluster.visitor()
        running, waiting = str(uuid.uuid4()), str(uuid.uuid4())
        end = by_reset(cluster, running, scripted_request(run="60s"))
        until(cluster.visits, running, RUNNING)
        limit, began_at = Limit(1), time.monotonic()
        metadata = [("sluice-max-wait", "300ms"), ("sluice-call-id", waiting)]
        outcome = refusal(cluster.shared.ModelInfer, scripted_request(), metadata=metadata)
        took_s = time.monotonic() - began_at
        assert outcome.trailers["sluice-reason"] == "ALLOCATION_TIMEOUT"
        assert outcome.text.startswith("GPU allocation timed out after 300ms")
        assert outcome.trailers["grpc-retry-pushback-ms"] == "-1"
        assert took_s >= 0.3
        limit.check(took_s, "a wait of 300 ms")
        told = receipt(cluster, waiting)
        assert (told.reason, told.charged_us) == ("ALLOCATION_TIMEOUT", 0)
        end()


def test_a_drain_that_ends_takes_the_slices_back(few_models, tmp_path, _stubs):
    """Calls that are still there get their answer; the next gateway finds the slices free."""
    with make_cluster(
        few_models, tmp_path, slices=1, gateway="drain: {timeout: 300ms}\n"
    ) as cluster:
        cluster.shared, cluster.visits = cluster.stub(), cluster.visitor()
        running = str(uuid.uuid4())
        future = future_of(cluster, running, scripted_request(hang=True))
        until(cluster.visits, running, RUNNING)
        cluster.daemons["gateway"].signal(signal.SIGTERM)
        assert dict(future.exception().trailing_metadata())["sluice-reason"] == "DRAINING"
        limit, began_at = Limit(GRACE_S + 3), time.monotonic()
        assert cluster.restart("gateway") == 0
        wait_until(cluster.is_whole, 20 * SLOW, "the next gateway and its node")
        assert cluster.stub().ModelInfer(scripted_request(), timeout=20 * SLOW).outputs
        limit.check(time.monotonic() - began_at, "until the next gateway's call was served")


def test_a_call_whose_node_is_lost_before_it_began_runs_elsewhere(few_models, tmp_path, _stubs):
    """In its old place: a call that came later does not pass it."""
    with make_cluster(
        few_models, tmp_path, slices=1, executors=2, link="lost_after: 400ms, heartbeat: 100ms"
    ) as cluster:
        cluster.shared = cluster.stub()
        for _ in range(scaled(40, at_least=2)):
            cluster.daemons["n1"].signal(signal.SIGSTOP)  # it takes calls and begins none
            futures = [future_of(cluster, str(uuid.uuid4()), scripted_request()) for _ in range(4)]
            nodes = {dict(f.trailing_metadata())["sluice-node"] for f in futures if f.result()}
            assert nodes == {"n2"}
            cluster.daemons["n1"].signal(signal.SIGCONT)
            wait_until(cluster.is_whole, 20 * SLOW, "both nodes")
        counted = cluster.metrics()
        assert counted["sluice_calls_requeued_total"] >= 1
        assert counted['sluice_calls_total{reason="EXECUTOR_LOST"}'] == 0


def test_a_call_whose_node_is_lost_after_it_began_costs_nothing(few_models, tmp_path, _stubs):
    with make_cluster(few_models, tmp_path, slices=1) as cluster:
        cluster.shared, cluster.visits = cluster.stub(), cluster.visitor()
        for _ in range(scaled(40, at_least=2)):
            running = str(uuid.uuid4())
            future = future_of(cluster, running, scripted_request(run="60s"))
            until(cluster.visits, running, RUNNING)
            cluster.daemons["n1"].kill()
            error = future.exception()
            trailers = dict(error.trailing_metadata())
            assert error.code() == grpc.StatusCode.UNAVAILABLE
            assert trailers["sluice-reason"] == "EXECUTOR_LOST"
            assert trailers["sluice-charged-ms"] == "0.000"
            told = receipt(cluster, running)
            assert (told.reason, told.charged_us) == ("EXECUTOR_LOST", 0)
            cluster.restart("n1")
            wait_until(cluster.is_whole, 20 * SLOW, "the node")
            assert cluster.shared.ModelInfer(scripted_request(), timeout=20 * SLOW).outputs
