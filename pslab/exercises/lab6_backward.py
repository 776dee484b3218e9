"""6.2: the gradient of bags, which has rows for the ids that were looked up and for no others.

    V   (unique ids ascending, summed rows) equal to the matrix of lab6_bags, and in float64 to difference quotients
    R   ids of ten to fifteen digits: a gradient of the table's size could not even be allocated
    T   the operations that torch is asked for do not grow with the number of bags
"""

from __future__ import annotations

import numpy as np

from pslab.grade import Case, Criterion, Exercise, Misconception, OutOfMemory, Raised, Verdict

from .lab6_bags import Bags, backward, bags, by_differences, by_hand, varied
from .lab6_common import FORBIDDEN, MANY_BAGS, MOST_CPU_S, MOST_OPERATIONS, array, short, told
from .lab6_programs import pooled

NAME = "bag_backward"
RTOL, ATOL = 1e-5, 1e-5
EXPLAINED = {
    "6/gradient-not-divided": "undivided", "6/sum-divided-back": "other-mode", "6/weights-ignored": "weights",
    "6/last-duplicate-wins": "last-wins", "6/duplicates-averaged": "averaged", "6/once-a-bag": "once",
    "6/bag-of-a-look-up": "bag-before", "6/last-offset": "last-bag",
}


def drawn(rng, b: Bags) -> np.ndarray:
    """(B, D): what comes back from the layers above."""
    return rng.standard_normal((b.B, b.table.shape[1])).astype(b.table.dtype)


def asked(answers, problems: list[tuple[Bags, np.ndarray]], **how) -> list[dict]:
    given = [b.backward_arguments(grad_out) for b, grad_out in problems]
    return answers.run(NAME, 1, given, within=pooled, trace=False, **how).results[0]


# ---- values ---------------------------------------------------------------------------------------------------------


def wrong(b: Bags, grad_out, done: dict, right=None, rtol: float = RTOL, atol: float = ATOL) -> Verdict | None:
    """None when the gradient is right; else what is wrong, and why."""
    where = str(b)
    if done["library"]:
        return Verdict(False, "your own sums", f"a call of torch's {done['library']}", where, "6/library-bag")
    if done["changed"]:
        names = ("grad_out", "ids", "offsets", "weights")
        return Verdict(False, "arguments as they were", f"{names[done['changed'][0]]} changed", where,
                       "6/arguments-changed")
    value, (unique, rows) = done["value"], right or backward(b, grad_out)
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        dense = array(value)
        why = "6/dense-gradient" if dense is not None and dense.ndim == 2 else "all/bad-value"
        return Verdict(False, "(ids (u,), rows (u, D))", short(value), where, why)
    ids, seen = array(value[0]), array(value[1])
    if ids is None or seen is None or ids.ndim != 1 or seen.shape != (len(ids), rows.shape[1]):
        return Verdict(False, f"(ids (u,), rows (u, {rows.shape[1]}))", f"({short(value[0])}, {short(value[1])})",
                       where, "all/bad-value")
    if not np.array_equal(ids, unique):
        return _wrong_ids(b, ids, unique, where)
    if np.allclose(seen, rows, rtol=rtol, atol=atol):
        return None
    at = int(np.flatnonzero(~np.isclose(seen, rows, rtol=rtol, atol=atol).all(1))[0])
    times = int((b.ids == unique[at]).sum())
    return Verdict(False, f"row {unique[at]}, looked up {times} times: {short(rows[at])}", short(seen[at]), where,
                   _why(b, grad_out, seen, rows, atol))


def _wrong_ids(b: Bags, ids, unique, where: str) -> Verdict:
    expected = f"each id once, ascending: {short(unique)}"
    if np.array_equal(np.unique(ids), unique):
        why = "6/ids-twice" if len(ids) > len(unique) else "6/ids-unsorted"
        return Verdict(False, expected, short(ids), where, why)
    if np.isin(unique, ids).all() and np.array_equal(ids, np.arange(len(ids))):
        return Verdict(False, expected, f"all ids from 0 to {len(ids) - 1}", where, "6/dense-gradient")
    return Verdict(False, expected, short(ids), where, "6/wrong-ids")


def _why(b: Bags, grad_out, seen, rows, atol) -> str:
    if np.allclose(seen, rows, rtol=1e-4, atol=1e-4):
        return "6/computed-in-float32"
    for misconception, slip in EXPLAINED.items():
        for more in (slip, "first-wins") if slip == "last-wins" else (slip,):
            believed = backward(b, grad_out, more)[1]
            if np.allclose(seen, believed, rtol=1e-4, atol=1e-4) and not np.allclose(rows, believed, 1e-4, 1e-4):
                return misconception
    return "6/wrong-gradient"


def values(problems_of):
    def judge(answers, case: Case) -> Verdict:
        problems = [(b, drawn(case.rng, b)) for b in problems_of(case.rng)]
        for (b, grad_out), done in zip(problems, asked(answers, problems)):
            verdict = wrong(b, grad_out, done)
            if verdict is not None:
                return verdict
        return Verdict(True, "summed rows to 1e-5", f"right for {sum(len(np.unique(b.ids)) for b, _ in problems)} rows",
                       "; ".join(str(b) for b, _ in problems[:2]))
    return judge


def example(answers, case: Case) -> Verdict:
    """The example of the notebook, with a gradient for each bag that can be told apart."""
    grad_out = np.array([[1, 2], [10, 20], [100, 200], [6, 12]], np.float32)
    problems = [(by_hand("sum"), grad_out), (by_hand("mean"), grad_out)]
    for (b, g), done in zip(problems, asked(answers, problems)):
        verdict = wrong(b, g, done)
        if verdict is not None:
            return verdict
    return Verdict(True, "rows for ids 0, 1, 2, 4", "right, for sum and mean")


def quotients(answers, case: Case) -> Verdict:
    """In float64, against difference quotients of the forward pass."""
    problems = []
    for mode in ("sum", "mean"):
        b = varied(case.rng, mode, weights=True, empty=True, R=12, D=2, dtype=np.float64)
        problems.append((b, drawn(case.rng, b)))
    for (b, grad_out), done in zip(problems, asked(answers, problems)):
        verdict = wrong(b, grad_out, done, by_differences(b, grad_out), 1e-9, 1e-9)
        if verdict is not None:
            return verdict
    return Verdict(True, "difference quotients in float64, to 1e-9", "equal for every number of every row")


# ---- cost -----------------------------------------------------------------------------------------------------------


def large_ids(answers, case: Case) -> Verdict:
    """The same bags with ids of fifteen digits, as hashing makes them. No table of that size exists."""
    b = varied(case.rng, "sum", weights=True)
    renamed = np.sort(case.rng.integers(10**14, 10**15, 30))
    b = Bags(b.table, renamed[b.ids], b.offsets, b.weights, b.mode)
    grad_out, where = drawn(case.rng, b), f"{len(np.unique(b.ids))} rows with ids up to {renamed[-1]:.1e}"
    try:
        done, = asked(answers, [(b, grad_out)])
    except (Raised, OutOfMemory) as failed:
        if not isinstance(failed, OutOfMemory) and not any(
                word in failed.seen.lower() for word in ("alloc", "memory", "storage size", "too large", "overflow",
                                                         "maximum size", "too big")):
            raise
        return Verdict(False, "memory for the looked-up rows", failed.seen[:120], failed.where, "6/dense-gradient")
    return wrong(b, grad_out, done) or Verdict(True, "memory for the looked-up rows", "right", where)


def no_loop(answers, case: Case) -> Verdict:
    small, large = (bags(case.rng, case.rng.integers(0, 3, B), R=1000, D=4, mode="mean", weights=True)
                    for B in (1_000, MANY_BAGS))
    grads = [drawn(case.rng, b) for b in (small, large)]
    done, = asked(answers, [(small, grads[0])])
    bad = wrong(small, grads[0], done)
    if bad is not None:
        return bad
    expected = f"at most {MOST_OPERATIONS} operations of torch for {small.B:,} bags"
    if done["operations"] > MOST_OPERATIONS:
        return Verdict(False, expected, f"{done['operations']:,} operations", str(small), "6/loop-over-bags",
                       ratio=done["operations"] / MOST_OPERATIONS)
    first, done = asked(answers, [(small, grads[0]), (large, grads[1])], timeout_s=30.0)
    if done["cpu_s"] > MOST_CPU_S:
        return Verdict(False, f"at most {MOST_CPU_S:g} s of the processor for {large.B:,} bags", "more than that",
                       str(large), "6/loop-over-bags")
    return Verdict(True, expected, f"{first['operations']} operations", str(small))


# ---- the exercise ---------------------------------------------------------------------------------------------------


def _hidden(rng):
    for mode in ("sum", "mean"):
        yield varied(rng, mode, weights=True, empty=True, R=int(rng.integers(10, 40)), D=int(rng.integers(1, 9)))
        yield bags(rng, rng.integers(0, 5, 40), R=9, mode=mode)


BACKWARD = Exercise(
    id="6.2", lab="6", title="The gradient of bags", names=(NAME,),
    signature="def bag_backward(grad_out, ids, offsets, weights=None, mode=\"sum\") -> tuple[Tensor, Tensor]\n"
              "    # grad_out (B, D), ids (L,), offsets (B + 1,), weights (L,) or None -> ids (u,) int64, rows (u, D)",
    points=25, minutes=25, difficulty=3, core=True, prerequisites=("6.1",), forbidden=FORBIDDEN,
    goal="Given the gradient of the pooled rows, return the gradient of the table: the ids that were looked up, each "
         "once and ascending, and for each the sum over all its look-ups of weight times the gradient of the bag (by "
         "the bag's length for 'mean').",
    example="ids [2, 2, 0, 1], offsets [0, 3, 3, 4], grad_out [[3], [9], [5]]: sum -> [0, 1, 2], [[3], [5], [6]]; "
            "mean -> [0, 1, 2], [[1], [5], [2]]",
    hints=(
        "Go look-up by look-up first: look-up j of bag b passed its row on with some factor. What does it get back? "
        "The "
        "table is nowhere in it.",
        "each = grad_out[bag] * factor[:, None], (L, D), with the bag numbers of 6.1 and the factor weights / length. "
        "Then equal ids have to be added up: torch.unique with return_inverse tells where each one goes.",
        "unique, inverse = torch.unique(ids, return_inverse=True); rows = grad_out.new_zeros(len(unique), D)"
        ".index_add_(0, inverse, each). unique is ascending already.",
    ),
    misconceptions=(
        *told("6/last-offset", "6/weights-ignored", "6/loop-over-bags", "6/library-bag", "6/arguments-changed",
              "6/bag-of-a-look-up", "6/last-duplicate-wins"),
        Misconception("6/gradient-not-divided", "The gradient of a mean is not divided by the length of the bag; each "
                      "of n look-ups moved the mean by an n-th, so it gets an n-th back."),
        Misconception("6/sum-divided-back", "You divided where the mode says 'sum': every look-up gets the whole "
                      "gradient of its bag."),
        Misconception("6/duplicates-averaged", "Gradients of equal ids were averaged; a row that was used three times "
                      "gets the sum of three gradients."),
        Misconception("6/once-a-bag", "An id that stands twice in one bag got the bag's gradient once; it was added "
                      "twice on the way up, so it gets it twice on the way down."),
        Misconception("6/ids-unsorted", "The ids are right and not in ascending order; servers and optimizers cut and "
                      "merge sorted ids without looking at each of them."),
        Misconception("6/ids-twice", "An id appears more than once; a gradient names each row once, with the sum, or "
                      "an optimizer takes several steps where one was meant."),
        Misconception("6/dense-gradient", "Your gradient is as large as the table, or tried to be; all but a few rows "
                      "of it are zeros, and a table of terabytes has no room for a second one."),
        Misconception("6/wrong-ids", "The ids are not those that were looked up."),
        Misconception("6/computed-in-float32", "Right to float32 only, where float64 came in; make new tensors with "
                      "grad_out.new_zeros and keep its dtype."),
        Misconception("6/wrong-gradient", "The rows are not the gradient; do the example on paper, look-up by "
                      "look-up."),
    ),
    criteria=(
        Criterion("the case done by hand", example, 3),
        Criterion("duplicates within and across bags", values(lambda rng: [
            varied(rng, "sum", R=6), varied(rng, "sum"), bags(rng, [4, 0, 3], R=2)]), 6),
        Criterion("means and weights", values(lambda rng: [
            varied(rng, "mean", R=9), varied(rng, "sum", True), varied(rng, "mean", True)]), 5),
        Criterion("empty bags, and no look-up at all", values(lambda rng: [
            varied(rng, "mean", empty=True), varied(rng, "sum", True, True), bags(rng, [0, 0])]), 2),
        Criterion("difference quotients in float64", quotients, 3),
        Criterion("ids of fifteen digits", large_ids, 2),
        Criterion("no loop over bags", no_loop, 2),
        Criterion("other bags", values(_hidden), 2, hidden=True),
    ),
)
