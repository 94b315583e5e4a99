"""scripts/nm_check.sh passes an archive that only computes and names what another one imports."""

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts/nm_check.sh"


def archive(tmp_path, source):
    code, obj, lib = tmp_path / "a.c", tmp_path / "a.o", tmp_path / "liba.a"
    code.write_text(source)
    subprocess.run(["gcc", "-std=gnu11", "-w", "-O1", "-c", code, "-o", obj], check=True)
    subprocess.run(["ar", "rcs", lib, obj], check=True)
    return lib


def run(*archives):
    return subprocess.run([SCRIPT, *archives], capture_output=True, text=True)


def test_computation_passes(tmp_path):
    lib = archive(
        tmp_path,
        """
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <assert.h>
        int sl_buf_append(void *b, const void *p, size_t n);
        static int by_value(const void *a, const void *b) { return *(int *)a - *(int *)b; }
        int own(char *out, int *v, size_t n)
        {
            assert(n > 0);
            qsort(v, n, sizeof *v, by_value);
            memcpy(out, v, n);
            sl_buf_append(out, malloc(n), strlen(out));
            return snprintf(out, n, "%d", v[0]);
        }
        """,
    )
    result = run(lib)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("call", "symbol"),
    [
        ("clock_gettime(0, 0)", "clock_gettime"),
        ("time(0)", "time"),
        ("socket(1, 2, 3)", "socket"),
        ("pthread_create(0, 0, 0, 0)", "pthread_create"),
        ("fopen(0, 0)", "fopen"),
        ("open(0, 0)", "open"),
        ("printf(s)", "printf"),
        ("zmq_send(0, 0, 0, 0)", "zmq_send"),
        ("getenv(s)", "getenv"),
        ("rand()", "rand"),
        ("sl_log_line(0, s)", "sl_log_line"),
        ("sl_clock_real()", "sl_clock_real"),
    ],
)
def test_each_impurity_is_named(tmp_path, call, symbol):
    result = run(archive(tmp_path, f"int f(char *s) {{ return (int){call}; }}\n"))
    assert result.returncode == 1
    assert f"imports {symbol}," in result.stdout
    assert "a.o" in result.stdout


def test_missing_archive_is_an_error(tmp_path):
    result = run(tmp_path / "none.a")
    assert result.returncode == 1
    assert "no such archive" in result.stdout
