"""Puts what was measured between marks of docs/BENCHMARKS.md; the rest there is hand-written."""

from . import facts as machine
from . import report
from .errors import BenchError

RUN = "bench/run --write-docs"


def render(facts, tables):
    """tables: title -> headings and lines."""
    parts = [machine.as_markdown(facts)]
    for title, (headings, lines) in tables.items():
        parts += [f"{title}:", report.markdown(headings, lines)]
    return "\n\n".join(parts)


def marks(name):
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


def write(path, text, name=RUN):
    """name: of the marks."""
    old = path.read_text()
    begin, end = marks(name)
    if begin not in old or end not in old:
        raise BenchError(f"{path} has lost its marks '{begin}' and '{end}'")
    head, rest = old.split(begin, 1)
    tail = rest.split(end, 1)[1]
    path.write_text(f"{head}{begin}\n\n{text}\n\n{end}{tail}")
