"""scripts/cuda_assert.sh notices a wrong prototype, value, size or place in our CUDA tables."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("file", "right", "wrong", "sign"),
    [
        ("ex_cuda_api.h", "Free_v2, (ex_cu_deviceptr ptr)", "Free_v2, (int ptr)", "cuMemFree_v2"),
        ("ex_cuda_api.h", "cuCtxDestroy_v2", "cuCtxDestroy_v9", "cuCtxDestroy_v9"),
        ("ex_cuda_api.h", "BLOCKING_SYNC = 0x4", "BLOCKING_SYNC = 0x5", "SCHED_BLOCKING_SYNC"),
        ("ex_cuda_api.h", "bytes[16]", "bytes[15]", "ex_cu_uuid"),
        ("ex_cuda_api.h", "unsigned short usage;", "unsigned char usage;", "alloc_flags.usage"),
        ("ex_nvml_api.h", "nvmlShutdown, (void)", "nvmlShutdown, (int now)", "nvmlShutdown"),
        ("ex_nvml_api.h", "unsigned pid;", "unsigned long pid;", "ex_nvml_process"),
        ("ex_nvml_api.h", "XID_CRITICAL = 0x8", "XID_CRITICAL = 0x10", "XID_CRITICAL"),
    ],
)
def test_a_difference_is_named(tmp_path, file, right, wrong, sign):
    changed = tmp_path / "slice"
    shutil.copytree(ROOT / "executor/slice", changed)
    text = (changed / file).read_text()
    assert right in text
    (changed / file).write_text(text.replace(right, wrong))
    result = subprocess.run(
        [ROOT / "scripts/cuda_assert.sh", changed], capture_output=True, text=True
    )
    assert result.returncode != 0
    assert sign in result.stderr
