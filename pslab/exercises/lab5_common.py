"""What the exercises of lab 5 share: rooms that would be the answer, tables of questions, profiles of speeds.

    asked("may_begin", questions, right, beliefs, yes, no)       a judge of yes or no for each question
    belief_of(seen, right, believed)                             which belief gives what was seen
    profile(rng, K, T)                                           (K, T) whole milliseconds of steps
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from pslab.grade import Case, Verdict

from .lab5_programs import decided

FORBIDDEN = ("pslab.ps", "pslab.train", "pslab.embedding", "pslab.examples")     # gates, caches, clocks, schedules
LARGEST_SHOWN = 90


def belief_of(seen: Sequence, right: Sequence, believed: Mapping[str, Sequence], otherwise: str) -> str:
    """The belief that gives all that was seen, else all of it that is wrong; `otherwise` where none does."""
    wrong = [i for i in range(len(right)) if seen[i] != right[i]]
    apart = {name: values for name, values in believed.items() if values[wrong[0]] != right[wrong[0]]}
    for places in (range(len(right)), wrong):
        for name, values in apart.items():
            if all(values[i] == seen[i] for i in places):
                return name
    return otherwise


def asked(name: str, questions: Callable, reference: Callable, beliefs: Mapping[str, Callable], yes: str, no: str,
          within: Callable = decided):
    """A judge of name(*question) -> bool, for questions(rng). yes, no: told where no belief gives a wrong answer."""
    def judge(answers, case: Case) -> Verdict:
        listed = [tuple(question) for question in questions(case.rng)]
        seen = answers.run(name, 1, listed, within=within, trace=False).results[0]
        right = [bool(reference(*question)) for question in listed]
        odd = next((i for i, value in enumerate(seen) if not isinstance(value, bool)), None)
        if odd is not None:
            return Verdict(False, "True or False", short(seen[odd]), call(name, listed[odd]), "all/bad-value")
        wrong = [i for i in range(len(listed)) if seen[i] != right[i]]
        if wrong:
            believed = {key: [bool(belief(*q)) for q in listed] for key, belief in beliefs.items()}
            return Verdict(False, f"{call(name, listed[wrong[0]])} is {right[wrong[0]]}",
                           f"{seen[wrong[0]]} ({len(wrong)} of {len(listed)} decisions differ)", "",
                           belief_of(seen, right, believed, yes if seen[wrong[0]] else no))
        return Verdict(True, seen=f"{len(listed)} decisions", where=call(name, listed[-1]))
    return judge


def call(name: str, question: Sequence) -> str:
    return f"{name}({', '.join(map(short, question))})"


def short(value) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= LARGEST_SHOWN else text[:LARGEST_SHOWN - 3] + "..."


def profile(rng, K: int, T: int, kind: str = "") -> list[list[int]]:
    """(K, T) milliseconds. kind: 'persistent', 'transient' or 'mixed'; drawn where it is not given."""
    kind = kind or str(rng.choice(["persistent", "transient", "mixed"]))
    base = rng.integers(8, 13, (K, T)) if kind == "mixed" else np.full((K, T), 10)
    if kind != "transient":
        base = base * np.where(np.arange(K) == rng.integers(K), int(rng.integers(2, 5)), 1)[:, None]
    if kind != "persistent":
        base = base * np.where(rng.random((K, T)) < 0.2, int(rng.integers(3, 9)), 1)
    return base.astype(int).tolist()


def first_of(judges: Sequence[Callable], passed: str):
    """A judge of several: the first refusal counts."""
    def judge(answers, case: Case) -> Verdict:
        for number, one in enumerate(judges):
            verdict = one(answers, case.of(str(number)))
            if not verdict.passed:
                return verdict
        return Verdict(True, seen=passed, where=verdict.where, run=verdict.run)
    return judge
