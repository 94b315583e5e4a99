"""What has to be made before servers can start: programs, Python environments, a certificate."""

import subprocess

from .errors import BenchError
from .paths import COMPARE_BUILD, COMPARE_SOURCE, OUT, ROOT
from .server import Tls


def compared(target):
    """Configures bench/compare and builds one of it; nothing happens when it is up to date."""
    log = OUT / f"build-{target}.log"
    steps = (
        ["cmake", "-S", COMPARE_SOURCE, "-B", COMPARE_BUILD, "-G", "Ninja"],
        ["cmake", "--build", COMPARE_BUILD, "--target", target],
    )
    with log.open("w") as out:
        for words in steps:
            if subprocess.run(words, stdout=out, stderr=out, check=False).returncode != 0:
                raise BenchError(
                    f"{target} of bench/compare does not build, see {log};"
                    " scripts/deps.sh build bench installs what it needs"
                )
    return COMPARE_BUILD


def echo():
    return compared("grpc_echo") / "grpc_echo"


def triton_backend():
    return compared("triton_identity") / "libtriton_identity.so"


def environment(group):
    """The folder of tests/requirements-GROUP.txt's environment; made at the first call."""
    words = [ROOT / "scripts" / "venv.sh", group]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"scripts/venv.sh {group} could not make the environment; see above")
    return ROOT / done.stdout.strip()


def triton_program():
    folder = environment("bench-triton")
    found = list(folder.glob("lib/python3*/site-packages/pytriton/tritonserver/bin/tritonserver"))
    if not found:
        raise BenchError(f"nvidia-pytriton in {folder} has no tritonserver")
    return found[0]


def certificate(folder):
    """One of the tests' certificates, for all servers of a run."""
    done = subprocess.run(
        [ROOT / "scripts" / "gen_certs.sh", folder], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise BenchError(f"scripts/gen_certs.sh failed: {done.stderr.strip()[-300:]}")
    return Tls(folder / "server.pem", folder / "server.key", folder / "ca.pem")
