"""How long a call may take that does not say: models whose duration is an expression, or auto.

What a call declared is in its receipt.
"""

import json
import signal
import subprocess

import pytest
from support.calls import refusal, scripted_request
from support.cluster import Cluster
from support.models import write_fake
from support.paths import BIN, SLOW
from support.receipts import receipts_of
from support.wait import wait_until

EXPRESSION = "2 + inputs.IN.shape[1] * parameters.steps / 10"


@pytest.fixture
def cluster(tmp_path_factory, tmp_path, _stubs):
    models = tmp_path_factory.mktemp("timed")
    write_fake(models, "scripted", result="copy")
    write_fake(models, "expressed", duration=EXPRESSION)
    write_fake(models, "broken", duration="2 +* 3")
    write_fake(models, "learning", duration="auto")
    gateway = f"store: {{path: '{tmp_path}/sluice.db'}}\n"
    with Cluster(models, tmp_path, slices=1, gateway=gateway) as cluster:
        yield cluster


def sluice(cluster, *args):
    """What the command prints, asked as the administrator."""
    token = cluster.folder / "gateway.state/admin.token"
    ask = [BIN / "sluice", *args, "--address", cluster.grpc, "--token-file", token]
    done = subprocess.run(ask, capture_output=True, text=True, timeout=30 * SLOW)
    assert done.returncode == 0, done.stderr
    return done.stdout


def call(cluster, model, steps=None, duration=None, **script):
    """What the call declared, in seconds."""
    message = scripted_request(model, **script)
    if steps is not None:
        message.parameters["steps"].int64_param = steps
    metadata = [("sluice-duration", duration)] if duration else []
    _, done = cluster.stub().ModelInfer.with_call(message, timeout=20 * SLOW, metadata=metadata)
    call_id = dict(done.trailing_metadata())["sluice-call-id"]
    receipts = {r.call_id: r for r in receipts_of(cluster.folder / "sluice.db")}
    return receipts[call_id].declared_us / 1e6


def test_an_expression_sees_inputs_and_parameters(cluster):
    assert call(cluster, "expressed", steps=15) == 5  # the input has 2 elements
    assert call(cluster, "expressed", steps=-5) == 1
    assert call(cluster, "expressed", duration="7s") == 7


def test_what_an_expression_cannot_tell_is_refused_with_its_line(cluster):
    stub = cluster.stub()
    outcome = refusal(stub.ModelInfer, scripted_request("expressed"))
    assert outcome.trailers["sluice-reason"] == "BAD_INPUT"
    assert "'expressed' (line 1)" in outcome.text
    assert "'steps'" in outcome.text
    message = scripted_request("expressed")
    message.parameters["steps"].int64_param = 1000
    outcome = refusal(stub.ModelInfer, message)
    assert outcome.trailers["sluice-reason"] == "DURATION_TOO_LONG"
    assert "comes to 202s" in outcome.text
    assert "at most 30s" in outcome.text


def test_an_expression_that_is_none_is_the_models_problem(cluster):
    problems = json.loads(sluice(cluster, "nodes", "--json"))["nodes"][0]["problems"]
    assert problems == ["broken: duration, line 1: unexpected symbol near '*'"]
    outcome = refusal(cluster.stub().ModelInfer, scripted_request("broken"))
    assert outcome.trailers["sluice-reason"] == "MODEL_NOT_FOUND"


def test_models_are_listed_with_their_durations(cluster):
    models = json.loads(sluice(cluster, "models", "--json"))["models"]
    told = {m["name"]: m["duration"] for m in models}
    assert told == {"scripted": "30s", "expressed": EXPRESSION, "learning": "auto"}
    assert EXPRESSION[:37] + "..." in sluice(cluster, "models")


def test_auto_is_the_models_default_until_it_has_learned(cluster):
    assert [call(cluster, "learning", run="5ms") for _ in range(5)] == [30] * 5
    assert call(cluster, "learning", run="5ms") == 1


def test_a_gateway_that_was_killed_still_knows_what_it_had_learned(cluster):
    for _ in range(5):
        call(cluster, "learning", run="5ms")
    cluster.daemons["gateway"].kill()
    cluster.restart("gateway")
    wait_until(cluster.is_whole, 20 * SLOW, "the gateway and its executor")
    assert call(cluster, "learning", run="5ms") == 1


def test_a_gateway_that_was_stopped_forgets_nothing(cluster):
    for _ in range(3):
        assert call(cluster, "learning", run="5ms") == 30
    cluster.daemons["gateway"].signal(signal.SIGTERM)
    assert cluster.restart("gateway") == 0
    wait_until(cluster.is_whole, 20 * SLOW, "the gateway and its executor")
    for _ in range(2):
        assert call(cluster, "learning", run="5ms") == 30
    assert call(cluster, "learning", run="5ms") == 1


def test_calls_that_get_longer_are_caught_up_with(cluster):
    for _ in range(5):
        call(cluster, "learning", run="5ms")
    message = scripted_request("learning", run="1500ms")
    outcome = refusal(cluster.stub().ModelInfer, message)
    assert outcome.trailers["sluice-reason"] == "DURATION_EXCEEDED"
    assert call(cluster, "learning", run="1500ms") > 2
