"""One program of ours as a child process: its log, its family, its end."""

import contextlib
import os
import re
import signal
import subprocess
import time

import psutil

from .wait import wait_until

# What the sanitizers print when they found something.
REPORT = re.compile(r"^.*(?:ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:).*$", re.M)


class Process:
    """Starts argv with its standard error in a log file; stop() in a finally or by `with`.

    Leaving the `with` block fails the test when a sanitizer reported anything, unless the test
    provoked it and set allow_reports.
    """

    allow_reports = False

    def __init__(self, argv, log, **kwargs):
        self.argv = [str(a) for a in argv]
        self.log_path = log
        self.started_at = time.monotonic()
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log = open(log, "ab")  # noqa: SIM115 (closed by stop)
        kwargs = {"stdin": subprocess.DEVNULL, **kwargs}
        self.process = subprocess.Popen(
            self.argv, stderr=self._log, start_new_session=True, **kwargs
        )

    def __enter__(self):
        return self

    def __exit__(self, error_type, *_):
        self.stop()
        reports = REPORT.findall(self.log())
        if error_type is None and not self.allow_reports:
            assert not reports, f"{self.log_path}: {reports}"

    @property
    def pid(self):
        return self.process.pid

    def is_alive(self):
        return self.process.poll() is None

    def log(self):
        return self.log_path.read_text(errors="replace")

    def log_contains(self, text):
        return text in self.log()

    def wait_for_log(self, text, limit_s=10):
        wait_until(lambda: self.log_contains(text), limit_s, f"'{text}' in {self.log_path}")

    def family(self, name=None):
        """This process and its descendants, as psutil processes; only those of that program."""
        try:
            root = psutil.Process(self.pid)
            all_of_it = [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []
        return [p for p in all_of_it if name is None or program_of(p) == name]

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        """kill -9, and gone."""
        self.process.kill()
        self.process.wait()

    def wait(self, limit_s):
        """The exit status; fails the test when it is still there at the limit."""
        try:
            return self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"{self.argv[0]} still runs after {limit_s} s; its log ends:\n{self.log()[-2000:]}"
            ) from None

    def stop(self, limit_s=15):
        """SIGTERM, then SIGKILL for whatever is left of the family; never raises."""
        family = self.family()
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGCONT)  # a paused one would not hear
        if self.is_alive():
            self.signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(limit_s)
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()
        self._log.close()


def program_of(process):
    """The file name of what a process runs, '' when it is gone."""
    try:
        return os.path.basename(process.exe())
    except (psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied, FileNotFoundError):
        return ""


def open_files(process):
    """What its file descriptors point to, sorted: for finding leaks."""
    found = []
    for entry in os.scandir(f"/proc/{process.pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(entry.path))
    return sorted(found)
