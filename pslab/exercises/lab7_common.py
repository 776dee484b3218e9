"""What the exercises of lab 7 share: rooms that would be the answer, arrays read, streams of ids, questions judged.

    numbers(value)           a float array from a tensor, an array, a list; None for anything else
    zipf(rng, R, n)          n ids below R, of which the k-th hottest has a share ~ k^-exponent
    words(first, n)          ids of n words of a real English text, from the `first` on
    questions(...)           a judge of name(*question) for a list of questions, with the beliefs that explain
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from functools import lru_cache

import numpy as np
import torch

from pslab.grade import Case, Verdict

from .lab5_common import first_of, short

__all__ = ["FORBIDDEN", "close", "first_of", "numbers", "questions", "short", "words", "zipf"]

FORBIDDEN = ("pslab.embedding", "pslab.cost", "pslab.ps")       # caches, short rows, sharded lookups, formulas


def numbers(value) -> np.ndarray | None:
    """The array as it is, with its own dtype; None where the value is no array of numbers."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, (list, tuple, int, float, np.integer, np.floating)):
        try:
            value = np.asarray(value)
        except (ValueError, OverflowError):
            return None
    return value if isinstance(value, np.ndarray) and value.dtype.kind in "iufb" else None


def close(seen, right, rtol: float = 1e-9) -> bool:
    """Whether two answers are the same: texts, truth values and whole numbers exactly, other numbers within rtol."""
    if isinstance(right, (tuple, list)):
        return isinstance(seen, (tuple, list)) and len(seen) == len(right) and all(map(close, seen, right))
    if isinstance(right, (str, bool)):
        return type(seen) is type(right) and seen == right
    if isinstance(seen, bool) or not isinstance(seen, (int, float, np.integer, np.floating)):
        return False
    return math.isclose(seen, right, rel_tol=rtol, abs_tol=0.0)


def like(seen, right) -> bool:
    """Whether an answer has the form of the right one."""
    if isinstance(right, (tuple, list)):
        return isinstance(seen, (tuple, list)) and len(seen) == len(right) and all(map(like, seen, right))
    if isinstance(right, (str, bool)):
        return type(seen) is type(right)
    return isinstance(seen, (int, float, np.integer, np.floating)) and not isinstance(seen, bool)


def questions(name: str, asked: Callable, right: Callable, beliefs: Mapping[str, Callable], otherwise: str, form: str,
              told: Callable):
    """A judge of name(*question) for asked(rng). told(question): it in words. The belief that gives all answers is
    named, else the one that gives all wrong ones, else `otherwise`."""
    def judge(answers, case: Case) -> Verdict:
        listed = asked(case.rng)
        seen, wanted = [], [right(*question) for question in listed]
        for question, value in zip(listed, wanted):
            seen.append(_plain(answers.call(name, *question)))
            if not like(seen[-1], value):
                return Verdict(False, form, short(seen[-1]), told(question), "all/bad-value")
        wrong = [i for i in range(len(listed)) if not close(seen[i], wanted[i])]
        if not wrong:
            return Verdict(True, seen=f"{len(listed)} questions", where=told(listed[-1]))
        first = wrong[0]
        why = _belief(listed, seen, wanted, wrong, beliefs) or otherwise
        return Verdict(False, f"{name}: {shown(wanted[first])}", f"{shown(seen[first])} ({len(wrong)} of {len(listed)} "
                       "questions differ)", told(listed[first]), why)
    return judge


def _belief(listed, seen, wanted, wrong, beliefs) -> str | None:
    believed = {why: [rule(*question) for question in listed] for why, rule in beliefs.items()}
    apart = {why: values for why, values in believed.items() if not close(values[wrong[0]], wanted[wrong[0]])}
    for places in (range(len(listed)), wrong):
        for why, values in apart.items():
            if all(close(seen[i], values[i]) for i in places):
                return why
    return None


def _plain(value):
    """Arrays of a few numbers as tuples, NumPy's truth values as Python's."""
    if isinstance(value, (np.ndarray, torch.Tensor)) and value.ndim == 1 and len(value) < 10:
        return tuple(value.tolist())
    if isinstance(value, (tuple, list)):
        return tuple(_plain(part) for part in value)
    return bool(value) if isinstance(value, np.bool_) else value


def shown(value) -> str:
    """An answer in few characters."""
    if isinstance(value, (tuple, list)):
        return f"({', '.join(map(shown, value))})"
    return f"{value:.6g}" if isinstance(value, (float, np.floating)) else short(value)


# ---- streams --------------------------------------------------------------------------------------------------------


def zipf(rng, R: int, n: int, exponent: float = 1.1) -> np.ndarray:
    """(n,) int64 ids below R: the k-th hottest is drawn with probability ~ k^-exponent; which id it has, is drawn."""
    share = np.arange(1, R + 1) ** -exponent
    return rng.permutation(R)[rng.choice(R, size=n, p=share / share.sum())].astype(np.int64)


@lru_cache(maxsize=1)
def _text() -> np.ndarray:
    from pydoc_data.topics import topics  # Python's own reference manual, on every machine

    said = re.findall(r"[a-z]+", " ".join(topics[title] for title in sorted(topics)).lower())
    return np.unique(said, return_inverse=True)[1].astype(np.int64)


def words(first: int, n: int) -> np.ndarray:
    """(n,) int64 ids of words of Python's reference manual as they come, from the word `first` on (round the end)."""
    return np.roll(_text(), -first)[:n]
