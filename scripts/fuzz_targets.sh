#!/usr/bin/env bash
# fuzz_targets.sh - the fuzz targets: name and seconds in a soak, one line each, the longest first.
#
# Ten minutes for what strangers and peers can reach first, two for the others.
set -euo pipefail
cd "$(dirname "$0")/.."
for source in tests/fuzz/fuzz_*.c tests/fuzz/*/fuzz_*.c; do
    name=${source##*/fuzz_}
    name=${name%.c}
    case $name in
    gw_whole | gw_grpc_frame | gw_infer_peek) seconds=600 ;;
    gw_link | gw_link_wire | ex_whole | ex_link_wire) seconds=600 ;;
    *) seconds=120 ;;
    esac
    echo "$name $seconds"
done | sort -s -k 2,2nr
