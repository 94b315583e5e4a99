"""An unmodified tritonclient[grpc] against the gateway."""

import numpy as np
import pytest
import tritonclient.grpc as triton
from support.wait import wait_until
from tritonclient.utils import InferenceServerException

pytestmark = pytest.mark.smoke


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
    assert client.get_server_metadata().name == "sluice"
    metadata = client.get_model_metadata("identity", as_json=True)
    assert metadata["inputs"] == [{"name": "INPUT0", "datatype": "FP32", "shape": ["-1", "4"]}]


def test_infer(client):
    values = np.random.default_rng(1).random((5, 4), dtype=np.float32)
    result = client.infer("identity", [tensor("INPUT0", values, "FP32")], request_id="a")
    assert result.get_response().id == "a"
    assert np.array_equal(result.as_numpy("OUTPUT0"), values)


def test_texts(client):
    texts = np.array([b"one", b"", "zwölf".encode(), b"\x00\xff"], dtype=object)
    numbers = np.array([[1, -2]], dtype=np.int32)
    inputs = [tensor("A", numbers, "INT32"), tensor("B", texts, "BYTES")]
    result = client.infer("pair", inputs, outputs=[triton.InferRequestedOutput("B_OUT")])
    assert list(result.as_numpy("B_OUT")) == list(texts)
    assert result.as_numpy("A_OUT") is None


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
