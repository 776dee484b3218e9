"""5.5: elastic averaging. Workers' models are tied to a common centre by springs.

    d_i = alpha (x_i - c)      x_i <- x_i - d_i      c <- c + Σ d_i          all with the same old c

    K = 2, alpha = 1/4, x = 8, 0, c = 0:   d = 2, 0    x = 6, 0    c = 2     Σ x_i + c = 8 before and after

The gap between the mean of the x_i and c becomes 1 - alpha (K + 1) times itself: it closes for 0 < alpha < 2 / (K + 1).
"""

from __future__ import annotations

import numpy as np
import torch

from pslab.grade import Case, Criterion, Exercise, Misconception, Verdict

from .lab5_common import FORBIDDEN, short
from .lab5_programs import exchanged

STEP, LIMIT = "easgd_step", "alpha_limit"


def easgd_step(locals_: np.ndarray, centre: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """The reference: (K, P) and (P,) after one exchange."""
    pull = alpha * (locals_ - centre)
    return locals_ - pull, centre + pull.sum(axis=0)


def alpha_limit(K: int) -> float:
    return 2 / (K + 1)


def _one_after_the_other(x, c, alpha):
    x, c = x.copy(), c.copy()
    for i in range(len(x)):
        pull = alpha * (x[i] - c)
        x[i] -= pull
        c = c + pull
    return x, c


def _belief(locals_sign=1.0, centre_sign=1.0, add=np.sum):
    def step(x, c, alpha):
        pull = alpha * (x - c)
        return x - locals_sign * pull, c + centre_sign * add(pull, axis=0)
    return step


def _centre_first(x, c, alpha):
    moved = c + alpha * (x - c).sum(axis=0)
    return x - alpha * (x - moved), moved


def _locals_first(x, c, alpha):
    moved = x - alpha * (x - c)
    return moved, c + alpha * (moved - c).sum(axis=0)


def _plain_average(x, c, alpha):
    return np.repeat(x.mean(axis=0)[None], len(x), axis=0), x.mean(axis=0)


STEPS = {
    "5/new-centre-for-later-ones": _one_after_the_other,
    "5/new-centre-for-all": _centre_first,
    "5/new-locals-for-the-centre": _locals_first,
    "5/wrong-sign": _belief(-1.0, -1.0),
    "5/centre-goes-away": _belief(1.0, -1.0),
    "5/locals-go-away": _belief(-1.0, 1.0),
    "5/mean-for-sum": _belief(add=np.mean),
    "5/centre-stands-still": _belief(1.0, 0.0),
    "5/locals-stand-still": _belief(0.0, 1.0),
    "5/plain-average": _plain_average,
}
LIMITS = {
    "5/limit-of-one-worker": lambda K: 1.0,
    "5/centre-forgotten": lambda K: 2 / K,
    "5/half-the-limit": lambda K: 1 / (K + 1),
    "5/limit-is-a-share": lambda K: 1 / K,
    "5/limit-of-descent": lambda K: 2.0,
}


# ---- judging --------------------------------------------------------------------------------------------------------


def _values(value, K: int, P: int):
    """(locals, centre) as float64 arrays; None where it is not a pair of these shapes."""
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        return None
    pair = [part.numpy() if isinstance(part, torch.Tensor) else part for part in value]
    try:
        locals_, centre = (np.asarray(part, np.float64) for part in pair)
    except (TypeError, ValueError):
        return None
    return (locals_, centre) if locals_.shape == (K, P) and centre.shape == (P,) else None


def _states(rng):
    yield np.array([[8.0], [0.0]]), np.array([0.0]), 0.25
    for K, P, alpha in ((1, 3, 0.5), (3, 4, 0.25), (4, 2, 0.125), (7, 5, 0.0625)):
        yield rng.integers(-64, 64, (K, P)).astype(float), rng.integers(-64, 64, P).astype(float), alpha


def _shown(locals_, centre) -> str:
    return short(f"locals {np.round(locals_[:, 0], 6).tolist()}, centre {round(float(centre[0]), 6)}")


def one_step(answers, case: Case) -> Verdict:
    """Whole numbers and powers of two: equal, bit for bit."""
    for locals_, centre, alpha in _states(case.rng):
        (K, P), where = locals_.shape, f"K={len(locals_)}, alpha={alpha}; {_shown(locals_, centre)}"
        value = answers.call(STEP, locals_.copy(), centre.copy(), alpha)
        seen, right = _values(value, K, P), easgd_step(locals_, centre, alpha)
        if seen is None:
            return Verdict(False, f"locals ({K}, {P}) and centre ({P},)", short(value), where, "all/bad-value")
        if not all(np.array_equal(a, b) for a, b in zip(seen, right)):
            why = next((name for name, step in STEPS.items() if K > 1 and all(
                np.allclose(a, b, rtol=0, atol=1e-9) for a, b in zip(seen, step(locals_, centre, alpha)))),
                "5/not-the-step")
            return Verdict(False, _shown(*right), _shown(*seen), where, why)
    return Verdict(True, seen="five exchanges, equal to the last bit", where=where)


def conserved(answers, case: Case) -> Verdict:
    """Σ x_i + c over 60 exchanges, and the caller's arrays."""
    K, P = 5, 6
    locals_, centre = case.rng.standard_normal((K, P)), case.rng.standard_normal(P)
    total = locals_.sum(axis=0) + centre
    told = answers.run(STEP, 1, locals_, centre, 0.1, 60, within=exchanged, trace=False).results[0]
    if told["changed"]:
        return Verdict(False, "the caller's arrays as they were", "they have changed", f"K={K}", "5/callers-arrays")
    for exchange, state in enumerate(told["states"]):
        seen, where = _values(state, K, P), f"K={K}, alpha=0.1, exchange {exchange}"
        if seen is None:
            return Verdict(False, f"locals ({K}, {P}) and centre ({P},)", short(state), where, "all/bad-value")
        drift = float(np.abs(seen[0].sum(axis=0) + seen[1] - total).max())
        if not drift <= 1e-12:
            return Verdict(False, "Σ x_i + c conserved to 1e-12", f"off by {drift:.3g}", where, "5/not-conserved")
    return Verdict(True, seen=f"Σ x_i + c conserved: off by {drift:.1e} after 60 exchanges", where=where)


def _gap_after(K: int, alpha: float, exchanges: int = 400) -> float:
    """The gap between the mean of the locals and the centre, which was 1."""
    locals_, centre = np.ones((K, 1)), np.zeros(1)
    for _ in range(exchanges):
        locals_, centre = easgd_step(locals_, centre, alpha)
    return float(abs(locals_.mean() - centre[0]))


def both_sides(answers, case: Case) -> Verdict:
    """The limit is tried: at 0.98 times it the gap closes, at 1.02 times it the gap grows."""
    asked = [1, 2, 3, 5, 8, 16, int(case.rng.integers(20, 200))]
    values = [answers.call(LIMIT, K) for K in asked]
    for K, value in zip(asked, values):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 100:
            return Verdict(False, "a number above 0", short(value), f"K={K}", "all/bad-value")
    why = next((name for name, belief in LIMITS.items() if all(abs(belief(K) - value) < 1e-9
                                                               for K, value in zip(asked, values))), "5/not-the-limit")
    for K, value in zip(asked, values):
        below, above = _gap_after(K, 0.98 * value), _gap_after(K, 1.02 * value)
        if not below < 1 < above:
            return Verdict(False, "a gap that closes at 0.98 of the limit and grows at 1.02 of it",
                           f"with {value:.4g}: {below:.3g} and {above:.3g} times the gap after 400 exchanges", f"K={K}",
                           why)
        if abs(value - alpha_limit(K)) > 1e-9:
            return Verdict(False, f"{alpha_limit(K):.9g}", f"{value:.9g}", f"K={K}", why)
    return Verdict(True, seen="the gap closes just below the limit, and grows just above it", where=f"K={asked}")


def elsewhere(answers, case: Case) -> Verdict:
    for judge in (one_step, both_sides):
        verdict = judge(answers, case.of(judge.__name__))
        if not verdict.passed:
            return verdict
    return Verdict(True, seen="other models, other numbers of workers")


ELASTIC = Exercise(
    id="5.5", lab="5", title="Models on springs", names=(STEP, LIMIT),
    signature="def easgd_step(locals_, centre, alpha: float) -> (locals (K, P), centre (P,)); "
              "def alpha_limit(K: int) -> float",
    points=15, minutes=15, difficulty=3, core=False, prerequisites=("2",), chapter_number="11.5.5", forbidden=FORBIDDEN,
    goal="K workers train models of their own, locals_ (K, P), and meet a centre (P,) now and then. One exchange: each "
         "worker is drawn towards the centre by alpha times its distance, and draws the centre to itself by as much; "
         "all see the centre as it was before. Return both afterwards, and leave the caller's arrays as they are. "
         "alpha_limit: below which alpha the workers' mean and the centre come together, when nothing else moves them.",
    example="easgd_step([[8.], [0.]], [0.], 0.25) -> [[6.], [0.]] and [2.]",
    hints=(
        "What a worker loses the centre gets, so the sum of all models and the centre stays what it was. That tells "
        "the signs.",
        "d = alpha * (locals_ - centre), for all workers at once and with the old centre; then locals_ - d, and centre "
        "+ d.sum(axis=0).",
        "The limit: let m be the mean of the locals. m becomes m - alpha (m - c), c becomes c + K alpha (m - c). By "
        "which factor does m - c change? It has to lie between -1 and 1.",
    ),
    misconceptions=(
        Misconception("5/new-centre-for-later-ones", "Workers are served one after the other, and later ones see a "
                      "centre that has moved; all of them see the old one, or the result depends on their order."),
        Misconception("5/new-centre-for-all", "You move the centre first, and the workers towards the new one; both "
                      "moves are made from the old state."),
        Misconception("5/new-locals-for-the-centre", "You move the workers first, and the centre towards their new "
                      "models; both moves are made from the old state."),
        Misconception("5/wrong-sign", "Workers and centre go away from each other; a spring draws them together."),
        Misconception("5/centre-goes-away", "The centre goes away from the workers; it moves towards them, by what "
                      "they lose."),
        Misconception("5/locals-go-away", "The workers go away from the centre; they move towards it."),
        Misconception("5/mean-for-sum", "The centre moves by the mean of the pulls; each worker pulls at it, so it "
                      "moves by the sum, and nothing is lost in between."),
        Misconception("5/centre-stands-still", "The centre does not move; it is drawn by all workers."),
        Misconception("5/locals-stand-still", "The workers do not move; each is drawn to the centre."),
        Misconception("5/plain-average", "All models became their mean; elastic averaging leaves the workers apart, to "
                      "explore, and draws by alpha only."),
        Misconception("5/not-the-step", "This is not the state after one exchange; write it down for two workers and "
                      "one number each."),
        Misconception("5/not-conserved", "The sum of all models and the centre has changed; what a worker loses, the "
                      "centre gets."),
        Misconception("5/callers-arrays", "You changed the caller's arrays; return new ones."),
        Misconception("5/limit-of-one-worker", "1 is the limit of one worker; the centre is drawn by all of them at "
                      "once."),
        Misconception("5/centre-forgotten", "The worker moves as well as the centre: the gap shrinks by alpha for the "
                      "one and by K alpha for the other."),
        Misconception("5/half-the-limit", "Up to there the gap shrinks without changing its sign; it still shrinks "
                      "when it changes sign at each exchange, as long as the factor is above -1."),
        Misconception("5/limit-is-a-share", "With 1 / K the centre goes to the workers' mean at once, but they move as "
                      "well; that is no limit."),
        Misconception("5/limit-of-descent", "2 is the limit when one side stands still and has one spring; here K "
                      "springs draw the centre, and both sides move."),
        Misconception("5/not-the-limit", "Just above or just below your number the gap does not do what it should."),
    ),
    criteria=(
        Criterion("one exchange", one_step, 4),
        Criterion("nothing is lost", conserved, 3),
        Criterion("the limit, tried on both sides", both_sides, 5),
        Criterion("other models", elsewhere, 3, hidden=True),
    ),
)
