"""Messages over the limit, deadlines, cancellation."""

import threading
import time

import grpc
import numpy as np
import pytest
from support.calls import identity_request, refusal, request, scripted_request
from support.paths import SLOW
from support.stubs import pb
from support.wait import wait_until


def status(server):
    return server.admin().GetStatus(pb("sluice.v1").GetStatusRequest(), timeout=10)


def in_flight(server):
    now = status(server)
    return now.calls_receiving + now.calls_queued + now.calls_dispatched + now.calls_running


def test_a_message_over_the_limit_is_refused_before_it_is_read(server, stub):
    count = 80 * 2**20 // 8
    raw = np.zeros(count, dtype=np.int64).tobytes()
    outcome = refusal(stub.ModelInfer, request("echo_int64", [("IN", "INT64", [count], raw)]), 60)
    assert outcome.code == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert outcome.trailers["sluice-reason"] == "TOO_LARGE"
    assert str(64 * 2**20) in outcome.text
    assert stub.ModelInfer(identity_request(), timeout=10).outputs


def test_a_deadline_ends_the_run_and_frees_the_slice(server, stub):
    started = time.monotonic()
    outcome = refusal(stub.ModelInfer, scripted_request(run="20s"), timeout=0.5)
    assert outcome.code == grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - started < 2 * SLOW
    wait_until(lambda: in_flight(server) == 0, 5 * SLOW, "no call in flight")
    assert stub.ModelInfer(scripted_request(run="1ms"), timeout=10 * SLOW).outputs


def test_a_deadline_in_the_queue(server, stub):
    running = stub.ModelInfer.future(scripted_request(run="1500ms"), timeout=20)
    time.sleep(0.2)
    outcome = refusal(stub.ModelInfer, scripted_request(), timeout=0.3)
    assert outcome.code == grpc.StatusCode.DEADLINE_EXCEEDED
    assert running.result().outputs


def test_a_call_beyond_its_duration_is_ended(server, stub):
    started = time.monotonic()
    outcome = refusal(
        stub.ModelInfer, scripted_request(run="20s"), metadata=[("sluice-duration", "500ms")]
    )
    assert outcome.code == grpc.StatusCode.DEADLINE_EXCEEDED
    assert outcome.trailers["sluice-reason"] == "DURATION_EXCEEDED"
    assert time.monotonic() - started < 5 * SLOW
    assert stub.ModelInfer(scripted_request(), timeout=10 * SLOW).outputs


def test_cancel_while_it_runs(server, stub):
    call = stub.ModelInfer.future(scripted_request(run="20s"), timeout=30)
    wait_until(lambda: status(server).calls_running == 1, 5, "the call runs")
    assert call.cancel()
    wait_until(lambda: in_flight(server) == 0, 5 * SLOW, "no call in flight")
    assert stub.ModelInfer(scripted_request(), timeout=10 * SLOW).outputs


def test_cancel_while_it_waits(server, stub):
    running = stub.ModelInfer.future(scripted_request(run="1s"), timeout=20)
    waiting = [stub.ModelInfer.future(scripted_request(), timeout=20) for _ in range(10)]
    time.sleep(0.1)
    for call in waiting:
        call.cancel()
    assert running.result().outputs
    wait_until(lambda: in_flight(server) == 0, 5 * SLOW, "no call in flight")


def test_a_lost_connection_cancels_its_calls(server):
    channel = server.channel()
    call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
    lost = call.future(scripted_request(run="20s").SerializeToString(), timeout=30)
    wait_until(lambda: status(server).calls_running == 1, 5, "the call runs")
    channel.close()
    assert lost.code() == grpc.StatusCode.CANCELLED
    wait_until(lambda: in_flight(server) == 0, 5 * SLOW, "no call in flight")


def test_calls_are_first_come_first_served(stub):
    stub.ServerLive(pb().ServerLiveRequest(), timeout=10)  # connected: calls now leave in order
    order = []
    lock = threading.Lock()

    def note(number):
        def done(_):
            with lock:
                order.append(number)

        return done

    calls = []
    for number in range(20):
        call = stub.ModelInfer.future(scripted_request(run="5ms"), timeout=30)
        call.add_done_callback(note(number))
        calls.append(call)
    for call in calls:
        call.result()
    wait_until(lambda: len(order) == 20, 5, "20 answers")
    assert order == sorted(order)


@pytest.mark.parametrize(
    ("script", "code", "reason", "part"),
    [
        ({"error": "no such colour"}, grpc.StatusCode.INTERNAL, "MODEL_ERROR", "no such colour"),
        (
            {"error": "4 GiB asked", "reason": "OUT_OF_MEMORY"},
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "OUT_OF_MEMORY",
            "4 GiB asked",
        ),
    ],
)
def test_a_models_own_error(stub, script, code, reason, part):
    outcome = refusal(stub.ModelInfer, scripted_request(**script))
    assert (outcome.code, outcome.trailers["sluice-reason"]) == (code, reason)
    assert part in outcome.text
