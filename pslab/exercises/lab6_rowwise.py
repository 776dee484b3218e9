"""6.4: AdaGrad with one number of state for a row, as FBGEMM has it.

    g = sum over equal ids         n[row] += mean of g² over the row         row −= lr · g / (√n[row] + eps)

    V   equal to the reference, in float64 row by row, to 1e-6 after 100 pushes; other rows bit for bit
    R   the state is R float32 numbers for a table of R rows, however wide
Goldens: a gradient that is the same in every step has n = t·m after t steps, so that the row is a sum in closed form.
"""

from __future__ import annotations

import numpy as np
import torch

from pslab.grade import Case, Criterion, Exercise, Misconception, Verdict, contracts

from .lab2_common import all_of, explained
from .lab2_programs import stepped
from .lab2_rows import STEPS, Problem, problem
from .lab6_common import FORBIDDEN, array, short, told

NEW, RULE = "new_state", "rowwise_adagrad"
ATOL, SEEN_AT = 1e-6, 1e-5
SETTINGS = ({"lr": 0.05, "eps": 0.25}, {"lr": 0.02, "eps": 1e-8})


# ---- what is right, and what the usual slips compute ----------------------------------------------------------------


def golden(rows, grads, t: int, lr: float, eps: float) -> np.ndarray:
    """(n, D) float64: rows after t steps with the same gradients each time, in closed form."""
    m = (grads.astype(np.float64) ** 2).mean(1, keepdims=True)
    shrunk = sum(1 / (np.sqrt(k * m) + eps) for k in range(1, t + 1))
    return rows - lr * grads * shrunk


def after(p: Problem, slip: str = "", lr: float = 0.1, eps: float = 1e-8) -> np.ndarray:
    """(R, D) float64: the rows after all pushes, key by key."""
    rows, state = p.table.astype(np.float64), {}
    for keys, grads in p.pushes:
        together: dict[int, list] = {}
        for key, grad in zip(keys.tolist(), grads.astype(np.float64)):
            together.setdefault(key, []).append(grad)
        for key, parts in together.items():
            steps = [parts]
            if slip == "6/duplicates-one-by-one":
                steps = [[part] for part in parts]
            if slip == "6/last-duplicate-wins":
                steps = [parts[-1:]]
            for mine in steps:
                g = np.sum(mine, axis=0)
                old = state.get(key, 0.0)
                new = _square(g, mine, slip) + (0.0 if slip == "6/forgets-its-sum" else old)
                state[key] = new
                rows[key] += _step(g, old if slip == "6/divided-first" else new, slip, lr, eps)
    return rows


def _square(g, parts, slip: str):
    return {"6/sums-the-squares": lambda: (g * g).sum(), "6/square-of-the-mean": lambda: g.mean() ** 2,
            "6/one-number-each": lambda: g * g, "6/largest-of-the-row": lambda: (g * g).max(),
            "6/squares-before-the-sum": lambda: sum((part * part).mean() for part in parts),
            }.get(slip, lambda: (g * g).mean())()


def _step(g, n, slip: str, lr: float, eps: float):
    with np.errstate(divide="ignore", invalid="ignore"):
        if slip == "6/no-root":
            return -lr * g / (n + eps)
        if slip == "6/eps-inside-the-root":
            return -lr * g / np.sqrt(n + eps)
        return (lr if slip == "6/gradient-added" else -lr) * g / (np.sqrt(n) + eps)


SLIPS = ("6/sums-the-squares", "6/one-number-each", "6/square-of-the-mean", "6/largest-of-the-row", "6/divided-first",
         "6/forgets-its-sum", "6/squares-before-the-sum", "6/duplicates-one-by-one", "6/last-duplicate-wins",
         "6/no-root", "6/eps-inside-the-root", "6/gradient-added")


# ---- judges ---------------------------------------------------------------------------------------------------------


def run(answers, p: Problem, table=None, state=None) -> dict:
    given, pushes = p.given()
    if state is None:
        state = answers.call(NEW, len(p.table), p.table.shape[1])
    return answers.run(RULE, 1, given if table is None else table, state, pushes, p.settings, within=stepped).results[0]


def wrong(p: Problem, result: dict) -> tuple[str, str, str] | None:
    """(expected, seen, misconception) of rows that are not those of the reference."""
    if result["changed"] is not None:
        return "ids and grads as they were", f"changed in push {result['changed'] + 1}", "6/arguments-changed"
    right, rows = after(p, **p.settings), array(result["rows"])
    idle = np.setdiff1d(np.arange(len(p.table)), p.touched)
    if rows.shape == p.table.shape and rows.dtype == np.float32:
        moved = idle[(rows[idle].view(np.int32) != p.table[idle].view(np.int32)).any(1)]
        if len(moved):
            return "other rows bit for bit as they were", f"row {moved[0]}: {short(rows[moved[0]])}, was " \
                   f"{short(p.table[moved[0]])}", "6/untouched-row-moved"
    words = contracts.difference(rows, right, atol=ATOL)
    if words is None:
        return None

    def fits(believed) -> bool:
        with np.errstate(invalid="ignore"):
            apart = not np.abs(believed - right).max() <= SEEN_AT
        return apart and contracts.difference(rows, believed, atol=SEEN_AT / 2, rtol=1e-5) is None
    beliefs = {slip: lambda slip=slip: after(p, slip, **p.settings) for slip in SLIPS}
    return f"rows to {ATOL:g}", words, explained(fits, beliefs, right, "6/wrong-adagrad")


def values(**sizes):
    def judge(answers, case: Case) -> Verdict:
        for settings in SETTINGS:
            p = problem(case.rng, **sizes, **settings)
            bad = wrong(p, run(answers, p))
            if bad is not None:
                return Verdict(False, bad[0], bad[1], _told(p), bad[2])
        return Verdict(True, f"rows to {ATOL:g}", f"right after {len(p.pushes)} pushes to {len(p.touched)} of "
                       f"{len(p.table)} rows", _told(p))
    return judge


def goldens(answers, case: Case) -> Verdict:
    """The example, and a gradient that comes 50 times."""
    hand = Problem(np.array([[1, 1], [5, 5]], np.float32), [(np.array([0]), np.array([[3, 4]], np.float32))] * 2,
                   {"lr": 0.1, "eps": 0.0})
    rows = (0.1 * case.rng.standard_normal((4, 3))).astype(np.float32)
    grads = case.rng.standard_normal((4, 3)).astype(np.float32)
    often = Problem(rows, [(np.arange(4), grads)] * 50, {"lr": 0.03, "eps": 1e-3})
    for p, t in ((hand, 2), (often, 50)):
        result = run(answers, p)
        right = p.table.astype(np.float64)
        ids = p.pushes[0][0]
        right[ids] = golden(right[ids], p.pushes[0][1], t, **p.settings)
        words, bad = contracts.difference(array(result["rows"]), right, atol=ATOL), wrong(p, result)
        where = f"the same push {t} times; lr={p.settings['lr']:g}, eps={p.settings['eps']:g}"
        if bad is not None:
            return Verdict(False, bad[0], bad[1], where, bad[2])
        if words is not None:
            return Verdict(False, f"rows to {ATOL:g}", words, where, "6/wrong-adagrad")
    return Verdict(True, "the sum in closed form", "equal after 2 and after 50 pushes")


def small(answers, case: Case) -> Verdict:
    """R numbers for R rows, before the first push and after some."""
    for R, D in ((1_000, 16), (300, 1)):
        p = problem(case.rng, R, D, 6, 10, False, **SETTINGS[0])
        state = answers.call(NEW, R, D)
        for held, when in ((_bytes(state), "before the first push"), (run(answers, p)["bytes"], "after six pushes")):
            if held > 4 * R + 64:
                return Verdict(False, f"{4 * R:,} B: a float32 for each of {R:,} rows", f"{held:,} B", f"D={D}, {when}",
                               "6/state-as-wide-as-the-row", ratio=held / (4 * R))
    return Verdict(True, "4 B of state a row, whatever D", "no more than that")


def _bytes(state) -> int:
    if isinstance(state, (torch.Tensor, np.ndarray)):
        return state.nbytes
    if isinstance(state, dict):
        return sum(_bytes(part) for part in state.values())
    return sum(_bytes(part) for part in state) if isinstance(state, (list, tuple)) else 8


def resumed(answers, case: Case) -> Verdict:
    """Half of the pushes, a fresh process, the other half with the state that was saved."""
    p = problem(case.rng, steps=20, **SETTINGS[0])
    first = run(answers, Problem(p.table, p.pushes[:10], p.settings))
    answers.restart()
    then = run(answers, Problem(p.table, p.pushes[10:], p.settings), first["rows"], first["state"])
    words = contracts.difference(array(then["rows"]), after(p, **p.settings), atol=ATOL)
    where = "10 pushes, saved, a new process, 10 pushes"
    if words is None:
        return Verdict(True, f"rows to {ATOL:g}", "right after it was saved and started again", where)
    straight = wrong(p, run(answers, p))
    if straight is not None:
        return Verdict(False, straight[0], straight[1], "20 pushes in one go", straight[2])
    return Verdict(False, f"rows to {ATOL:g}", words, where, "6/state-elsewhere")


def _told(p: Problem) -> str:
    settings = ", ".join(f"{name}={value:g}" for name, value in p.settings.items())
    return f"table {p.table.shape}, {len(p.pushes)} pushes of {len(p.pushes[0][0])} ids; {settings}"


ROWWISE = Exercise(
    id="6.4", lab="6", title="Row-wise AdaGrad", names=(NEW, RULE),
    signature="def new_state(R: int, D: int) -> Tensor            # the state of a table (R, D) before the first push\n"
              "def rowwise_adagrad(rows, state, ids, grads, lr=0.1, eps=1e-8) -> None\n"
              "    # rows (R, D) float32 and state, both changed in place; ids (n,) int64; grads (n, D)",
    points=15, minutes=15, difficulty=2, core=True, prerequisites=("2.2", "6.2"), forbidden=FORBIDDEN,
    goal="One push to rows that learn by row-wise AdaGrad, as FBGEMM and TorchRec have it: sum the gradients of equal "
         "ids to g, then n[row] += the mean of g*g over the row, then row -= lr*g/(sqrt(n[row])+eps). The state is one "
         "float32 for a row.",
    example="lr 0.1, eps 0, row [1, 1], gradient [3, 4]: n = (9 + 16)/2 = 12.5, row [1 - 0.3/3.5355, 1 - 0.4/3.5355] = "
            "[0.9151, 0.8869]; the same push again: n = 25, row [0.8551, 0.8069]",
    hints=(
        "As AdaGrad of lab 2, but how many numbers do you keep for a row, and which number of a row's squares stands "
        "for all of them?",
        "First one gradient for each distinct id, by torch.unique and index_add_. Then square, then mean over the row "
        "(dim=1), then add to the state of these rows, and only then divide by its root.",
        "unique, inverse = torch.unique(ids, return_inverse=True); g = zeros(len(unique), D).index_add_(0, inverse, "
        "grads); state[unique] += (g*g).mean(1); rows[unique] -= lr*g/(state[unique].sqrt()[:, None]+eps).",
    ),
    misconceptions=(
        *told("6/duplicates-one-by-one", "6/last-duplicate-wins", "6/untouched-row-moved", "6/gradient-added",
              "6/arguments-changed"),
        Misconception("6/sums-the-squares", "You added the sum of a row's squares; it is their mean, or a wider row "
                      "would learn more slowly, by the root of D."),
        Misconception("6/one-number-each", "Each number has its own sum of squares; that is AdaGrad of lab 2, whose "
                      "state is as large as the table."),
        Misconception("6/square-of-the-mean", "You squared the mean of the gradient; it is the mean of the squares, "
                      "which does not vanish where the signs differ."),
        Misconception("6/largest-of-the-row", "You took the largest square of the row; it is their mean."),
        Misconception("6/divided-first", "You divided by the sum as it was before this push; add first, then divide, "
                                         "as "
                      "FBGEMM does."),
        Misconception("6/forgets-its-sum", "The state holds this push only; it grows over all pushes of a row."),
        Misconception("6/squares-before-the-sum", "You added the squares of each occurrence of an id; the gradient "
                                                  "of a "
                      "row is the sum of its occurrences, and that sum is squared."),
        Misconception("6/no-root", "The step is divided by the mean of squares and not by its root."),
        Misconception("6/eps-inside-the-root", "eps stands inside the root; FBGEMM adds it to the root."),
        Misconception("6/state-as-wide-as-the-row", "The state is larger than a float32 for each row; that one number "
                      "instead of D is why large tables use this rule."),
        Misconception("6/state-elsewhere", "Continued from its saved state the rule went another way; whatever it "
                      "remembers has to lie in `state`."),
        Misconception("6/wrong-adagrad", "The rows are not those of row-wise AdaGrad; follow one row on paper through "
                      "two pushes, with the example."),
    ),
    criteria=(
        Criterion("the same push again and again", goldens, 3),
        Criterion(f"{STEPS} pushes, ids once each", values(repeats=False), 2),
        Criterion(f"{STEPS} pushes, equal ids summed", values(), 4),
        Criterion("one number a row", small, 3),
        Criterion("saved and started again", resumed, 1),
        Criterion("other tables", all_of([values(R=70, D=5, n=20), values(R=9, D=2, n=5)]), 2, hidden=True),
    ),
)
