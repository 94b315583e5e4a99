#!/usr/bin/env python3
"""Makes the small networks beside this file, for the tests of engine onnx (needs the package onnx).

The files are kept in the repository so that building and testing need no Python packages.
"""

import pathlib

from onnx import TensorProto, checker, helper

HERE = pathlib.Path(__file__).resolve().parent
TYPES = [
    "BOOL",
    "UINT8",
    "UINT16",
    "UINT32",
    "UINT64",
    "INT8",
    "INT16",
    "INT32",
    "INT64",
    "FLOAT16",
    "FLOAT",
    "DOUBLE",
    "BFLOAT16",
]


def tensor(name, dtype, shape):
    return helper.make_tensor_value_info(name, getattr(TensorProto, dtype), shape)


def save(name, nodes, inputs, outputs, constants=()):
    graph = helper.make_graph(nodes, name, inputs, outputs, list(constants))
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", 16)],
        ir_version=8,
        producer_name="sluice-tests",
    )
    checker.check_model(model)
    (HERE / f"{name}.onnx").write_bytes(model.SerializeToString())


def constant(name, dtype, dims, values):
    return helper.make_tensor(name, getattr(TensorProto, dtype), dims, values)


# y = x + 1 and z = x * 2, rows free.
save(
    "rows",
    [
        helper.make_node("Add", ["x", "one"], ["y"]),
        helper.make_node("Mul", ["x", "two"], ["z"]),
    ],
    [tensor("x", "FLOAT", ["n", 4])],
    [tensor("y", "FLOAT", ["n", 4]), tensor("z", "FLOAT", ["n", 4])],
    [constant("one", "FLOAT", [1], [1.0]), constant("two", "FLOAT", [1], [2.0])],
)

# sum = a + b, every dimension fixed.
save(
    "fixed",
    [helper.make_node("Add", ["a", "b"], ["sum"])],
    [tensor("a", "INT64", [2, 3]), tensor("b", "INT64", [2, 3])],
    [tensor("sum", "INT64", [2, 3])],
)

# Each datatype through unchanged.
save(
    "types",
    [helper.make_node("Identity", [f"in_{t}"], [f"out_{t}"]) for t in TYPES],
    [tensor(f"in_{t}", t, ["n"]) for t in TYPES],
    [tensor(f"out_{t}", t, ["n"]) for t in TYPES],
)

# Texts.
save(
    "texts",
    [helper.make_node("Identity", ["t"], ["u"])],
    [tensor("t", "STRING", ["n"])],
    [tensor("u", "STRING", ["n"])],
)

# Fails for every row count that is not divisible by three.
save(
    "threes",
    [helper.make_node("Reshape", ["x", "shape"], ["y"])],
    [tensor("x", "FLOAT", ["n"])],
    [tensor("y", "FLOAT", [3, "m"])],
    [constant("shape", "INT64", [2], [3, -1])],
)

# s = n times a half of itself and one: as long as n says.
save(
    "long",
    [
        helper.make_node(
            "Loop",
            ["n", "", "x"],
            ["s"],
            body=helper.make_graph(
                [
                    helper.make_node("Identity", ["go_in"], ["go_out"]),
                    helper.make_node("Mul", ["s_in", "half"], ["s_half"]),
                    helper.make_node("Add", ["s_half", "one"], ["s_out"]),
                ],
                "body",
                [
                    tensor("i", "INT64", []),
                    tensor("go_in", "BOOL", []),
                    tensor("s_in", "FLOAT", []),
                ],
                [tensor("go_out", "BOOL", []), tensor("s_out", "FLOAT", [])],
                [
                    constant("half", "FLOAT", [], [0.5]),
                    constant("one", "FLOAT", [], [1.0]),
                ],
            ),
        )
    ],
    [tensor("n", "INT64", []), tensor("x", "FLOAT", [])],
    [tensor("s", "FLOAT", [])],
)
