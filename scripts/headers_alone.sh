#!/usr/bin/env bash
# headers_alone.sh - compiles each of our headers by itself: a header includes what it needs.
#
#   scripts/headers_alone.sh BUILD_DIR      (for the generated headers)
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:?usage: scripts/headers_alone.sh BUILD_DIR}
[ -d "$build/proto" ] || {
    echo "headers: $build has no generated headers yet: build it first"
    exit 1
}

mapfile -t headers < <(git ls-files -co --exclude-standard 'common/*.h' 'gateway/*.h' \
    'executor/*.h' 'client/*.h' 'sim/*.h')
mapfile -t includes < <({
    printf '%s\n' "${headers[@]}" | xargs -n 1 dirname | sort -u
    echo client/include
    echo "$build/proto"
} | sed 's/^/-I/')
read -ra flags <<<"$(pkg-config --cflags libnghttp2 libuv libzmq openssl libmicrohttpd yaml-0.1 \
    libprotobuf-c jansson lua5.4)"

export CHECK_FLAGS="${includes[*]} ${flags[*]}"
# shellcheck disable=SC2016
printf '%s\n' "${headers[@]}" | xargs -P "$(nproc)" -I{} sh -c '
    printf "#include \"%s\"\nextern int headers_alone;\n" "{}" |
        gcc -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -fsyntax-only -I. $CHECK_FLAGS -x c - ||
        { echo "{}: does not compile alone"; exit 255; }'
echo "headers: ${#headers[@]} compile alone"
