#!/usr/bin/env python3
"""Writes the inputs of fuzz_gw_form, fuzz_gw_infer_peek and fuzz_gw_link_wire: messages by field.

    tests/fuzz/corpus/make_gateway.py

The files are committed; run it again after adding a message below.
"""

import pathlib
import struct

HERE = pathlib.Path(__file__).parent


def varint(n):
    n &= (1 << 64) - 1
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes(out) + bytes([n])


def number(field, value):
    return varint(field << 3) + varint(value)


def data(field, content):
    content = content.encode() if isinstance(content, str) else content
    return varint(field << 3 | 2) + varint(len(content)) + content


def packed(field, values):
    return data(field, b"".join(varint(v) for v in values))


def tensor(name, datatype, shape, contents=b""):
    typed = data(5, contents) if contents else b""
    return data(5, data(1, name) + data(2, datatype) + packed(3, shape) + typed)


def param(name, choice):
    return data(4, data(1, name) + data(2, choice))


floats = struct.pack("<3f", 1, 2, 3)
text = struct.pack("<I", 2) + b"ab" + struct.pack("<I", 0)

requests = {
    "raw_fp32": data(1, "m") + data(3, "id") + tensor("IN", "FP32", [3]) + data(7, floats),
    "raw_bytes": data(1, "m") + tensor("IN", "BYTES", [2]) + data(7, text),
    "raw_fp16": data(1, "m") + tensor("IN", "FP16", [1]) + data(7, b"\0\x3c"),
    "two_raw": data(1, "m")
    + tensor("SCALAR", "FP64", [])
    + tensor("IN", "BYTES", [2])
    + data(7, b"\0" * 8)
    + data(7, text)
    + data(6, data(1, "IN")),
    "empty": data(1, "m") + tensor("IN", "UINT8", [0]) + data(7, b""),
    "typed_fp32": data(1, "m") + tensor("IN", "FP32", [3], data(6, floats)),
    "typed_split": data(1, "m")
    + tensor("IN", "FP32", [4], data(6, floats) + varint(6 << 3 | 5) + floats[:4]),
    "typed_int8": data(1, "m") + tensor("IN", "INT8", [3], packed(2, [-128, 0, 127])),
    "typed_int64": data(1, "m") + tensor("IN", "INT64", [2], packed(3, [-(2**63), 7])),
    "typed_uint8_300": data(1, "m") + tensor("IN", "UINT8", [1], packed(4, [300])),
    "typed_bool": data(1, "m") + tensor("IN", "BOOL", [3], packed(1, [1, 0, 9])),
    "typed_bytes": data(1, "m") + tensor("IN", "BYTES", [2], data(8, "ab") + data(8, "")),
    "typed_scalar_and_bytes": data(1, "m")
    + tensor("SCALAR", "FP64", [], data(7, b"\0" * 8))
    + tensor("IN", "BYTES", [1], data(8, "abc")),
    "params": data(1, "m")
    + param("b", number(1, 1))
    + param("i", number(2, -1))
    + param("s", data(3, "text"))
    + param("d", varint(4 << 3 | 1) + struct.pack("<d", 0.5))
    + param("u", number(5, 2**64 - 1)),
    "shared_memory": data(1, "m")
    + data(5, data(1, "IN") + data(4, data(1, "shared_memory_region"))),
    "huge_shape": data(1, "m") + tensor("IN", "FP32", [2**62]) + data(7, floats),
}

spec = data(1, "IN") + data(2, "FP32") + packed(3, [-1, 4])
model = (
    data(1, "m")
    + data(2, "1")
    + data(3, "onnx")
    + data(4, spec)
    + data(5, spec)
    + number(6, 1000)
    + number(7, 5000)
)
slice_ = number(1, 1) + data(2, "cpu0") + data(3, "cpu") + number(4, 1 << 30) + number(5, 500)
hello = (
    number(1, 1)
    + number(2, 1)
    + data(3, "node-1")
    + data(4, "0.1")
    + data(5, slice_)
    + data(6, model)
    + number(7, 1 << 26)
    + number(8, 32768)
    + number(9, 63)
)
output = data(1, "OUT") + data(2, "FP32") + packed(3, [1, 3]) + number(4, 0) + number(5, 12)
result = number(1, 9) + data(4, output) + number(7, 1500) + number(8, 1)

ended = (
    number(1, 5 << 16 | 1)
    + varint(2 << 3 | 1)
    + struct.pack("<Q", 77)
    + number(3, 9)
    + data(5, "m")
    + number(6, 1)
    + number(7, 1500)
    + data(8, "EXECUTOR_LOST")
    + number(9, 1700000000000000)
    + number(10, 1700000000001500)
)

batches = {
    "hello": number(1, 7) + data(2, hello),
    "hello_twice_the_model": number(1, 7) + data(2, hello + data(6, model)),
    "hello_unknown_datatype": number(1, 7)
    + data(2, hello + data(6, data(1, "x") + data(4, data(2, "FP8")))),
    "news": number(1, 7)
    + data(3, number(1, 9))
    + data(4, result + data(5, floats))
    + data(5, number(1, 10) + data(2, "NO_CAPACITY"))
    + number(7, 100)
    + number(8, 1),
    "failure": number(1, 7) + data(4, number(1, 9) + data(2, "MODEL_ERROR") + data(3, "why")),
    "by_bulk": number(1, 7) + data(4, result + number(6, 12)),
    "ended": number(1, 7)
    + data(10, ended + data(4, bytes(range(16))))
    + data(10, ended + number(7, 2**64 - 1)),
    "ended_half_a_call_id": number(1, 7) + data(10, ended + data(4, bytes(8))),
    "result_with_its_record": number(1, 7) + data(4, result + number(10, 3 << 16)),
    "no_session": number(7, 1),
    "bulk_header": number(1, 7) + number(2, 9) + number(3, 1 << 20) + number(4, 1 << 30),
    "bulk_first": number(1, 7),
}

# Before each its method, as gw_method.h counts them.
forms = {
    "create_token": bytes([17])
    + data(1, "ana")
    + data(2, "pro")
    + data(3, "demo")
    + number(4, 1)
    + number(5, 3600),
    "list_receipts": bytes([11])
    + number(1, 5)
    + number(2, 6)
    + data(3, "demo")
    + number(5, 200)
    + number(6, 7)
    + data(7, "ip:2001:DB8::/64")
    + number(8, 1),
    "issue": bytes([13]) + data(1, "Zoë") + data(2, "2001:db8::1") + data(3, "free"),
    "register_app": bytes([23]) + data(1, "demo") + data(2, "user:ana") + data(3, "pro"),
    "usage": bytes([28]) + number(3, 2) + number(4, 2) + data(5, "app:demo/7") + number(7, 1),
    "grant_less": bytes([29]) + data(1, "ip:203.0.113.7") + number(2, -7) + data(3, "gift"),
    "account_of_an_address": bytes([21]) + data(1, "ip:2001:db8:0:1::5"),
    "page_below_0": bytes([33]) + number(2, -1),
    "text_with_nul": bytes([21]) + data(1, b"user:a\0b"),
    "cut": bytes([21]) + data(1, "user:ana")[:-2],
}

made = {
    "fuzz_gw_form": forms,
    "fuzz_gw_infer_peek": requests,
    "fuzz_gw_link_wire": batches,
}
for folder, messages in made.items():
    (HERE / folder).mkdir(exist_ok=True)
    for name, message in messages.items():
        (HERE / folder / name).write_bytes(message)
