"""The daemons' command lines: --check-config, --print-config, --help; bad files, bad models."""

import os
import re
import subprocess

import grpc
import pytest
from support.calls import identity_request
from support.models import write_fake, write_model
from support.paths import BIN, SLOW
from support.server import READY, Up
from support.stubs import Stub, pb

# Each daemon with the least that its file must say.
DAEMONS = {"sluice-gateway": "{}\n", "sluice-executor": "models: .\n"}


def run(program, *args):
    return subprocess.run([BIN / program, *args], capture_output=True, text=True, timeout=20)


@pytest.mark.smoke
@pytest.mark.parametrize("program", [*DAEMONS, "sluice"])
def test_help_and_version(program):
    shown = run(program, "--help")
    assert shown.returncode == 0
    assert program in shown.stdout
    assert run(program, "--version").returncode == 0


@pytest.mark.parametrize("program", DAEMONS)
def test_print_config_is_accepted_by_check_config(program, tmp_path):
    least = tmp_path / "least.yaml"
    least.write_text(DAEMONS[program])
    printed = run(program, "--config", least, "--print-config")
    assert printed.returncode == 0, printed.stderr
    whole = tmp_path / "whole.yaml"
    whole.write_text(printed.stdout)
    checked = run(program, "--config", whole, "--check-config")
    assert checked.returncode == 0, checked.stderr
    again = run(program, "--config", whole, "--print-config")
    assert again.stdout == printed.stdout


@pytest.mark.parametrize("program", DAEMONS)
def test_all_faults_of_a_file_are_named_at_once_with_their_lines(program, tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text("no_such_key: 1\nnor_this: 2\n")
    checked = run(program, "--config", bad, "--check-config")
    assert checked.returncode != 0
    assert "no_such_key" in checked.stderr
    assert "nor_this" in checked.stderr
    assert "bad.yaml:1" in checked.stderr
    assert "bad.yaml:2" in checked.stderr


@pytest.mark.parametrize("program", DAEMONS)
def test_a_missing_file_and_a_wrong_option(program, tmp_path):
    missing = run(program, "--config", tmp_path / "none.yaml", "--check-config")
    assert missing.returncode != 0
    assert "none.yaml" in missing.stderr
    wrong = run(program, "--no-such-option")
    assert wrong.returncode != 0
    assert "no-such-option" in wrong.stderr


def test_a_bad_model_is_named_and_does_not_stop_the_others(tmp_path, _stubs):
    models = tmp_path / "models"
    write_fake(models, "good")
    write_model(models, "bad", "engine: fake\ninputs: nonsense\n")
    write_model(models, "worse", "engine: no_such_engine\ninputs: []\noutputs: []\n")
    with Up(models, tmp_path) as up:
        up.wait_for_log("bad/model.yaml:2")
        up.wait_for_log("no_such_engine")
        assert up.stub().ModelReady(pb().ModelReadyRequest(name="good"), timeout=10).ready
        nodes = up.admin().ListNodes(pb("sluice.v1").ListNodesRequest(), timeout=10)
        told = " ".join(nodes.nodes[0].problems)
        assert "bad" in told
        assert "worse" in told


def test_two_servers_do_not_disturb_each_other(server, models, tmp_path):
    with Up(models, tmp_path) as other:
        assert other.grpc != server.grpc
        for up in (server, other):
            assert up.stub().ModelInfer(identity_request(), timeout=10).outputs
    assert server.stub().ModelInfer(identity_request(), timeout=10).outputs


def test_a_log_that_nobody_reads_holds_nobody_up(few_models, tmp_path, _stubs):
    """A line for each call is more than a pipe takes; the calls go on, and it is told later."""
    argv = [BIN / "sluice", "up", "--models", few_models, "--state", tmp_path / "state"]
    argv += ["--grpc-port", "0", "--http-port", "0"]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdout=pipe, stderr=pipe) as up:
        try:
            address = READY.match(up.stdout.readline().decode().rstrip("\n")).group(1)
            with grpc.insecure_channel(address) as channel:
                stub = Stub(channel, "inference.GRPCInferenceService")
                for _ in range(500):
                    assert stub.ModelInfer(identity_request(), timeout=20 * SLOW).outputs
                log = os.read(up.stderr.fileno(), 1 << 20)
                assert stub.ModelInfer(identity_request(), timeout=20 * SLOW).outputs
        finally:
            up.terminate()
        log += up.stderr.read()
    assert up.returncode == 0
    kept = log.count(b"call ended")
    assert 0 < kept < 500
    told = re.findall(rb"gateway .*lines were lost.* lines=(\d+)", log)
    assert sum(map(int, told)) >= 501 - kept
