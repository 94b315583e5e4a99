"""What test_kserve.py runs in a process of its own, since kserve and tritonclient register the same
protobuf names.

kserve_talk.py ADDRESS            prints one JSON object of what the gateway said
"""

import asyncio
import json
import logging
import sys

import grpc
import numpy as np
from kserve import InferenceGRPCClient, InferInput, InferRequest
from kserve.protocol.infer_type import RequestedOutput

DATATYPES = {
    "BOOL": bool,
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "UINT8": np.uint8,
    "UINT16": np.uint16,
    "UINT32": np.uint32,
    "UINT64": np.uint64,
    "FP16": np.float16,
    "FP32": np.float32,
    "FP64": np.float64,
}


def tensor(name, datatype, array, binary):
    made = InferInput(name, list(array.shape), datatype)
    made.set_data_from_numpy(array, binary_data=binary)
    return made


async def echo(client, datatype, kind, binary):
    array = np.array([0, 1, 1, 0, 1], dtype=kind)
    given = [tensor("IN", datatype, array, binary)]
    reply = await client.infer(InferRequest(f"echo_{datatype.lower()}", given, request_id="k"))
    got = reply.outputs[0].as_numpy()
    return reply.id == "k" and got.dtype == array.dtype and np.array_equal(got, array)


async def choose_output(client):
    texts = np.array([b"one", "zwölf".encode()], dtype=object)
    inputs = [
        tensor("A", "INT32", np.array([[1, -2]], np.int32), True),
        tensor("B", "BYTES", texts, True),
    ]
    wanted = [RequestedOutput("B_OUT")]
    parameters = {"text": "ö", "flag": True, "number": -1}
    request = InferRequest("pair", inputs, parameters=parameters, request_outputs=wanted)
    reply = await client.infer(request)
    return [o.name for o in reply.outputs], [t.decode() for t in reply.outputs[0].as_numpy()]


async def refusal(client):
    try:
        await client.infer(InferRequest("nosuch", []))
    except grpc.RpcError as error:
        return error.code().name, error.details()
    return None


async def talk(address):
    async with InferenceGRPCClient(address) as client:
        told = {
            "live": await client.is_server_live(),
            "ready": await client.is_server_ready(),
            "model": await client.is_model_ready("pair"),
            "output": await choose_output(client),
            "refusal": await refusal(client),
        }
        for datatype, kind in DATATYPES.items():
            told[f"raw {datatype}"] = await echo(client, datatype, kind, True)
            if datatype != "FP16":
                told[f"typed {datatype}"] = await echo(client, datatype, kind, False)
    return told


logging.disable(logging.CRITICAL)
print(json.dumps(asyncio.run(talk(sys.argv[1])), default=bool))
