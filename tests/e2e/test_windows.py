"""An account's 24 hours, with a wall clock that libfaketime moves; the monotonic one is not."""

import glob
import time

import pytest
from support.calls import scripted_request
from support.cluster import Cluster
from support.paths import SLOW
from support.receipts import receipts_of

pytestmark = pytest.mark.skipif(SLOW > 1, reason="a sanitizer wants to be the first library")
LIBRARY = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
DAY_S, DAILY_MS, VISITOR = 86400, 70_000, "10.1.2.3"
CONFIG = """
trusted_proxies: [127.0.0.0/8]
tiers: {seven: {daily: 70s, in_flight: 10}}
networks: {127.0.0.0/8: owner, 10.0.0.0/8: seven}
"""


class Clocked(Cluster):
    """A cluster whose gateway's wall clock goes `offset_s` before or behind ours."""

    def __init__(self, models, folder):
        self._clock = folder / "clock"
        self.set_clock(0)
        super().__init__(
            models,
            folder,
            slices=1,
            gateway=f"{CONFIG}store: {{path: '{folder}/sluice.db'}}\n",
            executor=f"state: {folder}/NODE.state\n",
            environment={
                "LD_PRELOAD": LIBRARY[0],
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "FAKETIME_NO_CACHE": "1",
                "FAKETIME_TIMESTAMP_FILE": str(self._clock),
            },
        )

    def set_clock(self, offset_s):
        fresh = self._clock.with_suffix(".new")
        fresh.write_text(f"{offset_s:+.6f}\n")
        fresh.rename(self._clock)

    def set_time(self, at_s):
        self.set_clock(at_s - time.time())

    def call(self):
        """(trailers, receipt) of a call of the visitor."""
        stub = self.stub()
        asks = [("x-forwarded-for", VISITOR), ("sluice-duration", "10s")]
        _, call = stub.ModelInfer.with_call(scripted_request(run="2ms"), timeout=60, metadata=asks)
        told = dict(call.trailing_metadata())
        kept = {r.call_id: r for r in receipts_of(self.folder / "sluice.db")}
        return told, kept[told["sluice-call-id"]]


@pytest.fixture
def clocked(few_models, tmp_path, _stubs):
    if not LIBRARY:
        pytest.skip("libfaketime is not installed (scripts/deps.sh)")
    with Clocked(few_models, tmp_path) as cluster:
        yield cluster


def window_of(receipt):
    return receipt.accounts[0][1]


def test_a_window_lasts_a_day_and_opens_once(clocked):
    first_told, first = clocked.call()
    opened_at = window_of(first)
    assert abs(first.ended_at / 1e6 - time.time()) < 60
    assert first.ended_at - first.used_us - 1_000_000 < opened_at <= first.ended_at
    ends_s = opened_at / 1e6 + DAY_S

    clocked.set_time(ends_s - 20)  # it is open still
    told, second = clocked.call()
    assert window_of(second) == opened_at
    assert told["sluice-resets-at"] == first_told["sluice-resets-at"]
    spent_ms = (first.charged_us + second.charged_us) / 1000
    assert float(told["sluice-left-ms"]) == pytest.approx(DAILY_MS - spent_ms, abs=0.0005)

    clocked.set_time(ends_s)  # and now it is over
    told, third = clocked.call()
    reopened_at = window_of(third)
    assert opened_at + DAY_S * 1_000_000 <= reopened_at <= third.ended_at
    assert float(told["sluice-left-ms"]) == pytest.approx(DAILY_MS - third.charged_us / 1000)

    windows = []
    for step_s in (-DAY_S, 0, DAY_S / 2, -DAY_S, 0):  # a clock that steps opens nothing twice
        clocked.set_time(ends_s + step_s)
        _, receipt = clocked.call()
        windows.append(window_of(receipt))
    assert windows == [reopened_at] * 5


def test_a_gateway_that_begins_with_another_clock(clocked):
    _, first = clocked.call()
    clocked.daemons["gateway"].kill()
    clocked.set_time(first.ended_at / 1e6 - DAY_S)
    clocked.restart("gateway")
    clocked.time_to_serve([scripted_request], time.monotonic())
    told, second = clocked.call()
    assert window_of(second) == window_of(first)
    spent_ms = (first.charged_us + second.charged_us) / 1000
    assert float(told["sluice-left-ms"]) == pytest.approx(DAILY_MS - spent_ms, abs=0.0005)
