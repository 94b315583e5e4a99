"""Puts a run's tables between the marks of docs/BENCHMARKS.md; the rest there is hand-written."""

from . import facts as machine
from . import report
from .errors import BenchError

BEGIN = "<!-- bench/run --write-docs: begin -->"
END = "<!-- bench/run --write-docs: end -->"


def render(plan, facts, pairs):
    parts = [machine.as_markdown(facts), _headline(plan)]
    parts.append(report.markdown(list(report.HEADINGS), report.main_table(plan)))
    for ours, theirs in pairs:
        lines = report.ratio_table(plan, ours, theirs)
        parts.append(f"Ratios {ours} : {theirs}, {spread_text(plan.rounds)}:")
        parts.append(report.markdown(list(report.RATIO_HEADINGS), lines))
    return "\n\n".join(parts)


def spread_text(rounds):
    spread = "95 % interval" if rounds >= 6 else "smallest..largest"
    return f"median of {rounds} round{'s' if rounds > 1 else ''} ({spread})"


def _headline(plan):
    return f"Medians of {plan.rounds} interleaved rounds of about {plan.seconds:g} s each:"


def write(path, text):
    old = path.read_text()
    if BEGIN not in old or END not in old:
        raise BenchError(f"{path} has lost its marks '{BEGIN}' and '{END}'")
    head, rest = old.split(BEGIN, 1)
    tail = rest.split(END, 1)[1]
    path.write_text(f"{head}{BEGIN}\n\n{text}\n\n{END}{tail}")
