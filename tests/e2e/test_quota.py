"""GPU time as visitors meet it: what is held, refused, charged and told; on real processes."""

import random
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from support.calls import refusal, scripted_request
from support.cluster import Cluster
from support.paths import SLOW, scaled
from support.receipts import receipts_of
from support.wait import wait_until

pytestmark = pytest.mark.timeout(1800)  # a soak takes minutes

CALLS, FIT = 200, 7
CONFIG = f"""
trusted_proxies: [127.0.0.0/8]
tiers: {{seven: {{daily: {FIT * 10}s, in_flight: 1000}}, two: {{daily: 1h, in_flight: 2}},
         brief: {{daily: 700ms, in_flight: 1000}}}}
networks: {{127.0.0.0/8: owner, 10.0.0.0/8: seven, 10.64.0.0/16: two, 10.65.0.0/16: brief}}
"""


@pytest.fixture(scope="module")
def cluster(few_models, tmp_path_factory, _stubs):
    folder = tmp_path_factory.mktemp("quota")
    gateway = f"{CONFIG}store: {{path: '{folder}/sluice.db'}}\n"
    executor = f"state: {folder}/NODE.state\n"
    with Cluster(few_models, folder, slices=1, gateway=gateway, executor=executor) as cluster:
        yield cluster


def asks(visitor, duration):
    return [("x-forwarded-for", visitor), ("sluice-duration", duration)]


class Closed:
    """While it lasts the only slice is its owner's, so that nothing else starts."""

    def __init__(self, cluster):
        self.cluster = cluster

    def __enter__(self):
        self.call = self.cluster.stub().ModelInfer.future(scripted_request(run="25s"), timeout=60)
        wait_until(lambda: self.cluster.status().calls_running == 1, 20 * SLOW, "the gate")

    def __exit__(self, *_):
        self.call.cancel()


def left_ms(trailers):
    return float(trailers["sluice-left-ms"])


def trailers_of(call):
    return dict(call.trailing_metadata())


def one_round(cluster, stubs, visitor, rng):
    """Returns the trailers of those that ran."""
    refused, calls = [], []
    with Closed(cluster):
        for _ in range(CALLS):
            message = scripted_request(run=f"{rng.randrange(1, 9)}ms")
            future = rng.choice(stubs).ModelInfer.future
            calls.append(future(message, timeout=60 * SLOW, metadata=asks(visitor, "10s")))
        wait_until(lambda: sum(call.done() for call in calls) >= CALLS - FIT, 30 * SLOW, "refusals")
        now = cluster.status()  # none of those that were let in has begun
        assert now.calls_queued + now.calls_dispatched == FIT
        assert now.calls_running == 1
        refused = [call for call in calls if call.done()]
    assert len(refused) == CALLS - FIT
    for call in refused:
        assert call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        trailers = trailers_of(call)
        assert call.details().startswith(
            "You have exceeded your GPU quota (10s requested vs. 0s left). Try again in 24:00:00"
        )
        assert (trailers["sluice-charged-ms"], left_ms(trailers)) == ("0.000", 0)
        assert trailers["sluice-visitor"] == f"ip:{visitor}; tier=seven"
    ran = [call for call in calls if call not in refused]
    for call in ran:
        assert call.result().raw_output_contents
    return [trailers_of(call) for call in ran]


def test_200_calls_and_quota_for_7(cluster):
    rounds, rng = scaled(1000, at_least=50), random.Random(7)
    stubs = [cluster.stub() for _ in range(4)]
    for number in range(rounds):
        visitor = f"10.1.{number // 250}.{number % 250 + 1}"
        told = one_round(cluster, stubs, visitor, rng)
        charged = [float(t["sluice-charged-ms"]) for t in told]
        assert all(t["sluice-exec-ms"] == t["sluice-charged-ms"] for t in told)
        least = min(told, key=lambda t: -left_ms(t))
        assert left_ms(least) == pytest.approx(FIT * 10_000 - sum(charged), abs=0.0005)
        kept = [r for r in receipts_of(cluster.folder / "sluice.db") if r.accounts]
        mine = [r for r in kept if r.accounts[0][0] == f"ip:{visitor}"]
        assert len(mine) == FIT
        assert sum(r.charged_us for r in mine) == round(sum(charged) * 1000)
        assert len({r.accounts[0][1] for r in mine}) == 1  # one window, opened by the first start
    print(f"{rounds} rounds of {CALLS} calls, {FIT} of each ran")


def test_an_overrun_costs_what_was_held_and_no_more(cluster):
    """Seven calls of 100 ms each, all of which would go on: not a microsecond beyond 700 ms."""
    visitor, stub = "10.65.0.1", cluster.stub()
    for number in range(FIT):
        outcome = refusal(
            stub.ModelInfer, scripted_request(run="20s"), metadata=asks(visitor, "0.1")
        )
        assert outcome.trailers["sluice-reason"] == "DURATION_EXCEEDED"
        assert outcome.trailers["sluice-charged-ms"] == "100.000"
        assert left_ms(outcome.trailers) == 600 - 100 * number
    outcome = refusal(stub.ModelInfer, scripted_request(), metadata=asks(visitor, "1ms"))
    assert outcome.trailers["sluice-reason"] == "QUOTA_EXCEEDED"


def test_a_refusal_for_programs(cluster):
    visitor, stub = "10.2.0.1", cluster.stub()
    with Closed(cluster):
        first = stub.ModelInfer.future(
            scripted_request(), timeout=60, metadata=asks(visitor, "30s")
        )
        more = stub.ModelInfer.future(scripted_request(), timeout=60, metadata=asks(visitor, "30s"))
        wait_until(
            lambda: cluster.status().calls_queued + cluster.status().calls_dispatched == 2,
            20 * SLOW,
            "two that wait",
        )
        with pytest.raises(grpc.RpcError) as raised:
            stub.ModelInfer(scripted_request(), timeout=60, metadata=asks(visitor, "10001ms"))
    details = {}
    for packed in rpc_status.from_call(raised.value).details:
        for kind in (error_details_pb2.QuotaFailure, error_details_pb2.RetryInfo):
            message = kind()
            if packed.Unpack(message):
                details[kind.__name__] = message
    (violation,) = details["QuotaFailure"].violations
    assert violation.subject == f"ip:{visitor}; tier=seven"
    assert details["RetryInfo"].retry_delay.seconds in (86399, 86400)
    assert "(11s requested vs. 10s left)" in raised.value.details()
    assert "or sooner: 60s are held" in raised.value.details()
    assert first.result()
    assert more.result()


def test_more_than_a_day_has(cluster):
    outcome = refusal(
        cluster.stub().ModelInfer,
        scripted_request(model="scripted"),
        metadata=asks("10.65.0.9", "29s"),
    )
    assert outcome.code is grpc.StatusCode.INVALID_ARGUMENT
    assert outcome.trailers["sluice-reason"] == "DURATION_TOO_LONG"
    assert "tier 'brief'" in outcome.text
    assert "at most 700ms" in outcome.text


def test_calls_in_flight(cluster):
    stub = cluster.stub()
    with ThreadPoolExecutor(2) as pool, Closed(cluster):
        held = [
            pool.submit(
                stub.ModelInfer, scripted_request(), timeout=60, metadata=asks("10.64.0.1", "1s")
            )
            for _ in range(2)
        ]
        wait_until(
            lambda: cluster.status().calls_queued + cluster.status().calls_dispatched == 2,
            20 * SLOW,
            "two that wait",
        )
        outcome = refusal(stub.ModelInfer, scripted_request(), metadata=asks("10.64.0.1", "1s"))
        assert outcome.trailers["sluice-reason"] == "QUEUE_FULL"
        assert "you have 2 calls in flight, and tier 'two' has 2 at once" in outcome.text
        ok = stub.ModelInfer.future(
            scripted_request(), timeout=60, metadata=asks("10.64.0.2", "1s")
        )
        ok.cancel()
    assert all(call.result().outputs for call in held)


def test_a_new_process_knows_what_was_spent(cluster):
    visitor, stub = "10.3.0.1", cluster.stub()
    _, call = stub.ModelInfer.with_call(
        scripted_request(run="50ms"), timeout=60, metadata=asks(visitor, "10s")
    )
    before = trailers_of(call)
    cluster.daemons["gateway"].kill()
    cluster.restart("gateway")
    wait_until(cluster.is_whole, 30 * SLOW, "the cluster")
    outcome = refusal(
        cluster.stub().ModelInfer,
        scripted_request(),
        metadata=asks(visitor, "29s") + [("sluice-size", "huge")],
    )
    assert outcome.trailers["sluice-left-ms"] == before["sluice-left-ms"]
    assert outcome.trailers["sluice-resets-at"] == before["sluice-resets-at"]
