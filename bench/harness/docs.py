"""Puts a run's tables between the marks of docs/BENCHMARKS.md; the rest there is hand-written."""

from . import facts as machine
from . import report
from .errors import BenchError

BEGIN = "<!-- bench/run --write-docs: begin -->"
END = "<!-- bench/run --write-docs: end -->"


def render(facts, tables):
    """tables: title -> headings and lines."""
    parts = [machine.as_markdown(facts)]
    for title, (headings, lines) in tables.items():
        parts += [f"{title}:", report.markdown(headings, lines)]
    return "\n\n".join(parts)


def write(path, text):
    old = path.read_text()
    if BEGIN not in old or END not in old:
        raise BenchError(f"{path} has lost its marks '{BEGIN}' and '{END}'")
    head, rest = old.split(BEGIN, 1)
    tail = rest.split(END, 1)[1]
    path.write_text(f"{head}{BEGIN}\n\n{text}\n\n{END}{tail}")
