"""Where things lie."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "bench" / "out"
DOCS = ROOT / "docs" / "BENCHMARKS.md"
COMPARE_SOURCE = ROOT / "bench" / "compare"
COMPARE_BUILD = ROOT / "build" / "bench" / "compare"
SLUICE_BUILD = ROOT / "build" / "release"
PROTOS = ROOT / "proto" / "inference"
METHOD = "/inference.GRPCInferenceService/ModelInfer"
