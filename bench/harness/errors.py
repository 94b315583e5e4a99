"""What goes wrong with a sentence for the user instead of a traceback."""


class BenchError(Exception):
    """The sentence says what was wrong, the value, and what to do."""
