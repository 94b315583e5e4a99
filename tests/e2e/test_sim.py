"""sluice sim: every scenario of the tree is played, and what it says can be believed."""

import json
import subprocess

import pytest
from support.paths import BIN, ROOT

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
    assert "| `models" in sim("--keys").stdout
