"""Trusted executors: keys, who is let in by them, and who is not."""

import re
import signal
import stat
import subprocess
import time

import grpc
import numpy as np
import pytest
from support.calls import identity_request, request, scripted_request
from support.link import LinkPair, keygen, with_keys
from support.neighbours import Limit
from support.paths import BIN, SLOW, scaled
from support.wait import wait_until


def run_keygen(*args):
    argv = [BIN / "sluice-gateway", "keygen", *args]
    return subprocess.run(argv, capture_output=True, text=True, timeout=20)


RUNNING = 'sluice_calls_in_state{state="running"}'
SERVING = {"gateway": "listening", "executor": "worker ready"}


def answer(stub):
    """A small call's, or None; it waits for the connection."""
    try:
        return stub.ModelInfer(identity_request(), timeout=5, wait_for_ready=True)
    except grpc.RpcError:
        return None


def echo(stub, count=3):
    values = np.arange(count, dtype=np.int64).tobytes()
    reply = stub.ModelInfer(request("echo_int64", [("IN", "INT64", [count], values)]), timeout=30)
    return reply.raw_output_contents[0] == values


class TestKeygen:
    def test_makes_a_public_and_a_secret_file(self, tmp_path):
        done = run_keygen("--out", tmp_path / "gpu1")
        assert done.returncode == 0, done.stderr
        public = (tmp_path / "gpu1.public").read_text()
        secret = (tmp_path / "gpu1.secret").read_text()
        assert re.fullmatch(r"[0-9a-zA-Z.:+=^!/*?&<>()\[\]{}@%$#-]{40}\n", public)
        assert len(secret) == 41
        assert secret != public
        assert stat.S_IMODE((tmp_path / "gpu1.secret").stat().st_mode) == 0o600
        assert public.strip() in done.stdout
        assert secret.strip() not in done.stdout + done.stderr

    def test_writes_over_nothing(self, tmp_path):
        assert run_keygen("--out", tmp_path).returncode == 0
        before = {p: p.read_text() for p in tmp_path.iterdir()}
        assert {p.name for p in before} == {"link.public", "link.secret"}
        again = run_keygen("--out", tmp_path)
        assert again.returncode == 1
        assert "link.secret': File exists" in again.stderr
        assert {p: p.read_text() for p in tmp_path.iterdir()} == before
        (tmp_path / "link.secret").unlink()
        again = run_keygen("--out", tmp_path)
        assert again.returncode == 1
        assert "link.public': File exists" in again.stderr
        assert not (tmp_path / "link.secret").exists(), "half a pair is left"

    def test_a_link_is_not_followed(self, tmp_path):
        (tmp_path / "a.secret").symlink_to(tmp_path / "elsewhere")
        assert run_keygen("--out", tmp_path / "a").returncode == 1
        assert not (tmp_path / "elsewhere").exists()

    def test_wrong_usage(self, tmp_path):
        assert run_keygen("--nonsense").returncode == 2
        assert run_keygen("something").returncode == 2
        assert run_keygen("--out", tmp_path / "no" / "such").returncode == 1
        assert "keygen [--out DIR|FILE]" in run_keygen("--help").stdout


@pytest.mark.parametrize("bulk", ["", "none"])
def test_calls_go_over_an_encrypted_link(models, tmp_path, _stubs, bulk):
    with LinkPair(models, tmp_path, *with_keys(tmp_path, bulk)) as pair:
        pair.start("executor")
        pair.start("gateway")
        stub = pair.wait_ready()
        assert stub.ModelInfer(identity_request(), timeout=10 * SLOW).outputs
        assert echo(stub, 1 << 20)  # 8 MiB, by bulk
        for kind in ("forged", "garbled", "session"):
            assert pair.metric(f'sluice_node_messages_refused_total{{kind="{kind}"}}') == 0
        logs = "".join(p.log() for p in pair.processes.values())
        for name in ("gateway", "n1"):
            assert (tmp_path / f"{name}.secret").read_text().strip() not in logs


def test_a_key_that_is_not_listed_stays_outside_until_it_is(models, tmp_path, _stubs):
    gateway, executor = with_keys(tmp_path)
    stranger = keygen(tmp_path, "stranger")
    mine = (tmp_path / "n1.public").read_text().strip()
    with LinkPair(models, tmp_path, gateway.replace(mine, stranger), executor) as pair:
        daemon = pair.start("gateway")
        pair.start("executor").wait_for_log("public key is not in its link.allow", 10 * SLOW)
        daemon.wait_for_log("its key is not in link.allow")
        assert pair.metric('sluice_nodes_refused_total{why="key"}') >= 1
        assert pair.metric("sluice_nodes") == 0
        assert mine not in daemon.log()
        pair.write_gateway(gateway)
        daemon.signal(signal.SIGHUP)
        stub = pair.wait_ready(15 * SLOW)
        assert stub.ModelInfer(identity_request(), timeout=10 * SLOW).outputs

        pair.write_gateway(gateway.replace(mine, stranger))
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_log("its key is no longer in link.allow", 10 * SLOW)
        wait_until(lambda: pair.metric("sluice_nodes") == 0, 10 * SLOW, "the node is gone")
        pair.write_gateway(gateway.replace(mine, str(tmp_path / "nowhere")))
        daemon.signal(signal.SIGHUP)  # a list that cannot be read changes nothing
        daemon.wait_for_log("link.allow not changed", 10 * SLOW)


def test_a_node_has_the_name_that_its_key_has(models, tmp_path, _stubs):
    gateway, executor = with_keys(tmp_path)
    with LinkPair(models, tmp_path, gateway, executor) as pair:
        pair.write_executor("executor", "n2", executor)
        daemon = pair.start("gateway")
        pair.start("executor").wait_for_log("calls itself 'n2', but its key is that of 'n1'", 20)
        daemon.wait_for_log("node refused node=n2")
        assert pair.metric('sluice_nodes_refused_total{why="name"}') >= 1
        assert pair.metric("sluice_nodes") == 0


@pytest.mark.parametrize("wrong", ["gateway key", "plain executor", "plain gateway", "bulk"])
def test_ends_that_do_not_agree_say_so(models, tmp_path, _stubs, wrong):
    gateway, executor = with_keys(tmp_path)
    if wrong == "gateway key":
        right = (tmp_path / "gateway.public").read_text().strip()
        executor = executor.replace(right, keygen(tmp_path, "other"))
    if wrong == "bulk":
        executor += ", bulk_security: none"
    if wrong == "plain executor":
        executor = ""
    if wrong == "plain gateway":
        gateway = ""
    with LinkPair(models, tmp_path, gateway, executor) as pair:
        pair.start("gateway")
        node = pair.start("executor")
        wait_until(
            lambda: node.log_contains("handshake failed") or node.log_contains("does not answer"),
            15 * SLOW,
            f"a sentence in {node.log_path}",
        )
        assert pair.metric("sluice_nodes") == 0 or wrong == "bulk"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_secret_that_others_can_read_is_refused(models, tmp_path, _stubs, mode):
    gateway, executor = with_keys(tmp_path)
    pair = LinkPair(models, tmp_path, gateway, executor)
    for name, key in (("gateway", "gateway"), ("executor", "n1")):
        (tmp_path / f"{key}.secret").chmod(mode)
        argv = [BIN / f"sluice-{name}", "--config", pair.folder / f"{name}.yaml"]
        for more, code in (([], 1), (["--check-config"], 2)):
            done = subprocess.run([*argv, *more], capture_output=True, text=True, timeout=20)
            assert done.returncode == code
            assert f"{key}.secret" in done.stderr
            assert "must have mode 0600" in done.stderr


@pytest.mark.parametrize("name", ["gateway", "executor"])
def test_after_a_kill_it_serves_again_within_two_seconds(models, tmp_path, _stubs, name):
    """The other end drops what nobody waits for; the newcomer's session takes the place at once."""
    with LinkPair(models, tmp_path, *with_keys(tmp_path)) as pair:
        pair.start("gateway")
        pair.start("executor")
        stub = pair.wait_ready()
        for i in range(scaled(20, at_least=2)):
            abandoned = [
                stub.ModelInfer.future(scripted_request(run="5s"), timeout=30) for _ in range(3)
            ]
            # On both slices: the one that had not started will have one of them for 5 s again.
            wait_until(lambda: pair.metric(RUNNING) == 2, 10 * SLOW, "two calls run")
            pair.processes[name].kill()
            pair.processes[name].stop()
            pair.start(name, log=f"{name}{i}").wait_for_log(SERVING[name], 10 * SLOW)
            limit, started = Limit(2), time.monotonic()
            stub = pair.stub()
            wait_until(lambda s=stub: answer(s), 10 * SLOW, "an answer")
            limit.check(time.monotonic() - started, f"{name} killed: served after it was there")
            for call in abandoned:  # an error, or an answer to one that had not started
                call.exception(timeout=20 * SLOW)
        assert pair.metric('sluice_nodes_refused_total{why="name"}') == 0


def test_off_this_machine_a_key_is_needed(tmp_path):
    path = tmp_path / "gateway.yaml"
    path.write_text("link: {control: 'tcp://0.0.0.0:5571'}\n")
    argv = [BIN / "sluice-gateway", "--config", path, "--check-config"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20)
    assert done.returncode == 2
    assert "needs link.secret_key (made by 'sluice-gateway keygen')" in done.stderr
