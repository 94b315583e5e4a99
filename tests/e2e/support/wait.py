"""Waiting with a limit, never a bare sleep."""

import time


def wait_until(condition, limit_s=10, what="the condition"):
    """Polls until condition() is truthy and returns its value; fails the test at the limit."""
    end = time.monotonic() + limit_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            raise AssertionError(f"{what} did not come true within {limit_s} s")
        time.sleep(0.01)
