"""What the exercises of lab 2 share: verdicts of a comparison, and sentences that several of them need.

    explained(seen, right, beliefs, otherwise)      which wrong belief computes what was seen
    told("2/duplicates-one-by-one", ...)            the sentences of these ids, for an exercise's misconceptions
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from pslab.grade import Misconception, Stalled, TimedOut, Verdict

FORBIDDEN = ("pslab.ps",)            # where the answers are


def explained(fits: Callable, beliefs: Mapping[str, Callable], right, otherwise: str) -> str:
    """The first belief whose outcome fits what was seen and is not the right one; `otherwise` when none does."""
    for name, outcome in beliefs.items():
        believed = outcome()
        if fits(believed) and not _alike(believed, right):
            return name
    return otherwise


def _alike(one, other) -> bool:
    if isinstance(one, Mapping):
        return isinstance(other, Mapping) and one.keys() == other.keys() and all(_alike(one[k], other[k]) for k in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(_alike, one, other))
    if hasattr(one, "shape"):
        return hasattr(other, "shape") and one.shape == other.shape and bool((one == other).all())
    return one == other


def naming(judge: Callable, *, stalled: str | None = None, timed_out: str | None = None) -> Callable:
    """The judge, with a sentence of the exercise's own where ranks wait without end."""
    def judged(answers, case) -> Verdict:
        try:
            return judge(answers, case)
        except (Stalled, TimedOut) as failed:
            why = stalled if isinstance(failed, Stalled) else timed_out
            if why is None:
                raise
            return Verdict(False, failed.expected, failed.seen, failed.where, why, failed.run)
    return judged


def all_of(judges: Iterable[Callable]) -> Callable:
    """One criterion of several judges, in order: the first refusal counts; shown is the last one's run."""
    def judged(answers, case) -> Verdict:
        seen, verdict = [], None
        for judge in judges:
            verdict = judge(answers, case)
            if not verdict.passed:
                return verdict
            seen.append(verdict.seen)
        return replace(verdict, seen="; ".join(dict.fromkeys(filter(None, seen))))
    judges = tuple(judges)
    return judged


SENTENCES = {
    "2/duplicates-one-by-one": "Equal keys of one push were separate steps; their gradients are summed first and the "
    "row then takes one step, or the result depends on how a batch was cut.",
    "2/last-duplicate-wins": "Of equal keys in one push only one counted; an assignment to rows[keys] keeps the "
    "last of equal places, so sum them first.",
    "2/arguments-changed": "You changed keys or values that belong to the caller; a request may be needed again, so "
    "work on copies.",
    "2/untouched-row-moved": "A row that nobody pushed is not what it was, bit for bit; a step concerns the pushed "
    "keys alone, or its cost grows with the table.",
    "2/state-for-every-row": "The state is as large as the table; keep it for keys that were pushed, which are few of "
    "many.",
    "2/state-elsewhere": "Continued from its saved state the rule went another way; whatever it remembers has to lie "
    "in `state`, or a server that is saved and started again forgets it.",
    "2/divided-first": "You divided by the sum as it was before this gradient; add the square first, then divide, as "
    "torch, TensorFlow and the paper do.",
    "2/gradient-added": "The row went up where the gradient says down; a step subtracts.",
    "2/squares-before-the-sum": "You added the square of each occurrence of a key; the gradient of a key is the sum of "
    "its occurrences, and that sum is squared.",
}


def told(*ids: str) -> tuple[Misconception, ...]:
    """The shared misconceptions of these ids."""
    return tuple(Misconception(name, SENTENCES[name]) for name in ids)
