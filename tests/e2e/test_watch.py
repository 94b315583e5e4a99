"""A call from outside: GetCall, WatchCall, CancelCall."""

import time
import uuid

import grpc
import pytest
from support.calls import refusal, scripted_request
from support.paths import SLOW
from support.raw_h2 import DATA, END_STREAM, WINDOW_UPDATE, RawH2
from support.stubs import Stub, pb
from support.wait import wait_until

RECEIVING, QUEUED, DISPATCHED, RUNNING, ENDED = 1, 2, 3, 4, 5
INITIAL_WINDOW = 4  # of HTTP/2's settings
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"


class Call:
    """A call under way of an id of its own."""

    def __init__(self, stub, metadata=(), **script):
        self.id = str(uuid.uuid4())
        self._future = stub.ModelInfer.future(
            scripted_request(**script),
            metadata=[("sluice-call-id", self.id), *metadata],
            timeout=60 * SLOW,
        )

    def code(self):
        return self._future.exception().code() if self._future.exception() else grpc.StatusCode.OK

    def text(self):
        return self._future.exception().details()

    def cancel(self):
        self._future.cancel()


def ask(visitor, call, **more):
    return visitor.GetCall(pb("sluice.v1").GetCallRequest(call_id=call.id), **more)


def stop(visitor, call, **more):
    return visitor.CancelCall(pb("sluice.v1").CancelCallRequest(call_id=call.id), **more)


def watch(visitor, call, **more):
    message = pb("sluice.v1").WatchCallRequest(call_id=call.id)
    return visitor.WatchCall(message, timeout=60 * SLOW, **more)


def state_of(visitor, call):
    try:
        return ask(visitor, call).state
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.NOT_FOUND:
            raise
        return None


def reaches(visitor, call, state):
    wait_until(lambda: state_of(visitor, call) == state, 10 * SLOW, f"state {state}")


def watches(server):
    return next(
        float(line.split()[-1])
        for line in server.get("/metrics")[2].decode().splitlines()
        if line.startswith("sluice_watches ")
    )


@pytest.fixture
def visitor(server):
    return server.visitor()


def test_a_call_is_watched_from_the_queue_to_its_end(server, stub, visitor):
    first = Call(stub, run="700ms")
    reaches(visitor, first, RUNNING)
    second = Call(stub, run="500ms")
    reaches(visitor, second, QUEUED)
    seen = list(watch(visitor, second))
    states = [m.state for m in seen]
    assert states == sorted(set(states)), "each state once, in their order"
    assert states[0] == QUEUED
    assert states[-2:] == [RUNNING, ENDED]
    last = seen[-1]
    assert (last.call_id, last.model, last.reason) == (second.id, "scripted", "OK")
    assert last.queue_us > 300_000
    assert last.run_us == last.charged_us >= 300_000
    assert last.node == "local"
    assert last.ended_at_us >= seen[0].now_us
    assert second.code() == grpc.StatusCode.OK
    assert first.code() == grpc.StatusCode.OK
    told = ask(visitor, second)
    told.now_us = last.now_us
    assert told == last, "its receipt says the same"
    assert watches(server) == 0


def test_places_and_times_are_told_while_calls_wait(stub, visitor):
    for _ in range(6):  # it is known how long they take
        assert Call(stub, run="200ms").code() == grpc.StatusCode.OK
    first = Call(stub, run="1500ms")
    reaches(visitor, first, RUNNING)
    others = []
    for _ in range(3):
        others.append(Call(stub, run="200ms"))
        reaches(visitor, others[-1], QUEUED)
    told = [ask(visitor, c) for c in others]
    assert [t.position for t in told] == [1, 2, 3]
    assert {t.waiting for t in told} == {3}
    assert told[0].eta_p50_us < told[1].eta_p50_us < told[2].eta_p50_us
    assert all(0 <= t.eta_p50_us <= t.eta_p90_us for t in told)
    seen = list(watch(visitor, others[2]))
    positions = [m.position for m in seen if m.state == QUEUED]
    assert positions == sorted(positions, reverse=True), "it only comes nearer"
    assert positions[0] == 3
    assert {m.delayed_by for m in seen} == {""}
    assert [c.code() for c in [first, *others]] == [grpc.StatusCode.OK] * 4


class EarlyCall:
    """A call whose initial metadata can be read before its result: grpcio's unary calls hand over
    both together, its streams do not."""

    def __init__(self, server, metadata, **script):
        self.id = str(uuid.uuid4())
        infer = server.channel().unary_stream(
            "/inference.GRPCInferenceService/ModelInfer",
            request_serializer=pb().ModelInferRequest.SerializeToString,
            response_deserializer=pb().ModelInferResponse.FromString,
        )
        metadata = [("sluice-call-id", self.id), *metadata]
        self._call = infer(scripted_request(**script), metadata=metadata, timeout=60 * SLOW)

    def early(self):
        return dict(self._call.initial_metadata())

    def results(self):
        return list(self._call)


def test_early_metadata_tell_the_place(server, stub, visitor):
    first = Call(stub, run="1s")
    reaches(visitor, first, RUNNING)
    second = EarlyCall(server, [("sluice-watch", "1")], run="1ms")
    early = second.early()
    assert ask(visitor, first).state == RUNNING, "its headers came before its result"
    assert early["sluice-call-id"] == second.id
    assert (early["sluice-position"], early["sluice-waiting"]) == ("1", "1")
    assert 0 < float(early["sluice-eta-ms"]) <= float(early["sluice-eta-p90-ms"])
    assert len(second.results()) == 1
    late = EarlyCall(server, [], run="1ms")
    assert "sluice-position" not in late.early()
    assert len(late.results()) == 1
    refused = Call(stub, metadata=[("sluice-watch", "yes")], run="1ms")
    assert refused.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert first.code() == grpc.StatusCode.OK


def test_an_error_may_follow_early_metadata(server, stub, visitor):
    first = Call(stub, run="1s")
    reaches(visitor, first, RUNNING)
    asks = [("sluice-watch", "1"), ("sluice-max-wait", "300ms")]
    second = EarlyCall(server, asks, run="1ms")
    assert "sluice-position" in second.early()
    with pytest.raises(grpc.RpcError) as error:
        second.results()
    assert error.value.code() == grpc.StatusCode.UNAVAILABLE
    assert error.value.details() == "GPU allocation timed out after 300ms"
    assert first.code() == grpc.StatusCode.OK


def test_a_call_that_has_ended_is_told_as_its_receipt_says(stub, visitor):
    call = Call(stub, run="20ms")
    assert call.code() == grpc.StatusCode.OK
    told = ask(visitor, call)
    assert (told.state, told.reason, told.model) == (ENDED, "OK", "scripted")
    assert told.run_us >= 20_000
    assert told.charged_us == told.run_us
    assert [m.state for m in watch(visitor, call)] == [ENDED]
    assert stop(visitor, call).reason == "OK"


def test_who_stops_watching_leaves_the_call_alone(server, stub, visitor):
    call = Call(stub, run="500ms")
    reaches(visitor, call, RUNNING)
    calls = [watch(visitor, call) for _ in range(3)]
    assert [next(c).state for c in calls] == [RUNNING] * 3
    assert watches(server) == 3
    for c in calls:
        c.cancel()
    wait_until(lambda: watches(server) == 0, 5 * SLOW, "nobody watches")
    assert call.code() == grpc.StatusCode.OK


def test_a_watch_has_a_deadline_of_its_own(server, stub, visitor):
    call = Call(stub, run="600ms")
    reaches(visitor, call, RUNNING)
    message = pb("sluice.v1").WatchCallRequest(call_id=call.id)
    with pytest.raises(grpc.RpcError) as error:
        list(visitor.WatchCall(message, timeout=0.2))
    assert error.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    wait_until(lambda: watches(server) == 0, 5 * SLOW, "nobody watches")
    assert call.code() == grpc.StatusCode.OK


def messages_of(client, stream):
    """All messages of a stream, until its end."""
    data = b""
    for kind, flags, on, payload in client.frames():
        if on == stream and kind == DATA:
            data += payload
        if on == stream and flags & END_STREAM:
            break
    while data:
        length = int.from_bytes(data[1:5], "big")
        yield pb("sluice.v1").CallStatus.FromString(data[5 : 5 + length])
        data = data[5 + length :]


def test_who_does_not_read_gets_the_newest_and_holds_up_nobody(server, stub, visitor):
    first = Call(stub, run="900ms")
    reaches(visitor, first, RUNNING)
    second = Call(stub, run="600ms")
    reaches(visitor, second, QUEUED)
    message = pb("sluice.v1").WatchCallRequest(call_id=second.id).SerializeToString()
    with RawH2(server.grpc, settings={INITIAL_WINDOW: 0}) as client:
        client.call(1, message, path="/sluice.v1.Visitor/WatchCall")
        wait_until(lambda: watches(server) == 1, 5 * SLOW, "it is watched")
        reaches(visitor, second, RUNNING)
        time.sleep(0.3)  # until that was told, too
        client.frame(WINDOW_UPDATE, 0, 1, (65535).to_bytes(4, "big"))
        assert [m.state for m in messages_of(client, 1)] == [RUNNING, ENDED]
    assert [c.code() for c in [first, second]] == [grpc.StatusCode.OK] * 2


def test_a_queued_call_is_cancelled(stub, visitor):
    first = Call(stub, run="600ms")
    reaches(visitor, first, RUNNING)
    second = Call(stub, run="20s")
    reaches(visitor, second, QUEUED)
    seen = watch(visitor, second)
    assert next(seen).state == QUEUED
    told = stop(visitor, second)
    assert (told.state, told.reason, told.charged_us) == (ENDED, "CANCELLED", 0)
    assert told.text == "the call was cancelled by CancelCall"
    assert [m.reason for m in seen] == ["CANCELLED"]
    assert second.code() == grpc.StatusCode.CANCELLED
    assert second.text() == "the call was cancelled by CancelCall"
    assert first.code() == grpc.StatusCode.OK


def test_a_running_call_is_cancelled_and_its_slice_is_free(stub, visitor):
    first = Call(stub, run="25s")
    reaches(visitor, first, RUNNING)
    second = Call(stub, run="1ms")
    began = time.monotonic()
    assert stop(visitor, first).reason == "CANCELLED"
    assert first.code() == grpc.StatusCode.CANCELLED
    assert second.code() == grpc.StatusCode.OK
    assert time.monotonic() - began < 5 * SLOW, "the slice was taken back"
    told = ask(visitor, first)
    assert (told.state, told.reason) == (ENDED, "CANCELLED")
    assert 0 < told.charged_us < 5_000_000 * SLOW


def test_what_is_asked_is_checked(visitor):
    for name in ["Get", "Watch", "Cancel"]:
        method = getattr(visitor, f"{name}Call")
        request = getattr(pb("sluice.v1"), f"{name}CallRequest")

        def refused(message, method=method, name=name):
            if name != "Watch":
                return refusal(method, message)
            return refusal(lambda m, timeout: list(method(m, timeout=timeout)), message)

        unknown = refused(request(call_id=UNKNOWN_ID))
        assert (unknown.code, unknown.trailers["sluice-reason"]) == (
            grpc.StatusCode.NOT_FOUND,
            "NOT_FOUND",
        )
        assert unknown.text == f"ip:127.0.0.1 has no call {UNKNOWN_ID}"
        bad = refused(request(call_id="7"))
        assert bad.text == "call_id '7' is not a UUID in lower case (8-4-4-4-12)"
        assert refused(request()).trailers["sluice-reason"] == "BAD_INPUT"


def make_token(server, user, **more):
    message = pb("sluice.v1").CreateTokenRequest(user=user, tier="pro", **more)
    return server.admin().CreateToken(message).secret


def test_a_stranger_sees_and_stops_nothing(server):
    token = make_token(server, "watch-alice")
    alice = Stub(server.channel(), "inference.GRPCInferenceService", token)
    call = Call(alice, run="20s")
    owner = server.visitor(token)
    reaches(owner, call, RUNNING)
    stranger = server.visitor(make_token(server, "watch-bob"))
    for who in [stranger, server.visitor()]:
        message = pb("sluice.v1").GetCallRequest(call_id=call.id)
        assert refusal(who.GetCall, message).code == grpc.StatusCode.NOT_FOUND
        message = pb("sluice.v1").CancelCallRequest(call_id=call.id)
        assert refusal(who.CancelCall, message).code == grpc.StatusCode.NOT_FOUND
        with pytest.raises(grpc.RpcError) as error:
            list(watch(who, call))
        assert error.value.code() == grpc.StatusCode.NOT_FOUND
    assert ask(owner, call).state == RUNNING
    admin = server.visitor(server.admin_token())
    assert next(watch(admin, call)).state == RUNNING
    assert stop(admin, call).reason == "CANCELLED"
    assert call.code() == grpc.StatusCode.CANCELLED


def test_an_account_watches_so_many_calls(server):
    token = make_token(server, "watch-carol")
    carol = Stub(server.channel(), "inference.GRPCInferenceService", token)
    visitor = server.visitor(token)
    call = Call(carol, run="20s")
    reaches(visitor, call, RUNNING)
    calls = [watch(visitor, call) for _ in range(32)]
    assert {next(c).state for c in calls} == {RUNNING}
    with pytest.raises(grpc.RpcError) as error:
        list(watch(visitor, call))
    assert error.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert error.value.details() == "user:watch-carol watches 32 calls, which is the limit"
    assert stop(visitor, call).state == ENDED
    assert [[m.reason for m in c] for c in calls] == [["CANCELLED"]] * 32
    assert watches(server) == 0


def test_a_kept_call_of_an_address_is_for_who_has_its_token(stub, visitor):
    call = Call(stub, metadata=[("sluice-on-disconnect", "keep")], run="300ms")
    assert state_of(visitor, call) is None, "its address is not enough"
    assert call.code() == grpc.StatusCode.OK
    token = dict(call._future.trailing_metadata())["sluice-fetch-token"]
    message = pb("sluice.v1").GetCallRequest(call_id=call.id, fetch_token=token)
    assert visitor.GetCall(message).reason == "OK"


def test_those_who_joined_a_call_end_with_it(server):
    token = make_token(server, "watch-dora")
    dora = Stub(server.channel(), "inference.GRPCInferenceService", token)
    visitor = server.visitor(token)
    key = [("idempotency-key", str(uuid.uuid4()))]
    first = Call(dora, metadata=key, run="20s")
    reaches(visitor, first, RUNNING)
    second, third = (Call(dora, metadata=key, run="20s") for _ in range(2))
    reaches(visitor, second, RECEIVING)
    reaches(visitor, third, RECEIVING)
    assert stop(visitor, third).reason == "CANCELLED", "alone"
    assert third.code() == grpc.StatusCode.CANCELLED
    assert ask(visitor, first).state == RUNNING
    assert stop(visitor, first).reason == "CANCELLED"
    assert [c.code() for c in [first, second]] == [grpc.StatusCode.CANCELLED] * 2


def test_the_end_of_the_gateway_ends_watches(fresh):
    stub, visitor = fresh.stub(), fresh.visitor()
    call = Call(stub, run="300ms")
    reaches(visitor, call, RUNNING)
    seen = watch(visitor, call)
    assert next(seen).state == RUNNING
    fresh.process.terminate()
    assert [m.reason for m in seen] == ["OK"], "a drain lets calls and watches end"
    assert call.code() == grpc.StatusCode.OK
