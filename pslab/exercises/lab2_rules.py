"""2.2 and 2.3: two rules that a server applies to rows, judged alike.

    V   equal to the reference to 1e-6 after 100 pushes, idle rows bit for bit
    R   the state holds the pushed keys and no others; a rule goes on from a state that was saved
"""

from __future__ import annotations

import numpy as np

from pslab.grade import Case, Criterion, Exercise, Misconception, Verdict, contracts

from .lab2_common import FORBIDDEN, all_of, explained, told
from .lab2_programs import stepped
from .lab2_rows import SLIPS, STEPS, Problem, after, problem

ATOL, SEEN_AT = 1e-6, 1e-5                     # a slip is told apart where it differs by ten times what is allowed
SLOTS = {"adagrad": 1, "ftrl": 2}


class Judges:
    """The judges of one rule. names: {'adagrad': 'adagrad_rows'}; settings: what problems are drawn with."""

    def __init__(self, rule: str, zero: bool, settings: list[dict]):
        self.rule, self.name, self.zero, self.settings = rule, f"{rule}_rows", zero, settings

    def problems(self, rng, **sizes) -> list[Problem]:
        return [problem(rng, zero=self.zero, **sizes, **settings) for settings in self.settings]

    def run(self, answers, p: Problem, table=None, state=None) -> dict:
        given, pushes = p.given()
        result = answers.run(self.name, 1, given if table is None else table, state or {}, pushes, p.settings,
                             within=stepped).results[0]
        return result

    # ---- values -------------------------------------------------------------------------------------------------

    def values(self, **sizes):
        def judge(answers, case: Case) -> Verdict:
            for p in self.problems(case.rng, **sizes):
                result = self.run(answers, p)
                bad = self.wrong(p, result)
                if bad is not None:
                    expected, seen, why = bad
                    return Verdict(False, expected, seen, _told(p), why)
            return Verdict(True, f"rows to {ATOL:g}", f"right after {len(p.pushes)} pushes to {len(p.touched)} of "
                           f"{len(p.table)} rows", _told(p))
        return judge

    def wrong(self, p: Problem, result: dict) -> tuple[str, str, str] | None:
        """(expected, seen, misconception) of rows that are not those of the reference."""
        if result["changed"] is not None:
            return "keys and grads as they were", f"changed in push {result['changed'] + 1}", "2/arguments-changed"
        right, rows = after(p, self.rule), result["rows"]
        idle = np.setdiff1d(np.arange(len(p.table)), p.touched)
        seen = rows.numpy()
        if seen.shape == p.table.shape and seen.dtype == np.float32:
            moved = idle[(seen[idle].view(np.int32) != p.table[idle].view(np.int32)).any(1)]
            if len(moved):
                why = "2/weights-of-all-rows" if self.rule == "ftrl" else "2/untouched-row-moved"
                return ("idle rows bit for bit as they were", f"row {moved[0]}: {contracts.short(rows[moved[0]])}, was "
                        f"{contracts.short(p.table[moved[0]])}", why)
        words = contracts.difference(rows, right, atol=ATOL)
        if words is None:
            return None
        slips = {slip: lambda slip=slip: after(p, self.rule, slip) for slip in SLIPS[self.rule]}

        def fits(believed) -> bool:
            apart = np.abs(believed - right).max() > SEEN_AT
            return apart and contracts.difference(rows, believed, atol=SEEN_AT / 2, rtol=1e-5) is None
        return f"rows to {ATOL:g}", words, explained(fits, slips, right, f"2/wrong-{self.rule}")

    # ---- the state ----------------------------------------------------------------------------------------------

    def small(self, answers, case: Case) -> Verdict:
        """A large table of which few rows are pushed."""
        R, D = 20_000, 4
        p = problem(case.rng, R, D, 12, 10, self.zero, **self.settings[0])
        bound = 2 * len(p.touched) * (4 * D * SLOTS[self.rule] + 16) + 256
        result = self.run(answers, p)
        where = f"{len(p.touched)} of {R:,} rows pushed, D={D}"
        if result["bytes"] > bound:
            return Verdict(False, f"at most {bound:,} B of state", f"{result['bytes']:,} B", where,
                           "2/state-for-every-row", ratio=result["bytes"] / bound)
        return Verdict(True, f"at most {bound:,} B of state", f"{result['bytes']:,} B", where)

    def resumed(self, answers, case: Case) -> Verdict:
        """Half of the pushes, a fresh process, the other half with the state that was saved."""
        p = self.problems(case.rng, steps=20)[0]
        first = self.run(answers, Problem(p.table, p.pushes[:10], p.settings))
        answers.restart()
        then = self.run(answers, Problem(p.table, p.pushes[10:], p.settings), first["rows"], first["state"])
        words = contracts.difference(then["rows"], after(p, self.rule), atol=ATOL)
        where = "10 pushes, saved, a new process, 10 pushes"
        if words is None:
            return Verdict(True, f"rows to {ATOL:g}", "right after it was saved and started again", where)
        straight = self.wrong(p, self.run(answers, p))
        if straight is not None:
            return Verdict(False, straight[0], straight[1], "20 pushes in one go", straight[2])
        return Verdict(False, f"rows to {ATOL:g}", words, where, "2/state-elsewhere")


def _told(p: Problem) -> str:
    settings = ", ".join(f"{name}={value:g}" for name, value in p.settings.items())
    return f"table {p.table.shape}, {len(p.pushes)} pushes of {len(p.pushes[0][0])} keys; {settings}"


def criteria(judges: Judges, points: tuple[int, ...]) -> tuple[Criterion, ...]:
    return (
        Criterion("one push", judges.values(steps=1, n=3, repeats=False), points[0]),
        Criterion(f"{STEPS} pushes, keys once each", judges.values(repeats=False), points[1]),
        Criterion(f"{STEPS} pushes, equal keys summed", judges.values(), points[2]),
        Criterion("state for pushed keys only", judges.small, points[3]),
        Criterion("saved and started again", judges.resumed, points[4]),
        Criterion("other tables", all_of([judges.values(R=70, D=5, n=20), judges.values(R=9, D=1, n=5)]), points[5],
                  hidden=True),
    )


ADAGRAD_JUDGES = Judges("adagrad", False, [{"lr": 0.05, "eps": 0.25}, {"lr": 0.02, "eps": 1e-10}])
FTRL_JUDGES = Judges("ftrl", True, [{"alpha": 0.3, "beta": 1.0, "l1": 0.6, "l2": 0.5},
                                    {"alpha": 0.1, "beta": 0.5, "l1": 0.0, "l2": 0.0}])

ADAGRAD = Exercise(
    id="2.2", lab="2", title="AdaGrad on rows", names=("adagrad_rows",),
    signature="def adagrad_rows(rows, state: dict, keys, grads, lr=0.1, eps=1e-10) -> None\n"
              "    # rows (R, D) float32, changed in place; keys (n,) int64; grads (n, D)\n"
              "    # state: empty before the first push, yours to fill: it comes back with every push",
    points=15, minutes=20, difficulty=2, core=True, prerequisites=("2.1",), forbidden=FORBIDDEN,
    goal="One push to rows that learn by AdaGrad: sum the gradients of equal keys, n += g*g, row -= lr*g/(sqrt(n)+eps),"
         " with a sum n for each number of each row that was ever pushed, and no other.",
    example="lr 0.1, eps 0, one row [1.0]: gradient 3 -> n 9, row 1 - 0.1*3/3 = 0.9; gradient 4 -> n 25, "
            "row 0.9 - 0.1*4/5 = 0.82",
    hints=(
        "On paper: one key, two pushes. What has to be remembered between them, and where does it lie when a thousand "
        "of a million keys have been pushed?",
        "First one gradient for each distinct key, as in 2.1. For the state two ways are good: a dict from key to a "
        "tensor (D,), or two tensors, ascending keys and their sums, looked up by torch.searchsorted.",
        "unique, inverse = torch.unique(keys, return_inverse=True); g = zeros(len(unique), D).index_add_(0, inverse, "
        "grads); n = stack of state.get(key, zeros) + g*g; put n back; rows[unique] -= lr*g/(n.sqrt()+eps).",
    ),
    misconceptions=(
        *told("2/divided-first", "2/gradient-added", "2/squares-before-the-sum", "2/duplicates-one-by-one",
              "2/last-duplicate-wins", "2/arguments-changed", "2/untouched-row-moved", "2/state-for-every-row",
              "2/state-elsewhere"),
        Misconception("2/eps-inside-the-root", "eps stands inside the root; torch adds it to the root, and others put "
                      "it inside: two systems that do not say which cannot be compared."),
        Misconception("2/no-root", "The step is divided by the sum of squares and not by its root, so it shrinks with "
                      "the gradient's size instead of being free of it."),
        Misconception("2/not-squared", "The sum is of magnitudes; it is of squares, and the root comes afterwards."),
        Misconception("2/forgets-its-sum", "The sum holds this push only; it grows over all pushes of a key, so it has "
                      "to be kept in `state` by key."),
        Misconception("2/one-sum-for-a-row", "All numbers of a row share a sum; that is row-wise AdaGrad, of lab 6. "
                      "Here each number has its own."),
        Misconception("2/wrong-adagrad", "The rows are not those of AdaGrad; follow one number on paper through two "
                      "pushes, with the example."),
    ),
    criteria=criteria(ADAGRAD_JUDGES, (2, 3, 4, 2, 2, 2)),
)

FTRL = Exercise(
    id="2.3", lab="2", title="FTRL on rows", names=("ftrl_rows",),
    signature="def ftrl_rows(rows, state: dict, keys, grads, alpha=0.1, beta=1.0, l1=0.0, l2=0.0) -> None\n"
              "    # as adagrad_rows; rows of keys that were never pushed are idle and stay as they are",
    points=20, minutes=30, difficulty=3, core=False, prerequisites=("2.2",), forbidden=FORBIDDEN,
    goal="One push to rows that learn by FTRL-proximal (McMahan et al. 2013): z and n for each number of each pushed "
         "row, the weight computed from them, exactly 0 where |z| <= l1.",
    example="alpha 0.1, beta 1, l1 1, l2 0, one weight 0: gradient 3 -> sigma 30, z 3, n 9, weight -(3-1)/40 = -0.05; "
            "gradient -2.5 -> sigma (sqrt(15.25)-3)/0.1 = 9.05, z 3-2.5+9.05*0.05 = 0.95, weight 0",
    hints=(
        "Four quantities: g, sigma, z, n. Which of them are kept from push to push, and which one needs the weight as "
        "it was *before* this push?",
        "sigma = (sqrt(n + g*g) - sqrt(n)) / alpha; z += g - sigma*w with the old w; then n += g*g; then the new w "
        "from the new z and the new n. The order of these four lines is the exercise.",
        "w = torch.where(z.abs() <= l1, 0.0, -(z - z.sign()*l1) / ((beta + n.sqrt())/alpha + l2)), for the pushed keys "
        "alone. What lies in other rows is nobody's business here.",
    ),
    misconceptions=(
        *told("2/divided-first", "2/gradient-added", "2/squares-before-the-sum", "2/duplicates-one-by-one",
              "2/last-duplicate-wins", "2/arguments-changed", "2/state-for-every-row", "2/state-elsewhere"),
        Misconception("2/weights-of-all-rows", "You computed weights of rows that nobody pushed; weights are made "
                      "lazily, when their z changes, so that a push costs its own keys and not the table."),
        Misconception("2/sigma-forgotten", "z is the bare sum of gradients; without sigma times the old weight all "
                      "gradients count as if they had been taken at the origin."),
        Misconception("2/sigma-without-alpha", "sigma is a difference of two inverse rates sqrt(n)/alpha; you left out "
                      "the alpha."),
        Misconception("2/beta-forgotten", "beta is missing under the weight; it keeps the first steps small, when n is "
                      "still next to nothing."),
        Misconception("2/l2-forgotten", "l2 is missing under the weight."),
        Misconception("2/l1-forgotten", "No weight is ever exactly 0; |z| <= l1 is where FTRL leaves them out, and the "
                      "reason for its use."),
        Misconception("2/l1-only-a-gate", "l1 only decides which weights are 0; of the others it takes l1 off z, too."),
        Misconception("2/threshold-on-the-weight", "l1 was taken off the weight; it is compared with z, a sum of "
                      "gradients, before the division."),
        Misconception("2/small-weights-kept", "A weight whose |z| fell to l1 or below kept its old value; it becomes "
                      "exactly 0."),
        Misconception("2/wrong-ftrl", "The rows are not those of FTRL; follow one weight on paper through two pushes, "
                      "with the example."),
    ),
    criteria=criteria(FTRL_JUDGES, (3, 4, 4, 2, 3, 4)),
)
