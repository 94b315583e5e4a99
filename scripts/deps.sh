#!/usr/bin/env bash
# deps.sh - installs the Debian/Ubuntu packages that a kind of work needs, asking nothing.
#
#   scripts/deps.sh build          what ./quickstart compiles and runs with
#   scripts/deps.sh build check    and what ./check needs besides
#
# Does nothing (in milliseconds) when all are there; reads the package lists anew only when not.
set -euo pipefail

packages_build=(gcc libc6-dev cmake ninja-build pkg-config python3 python3-venv
    libuv1-dev libnghttp2-dev libssl-dev libzmq3-dev libmicrohttpd-dev libyaml-dev libjansson-dev
    libcurl4-openssl-dev zlib1g-dev libsqlite3-dev libprotobuf-c-dev protobuf-c-compiler uthash-dev
    liblua5.4-dev libcmocka-dev)
packages_check=(binutils curl openssl git clang-format-14 clang-tidy-14 g++ libgrpc++-dev libprotobuf-dev
    protobuf-compiler protobuf-compiler-grpc nghttp2-client libfaketime)
packages_fuzz=(clang-14 libclang-rt-14-dev llvm-14)
packages_soak=(valgrind)
packages_bench=(g++ nghttp2-client nghttp2-server nginx haproxy libgrpc++-dev libprotobuf-dev protobuf-compiler
    protobuf-compiler-grpc)

fail() {
    echo "deps: $*" >&2
    exit 1
}

# Prints those of its arguments that are not installed, one per line.
missing_of() {
    local have
    have=$(dpkg-query -W -f='${db:Status-Abbrev}${Package}\n' "$@" 2>/dev/null |
        sed -n 's/^ii //p' || true)
    comm -23 <(printf '%s\n' "$@" | sort -u) <(sort -u <<<"$have")
}

# Runs a command as root: directly, or by sudo (which may ask only where somebody can answer).
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif ! command -v sudo >/dev/null; then
        fail "not root and no sudo here: have an administrator install: ${missing[*]}"
    elif [ -t 0 ]; then
        sudo "$@"
    else
        sudo -n "$@"
    fi
}

apt() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
        -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@" </dev/null
}

[ $# -gt 0 ] || fail "which packages? one or more of: build check fuzz soak bench"
wanted=()
for kind in "$@"; do
    case $kind in
    build) wanted+=("${packages_build[@]}") ;;
    check) wanted+=("${packages_check[@]}") ;;
    fuzz) wanted+=("${packages_fuzz[@]}") ;;
    soak) wanted+=("${packages_soak[@]}") ;;
    bench) wanted+=("${packages_bench[@]}") ;;
    *) fail "unknown kind '$kind': build, check, fuzz, soak or bench" ;;
    esac
done

command -v dpkg-query >/dev/null ||
    fail "this is no Debian or Ubuntu; install the equivalents of: ${wanted[*]}"
mapfile -t missing < <(missing_of "${wanted[@]}")
[ ${#missing[@]} -gt 0 ] || exit 0

echo "deps: installing ${missing[*]}"
apt update || echo "deps: the package lists could not be read anew; trying with those at hand" >&2
apt install --no-install-recommends "${missing[@]}"
