"""What a student reads and sees, the same behind every door.

    9.3 Combine sparse rows: 1 of 2 public checks pass
      passes  values       right sum
      fails   bytes
              expected  80 bytes in total
              seen      right sum, 3.0x the traffic of the bound: 240 bytes in total
              where     K=3, 10 elements, whole numbers
              why       You send the whole tensor at each step; ...
    hint 1 of 3: ...

No line holds a time of the clock, so that the same answer always reads the same.
"""

from __future__ import annotations

import os
import textwrap

from .exercise import Criterion, Verdict
from .report import Report

WIDTH = 100
MESSAGES_LISTED = 8
PRINTS_LISTED = 6
LARGEST_DRAWN = 400                # messages; a picture of more is a black bar


def text(report: Report, hints_shown: int = 0) -> str:
    """The report in words: each check, for those that fail what was expected, seen, where and why, then a hint."""
    e = report.exercise
    if report.not_yet:
        return f"{e.id}: not yet"
    if not report.verdicts:
        return f"{e.id} {e.title}: nothing was checked"
    if report.missing:
        return f"{e.id} {e.title}: {report.verdicts[0][1].seen}"
    lines = [headline(report)]
    width = max(len(_name(criterion)) for criterion, _ in report.verdicts)
    told = None
    for criterion, verdict in report.verdicts:
        words, reasons = "", ()
        if verdict.passed:
            words = cost(verdict)
        elif verdict.misconception == "all/not-yet":
            words = "not yet"
        elif told is not None and _same(told[1], verdict):
            words = f"as {told[0].name!r}"
        else:
            told, reasons = (criterion, verdict), _reasons(report, verdict)
        state = "passes" if verdict.passed else "fails"
        lines += [f"  {state:<6}  {_name(criterion):<{width}}  {words}".rstrip(), *reasons]
    if report.passed:
        return "\n".join([*lines, closing(report)])
    return "\n".join([*lines, hint(report, hints_shown)])


def headline(report: Report) -> str:
    e, passing = report.exercise, sum(v.passed for _, v in report.verdicts)
    which = "public checks" if report.hidden_left else "checks"
    return f"{e.id} {e.title}: {passing} of {len(report.verdicts)} {which} pass"


def closing(report: Report) -> str:
    """What may be said when everything that ran has passed. It never claims more than what ran."""
    left = report.hidden_left
    if left:
        return f"The public checks pass; {left} hidden {'one runs' if left == 1 else 'ones run'} when it is graded."
    many = len(report.verdicts) > 1
    what = f"All {len(report.verdicts)} checks pass" if many else "The check passes"
    return f"{what}, the hidden ones too." if report.exercise.hidden else f"{what}; this exercise has no hidden ones."


def hint(report: Report, shown: int = 0) -> str:
    """The first hint, or, once more have been asked for, how far one is."""
    e = report.exercise
    number = min(max(shown, 1), len(e.hints))
    more = f"  (`pslab hint {e.id}` shows the next one)" if number < len(e.hints) else ""
    return wrapped(f"hint {number} of {len(e.hints)}: ", e.hints[number - 1] + more)


def cost(verdict: Verdict) -> str:
    """What a check that passes has to say; a cost stands beside its bound."""
    if verdict.ratio is not None and verdict.seen == verdict.expected:
        return f"{verdict.seen}, which is the bound"
    if verdict.ratio is not None:
        return f"{verdict.seen}; the bound: {verdict.expected}"
    return verdict.seen or verdict.expected


def picture(report: Report):
    """The student's own run as a `viz.Picture` with its text twin; None when no run was kept or nothing was sent."""
    run = report.run
    trace = getattr(run, "trace", None)
    if trace is None or not trace.events:
        return None
    from pslab import viz

    if len(trace.events) > LARGEST_DRAWN:
        return None
    where = next((v.where for _, v in report.verdicts if v.run is run), "")
    title = "Your run" + (f": {where}" if where else "")
    return viz.spacetime(run, title=textwrap.shorten(title, 90, placeholder=" ..."), rows=MESSAGES_LISTED)


def show(report: Report, hints_shown: int = 0) -> None:
    """Print the text; then the picture, in a notebook as an image (with its twin), in a terminal as the twin."""
    print(text(report, hints_shown))
    if report.not_yet or report.missing:
        return
    drawn = picture(report)
    if drawn is not None:
        if in_notebook():
            from IPython.display import display

            display(drawn)
        else:
            print()
            print(drawn)


def in_notebook() -> bool:
    """Whether output goes to a Jupyter kernel."""
    import sys

    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")


def asserting() -> bool:
    """Whether a failing check must raise: nbgrader runs the notebook (NBGRADER_EXECUTION is set) or PSLAB_ASSERT=1."""
    return bool(os.environ.get("NBGRADER_EXECUTION")) or os.environ.get("PSLAB_ASSERT") == "1"


def _printed(run) -> str:
    """The first lines that the ranks of a run printed: what somebody who looks for a mistake put there."""
    prints = getattr(run, "prints", None) or ()
    lines = [f"rank {rank}: {line}" for rank, text in enumerate(prints) for line in text.splitlines() if line.strip()]
    more = [f"... and {len(lines) - PRINTS_LISTED} more lines"] if len(lines) > PRINTS_LISTED else []
    lines = [line if len(line) <= WIDTH else line[: WIDTH - 4] + " ..." for line in lines[:PRINTS_LISTED]] + more
    return "\n".join(lines)


def _name(criterion: Criterion) -> str:
    return criterion.name + (" (hidden)" if criterion.hidden else "")


def _reasons(report: Report, verdict: Verdict):
    told = {"expected": verdict.expected, "seen": verdict.seen, "where": verdict.where,
            "why": report.exercise.sentence(verdict.misconception)}
    for label, words in told.items():
        if words:
            yield wrapped(f"          {label:<9} ", words)
    printed = _printed(verdict.run)
    if printed:
        yield wrapped("          printed   ", printed)


def wrapped(start: str, words: str) -> str:
    """Words after `start`, wrapped beneath themselves; tables and tracebacks keep their lines."""
    space = " " * len(start)
    if "\n" in words:
        return start + words.rstrip().replace("\n", "\n" + space)
    return textwrap.fill(words, WIDTH, initial_indent=start, subsequent_indent=space, break_long_words=False,
                         break_on_hyphens=False)


def _same(one: Verdict, other: Verdict) -> bool:
    """Whether a second failure tells nothing new: code that stops does so at every check, on every shape."""
    common = one.misconception.startswith("all/") and one.where == other.where
    return one.misconception == other.misconception and (common or one.seen == other.seen)
