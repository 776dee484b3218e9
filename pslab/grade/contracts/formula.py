"""Functions without a world: a number (or a tuple, a string) for each question of a grid."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from ..exercise import CourseError, Verdict
from .compare import difference, short


def formula(name: str, questions: Callable, reference: Callable, *, otherwise: str,
            explains: Mapping[str, Callable] | None = None, rtol: float = 0.0, at_least: int | None = None):
    """A judge of name(*question) against reference(*question), for all questions(case).

    explains: {misconception: wrong(*question)}. The misconception that gives *all* the student's answers is named,
    else one that gives all wrong ones, else one that gives the first wrong one, else `otherwise`. rtol 0: equal.
    at_least: how many must be right (None: all).
    """

    def judge(answers, case) -> Verdict:
        asked = [tuple(question) for question in _listed(name, questions(case))]
        seen = [answers.call(name, *question) for question in asked]
        right = [reference(*question) for question in asked]
        wrong = [i for i in range(len(asked)) if difference(seen[i], right[i], rtol=rtol) is not None]
        needed = len(asked) if at_least is None else min(at_least, len(asked))
        if len(asked) - len(wrong) >= needed:
            call = _call(name, asked[-1])
            return Verdict(True, f"{needed} of {len(asked)} right", f"{len(asked) - len(wrong)} right", call)
        first = wrong[0]
        return Verdict(False, f"{_call(name, asked[first])} = {short(right[first])}",
                       f"{short(seen[first])} ({len(wrong)} of {len(asked)} questions differ)", "",
                       _explained(asked, seen, right, wrong, explains or {}, rtol) or otherwise)

    return judge


def _explained(asked, seen, right, wrong: list[int], explains: Mapping, rtol) -> str | None:
    first = wrong[0]

    def gives(believed: Callable, indices: Iterable[int]) -> bool:
        return all(difference(seen[i], believed(*asked[i]), rtol=rtol) is None for i in indices)

    differing = {m: w for m, w in explains.items() if difference(w(*asked[first]), right[first], rtol=rtol) is not None}
    for indices in (range(len(asked)), wrong, [first]):
        for misconception, believed in differing.items():
            if gives(believed, indices):
                return misconception
    return None


def _listed(name: str, questions: Iterable) -> list:
    questions = list(questions)
    if not questions:
        raise CourseError(f"{name}: no question is left to judge")
    return questions


def _call(name: str, question: tuple) -> str:
    return f"{name}({', '.join(short(value) for value in question)})"
