"""4.4: the largest learning rate at which descent with stale gradients still comes to rest.

    w[t+1] = w[t] - rate · λ · w[t-τ]         τ = 0: rate < 2/λ        τ = 3: rate < 0.445/λ

Roots z of z^(τ+1) - z^τ + rate·λ = 0 leave the unit circle at rate = 2 sin(π / (2 (2τ + 1))) / λ. The judge asks for
that number, and runs descent on either side of what it is told.
"""

from __future__ import annotations

import math

from pslab.grade import Case, Criterion, Exercise, Misconception, Verdict, contracts

NAME = "stable_rate"
NEAR = 0.01
# A root of 1 + eps per step, at 1 % beyond the edge, has grown by far more than e^3 after so many steps for τ <= MOST.
MOST, STEPS = 12, 6_000


def stable_rate(tau: int, curvature: float) -> float:
    """The reference."""
    return 2 * math.sin(math.pi / (2 * (2 * tau + 1))) / curvature


def descent(rate: float, curvature: float, tau: int, steps: int = STEPS) -> list[float]:
    """w of each step, from w = 1 at all times before."""
    w = [1.0] * (tau + 1)
    for t in range(tau, tau + steps):
        w.append(w[t] - rate * curvature * w[t - tau])
        if abs(w[-1]) > 1e12:
            break
    return w


def rests(rate: float, curvature: float, tau: int) -> bool:
    """Whether the swings become smaller: the last third's against those of the third before."""
    w = descent(rate, curvature, tau)
    if abs(w[-1]) > 1e12:
        return False
    third = len(w) // 3
    last, before = (max(map(abs, part)) for part in (w[-third:], w[-2 * third:-third]))
    return last < before or last < 1e-12


def _scaled(rule):
    return lambda tau, curvature: rule(tau) / curvature


BELIEFS = {
    "4/staleness-changes-nothing": _scaled(lambda tau: 2.0),
    "4/one-over-tau": _scaled(lambda tau: 1 / max(tau, 1)),
    "4/one-over-tau-plus-one": _scaled(lambda tau: 1 / (tau + 1)),
    "4/two-over-tau-plus-one": _scaled(lambda tau: 2 / (tau + 1)),
    "4/curvature-forgotten": lambda tau, curvature: stable_rate(tau, 1.0),
    "4/times-the-curvature": lambda tau, curvature: stable_rate(tau, 1.0) * curvature,
    "4/tau-off-by-one": lambda tau, curvature: stable_rate(tau + 1, curvature),
    "4/tau-one-too-few": lambda tau, curvature: stable_rate(max(tau - 1, 0), curvature),
    "4/half-the-rate": _scaled(lambda tau: math.sin(math.pi / (2 * (2 * tau + 1)))),
    "4/degrees": _scaled(lambda tau: 2 * math.sin(90 / (2 * tau + 1))),
    "4/small-angle": _scaled(lambda tau: math.pi / (2 * tau + 1)),
    "4/without-swinging": _scaled(lambda tau: (tau / (tau + 1))**tau / (tau + 1)),
}
EXAMPLES = ((0, 1.0), (1, 1.0), (3, 1.0), (3, 4.0), (8, 0.5), (2, 2.0))


def questions(rng, count: int) -> list[tuple[int, float]]:
    """τ from 0 to 12 and λ over four powers of ten, none near 1."""
    drawn = [(int(rng.integers(0, MOST + 1)), float(f"{10 ** rng.uniform(-2, 2):.4g}")) for _ in range(4 * count)]
    return [(tau, curvature) for tau, curvature in drawn if abs(math.log(curvature)) > 0.3][:count]


def near(points):
    return contracts.formula(NAME, lambda case: points(case.rng), stable_rate, otherwise="4/another-rate",
                             explains=BELIEFS, rtol=NEAR)


def either_side(answers, case: Case) -> Verdict:
    """Runs descent at 0.98 and at 1.02 times the student's rate."""
    shown = []
    for tau, curvature in [(3, 1.0), *questions(case.rng, 4)]:
        where = f"stable_rate({tau}, {curvature:g})"
        rate = answers.call(NAME, tau, curvature)
        if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 < rate < math.inf:
            return Verdict(False, "a number above 0", contracts.short(rate), where, "all/bad-value")
        why = next((name for name, rule in BELIEFS.items() if math.isclose(rule(tau, curvature), rate, rel_tol=NEAR)
                    and not math.isclose(rate, stable_rate(tau, curvature), rel_tol=NEAR)), "4/another-rate")
        if not rests(0.98 * rate, curvature, tau):
            return Verdict(False, "descent at 0.98 times the rate comes to rest", f"at {0.98 * rate:.4g} it swings "
                           "ever wider", where, why)
        if rests(1.02 * rate, curvature, tau):
            return Verdict(False, "descent at 1.02 times the rate swings ever wider", f"at {1.02 * rate:.4g} it comes "
                           "to rest", where, why)
        shown.append(f"tau {tau}: {rate * curvature:.3f}/curvature")
    return Verdict(True, seen="rests below, swings above; " + ", ".join(shown[:3]))


RATE = Exercise(
    id="4.4", lab="4", title="The stable rate", names=(NAME,),
    signature="def stable_rate(tau: int, curvature: float) -> float",
    points=20, minutes=20, difficulty=3, core=True, prerequisites=("4.3",),
    forbidden=("pslab.ps", "pslab.train", "pslab.collectives", "pslab.cost"),
    goal="On a loss curvature/2 * w**2 every gradient is tau steps old: w[t+1] = w[t] - rate * curvature * w[t - tau]. "
         "Return the largest rate at which w still comes to rest, within 1 %. By a formula, or by trying: run descent, "
         "and halve the interval between a rate that rests and one that does not. tau is at most 12.",
    example="stable_rate(0, 1.0) -> 2.0; stable_rate(1, 1.0) -> 1.0; stable_rate(3, 1.0) -> 0.445",
    hints=(
        "rate and curvature only come as a product. So find the edge for curvature 1, and think of what to do with "
        "another one. For tau = 0 each step multiplies w by 1 - rate: where does that stop shrinking?",
        "By trying: start all w as 1, do some thousand steps, and compare the largest |w| of the last part with that "
        "of a part before it; one that has left 1e12 need not go on. One below 1e-12 rests. Between 0 and 2.5 "
        "twenty halvings are far more than enough. Near the edge swings change slowly: take enough steps.",
        "By a formula: at the edge w swings as z**t with |z| = 1, z = exp(i*a). Put it into z**(tau + 1) = z**tau - "
        "rate: that is rate = z**tau * (1 - z), whose size is 2 sin(a/2) and whose direction has to be 0: a*tau + a/2 "
        "- pi/2 = 0. Solve for a, and divide by the curvature.",
    ),
    misconceptions=(
        Misconception("4/staleness-changes-nothing", "2/curvature is right for fresh gradients alone; stale ones push "
                      "on after w has passed the minimum, and that makes swings grow at far smaller rates."),
        Misconception("4/one-over-tau", "1/tau is a rule of thumb; the edge is elsewhere: 1 for tau = 1, 0.618 for tau "
                      "= 2, 0.445 for tau = 3."),
        Misconception("4/one-over-tau-plus-one", "1/(tau + 1) is a rule of thumb and too careful; it is half of what "
                      "is possible at tau = 0."),
        Misconception("4/two-over-tau-plus-one", "2/(tau + 1) is right at tau = 0 and tau = 1 and too much beyond; it "
                      "comes from spreading one step over tau + 1, and delays are worse than that."),
        Misconception("4/curvature-forgotten", "The curvature is missing: a loss twice as curved has gradients twice "
                      "as long, and bears half the rate."),
        Misconception("4/times-the-curvature", "You multiplied by the curvature; a more curved loss bears a smaller "
                      "rate."),
        Misconception("4/tau-off-by-one", "That is the edge for a gradient one step older; tau = 0 is a fresh one."),
        Misconception("4/tau-one-too-few", "That is the edge for a gradient one step fresher; at tau = 1 the last step "
                      "is not known yet."),
        Misconception("4/half-the-rate", "Half of the edge: a factor of 2 is missing."),
        Misconception("4/degrees", "The sine was given degrees; math.sin takes radians."),
        Misconception("4/small-angle", "You took the angle for its sine; at small tau that is more than 1 % too much."),
        Misconception("4/without-swinging", "That is the rate at which w begins to swing; swings that become smaller "
                      "come to rest, too."),
        Misconception("4/another-rate", "Descent has its edge elsewhere; run it a little below and a little above your "
                      "number, and look at the swings."),
    ),
    criteria=(
        Criterion("six rates", near(lambda rng: EXAMPLES), 4),
        Criterion("twenty rates more", near(lambda rng: questions(rng, 20)), 5),
        Criterion("descent on either side", either_side, 5),
        Criterion("forty rates more", near(lambda rng: questions(rng, 40)), 6, hidden=True),
    ),
)
