"""The C++ client of tests/e2e/cpp: building it, running a scenario of it."""

import os
import shutil
import subprocess

from .paths import ROOT, SLOW

SOURCES = ROOT / "tests/e2e/cpp"
OUT = ROOT / "build/cpp_client"


def why_not():
    """What is missing to build it; None: nothing."""
    asked = subprocess.run(["pkg-config", "--exists", "grpc++"], check=False)
    if asked.returncode == 0 and shutil.which("grpc_cpp_plugin") and shutil.which("protoc"):
        return None
    return "libgrpc++-dev is not there: scripts/deps.sh check installs it"


def build():
    """The program; a build of the same sources takes no time."""
    configure = ["cmake", "-S", SOURCES, "-B", OUT, "-G", "Ninja"]
    for command in (configure, ["cmake", "--build", OUT]):
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stdout + made.stderr
    return OUT / "cpp_client"


def run(program, address, *words, **environment):
    """Runs a scenario; the test fails with its sentence when it fails."""
    done = subprocess.run(
        [program, address, *words],
        capture_output=True,
        text=True,
        timeout=120 * SLOW,
        env={**os.environ, **environment},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"ok {words[0]}\n"
