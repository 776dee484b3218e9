"""6.5: Adam on rows, dense and lazy, and which rows the dense one moves though nobody looked them up.

    m = β1·m + (1 − β1)·g      v = β2·v + (1 − β2)·g²      row −= lr · m/(1 − β1^t) / (√(v/(1 − β2^t)) + eps)

    dense   every row in every step, with g = 0 where it is not in the batch         as torch.optim.Adam
    lazy    rows of the batch alone, the step's number t for all of them             as torch.optim.SparseAdam
"""

from __future__ import annotations

import numpy as np
import torch

from pslab.grade import Case, Criterion, Exercise, Misconception, Verdict, contracts

from .lab2_common import explained
from .lab2_rows import Problem, problem
from .lab6_common import FORBIDDEN, array, short, told
from .lab6_programs import streamed

DENSE, LAZY, MOVED = "dense_adam", "lazy_adam", "moved_untouched"
ATOL, SEEN_AT = 1e-6, 2e-5
# eps next to nothing: torch.optim.Adam adds it to the corrected root, SparseAdam to the other one, and both are right
SETTINGS = ({"lr": 0.01, "beta1": 0.9, "beta2": 0.999, "eps": 1e-12},
            {"lr": 0.02, "beta1": 0.8, "beta2": 0.95, "eps": 1e-12})


# ---- what is right, and what the usual slips compute ----------------------------------------------------------------


def after(p: Problem, lazy: bool, slip: str = "", lr=0.01, beta1=0.9, beta2=0.999, eps=1e-8) -> np.ndarray:
    """(R, D) float64: the rows after all pushes."""
    rows = p.table.astype(np.float64)
    m, v, own = np.zeros_like(rows), np.zeros_like(rows), np.zeros((len(rows), 1))
    if slip in ("6/dense-for-lazy", "6/lazy-for-dense"):
        lazy = not lazy
    if slip == "6/betas-exchanged":
        beta1, beta2 = beta2, beta1
    for t, (keys, grads) in enumerate(p.pushes, start=1):
        for busy, g in _gradients(keys, grads.astype(np.float64), rows.shape, slip):
            at = np.flatnonzero(busy) if lazy else np.arange(len(rows))
            fading = np.arange(len(rows)) if slip == "6/moments-fade-untouched" else at
            g = g if not lazy else np.where(busy[:, None], g, 0)
            m[fading] = beta1 * m[fading] + (1 - beta1) * g[fading]
            v[fading] = beta2 * v[fading] + (1 - beta2) * (np.abs(g) if slip == "6/not-squared" else g * g)[fading]
            own[at] += 1
            steps = own[at] if slip == "6/own-count" else np.float64(t)
            step = _step(m[at], v[at], steps, slip, beta1, beta2, eps)
            rows[at] += lr * step if slip == "6/gradient-added" else -lr * step
    return rows


def _gradients(keys, grads, shape, slip: str):
    """[(which rows are busy, (R, D) their gradients)]: one entry a step."""
    busy, g = np.zeros(shape[0], bool), np.zeros(shape)
    busy[keys] = True
    if slip == "6/last-duplicate-wins":
        g[keys] = grads
        return [(busy, g)]
    if slip == "6/duplicates-one-by-one":
        single = []
        for key, grad in zip(keys, grads):
            one, mine = np.zeros(shape[0], bool), np.zeros(shape)
            one[key], mine[key] = True, grad
            single.append((one, mine))
        return single
    np.add.at(g, keys, grads)
    return [(busy, g)]


def _step(m, v, t, slip: str, beta1, beta2, eps):
    first, second = 1 - beta1**t, 1 - beta2**t
    if slip == "6/bias-correction-forgotten":
        first = second = 1.0
    if slip == "6/bias-of-v-forgotten":
        second = 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        if slip == "6/no-root":
            return (m / first) / (v / second + eps)
        return (m / first) / (np.sqrt(v / second) + eps)


SLIPS = ("6/bias-correction-forgotten", "6/bias-of-v-forgotten", "6/betas-exchanged",
         "6/last-duplicate-wins", "6/duplicates-one-by-one", "6/not-squared", "6/no-root", "6/gradient-added")
DENSE_SLIPS = ("6/lazy-for-dense", *SLIPS)
LAZY_SLIPS = ("6/dense-for-lazy", "6/moments-fade-untouched", "6/own-count", *SLIPS)


# ---- rows -----------------------------------------------------------------------------------------------------------


def wrong(p: Problem, result: dict, name: str) -> tuple[str, str, str] | None:
    """(expected, seen, misconception) of rows that are not those of the reference."""
    lazy = name == LAZY
    if result["library"]:
        return "your own step", f"torch.optim.{result['library']}", "6/library-optimizer"
    if result["changed"] is not None:
        return "ids and grads as they were", f"changed in step {result['changed']}", "6/arguments-changed"
    right, rows = after(p, lazy, **p.settings), array(result["rows"])
    words = contracts.difference(rows, right, atol=ATOL)

    def fits(believed) -> bool:
        with np.errstate(invalid="ignore"):
            apart = not np.abs(believed - right).max() <= SEEN_AT
        return apart and contracts.difference(rows, believed, atol=SEEN_AT / 4, rtol=1e-5) is None
    if not np.isfinite(rows).all():
        return "numbers", short(rows[~np.isfinite(rows).all(1)][0]), "6/not-finite"
    if words is not None:
        beliefs = {slip: lambda slip=slip: after(p, lazy, slip, **p.settings) for slip in (LAZY_SLIPS if lazy else
                                                                                           DENSE_SLIPS)}
        return f"rows to {ATOL:g}", words, explained(fits, beliefs, right, "6/wrong-adam")
    idle = np.setdiff1d(np.arange(len(p.table)), p.touched)
    if (rows[idle].view(np.int32) != p.table[idle].view(np.int32)).any():
        return "rows that no step names, bit for bit as they were", "other bits", "6/untouched-row-moved"
    return None


def values(name: str, several: tuple[dict, ...]):
    def judge(answers, case: Case) -> Verdict:
        for sizes in several:
            for settings in SETTINGS:
                p = problem(case.rng, **sizes, **settings)
                given, pushes = p.given()
                result = answers.run(name, 1, given, pushes, p.settings, within=streamed).results[0]
                bad = wrong(p, result, name)
                if bad is not None:
                    return Verdict(False, bad[0], bad[1], _told(p, name), bad[2])
        return Verdict(True, f"rows to {ATOL:g}", f"right after {len(p.pushes)} steps", _told(p, name))
    return judge


def _told(p: Problem, name: str) -> str:
    settings = ", ".join(f"{key}={value:g}" for key, value in p.settings.items())
    return f"{name}: table {p.table.shape}, {len(p.pushes)} steps of {len(p.pushes[0][0])} ids; {settings}"


# ---- rows that moved untouched --------------------------------------------------------------------------------------


def streams(rng, several: int = 3) -> list[tuple[list[np.ndarray], int]]:
    """[(a batch of ids for each step, R)]: ids repeat within a batch, batches differ in length, one is empty."""
    made = [([np.array([0, 1]), np.array([1, 2]), np.array([0])], 5)]
    for _ in range(several):
        R = int(rng.integers(20, 60))
        batches = [rng.integers(0, R * 2 // 3, int(n)) for n in rng.integers(1, 12, 12)]
        batches[4] = batches[4][:0]
        batches[7] = np.concatenate([batches[6][:2], batches[6][:2]])
        made.append(([batch.astype(np.int64) for batch in batches], R))
    return made


def counted(batches, R: int) -> list[int]:
    """Rows that a dense Adam moves in each step though they are not in its batch: it is run and they are counted."""
    moved, pushes, before = [], [], np.zeros((R, 1))
    for batch in batches:
        pushes.append((batch, np.ones((len(batch), 1))))
        rows = after(Problem(np.zeros((R, 1)), pushes), lazy=False)
        changed = (rows != before).any(axis=1)
        changed[batch] = False
        moved.append(int(changed.sum()))
        before = rows
    return moved


def _so_far(batches):
    seen: set[int] = set()
    for batch in batches:
        now = set(np.asarray(batch).tolist())
        yield seen, now
        seen = seen | now


BELIEFS = {
    "6/touched-rows-counted": lambda batches, R: [len(seen | now) for seen, now in _so_far(batches)],
    "6/every-row-moves": lambda batches, R: [R - len(now) for seen, now in _so_far(batches)],
    "6/nothing-moves": lambda batches, R: [0 for _ in batches],
    "6/seen-before-counted": lambda batches, R: [len(seen) for seen, now in _so_far(batches)],
    "6/look-ups-not-rows": lambda batches, R: [sum(map(len, batches[:t])) - len(batches[t])
                                              for t in range(len(batches))],
    "6/one-step-back": lambda batches, R: [0] + [len(set(a.tolist()) - set(b.tolist()))
                                                 for a, b in zip(batches, batches[1:])],
}


def moved(problems_of):
    def judge(answers, case: Case) -> Verdict:
        asked = problems_of(case.rng)
        said, right = [], []
        for batches, R in asked:
            value = answers.call(MOVED, [torch.from_numpy(batch.copy()) for batch in batches], R)
            value = array(value)
            if value is None or value.shape != (len(batches),):
                return Verdict(False, f"{len(batches)} counts, one for each step", short(value), MOVED, "all/bad-value")
            said.append(value.tolist())
            right.append(counted(batches, R))
        for (batches, R), seen, wanted in zip(asked, said, right):
            if seen != wanted:
                believed = {why: [belief(*q) for q in asked] for why, belief in BELIEFS.items()}
                why = next((why for why, all_of_it in believed.items() if all_of_it == said), "6/wrong-count")
                return Verdict(False, f"counted in a run of Adam: {short(wanted)}", short(seen),
                               f"{len(batches)} steps on {R} rows", why)
        return Verdict(True, f"counted in a run of Adam: {short(right[0])}", short(said[0]),
                       f"{len(asked)} streams")
    return judge


# ---- the exercise ---------------------------------------------------------------------------------------------------


def _hidden(answers, case: Case) -> Verdict:
    sizes = ({"R": 50, "D": 5, "n": 15, "steps": 40}, {"R": 9, "D": 1, "n": 4, "steps": 40})
    for judge in (values(DENSE, sizes), values(LAZY, sizes), moved(streams)):
        verdict = judge(answers, case)
        if not verdict.passed:
            return verdict
    return verdict


ADAM = Exercise(
    id="6.5", lab="6", title="Sparse Adam, and its pitfall", names=(DENSE, LAZY, MOVED),
    signature="def dense_adam(rows, state, ids, grads, t, lr=0.01, beta1=0.9, beta2=0.999, eps=1e-8) -> None\n"
              "def lazy_adam(rows, state, ids, grads, t, lr=0.01, beta1=0.9, beta2=0.999, eps=1e-8) -> None\n"
              "    # rows (R, D) and state[\"m\"], state[\"v\"] (R, D), zeros at first, changed in place; t = 1, ...\n"
              "def moved_untouched(batches: list[Tensor], R: int) -> list[int]      # ids of each step -> a count each",
    points=20, minutes=25, difficulty=3, core=False, prerequisites=("6.4",), forbidden=FORBIDDEN,
    goal="One step of Adam on the gradients of a batch (equal ids summed): dense_adam as if the gradient were a whole "
         "table with zeros, lazy_adam on the rows of the batch alone. Then predict, for each step of a stream, how "
         "many "
         "rows the dense one moves that are not in the batch.",
    example="lr 0.1, one row [1], gradient 2, t = 1: m 0.2, v 0.004, row 1 - 0.1*2/2 = 0.9. Batches [0, 1], [1, 2], "
            "[0]: "
            "the dense Adam moves 0, 1, 2 rows untouched",
    hints=(
        "After one step on a row, its m is not zero. What does the formula do to this row in a step where g is zero? "
        "And to a row that has never had a gradient?",
        "dense: g = zeros_like(rows).index_add_(0, ids, grads), then the three lines for all rows. lazy: the unique "
        "ids "
        "and their sums, then the same three lines on state['m'][unique], state['v'][unique] and rows[unique].",
        "moved_untouched: keep the set of rows seen before; a step moves those of them that are not in its batch. In "
        "place: m.mul_(beta1).add_(g, alpha=1 - beta1); for some rows m[unique] = beta1*m[unique] + (1 - beta1)*g.",
    ),
    misconceptions=(
        *told("6/duplicates-one-by-one", "6/last-duplicate-wins", "6/gradient-added", "6/arguments-changed",
              "6/library-optimizer", "6/untouched-row-moved"),
        Misconception("6/lazy-for-dense", "Your dense Adam leaves rows alone that are not in the batch; their gradient "
                      "is zero and their momentum is not, so the dense one moves them."),
        Misconception("6/dense-for-lazy", "Your lazy Adam moves rows that are not in the batch; it touches the rows of "
                      "the batch and no others, or a step costs the whole table."),
        Misconception("6/moments-fade-untouched", "The rows move lazily, but m and v of all rows fade in every step; "
                      "lazy means that a row that is not in the batch keeps them as they are."),
        Misconception("6/own-count", "Each row counts its own steps for the bias correction; SparseAdam takes the "
                      "step's number t for all rows."),
        Misconception("6/bias-correction-forgotten", "m and v begin as zeros and are too small at first; divide them "
                                                     "by "
                      "1 - beta1^t and 1 - beta2^t."),
        Misconception("6/bias-of-v-forgotten", "v is used without its correction, so the first steps are some thirty "
                      "times too large; divide it by 1 - beta2^t."),
        Misconception("6/not-finite", "A number became infinite or NaN: t begins at 1, since the correction of a step "
                      "0 is zero, and a row that never had a gradient is 0/0 without eps."),
        Misconception("6/betas-exchanged", "beta1 and beta2 are exchanged: beta1 is for the mean of gradients, beta2 "
                      "for the mean of squares."),
        Misconception("6/not-squared", "v is a mean of magnitudes; it is of squares, and the root comes afterwards."),
        Misconception("6/no-root", "The step is divided by v and not by its root."),
        Misconception("6/wrong-adam", "The rows are not those of Adam; follow one number on paper through two steps, "
                      "with the example."),
        Misconception("6/touched-rows-counted", "You counted the rows of the batch as well; they move, and they were "
                      "touched."),
        Misconception("6/every-row-moves", "A row that has never had a gradient has m = 0 and stays; only rows that "
                      "were touched once move ever after."),
        Misconception("6/nothing-moves", "You said that a zero gradient moves nothing; that is so for SGD and AdaGrad, "
                      "and in Adam the momentum of earlier steps goes on."),
        Misconception("6/seen-before-counted", "You counted all rows seen before, also those that are in the batch "
                      "again; these were touched."),
        Misconception("6/look-ups-not-rows", "You counted look-ups; a row that is named three times is one row."),
        Misconception("6/one-step-back", "You looked at the batch before only; m fades by a factor a step and never "
                      "reaches zero, so rows of all earlier batches move."),
        Misconception("6/wrong-count", "The counts are not those of a dense Adam on this stream."),
    ),
    criteria=(
        Criterion("dense Adam, ids once each", values(DENSE, ({"repeats": False, "steps": 50},)), 3),
        Criterion("dense Adam, equal ids summed", values(DENSE, ({"steps": 100},)), 3),
        Criterion("lazy Adam, ids once each", values(LAZY, ({"repeats": False, "steps": 50},)), 3),
        Criterion("lazy Adam, equal ids summed", values(LAZY, ({"steps": 100},)), 4),
        Criterion("rows that moved untouched", moved(streams), 4),
        Criterion("other tables, other streams", _hidden, 3, hidden=True),
    ),
)
