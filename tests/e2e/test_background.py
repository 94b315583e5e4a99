"""Calls over quota that run while nobody else wants the slice, on real processes."""

import grpc
import pytest
from support.calls import refusal, scripted_request
from support.cluster import Cluster
from support.paths import SLOW
from support.receipts import receipts_of
from support.wait import wait_until

CONFIG = """
trusted_proxies: [127.0.0.0/8]
tiers: {idle: {daily: 1s, when_idle: run}, strict: {daily: 1s}}
networks: {127.0.0.0/8: owner, 10.1.0.0/16: idle, 10.2.0.0/16: strict, 10.3.0.0/16: pro}
calls: {background_grace: 300ms}
"""
IDLE, STRICT, PAYING = "10.1.0.1", "10.2.0.1", "10.3.0.1"


@pytest.fixture(scope="module")
def cluster(few_models, tmp_path_factory, _stubs):
    folder = tmp_path_factory.mktemp("background")
    gateway = f"{CONFIG}store: {{path: '{folder}/sluice.db'}}\n"
    executor = f"state: {folder}/NODE.state\n"
    with Cluster(few_models, folder, slices=1, gateway=gateway, executor=executor) as cluster:
        yield cluster


def says(visitor, duration):
    return [("x-forwarded-for", visitor), ("sluice-duration", duration)]


def begin(cluster, visitor, duration, run):
    future = cluster.stub().ModelInfer.future
    return future(scripted_request(run=run), timeout=60 * SLOW, metadata=says(visitor, duration))


def trailers_of(call):
    return dict(call.trailing_metadata())


def receipt_of(cluster, call):
    (receipt,) = [
        r
        for r in receipts_of(cluster.folder / "sluice.db")
        if r.call_id == trailers_of(call)["sluice-call-id"]
    ]
    return receipt


def test_it_runs_uncharged(cluster):
    call = begin(cluster, IDLE, "20s", "30ms")
    assert call.result().raw_output_contents
    trailers = trailers_of(call)
    assert (trailers["sluice-charged-ms"], trailers["sluice-left-ms"]) == ("0.000", "1000.000")
    assert float(trailers["sluice-exec-ms"]) >= 30
    receipt = receipt_of(cluster, call)
    assert receipt.used_us >= 30_000
    assert (receipt.held_us, receipt.charged_us) == (0, 0)
    assert cluster.metrics()["sluice_calls_background_total"] >= 1
    other = refusal(cluster.stub().ModelInfer, scripted_request(), metadata=says(STRICT, "20s"))
    assert other.trailers["sluice-reason"] == "DURATION_TOO_LONG"


def test_it_gives_way_to_who_pays(cluster):
    idle = begin(cluster, IDLE, "30s", "25s")
    wait_until(lambda: cluster.status().calls_running == 1, 20 * SLOW, "it runs")
    paid = begin(cluster, PAYING, "5s", "30ms")
    assert paid.result().raw_output_contents
    assert float(trailers_of(paid)["sluice-queue-ms"]) >= 300
    assert idle.exception().code() is grpc.StatusCode.UNAVAILABLE
    trailers = trailers_of(idle)
    assert (trailers["sluice-reason"], trailers["sluice-charged-ms"]) == ("PREEMPTED", "0.000")
    wait_until(lambda: cluster.metrics()["sluice_holds"] == 0, 10 * SLOW, "its slice is free")
    receipt = receipt_of(cluster, idle)
    assert (receipt.reason, receipt.charged_us) == ("PREEMPTED", 0)
    assert receipt.used_us >= 300_000


def test_who_pays_comes_first(cluster):
    """However late: whoever is over quota has waited for longer."""
    running = begin(cluster, PAYING, "10s", "600ms")
    wait_until(lambda: cluster.status().calls_running == 1, 20 * SLOW, "it runs")
    idle = begin(cluster, IDLE, "10s", "10ms")
    wait_until(lambda: cluster.status().calls_queued == 1, 20 * SLOW, "it waits")
    paid = begin(cluster, PAYING, "10s", "200ms")
    assert running.result()
    assert paid.result()
    assert idle.result()
    assert float(trailers_of(idle)["sluice-queue-ms"]) >= 200
    assert receipt_of(cluster, paid).ended_at <= receipt_of(cluster, idle).ended_at
