"""Every lease is accounted for once, whoever dies: gateways book what executors measured."""

import contextlib
import os
import random
import signal
import threading
import time
from collections import Counter

import grpc
import psutil
import pytest
from support.books import assert_sums_are_equal, measured, settle
from support.calls import scripted_request
from support.cluster import Cluster
from support.paths import SLOW, scaled
from support.receipts import receipts_of
from support.storm import Storm
from support.wait import wait_until

pytestmark = pytest.mark.timeout(1800)  # a soak takes minutes

LINK = "heartbeat: 100ms, lost_after: 600ms"
POOR_MS = 600
RATES = f"""
trusted_proxies: [127.0.0.0/8]
tiers: {{poor: {{daily: {POOR_MS}ms, in_flight: 1000}}}}
networks: {{127.0.0.0/8: owner, 10.0.0.0/8: poor}}
"""


def make_cluster(models, folder, **kwargs):
    kwargs.setdefault("executor", f"state: {folder}/NODE.state\n")
    gateway = f"{RATES}log: {{level: debug}}\nstore: {{path: '{folder}/sluice.db'}}\n"
    return Cluster(models, folder, link=LINK, gateway=gateway, **kwargs)


def seed():
    """SLUICE_SEED repeats a run."""
    chosen = int(os.environ.get("SLUICE_SEED", random.SystemRandom().randrange(1 << 31)))
    print(f"seed: {chosen} (SLUICE_SEED)")
    return chosen


class Spenders:
    """Visitors who have little, and are someone else when they have no more."""

    def __init__(self, cluster, seed):
        self.reasons, self.accounts = Counter(), set()
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(cluster.stub(), i, random.Random(seed + i)))
            for i in range(2)
        ]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _run(self, stub, number, rng):
        life = 0
        while not self._stopping.is_set():
            address = f"10.{number}.{life // 200}.{life % 200 + 1}"
            self.accounts.add(f"ip:{address}")
            metadata = [("x-forwarded-for", address), ("sluice-duration", "60ms")]
            if rng.randrange(6) == 0:
                metadata.append(("sluice-size", "xlarge"))
            reason = self._call(stub, scripted_request(run=f"{rng.randrange(1, 90)}ms"), metadata)
            self.reasons[reason] += 1
            life += reason == "QUOTA_EXCEEDED"

    @staticmethod
    def _call(stub, message, metadata):
        try:
            stub.ModelInfer(message, timeout=20 * SLOW, metadata=metadata)
            return "OK"
        except grpc.RpcError as error:
            time.sleep(0.01)
            return dict(error.trailing_metadata() or ()).get("sluice-reason", error.code().name)


def assert_nobody_is_above_his_limit(cluster, spenders):
    """Of those whose money ran out: what they paid in their window, and that it was most of it."""
    spent = Counter()
    for receipt in receipts_of(cluster.folder / "sluice.db"):
        for account in receipt.accounts:
            spent[account] += receipt.charged_us
    poor = {account: us for account, us in spent.items() if account[0] in spenders.accounts}
    print(f"{len(poor)} windows of visitors with {POOR_MS} ms: {dict(spenders.reasons)}")
    assert spenders.reasons["QUOTA_EXCEEDED"] > 0
    assert all(us <= POOR_MS * 1000 for us in poor.values())
    assert max(poor.values()) > (POOR_MS - 2 * 60) * 1000


def kill(cluster, victim, rng):
    if victim == "worker":
        workers = cluster.workers()
        with contextlib.suppress(psutil.NoSuchProcess):  # its executor may just have been killed
            if workers:
                rng.choice(workers).send_signal(signal.SIGKILL)
        return
    cluster.daemons[victim].signal(signal.SIGKILL)
    assert cluster.restart(victim) == -signal.SIGKILL


def assert_the_answered_have_receipts(cluster, charged):
    receipts = {r.call_id: r for r in receipts_of(cluster.folder / "sluice.db") if not r.is_orphan}
    assert charged
    for call_id, ms in charged.items():
        assert receipts[call_id].charged_us == round(float(ms) * 1000)


def test_kill_9_in_any_order_loses_no_microsecond(few_models, tmp_path, _stubs):
    rounds, rng = scaled(200, at_least=20), random.Random(seed())
    with make_cluster(few_models, tmp_path, executors=2) as cluster:
        spenders = Spenders(cluster, rng.randrange(1 << 20))
        with Storm(cluster, rng.randrange(1 << 20), small=6) as storm, spenders:
            wait_until(lambda: storm.counts["ok"] > 50, 20 * SLOW, "answers")
            for _ in range(rounds):
                time.sleep(rng.uniform(0.05, 0.5))
                for victim in rng.sample(["gateway", "n1", "n2", "worker"], rng.choice([1, 1, 2])):
                    kill(cluster, victim, rng)
            ok = storm.counts["ok"]
            wait_until(lambda: storm.counts["ok"] > ok + 50, 20 * SLOW, "answers afterwards")
        print(f"calls ended: {dict(storm.counts)}")
        assert storm.wrong == []
        settle(cluster)
        books = assert_sums_are_equal(cluster)
        assert_the_answered_have_receipts(cluster, storm.charged)
        assert_nobody_is_above_his_limit(cluster, spenders)
        assert any(is_orphan for book in books.values() for _, is_orphan in book.values())


@pytest.mark.smoke
def test_a_lease_whose_gateway_died_is_an_orphan(few_models, tmp_path, _stubs):
    with make_cluster(few_models, tmp_path, slices=1) as cluster:
        call = cluster.stub().ModelInfer.future(scripted_request(run="300ms"), timeout=60)
        wait_until(lambda: cluster.status().calls_running == 1, 10 * SLOW, "the call runs")
        cluster.daemons["gateway"].signal(signal.SIGKILL)
        cluster.restart("gateway")
        with pytest.raises(grpc.RpcError):
            call.result()
        wait_until(lambda: measured(cluster, "n1")["leases"] == 1, 10 * SLOW, "its slice is free")
        settle(cluster)
        (book,) = assert_sums_are_equal(cluster).values()
        assert [is_orphan for _, is_orphan in book.values()] == [True]
        assert measured(cluster, "n1")["held_us"] > 0
        wait_until(
            lambda: cluster.metrics()["sluice_orphan_leases_total"] == 1,
            10 * SLOW,
            "it is counted",
        )
        held_s = cluster.metrics()["sluice_orphan_lease_seconds_total"]
        assert held_s * 1e6 == pytest.approx(measured(cluster, "n1")["held_us"], abs=0.1)


def test_a_lease_whose_executor_died_is_ended_by_the_next_one(few_models, tmp_path, _stubs):
    with make_cluster(few_models, tmp_path, slices=1) as cluster:
        call = cluster.stub().ModelInfer.future(scripted_request(run="30s"), timeout=60)
        wait_until(lambda: cluster.status().calls_running == 1, 10 * SLOW, "the call runs")
        time.sleep(0.5)
        cluster.daemons["n1"].signal(signal.SIGKILL)
        before = measured(cluster, "n1")
        cluster.restart("n1")
        with pytest.raises(grpc.RpcError):
            call.result()
        settle(cluster)
        assert before["leases"] == 0
        its = measured(cluster, "n1")
        assert its["journal"] == before["journal"]
        assert its["leases"] == 1
        assert 200_000 < its["held_us"] < 5_000_000 * SLOW
        assert_sums_are_equal(cluster)
        assert cluster.metrics()["sluice_orphan_leases_total"] == 1


def test_a_gateway_books_what_it_has_booked_only_once(few_models, tmp_path, _stubs):
    """The executor comes back with what was not acknowledged when it died."""
    with make_cluster(few_models, tmp_path, slices=1) as cluster:
        stub = cluster.stub()
        for _ in range(20):
            assert stub.ModelInfer(scripted_request(run="1ms"), timeout=20).outputs
        cluster.daemons["n1"].signal(signal.SIGKILL)
        cluster.restart("n1")
        settle(cluster)
        (book,) = assert_sums_are_equal(cluster).values()
        assert [is_orphan for _, is_orphan in book.values()] == [False] * 20
        counts = cluster.metrics()
        assert counts["sluice_leases_total"] == 20
        assert counts["sluice_orphan_leases_total"] == 0
        held_s = counts["sluice_lease_seconds_total"]
        assert held_s * 1e6 == pytest.approx(measured(cluster, "n1")["held_us"], abs=0.1)


def test_two_executors_cannot_share_a_journal(few_models, tmp_path, _stubs):
    shared = f"state: {tmp_path}/shared\n"
    with make_cluster(few_models, tmp_path, executor=shared) as cluster:
        cluster.write("n2", (tmp_path / "n1.yaml").read_text())
        second = cluster.start("n2")
        assert second.wait(20 * SLOW) == 1
        assert f"another executor has {tmp_path}/shared/leases.journal" in second.log()
