#!/usr/bin/env bash
# nm_check.sh - shows that core archives are pure by what they import.
#
#   scripts/nm_check.sh build/release/lib/libgw_core.a [more.a ...]
#
# A core may call itself, the base library (but not its clock and log), and C functions that only
# compute. Anything else (a clock, thread, socket, file, another library) is named; exit 1.
set -euo pipefail

# C functions that only compute (errno, the heap and the compiler's 128-bit division and counting of bits included). Fortified names (__memcpy_chk) count too.
pure='mem(cpy|move|set|cmp|chr|rchr|mem)
str(len|nlen|cmp|ncmp|casecmp|ncasecmp|chr|rchr|str|spn|cspn|pbrk|cpy|ncpy|cat|ncat|tok_r|toul|tol|toull|toll|tod|dup|ndup)
(isoc99_|isoc23_)?v?s(n?printf|scanf)
(isoc23_)?strto(l|ul|ll|ull)
inet_(pton|ntop)
(malloc|calloc|realloc|reallocarray|free|abort|qsort|bsearch)
(assert_fail|stack_chk_fail|errno_location|ctype_b_loc|ctype_tolower_loc|ctype_toupper_loc)
(fabs|floor|ceil|round|lround|llround|exp|exp2|log|log2|log10|pow|sqrt|fmin|fmax|isnan|isinf)f?
u?(div|mod)ti3
popcount[dt]i2
_GLOBAL_OFFSET_TABLE_'
pure=$(tr '\n' '|' <<<"$pure" | sed 's/|$//')
base='sl_[a-z0-9_]+'
base_refused='sl_(log|clock)(_.*)?'

[ $# -gt 0 ] || {
    echo "usage: scripts/nm_check.sh ARCHIVE..." >&2
    exit 2
}

check_archive() {
    local archive=$1 own imported
    own=$(nm -g --defined-only "$archive" 2>/dev/null | awk 'NF == 3 {print $3}' | sort -u)
    imported=$(nm -u "$archive" 2>/dev/null | awk '$1 ~ /^[Uwv]$/ {print $2}' | sed 's/@.*//' | sort -u)
    comm -23 <(printf '%s\n' "$imported") <(printf '%s\n' "$own") | sed '/^$/d' |
        while read -r symbol; do
            plain=$(sed -E 's/^__//; s/_chk$//' <<<"$symbol")
            if [[ $symbol =~ ^($base)$ ]] && ! [[ $symbol =~ ^($base_refused)$ ]]; then
                continue
            fi
            [[ $symbol =~ ^($pure)$ || $plain =~ ^($pure)$ ]] && continue
            echo "$archive: imports $symbol, from:" \
                "$(nm -uA "$archive" 2>/dev/null | awk -v s="$symbol" '$NF == s {print $1}' |
                    cut -d: -f2 | sort -u | tr '\n' ' ')"
        done
}

found=$(for archive in "$@"; do
    [ -f "$archive" ] || echo "$archive: no such archive: build it first"
    check_archive "$archive"
done)
if [ -n "$found" ]; then
    echo "$found"
    exit 1
fi
echo "nm: $# archives, nothing but computation imported"
