"""0B.2: how the two functions are judged: the choice, sums and residuals to the last number, bytes, a descent.

    V   Σ sent + residuals = Σ gradients, and each of them by itself                  one worker, then several
    B   out of a worker (K−1)·8k bytes a step and parameter, from above and below     int32 and float32, k of each
        and a descent in which the same choice without residuals never arrives
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from pslab.grade import Case, Criterion, Exercise, Verdict, contracts

from .lab0_common import Once, reading
from .lab0b_common import short_run, undrawn
from .lab0b_programs import sparse_steps, sparse_training
from .lab0b_top_k import DESCENT, STEPS, Problem, atol, descent, exchanged, places, problem, pulled_apart, slip_of
from .lab0b_top_k_texts import EXAMPLE, GOAL, HINTS, MISCONCEPTIONS, SIGNATURE

LARGEST, SUM = "largest", "sparse_sum"


# ---- the choice -----------------------------------------------------------------------------------------------------


def questions(case: Case) -> list[tuple[np.ndarray, int]]:
    fixed = [([3, -7, 0, 7, 2], 2), ([5, -5, 5, -5, 5], 3), ([-1, -2, -3], 1), ([4, 4, 4, 4], 2), ([0, 0, 0], 2),
             ([1, -2], 5), ([], 3), ([6], 1)]
    random = [(case.rng.integers(-9, 10, n), k) for n, k in ((30, 4), (57, 9))]
    return [(np.asarray(x, np.float32), k) for x, k in fixed + random]


def choice(answers, case: Case) -> Verdict:
    for x, k in questions(case):
        value = answers.call(LARGEST, torch.from_numpy(x.copy()), k)
        where = f"{LARGEST}({contracts.short(x)}, {k})"
        pair = _pair(value)
        if pair is None:
            return Verdict(False, "(indices, values)", contracts.short(value), where, "all/bad-value")
        order = np.argsort(pair[0], kind="stable")
        at, values = pair[0][order], pair[1][order]
        wanted = places(x, k)
        if not np.array_equal(at, wanted):
            return Verdict(False, f"places {wanted.tolist()}", f"places {at.tolist()}", where, _why_places(x, k, at))
        if not np.array_equal(values, x[wanted]):
            why = "0B/magnitude-sent" if np.array_equal(values, np.abs(x[wanted])) else "0B/wrong-choice"
            return Verdict(False, f"values {x[wanted].tolist()}", f"values {values.tolist()}", where, why)
    return Verdict(True, "the k largest magnitudes, of equal ones the lower places", f"right for {len(x)} numbers and "
                   f"for fewer")


def _pair(value) -> tuple[np.ndarray, np.ndarray] | None:
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        return None
    arrays = [part.numpy() if isinstance(part, torch.Tensor) else np.asarray(part) for part in value]
    fit = arrays[0].ndim == arrays[1].ndim == 1 and len(arrays[0]) == len(arrays[1])
    return tuple(arrays) if fit and (arrays[0].dtype.kind in "iu" or not len(arrays[0])) else None


def _why_places(x: np.ndarray, k: int, at: np.ndarray) -> str:
    for slip in ("0B/signed-choice", "0B/higher-index"):
        if np.array_equal(at, places(x, k, slip)):
            return slip
    magnitudes = np.sort(np.abs(x)[at]) if len(at) == min(k, len(x)) and len(set(at.tolist())) == len(at) else None
    equal = magnitudes is not None and np.array_equal(magnitudes, np.sort(np.abs(x)[places(x, k)]))
    return "0B/higher-index" if equal else "0B/wrong-choice"


# ---- sums and residuals ---------------------------------------------------------------------------------------------


def steps_job(problems_of) -> Once:
    def trials(case: Case):
        for p in problems_of(case.rng):
            yield contracts.Trial(p.per_rank(), None, max(p.lengths.values()), p.whole, p.label, facts={"problem": p})
    return Once(SUM, trials, "sums", {"within": sparse_steps})


def sums_and_residuals(job: Once):
    def judge(answers, case: Case) -> Verdict:
        for trial in job.on(case):
            run = job.run(answers, trial)
            bad = _wrong_sums(trial.facts["problem"], run, str(trial)) or _wrong_residuals(trial.facts["problem"], run,
                                                                                          str(trial))
            if bad is not None:
                return bad
        p, results = trial.facts["problem"], run.results
        name = next(iter(p.lengths))
        total = sum(float(np.sum(mine[t][name])) for mine in p.grads for t in range(STEPS))
        sent = sum(float(torch.as_tensor(results[0]["sums"][t][name]).sum()) for t in range(STEPS))
        kept = sum(float(torch.as_tensor(mine["residuals"][name]).sum()) for mine in results)
        return Verdict(True, f"sent + kept = all gradients of {name}, {total:g}", f"{sent:g} sent + {kept:g} kept",
                       str(trial), run=run)
    return judge


def _wrong_sums(p: Problem, run, where: str) -> Verdict | None:
    wanted, _ = exchanged(p)
    for t in range(STEPS):
        for name in p.lengths:
            for rank in range(p.K):
                words = contracts.difference(run.results[rank]["sums"][t][name], wanted[t][name][rank], atol=atol(p))
                if words is not None:
                    at = f"step {t + 1}, parameter {name}, worker {rank}; {where}"
                    return Verdict(False, "the sum over all workers of what they sent", words, at, _why(p, run), run)
            if run.results[0]["changed"]:
                return Verdict(False, "gradients as they were", f"that of {run.results[0]['changed']} was changed",
                               where, "0/input-changed", run)
    return None


def _why(p: Problem, run) -> str:
    sums = [mine["sums"] for mine in run.results]
    fit = all(isinstance(sums[r][t][name], torch.Tensor) and tuple(sums[r][t][name].shape) == (P,)
              for r in range(p.K) for t in range(STEPS) for name, P in p.lengths.items())
    return slip_of(p, sums) if fit else "all/bad-value"


def _wrong_residuals(p: Problem, run, where: str) -> Verdict | None:
    _, kept = exchanged(p)
    for rank, mine in enumerate(run.results):
        for name in p.lengths:
            seen = mine["residuals"].get(name) if isinstance(mine["residuals"], dict) else None
            words = "nothing" if seen is None else contracts.difference(seen, kept[rank, name], atol=atol(p))
            if words is not None:
                return Verdict(False, f"what worker {rank} still owes to {name}, in residuals[{name!r}]", words, where,
                               "0B/residual-elsewhere", run)
    return None


def one_step(job: Once, answers, trial: contracts.Trial):
    """A run of the trial's first step, which is short enough to be drawn."""
    per_rank = [(steps[:1], k) for steps, k in trial.per_rank]
    return short_run(job, answers, replace(trial, per_rank=per_rank, label="one step of " + trial.label))


# ---- bytes ----------------------------------------------------------------------------------------------------------


def message_bytes(job: Once):
    def judge(answers, case: Case) -> Verdict:
        trial = job.on(case)[-1]
        p, run = trial.facts["problem"], job.run(answers, trial)
        total, bound = run.ledger.total(), p.K * p.out_bytes
        ports = [run.ledger.port(rank) for rank in range(p.K)]
        expected = f"{p.out_bytes:,} bytes out of each worker: 8k to each other one, parameter and step"
        if total == bound and all(port == (p.out_bytes, p.out_bytes) for port in map(tuple, ports)):
            return Verdict(True, expected, f"{p.out_bytes:,} bytes", f"one step, K={p.K}, k={p.k}",
                           run=one_step(job, answers, trial), ratio=1.0)
        dense = (p.K - 1) * STEPS * sum(4 * P for P in p.lengths.values())
        worst = max(range(p.K), key=lambda rank: max(ports[rank]))
        if total < bound:
            wrong = _wrong_sums(p, run, "")
            why = "0/ranks-share-nothing" if wrong is None else wrong.misconception
        elif total == bound:
            why = "0B/one-port-for-all"
        elif max(ports[worst]) >= dense:
            why = "0B/sent-dense"
        else:
            why = "0B/wide-message" if total in (bound * 3 // 2, bound * 2) else "0B/more-than-k-numbers"
        seen = f"{ports[worst][0]:,} out of worker {worst}, {total / bound:.1f}x the traffic of the bound in all"
        return Verdict(False, expected, seen, str(trial), why, run, total / bound)
    return judge


# ---- a descent ------------------------------------------------------------------------------------------------------


def arrives(answers, case: Case) -> Verdict:
    start, targets = pulled_apart(case.rng)
    goal = np.mean(targets, axis=0)
    per_rank = [(torch.from_numpy(start), torch.from_numpy(t), DESCENT["k"], DESCENT["lr"], DESCENT["steps"])
                for t in targets]
    run = answers.run(SUM, 2, per_rank=per_rank, within=sparse_training, trace=False)
    last = np.asarray(run.results[0][-1], np.float64)
    far, bare, mine = (float(np.linalg.norm(at - goal)) for at in
                       (start, descent(start, targets, **DESCENT, keeps=False)[-1], last))
    best = float(np.linalg.norm(descent(start, targets, **DESCENT)[-1] - goal))
    told = f"{far:.2f} from the optimum at first; after {DESCENT['steps']} steps"
    if not mine <= max(2 * best, 0.1 * far):
        why = "0B/residual-dropped" if abs(mine - bare) < 1e-3 else "0B/does-not-arrive"
        if why == "0B/does-not-arrive":                       # its sentence says that whole numbers come out right
            for job in (ALONE, TOGETHER):
                valued = undrawn(sums_and_residuals(job))(answers, case)
                if not valued.passed:
                    return valued
        return Verdict(False, f"{told} about {best:.2f}", f"{mine:.2f}", "k=1, two workers", why)
    return Verdict(True, f"{told} about {best:.2f}", f"{mine:.2f} from the optimum after {DESCENT['steps']} steps; "
                   f"without residuals it would be {bare:.2f}, as at first")


# ---- the exercise ---------------------------------------------------------------------------------------------------

ALONE = steps_job(lambda rng: [problem(rng, 1, {"w": 7, "v": 7}, 2), problem(rng, 1, {"w": 9, "b": 2, "none": 0}, 3)])
TOGETHER = steps_job(lambda rng: [problem(rng, 2, {"w": 7, "v": 7}, 2), problem(rng, 3, {"w": 9, "b": 2}, 3),
                                  problem(rng, 5, {"w": 11}, 2)])
LONG = steps_job(lambda rng: [problem(rng, 3, {"w": 40, "v": 25}, 3)])
HIDDEN = steps_job(lambda rng: [problem(rng, int(rng.choice([4, 6])), {"w": int(rng.integers(5, 30)), "b": 1}, 3),
                                problem(rng, 3, {"w": 20, "v": 20}, 4, whole=False)])

TOP_K = Exercise(
    id="0B.2", lab="0B", title="The k largest, and nothing lost", names=(LARGEST, SUM), signature=SIGNATURE,
    points=25, minutes=45, difficulty=4, core=False, prerequisites=("0A", "0B.1"), goal=GOAL, example=EXAMPLE,
    hints=HINTS, misconceptions=MISCONCEPTIONS,
    criteria=(
        Criterion("the choice", reading(choice), 4),
        Criterion("one worker, 20 steps", reading(undrawn(sums_and_residuals(ALONE))), 4),
        Criterion("several workers", reading(undrawn(sums_and_residuals(TOGETHER))), 6),
        Criterion("bytes of a message", reading(message_bytes(LONG)), 4),
        Criterion("a descent that arrives", reading(arrives), 2),
        Criterion("in real processes", reading(undrawn(contracts.two_worlds(
            TOGETHER, misconception="0/ranks-share-nothing", trials=1))), 2),
        Criterion("other gradients", reading(undrawn(sums_and_residuals(HIDDEN))), 3, hidden=True),
    ),
)
