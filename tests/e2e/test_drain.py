"""SIGTERM finishes what was accepted; a second one does not wait."""

import signal
import time

import grpc
import pytest
from support.calls import scripted_request
from support.paths import SLOW
from support.stubs import pb
from support.wait import wait_until


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
