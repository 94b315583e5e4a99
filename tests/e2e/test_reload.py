"""SIGHUP: every key either takes effect or is named as one that needs a restart."""

import re
import signal
import subprocess

import grpc
import numpy as np
import pytest
import yaml
from support.calls import identity_request, refusal, request, scripted_request
from support.pair import Pair
from support.paths import BIN, SLOW
from support.wait import wait_until

ROW = re.compile(r"^\| `([\w.]+)` \| (.*?) \| (.*?) \| (yes|no) \|", re.M)
READ_AGAIN = "configuration read again"


@pytest.fixture
def pair(models, tmp_path, _stubs):
    with Pair(models, tmp_path) as pair:
        yield pair


# These only go together, or name sockets and directories that are in use.
LEFT_OUT = re.compile(
    r"tls\.|models$|link\.(control|bulk|security|bulk_security|secret_key|gateway_public_key"
    r"|shared_memory|allow(\..*)?)$"
)


def keys(program):
    """(name, type, default, reloadable)."""
    page = subprocess.run(
        [BIN / program, "--config-reference"], capture_output=True, text=True, check=True
    ).stdout
    rows = [row.groups() for row in ROW.finditer(page)]
    assert len(rows) > 15
    lists = ("a list", "a section of")  # with their items, whose names are NAME or end in []
    scalars = [row for row in rows if not row[1].startswith(lists) and "NAME" not in row[0]]
    return [row for row in scalars if "[]" not in row[0] and not LEFT_OUT.match(row[0])]


def candidates(kind, default):
    """Values of its kind; one of them is good and not the default, whatever else must agree."""
    value = default.strip("`")
    if kind.startswith("one of "):
        return [choice for choice in kind.removeprefix("one of ").split(", ") if choice != value]
    if kind == "true or false":
        return ["false" if value == "true" else "true"]
    if kind.startswith("a whole number"):
        return [str(int(value) + 1), str(int(value) - 1)]
    if kind.startswith("a duration"):
        return ["1001ms", "900s", "3ms", "7us", "20d"]
    if kind.startswith("a size"):
        return ["4MiB", "12KiB", "128MiB", "3GiB"]
    return ["another", "127.0.0.1:1", "/bin/true", "team"]


def is_good(program, config):
    checked = subprocess.run(
        [BIN / program, "--config", config, "--check-config"], capture_output=True, timeout=20
    )
    return checked.returncode == 0


def reload(process):
    """Sends SIGHUP and returns what was logged for it."""
    before = process.log()
    process.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "configuration" in process.log()[len(before) :], 10 * SLOW, "an answer")
    wait_until(lambda: process.log().endswith("\n"), 10 * SLOW, "whole lines")
    lines = process.log()[len(before) :]
    assert READ_AGAIN in lines, lines
    return lines


def with_key(base, name, value):
    values = yaml.safe_load(base)
    *sections, last = name.split(".")
    at = values
    for section in sections:
        at = at.setdefault(section, {})
    at[last] = yaml.safe_load(value)
    return yaml.safe_dump(values)


def lines_about(process, program, config, base, row):
    """What is logged when this key alone gets another value."""
    name, kind, default, _ = row
    for value in candidates(kind, default):
        config.write_text(with_key(base, name, value))
        if value == default.strip("`") or not is_good(program, config):
            continue
        logged = reload(process).splitlines()
        about = [line for line in logged if re.search(rf"key={name}\b", line)]
        if about:
            return about
    raise AssertionError(f"none of {candidates(kind, default)} changes {name}")


@pytest.mark.parametrize("program", ["sluice-gateway", "sluice-executor"])
def test_every_key_takes_effect_or_needs_a_restart(pair, program):
    process = pair.gateway if program == "sluice-gateway" else pair.executor
    config = pair.folder / f"{program.removeprefix('sluice-')}.yaml"
    base = config.read_text()
    for row in keys(program):
        name, _, _, reloadable = row
        about = lines_about(process, program, config, base, row)
        assert len(about) == 1, (name, about)
        assert ("restart" in about[0]) == (reloadable == "no"), about
    config.write_text(base)
    reload(process)


def write_limits(pair, text):
    pair.write_config(text)
    reload(pair.gateway)


def stub(pair):
    return pair.stub(grpc.insecure_channel(pair.grpc, [("grpc.use_local_subchannel_pool", 1)]))


def test_limits_hold_after_it_and_no_call_is_lost(pair):
    before = stub(pair)
    running = [before.ModelInfer.future(scripted_request(run="2s"), timeout=20) for _ in range(2)]
    wait_until(lambda: pair.metric('sluice_calls_in_state{state="running"}') == 2, 5 * SLOW)
    write_limits(pair, "limits: {message: 64KiB, queue: 1}\ncalls: {max_wait: 200ms}\n")

    raw = np.zeros(100_000, dtype=np.int64).tobytes()
    large = request("echo_int64", [("IN", "INT64", [100_000], raw)])
    outcome = refusal(stub(pair).ModelInfer, large)
    assert outcome.trailers["sluice-reason"] == "TOO_LARGE"
    assert "65536" in outcome.text

    waits = before.ModelInfer.future(scripted_request(), timeout=20)
    wait_until(lambda: pair.metric('sluice_calls_in_state{state="queued"}') == 1, 5 * SLOW)
    assert refusal(before.ModelInfer, scripted_request()).trailers["sluice-reason"] == "QUEUE_FULL"
    assert "timed out after 200ms" in waits.exception().details()

    for call in running:
        assert call.result().outputs
    write_limits(pair, "limits: {idle: 100ms}\n")
    wait_until(
        lambda: pair.metric('sluice_connection_timeouts_total{kind="idle"}') >= 1,
        10 * SLOW,
        "the idle connection ends",
    )
    assert stub(pair).ModelInfer(identity_request(), timeout=10).outputs


def sign_in_config(url):
    return (
        "trusted_proxies: [127.0.0.0/8]\ntiers: {anonymous: {daily: 12s, in_flight: 9}}\n"
        f"anonymous: {{sign_in_url: '{url}'}}\n"
    )


def test_who_is_short_of_time_is_told_the_new_place_to_sign_in(pair):
    asks = [("x-forwarded-for", "203.0.113.20"), ("sluice-duration", "8s")]
    infer = stub(pair).ModelInfer
    write_limits(pair, sign_in_config("https://first.test/"))
    running = infer.future(scripted_request(run="7s"), metadata=asks, timeout=20 * SLOW)
    wait_until(lambda: pair.metric('sluice_calls_in_state{state="running"}') == 1, 5 * SLOW)
    assert (
        "sign in at https://first.test/ " in refusal(infer, scripted_request(), metadata=asks).text
    )
    write_limits(pair, sign_in_config("https://second.test/"))
    assert (
        "sign in at https://second.test/ " in refusal(infer, scripted_request(), metadata=asks).text
    )
    running.cancel()
