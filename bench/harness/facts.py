"""What a figure is worth nothing without: the machine, the versions, the command."""

import datetime
import os
import platform
import shlex
import subprocess
from pathlib import Path

from .paths import ROOT


def collect(command):
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": shlex.join(command),
        "commit": _output("git", "-C", ROOT, "describe", "--always", "--dirty"),
        "cores": os.cpu_count(),
        "cpu": _cpu_model(),
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        "kernel": platform.release(),
        "system": _system(),
        "packages": _packages(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def _output(*words):
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "unknown"
    return done.stdout.strip() or "unknown"


def _cpu_model():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _system():
    return platform.freedesktop_os_release().get("PRETTY_NAME", "unknown")


def _packages():
    names = ("nghttp2-client", "nghttp2-server", "libgrpc++1.51", "libzmq5", "libnghttp2-14")
    names += ("libssl3", "nginx", "haproxy")
    text = _output("dpkg-query", "-W", "-f=${Package} ${Version}\\n", *names)
    return [line for line in text.splitlines() if " " in line] + _triton()


def _triton():
    pins = (ROOT / "tests" / "requirements-bench-triton.txt").read_text().splitlines()
    return [pin.replace("==", " ") for pin in pins if pin.startswith("nvidia-pytriton==")]


def of_run(facts):
    """Command and machine, without the peers' versions."""
    return "\n".join(
        [
            f"- `{facts['command']}`, {facts['date']}, commit {facts['commit']}",
            f"- {facts['cores']} cores ({facts['cpu']}), {facts['memory_gib']} GiB,"
            f" {facts['system']}, Linux {facts['kernel']}; load average before the run"
            f" {facts['load_before']}",
        ]
    )


def as_markdown(facts):
    packages = ", ".join(f"`{p}`" for p in facts["packages"])
    return f"{of_run(facts)}\n- {packages}"
