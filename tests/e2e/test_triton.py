"""An unmodified tritonclient[grpc] against the gateway: each of its methods, and asyncio."""

import asyncio
import contextlib

import ml_dtypes
import numpy as np
import pytest
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from support.wait import wait_until
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

pytestmark = pytest.mark.smoke

KINDS = [
    bool,
    np.int8,
    np.int16,
    np.int32,
    np.int64,
    np.uint8,
    np.uint16,
    np.uint32,
    np.uint64,
    np.float16,
    np.float32,
    np.float64,
]


@pytest.fixture
def client(server):
    client = triton.InferenceServerClient(server.grpc)
    yield client
    client.close()


def tensor(name, array, datatype):
    made = triton.InferInput(name, list(array.shape), datatype)
    made.set_data_from_numpy(array)
    return made


def test_health_and_metadata(client):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("identity")
    assert client.is_model_ready("identity", "1")
    assert client.get_server_metadata().name == "sluice"
    assert client.get_server_metadata(as_json=True)["extensions"]
    metadata = client.get_model_metadata("identity", as_json=True)
    assert metadata["inputs"] == [{"name": "INPUT0", "datatype": "FP32", "shape": ["-1", "4"]}]


@pytest.mark.parametrize("kind", KINDS, ids=[kind.__name__ for kind in KINDS])
def test_numpy_arrays_are_bit_equal(client, kind):
    values = np.frombuffer(np.random.default_rng(5).bytes(64 * 8), np.uint8)
    array = (values % 2).astype(bool) if kind is bool else values.view(kind)
    datatype = np_to_triton_dtype(kind)
    result = client.infer(f"echo_{datatype.lower()}", [tensor("IN", array, datatype)])
    assert result.as_numpy("OUT").tobytes() == array.tobytes()


def test_bf16_goes_as_the_client_writes_it(client):
    array = np.array([1.0, -2.5, 0.0, np.inf], dtype=ml_dtypes.bfloat16)
    result = client.infer("echo_bf16", [tensor("IN", array, "BF16")])
    assert result.as_numpy("OUT").tolist() == array.tolist()


def test_infer(client):
    values = np.random.default_rng(1).random((5, 4), dtype=np.float32)
    result = client.infer("identity", [tensor("INPUT0", values, "FP32")], request_id="a")
    assert result.get_response().id == "a"
    assert np.array_equal(result.as_numpy("OUTPUT0"), values)
    assert result.get_output("OUTPUT0").datatype == "FP32"


def test_texts(client):
    texts = np.array([b"one", b"", "zwölf".encode(), b"\x00\xff"], dtype=object)
    numbers = np.array([[1, -2]], dtype=np.int32)
    inputs = [tensor("A", numbers, "INT32"), tensor("B", texts, "BYTES")]
    result = client.infer("pair", inputs, outputs=[triton.InferRequestedOutput("B_OUT")])
    assert list(result.as_numpy("B_OUT")) == list(texts)
    assert result.as_numpy("A_OUT") is None


def test_all_that_infer_takes(client):
    """Parameters of a sequence, priority, headers, compression: none of them is in the way."""
    values = np.tile(np.arange(4, dtype=np.float32), (4000, 1))
    result = client.infer(
        "identity",
        [tensor("INPUT0", values, "FP32")],
        model_version="1",
        outputs=[triton.InferRequestedOutput("OUTPUT0")],
        request_id="all",
        sequence_id=7,
        sequence_start=True,
        sequence_end=True,
        priority=2,
        timeout=5_000_000,
        client_timeout=30,
        headers={"sluice-duration": "2s", "trace-bin": b"\x00\xff"},
        compression_algorithm="gzip",
        parameters={"text": "ö", "flag": True, "number": -1, "half": 0.5},
    )
    assert np.array_equal(result.as_numpy("OUTPUT0"), values)


def test_asynchronous_calls(client):
    values = np.ones((1, 4), dtype=np.float32)
    done = []
    for _ in range(20):
        client.async_infer(
            "identity",
            [tensor("INPUT0", values, "FP32")],
            lambda result, error: done.append((result, error)),
        )
    client.infer("identity", [tensor("INPUT0", values, "FP32")])
    wait_until(lambda: len(done) == 20, 10, "20 answers")
    assert all(error is None for _, error in done)


def test_an_error_is_an_exception_with_status_and_sentence(client):
    values = np.ones((1, 3), dtype=np.float32)
    with pytest.raises(InferenceServerException) as caught:
        client.infer("identity", [tensor("INPUT0", values, "FP32")])
    assert "INVALID_ARGUMENT" in str(caught.value.status())
    assert "INPUT0" in caught.value.message()


def test_the_repository_is_listed(client):
    models = {m.name: m for m in client.get_model_repository_index().models}
    assert (models["identity"].version, models["identity"].state) == ("1", "READY")
    assert models["identity"].reason == ""
    assert "echo_fp32" in models
    listed = client.get_model_repository_index(as_json=True)["models"]
    assert {m["name"] for m in listed} == set(models)


def statistics(client, model):
    [told] = client.get_inference_statistics(model).model_stats
    return told


def test_statistics_count(client):
    values = np.ones((1, 4), dtype=np.float32)
    before = statistics(client, "identity")
    for _ in range(3):
        client.infer("identity", [tensor("INPUT0", values, "FP32")])
    after = statistics(client, "identity")
    assert (after.name, after.version) == ("identity", "1")
    assert after.inference_count - before.inference_count == 3
    ours, theirs = after.inference_stats, before.inference_stats
    assert ours.success.count - theirs.success.count == 3
    assert ours.success.ns > theirs.success.ns
    assert ours.success.ns == ours.queue.ns + ours.compute_infer.ns
    every = client.get_inference_statistics().model_stats
    assert {"identity", "pair"} <= {told.name for told in every}


def test_statistics_count_failures(client):
    before = statistics(client, "scripted")
    with pytest.raises(InferenceServerException):
        client.infer(
            "scripted",
            [tensor("IN", np.ones(1, np.float32), "FP32")],
            parameters={"fake_error": "no"},
        )
    after = statistics(client, "scripted")
    assert after.inference_stats.fail.count - before.inference_stats.fail.count == 1
    assert after.inference_count == before.inference_count


NOT_OFFERED = {
    "get_model_config": (("identity",), "ModelMetadata"),
    "load_model": (("identity",), "executor starts"),
    "unload_model": (("identity",), "executor starts"),
    "get_system_shared_memory_status": ((), "bytes"),
    "register_system_shared_memory": (("r", "/k", 64), "bytes"),
    "unregister_system_shared_memory": ((), "bytes"),
    "get_cuda_shared_memory_status": ((), "bytes"),
    "register_cuda_shared_memory": (("r", b"aw==", 0, 64), "bytes"),
    "unregister_cuda_shared_memory": ((), "bytes"),
    "get_trace_settings": ((), "traceparent"),
    "update_trace_settings": ((), "traceparent"),
    "get_log_settings": ((), "log.level"),
    "update_log_settings": (({},), "log.level"),
}


@pytest.mark.parametrize("name", NOT_OFFERED)
def test_what_is_not_offered_says_why(client, name):
    args, part = NOT_OFFERED[name]
    with pytest.raises(InferenceServerException) as caught:
        getattr(client, name)(*args)
    assert "UNIMPLEMENTED" in str(caught.value.status())
    assert part in caught.value.message()


def test_streams_are_not_offered(client):
    told = []
    client.start_stream(lambda result, error: told.append(error))
    given = [tensor("INPUT0", np.ones((1, 4), np.float32), "FP32")]
    with contextlib.suppress(InferenceServerException):  # when the end is there before
        client.async_stream_infer("identity", given)
    wait_until(lambda: told, 10, "the stream's end")
    client.stop_stream()
    assert "Use ModelInfer" in str(told[0])


@pytest.mark.parametrize(
    ("ask", "parts"),
    [
        (lambda t: t.set_shared_memory("region", 16), ["INPUT0", "shared memory"]),
        (lambda t: None, ["INPUT0", "4 elements", "have 0"]),
    ],
)
def test_a_tensor_without_bytes_is_refused(client, ask, parts):
    given = triton.InferInput("INPUT0", [1, 4], "FP32")
    ask(given)
    with pytest.raises(InferenceServerException) as caught:
        client.infer("identity", [given])
    assert "INVALID_ARGUMENT" in str(caught.value.status())
    for part in parts:
        assert part in caught.value.message()


def test_classes_of_an_output_are_refused(client):
    given = [tensor("INPUT0", np.ones((1, 4), np.float32), "FP32")]
    with pytest.raises(InferenceServerException) as caught:
        client.infer("identity", given, outputs=[triton.InferRequestedOutput("OUTPUT0", 3)])
    assert "OUTPUT0" in caught.value.message()
    assert "classes" in caught.value.message()


def test_a_client_timeout_is_a_deadline(client):
    with pytest.raises(InferenceServerException) as caught:
        client.infer(
            "scripted",
            [tensor("IN", np.ones(1, np.float32), "FP32")],
            client_timeout=0.3,
            parameters={"fake_run": "20s"},
        )
    assert "DEADLINE_EXCEEDED" in str(caught.value.status())


def test_every_method_has_its_test():
    """A method of a later tritonclient must not go untested."""
    ours = set(NOT_OFFERED) | {"infer", "async_infer", "is_server_live", "is_server_ready"}
    ours |= {"is_model_ready", "get_server_metadata", "get_model_metadata", "close", "start_stream"}
    ours |= {"stop_stream", "async_stream_infer", "get_model_repository_index"}
    ours |= {"get_inference_statistics", "plugin", "register_plugin", "unregister_plugin"}
    theirs = {name for name in dir(triton.InferenceServerClient) if not name.startswith("_")}
    assert theirs <= ours


def test_asyncio(server):
    async def talk():
        values = np.ones((2, 4), dtype=np.float32)
        async with triton_aio.InferenceServerClient(server.grpc) as client:
            assert await client.is_server_live()
            assert await client.is_server_ready()
            assert await client.is_model_ready("identity")
            assert (await client.get_model_metadata("pair")).platform == "identity"
            assert (await client.get_inference_statistics("pair")).model_stats
            assert (await client.get_model_repository_index()).models
            calls = [
                client.infer("identity", [tensor("INPUT0", values, "FP32")]) for _ in range(50)
            ]
            for result in await asyncio.gather(*calls):
                assert np.array_equal(result.as_numpy("OUTPUT0"), values)

    asyncio.run(talk())


def test_by_tls(secure, certs):
    """The client's own options of TLS."""
    with triton.InferenceServerClient(
        secure.grpc, ssl=True, root_certificates=str(certs / "ca.pem")
    ) as client:
        values = np.ones((1, 4), dtype=np.float32)
        result = client.infer("identity", [tensor("INPUT0", values, "FP32")])
        assert np.array_equal(result.as_numpy("OUTPUT0"), values)


def test_keepalive_options_are_taken(server):
    options = triton.KeepAliveOptions(keepalive_time_ms=20_000)
    with triton.InferenceServerClient(server.grpc, keepalive_options=options) as client:
        assert client.is_server_live()
