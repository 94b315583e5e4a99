"""sluice sim: every scenario of the tree is played, and what it says can be believed."""

import json
import re
import subprocess
from xml.etree import ElementTree

import pytest
from support.paths import BIN, ROOT
from support.wait import wait_until

SCENARIOS = sorted((ROOT / "scenarios").glob("*.yaml"))


def sim(*args):
    return subprocess.run(
        [BIN / "sluice", "sim", *args], capture_output=True, text=True, timeout=120
    )


def runs(*args):
    told = sim(*args, "--json")
    assert told.returncode == 0, told.stderr
    return json.loads(told.stdout)["runs"]


@pytest.mark.smoke
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda p: p.stem)
def test_a_scenario_is_played(scenario):
    (run,) = runs(scenario, "--calls", "3000")
    assert run["calls"] >= 3000
    assert run["wrong"] is None
    assert sum(t["calls"] for t in run["tiers"].values()) <= run["calls"]
    for tier in run["tiers"].values():
        assert sum(tier["ended"].values()) == tier["calls"]


def test_a_seed_is_a_day():
    first, again, other = (
        runs(SCENARIOS[0], "--calls", "2000", "--seed", seed)[0]["digest"]
        for seed in ("5", "5", "6")
    )
    assert first == again != other


def test_what_if_is_played_beside_it():
    as_it_is, what_if = runs(
        SCENARIOS[0], "--calls", "2000", "--set", "title=x", "--what-if", "seed=5"
    )
    assert (as_it_is["label"], what_if["label"]) == ("as it is", "what if")
    assert (as_it_is["seed"], what_if["seed"]) == (1, 5)
    assert as_it_is["digest"] != what_if["digest"]


def test_policies_are_compared():
    """Where everybody asks for too much: by weight, the highest first, by what came first."""
    fair, strict, fifo = runs(
        ROOT / "scenarios/overload.yaml",
        "--compare",
        "--set",
        "length=90m",
        "--set",
        "measure.until=90m",
    )
    assert [r["label"] for r in (fair, strict, fifo)] == ["fair", "strict", "fifo"]
    shares = {tier: t["share"] for tier, t in fair["tiers"].items()}
    assert shares["anonymous"] == pytest.approx(1 / 21, abs=0.01)
    assert shares["free"] == pytest.approx(4 / 21, abs=0.02)
    assert strict["tiers"]["anonymous"]["share"] < 0.001
    assert fifo["tiers"]["anonymous"]["share"] > 0.01
    for run in (fair, strict):
        assert run["utilisation"] == pytest.approx(fifo["utilisation"], abs=0.02)


def test_a_policy_alone():
    scenario = ROOT / "scenarios/overload.yaml"
    by_policy = {p: runs(scenario, "--policy", p, "--calls", "3000")[0] for p in ("fair", "strict")}
    as_it_is = runs(scenario, "--calls", "3000")[0]
    assert by_policy["fair"]["digest"] == as_it_is["digest"] != by_policy["strict"]["digest"]


def test_a_page_is_whole(tmp_path):
    page = tmp_path / "day.html"
    told = sim(SCENARIOS[0], "--calls", "2000", "--set", "title='<b>&'", "--html", page)
    assert told.returncode == 0, told.stderr
    text = page.read_text()
    plots = re.findall(r"<svg.*?</svg>", text, re.S)
    assert len(plots) >= 5
    for plot in plots:
        ElementTree.fromstring(plot)
    assert "<b>" not in text
    assert "&lt;b&gt;&amp;" in text
    assert not re.search(r"https?:|src=|@import|nan|inf\b", text)


def test_receipts_are_played_again(server, tmp_path):
    """What sluice receipts writes is what sluice sim reads; what others did on this server, too."""
    for _ in range(3):
        subprocess.run(
            [
                BIN / "sluice",
                "infer",
                "--address",
                server.grpc,
                "identity",
                "--input",
                "INPUT0=[[1,2,3,4]]",
            ],
            check=True,
            capture_output=True,
            timeout=30,
        )
    wait_until(lambda: len(json.loads(receipts(server))["receipts"]) >= 3, 10)
    past = receipts(server)
    (tmp_path / "past.json").write_text(past)
    (tmp_path / "fleet.yaml").write_text("fleet: {gpu: {slices: 2}}\n")
    (run,) = runs(tmp_path / "fleet.yaml", "--replay", tmp_path / "past.json")
    assert run["calls"] >= 3
    over = sum(r.get("reason") == "DURATION_EXCEEDED" for r in json.loads(past)["receipts"])
    ended = {"OK": run["calls"] - over, "DURATION_EXCEEDED": over}
    assert run["tiers"]["owner"]["ended"] == {why: n for why, n in ended.items() if n > 0}


def receipts(server):
    told = subprocess.run(
        [BIN / "sluice", "receipts", "--address", server.grpc, "--json"],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert told.returncode == 0, told.stderr
    return told.stdout


def test_what_is_wrong_with_a_scenario_is_told_by_line(tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text(
        "models: {m: {run: 5s}}\nfleet: {g: {}}\nvisitors:\n  a: {tier: gold, cals: 1}\n"
    )
    told = sim(bad)
    assert told.returncode == 2
    assert f"{bad}:4" in told.stderr
    assert "visitors.a.cals" in told.stderr


def test_wrong_usage():
    assert sim().returncode == 2
    assert sim("/nowhere.yaml").returncode == 2
    assert sim(SCENARIOS[0], SCENARIOS[0]).returncode == 2
    assert sim(SCENARIOS[0], "--seed", "x").returncode == 2
    assert sim(SCENARIOS[0], "--set", "seed").returncode == 2
    assert sim(SCENARIOS[0], "--replay", "/nowhere.json").returncode == 2
    assert sim(SCENARIOS[0], "--policy", "unfair").returncode == 2
    assert sim(SCENARIOS[0], "--policy", "fair", "--compare").returncode == 2
    told = sim(SCENARIOS[0], "--what-if", "tiers.pro.weigt=3")
    assert told.returncode == 2
    assert "tiers.pro.weigt=3:1:" in told.stderr
    assert "| `models" in sim("--keys").stdout
