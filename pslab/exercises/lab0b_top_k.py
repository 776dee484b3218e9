"""0B.2: the k largest numbers travel and the rest waits: the problems, what is right, and what the usual slips compute.

    step t, worker r, one parameter      corrected = gradient + residual
                                         sent      = corrected at its k places of largest magnitude, 0 elsewhere
                                         residual  = corrected − sent
    every worker returns                 Σ over workers of sent

    so, over all steps and workers, Σ sent + residuals = Σ gradients: exactly, where gradients are whole numbers
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

STEPS = 20


@dataclass(frozen=True)
class Problem:
    """grads[r][t][name]: worker r's gradient (P,) float32 of a parameter in step t."""

    grads: list[list[dict[str, np.ndarray]]]
    k: int
    label: str
    whole: bool = True

    @property
    def K(self) -> int:
        return len(self.grads)

    @property
    def lengths(self) -> dict[str, int]:
        return {name: len(gradient) for name, gradient in self.grads[0][0].items()}

    @property
    def out_bytes(self) -> int:
        """What one worker sends in all steps: to each other one an index and a number, 4 bytes each, k times."""
        return (self.K - 1) * STEPS * sum(8 * min(self.k, P) for P in self.lengths.values())

    def per_rank(self) -> list[tuple]:
        return [([{name: torch.from_numpy(g.copy()) for name, g in step.items()} for step in mine], self.k)
                for mine in self.grads]


def problem(rng, K: int, lengths: dict[str, int], k: int, whole: bool = True) -> Problem:
    """Gradients of STEPS steps: whole numbers from −12 to 12, so that magnitudes are often equal, or floats."""
    def gradient(P: int) -> np.ndarray:
        return (rng.integers(-12, 13, P) if whole else rng.standard_normal(P)).astype(np.float32)

    grads = [[{name: gradient(P) for name, P in lengths.items()} for _ in range(STEPS)] for _ in range(K)]
    sizes = ", ".join(f"{name}: {P}" for name, P in lengths.items())
    return Problem(grads, k, f"K={K}, k={k}, parameters of {sizes} numbers, {STEPS} steps", whole)


def places(x: np.ndarray, k: int, slip: str = "") -> np.ndarray:
    """Of the k largest magnitudes, ascending; of equal ones the lower places."""
    size = x if slip == "0B/signed-choice" else np.abs(x)
    if slip == "0B/higher-index":
        return np.sort(len(x) - 1 - np.argsort(-size[::-1], kind="stable")[:k])
    return np.sort(np.argsort(-size, kind="stable")[:k])


def exchanged(p: Problem, slip: str = "", in_turn: bool = False) -> tuple[list, dict]:
    """(sums[t][name][rank], residuals[rank, name]) of the right way, or of a slip.

    in_turn: who comes first changes from one exchange to the next, which matters where workers share what they keep.
    """
    kept: dict = {}
    sums, exchanges = [], 0
    for t in range(STEPS):
        step: dict[str, list] = {}
        for name in p.lengths:
            corrected, sent = [None] * p.K, [None] * p.K
            exchanges += 1
            for rank in range(p.K) if exchanges % 2 or not in_turn else reversed(range(p.K)):
                key = _key(slip, rank, name)
                gradient = p.grads[rank][t][name]
                c = gradient + kept.get(key, np.float32(0))
                at = places(gradient if slip == "0B/chosen-before-adding" else c, p.k, slip)
                s = np.zeros_like(c)
                s[at] = c[at]
                kept[key] = _left(slip, c, s, gradient, p.k)
                corrected[rank], sent[rank] = c, (at, s)
            step[name] = _combined(slip, sent, p.K)
            if slip == "0B/residual-without-total":
                kept.update({(rank, name): corrected[rank] - step[name][rank] for rank in range(p.K)})
        sums.append(step)
    return sums, kept


def _key(slip: str, rank: int, name: str):
    return {"0B/residual-of-another-parameter": rank, "0B/residual-of-another-worker": name}.get(slip, (rank, name))


def _left(slip: str, corrected, sent, gradient, k: int):
    if slip == "0B/residual-dropped":
        return np.float32(0)
    if slip == "0B/residual-of-one-step":
        return gradient - sent
    if slip == "0B/residual-not-emptied":
        return corrected
    left = corrected - sent
    if slip == "0B/residual-compressed":
        some = np.zeros_like(left)
        at = places(left, k)
        some[at] = left[at]
        return some
    return left


def _combined(slip: str, sent: list, K: int) -> list[np.ndarray]:
    """What each rank returns."""
    if slip == "0B/last-message-wins":
        total = np.zeros_like(sent[0][1])
        for at, s in sent:
            total[at] = s[at]
        return [total] * K
    total = sum(s for _, s in sent)
    if slip == "0B/own-message-forgotten":
        return [total - s for _, s in sent]
    return [total / K if slip == "0/mean-for-sum" else total] * K


SLIPS = ("0B/residual-dropped", "0B/residual-of-another-parameter", "0B/residual-of-another-worker",
         "0B/residual-compressed", "0B/residual-without-total", "0B/residual-of-one-step", "0B/residual-not-emptied",
         "0B/signed-choice", "0B/higher-index", "0B/chosen-before-adding", "0/mean-for-sum",
         "0B/own-message-forgotten", "0B/last-message-wins")


def slip_of(p: Problem, sums: list) -> str:
    """The slip that gives these sums (sums[rank][t][name]) on all ranks; '0B/wrong-sum' when none does."""
    right, _ = exchanged(p)
    for slip in SLIPS:
        if slip == "0B/residual-of-another-parameter" and len(set(p.lengths.values())) > 1:
            continue                                     # residuals of unequal lengths cannot be mixed up
        for in_turn in (False, True) if slip == "0B/residual-of-another-worker" else (False,):
            believed, _ = exchanged(p, slip, in_turn)
            if same(p, sums, believed) and not _equal(p, believed, right):
                return slip
    return "0B/wrong-sum"


def same(p: Problem, sums: list, wanted: list) -> bool:
    return all(np.allclose(np.asarray(sums[rank][t][name]), wanted[t][name][rank], rtol=0, atol=atol(p))
               for rank in range(p.K) for t in range(STEPS) for name in p.lengths)


def _equal(p: Problem, one: list, other: list) -> bool:
    return all(np.allclose(one[t][name][rank], other[t][name][rank], rtol=0, atol=atol(p))
               for rank in range(p.K) for t in range(STEPS) for name in p.lengths)


def atol(p: Problem) -> float:
    return 0.0 if p.whole else 1e-4


# ---- a descent ------------------------------------------------------------------------------------------------------

DESCENT = {"k": 1, "lr": 0.02, "steps": 300}


def pulled_apart(rng, P: int = 6, by: float = 12.0) -> tuple[np.ndarray, list[np.ndarray]]:
    """(start, targets of two workers): at place 0 the workers pull in opposite directions, everywhere else together.

    Their largest gradients are at place 0 and cancel. Who sends one number a step and forgets the rest never moves.
    """
    common = np.append(0, 1 + rng.random(P - 1)).astype(np.float32)
    return np.zeros(P, np.float32), [common + np.eye(P, dtype=np.float32)[0] * side * by for side in (1, -1)]


def descent(start: np.ndarray, targets: list[np.ndarray], k: int, lr: float, steps: int,
            keeps: bool = True) -> np.ndarray:
    """(steps, P): where w is after each step, with error feedback or (keeps=False) without."""
    w, path = start.copy(), []
    residuals = [np.zeros_like(start) for _ in targets]
    for _ in range(steps):
        total = np.zeros_like(w)
        for rank, target in enumerate(targets):
            corrected = w - target + residuals[rank]
            at = places(corrected, k)
            total[at] += corrected[at]
            corrected[at] = 0
            residuals[rank] = corrected if keeps else residuals[rank]
        w = w - np.float32(lr) * total / np.float32(len(targets))
        path.append(w)
    return np.array(path)
