# check_groups.sh - the groups of ./check, one function each; sourced by run_group.sh.
#
# A group prints what it does (its log), returns 0 (good), 77 (skipped; the last line says why) or
# anything else (bad). It may leave beside its log
#   build/check/GROUP.counts   "PASSED FAILED SKIPPED", when it ran single tests
#   build/check/GROUP.rerun    a command line for each failure
#   build/check/GROUP.note     a few words for its row
#   build/check/GROUP.said     what tests printed of their counts and measures
# shellcheck shell=bash
# shellcheck disable=SC2154 # runner_args is run_group's

jobs=${CHECK_JOBS:-$(nproc)}
export SLUICE_SCALE=${SLUICE_SCALE:-$([ "${1:-}" = soak ] && echo 1 || echo 0.05)}
export TSAN_OPTIONS="suppressions=$PWD/tests/support/tsan.supp${TSAN_OPTIONS:+:$TSAN_OPTIONS}"

our_c() { git ls-files -co --exclude-standard '*.c' '*.h'; }
our_shell() { git ls-files -co --exclude-standard | xargs grep -lIE -m1 '^#!.*\b(ba)?sh$' || true; }
our_python() { git ls-files -co --exclude-standard '*.py'; }

# --- style ------------------------------------------------------------------------------------------

group_format() {
    local bad
    bad=$(our_c | xargs clang-format-14 --dry-run --Werror 2>&1 | sed -n 's/:[0-9:]* error:.*//p' | sort -u)
    [ -z "$bad" ] && return 0
    printf 'layout of: %s\n' $bad
    echo "to mend:   clang-format-14 -i" $bad
    return 1
}

group_layers() {
    scripts/layers.py
}

group_lint() {
    local venv status=0
    venv=$(scripts/venv.sh lint) || return 1
    our_shell | xargs "$venv/bin/shellcheck" -x || status=1
    our_python | xargs "$venv/bin/ruff" check --config scripts/ruff.toml || status=1
    our_python | xargs "$venv/bin/ruff" format --check --config scripts/ruff.toml || status=1
    git ls-files -co --exclude-standard 'docker/*Dockerfile*' |
        xargs -r "$venv/bin/hadolint" --config docker/hadolint.yaml || status=1
    return $status
}

group_docs() {
    scripts/check_docs.py
}

# --- builds -----------------------------------------------------------------------------------------

build_preset() {
    cmake --preset "$1" && cmake --build "build/$1" -j "$jobs"
}
group_build() { build_preset release; }
group_asan_build() { build_preset asan; }
group_tsan_build() { build_preset tsan; }
group_fuzz_build() { cmake --preset fuzz && cmake --build build/fuzz -j "$jobs" --target fuzzers; }

group_headers() {
    scripts/headers_alone.sh build/release
}

group_nm() {
    scripts/nm_check.sh build/release/lib/libgw_core.a build/release/lib/libex_core.a
}

group_tidy() {
    local files
    mapfile -t files < <(our_c | grep -E '^(common|gateway|executor|client|sim)/.*\.c$' | grep -v _assert)
    printf '%s\n' "${files[@]}" |
        xargs -P "$jobs" -n 4 clang-tidy-14 -p build/release --quiet --warnings-as-errors='*'
}

group_cuda() {
    scripts/cuda_assert.sh
}

# --- tests ------------------------------------------------------------------------------------------

# The library of the pinned ONNX Runtime, for tests of its engine.
onnxruntime() {
    local venv
    venv=$(scripts/venv.sh magika) && echo "$venv"/lib/python3*/site-packages/onnxruntime/capi/libonnxruntime.so.*
}

# run_ctest GROUP PRESET CTEST-ARGS...: cmocka programs, corpus replays and the simulator.
run_ctest() {
    local group=$1 preset=$2 rc
    shift 2
    SLUICE_ONNXRUNTIME=$(onnxruntime) || return 1
    export SLUICE_ONNXRUNTIME
    ctest --test-dir "build/$preset" -j "$jobs" --output-on-failure --no-tests=error \
        --output-junit "$PWD/build/check/$group.xml" "$@" "${runner_args[@]}"
    rc=$?
    scripts/tally.py "build/check/$group" "ctest --test-dir build/$preset --output-on-failure -R ^%s\$"
    return $rc
}

# run_pytest GROUP PRESET PYTEST-ARGS...: real processes of that build; what follows -- on the command
# line takes the place of PYTEST-ARGS.
run_pytest() {
    local group=$1 preset=$2 venv rc
    shift 2
    [ ${#runner_args[@]} = 0 ] || set -- "${runner_args[@]}"
    venv=$(scripts/venv.sh e2e) || return 1
    SLUICE_BUILD=$PWD/build/$preset "$venv/bin/python" -m pytest -c tests/e2e/pytest.ini \
        --rootdir=. --junitxml="build/check/$group.xml" -o junit_logging=system-out "$@"
    rc=$?
    scripts/tally.py "build/check/$group" "./check $group -- '%s'"
    return $rc
}

group_unit() { run_ctest unit release; }
group_asan() { run_ctest asan asan; }
group_tsan() { run_ctest tsan tsan; }
group_scripts() { run_pytest scripts release tests/scripts; }
group_client() { run_pytest client release tests/unit/client; }
group_smoke() { run_pytest smoke release -m smoke tests/e2e; }
group_e2e() { run_pytest e2e release tests/e2e --ignore tests/e2e/test_magika.py; }
# The release build is the one that counts to a million.
group_asan_e2e() { SLUICE_SCALE=0.05 run_pytest asan_e2e asan tests/e2e --ignore tests/e2e/test_magika.py; }
group_asan_smoke() { run_pytest asan_smoke asan -m smoke tests/e2e; }
group_tsan_smoke() { run_pytest tsan_smoke tsan -m smoke tests/e2e; }
group_magika() { run_pytest magika release tests/e2e/test_magika.py; }

# Every unit test under valgrind, which sees what the sanitizers of a build of ours cannot: reads of
# uninitialised memory, in libraries too.
group_valgrind() {
    local test passed=0 failed=0
    for test in build/release/tests/test_*; do
        case ${test##*/} in
        test_ex_channel) continue ;;    # counts descriptors; valgrind has its own
        test_gw_tls_nomem) continue ;;  # thousands of handshakes: the sanitizer build has its turn at them
        esac
        echo "== $test"
        if UNDER_VALGRIND=1 valgrind -q --leak-check=full --errors-for-leak-kinds=definite --error-exitcode=9 \
            --child-silent-after-fork=yes "$test"; then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
            echo "valgrind -q --leak-check=full $test" >>build/check/valgrind.rerun
        fi
    done
    echo "$passed $failed 0" >build/check/valgrind.counts
    [ "$failed" = 0 ]
}

# Many days of invented traffic (ctest runs a few in every build).
group_sim() {
    local test
    for test in order any rough eta; do
        build/release/tests/test_sim_$test || return 1
    done
}

# fuzz_seconds NAME: as SLUICE_FUZZ_SECONDS says; else what fuzz_targets.sh says in a soak, 30 s elsewhere.
is_soak=$([ "${1:-}" = soak ] && echo yes || echo no)
fuzz_seconds() {
    local seconds=30
    [ "$is_soak" = no ] || seconds=$(scripts/fuzz_targets.sh | sed -n "s/^$1 //p")
    echo "${SLUICE_FUZZ_SECONDS:-$seconds}"
}

# fuzz_one NAME: from its corpus; what it finds is kept in build/fuzz/found.
fuzz_one() {
    local target=fuzz_$1 seconds
    seconds=$(fuzz_seconds "$1")
    mkdir -p build/fuzz/found "build/fuzz/grown/$target"
    echo "== $target for $seconds s"
    "build/fuzz/fuzz/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="build/fuzz/found/$target-" "build/fuzz/grown/$target" "tests/fuzz/corpus/$target"
}

# All targets, or the one that is named: fuzz:gw_link is fuzz_gw_link.
group_fuzz() {
    local base=build/check/fuzz${runner_args[0]:+:${runner_args[0]}} name passed=0 failed=0
    for name in ${runner_args[0]:-$(scripts/fuzz_targets.sh | cut -d ' ' -f 1)}; do
        if fuzz_one "$name"; then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
            echo "./check fuzz:$name" >>"$base.rerun"
        fi
    done
    echo "$passed $failed 0" >"$base.counts"
    awk '/number_of_executed_units/ { runs += $2 } END { printf "%d runs", runs }' "$base.log" >"$base.note"
    [ "$failed" = 0 ]
}

group_gpu() {
    if ! ls /dev/nvidia[0-9]* >/dev/null 2>&1; then
        echo "no GPU here: /dev/nvidia0 is not there"
        return 77
    fi
    run_ctest gpu release -L gpu
}
