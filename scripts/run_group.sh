#!/usr/bin/env bash
# run_group.sh - runs one group of ./check by itself, as a process that can be ended when it takes too long.
#
#   scripts/run_group.sh TIER GROUP[:PART] [ARGS...]    TIER may be empty; PART is a group's first argument
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
group=${2%%:*}
part=${2#"$group"}
runner_args=(${part:+"${part#:}"} "${@:3}")
# shellcheck source=scripts/check_groups.sh
. scripts/check_groups.sh
"group_$group"
