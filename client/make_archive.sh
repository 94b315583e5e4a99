#!/bin/sh
# Makes libsluice.a: one object of the library and what it needs of ours, where only the names of the
# version script are global, so that a program's own names never clash with inner ones.
#   make_archive.sh OUT MAP LD OBJCOPY AR MAIN.a NEEDED.a...
set -eu
out=$1 map=$2 ld=$3 objcopy=$4 ar=$5 main=$6
shift 6
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sed -n '/global:/,/local:/s/^ *\(sluice_[a-z0-9_]*\);$/\1/p' "$map" >"$work/names"
"$ld" -r -o "$work/all.o" --whole-archive "$main" --no-whole-archive "$@"
"$objcopy" --keep-global-symbols="$work/names" "$work/all.o" "$work/sluice.o"
rm -f "$out"
"$ar" rcs "$out" "$work/sluice.o"
