"""Model directories made for a test."""

import shutil

from .paths import EXAMPLE_MODELS

# Each datatype that typed contents can carry, and the field of InferTensorContents that does.
TYPED_FIELD = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
RAW_ONLY = ["FP16", "BF16"]


def write_model(models, name, text):
    folder = models / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.yaml").write_text(text)
    return folder


def write_identity_of(models, datatype, duration="5s"):
    """echo_fp32 and so on: one input and one output of any length."""
    return write_model(
        models,
        f"echo_{datatype.lower()}",
        f"""\
engine: identity
duration: {duration}
inputs:  [{{name: IN, datatype: {datatype}, shape: [-1]}}]
outputs: [{{name: OUT, datatype: {datatype}, shape: [-1]}}]
""",
    )


def write_fake(models, name, *, duration="30s", max_duration="30s", **script):
    """A model of engine fake whose script each call may change by parameters fake_..."""
    lines = "".join(f"  {key}: {value}\n" for key, value in script.items())
    return write_model(
        models,
        name,
        f"""\
engine: fake
duration: {duration}
max_duration: {max_duration}
inputs:  [{{name: IN, datatype: FP32, shape: [-1]}}]
outputs: [{{name: OUT, datatype: FP32, shape: [-1]}}]
"""
        + ("fake:\n" + lines if lines else ""),
    )


def standard_models(models):
    """identity, one echo per datatype, a two-in-two-out echo, a scripted model, one that tells its
    parameters."""
    shutil.copytree(EXAMPLE_MODELS / "identity", models / "identity")
    for datatype in [*TYPED_FIELD, *RAW_ONLY]:
        write_identity_of(models, datatype)
    write_model(
        models,
        "pair",
        """\
engine: identity
duration: 5s
inputs:
  - {name: A, datatype: INT32, shape: [-1, 2]}
  - {name: B, datatype: BYTES, shape: [-1]}
outputs:
  - {name: A_OUT, datatype: INT32, shape: [-1, 2]}
  - {name: B_OUT, datatype: BYTES, shape: [-1]}
""",
    )
    write_fake(models, "scripted", result="copy")
    write_model(
        models,
        "told",
        """\
engine: fake
inputs:  [{name: IN, datatype: FP32, shape: [-1]}]
outputs: [{name: OUT, datatype: FP32, shape: [-1]}, {name: PARAMS, datatype: BYTES, shape: [-1]}]
fake: {result: params}
""",
    )
    return models
