#!/usr/bin/env python3
"""Makes a model directory of the magika package: a small network that tells a file's type.

    scripts/prepare_magika.py VENV MODELS

VENV is a Python environment with magika and onnxruntime in it (scripts/venv.sh magika). Writes
MODELS/magika/: 1/model.onnx, model.yaml (which names the environment's ONNX Runtime library) and
magika.json (what a client needs to build the input and to read the output). A file that is already
right is left alone.
"""

import json
import sys
from pathlib import Path

MODEL_YAML = """\
# Made by scripts/prepare_magika.py. What kind of file is it? Input: for each file, bytes from its
# beginning and its end; output: the probability of each label in magika.json.
engine: onnx
duration: 5s
inputs:  [{{name: bytes, datatype: INT32, shape: [-1, {input_size}]}}]
outputs: [{{name: target_label, datatype: FP32, shape: [-1, {label_count}]}}]
onnx:
  library: {library}
"""


def fail(sentence):
    sys.exit(f"prepare_magika: {sentence}")


def one(paths, what):
    found = sorted(paths)
    if len(found) != 1:
        fail(f"{what}: 1 expected, {len(found)} found")
    return found[0]


def write_if_new(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_bytes() != content:
        path.write_bytes(content)


def prepare(site, target):
    package = site / "magika"
    if not package.is_dir():
        fail(f"no package magika in {site}")
    model = one(package.glob("models/*/model.onnx"), f"model.onnx under {package}/models")
    library = one(site.glob("onnxruntime/capi/libonnxruntime.so*"), f"libonnxruntime.so in {site}")
    config = json.loads((model.parent / "config.min.json").read_text(encoding="utf-8"))
    kinds = json.loads((package / "config/content_types_kb.min.json").read_text(encoding="utf-8"))

    text = MODEL_YAML.format(
        input_size=config["beg_size"] + config["mid_size"] + config["end_size"],
        label_count=len(config["target_labels_space"]),
        library=json.dumps(str(library.resolve())),
    )
    client = json.dumps({"config": config, "content_types": kinds}, sort_keys=True)
    write_if_new(target / "1/model.onnx", model.read_bytes())
    write_if_new(target / "magika.json", client.encode())
    write_if_new(target / "model.yaml", text.encode())


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    venv, models = Path(sys.argv[1]), Path(sys.argv[2])
    site = one(venv.glob("lib/python3*/site-packages"), f"site-packages in {venv}")
    prepare(site, models / "magika")


if __name__ == "__main__":
    main()
