"""kill -9 of workers and executors, crashing models: typed errors, quick return, no leaks."""

import os
import signal
import time

import grpc
import pytest
from support.calls import identity_request, refusal, scripted_request
from support.cluster import PROMPT
from support.load import Load
from support.neighbours import Limit
from support.paths import SLOW, scaled
from support.process import open_files
from support.stubs import Stub
from support.wait import wait_until

pytestmark = pytest.mark.timeout(1200)  # a soak takes minutes

BACK_WITHIN_S = 2
TYPED = ("EXECUTOR_LOST:", "DEVICE_FAULT:", "MODEL_ERROR:", "NO_CAPACITY:")


def pids(server, program):
    return {p.pid for p in server.family(program)}


def expect_service_after(kill, load):
    """Kills, then waits for the next answer to a call of the load, which must come in time."""
    limit, started = Limit(BACK_WITHIN_S), time.monotonic()
    kill()
    killed_at = time.monotonic()
    wait_until(lambda: load.answers_after(killed_at + 0.05), 10 * SLOW, "an answer after the kill")
    limit.check(min(load.answers_after(killed_at + 0.05)) - started, "served again")


def assert_all_typed(load):
    for code, text in load.failures():
        assert code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL), (code, text)
        assert text.startswith(TYPED), text


def shared_memory():
    return sorted(name for name in os.listdir("/dev/shm") if "sluice" in name)


@pytest.mark.smoke
def test_kill_9_of_a_worker_under_load(fresh):
    with Load(fresh, lambda: scripted_request(run="5ms")) as load:
        wait_until(lambda: len(load.outcomes) > 20, 10 * SLOW, "20 answers")
        for _ in range(scaled(40, at_least=3)):
            workers = pids(fresh, "sluice-worker")
            expect_service_after(lambda: [os.kill(p, signal.SIGKILL) for p in workers], load)
            wait_until(
                lambda: len(pids(fresh, "sluice-worker") - workers) >= len(workers),
                10 * SLOW,
                "new workers",
            )
    assert_all_typed(load)


def test_kill_9_of_the_executor_under_load(fresh):
    with Load(fresh, lambda: scripted_request(run="5ms")) as load:
        wait_until(lambda: len(load.outcomes) > 20, 10 * SLOW, "20 answers")
        gateway = fresh.one("sluice-gateway")
        files_before = len(open_files(gateway))
        for _ in range(scaled(40, at_least=3)):
            old = fresh.one("sluice-executor")
            # `sluice up` makes growing pauses for a daemon that ends within 5 s of its start.
            # Counted from here: a process's own start time may be a second off.
            seen = time.monotonic()
            wait_until(lambda since=seen: time.monotonic() - since > 5.5, 10, "it ran a while")
            workers = pids(fresh, "sluice-worker")
            expect_service_after(old.kill, load)
            assert fresh.one("sluice-executor").pid != old.pid
            wait_until(
                lambda: not any(os.path.exists(f"/proc/{p}") for p in workers),
                5 * SLOW,
                "the killed executor's workers are gone",
            )
        wait_until(
            lambda: len(open_files(gateway)) <= files_before,
            10 * SLOW,
            f"the gateway's {files_before} descriptors again",
        )
    assert_all_typed(load)


@pytest.mark.parametrize("how", ["segv", "abort", "exit", "kill"])
def test_a_models_crash_ends_only_its_own_call(fresh, how):
    fresh.allow_reports = True
    stub = fresh.stub()
    waiting = [stub.ModelInfer.future(scripted_request(run="20ms"), timeout=30) for _ in range(5)]
    outcome = refusal(stub.ModelInfer, scripted_request(crash=how))
    after = [stub.ModelInfer.future(scripted_request(), timeout=30) for _ in range(5)]
    assert outcome.code in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE)
    assert outcome.text
    for call in waiting + after:
        assert call.result().outputs
    assert stub.ModelInfer(identity_request(), timeout=10).outputs


def test_a_hanging_model_is_killed_at_its_duration(fresh):
    stub = fresh.stub()
    started = time.monotonic()
    outcome = refusal(
        stub.ModelInfer, scripted_request(hang=True), metadata=[("sluice-duration", "500ms")]
    )
    assert outcome.trailers["sluice-reason"] == "DURATION_EXCEEDED"
    assert 0.4 < time.monotonic() - started < 4 * SLOW
    assert stub.ModelInfer(scripted_request(), timeout=10 * SLOW).outputs


def test_nothing_leaks_over_crashes(fresh):
    stub = fresh.stub()
    gateway, executor = fresh.one("sluice-gateway"), fresh.one("sluice-executor")

    def crash_once():
        refusal(stub.ModelInfer, scripted_request(values=[1.0] * 4096, crash="kill"))
        stub.ModelInfer(scripted_request(values=[1.0] * 4096), timeout=20 * SLOW)

    def counts():
        return (
            len(open_files(gateway)),
            len(open_files(executor)),
            len(fresh.family()),
            shared_memory(),
        )

    for _ in range(3):
        crash_once()
    before = counts()
    for _ in range(scaled(400, at_least=10)):
        crash_once()
    wait_until(lambda: counts() == before, 10 * SLOW, f"{counts()} to become {before}")


def test_a_lost_gateway_is_started_again_where_its_callers_know_it(fresh):
    """And again, with the pauses that `sluice up` makes for a daemon that ends soon."""
    stub = Stub(fresh.channel(**dict(PROMPT)), "inference.GRPCInferenceService")
    before = None
    for _ in range(4):
        assert wait_until(lambda: answer(stub), 10 * SLOW, "an answer").outputs
        executor, old = fresh.one("sluice-executor"), fresh.one("sluice-gateway")
        before = before or len(open_files(executor))
        limit, since = Limit(BACK_WITHIN_S), time.monotonic()
        old.kill()
        wait_until(lambda: answer(stub), 10 * SLOW, "an answer of the next gateway")
        limit.check(time.monotonic() - since, "served again")
        assert fresh.one("sluice-gateway").pid != old.pid
        assert fresh.one("sluice-executor").pid == executor.pid
    wait_until(lambda: len(open_files(executor)) <= before, 10 * SLOW, f"{before} descriptors")


def answer(stub):
    try:
        return stub.ModelInfer(identity_request(), timeout=5 * SLOW)
    except grpc.RpcError:
        return None
