"""sluice call, sluice cancel, and what sluice infer shows at a terminal while it waits."""

import json
import os
import pty
import subprocess
import uuid

import pytest
from support.calls import scripted_request
from support.paths import BIN, SLOW
from support.stubs import pb
from support.wait import wait_until

RUNNING, QUEUED = 4, 2


@pytest.fixture
def sluice(server):
    def run(*args):
        return subprocess.run(
            [BIN / "sluice", args[0], "--address", server.grpc, *args[1:]],
            capture_output=True,
            text=True,
            timeout=60 * SLOW,
        )

    return run


@pytest.fixture
def begin(server, stub):
    """Begins a call that is then RUNNING or QUEUED; gives its id and its future."""
    visitor = server.visitor()

    def begin(run, state):
        call_id = str(uuid.uuid4())
        metadata = [("sluice-call-id", call_id)]
        future = stub.ModelInfer.future(scripted_request(run=run), metadata=metadata, timeout=60)

        def is_there():
            call = visitor.GetCall.future(pb("sluice.v1").GetCallRequest(call_id=call_id))
            return call.exception() is None and call.result().state == state

        wait_until(is_there, 10 * SLOW, f"state {state}")
        return call_id, future

    return begin


def test_call_tells_what_has_become_of_it(sluice, begin):
    first, first_future = begin("1s", RUNNING)
    second, second_future = begin("500ms", QUEUED)
    shown = sluice("call", first).stdout
    assert shown.startswith("running on local for ")
    assert "at most 30.0s; waited " in shown
    assert sluice("call", second).stdout.startswith("1 of 1 in the queue; starts in about ")
    told = json.loads(sluice("call", second, "--json").stdout)
    assert (told["state"], told["position"], told["waiting"]) == ("STATE_QUEUED", 1, 1)
    lines = sluice("call", second, "--watch").stdout.splitlines()
    assert lines[0].startswith("1 of 1 in the queue")
    assert lines[-2].startswith("running on local for ")
    assert lines[-1].startswith("ended with OK on local; waited ")
    assert first_future.exception() is None
    assert second_future.exception() is None
    assert sluice("call", first).stdout.startswith("ended with OK on local; waited ")


def test_cancel_ends_it(sluice, begin):
    first, future = begin("20s", RUNNING)
    shown = sluice("cancel", first)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith("ended with CANCELLED on local; ")
    assert "charged; the call was cancelled by CancelCall" in shown.stdout
    assert future.exception().details() == "the call was cancelled by CancelCall"


def test_a_call_that_is_not_there(sluice):
    for verb in ["call", "cancel"]:
        shown = sluice(verb, "00000000-0000-4000-8000-000000000000")
        assert shown.returncode == 1
        assert "has no call 00000000-0000-4000-8000-000000000000" in shown.stderr
    shown = sluice("call", "00000000-0000-4000-8000-000000000000", "--watch")
    assert (shown.returncode, shown.stdout) == (1, "")
    assert sluice("call").returncode == 2


def infer(server, stderr, *more):
    ask = ["infer", "scripted", "--address", server.grpc, "--input", "IN=[1]", *more]
    return subprocess.run(
        [BIN / "sluice", *ask], stdout=subprocess.PIPE, stderr=stderr, timeout=60 * SLOW
    )


def read_all(fd):
    seen = b""
    try:
        while chunk := os.read(fd, 4096):
            seen += chunk
    except OSError:  # the other end is closed: so Linux tells the end of a terminal
        pass
    return seen.decode()


def on_terminal(server, *more):
    """What a terminal for stderr saw of it."""
    ours, theirs = pty.openpty()
    try:
        done = infer(server, theirs, *more)
    finally:
        os.close(theirs)
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        return done, read_all(terminal.fileno())


def test_infer_shows_its_place_on_a_terminal(server, begin):
    _, future = begin("1500ms", RUNNING)
    done, seen = on_terminal(server)
    assert done.returncode == 0
    assert b"OUT FP32 [1]: 1" in done.stdout
    assert "1 of 1 in the queue; starts in about " in seen
    assert seen.endswith("\r\x1b[K"), "the line is gone"
    assert future.exception() is None


def test_infer_shows_nothing_elsewhere(server, begin):
    _, future = begin("1s", RUNNING)
    done = infer(server, subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")
    assert future.exception() is None
    _, future = begin("1s", RUNNING)
    done, seen = on_terminal(server, "--json")
    assert (done.returncode, seen) == (0, "")
    assert future.exception() is None


def test_infer_that_is_over_at_once_shows_nothing(server):
    done, seen = on_terminal(server)
    assert (done.returncode, seen) == (0, "")
