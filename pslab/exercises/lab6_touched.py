"""6.6: which rows a batch touches, and what Zipf's law expects.

    touched            different rows in each whole batch of a stream
    expected           Σ over rows of 1 − (1 − p)^B : a row is missed by B draws with probability (1 − p)^B
    sigmas             (mean of the counts − expected) / (their spread / √n)
Independent draws stay within 3; a stream in which rows come in bursts touches far fewer.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from pslab.grade import Case, Criterion, Exercise, Misconception, Verdict, contracts

from .lab6_common import FORBIDDEN, array, short

NAMES = ("touched", "expected_touched", "sigmas")
RTOL = 1e-6


# ---- streams --------------------------------------------------------------------------------------------------------


def zipf_shares(R: int, exponent: float) -> np.ndarray:
    share = np.arange(1, R + 1, dtype=np.float64) ** -exponent
    return share / share.sum()


def drawn(rng, p: np.ndarray, n: int) -> np.ndarray:
    """(n,) int64: independent draws; which row has which share is drawn as well."""
    return rng.permutation(len(p))[rng.choice(len(p), n, p=p)].astype(np.int64)


def bursts(rng, p: np.ndarray, n: int, length: int = 4) -> np.ndarray:
    """The same shares, each draw `length` times in a row."""
    return np.repeat(drawn(rng, p, -(-n // length)), length)[:n]


# ---- what is right, and the usual slips -----------------------------------------------------------------------------


def distinct(stream, B: int) -> list[int]:
    return [len(set(stream[at:at + B].tolist())) for at in range(0, len(stream) - B + 1, B)]


def expectation(p, B: int) -> float:
    p = np.asarray(p, np.float64)
    return math.fsum(-math.expm1(B * math.log1p(-one)) if one < 1 else 1.0 for one in p.tolist())


TOUCHED_BELIEFS = {
    "6/look-ups-counted": lambda stream, B: [B for _ in distinct(stream, B)],
    "6/last-batch-kept": lambda stream, B: [len(np.unique(stream[at:at + B])) for at in range(0, len(stream), B)],
    "6/once-only": lambda stream, B: [int((np.unique(stream[at:at + B], return_counts=True)[1] == 1).sum())
                                      for at in range(0, len(stream) - B + 1, B)],
    "6/neighbours-only": lambda stream, B: [1 + int((np.diff(stream[at:at + B]) != 0).sum())
                                            for at in range(0, len(stream) - B + 1, B)],
    "6/rows-so-far": lambda stream, B: [len(np.unique(stream[:at + B])) for at in range(0, len(stream) - B + 1, B)],
    "6/windows-overlap": lambda stream, B: [len(np.unique(stream[at:at + B])) for at in range(len(stream) - B + 1)],
}
EXPECTED_BELIEFS = {
    "6/all-rows-alike": lambda p, B: len(p) * (1 - (1 - 1 / len(p)) ** B),
    "6/capped-product": lambda p, B: float(np.minimum(1, B * np.asarray(p)).sum()),
    "6/poisson": lambda p, B: float(-np.expm1(-B * np.asarray(p)).sum()),
    "6/missed-for-touched": lambda p, B: float(((1 - np.asarray(p)) ** B).sum()),
    "6/power-of-p": lambda p, B: float((1 - np.asarray(p) ** B).sum()),
    "6/batch-length": lambda p, B: float(B),
}


def sigmas_of(counts, expected: float, slip: str = "") -> float:
    counts = np.asarray(counts, np.float64)
    off, spread = counts.mean() - expected, counts.std(ddof=1)
    return {"": off / (spread / math.sqrt(len(counts))),
            "population": off / (counts.std() / math.sqrt(len(counts))),
            "6/spread-of-one-batch": off / spread, "6/difference-only": off,
            "6/variance-for-spread": off / (spread**2 / len(counts)),
            "6/variance-for-spread ": off / (spread**2 / math.sqrt(len(counts))),
            "6/divided-by-n": off / (spread / len(counts)),
            "6/sign-turned": -off / (spread / math.sqrt(len(counts))),
            "6/poisson-spread": off / math.sqrt(expected / len(counts))}[slip]


SIGMA_SLIPS = ("6/spread-of-one-batch", "6/difference-only", "6/variance-for-spread", "6/variance-for-spread ",
               "6/divided-by-n", "6/sign-turned", "6/poisson-spread")


# ---- judges ---------------------------------------------------------------------------------------------------------


def batches(cases_of):
    def judge(answers, case: Case) -> Verdict:
        for stream, B in cases_of(case.rng):
            right, where = distinct(stream, B), f"{len(stream):,} look-ups, B={B}"
            value = answers.call("touched", torch.from_numpy(stream.copy()), B)
            seen = array(value)
            if seen is None or seen.ndim != 1:
                return Verdict(False, f"{len(right)} counts, one for each whole batch", short(value), where,
                               "all/bad-value")
            if seen.tolist() != right:
                why = next((name for name, belief in TOUCHED_BELIEFS.items() if seen.tolist() == belief(stream, B)),
                           "6/wrong-touched")
                return Verdict(False, f"{short(right)}, one for each of {len(right)} whole batches",
                               f"{short(seen.tolist())}, {len(seen)} counts", where, why)
        return Verdict(True, "different rows of each whole batch", f"right, such as {short(right[:6])}", where)
    return judge


def expectations(cases_of):
    def judge(answers, case: Case) -> Verdict:
        for p, B, what in cases_of(case.rng):
            right, value = expectation(p, B), answers.call("expected_touched", torch.from_numpy(p.copy()), B)
            seen = _number(value)
            if seen is None:
                return Verdict(False, f"a number, {right:,.3f}", short(value), what, "all/bad-value")
            if not math.isclose(seen, right, rel_tol=RTOL):
                why = next((name for name, belief in EXPECTED_BELIEFS.items()
                            if math.isclose(seen, belief(p, B), rel_tol=1e-5)), "6/wrong-expectation")
                return Verdict(False, f"{right:,.4f}", f"{seen:,.4f}", what, why, ratio=seen / right if right else None)
        return Verdict(True, f"{right:,.3f}", f"{seen:,.3f}", what)
    return judge


def distances(answers, case: Case) -> Verdict:
    """sigmas on counts: of independent draws within 3, of bursts far below."""
    p, B = zipf_shares(2_000, 1.1), 64
    cases = [(np.array([3, 5, 4, 6, 7]), 6.0, "counts 3, 5, 4, 6, 7, expected 6")]
    cases += [(np.array(distinct(make(case.rng, p, 60 * B), B)), expectation(p, B), what)
              for make, what in ((drawn, "60 batches of 64, independent draws"), (bursts, "60 batches, in bursts"))]
    said = []
    for counts, expected, what in cases:
        right, value = sigmas_of(counts, expected), answers.call("sigmas", torch.from_numpy(counts), expected)
        seen = _number(value)
        if seen is None:
            return Verdict(False, f"a number, {right:.3f}", short(value), what, "all/bad-value")
        if contracts.difference(seen, right, rtol=1e-4) and contracts.difference(
                seen, sigmas_of(counts, expected, "population"), rtol=1e-4):
            why = next((name.strip() for name in SIGMA_SLIPS if math.isclose(seen, sigmas_of(counts, expected, name),
                                                                            rel_tol=1e-4)), "6/wrong-sigmas")
            return Verdict(False, f"{right:.4f}", f"{seen:.4f}", what, why)
        said.append(f"{seen:.1f}")
    return Verdict(True, "independent draws within 3, bursts far below", f"{said[1]} and {said[2]}", cases[1][2])


def within_three(answers, case: Case) -> Verdict:
    """The three functions together, on Zipf streams of the course's own."""
    for exponent, B in ((0.8, 128), (1.2, 256)):
        p = zipf_shares(5_000, exponent)
        counts = answers.call("touched", torch.from_numpy(drawn(case.rng, p, 40 * B)), B)
        expected = answers.call("expected_touched", torch.from_numpy(p), B)
        off = _number(answers.call("sigmas", torch.as_tensor(array(counts)), _number(expected)))
        where = f"Zipf({exponent}), 5,000 rows, 40 batches of {B}"
        if off is None or not abs(off) < 5:       # by chance beyond 5 once in many thousands of seeds
            return Verdict(False, "within a few sigmas of the expectation", f"{off:.1f} sigmas off", where,
                           "6/wrong-sigmas")
    return Verdict(True, "within a few sigmas of the expectation", f"{off:.1f} sigmas off", where)


def _number(value) -> float | None:
    seen = array([value] if isinstance(value, (int, float)) and not isinstance(value, bool) else value)
    return float(seen.reshape(-1)[0]) if seen is not None and seen.size == 1 else None


def _streams(rng):
    yield np.array([3, 1, 3, 3, 2, 2, 7]), 3
    yield rng.integers(10**14, 10**14 + 30, 200), 20
    yield drawn(rng, zipf_shares(9, 1.0), 40), 1
    yield drawn(rng, zipf_shares(300, 1.1), 1_000), 64


def _shares(rng):
    yield np.array([0.75, 0.125, 0.125]), 2, "shares 3/4, 1/8, 1/8, B=2"
    yield zipf_shares(1_000, 1.1), 256, "Zipf(1.1), 1,000 rows, B=256"
    yield zipf_shares(20_000, 0.8), 512, "Zipf(0.8), 20,000 rows, B=512"


def _hidden(answers, case: Case) -> Verdict:
    R, B = int(case.rng.integers(50, 3_000)), int(case.rng.integers(10, 400))
    shares = zipf_shares(R, float(case.rng.uniform(0.6, 1.5)))
    judges = (batches(lambda rng: [(drawn(rng, shares, 11 * B + 3), B)]),
              expectations(lambda rng: [(shares, B, f"{R} rows, B={B}"), (np.array([1.0]), 5, "one row")]),
              within_three)
    for judge in judges:
        verdict = judge(answers, case)
        if not verdict.passed:
            return verdict
    return verdict


TOUCHED = Exercise(
    id="6.6", lab="6", title="What a batch touches", names=NAMES,
    signature="def touched(stream, B: int) -> list[int]        # ids (n,) int64 -> different rows of each whole batch\n"
              "def expected_touched(p, B: int) -> float        # shares (R,), which add up to 1\n"
              "def sigmas(counts, expected: float) -> float    # counts (n,), how far their mean is from expected",
    points=10, minutes=15, difficulty=2, core=False, prerequisites=("6.3",), forbidden=FORBIDDEN,
    goal="Count the different rows of each batch of B look-ups; say how many are expected where look-ups are "
         "independent draws with shares p; and how many standard errors (spread of the counts by the root of how many "
         "there are) lie between the mean count and the expectation.",
    example="stream 3 1 3 3 2 2 7, B = 3: [2, 2], the seventh is no whole batch. p = [3/4, 1/8, 1/8], B = 2: "
            "15/16 + 2·15/64 = 1.406. Counts 3, 5, 4, 6, 7, expected 6: -1 by a spread of 1.581 over root 5, -1.414",
    hints=(
        "A row with share p is missed by one draw with probability 1 - p. By B draws? And what, then, does it add to "
        "the expected number of different rows?",
        "The expectation of a count is the sum over rows of the probability that the row is in it; the rows need not "
        "be independent for that. For sigmas: the mean of n counts spreads by the root of n less than one count.",
        "touched: [len(torch.unique(part)) for part in stream[:n // B * B].view(-1, B)]. expected: "
        "(1 - (1 - p)**B).sum() in float64. sigmas: (counts.mean() - expected) / (counts.std() / n**0.5).",
    ),
    misconceptions=(
        Misconception("6/look-ups-counted", "You counted look-ups, B of them; a batch touches fewer rows, since ids "
                      "repeat."),
        Misconception("6/last-batch-kept", "The last ids are no whole batch of B; counted with the others they would "
                      "pull the mean down."),
        Misconception("6/once-only", "You counted ids that occur exactly once; a row that occurs twice is touched, "
                      "too."),
        Misconception("6/neighbours-only", "Only neighbours were compared; equal ids may stand anywhere in a batch, so "
                      "sort them first, or take a set."),
        Misconception("6/rows-so-far", "The counts grow from batch to batch: begin anew with each batch."),
        Misconception("6/windows-overlap", "Your batches overlap; the second one begins where the first one ends."),
        Misconception("6/wrong-touched", "The counts are not those of the different ids of each batch."),
        Misconception("6/all-rows-alike", "You gave all rows the same share; hot rows repeat and touch fewer rows, so "
                      "the sum goes over the shares."),
        Misconception("6/capped-product", "B·p is how often a row is expected, and 1 if that is more; the probability "
                      "that it occurs at all is 1 - (1 - p)^B, which is less."),
        Misconception("6/poisson", "exp(-B·p) is close to (1 - p)^B for small p only; the hottest rows are not small."),
        Misconception("6/missed-for-touched", "You summed the probabilities of being missed; touched is 1 minus "
                      "that."),
        Misconception("6/power-of-p", "p^B is the probability that all draws hit the row; 'at least one' is 1 - "
                      "(1 - p)^B."),
        Misconception("6/batch-length", "You expect B different rows; ids repeat, that is the point."),
        Misconception("6/wrong-expectation", "The expectation is not the sum of 1 - (1 - p)^B over all rows."),
        Misconception("6/spread-of-one-batch", "You divided by the spread of one count; the mean of n counts spreads "
                      "by the root of n less."),
        Misconception("6/difference-only", "You returned the difference in rows; divided by the standard error it says "
                      "whether chance explains it."),
        Misconception("6/variance-for-spread", "You divided by a variance; the spread is its root."),
        Misconception("6/divided-by-n", "The spread of a mean falls by the root of n and not by n."),
        Misconception("6/sign-turned", "Mean minus expected: fewer rows than expected is below zero."),
        Misconception("6/poisson-spread", "You took the root of the expectation for the spread, as if counts were "
                      "Poisson; measure the spread of the counts themselves."),
        Misconception("6/wrong-sigmas", "The number of standard errors is not (mean - expected) / (spread / root of "
                      "n)."),
    ),
    criteria=(
        Criterion("rows of each batch", batches(_streams), 3),
        Criterion("the expectation", expectations(_shares), 3),
        Criterion("how far from it", distances, 2),
        Criterion("other streams", _hidden, 2, hidden=True),
    ),
)
