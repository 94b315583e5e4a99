#!/usr/bin/env bash
# cuda_assert.sh - compares our prototypes of CUDA and NVML with NVIDIA's own headers.
#
#   scripts/cuda_assert.sh [SLICE_DIR]
#
# The headers come from pinned PyPI wheels (tests/requirements-cuda.txt); nothing is linked or run.
set -euo pipefail
cd "$(dirname "$0")/.."
slice=${1:-executor/slice}

venv=$(scripts/venv.sh cuda)
site=$(echo "$venv"/lib/python3*/site-packages/nvidia)
for source in ex_cuda_assert.c ex_nvml_assert.c; do
    "${CC:-gcc}" -std=gnu11 -Wall -Wextra -Werror -fsyntax-only -I "$slice" -Icommon \
        -isystem "$site/cuda_runtime/include" -isystem "$site/nvml_dev/include" "$slice/$source"
done
versions=$(sed -n 's/^#define CUDA_VERSION */cuda.h /p' "$site/cuda_runtime/include/cuda.h")
echo "cuda: prototypes, types and values agree with $versions and its nvml.h"
