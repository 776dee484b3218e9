"""6.1: bags of ids to pooled rows.

    V   equal to the matrix of lab6_bags to 1e-6 of the values' size; empty bags are zeros
    T   the operations that torch is asked for do not grow with the number of bags; nor, much, processor time
    R   at most three times the output is held: no one-hot matrix, no padding to the longest bag
"""

from __future__ import annotations

import numpy as np

from pslab.grade import Case, Criterion, Exercise, Misconception, OutOfMemory, Verdict

from .lab6_bags import Bags, bags, by_hand, forward, varied
from .lab6_common import FORBIDDEN, MANY_BAGS, MOST_CPU_S, MOST_OPERATIONS, array, short, told
from .lab6_programs import pooled

NAME = "bag_forward"
ATOL = 1e-5                              # values are of size 1 to 10: float32 is exact to 1e-6
SLACK_BYTES = 6 << 20                    # what torch and Python take beside the tensors
EXPLAINED = {                            # misconception: slip of lab6_bags
    "6/mean-not-divided": "undivided", "6/sum-divided": "other-mode", "6/mean-by-weights": "by-weights",
    "6/padding-counted": "padded", "6/divided-by-the-batch": "batch", "6/weights-ignored": "weights",
    "6/duplicates-count-once": "once", "6/last-offset": "last-bag", "6/bag-of-a-look-up": "bag-before",
    "6/end-included": "end-included", "6/empty-bag-borrows": "empty-borrows",
}


def asked(answers, problems: list[Bags], **how) -> list[dict]:
    run = answers.run(NAME, 1, [b.forward_arguments() for b in problems], within=pooled, trace=False, **how)
    return run.results[0]


# ---- values ---------------------------------------------------------------------------------------------------------


def wrong(b: Bags, done: dict) -> Verdict | None:
    """None when bags were pooled right; else what is wrong, and why."""
    where, right = str(b), forward(b)
    if done["library"]:
        return Verdict(False, "your own sums", f"a call of torch's {done['library']}", where, "6/library-bag")
    if done["changed"]:
        names = ("table", "ids", "offsets", "weights")
        return Verdict(False, "arguments as they were", f"{names[done['changed'][0]]} changed", where,
                       "6/arguments-changed")
    seen = array(done["value"])
    if seen is None or seen.ndim != 2 or seen.shape[1] != right.shape[1]:
        return Verdict(False, f"pooled rows of shape {right.shape}", short(done["value"]), where, "all/bad-value")
    if len(seen) != b.B:
        why = "6/last-offset" if len(seen) in (b.B - 1, b.B + 1) else "6/one-row-a-bag"
        return Verdict(False, f"{b.B} rows, one for each bag", f"{len(seen)} rows", where, why)
    if seen.dtype.kind == "f" and not np.isfinite(seen[b.lengths == 0]).all():
        bag = int(np.flatnonzero(b.lengths == 0)[0])
        return Verdict(False, f"bag {bag}, which is empty: zeros", short(seen[bag]), where, "6/empty-bag-nan")
    if same(seen, right):
        return None
    bag = int(np.flatnonzero(~np.isclose(seen, right, rtol=1e-5, atol=ATOL).all(1))[0])
    return Verdict(False, f"bag {bag} with {b.lengths[bag]} look-ups: {short(right[bag])}", short(seen[bag]), where,
                   _why(b, seen, right))


def same(seen, right) -> bool:
    return bool(np.allclose(seen, right, rtol=1e-6, atol=ATOL))


def _why(b: Bags, seen, right) -> str:
    for misconception, slip in EXPLAINED.items():
        believed = forward(b, slip)
        if same(seen, believed) and not same(right, believed):
            return misconception
    return "6/wrong-bags"


def values(problems_of):
    def judge(answers, case: Case) -> Verdict:
        problems = list(problems_of(case.rng))
        for b, done in zip(problems, asked(answers, problems)):
            verdict = wrong(b, done)
            if verdict is not None:
                return verdict
        return Verdict(True, "pooled rows to 1e-6", f"right in {sum(b.B for b in problems)} bags",
                       "; ".join(map(str, problems[:2])))
    return judge


# ---- cost -----------------------------------------------------------------------------------------------------------


def many(rng, B: int, D: int = 4) -> Bags:
    """B bags of none to two look-ups."""
    return bags(rng, rng.integers(0, 3, B), R=1000, D=D, mode="mean", weights=True)


def no_loop(answers, case: Case) -> Verdict:
    small, large = (many(case.rng, B) for B in (1_000, MANY_BAGS))
    done, = asked(answers, [small])
    bad = wrong(small, done)
    if bad is not None:
        return bad
    expected = f"at most {MOST_OPERATIONS} operations of torch for {small.B:,} bags"
    if done["operations"] > MOST_OPERATIONS:
        return Verdict(False, expected, f"{done['operations']:,} operations", str(small), "6/loop-over-bags",
                       ratio=done["operations"] / MOST_OPERATIONS)
    first, done = asked(answers, [small, large], timeout_s=30.0)
    if done["cpu_s"] > MOST_CPU_S:
        return Verdict(False, f"at most {MOST_CPU_S:g} s of the processor for {large.B:,} bags", "more than that",
                       str(large), "6/loop-over-bags")
    return Verdict(True, expected, f"{first['operations']} operations", str(small))


def no_matrix(answers, case: Case) -> Verdict:
    """20,000 bags with half as many look-ups, one bag of 40; 2,000 rows."""
    B, D, R = 20_000, 64, 2_000
    lengths = (case.rng.random(B) < 0.5).astype(np.int64)
    lengths[7] = 40
    b = bags(case.rng, lengths, R=R, D=D)
    bound = 3 * 4 * B * D + SLACK_BYTES
    asked(answers, [many(case.rng, 100), b])                     # what is loaded on first use
    try:
        run = answers.run(NAME, 1, [b.forward_arguments()], within=pooled, trace=False)
    except OutOfMemory as failed:
        return Verdict(False, f"at most {bound:,} B", "all the memory there is", str(b), "6/one-hot", failed.run)
    held = run.peak_bytes - b.table.nbytes - b.ids.nbytes - b.offsets.nbytes     # pooled() hands over copies
    if held > bound:
        return Verdict(False, f"at most three times the output, {bound:,} B", f"{held / bound:.1f}x that", str(b),
                       "6/one-hot", ratio=held / bound)
    seen, right = array(run.results[0][0]["value"]), _pooled_sums(b)
    if seen is None or seen.shape != right.shape or not same(seen, right):
        return Verdict(False, "the sums of all bags", "other sums", str(b), "6/wrong-bags")
    return Verdict(True, f"at most three times the output, {bound:,} B", "less than that", str(b))


def _pooled_sums(b: Bags) -> np.ndarray:
    """The reference without its matrix: sums up to each look-up, and their differences."""
    before = np.concatenate([np.zeros((1, b.table.shape[1])), np.cumsum(b.table[b.ids].astype(np.float64), axis=0)])
    return before[b.offsets[1:]] - before[b.offsets[:-1]]


# ---- the exercise ---------------------------------------------------------------------------------------------------


def _hidden(rng):
    for mode in ("sum", "mean"):
        yield varied(rng, mode, weights=True, empty=True, R=int(rng.integers(20, 60)), D=int(rng.integers(1, 9)))
        yield bags(rng, rng.integers(0, 4, 50), mode=mode)
    yield bags(rng, [0, 0, 0], mode="mean")


FORWARD = Exercise(
    id="6.1", lab="6", title="Bags of rows", names=(NAME,),
    signature="def bag_forward(table, ids, offsets, weights=None, mode=\"sum\") -> Tensor\n"
              "    # table (R, D) float32, ids (L,) int64, offsets (B + 1,) int64, weights (L,) or None -> (B, D)",
    points=20, minutes=25, difficulty=3, core=True, prerequisites=("2",), forbidden=FORBIDDEN,
    goal="Pool the rows of each bag: bag b holds ids[offsets[b]] up to, but not including, ids[offsets[b + 1]]. 'sum' "
         "adds weight times row over the bag; 'mean' divides that by how many look-ups the bag has. An empty bag is "
         "zeros.",
    example="rows [[1], [2], [3]], ids [2, 2, 0, 1], offsets [0, 3, 3, 4]: sum [[7], [0], [2]], mean "
            "[[7/3], [0], [2]]",
    hints=(
        "Give every look-up the number of its bag: for offsets [0, 3, 3, 4] that is [0, 0, 0, 2]. Which operation "
        "makes "
        "this from the lengths of the bags?",
        "lengths = offsets[1:] - offsets[:-1]; bag = torch.repeat_interleave(torch.arange(B), lengths). Then all rows "
        "at once: table[ids], times weights[:, None] if there are any, added into zeros(B, D) at place bag.",
        "out = table.new_zeros(B, D).index_add_(0, bag, rows); for the mean out / lengths.clamp(min=1)[:, None]: the "
        "clamp keeps an empty bag from being 0/0.",
    ),
    misconceptions=(
        *told("6/last-offset", "6/weights-ignored", "6/loop-over-bags", "6/library-bag", "6/arguments-changed",
              "6/bag-of-a-look-up"),
        Misconception("6/mean-not-divided", "The mean of a bag is not divided by how many look-ups it has: you "
                      "returned the sum."),
        Misconception("6/sum-divided", "You divided where the mode says 'sum', and only 'mean' divides."),
        Misconception("6/mean-by-weights", "You divided by the sum of the weights; the mean divides by the number of "
                      "look-ups, and weights only scale the rows, as FBGEMM does it."),
        Misconception("6/padding-counted", "Every bag was divided by the length of the longest; each has a length of "
                      "its own, and padding is no look-up."),
        Misconception("6/divided-by-the-batch", "You divided by the number of bags; the mean is over the look-ups "
                      "within one bag."),
        Misconception("6/duplicates-count-once", "An id that stands twice in a bag counted once; a bag is no set, and "
                      "both look-ups add their row."),
        Misconception("6/end-included", "The look-up at offsets[b + 1] was added to bag b, where it is the first of "
                      "the next bag."),
        Misconception("6/empty-bag-nan", "An empty bag became NaN: 0 / 0. It is zeros, so divide by at least 1; one "
                      "NaN would spread to every weight of the model."),
        Misconception("6/empty-bag-borrows", "An empty bag got a row that is another bag's first; np.add.reduceat and "
                      "its like do so. An empty bag is zeros."),
        Misconception("6/one-row-a-bag", "The result has a row for something else than bags; L look-ups in B bags "
                      "give B rows."),
        Misconception("6/one-hot", "You hold much more than the result: a matrix of bags or look-ups times table rows, "
                      "or bags padded to the longest. A look-up picks rows, table[ids], and multiplies nothing."),
        Misconception("6/wrong-bags", "The pooled rows are not those of the bags; do the example on paper, bag by "
                                      "bag."),
    ),
    criteria=(
        Criterion("the case done by hand", values(lambda rng: [by_hand("sum"), by_hand("mean")]), 3),
        Criterion("sums and means", values(lambda rng: [varied(rng, "sum"), varied(rng, "mean"),
                                                        varied(rng, "mean", D=1, R=7)]), 4),
        Criterion("weights", values(lambda rng: [varied(rng, "sum", True), varied(rng, "mean", True)]), 4),
        Criterion("empty bags, and no look-up at all", values(lambda rng: [
            varied(rng, "mean", empty=True), varied(rng, "sum", True, True), bags(rng, [0, 0, 0], mode="mean"),
            bags(rng, [1])]), 3),
        Criterion("memory", no_matrix, 2),
        Criterion("no loop over bags", no_loop, 2),
        Criterion("other bags", values(_hidden), 2, hidden=True),
    ),
)
