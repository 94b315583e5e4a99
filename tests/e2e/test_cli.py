"""The sluice command: each verb for people and, by --json, for programs."""

import json
import re
import subprocess

import numpy as np
import pytest
from support.paths import BIN
from support.receipts import receipts_of
from support.server import Up


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


RECEIPT = re.compile(
    r"^(\d+\.\d{3}) ms charged to (\S+) \(tier (\w+)\); "
    r"(\S.*) left until (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC)$",
    re.M,
)


def test_infer_shows_its_receipt(sluice, server):
    shown = sluice("infer", "identity", "--input", "INPUT0=[[1,2,3,4]]").stdout
    charged, visitor, tier, left, _ = RECEIPT.search(shown).groups()
    assert (visitor, tier) == ("ip:127.0.0.1", "owner")
    assert left == "364d 23h"
    took = re.search(
        r"^queue \d+\.\d{3} ms, execution (\S+) ms, node local, call (\S+)$", shown, re.M
    )
    assert took[1] == charged
    kept = [r for r in receipts_of(server.state / "sluice.db") if r.call_id == took[2]]
    assert [r.charged_us for r in kept] == [round(float(charged) * 1000)]


def test_a_receipt_for_programs(sluice, server):
    receipt = data(sluice("infer", "identity", "--json", "--input", "INPUT0=[[1,2,3,4]]"))[
        "receipt"
    ]
    (kept,) = [
        r for r in receipts_of(server.state / "sluice.db") if r.call_id == receipt["call_id"]
    ]
    assert receipt["visitor"] == kept.accounts[0][0] == "ip:127.0.0.1"
    assert receipt["resets_at_us"] == pytest.approx(kept.accounts[0][1] + 86400e6, abs=1e6)
    assert (receipt["charged_us"], receipt["queue_us"]) == (kept.charged_us, kept.queue_us)
    assert (receipt["exec_us"], receipt["node"]) == (kept.used_us, "local")
    assert receipt["left_us"] > 0


def test_what_did_not_run_says_so(sluice):
    shown = sluice(
        "infer", "identity", "--json", "--duration", "9h", "--input", "INPUT0=[[1,2,3,4]]"
    )
    told = json.loads(shown.stdout)
    assert told["reason"] == "DURATION_TOO_LONG"
    assert (told["receipt"]["charged_us"], told["receipt"]["exec_us"]) == (0, None)


def test_the_same_key_runs_once(sluice):
    ask = ["infer", "identity", "--json", "--idempotency-key", "cli-1", "--keep", "--input"]
    first, again = [data(sluice(*ask, "INPUT0=[[1,2,3,4]]")) for _ in range(2)]
    assert first["receipt"]["call_id"] == again["receipt"]["call_id"]
    assert first["receipt"]["charged_us"] == again["receipt"]["charged_us"]
    assert first["outputs"] == again["outputs"]
    other = sluice(*ask, "INPUT0=[[4,3,2,1]]")
    assert json.loads(other.stdout)["reason"] == "ALREADY_EXISTS"
    twice = sluice("infer", "identity", *["--keep"] * 2, "--input", "INPUT0=[[1,2,3,4]]")
    assert twice.returncode == 2
    assert "sluice-on-disconnect is given twice: keep and keep" in twice.stderr


@pytest.fixture(scope="module")
def poor(few_models, tmp_path_factory, _stubs):
    """A server whose callers have 7 s of GPU time."""
    config = "gateway: {tiers: {poor: {daily: 7s}}, networks: {127.0.0.0/8: poor}}"
    with Up(few_models, tmp_path_factory.mktemp("poor"), config) as up:
        yield up


def test_a_refusal_says_when_to_try_again(sluice, poor):
    ask = ["infer", "identity", "--input", "INPUT0=[[1,2,3,4]]"]
    assert sluice(*ask, address=poor.grpc).returncode == 0
    shown = sluice(*ask, "--duration", "7s", address=poor.grpc)
    assert (shown.returncode, shown.stdout) == (1, "")
    first, again, money = shown.stderr.splitlines()
    assert first.startswith("sluice: You have exceeded your GPU quota (7s requested vs. 6s left).")
    assert first.endswith("(QUOTA_EXCEEDED)")
    wait = r"sluice: try again in 2[34]h \d+m, at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
    assert re.fullmatch(wait, again)
    assert re.fullmatch(
        r"sluice: nothing charged to ip:127.0.0.1 \(tier poor\); 6\.\d{3} s left until .* UTC",
        money,
    )


def test_a_refusal_for_programs(sluice, poor):
    ask = ["infer", "identity", "--json", "--input", "INPUT0=[[1,2,3,4]]"]
    left_us = data(sluice(*ask, address=poor.grpc))["receipt"]["left_us"]
    shown = sluice(*ask, "--duration", "7s", address=poor.grpc)
    assert (shown.returncode, shown.stderr) == (1, "")
    told = json.loads(shown.stdout)
    assert (told["reason"], told["code"]) == ("QUOTA_EXCEEDED", "RESOURCE_EXHAUSTED")
    assert 86000_000 < told["retry_after_ms"] <= 86400_000
    assert (told["receipt"]["charged_us"], told["receipt"]["left_us"]) == (0, left_us)


def test_infer_from_files(sluice, tmp_path):
    values = np.arange(8, dtype=np.float32).reshape(2, 4)
    np.save(tmp_path / "in.npy", values)
    told = data(sluice("infer", "identity", "--json", "--input", f"INPUT0=@{tmp_path / 'in.npy'}"))
    assert told["outputs"][0]["shape"] == [2, 4]
    assert np.ravel(told["outputs"][0]["data"]).tolist() == values.ravel().tolist()


@pytest.mark.parametrize("verb", ["models", "nodes", "status"])
def test_tables_and_json(sluice, server, verb):
    token = ["--token-file", server.state / "admin.token"]
    shown = sluice(verb, *token)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.strip()
    assert data(sluice(verb, "--json", *token))


@pytest.mark.parametrize("verb", ["nodes", "status"])
def test_what_is_for_administrators_says_so(sluice, verb):
    shown = sluice(verb)
    assert shown.returncode == 1
    assert "is for administrators, and ip:127.0.0.1 is none" in shown.stderr


def test_models_are_all_listed(sluice):
    text = json.dumps(data(sluice("models", "--json")))
    for name in ["identity", "pair", "echo_bf16", "scripted"]:
        assert f'"{name}"' in text


def test_the_address_may_come_from_the_environment(server):
    shown = subprocess.run(
        [BIN / "sluice", "models"],
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
