"""SIGTERM finishes what was accepted; a second one does not wait."""

import signal
import threading
import time
import urllib.error
import urllib.request

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from support.calls import identity_request, scripted_request
from support.cluster import Cluster
from support.paths import SLOW, scaled
from support.stubs import pb
from support.wait import wait_until

ASKED = health_pb2.HealthCheckRequest()
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def running(server):
    status = server.admin().GetStatus(pb("sluice.v1").GetStatusRequest(), timeout=10)
    return status.calls_running


def test_sigterm_under_load_loses_no_accepted_call(fresh):
    stub = fresh.stub()
    calls = [stub.ModelInfer.future(scripted_request(run="100ms"), timeout=60) for _ in range(20)]
    wait_until(lambda: running(fresh) > 0, 10, "calls run")
    fresh.signal(signal.SIGTERM)
    assert fresh.wait(30 * SLOW) == 0
    for call in calls:
        assert call.result().outputs


def test_while_draining_new_calls_are_refused_with_a_reason(fresh):
    stub, other = fresh.stub(), fresh.stub()
    held = stub.ModelInfer.future(scripted_request(run="2s"), timeout=60)
    wait_until(lambda: running(fresh) > 0, 10, "the call runs")
    other.ServerLive(pb().ServerLiveRequest(), timeout=10)
    fresh.one("sluice-gateway").send_signal(signal.SIGTERM)

    def refused():
        try:
            other.ModelInfer(scripted_request(), timeout=10)
        except grpc.RpcError as error:
            return error
        return None

    error = wait_until(refused, 5, "a refusal")
    assert error.code() == grpc.StatusCode.UNAVAILABLE
    assert held.result().outputs


def test_a_second_sigterm_stops_at_once(fresh):
    stub = fresh.stub()
    call = stub.ModelInfer.future(scripted_request(run="25s"), timeout=60)
    wait_until(lambda: running(fresh) > 0, 10, "the call runs")
    family = fresh.family()
    fresh.signal(signal.SIGTERM)
    time.sleep(0.3)
    fresh.signal(signal.SIGTERM)
    fresh.wait(5 * SLOW)
    wait_until(lambda: not any(p.is_running() for p in family[1:]), 5 * SLOW, "all are gone")
    with pytest.raises(grpc.RpcError) as caught:
        call.result()
    assert caught.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)


@pytest.mark.smoke
def test_idle_it_stops_soon_and_leaves_nothing(fresh):
    family = fresh.family()
    assert len(family) >= 3
    started = time.monotonic()
    fresh.signal(signal.SIGINT)
    assert fresh.wait(10 * SLOW) == 0
    assert time.monotonic() - started < 5 * SLOW
    assert not any(p.is_running() for p in family[1:])


@pytest.mark.parametrize("net_threads", [0, 2])
def test_an_idle_gateway_with_idle_connections_stops_at_once(
    few_models, tmp_path, _stubs, net_threads
):
    with Cluster(few_models, tmp_path, gateway=f"net_threads: {net_threads}\n") as cluster:
        stubs = [cluster.stub() for _ in range(20)]
        for stub in stubs:
            assert stub.ServerLive(pb().ServerLiveRequest(), timeout=10).live
        for name in ["gateway", *cluster.nodes]:
            started = time.monotonic()
            cluster.daemons[name].signal(signal.SIGTERM)
            assert cluster.daemons[name].wait(5 * SLOW) == 0
            took = time.monotonic() - started
            print(f"{name} stopped after {took:.3f} s")
            assert took < 0.2 * SLOW


def ready_code(cluster):
    try:
        return urllib.request.urlopen(f"http://{cluster.http}/v2/health/ready", timeout=10).status
    except urllib.error.HTTPError as error:
        return error.code


def test_health_says_it_before_connections_do(few_models, tmp_path, _stubs):
    """With drain.notice: NOT_SERVING first, and new connections and calls as before meanwhile."""
    notice_s = 2 * SLOW
    with Cluster(few_models, tmp_path, gateway=f"drain: {{notice: {notice_s}s}}\n") as cluster:
        health = health_pb2_grpc.HealthStub(cluster.channel())
        assert health.Check(ASKED, timeout=10).status == SERVING
        assert ready_code(cluster) == 200
        cluster.daemons["gateway"].signal(signal.SIGTERM)
        signalled = time.monotonic()
        wait_until(lambda: health.Check(ASKED, timeout=10).status == NOT_SERVING, 10, "the notice")
        wait_until(lambda: ready_code(cluster) == 503, 10, "the same by HTTP")
        assert cluster.stub().ModelInfer(identity_request(), timeout=10).outputs
        assert time.monotonic() - signalled < notice_s, "too slow to have seen anything"
        assert cluster.daemons["gateway"].wait(notice_s + 10 * SLOW) == 0
        assert time.monotonic() - signalled >= notice_s


def test_a_second_sigterm_ends_the_notice_too(few_models, tmp_path, _stubs):
    with Cluster(few_models, tmp_path, gateway="drain: {notice: 600s}\n") as cluster:
        gateway = cluster.daemons["gateway"]
        gateway.signal(signal.SIGTERM)
        wait_until(lambda: "draining soon" in gateway.log(), 10, "the notice")
        gateway.signal(signal.SIGTERM)
        assert gateway.wait(10 * SLOW) == 0


class Sender(threading.Thread):
    """Calls without a pause and without a retry of its own, until it is told to end."""

    def __init__(self, stub, make_request, **options):
        super().__init__(daemon=True)
        self.stub, self.make, self.options = stub, make_request, options
        self.ended = threading.Event()
        self.answers, self.failures = 0, []
        self.start()

    def run(self):
        while not self.ended.is_set():
            try:
                self.stub.ModelInfer(self.make(), timeout=30 * SLOW, **self.options)
                self.answers += 1
            except grpc.RpcError as error:
                self.failures.append((error.code(), error.details()))

    def stop(self):
        self.ended.set()
        self.join(60 * SLOW)
        assert not self.is_alive(), "a call never ended"
        return self.failures


def under_load(cluster, rounds, disturb):
    """Runs disturb(i) with calls of several sizes under way; asserts that none of them failed."""
    makers = [
        identity_request,
        lambda: scripted_request(run="5ms"),
        lambda: scripted_request(run="2ms"),
        lambda: identity_request(rows=60_000),
    ]
    senders = [Sender(cluster.stub(), make, wait_for_ready=True) for make in makers]
    try:
        for i in range(rounds):
            disturb(i)
            before = [s.answers for s in senders]
            wait_until(
                lambda b=before: all(s.answers > n for s, n in zip(senders, b, strict=True)),
                20 * SLOW,
                "an answer to each sender",
            )
    finally:
        for sender in senders:
            sender.ended.set()
    failures = [failure for sender in senders for failure in sender.stop()]
    print(f"{sum(s.answers for s in senders)} answers, {len(failures)} failures")
    assert failures == []


@pytest.mark.parametrize("net_threads", [0, 2])
def test_a_gateway_that_is_drained_and_restarted_fails_no_call(
    few_models, tmp_path, _stubs, net_threads
):
    """Callers that may wait for a connection do not notice: what was sent is answered."""
    with Cluster(few_models, tmp_path, gateway=f"net_threads: {net_threads}\n") as cluster:

        def again(_):
            cluster.daemons["gateway"].signal(signal.SIGTERM)
            assert cluster.restart("gateway") == 0
            wait_until(cluster.is_whole, 20 * SLOW, "the gateway is back")

        under_load(cluster, scaled(100, at_least=5), again)


@pytest.mark.smoke
def test_a_rolling_restart_of_executors_fails_no_call(few_models, tmp_path, _stubs):
    with Cluster(few_models, tmp_path, executors=2) as cluster:

        def next_one(i):
            name = cluster.nodes[i % 2]
            welcomes = cluster.welcomes(name)
            cluster.daemons[name].signal(signal.SIGTERM)
            assert cluster.restart(name) == 0
            wait_until(lambda: cluster.welcomes(name) > welcomes, 20 * SLOW, f"{name} is back")

        under_load(cluster, scaled(100, at_least=6), next_one)


def test_a_second_sigterm_stops_an_executor_at_once(few_models, tmp_path, _stubs):
    with Cluster(few_models, tmp_path) as cluster:
        call = cluster.stub().ModelInfer.future(scripted_request(run="25s"), timeout=60)
        wait_until(lambda: cluster.status().calls_running == 1, 10, "the call runs")
        executor = cluster.daemons["n1"]
        executor.signal(signal.SIGTERM)
        executor.wait_for_log("draining")
        started = time.monotonic()
        executor.signal(signal.SIGTERM)
        assert executor.wait(5 * SLOW) == 0
        assert time.monotonic() - started < 1.5 * SLOW
        with pytest.raises(grpc.RpcError) as caught:
            call.result()
        assert dict(caught.value.trailing_metadata())["sluice-reason"] == "EXECUTOR_LOST"
        assert cluster.workers() == []
