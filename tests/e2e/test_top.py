"""sluice status and sluice top on real processes: they show what runs, as a terminal has room."""

import contextlib
import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import termios
import time

import grpc
import pytest
from support.calls import scripted_request
from support.cluster import Cluster
from support.paths import BIN, SLOW
from support.stubs import Stub, pb
from support.wait import wait_until

CONFIG = """
trusted_proxies: [127.0.0.0/8]
tiers: {idle: {daily: 1s, when_idle: run}}
networks: {127.0.0.0/8: owner, 10.1.0.0/16: idle, 10.3.0.0/16: pro}
"""
IDLE, PRO = "10.1.0.1", "10.3.0.1"


@pytest.fixture(scope="module")
def cluster(few_models, tmp_path_factory, _stubs):
    folder = tmp_path_factory.mktemp("top")
    with Cluster(few_models, folder, executors=2, slices=1, gateway=CONFIG) as cluster:
        yield cluster


@pytest.fixture
def argv(cluster):
    token = cluster.folder / "gateway.state/admin.token"
    return lambda *args: [BIN / "sluice", *args, "--token-file", token, "--address", cluster.grpc]


@pytest.fixture
def good(argv):
    """What it prints when all is well."""

    def good(*args):
        ran = subprocess.run(argv(*args), check=True, capture_output=True, text=True, timeout=60)
        assert ran.stderr == ""
        return ran.stdout

    return good


def begin(cluster, visitor, run, duration="20s"):
    sent = [("x-forwarded-for", visitor), ("sluice-duration", duration)]
    return cluster.stub().ModelInfer.future(scripted_request(run=run), timeout=60, metadata=sent)


@pytest.fixture
def busy(cluster):
    """Both slices run a call of a pro visitor, and a third one of his waits."""
    calls = [begin(cluster, PRO, "30s") for _ in range(3)]
    try:
        wait_until(
            lambda: (cluster.status().calls_running, cluster.status().calls_queued) == (2, 1),
            20 * SLOW,
            "two run and one waits",
        )
        yield calls
    finally:
        for call in calls:
            call.cancel()
        wait_until(lambda: cluster.status().slices_busy == 0, 20 * SLOW, "all is idle")


def line_of(lines, tier):
    (line,) = [line for line in lines if line["tier"] == tier]
    return line


def test_what_runs_is_shown(busy, good):
    top = json.loads(good("top", "--json"))
    assert [s["use"] for s in top["slices"]] == ["RUNNING", "RUNNING"]
    assert {s["node"] for s in top["slices"]} == {"n1", "n2"}
    for used in top["slices"]:
        assert (used["model"], used["tier"], used["visitor"]) == ("scripted", "pro", f"ip:{PRO}")
        assert used["limit_us"] == 20_000_000
        assert 0 < used["run_us"] < 20_000_000
    (visitor,) = top["visitors"]
    assert (visitor["account"], visitor["calls"]) == (f"ip:{PRO}", 3)
    assert visitor["held_us"] == 60_000_000
    line = line_of(top["status"]["lines"], "pro")
    assert (line["waiting"], line["placed"]) == (1, 2)
    assert line["longest_wait_us"] > 0
    assert 0 < line["newest_eta_p50_us"] <= line["newest_eta_p90_us"]
    shown = good("top", "--once")
    assert shown.count("running") == 3  # of them one in the line of numbers
    assert f"ip:{PRO}" in shown


def test_status_tells_the_same(busy, good):
    status = json.loads(good("status", "--json"))
    assert (status["slices"], status["slices_busy"], status["nodes_drained"]) == (2, 2, 0)
    line = line_of(status["queue"], "pro")
    assert (line["waiting"], line["placed"], line["weight"]) == (1, 2, 16)
    assert status["calls"]["running"] == 2
    assert abs(time.time() - status["started_at_us"] / 1e6 - status["uptime_ms"] / 1e3) < 5
    shown = good("status")
    assert "2 of 2 busy, 0 idle" in shown
    assert "pro" in shown


def test_today_is_what_was_used(cluster, good):
    before = json.loads(good("status", "--json"))["today"]
    begin(cluster, PRO, "100ms").result()
    wait_until(
        lambda: json.loads(good("status", "--json"))["today"]["charged_us"] > before["charged_us"],
        10 * SLOW,
        "it is counted",
    )
    after = json.loads(good("status", "--json"))["today"]
    assert after["used_us"] - before["used_us"] == after["charged_us"] - before["charged_us"]
    assert after["used_us"] - before["used_us"] >= 100_000


def test_background_calls_are_told_apart(cluster, good):
    call = begin(cluster, IDLE, "30s")
    wait_until(lambda: cluster.status().calls_running == 1, 20 * SLOW, "it runs")
    top = json.loads(good("top", "--json"))
    assert [s["background"] for s in top["slices"]] == [True, False]
    assert top["status"]["slices_background"] == 1
    assert "(background)" in good("status")
    call.cancel()
    wait_until(lambda: cluster.status().slices_busy == 0, 20 * SLOW, "all is idle")


def test_it_is_for_administrators(cluster):
    stranger = Stub(cluster.channel(), "sluice.v1.Admin")
    with pytest.raises(grpc.RpcError) as caught:
        stranger.GetTop(pb("sluice.v1").GetTopRequest(), timeout=10 * SLOW)
    assert caught.value.code() == grpc.StatusCode.PERMISSION_DENIED


def test_pictures_follow_each_other_without_a_terminal(argv):
    with subprocess.Popen(
        argv("top", "--interval", "100ms"), stdout=subprocess.PIPE, text=True
    ) as top:
        pictures = 0
        while pictures < 3:
            pictures += top.stdout.readline().startswith("sluice ")
        top.kill()


class Screen:
    """The command on a terminal of so many lines and columns."""

    def __init__(self, argv, rows, columns):
        self.fd, theirs = pty.openpty()
        self._resize(theirs, rows, columns)
        self.before = termios.tcgetattr(theirs)
        self.process = subprocess.Popen(
            argv, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        )
        self.theirs = theirs
        self.text = ""

    @staticmethod
    def _resize(fd, rows, columns):
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, rows, columns):
        self._resize(self.fd, rows, columns)
        self.process.send_signal(signal.SIGWINCH)

    def wait_for(self, what):
        """What came before that, which is taken, too."""
        os.set_blocking(self.fd, False)

        def came():
            with contextlib.suppress(BlockingIOError):
                self.text += os.read(self.fd, 65536).decode()
            return what in self.text

        wait_until(came, 20 * SLOW, repr(what))
        got, self.text = self.text.split(what, 1)
        return got

    def next_picture(self):
        return self.wait_for("\033[J").split("\033[H")[-1]

    def end(self):
        """Its exit code; the terminal is as it was."""
        code = self.process.wait(10 * SLOW)
        assert termios.tcgetattr(self.theirs) == self.before
        os.close(self.theirs)
        os.close(self.fd)
        return code


def fits(picture, rows, columns):
    lines = picture.replace("\033[K", "").split("\r\n")
    return len(lines) <= rows and all(len(line) <= columns for line in lines)


def test_a_terminal_of_any_size_is_given_back(argv, busy):
    screen = Screen(argv("top", "--interval", "100ms"), 24, 80)
    picture = screen.next_picture()
    assert "VISITOR" in picture
    assert fits(picture, 24, 80)
    screen.resize(5, 20)
    wait_until(lambda: fits(screen.next_picture(), 5, 20), 20 * SLOW, "a small picture")
    os.write(screen.fd, b"q")
    screen.wait_for("\033[?1049l")
    assert screen.end() == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, -15)])
def test_signals_give_it_back_too(argv, number, code):
    screen = Screen(argv("top"), 24, 80)
    screen.wait_for("\033[J")
    screen.process.send_signal(number)
    screen.wait_for("\033[?1049l")
    assert screen.end() == code


def test_a_gateway_that_is_gone_is_told(argv):
    ran = subprocess.run(
        [*argv("top", "--once")[:-1], "127.0.0.1:1"], check=False, capture_output=True, timeout=60
    )
    assert ran.returncode == 3
    ran = subprocess.run(argv("top", "--interval", "1ms"), check=False, capture_output=True)
    assert ran.returncode == 2
    assert b"100ms to 1h are possible" in ran.stderr
