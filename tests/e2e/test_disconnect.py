"""sluice-on-disconnect: what becomes of a call whose connection is lost."""

import signal

import pytest
from support.calls import identity_request, refusal, scripted_request
from support.pair import Pair
from support.paths import SLOW
from support.raw_h2 import CANCEL, RST_STREAM, RawH2
from support.wait import wait_until


@pytest.fixture
def pair(models, tmp_path, _stubs):
    with Pair(models, tmp_path) as pair:
        yield pair


def ended(pair, reason):
    return pair.metric(f'sluice_calls_total{{reason="{reason}"}}')


def begin(pair, client, metadata=(), **params):
    message = scripted_request(run="1s")
    for name, value in params.items():
        message.parameters[name].string_param = value
    client.call(1, message.SerializeToString(), metadata=metadata)
    wait_until(lambda: running(pair) == 1, 5 * SLOW, "the call runs")


def running(pair):
    return pair.metric('sluice_calls_in_state{state="running"}')


KEEP = [("sluice-on-disconnect", "keep")]


@pytest.mark.parametrize(
    ("metadata", "params"), [(KEEP, {}), ([], {"sluice_on_disconnect": "keep"})]
)
def test_a_kept_call_runs_to_its_end(pair, metadata, params):
    with RawH2(pair.grpc) as client:
        begin(pair, client, metadata, **params)
    wait_until(lambda: ended(pair, "OK") == 1, 5 * SLOW, "the call ends well")
    assert pair.metric("sluice_calls_unclaimed_total") == 1
    assert ended(pair, "CANCELLED") == 0
    wait_until(lambda: pair.metric("sluice_result_bytes") == 0, 5 * SLOW, "its reply is dropped")
    assert pair.metric("sluice_kept_results") == 1


@pytest.mark.parametrize("metadata", [[], [("sluice-on-disconnect", "cancel")]])
def test_others_are_cancelled(pair, metadata):
    with RawH2(pair.grpc) as client:
        begin(pair, client, metadata)
    wait_until(lambda: ended(pair, "CANCELLED") == 1, 5 * SLOW, "the call is cancelled")
    assert pair.metric("sluice_calls_unclaimed_total") == 0


def test_a_reset_cancels_in_any_case(pair):
    with RawH2(pair.grpc) as client:
        begin(pair, client, KEEP)
        client.frame(RST_STREAM, 0, 1, CANCEL)
        wait_until(lambda: ended(pair, "CANCELLED") == 1, 5 * SLOW, "the call is cancelled")


def test_a_drain_waits_for_kept_calls(pair):
    with RawH2(pair.grpc) as client:
        begin(pair, client, KEEP)
    wait_until(lambda: pair.metric("sluice_calls_unclaimed_total") == 1, 5 * SLOW, "it is kept")
    pair.gateway.process.send_signal(signal.SIGTERM)
    assert pair.gateway.process.wait(10 * SLOW) == 0
    assert "drained" in pair.gateway.log()
    assert "drain timed out" not in pair.gateway.log()


def test_any_other_word_is_refused(stub):
    outcome = refusal(
        stub.ModelInfer, identity_request(), metadata=[("sluice-on-disconnect", "maybe")]
    )
    assert outcome.trailers["sluice-reason"] == "BAD_INPUT"
    assert outcome.text == "sluice-on-disconnect 'maybe' is neither cancel nor keep"
