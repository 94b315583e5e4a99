"""Workers, executors and the gateway die, drain and pause at random under load; nothing is lost."""

import os
import random
import signal
import time
from functools import partial

import grpc
import numpy as np
import pytest
from support.calls import identity_request, request, scripted_request
from support.census import Census, expect_as_before
from support.cluster import Cluster
from support.neighbours import Limit
from support.paths import SLOW, scaled
from support.storm import Storm, error_info
from support.wait import wait_until

pytestmark = pytest.mark.timeout(1800)  # a soak takes minutes

BACK_WITHIN_S = 2  # every model answers, and every slice of every node has its workers again
LOST_AFTER_S = 0.6 * SLOW
LINK = f"heartbeat: 100ms, lost_after: {int(LOST_AFTER_S * 1000)}ms"
MEMORY_SLACK_BYTES = (64 << 20) * SLOW
PROBES = [
    identity_request,
    partial(scripted_request, run="1ms"),
    lambda: request("echo_fp32", [("IN", "FP32", [1 << 16], np.zeros(1 << 16, "f4").tobytes())]),
]

# What happens to a victim, and how often.
DEATHS = {"kill": 4, "term": 2, "pause": 1}


def seed():
    """SLUICE_SEED repeats a run."""
    chosen = int(os.environ.get("SLUICE_SEED", random.SystemRandom().randrange(1 << 31)))
    print(f"seed: {chosen} (SLUICE_SEED)")
    return chosen


class Round:
    """One death: who, how, and what a supervisor does about it."""

    def __init__(self, cluster, rng, victims):
        self.cluster = cluster
        self.victim = rng.choice(victims)
        self.how = rng.choices(list(DEATHS), list(DEATHS.values()))[0]
        self.moment_s = rng.uniform(0, 0.15)
        self.rng = rng
        nodes = {"worker": [], "gateway": cluster.nodes}.get(self.victim, [self.victim])
        self.welcomes = {name: cluster.welcomes(name) + 1 for name in nodes}

    def __str__(self):
        return f"{self.how} of {self.victim}"

    def run(self):
        """Does it; the instant from which everything should be fine again."""
        time.sleep(self.moment_s)
        if self.victim == "worker":
            return self._end_worker()
        daemon = self.cluster.daemons[self.victim]
        if self.how == "pause":
            return self._pause(daemon)
        daemon.signal(signal.SIGKILL if self.how == "kill" else signal.SIGTERM)
        status = self.cluster.restart(self.victim)
        assert status == (-signal.SIGKILL if self.how == "kill" else 0)
        return time.monotonic()

    def is_mended(self):
        """Who lost the other has found it again, and each slice has its workers."""
        found = all(self.cluster.welcomes(n) >= count for n, count in self.welcomes.items())
        return found and len(self.cluster.workers()) == self.cluster.worker_count()

    def _end_worker(self):
        worker = self.rng.choice(self.cluster.workers())
        if self.how == "pause":
            return self._pause(worker)
        worker.send_signal(signal.SIGKILL if self.how == "kill" else signal.SIGTERM)
        return time.monotonic()

    def _pause(self, process):
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(LOST_AFTER_S * 1.5)
        os.kill(process.pid, signal.SIGCONT)
        return time.monotonic()


def settle(cluster):
    """No call is under way and no connection is open."""
    wait_until(cluster.is_whole, 10 * SLOW, "all executors")
    wait_until(lambda: cluster.calls() == 0, 10 * SLOW, "no call under way")
    cluster.close_channels()
    wait_until(lambda: cluster.metrics()["sluice_connections"] == 0, 10 * SLOW, "no connection")


def report(what, times):
    times.sort()
    middle, (worst, death) = times[len(times) // 2][0], times[-1]
    print(f"{what}: median {middle:.3f} s, at most {worst:.3f} s ({death})")


def storm_of_deaths(cluster, victims, rounds, chosen):
    rng, times = random.Random(chosen), []
    with Storm(cluster, chosen) as storm:
        wait_until(lambda: storm.counts["ok"] > 50, 20 * SLOW, "answers")
    settle(cluster)
    before = Census(cluster)
    with Storm(cluster, chosen + 1) as storm:
        for number in range(rounds):
            death = Round(cluster, rng, victims)
            since, limit = death.run(), Limit(BACK_WITHIN_S)
            served = cluster.time_to_serve(PROBES, since)
            limit.check(served, f"round {number}, {death}: served")
            wait_until(death.is_mended, 20 * SLOW, f"round {number}, {death}: all is back")
            times.append((served, time.monotonic() - since, str(death)))
            limit.check(times[-1][1], f"round {number}, {death}: all is back")
    print(f"calls ended: {dict(storm.counts)}")
    report("served again", [(served, death) for served, _, death in times])
    report("all is back", [(whole, death) for _, whole, death in times])
    assert storm.wrong == []
    assert storm.counts["ok"] > rounds

    settle(cluster)
    expect_as_before(cluster, before, MEMORY_SLACK_BYTES)


@pytest.mark.parametrize(
    ("survivor", "victims", "rounds"),
    [
        ("nobody", ["worker", "n1", "n2", "gateway"], 200),
        ("gateway", ["worker", "n1", "n2"], 60),
        ("executors", ["worker", "gateway"], 60),
    ],
)
def test_deaths_at_random_under_load(few_models, tmp_path, _stubs, survivor, victims, rounds):
    least = 20 if survivor == "nobody" else 4
    with Cluster(few_models, tmp_path, executors=2, link=LINK) as cluster:
        storm_of_deaths(cluster, victims, scaled(rounds, least), seed())


# ---- one lost executor, step by step


@pytest.mark.smoke
def test_what_a_lost_executor_had_not_started_keeps_its_place(few_models, tmp_path, _stubs):
    """The call that ran ends EXECUTOR_LOST; all others are answered, in the order they came in."""
    with Cluster(few_models, tmp_path, slices=1) as cluster:
        stub, order = cluster.stub(), []
        first = stub.ModelInfer.future(scripted_request(run="30s"), timeout=60)
        wait_until(lambda: cluster.status().calls_running == 1, 10 * SLOW, "the first call runs")
        calls = []
        for number in range(20):
            calls.append(stub.ModelInfer.future(scripted_request(run="20ms"), timeout=60))
            calls[-1].add_done_callback(lambda _, number=number: order.append(number))
            wait_until(lambda n=number: cluster.calls() == n + 2, 10 * SLOW, "it waits")
        cluster.daemons["n1"].signal(signal.SIGKILL)
        cluster.restart("n1")
        with pytest.raises(grpc.RpcError) as caught:
            first.result()
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert error_info(caught.value).reason == "EXECUTOR_LOST"
        for call in calls:
            assert call.result().outputs
        wait_until(lambda: len(order) == 20, 5 * SLOW, "all callbacks")
        assert order == sorted(order)


def test_late_results_of_a_paused_executor_reach_nobody(few_models, tmp_path, _stubs):
    """It finds out for itself and drops them, or the gateway refuses and counts them."""
    with Cluster(few_models, tmp_path, slices=1, link=LINK) as cluster:
        stub = cluster.stub()
        refused = 'sluice_node_messages_refused_total{kind="session"}'
        late = stub.ModelInfer.future(scripted_request(run="300ms"), timeout=60)
        wait_until(lambda: cluster.status().calls_running == 1, 10 * SLOW, "the call runs")
        before, welcomes = cluster.metrics()[refused], cluster.welcomes("n1")
        os.kill(cluster.daemons["n1"].pid, signal.SIGSTOP)
        with pytest.raises(grpc.RpcError) as caught:
            late.result()
        assert error_info(caught.value).reason == "EXECUTOR_LOST"
        os.kill(cluster.daemons["n1"].pid, signal.SIGCONT)
        since, limit = time.monotonic(), Limit(BACK_WITHIN_S)
        limit.check(cluster.time_to_serve(PROBES, since), "served again")
        knew = "gateway lost" in cluster.daemons["n1"].log()
        assert knew or cluster.metrics()[refused] > before
        assert cluster.metrics()['sluice_calls_total{reason="EXECUTOR_LOST"}'] == 1
        assert cluster.welcomes("n1") == welcomes + 1


def test_an_executor_that_was_paused_briefly_stays(few_models, tmp_path, _stubs):
    with Cluster(few_models, tmp_path, slices=1) as cluster:
        stub, executor = cluster.stub(), cluster.daemons["n1"]
        call = stub.ModelInfer.future(scripted_request(run="300ms"), timeout=60)
        wait_until(lambda: cluster.status().calls_running == 1, 10 * SLOW, "the call runs")
        os.kill(executor.pid, signal.SIGSTOP)
        time.sleep(0.8)
        os.kill(executor.pid, signal.SIGCONT)
        assert call.result().outputs
        assert cluster.welcomes("n1") == 1
