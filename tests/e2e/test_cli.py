"""The sluice command: each verb for people and, by --json, for programs."""

import json
import subprocess

import numpy as np
import pytest
from support.paths import BIN


@pytest.fixture
def sluice(server):
    def run(*args, address=server.grpc):
        return subprocess.run(
            [BIN / "sluice", args[0], "--address", address, *args[1:]],
            capture_output=True,
            text=True,
            timeout=30,
        )

    return run


def data(result):
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.smoke
def test_infer(sluice):
    shown = sluice("infer", "identity", "--input", "INPUT0=[[1,2,3,4]]")
    assert shown.returncode == 0, shown.stderr
    assert "OUTPUT0" in shown.stdout


def test_infer_json(sluice):
    told = data(sluice("infer", "identity", "--json", "--input", "INPUT0=[[1,2,3,4.5]]"))
    assert told["outputs"][0]["name"] == "OUTPUT0"
    assert np.ravel(told["outputs"][0]["data"]).tolist() == [1, 2, 3, 4.5]


def test_infer_from_files(sluice, tmp_path):
    values = np.arange(8, dtype=np.float32).reshape(2, 4)
    np.save(tmp_path / "in.npy", values)
    told = data(sluice("infer", "identity", "--json", "--input", f"INPUT0=@{tmp_path / 'in.npy'}"))
    assert told["outputs"][0]["shape"] == [2, 4]
    assert np.ravel(told["outputs"][0]["data"]).tolist() == values.ravel().tolist()


@pytest.mark.parametrize("verb", ["models", "nodes", "status"])
def test_tables_and_json(sluice, verb):
    shown = sluice(verb)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.strip()
    assert data(sluice(verb, "--json"))


def test_models_are_all_listed(sluice):
    text = json.dumps(data(sluice("models", "--json")))
    for name in ["identity", "pair", "echo_bf16", "scripted"]:
        assert f'"{name}"' in text


def test_the_address_may_come_from_the_environment(server):
    shown = subprocess.run(
        [BIN / "sluice", "status"],
        env={"SLUICE_ADDRESS": server.grpc},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert shown.returncode == 0, shown.stderr


@pytest.mark.parametrize(
    ("args", "parts"),
    [
        (["infer", "nosuch", "--input", "A=1"], ["nosuch"]),
        (["infer", "identity", "--input", "INPUT0=[[1,2,3]]"], ["INPUT0", "4"]),
        (["infer", "identity", "--input", "WRONG=[[1,2,3,4]]"], ["WRONG"]),
        (["infer", "identity", "--input", "INPUT0=[[1,2,3"], ["INPUT0"]),
        (["infer", "identity", "--input", "INPUT0=@/no/such/file"], ["/no/such/file"]),
        (["infer"], ["infer"]),
    ],
)
def test_mistakes_get_a_sentence(sluice, args, parts):
    shown = sluice(*args)
    assert shown.returncode != 0
    for part in parts:
        assert part in shown.stderr


def test_nobody_there(sluice):
    shown = sluice("status", address="127.0.0.1:1")
    assert shown.returncode != 0
    assert "127.0.0.1:1" in shown.stderr


def test_an_unknown_verb(server):
    shown = subprocess.run([BIN / "sluice", "frobnicate"], capture_output=True, text=True)
    assert shown.returncode != 0
    assert "frobnicate" in shown.stderr
