"""The same call twice, and results that are kept: over lost connections and restarts."""

import os
import random
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from support.calls import identity_request, refusal, request, scripted_request
from support.cluster import Cluster
from support.paths import SLOW, scaled
from support.raw_h2 import RawH2
from support.receipts import receipts_of
from support.stubs import Stub, pb
from support.wait import wait_until

CONFIG = """
trusted_proxies: [127.0.0.0/8]
networks: {127.0.0.0/8: owner, 10.0.0.0/8: pro}
results: {one: 64KiB, visitor: 128KiB}
"""
ALICE, BOB = "10.1.0.1", "10.1.0.2"
ROWS_OF_4_MIB = 4 * 1024 * 1024 // 16


@pytest.fixture(scope="module")
def cluster(few_models, tmp_path_factory, _stubs):
    folder = tmp_path_factory.mktemp("idempotency")
    gateway = f"{CONFIG}store: {{path: '{folder}/sluice.db'}}\n"
    executor = f"state: {folder}/NODE.state\n"
    with Cluster(few_models, folder, slices=2, gateway=gateway, executor=executor) as cluster:
        yield cluster


@pytest.fixture
def key():
    return f"order/{uuid.uuid4()}"


def says(key=None, visitor=ALICE, **more):
    metadata = [("x-forwarded-for", visitor), ("sluice-duration", "5s")]
    metadata += [("idempotency-key", key)] if key else []
    return metadata + [(f"sluice-{name.replace('_', '-')}", value) for name, value in more.items()]


def infer(cluster, message, metadata):
    """The reply's bytes, and its trailers."""
    reply, call = cluster.stub().ModelInfer.with_call(message, timeout=30 * SLOW, metadata=metadata)
    return reply.SerializeToString(deterministic=True), dict(call.trailing_metadata())


def receipts(cluster, key):
    return [r for r in receipts_of(cluster.folder / "sluice.db") if r.key == key]


def assert_told_alike(one, other):
    for name in ("call-id", "charged-ms", "exec-ms", "node", "visitor"):
        assert one[f"sluice-{name}"] == other[f"sluice-{name}"]


def test_a_second_call_gets_what_the_first_got(cluster, key):
    first, told = infer(cluster, scripted_request(run="20ms"), says(key))
    second, told_again = infer(cluster, scripted_request(run="20ms"), says(key))
    assert second == first
    assert_told_alike(told, told_again)
    assert told["sluice-left-ms"] == told_again["sluice-left-ms"]
    (receipt,) = receipts(cluster, key)
    assert receipt.call_id == told["sluice-call-id"]
    assert receipt.charged_us == round(float(told_again["sluice-charged-ms"]) * 1000)


def test_eight_at_once_run_once(cluster, key):
    before = cluster.metrics()["sluice_calls_repeated_total"]
    with ThreadPoolExecutor(8) as pool:
        asked = [
            pool.submit(infer, cluster, scripted_request(run="300ms"), says(key)) for _ in range(8)
        ]
        answers = [answer.result() for answer in asked]
    assert len({reply for reply, _ in answers}) == 1
    assert len({told["sluice-call-id"] for _, told in answers}) == 1
    assert len(receipts(cluster, key)) == 1
    assert cluster.metrics()["sluice_calls_repeated_total"] == before + 7


def test_who_lost_his_connection_comes_back(cluster, key):
    message = scripted_request(run="700ms")
    with RawH2(cluster.grpc) as client:
        client.call(1, message.SerializeToString(), metadata=says(key))
        wait_until(lambda: cluster.status().calls_running == 1, 20 * SLOW, "the call runs")
    unclaimed = "sluice_calls_unclaimed_total"
    wait_until(lambda: cluster.metrics()[unclaimed] >= 1, 20 * SLOW, "the connection is missed")
    while_it_runs, told = infer(cluster, message, says(key))
    later, told_later = infer(cluster, message, says(key))
    assert while_it_runs == later
    assert_told_alike(told, told_later)
    assert len(receipts(cluster, key)) == 1


def test_a_key_is_one_request_of_one_visitor(cluster, key):
    _, told = infer(cluster, scripted_request(values=(1.0,)), says(key))
    other = refusal(cluster.stub().ModelInfer, scripted_request(values=(2.0,)), metadata=says(key))
    assert other.code is grpc.StatusCode.ALREADY_EXISTS
    assert other.trailers["sluice-reason"] == "ALREADY_EXISTS"
    assert other.text == (
        f"idempotency-key '{key}' was used with another request, by call "
        f"{told['sluice-call-id']}: a key stands for one request"
    )
    _, bobs = infer(cluster, scripted_request(values=(2.0,)), says(key, BOB))
    assert bobs["sluice-call-id"] != told["sluice-call-id"]


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        ("k" * 256, "idempotency-key has 256 bytes; it may have 1 to 255"),
        ("a key", "idempotency-key 'a key' holds a byte that is not visible ASCII"),
    ],
)
def test_keys_that_are_none(cluster, bad, text):
    outcome = refusal(cluster.stub().ModelInfer, scripted_request(), metadata=says(bad))
    assert outcome.trailers["sluice-reason"] == "BAD_INPUT"
    assert outcome.text == text


def test_a_failure_that_was_charged_is_not_run_again(cluster, key):
    message = scripted_request(run="10ms", error="no such luck")
    first = refusal(cluster.stub().ModelInfer, message, metadata=says(key))
    again = refusal(cluster.stub().ModelInfer, message, metadata=says(key))
    assert first.trailers["sluice-reason"] == "MODEL_ERROR"
    assert (again.code, again.text) == (first.code, first.text)
    assert_told_alike(first.trailers, again.trailers)
    assert len(receipts(cluster, key)) == 1


def test_a_large_request_is_told_from_others(cluster, key):
    """Its digest is made aside; its result is not kept, as nobody asked for that."""
    message = identity_request(rows=ROWS_OF_4_MIB)
    _, told = infer(cluster, message, says(key))
    gone = refusal(cluster.stub().ModelInfer, message, metadata=says(key))
    assert gone.code is grpc.StatusCode.NOT_FOUND
    assert gone.trailers["sluice-reason"] == "RESULT_GONE"
    assert gone.trailers["sluice-charged-ms"] == told["sluice-charged-ms"]
    assert f"call {told['sluice-call-id']} has run: it ended with OK at 20" in gone.text
    message.raw_input_contents[0] = message.raw_input_contents[0][:-1] + b"?"
    other = refusal(cluster.stub().ModelInfer, message, metadata=says(key))
    assert other.trailers["sluice-reason"] == "ALREADY_EXISTS"


def open_files(cluster):
    """What the gateway has open in its directory of results."""
    folder = f"/proc/{cluster.daemons['gateway'].process.pid}/fd"
    links = [os.readlink(f"{folder}/{fd}") for fd in os.listdir(folder)]
    return [link for link in links if f"{cluster.folder}/gateway.state/results/" in link]


def test_four_mib_are_kept_on_disk_for_who_asks(cluster, key):
    message = identity_request(rows=ROWS_OF_4_MIB)
    first, told = infer(cluster, message, says(key, on_disconnect="keep"))
    disk = 'sluice_kept_result_bytes{place="disk"}'
    wait_until(lambda: cluster.metrics()[disk] == 4 << 20, 10 * SLOW, "it is on disk")
    wait_until(lambda: cluster.metrics()["sluice_result_bytes"] == 0, 10 * SLOW, "out of memory")
    assert len(open_files(cluster)) == 1
    assert os.listdir(cluster.folder / "gateway.state" / "results") == []
    again, told_again = infer(cluster, message, says(key))
    assert again == first
    assert_told_alike(told, told_again)
    assert len(receipts(cluster, key)) == 1


def test_the_oldest_make_room(cluster, key):
    """Of one visitor there is room for two such results."""
    echo = request("echo_fp32", [("IN", "FP32", [16000], bytes(64000))])
    keys = [f"{key}/{number}" for number in range(3)]
    for one in keys:
        infer(cluster, echo, says(one, "10.1.0.3"))
    gone = refusal(cluster.stub().ModelInfer, echo, metadata=says(keys[0], "10.1.0.3"))
    assert gone.trailers["sluice-reason"] == "RESULT_GONE"
    infer(cluster, echo, says(keys[2], "10.1.0.3"))
    assert sum(len(receipts(cluster, one)) for one in keys) == 3


def test_a_new_process_runs_nothing_twice(cluster, key):
    _, told = infer(cluster, scripted_request(run="20ms"), says(key))
    free = refusal(
        cluster.stub().ModelInfer, scripted_request("none"), metadata=says(f"{key}/none")
    )
    assert free.trailers["sluice-reason"] == "MODEL_NOT_FOUND"
    cluster.daemons["gateway"].kill()
    cluster.restart("gateway")
    wait_until(cluster.is_whole, 30 * SLOW, "the cluster")
    gone = refusal(cluster.stub().ModelInfer, scripted_request(run="20ms"), metadata=says(key))
    assert gone.trailers["sluice-reason"] == "RESULT_GONE"
    for name in ("call-id", "charged-ms", "visitor"):
        assert gone.trailers[f"sluice-{name}"] == told[f"sluice-{name}"]
    infer(cluster, scripted_request(), says(f"{key}/none"))
    assert len(receipts(cluster, key)) == 1


# ---- GetResult


def get_result(cluster, call_id, visitor=ALICE, token=""):
    """The answer and its trailers."""
    desk = Stub(cluster.channel(), "sluice.v1.Visitor")
    message = pb("sluice.v1").GetResultRequest(call_id=call_id, fetch_token=token)
    metadata = [("x-forwarded-for", visitor)]
    answer, call = desk.GetResult.with_call(message, timeout=30 * SLOW, metadata=metadata)
    return answer, dict(call.trailing_metadata())


def no_result(cluster, call_id, visitor=ALICE, token=""):
    desk = Stub(cluster.channel(), "sluice.v1.Visitor")
    message = pb("sluice.v1").GetResultRequest(call_id=call_id, fetch_token=token)
    outcome = refusal(desk.GetResult, message, metadata=[("x-forwarded-for", visitor)])
    assert outcome.code is grpc.StatusCode.NOT_FOUND
    assert outcome.trailers["sluice-reason"] == "RESULT_GONE"
    return outcome.text


@pytest.mark.parametrize("rows", [1, ROWS_OF_4_MIB])
def test_a_result_is_fetched_by_its_call(cluster, rows):
    """From memory, and from disk."""
    reply, told = infer(cluster, identity_request(rows=rows), says(on_disconnect="keep"))
    call_id, token = told["sluice-call-id"], told["sluice-fetch-token"]
    if rows > 1:
        wait_until(lambda: cluster.metrics()["sluice_result_bytes"] == 0, 10 * SLOW, "on disk")
    for _ in range(2):
        answer, told_again = get_result(cluster, call_id, token=token)
        assert answer.state == answer.STATE_DONE
        assert answer.result.SerializeToString(deterministic=True) == reply
        for name in ("charged-ms", "exec-ms", "node"):
            assert told_again[f"sluice-{name}"] == told[f"sluice-{name}"]
    elsewhere, _ = get_result(cluster, call_id, visitor=BOB, token=token)
    assert elsewhere == answer
    never = str(uuid.uuid4())
    for wrong in ("", "0" * 32, token[:-1]):
        assert no_result(cluster, call_id, BOB, wrong) == f"ip:{BOB} has no call {call_id}"
    assert no_result(cluster, never, BOB, token) == f"ip:{BOB} has no call {never}"


def made_token(cluster, user):
    secret = (cluster.folder / "gateway.state/admin.token").read_text().strip()
    admin = Stub(cluster.channel(), "sluice.v1.Admin", secret)
    asked = pb("sluice.v1").CreateTokenRequest(user=user, tier="pro")
    return admin.CreateToken(asked, timeout=10 * SLOW).secret


def test_who_lost_his_connection_fetches_by_his_name(cluster):
    """Pending while it runs; and never anybody else's."""
    tokens = {user: made_token(cluster, user) for user in ("alice", "bob")}
    desks = {u: Stub(cluster.channel(), "sluice.v1.Visitor", t) for u, t in tokens.items()}
    call_id, message = str(uuid.uuid4()), scripted_request(run="700ms")
    metadata = [
        ("authorization", f"Bearer {tokens['alice']}"),
        ("sluice-call-id", call_id),
        ("sluice-on-disconnect", "keep"),
    ]
    with RawH2(cluster.grpc) as client:
        client.call(1, message.SerializeToString(), metadata=metadata)
        wait_until(lambda: cluster.status().calls_running == 1, 20 * SLOW, "the call runs")
    asked = pb("sluice.v1").GetResultRequest(call_id=call_id)

    def state():
        return desks["alice"].GetResult(asked, timeout=10 * SLOW).state

    assert state() == pb("sluice.v1").GetResultResponse.STATE_PENDING
    assert refusal(desks["bob"].GetResult, asked).text == f"user:bob has no call {call_id}"
    done = pb("sluice.v1").GetResultResponse.STATE_DONE
    wait_until(lambda: state() == done, 20 * SLOW, "the result")
    assert refusal(desks["bob"].GetResult, asked).text == f"user:bob has no call {call_id}"


def test_a_new_process_knows_what_it_cost(cluster):
    """Of calls without a key, too: their receipts are asked."""
    reply, told = infer(cluster, scripted_request(), says(on_disconnect="keep"))
    call_id, token = told["sluice-call-id"], told["sluice-fetch-token"]
    assert get_result(cluster, call_id, token=token)[0].result.outputs
    cluster.daemons["gateway"].kill()
    cluster.restart("gateway")
    wait_until(cluster.is_whole, 30 * SLOW, "the cluster")
    text = no_result(cluster, call_id, token=token)
    assert text.startswith(f"the result of call {call_id} is not kept; it ended OK at 20")
    assert f"was charged {told['sluice-charged-ms']}ms" in text
    assert no_result(cluster, call_id, BOB, token) == f"ip:{BOB} has no call {call_id}"


# ---- kills


PASSING = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
)


def persist(cluster, key, message, metadata, until):
    """Sends it again until it is answered, or was; what became of it."""
    while time.monotonic() < until:
        try:
            cluster.stub().ModelInfer(message, timeout=10 * SLOW, metadata=metadata)
            return "OK"
        except grpc.RpcError as error:
            reason = dict(error.trailing_metadata() or ()).get("sluice-reason")
            if reason == "RESULT_GONE":
                return reason
            if error.code() not in PASSING:
                raise
            time.sleep(0.05)
    raise AssertionError(f"{key} has no answer")


def test_gateways_that_die_charge_nothing_twice(cluster, key):
    """Whoever sends his calls until they are answered, and once more, has one receipt for each."""
    rounds, rng = scaled(40, at_least=3), random.Random(11)
    answers = Counter()
    keys = []
    for number in range(rounds):
        until = time.monotonic() + 60 * SLOW
        with ThreadPoolExecutor(8) as pool:

            def send(i, run, number=number, until=until, pool=pool):
                message = scripted_request(run=run, values=(float(i),))
                one = f"{key}/{number}/{i}"
                return pool.submit(persist, cluster, one, message, says(one, BOB), until)

            runs = [f"{rng.randrange(5, 60)}ms" for _ in range(24)]
            asked = [send(i, run) for i, run in enumerate(runs)]
            time.sleep(rng.uniform(0.05, 0.4))
            cluster.daemons["gateway"].kill()
            cluster.restart("gateway")
            for answer in asked:
                answer.result()
            again = [send(i, run) for i, run in enumerate(runs)]
            answers += Counter(answer.result() for answer in again)
        keys += [f"{key}/{number}/{i}" for i in range(24)]
        wait_until(cluster.is_whole, 30 * SLOW, "the cluster")
    charged = Counter(
        r.key
        for r in receipts_of(cluster.folder / "sluice.db")
        if r.key.startswith(key) and (r.reason == "OK" or r.charged_us > 0)
    )
    assert charged == Counter(dict.fromkeys(keys, 1))
    assert answers["RESULT_GONE"] > 0
    print(f"{rounds} rounds, {len(keys)} keys asked again: {dict(answers)}")
