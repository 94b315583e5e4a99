#!/usr/bin/env bash
# venv.sh - makes the pinned Python environment of a group if it is not there, and prints its path.
#
#   scripts/venv.sh e2e            tests/requirements-e2e.txt -> build/venv/e2e-<hash>
#
# The hash is of the requirements and of Python's version: an environment is never changed, only made.
set -euo pipefail
cd "$(dirname "$0")/.."

group=${1:?usage: scripts/venv.sh GROUP}
requirements=tests/requirements-$group.txt
[ -f "$requirements" ] || {
    echo "venv: no such group '$group': $requirements is not there" >&2
    exit 1
}
python=${PYTHON:-python3}
hash=$({ cat "$requirements" && "$python" -VV; } | sha256sum | cut -c1-12)
venv=$PWD/build/venv/$group-$hash

mkdir -p build/venv
exec 9>"build/venv/.lock-$group"
flock 9
if [ ! -f "$venv/.ready" ]; then
    echo "venv: making $group from $requirements" >&2
    rm -rf "$venv"
    "$python" -m venv "$venv" >&2
    "$venv/bin/pip" install -q --disable-pip-version-check --no-input --retries 5 \
        -r "$requirements" >&2 9>&-
    touch "$venv/.ready"
fi
echo "$venv"
