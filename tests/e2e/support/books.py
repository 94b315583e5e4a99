"""What executors measured, what gateways booked, what lasts: the same, to the microsecond.

For a Cluster whose gateway logs at level debug and keeps its store at FOLDER/sluice.db.
"""

import json
import re
import subprocess

from .paths import BIN, SLOW
from .receipts import receipts_of
from .wait import wait_until

# What a gateway books; it says so before it acknowledges, if need be when it is told again.
BOOKED = re.compile(
    r" (?P<kind>(orphan |known )?lease) node=(?P<node>\S+) journal=(?P<journal>\d+) "
    r"record=(?P<record>\d+) held_us=(?P<held>\d+)"
)

FACTORS = {"large": 1, "xlarge": 2}


def measured(cluster, node):
    """What the executor's journal sums up to; it need not run."""
    argv = [
        BIN / "sluice-executor",
        "--config",
        cluster.folder / f"{node}.yaml",
        "--leases",
    ]
    return json.loads(subprocess.run(argv, check=True, capture_output=True, timeout=60).stdout)


def booked(cluster):
    """{journal: {record: (held_us, is_orphan)}} of all gateways that ever ran, and the repetitions.

    A gateway that was killed before its acknowledgement left is told again in its next life.
    """
    books, again = {}, 0
    for line in BOOKED.finditer(cluster.daemons["gateway"].log()):
        book = books.setdefault(int(line["journal"]), {})
        record, held = int(line["record"]), int(line["held"])
        again += record in book
        assert book.get(record, (held,))[0] == held, f"{line[0]}: not what was booked before"
        book.setdefault(record, (held, "orphan" in line["kind"]))
    return books, again


def settle(cluster):
    wait_until(cluster.is_whole, 20 * SLOW, "all executors")
    wait_until(lambda: cluster.calls() == 0, 20 * SLOW, "no call under way")
    for node in cluster.nodes:
        wait_until(
            lambda node=node: measured(cluster, node)["unacknowledged"] == 0,
            20 * SLOW,
            f"all leases of {node} acknowledged",
        )


def assert_sums_are_equal(cluster):
    books, again = booked(cluster)
    for node in cluster.nodes:
        its = measured(cluster, node)
        book = books.get(its["journal"], {})
        sum_us = sum(held for held, _ in book.values())
        orphans = [held for held, is_orphan in book.values() if is_orphan]
        print(
            f"{node}: {its['leases']} leases of {its['held_us']} us; booked {len(book)} of "
            f"{sum_us} us, of them {len(orphans)} orphans of {sum(orphans)} us"
        )
        assert len(book) == its["leases"]
        assert sum_us == its["held_us"]
    print(f"told again to a later gateway, and seen to be the same: {again}")
    assert_receipts_sum_up(cluster)
    return books


def assert_receipts_sum_up(cluster):
    """What lasts is what the executors measured: one receipt for each lease, with its time."""
    receipts = receipts_of(cluster.folder / "sluice.db")
    of_leases = [r for r in receipts if r.record]
    assert len({(r.journal, r.record) for r in of_leases}) == len(of_leases)
    for node in cluster.nodes:
        its = measured(cluster, node)
        mine = [r for r in of_leases if r.journal == its["journal"]]
        assert len(mine) == its["leases"]
        assert sum(r.used_us for r in mine) == its["held_us"]
    assert all(r.charged_us == 0 and not r.accounts for r in receipts if r.is_orphan)
    paid = [r for r in receipts if not r.is_orphan]
    assert all(r.charged_us <= min(FACTORS[r.size] * r.used_us, r.held_us) for r in paid)
    assert cluster.metrics()["sluice_holds"] == 0
    print(f"{len(receipts)} receipts, {len(of_leases)} of leases")
