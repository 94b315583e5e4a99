"""Pings both ways and the age of connections, with grpcio as it comes."""

import time

import grpc
import pytest
from support.calls import identity_request, refusal, scripted_request
from support.pair import Pair
from support.stubs import Stub

CONFIG = """\
keepalive: {time: 300ms, timeout: 10s, min_time: %s}
limits: {connection_age: 1s}
"""


@pytest.fixture
def pair(models, tmp_path, _stubs, request):
    with Pair(models, tmp_path, CONFIG % request.param) as pair:
        yield pair


def channel(pair, ping_ms):
    options = [
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.keepalive_time_ms", ping_ms),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
    ]
    return grpc.insecure_channel(pair.grpc, options=options)


@pytest.mark.parametrize("pair", ["60s"], indirect=True)
def test_a_client_that_pings_too_often_is_told_so(pair):
    with channel(pair, 200) as pinging:
        stub = Stub(pinging, "inference.GRPCInferenceService")
        outcome = refusal(stub.ModelInfer, scripted_request(run="6s"))
    assert outcome.code == grpc.StatusCode.UNAVAILABLE
    assert "ping" in outcome.text.lower()
    assert pair.metric("sluice_http2_errors_total") == 1


@pytest.mark.parametrize("pair", ["50ms"], indirect=True)
def test_pings_within_the_rules_and_old_connections_lose_no_call(pair):
    with channel(pair, 200) as pinging:
        stub = Stub(pinging, "inference.GRPCInferenceService")
        long = stub.ModelInfer.future(scripted_request(run="3s"), timeout=20)
        end = time.monotonic() + 4
        while time.monotonic() < end:
            assert stub.ModelInfer(identity_request(), timeout=10).outputs
            time.sleep(0.05)
        assert long.result().outputs
    assert pair.metric('sluice_connection_timeouts_total{kind="age"}') >= 2
    assert pair.metric('sluice_connection_timeouts_total{kind="keepalive"}') == 0
    assert pair.metric("sluice_http2_errors_total") == 0
