"""sluice result: what a call brought that was made before, for whom it is and when it is there."""

import json
import os
import subprocess
import uuid

import numpy as np
import pytest
from support.calls import scripted_request
from support.paths import BIN, SLOW
from support.server import Up
from support.stubs import pb
from support.wait import wait_until

ASK = ["infer", "identity", "--json", "--keep", "--input", "INPUT0=[[1,2,3,4]]"]


@pytest.fixture(scope="module")
def up(few_models, tmp_path_factory, _stubs):
    folder = tmp_path_factory.mktemp("results")
    with Up(few_models, folder) as up:
        (folder / "sluice").symlink_to(up.state)
        up.home = folder
        yield up


@pytest.fixture
def run(up):
    def run(*args, token=None):
        env = {**os.environ, "SLUICE_ADDRESS": up.grpc, "XDG_STATE_HOME": str(up.home)}
        if token is not None:
            env["SLUICE_TOKEN"] = token
        return subprocess.run(
            [BIN / "sluice", *map(str, args)],
            env=env,
            capture_output=True,
            text=True,
            timeout=30 * SLOW,
        )

    return run


@pytest.fixture
def data(run):
    def data(*args, **kwargs):
        ran = run(*args, **kwargs)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return json.loads(ran.stdout)

    return data


@pytest.fixture
def member(data):
    return lambda user: data("token", "create", "--user", user, "--tier", "pro", "--json")["secret"]


def test_a_result_is_fetched_by_who_paid(run, data, member, tmp_path):
    token = member("alice")
    made = data(*ASK, token=token)
    call = made["receipt"]["call_id"]
    told = data("result", call, "--json", token=token)
    assert told["outputs"] == made["outputs"]
    assert told["receipt"]["charged_us"] == made["receipt"]["charged_us"]
    path = tmp_path / "out.npy"
    shown = run("result", call, "--output", f"OUTPUT0=@{path}", token=token)
    assert shown.returncode == 0
    assert shown.stdout.splitlines()[0] == "OUTPUT0 FP32 [1,4]: 1 2 3 4"
    assert np.load(path).tolist() == [[1, 2, 3, 4]]
    wrong = run("result", call, "--output", f"NONE=@{path}", token=token)
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert f"there is no output NONE to write to @{path}" in wrong.stderr
    for other in (member("bob"), None):
        refused = run("result", call, token=other)
        assert (refused.returncode, refused.stdout) == (1, "")
        unknown = run("result", uuid.uuid4(), token=other)
        assert refused.stderr.replace(call, "") == unknown.stderr.replace(
            unknown.args[-1], ""
        )  # nobody learns of calls that are not his


def test_who_has_no_token_has_one_for_fetching(run, data, tmp_path):
    made = data(*ASK)
    call, secret = made["receipt"]["call_id"], made["metadata"]["sluice-fetch-token"]
    path = tmp_path / "fetch"
    path.write_text(secret + "\n")
    told = data("result", call, "--json", "--fetch-token-file", path)
    assert told["outputs"] == made["outputs"]
    assert run("result", call).returncode == 1
    path.write_text(secret[::-1] + "\n")
    assert run("result", call, "--fetch-token-file", path).returncode == 1


def test_a_result_is_waited_for(up, run, data, member):
    token, call = member("carol"), str(uuid.uuid4())
    sent = [
        ("authorization", f"Bearer {token}"),
        ("sluice-call-id", call),
        ("sluice-on-disconnect", "keep"),
    ]
    future = up.stub().ModelInfer.future(scripted_request(run="2s"), metadata=sent)
    status = pb("sluice.v1").GetStatusRequest
    wait_until(lambda: up.admin().GetStatus(status()).calls_running == 1, 20 * SLOW, "the call")
    early = run("result", call, "--wait", "200ms", token=token)
    assert (early.returncode, early.stdout) == (1, "")
    assert f"the call {call} has not ended: ask again, or --wait longer" in early.stderr
    told = data("result", call, "--json", "--wait", "20s", token=token)
    assert told["outputs"][0]["data"] == [1.0, 2.0]
    assert told["receipt"]["charged_us"] >= 2_000_000
    assert future.result().outputs


@pytest.mark.parametrize(
    ("code", "args", "sentence"),
    [
        (2, [], "sluice result needs CALL"),
        (1, ["not-a-uuid"], "not-a-uuid"),
        (1, ["x" * 65], "the call's id and the token for fetching have at most 64 bytes"),
        (2, ["x", "--wait", "soon"], "--wait is soon; write 30s, 500ms"),
        (2, ["x", "--output", "OUTPUT0"], "--output OUTPUT0: write NAME=VALUE"),
        (2, ["x", "--fetch-token-file", "/no/such"], "--fetch-token-file /no/such: No such file"),
    ],
)
def test_what_makes_no_sense(run, code, args, sentence):
    ran = run("result", *args)
    assert (ran.returncode, ran.stdout) == (code, "")
    assert sentence in ran.stderr
