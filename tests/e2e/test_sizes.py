"""Calls of size xlarge, which have both halves of a device, among large ones, on real processes."""

import threading
import time

import grpc
import pytest
from support.calls import refusal, scripted_request
from support.cluster import Cluster
from support.neighbours import Limit
from support.paths import SLOW
from support.receipts import receipts_of
from support.wait import wait_until

CONFIG = """
trusted_proxies: [127.0.0.0/8]
tiers: {poor: {daily: 4s}}
networks: {127.0.0.0/8: owner, 10.1.0.0/16: poor}
"""
POOR = "10.1.0.1"
LARGE_MS = 100


@pytest.fixture(scope="module")
def cluster(few_models, tmp_path_factory, _stubs):
    """Two halves of one device."""
    folder = tmp_path_factory.mktemp("sizes")
    gateway = f"{CONFIG}store: {{path: '{folder}/sluice.db'}}\n"
    executor = f"state: {folder}/NODE.state\nworker: {{wide_idle: 1s}}\n"
    with Cluster(few_models, folder, slices=2, gateway=gateway, executor=executor) as cluster:
        yield cluster


def begin(cluster, size, run, duration="10s", visitor="127.0.0.1"):
    metadata = [("sluice-size", size), ("sluice-duration", duration), ("x-forwarded-for", visitor)]
    call = cluster.stub().ModelInfer.future
    return call(scripted_request(run=run), timeout=60 * SLOW, metadata=metadata)


def trailers_of(call):
    return dict(call.trailing_metadata())


def receipts_by_id(cluster):
    return {r.call_id: r for r in receipts_of(cluster.folder / "sluice.db")}


def receipt_of(cluster, call):
    return receipts_by_id(cluster)[trailers_of(call)["sluice-call-id"]]


class Stream:
    """Callers of large calls, one after the other, more than there are slices."""

    def __init__(self, cluster, callers=4):
        self._cluster, self._is_over, self.count = cluster, threading.Event(), 0
        self._threads = [threading.Thread(target=self._call_on) for _ in range(callers)]

    def _call_on(self):
        while not self._is_over.is_set():
            begin(self._cluster, "large", f"{LARGE_MS}ms").result()
            self.count += 1

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._is_over.set()
        for thread in self._threads:
            thread.join()


def overlap_us(a, b):
    begins = max(a.ended_at - a.used_us, b.ended_at - b.used_us)
    return min(a.ended_at, b.ended_at) - begins


def test_the_factor_is_charged_and_the_receipt_has_the_size(cluster):
    call = begin(cluster, "xlarge", "40ms")
    assert call.result().raw_output_contents
    receipt, trailers = receipt_of(cluster, call), trailers_of(call)
    assert (receipt.size, receipt.declared_us, receipt.held_us) == ("xlarge", 10**7, 2 * 10**7)
    assert receipt.used_us >= 40_000
    assert receipt.charged_us == 2 * receipt.used_us
    assert float(trailers["sluice-charged-ms"]) == pytest.approx(
        2 * float(trailers["sluice-exec-ms"]), abs=0.002
    )
    large = begin(cluster, "large", "1ms")
    assert large.result()
    receipt = receipt_of(cluster, large)
    assert (receipt.size, receipt.charged_us) == ("large", receipt.used_us)


def test_xlarge_among_a_stream_of_large_is_served_soon_and_alone(cluster):
    """Its wait is bounded by what runs when it comes; nobody has either half meanwhile."""
    assert begin(cluster, "xlarge", "1ms").result()  # its worker is there from now on
    calls = []
    with Stream(cluster) as stream:
        wait_until(lambda: stream.count > 8, 30 * SLOW, "the stream flows")
        for _ in range(5):
            limit = Limit(1.0)
            calls.append(begin(cluster, "xlarge", f"{LARGE_MS}ms"))
            assert calls[-1].result()
            queue_s = float(trailers_of(calls[-1])["sluice-queue-ms"]) / 1000
            limit.check(queue_s, "an xlarge call's wait")
            before = stream.count
            wait_until(lambda seen=before: stream.count > seen + 2, 30 * SLOW, "large ones go on")
    receipts = receipts_by_id(cluster)
    for call in calls:
        wide = receipts.pop(trailers_of(call)["sluice-call-id"])
        assert wide.size == "xlarge"
        worst = max(overlap_us(wide, other) for other in receipts.values())
        print(f"nearest of {len(receipts)} others: {-worst / 1000:.3f} ms apart")
        assert worst < LARGE_MS * 1000 / 2, "what the gateway saw of it later is not that much"


def test_its_process_is_there_as_long_as_it_is_wanted(cluster):
    wait_until(lambda: len(cluster.workers()) == cluster.worker_count(), 20 * SLOW, "it went")
    assert begin(cluster, "xlarge", "1ms").result()
    assert len(cluster.workers()) == cluster.worker_count() + 1
    wait_until(lambda: len(cluster.workers()) == cluster.worker_count(), 20 * SLOW, "it goes")
    assert begin(cluster, "xlarge", "1ms").result()


def test_an_xlarge_call_that_overruns_frees_both_halves(cluster):
    late = begin(cluster, "xlarge", "30s", duration="100ms")
    assert late.exception().code() is grpc.StatusCode.DEADLINE_EXCEEDED
    began = time.monotonic()
    halves = [begin(cluster, "large", "10ms") for _ in range(2)]
    assert all(call.result() for call in halves)
    assert time.monotonic() - began < 5 * SLOW
    receipt = receipt_of(cluster, late)
    assert (receipt.reason, receipt.charged_us) == ("DURATION_EXCEEDED", receipt.held_us)
    assert receipt.held_us == 200_000


def test_a_cancelled_xlarge_call_frees_both_halves(cluster):
    call = begin(cluster, "xlarge", "30s", duration="20s")
    wait_until(lambda: cluster.status().calls_running == 1, 20 * SLOW, "it runs")
    assert cluster.status().slices_busy == 2
    call.cancel()
    limit = Limit(2.0)  # the node's grace is 1 s
    began = time.monotonic()
    halves = [begin(cluster, "large", "10ms") for _ in range(2)]
    assert all(call.result() for call in halves)
    limit.check(time.monotonic() - began, "both halves after a cancel")


def test_what_is_declared_counts_by_the_factor(cluster):
    assert begin(cluster, "large", "1ms", duration="3s", visitor=POOR).result()
    metadata = [("sluice-size", "xlarge"), ("sluice-duration", "3s"), ("x-forwarded-for", POOR)]
    refused = refusal(cluster.stub().ModelInfer, scripted_request(), metadata=metadata)
    assert refused.trailers["sluice-reason"] == "DURATION_TOO_LONG"
    assert "ask for at most 2s" in refused.text


def test_an_unknown_size_is_refused_with_those_that_there_are(cluster):
    refused = refusal(
        cluster.stub().ModelInfer, scripted_request(), metadata=[("sluice-size", "huge")]
    )
    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.text == "sluice-size 'huge' is none of large, xlarge"
