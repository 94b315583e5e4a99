"""Helpers of the end-to-end tests: real processes, own ports, hard time limits."""
