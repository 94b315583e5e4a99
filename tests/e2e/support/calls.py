"""Inference requests and what came back."""

import struct

import grpc
import numpy as np

from .stubs import pb


def request(model, inputs, *, version="", call_id="", params=None, outputs=()):
    """inputs: [(name, datatype, shape, raw bytes)]; all raw."""
    message = pb().ModelInferRequest(model_name=model, model_version=version, id=call_id)
    for name, datatype, shape, raw in inputs:
        message.inputs.add(name=name, datatype=datatype, shape=shape)
        message.raw_input_contents.append(raw)
    for name in outputs:
        message.outputs.add(name=name)
    set_params(message, params or {})
    return message


def set_params(message, params):
    for name, value in params.items():
        param = message.parameters[name]
        if isinstance(value, bool):
            param.bool_param = value
        elif isinstance(value, int):
            param.int64_param = value
        elif isinstance(value, float):
            param.double_param = value
        else:
            param.string_param = value


def identity_request(rows=1, **kwargs):
    values = np.arange(rows * 4, dtype=np.float32)
    return request("identity", [("INPUT0", "FP32", [rows, 4], values.tobytes())], **kwargs)


def scripted_request(model="scripted", values=(1.0, 2.0), **script):
    """A call of a fake model; script: run="50ms", crash="segv", ..."""
    raw = np.array(values, dtype=np.float32).tobytes()
    params = {f"fake_{name}": value for name, value in script.items()}
    return request(model, [("IN", "FP32", [len(values)], raw)], params=params)


def bytes_elements(elements):
    """BYTES elements in raw form."""
    return b"".join(struct.pack("<I", len(e)) + e for e in elements)


class Outcome:
    """A finished call: code, sentence, trailers."""

    def __init__(self, error):
        self.code = error.code()
        self.text = error.details() or ""
        self.trailers = dict(error.trailing_metadata() or ())


def refusal(function, message, timeout=20, **kwargs):
    """Calls, expects an error, returns it."""
    try:
        function(message, timeout=timeout, **kwargs)
    except grpc.RpcError as error:
        return Outcome(error)
    raise AssertionError("the call was answered; an error was expected")
