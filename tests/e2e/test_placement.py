"""Lone short calls: who serves them is held to one processor, and let go as it was."""

import os
import time
from pathlib import Path

import pytest
from support.calls import identity_request, scripted_request
from support.cluster import Cluster
from support.paths import SLOW
from support.wait import wait_until

pytestmark = [
    pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two processors"),
    pytest.mark.skipif(SLOW > 1, reason="instrumented calls are not short"),
]

HELD_WITHIN_S = 30  # a machine that is busy has fewer short calls in a row
NEVER = "placement: {short_calls: never}"


def masks(cluster):
    """{(program, pid, thread): processors} of all that serve."""
    found = {}
    for process in cluster.processes():
        for thread in os.listdir(f"/proc/{process.pid}/task"):
            found[process.name(), process.pid, thread] = os.sched_getaffinity(int(thread))
    return found


def everywhere(cluster):
    return set(map(frozenset, masks(cluster).values())) == {frozenset(os.sched_getaffinity(0))}


def call_until_held(cluster, stub):
    """Single calls until the gateway is held; its processor. Between calls nothing changes."""
    gateway = cluster.daemons["gateway"].pid
    end = time.monotonic() + HELD_WITHIN_S
    while time.monotonic() < end:
        stub.ModelInfer(identity_request(), timeout=20)
        held = os.sched_getaffinity(gateway)
        if len(held) == 1:
            return held
    raise AssertionError(f"never held: {cluster.metrics()}")


def test_held_together_and_let_go_by_the_second_call(few_models, tmp_path):
    store = f"store: {{path: '{tmp_path}/sluice.db'}}"
    with Cluster(few_models, tmp_path, gateway=store) as cluster:
        stub = cluster.stub()
        assert everywhere(cluster)
        processor = call_until_held(cluster, stub)
        held = [key for key, mask in masks(cluster).items() if mask == processor]
        programs = [name for name, _, _ in held]
        # The loop, a ZeroMQ thread or more, and the store's; the worker that serves alone.
        assert programs.count("sluice-worker") == 1
        assert "sluice-gateway" in programs
        assert "sluice-executor" in programs
        names = [Path(f"/proc/{pid}/task/{tid}/comm").read_text() for _, pid, tid in held]
        assert sum("ZMQbg/IO" in name for name in names) >= 2
        assert sum("sluice-store" in name for name in names) == 1
        assert cluster.metrics()["sluice_placement_switches_total"] >= 1
        both = [stub.ModelInfer.future(scripted_request(run="20ms"), timeout=20) for _ in range(2)]
        for one in both:
            one.result()
        assert everywhere(cluster)
        assert cluster.metrics()["sluice_placement_held"] == 0


def test_let_go_when_no_more_calls_come(few_models, tmp_path):
    with Cluster(few_models, tmp_path) as cluster:
        call_until_held(cluster, cluster.stub())
        wait_until(lambda: everywhere(cluster), 10, "everybody let go")


def test_never_is_never(few_models, tmp_path):
    with Cluster(few_models, tmp_path, gateway=NEVER, executor=NEVER) as cluster:
        stub = cluster.stub()
        for _ in range(300):
            stub.ModelInfer(identity_request(), timeout=20)
            assert len(os.sched_getaffinity(cluster.daemons["gateway"].pid)) > 1
        assert everywhere(cluster)
        assert cluster.metrics()["sluice_placement_switches_total"] == 0
