"""Calls of a model with max_batch share runs: each has its own result and its part of the time."""

import contextlib
import random
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import psutil
import pytest
from support.books import assert_sums_are_equal, settle
from support.calls import request
from support.cluster import Cluster
from support.models import write_model
from support.paths import SLOW, scaled
from support.receipts import receipts_of
from support.stubs import pb
from support.wait import wait_until

RUN_MS, HELD_MS = 60 * SLOW, 600 * SLOW
ROW = 4
BAD = 200  # the first byte of an item that engine fake refuses


def write_fake(models, name, max_batch=8, delay="5ms", duration="30s", **script):
    lines = "".join(f"  {key}: {value}\n" for key, value in script.items())
    write_model(
        models,
        name,
        f"""\
engine: fake
duration: {duration}
max_batch: {max_batch}
batch_delay: {delay}
inputs:  [{{name: IN, datatype: UINT8, shape: [-1, -1]}}]
outputs: [{{name: OUT, datatype: UINT8, shape: [-1, {ROW}]}}]
fake:
"""
        + lines,
    )


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, _stubs):
    models, folder = (
        tmp_path_factory.mktemp("models"),
        tmp_path_factory.mktemp("cluster"),
    )
    write_fake(models, "copy", run=f"{RUN_MS}ms", result="copy")
    write_fake(models, "large", run=f"{RUN_MS}ms", result="copy")
    write_fake(models, "bad", run=f"{RUN_MS}ms", result="copy", bad=BAD, error="a bad item")
    write_fake(models, "deadly", run=f"{4 * RUN_MS}ms", result="copy", bad=BAD, crash="segv")
    write_fake(models, "slow", run="20ms", item="300ms", result="copy")
    gateway = f"log: {{level: debug}}\nstore: {{path: '{folder}/sluice.db'}}\n"
    executor = f"state: {folder}/NODE.state\n"
    with Cluster(models, folder, slices=1, gateway=gateway, executor=executor) as it:
        yield it


def item_request(model, values, width=ROW, **kwargs):
    """Rows of `width` bytes: v, v+1, v+2, ..."""
    rows = np.array([[v + i for i in range(width)] for v in values], dtype=np.uint8)
    return request(model, [("IN", "UINT8", list(rows.shape), rows.tobytes())], **kwargs)


class Calls:
    """Calls side by side; those that wait are sent while a first one holds the slice."""

    def __init__(self, cluster, workers=16):
        self.cluster, self.stub = cluster, cluster.stub()
        self.pool = ThreadPoolExecutor(workers)

    def submit(self, message, metadata=(), timeout=30 * SLOW):
        return self.pool.submit(self._call, message, metadata, timeout)

    def _call(self, message, metadata, timeout):
        try:
            reply, call = self.stub.ModelInfer.with_call(
                message, timeout=timeout, metadata=metadata
            )
        except grpc.RpcError as error:
            return error.details(), dict(error.trailing_metadata() or ())
        return reply.raw_output_contents[0], dict(call.trailing_metadata())

    def hold_slice(self, model):
        """A call that runs, alone because of its parameter, for as long as others need to come."""
        first = self.submit(item_request(model, [100], params={"fake_run": f"{HELD_MS}ms"}))
        wait_until(lambda: self.cluster.status().calls_running == 1, 10 * SLOW, "a running call")
        return first

    def behind_another(self, model, messages):
        """Sends them, in this order, while a call of the model runs; their futures."""
        first = self.hold_slice(model)
        futures = []
        for i, (message, metadata) in enumerate(messages):
            futures.append(self.submit(message, metadata))
            wait_until(lambda i=i: self.cluster.calls() >= i + 2, 10 * SLOW, "a waiting call")
        return first, futures


def statistics(cluster, model):
    stub = cluster.stub()
    message = pb().ModelStatisticsRequest(name=model)
    return stub.ModelStatistics(message, timeout=10).model_stats[0]


def run_count(cluster, model):
    return statistics(cluster, model).execution_count


def test_many_calls_share_few_runs_and_each_gets_its_own(cluster):
    calls, before = Calls(cluster, 24), run_count(cluster, "copy")
    values = [[(5 * i + k) % 190 for k in range(1 + i % 3)] for i in range(24)]
    futures = [calls.submit(item_request("copy", v)) for v in values]
    for v, future in zip(values, futures, strict=True):
        got, trailers = future.result()
        assert got == bytes((x + i) % 256 for x in v for i in range(ROW)), trailers
    runs = run_count(cluster, "copy") - before
    print(f"24 calls of {sum(map(len, values))} items in {runs} runs of at most 8 items")
    assert 6 <= runs <= 12
    settle(cluster)
    assert_sums_are_equal(cluster)


def test_time_and_charge_are_divided_by_items(cluster):
    calls = Calls(cluster)
    _, futures = calls.behind_another(
        "copy", [(item_request("copy", [1] * n), ()) for n in (1, 2, 4)]
    )
    ended = [future.result()[1] for future in futures]
    charged = [float(t["sluice-charged-ms"]) for t in ended]
    took = {float(t["sluice-exec-ms"]) for t in ended}
    assert len(took) == 1  # the run's time, which they shared
    assert sum(charged) == pytest.approx(took.pop(), abs=0.0015)
    assert charged[1] == pytest.approx(2 * charged[0], abs=0.01)
    assert charged[2] == pytest.approx(4 * charged[0], abs=0.01)


def test_other_shapes_and_other_durations_do_not_join(cluster):
    calls, before = Calls(cluster), run_count(cluster, "copy")
    others = [
        (item_request("copy", [1]), ()),
        (item_request("copy", [2], width=2 * ROW), ()),  # another shape
        (
            item_request("copy", [3]),
            [("sluice-duration", "14s")],
        ),  # less than half of 30 s
        (item_request("copy", [4]), ()),
    ]
    first, futures = calls.behind_another("copy", others)
    results = [future.result() for future in [first, *futures]]
    assert all(isinstance(got, bytes) and len(got) == ROW for got, _ in results), results
    assert [got[0] for got, _ in results[1:]] == [1, 2, 3, 4]
    assert run_count(cluster, "copy") - before == 4  # the first; 1 and 4 together; 2; 3


def test_a_bad_item_fails_alone(cluster):
    calls, before = Calls(cluster), run_count(cluster, "bad")
    messages = [(item_request("bad", [v]), ()) for v in (1, 2, BAD, 4)]
    _, futures = calls.behind_another("bad", messages)
    results = [future.result() for future in futures]
    assert [got[0] for got, _ in results[:2]] == [1, 2]
    assert results[3][0][0] == 4
    assert results[2][0] == "a bad item"
    assert results[2][1]["sluice-reason"] == "MODEL_ERROR"
    assert run_count(cluster, "bad") - before == 4  # the first, and three alone
    for (
        _,
        trailers,
    ) in results:  # each paid for its own run, nobody for the one that failed
        charged, took = (
            float(trailers["sluice-charged-ms"]),
            float(trailers["sluice-exec-ms"]),
        )
        assert RUN_MS <= charged == took < 2 * RUN_MS
    settle(cluster)
    assert_sums_are_equal(cluster)
    orphans = [r for r in receipts_of(cluster.folder / "sluice.db") if r.is_orphan]
    assert any(r.model == "bad" and r.used_us >= RUN_MS * 1000 for r in orphans)


def test_an_item_that_kills_its_worker_dies_alone(cluster):
    calls = Calls(cluster)
    messages = [(item_request("deadly", [v]), ()) for v in (1, BAD, 3)]
    _, futures = calls.behind_another("deadly", messages)
    results = [future.result() for future in futures]
    assert results[0][0][0] == 1
    assert results[2][0][0] == 3
    assert results[1][1]["sluice-reason"] == "MODEL_ERROR", results[1]
    settle(cluster)
    assert_sums_are_equal(cluster)


def test_who_leaves_does_not_stop_the_others(cluster):
    calls = Calls(cluster)
    stub = cluster.stub()
    first = calls.hold_slice("slow")
    leaver = stub.ModelInfer.future(item_request("slow", [1]), timeout=30 * SLOW)
    stayers = [calls.submit(item_request("slow", [v])) for v in (2, 3)]
    wait_until(lambda: cluster.calls() == 4, 10 * SLOW, "three that wait")
    first.result()
    wait_until(
        lambda: cluster.status().calls_running == 3,
        10 * SLOW,
        "three that run together",
    )
    leaver.cancel()
    for v, future in zip((2, 3), stayers, strict=True):
        got, trailers = future.result()
        assert got[0] == v, (got, trailers)
        shared = float(trailers["sluice-exec-ms"]) / 3
        assert float(trailers["sluice-charged-ms"]) == pytest.approx(shared, abs=0.01)
    settle(cluster)
    assert_sums_are_equal(cluster)
    gone = [r for r in receipts_of(cluster.folder / "sluice.db") if r.reason == "CANCELLED"]
    assert len(gone) == 1  # and it paid for its part
    assert gone[0].charged_us == pytest.approx(1000 * shared, abs=10)


def test_a_lost_executor_ends_all_who_ran_together_uncharged(cluster):
    calls = Calls(cluster)
    messages = [(item_request("slow", [v]), ()) for v in (1, 2, 3)]
    first, futures = calls.behind_another("slow", messages)
    first.result()
    wait_until(lambda: cluster.status().calls_running == 3, 10 * SLOW, "a run of three")
    cluster.daemons["n1"].signal(signal.SIGKILL)
    cluster.restart("n1")
    for future in futures:
        _, trailers = future.result()
        assert trailers["sluice-reason"] == "EXECUTOR_LOST"
        assert trailers["sluice-charged-ms"] == "0.000"
    settle(cluster)
    assert_sums_are_equal(cluster)  # the run's time, until it was last awake, is the first one's


def test_over_the_limit_together_within_it_alone(cluster):
    """Three items take 0.92 s, one takes 0.32 s: nobody is charged more than he declared."""
    calls = Calls(cluster)
    declared = [("sluice-duration", "600ms")]
    messages = [(item_request("slow", [v]), declared) for v in (1, 2, 3)]
    _, futures = calls.behind_another("slow", messages)
    for v, future in zip((1, 2, 3), futures, strict=True):
        got, trailers = future.result()
        assert got[0] == v, (got, trailers)
        assert 300 <= float(trailers["sluice-charged-ms"]) <= 600
    settle(cluster)
    assert_sums_are_equal(cluster)


def test_large_inputs_are_joined_and_large_outputs_split(cluster):
    width, before = 400_000, run_count(cluster, "large")
    calls = Calls(cluster)
    rng = np.random.default_rng(1)
    tensors = [rng.integers(0, 190, (1, width), dtype=np.uint8) for _ in range(4)]
    messages = [
        (request("large", [("IN", "UINT8", list(t.shape), t.tobytes())]), ()) for t in tensors
    ]
    _, futures = calls.behind_another("large", messages)
    for future in futures:
        got, trailers = future.result()
        assert isinstance(got, bytes), (got, trailers)
    assert run_count(cluster, "large") - before == 2


def kill_worker_of(cluster, model):
    for worker in cluster.workers():
        with contextlib.suppress(psutil.NoSuchProcess):
            if any(word.endswith(f"/{model}") for word in worker.cmdline()):
                worker.send_signal(signal.SIGKILL)


def test_all_time_is_told_whoever_dies_and_leaves(cluster):
    """Bad items, callers who leave, workers that are killed: each call ends, all leases sum up."""
    seed = random.SystemRandom().randrange(1 << 31)
    rounds, rng, outcomes, stopping = scaled(100), random.Random(seed), Counter(), threading.Event()
    print(f"{rounds} rounds, seed {seed}")

    def call(i):
        mine, stub = random.Random(seed + i), cluster.stub()
        while not stopping.is_set():
            value = BAD if mine.random() < 0.05 else mine.randrange(100)
            timeout = mine.choice([0.05, 30]) * SLOW if mine.random() < 0.3 else 30 * SLOW
            try:
                reply = stub.ModelInfer(item_request("bad", [value] * 2), timeout=timeout)
                assert reply.raw_output_contents[0][0] == value != BAD
                outcomes["ok"] += 1
            except grpc.RpcError as error:
                outcomes[error.code().name] += 1
                outcomes["wrongly blamed"] += value != BAD and error.details() == "a bad item"

    with ThreadPoolExecutor(8) as pool:
        callers = [pool.submit(call, i) for i in range(8)]
        for _ in range(rounds):
            time.sleep(rng.uniform(0.1, 0.4))
            if rng.random() < 0.5:
                kill_worker_of(cluster, "bad")
        stopping.set()
        for caller in callers:
            caller.result()
    print(dict(outcomes))
    assert outcomes["ok"] > rounds
    assert outcomes["wrongly blamed"] == 0
    settle(cluster)
    assert_sums_are_equal(cluster)


def test_a_lone_call_waits_for_nobody(cluster):
    stub, before = cluster.stub(), run_count(cluster, "copy")
    for _ in range(5):
        stub.ModelInfer(item_request("copy", [1]), timeout=20 * SLOW)
        time.sleep(0.01)
    assert run_count(cluster, "copy") - before == 5


def test_metrics_count_runs(cluster):
    metrics = cluster.metrics()
    runs, calls = metrics["sluice_run_calls_count"], metrics["sluice_run_calls_sum"]
    assert calls > runs > 0
    assert Counter(metrics)['sluice_run_calls_bucket{le="1"}'] < runs
