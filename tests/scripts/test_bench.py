"""bench/run: what it computes, and that a wrong report of h2load is no figure."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

from harness import load, report  # noqa: E402
from harness.errors import BenchError  # noqa: E402
from harness.measure import rotated, whole_runs  # noqa: E402
from harness.rows import ROWS, Row  # noqa: E402

REPORT = """finished in 802.11ms, 124.67 req/s, 1.20MB/s
requests: 100 total, 100 started, 100 done, {good} succeeded, {bad} failed, {bad} errored, 0 timeout
status codes: {good} 2xx, 0 3xx, 0 4xx, {bad} 5xx
traffic: 2.44MB (2556890) total, 3.12KB (3190) headers (space savings 95.00%), 25KB ({data}) data
"""


def test_percentiles_are_values_that_occurred():
    assert load.percentile([7], 99) == 7
    assert load.percentile(list(range(1, 101)), 50) == 50
    assert load.percentile(list(range(1, 101)), 99) == 99
    assert load.percentile([1, 2, 3], 99) == 3


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("802.11ms", 0.80211), ("3.00s", 3.0), ("950us", 950e-6), ("1.50m", 90.0)],
)
def test_h2load_prints_its_time_in_several_units(text, seconds):
    found = load._finished(f"finished in {text}, 124.67 req/s, 1MB/s")
    assert found == (pytest.approx(seconds), 124.67)


def test_a_failed_request_is_no_figure():
    load._expect_all_good(REPORT.format(good=100, bad=0, data=25500), 100)
    with pytest.raises(BenchError, match="99 2xx"):
        load._expect_all_good(REPORT.format(good=99, bad=1, data=25500), 100)


def test_replies_of_different_lengths_are_no_figure():
    assert load._reply_bytes(REPORT.format(good=100, bad=0, data=25500), 100) == 255
    with pytest.raises(BenchError, match="not of one length"):
        load._reply_bytes(REPORT.format(good=100, bad=0, data=25501), 100)


def test_every_connection_sends_as_many_requests():
    for row in ROWS:
        for wanted in (0.1, 17, 12345.6):
            requests = whole_runs(wanted, row)
            assert requests % row.connections == 0
            assert requests >= 2 * row.in_flight


def test_each_server_comes_first_in_turn():
    assert [rotated("abc", n) for n in range(4)] == ["abc", "bca", "cab", "abc"]


def test_interval_of_the_median():
    assert report.interval([5, 1, 3]) == (1, 5)
    assert report.interval([1, 2, 3, 4, 5, 6]) == (1, 6)  # 1 - 2/64 = 97 %
    # The table of order statistics for n = 15 has the 4th and the 12th value (96.5 %).
    assert report.interval(list(range(1, 16))) == (4, 12)


def test_ratios_are_taken_round_by_round():
    found = report.ratio([10, 40, 30], [10, 20, 10])
    assert (found.middle, found.low, found.high) == (2, 1, 3)
    assert str(found) == "2.00 (1.00..3.00)"


def test_names_and_times_for_people():
    assert Row(205, 8, 32).name == "0.2 KiB c8 m32"
    assert Row(16 << 20, 4, 2).name == "16 MiB c4 m2"
    texts = [report.time_text(us) for us in (1, 16.84, 785.4, 999.6, 4810, 22_000, 3.2e6)]
    assert texts == ["1.00 us", "16.8 us", "785 us", "1.00 ms", "4.81 ms", "22.0 ms", "3.20 s"]
