"""What lasts of a call, on real processes: one line and one receipt, a file that cannot be
written, a lease that is told twice.
"""

import re
import shlex
import signal
import sqlite3
from contextlib import closing, contextmanager

import grpc
import pytest
from support.calls import refusal, scripted_request
from support.cluster import Cluster
from support.paths import SLOW
from support.receipts import receipts_of
from support.wait import wait_until

CONFIG = """
trusted_proxies: [127.0.0.0/8]
tiers: {ten: {daily: 10m, in_flight: 100}}
networks: {127.0.0.0/8: owner, 10.0.0.0/8: ten}
"""
LINE = re.compile(r"^.* (?:\"call ended\"|call ended) (.*)$", re.M)


def make_cluster(models, folder, store="", link="", executor=""):
    gateway = f"{CONFIG}store: {{path: '{folder}/sluice.db'{store}}}\n"
    executor = f"state: {folder}/NODE.state\n{executor}"
    return Cluster(models, folder, slices=1, gateway=gateway, executor=executor, link=link)


@pytest.fixture
def cluster(few_models, tmp_path, _stubs):
    with make_cluster(few_models, tmp_path) as cluster:
        yield cluster


def asks(visitor, duration="5s"):
    return [("x-forwarded-for", visitor), ("sluice-duration", duration)]


def call(cluster, visitor, **script):
    """The trailers of a call that is answered."""
    _, done = cluster.stub().ModelInfer.with_call(
        scripted_request(**script), timeout=60, metadata=asks(visitor)
    )
    return dict(done.trailing_metadata())


def call_or_none(cluster, visitor):
    try:
        return call(cluster, visitor)
    except grpc.RpcError:
        return None


def lines_of(cluster):
    """{call id: the fields of its line}"""
    found = {}
    for line in LINE.findall(cluster.daemons["gateway"].log()):
        fields = dict(word.split("=", 1) for word in shlex.split(line))
        assert fields["call"] not in found, "a second line"
        found[fields["call"]] = fields
    return found


def kept(cluster):
    receipts = receipts_of(cluster.folder / "sluice.db")
    found = {receipt.call_id: receipt for receipt in receipts}
    assert len(found) == len(receipts), "a second receipt"
    return found


def assert_same(line, receipt):
    numbers = [
        "declared_us",
        "held_us",
        "used_us",
        "charged_us",
        "queue_us",
        "journal",
        "record",
    ]
    assert {name: int(line[name]) for name in numbers} == {
        name: getattr(receipt, name) for name in numbers
    }
    texts = ["tier", "organisation", "app", "model", "size", "node"]
    assert [line[name] for name in texts] == [getattr(receipt, name) or "-" for name in texts]
    assert line["cause"] == receipt.reason
    assert line["visitor"] == receipt.accounts[0][0]


def test_one_line_and_one_receipt_tell_a_calls_money(cluster):
    told = call(cluster, "10.0.0.1", run="20ms")
    failed = refusal(
        cluster.stub().ModelInfer,
        scripted_request(run="10ms", error="it is so"),
        metadata=asks("10.0.0.1"),
    ).trailers
    overrun = refusal(
        cluster.stub().ModelInfer,
        scripted_request(run="20s"),
        metadata=asks("10.0.0.1", "0.1"),
    ).trailers
    wait_until(lambda: len(lines_of(cluster)) == 3, 10 * SLOW, "three lines")
    lines, receipts = lines_of(cluster), kept(cluster)
    assert set(lines) == set(receipts)
    left_us = 600_000_000
    for trailers in (told, failed, overrun):
        line = lines[trailers["sluice-call-id"]]
        assert_same(line, receipts[line["call"]])
        left_us -= int(line["charged_us"])
        assert int(line["left_us"]) == left_us
        assert trailers["sluice-charged-ms"] == f"{int(line['charged_us']) / 1000:.3f}"
        assert trailers["sluice-left-ms"] == f"{left_us / 1000:.3f}"
        assert trailers["sluice-queue-ms"] == f"{int(line['queue_us']) / 1000:.3f}"
        assert trailers["sluice-exec-ms"] == f"{int(line['exec_us']) / 1000:.3f}"
    causes = [lines[t["sluice-call-id"]]["cause"] for t in (told, failed, overrun)]
    assert causes == ["OK", "MODEL_ERROR", "DURATION_EXCEEDED"]


def test_a_cancelled_calls_line_comes_with_its_slice(cluster):
    future = cluster.stub().ModelInfer.future(
        scripted_request(run="20s"), timeout=60, metadata=asks("10.0.0.2")
    )
    wait_until(lambda: cluster.status().calls_running == 1, 20 * SLOW, "it runs")
    future.cancel()
    wait_until(lambda: len(lines_of(cluster)) == 1, 10 * SLOW, "its line")
    ((call_id, line),) = lines_of(cluster).items()
    wait_until(lambda: call_id in kept(cluster), 10 * SLOW, "its receipt")
    assert_same(line, kept(cluster)[call_id])
    assert line["cause"] == "CANCELLED"
    assert 0 < int(line["charged_us"]) == int(line["used_us"])


def test_lines_can_be_turned_off(cluster):
    config = cluster.folder / "gateway.yaml"
    config.write_text(config.read_text() + "log: {calls: false}\n")
    gateway = cluster.daemons["gateway"]
    gateway.signal(signal.SIGHUP)
    gateway.wait_for_log("configuration read again", 10 * SLOW)
    told = call(cluster, "10.0.0.3")
    assert lines_of(cluster) == {}
    assert told["sluice-call-id"] in kept(cluster)


# ---- tiers are changed in place


def test_a_tier_that_changes_holds_for_the_next_call(cluster):
    spent_ms = float(call(cluster, "10.0.0.4", run="5ms")["sluice-charged-ms"])
    config, gateway = cluster.folder / "gateway.yaml", cluster.daemons["gateway"]
    for count, (daily, daily_ms) in enumerate([("20m", 1_200_000), ("20s", 20_000)], 1):
        config.write_text(re.sub(r"daily: \w+", f"daily: {daily}", config.read_text()))
        gateway.signal(signal.SIGHUP)
        wait_until(
            lambda n=count: gateway.log().count("configuration read again") == n,
            10 * SLOW,
            "it",
        )
        told = call(cluster, "10.0.0.4")
        spent_ms += float(told["sluice-charged-ms"])
        assert float(told["sluice-left-ms"]) == pytest.approx(daily_ms - spent_ms, abs=0.0005)
    refused = refusal(
        cluster.stub().ModelInfer, scripted_request(), metadata=asks("10.0.0.4", "20s")
    )
    assert refused.trailers["sluice-reason"] == "QUOTA_EXCEEDED"


# ---- a file that cannot be written


@contextmanager
def unwritable(cluster):
    """Another program has the file's lock."""
    with closing(sqlite3.connect(cluster.folder / "sluice.db", isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        yield
        db.execute("ROLLBACK")


def is_writable(cluster):
    return cluster.metrics()["sluice_store_writable"] == 1


def test_while_nothing_can_be_stored_nothing_begins(cluster):
    stub = cluster.stub()
    with unwritable(cluster):
        first = stub.ModelInfer.future(scripted_request(), timeout=60, metadata=asks("10.0.0.5"))
        wait_until(lambda: not is_writable(cluster), 20 * SLOW, "the store's trouble")
        refused = refusal(stub.ModelInfer, scripted_request(), metadata=asks("10.0.0.5"))
        assert refused.trailers["sluice-reason"] == "NO_CAPACITY"
        assert refused.text.startswith("what a call costs cannot be recorded now, so none is begun")
        assert refused.trailers["sluice-charged-ms"] == "0.000"
        assert not first.done()
    assert first.result().outputs
    assert dict(first.trailing_metadata())["sluice-call-id"] in kept(cluster)
    wait_until(lambda: is_writable(cluster), 20 * SLOW, "the store")
    assert call(cluster, "10.0.0.5")["sluice-call-id"] in kept(cluster)


def test_where_the_operator_says_so_calls_are_served(few_models, tmp_path, _stubs):
    with make_cluster(few_models, tmp_path, ", when_broken: serve", "heartbeat: 100ms") as cluster:
        with unwritable(cluster):
            # Who waits for the file when it breaks does not any more.
            first = call(cluster, "10.0.0.6")
            wait_until(lambda: not is_writable(cluster), 20 * SLOW, "the store's trouble")
            told = [first] + [call(cluster, "10.0.0.6", run="2ms") for _ in range(20)]
        wait_until(lambda: len(kept(cluster)) == 21, 20 * SLOW, "all receipts")
        receipts = kept(cluster)
        for trailers in told:
            receipt = receipts[trailers["sluice-call-id"]]
            assert receipt.charged_us == round(float(trailers["sluice-charged-ms"]) * 1000)
        assert cluster.metrics()["sluice_holds"] == 0


def test_serving_ends_where_executors_cannot_remember_more(few_models, tmp_path, _stubs):
    """What is not stored is not acknowledged; an executor keeps so much, and no more."""
    serve, beat = ", when_broken: serve", "heartbeat: 100ms"
    bound = "lease: {unacknowledged_max: 256}\n"
    with make_cluster(few_models, tmp_path, serve, beat, bound) as cluster:
        stub = cluster.stub()
        with unwritable(cluster):
            served = 0
            while call_or_none(cluster, "10.0.0.11"):
                served += 1
            assert 240 <= served <= 256
            refused = refusal(stub.ModelInfer, scripted_request(), metadata=asks("10.0.0.11"))
            assert refused.trailers["sluice-reason"] == "NO_CAPACITY"
            cluster.daemons["n1"].wait_for_log("the journal of leases is full", 10 * SLOW)
        wait_until(lambda: is_writable(cluster), 20 * SLOW, "the store")
        wait_until(lambda: call_or_none(cluster, "10.0.0.11"), 20 * SLOW, "service")
        cluster.daemons["n1"].signal(signal.SIGTERM)
        assert cluster.daemons["n1"].wait(20 * SLOW) == 0
        assert re.search(r"stopped .*unrecorded=[1-9]", cluster.daemons["n1"].log())
        assert sum(receipt.record != 0 for receipt in kept(cluster).values()) == served + 1


# ---- a gateway that stops


def send_and_break(cluster, visitor):
    """A call whose reply waits for a file that cannot be written."""
    waiting = cluster.stub().ModelInfer.future(
        scripted_request(), timeout=60, metadata=asks(visitor)
    )
    wait_until(lambda: not is_writable(cluster), 20 * SLOW, "the store's trouble")
    return waiting


def test_a_drain_waits_for_replies_that_wait_for_the_file(cluster):
    gateway = cluster.daemons["gateway"]
    with unwritable(cluster):
        waiting = send_and_break(cluster, "10.0.0.8")
        gateway.signal(signal.SIGTERM)
        gateway.wait_for_log("draining", 10 * SLOW)
        assert not waiting.done()
    assert waiting.result().outputs
    assert gateway.wait(20 * SLOW) == 0
    assert dict(waiting.trailing_metadata())["sluice-call-id"] in kept(cluster)


def test_what_a_drain_cannot_store_comes_back_as_an_orphan(few_models, tmp_path, _stubs):
    with make_cluster(few_models, tmp_path) as cluster:
        gateway = cluster.daemons["gateway"]
        with unwritable(cluster):
            waiting = send_and_break(cluster, "10.0.0.9")
            gateway.signal(signal.SIGTERM)
            gateway.wait_for_log("draining", 10 * SLOW)
            gateway.signal(signal.SIGTERM)  # the end of patience
            assert waiting.result().outputs
            assert gateway.wait(20 * SLOW) == 0
        assert kept(cluster) == {}
        cluster.restart("gateway")
        wait_until(lambda: len(kept(cluster)) == 1, 30 * SLOW, "the orphan")
        (orphan,) = kept(cluster).values()
        assert orphan.is_orphan
        assert (orphan.charged_us, orphan.accounts) == (0, [])
        told = dict(waiting.trailing_metadata())
        assert orphan.used_us == round(float(told["sluice-exec-ms"]) * 1000)


def test_a_drain_waits_for_what_cancelled_calls_owe(cluster):
    """Their callers have gone; their slices are not free yet."""
    gateway, node = cluster.daemons["gateway"], cluster.daemons["n1"]
    call = cluster.stub().ModelInfer.future(
        scripted_request(run="20s"), timeout=60, metadata=asks("10.0.0.10")
    )
    wait_until(lambda: cluster.status().calls_running == 1, 20 * SLOW, "it runs")
    node.signal(signal.SIGSTOP)
    call.cancel()
    wait_until(lambda: cluster.calls() == 0, 20 * SLOW, "it is cancelled")
    cluster.close_channels()
    gateway.signal(signal.SIGTERM)
    gateway.wait_for_log("draining", 10 * SLOW)
    node.signal(signal.SIGCONT)
    assert gateway.wait(20 * SLOW) == 0
    ((call_id, line),) = lines_of(cluster).items()
    assert_same(line, kept(cluster)[call_id])
    assert 0 < int(line["charged_us"]) == int(line["used_us"])


# ---- after a restart


def test_what_is_told_again_has_its_receipt_already(few_models, tmp_path, _stubs):
    """The gateway dies after it has stored, and before it has told the executor so."""
    with make_cluster(few_models, tmp_path) as cluster:
        told = [call(cluster, "10.0.0.7")["sluice-call-id"] for _ in range(5)]
        cluster.daemons["gateway"].kill()
        before = kept(cluster)
        cluster.restart("gateway")
        wait_until(cluster.is_whole, 30 * SLOW, "the cluster")
        wait_until(
            lambda: cluster.metrics()["sluice_repeated_leases_total"] > 0,
            20 * SLOW,
            "repetitions",
        )
        assert kept(cluster) == before
        assert set(before) == set(told)
        assert cluster.metrics()["sluice_orphan_leases_total"] == 0
