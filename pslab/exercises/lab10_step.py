"""10.3: one step of the hybrid: rows by all-to-all, dense gradients by all-reduce beside the backward pass.

    values    losses of one process to 1e-5 over 50 steps, K = 1, 2, 3, workers' batches of different sizes
    dense     2(K−1)·4P bytes in all, as a ring; no port busier than a ring's
    sparse    on each link 8·unique(r, q) + 4D·unique(q, r) + 4D·unique(r, q) bytes beyond the dense part's
    seconds   T <= max(computing, travelling) + the forward, one layer and two gradients, in virtual time
"""

from __future__ import annotations

import numpy as np

from pslab.grade import Case, Criterion, Exercise, Stalled, Verdict

from .lab10_clock import LINK, NAME, beside_backward
from .lab10_common import FORBIDDEN, array, stuck
from .lab10_net import stepped
from .lab10_reference import SLIPS, Trial, make, simulated
from .lab10_step_texts import MISCONCEPTIONS

STEPS, LOOKED = 50, 6


def run_of(answers, trial: Trial, steps: int | None = None, world: str = "sim"):
    link = {"link": LINK, "timeout_s": 20.0} if world == "sim" else {"timeout_s": 30.0}
    try:
        return answers.run(NAME, trial.K, per_rank=trial.ranks(steps), within=stepped, world=world, **link)
    except Stalled as failed:
        raise stuck(failed, trial.label) from None


# ---- values ---------------------------------------------------------------------------------------------------------


def unequal(rng, K: int, least: int = 0):
    """Rows of each worker in a step: all different, one of them at times none."""
    def sizes(t: int):
        rows = [int(n) for n in rng.integers(2, 9, size=K) + 5 * np.arange(K)]
        if least == 0 and t % 5 == 3 and K > 1:
            rows[t % K] = 0
        return rows
    return sizes


def trials(case: Case, steps: int = STEPS) -> list[Trial]:
    rng = case.rng
    if case.public:
        return [make(rng, f"K={K}, {steps} steps, batches of different sizes", K, unequal(rng, K), steps)
                for K in (2, 3, 1)]
    K = int(rng.choice([4, 5]))
    return [make(rng, f"K={K}, other sizes", K, unequal(rng, K), 20, F=4, D=3, R=int(rng.integers(50, 90)), features=5,
                 hidden=7)]


def wrong(trial: Trial, run, steps: int | None = None) -> Verdict | None:
    """The first difference from one process; None where there is none."""
    right = simulated(trial, steps=steps)
    made = run.results
    if any(own["changed"] for own in made):
        return Verdict(False, "batches as before", "another batch", trial.label, "10/arguments-changed", run)
    bad = next((loss for own in made for loss in own["losses"] if isinstance(loss, str)), None)
    if bad is not None:
        return Verdict(False, "the sum of this worker's losses, a number", bad, trial.label, "all/bad-value", run)
    losses = np.array([own["losses"] for own in made]).T
    close = np.isclose(losses, right["losses"], rtol=1e-5, atol=2e-5)
    if not close.all():
        t, r = np.argwhere(~close)[0]
        return Verdict(False, f"{right['losses'][t, r]:.7g}, the sum over its {len(trial.batches[t][r][2])} examples",
                       f"{losses[t, r]:.7g}", f"{trial.label}; step {t}, worker {r}", _why(trial, losses), run)
    return _wrong_parameters(trial, run, right, losses)


def _why(trial: Trial, losses: np.ndarray) -> str:
    """Which slip gives the losses of the first steps."""
    sizes = np.array([[max(1, len(batch[2])) for batch in step] for step in trial.batches])[:len(losses)]
    right = simulated(trial, steps=len(losses))["losses"]
    G = np.array([trial.global_size(t) for t in range(len(losses))])[:, None]
    if any(np.allclose(losses[0] * by[0], right[0], rtol=1e-4) and trial.K > 1 for by in (sizes, G)):
        return "10/mean-returned"
    if all(np.allclose(losses[t], right[t].sum(), rtol=1e-4) for t in range(2)) and trial.K > 1:
        return "10/all-workers-returned"
    few = min(LOOKED, len(losses))
    for slip in SLIPS:
        if np.allclose(losses[:few], simulated(trial, slip, few)["losses"], rtol=1e-5, atol=1e-4):
            return slip
    if not np.allclose(losses[0], right[0], rtol=1e-4):
        return "10/wrong-rows"
    return "10/another-step"


def _wrong_parameters(trial, run, right, losses) -> Verdict | None:
    for rank, own in enumerate(run.results):
        for i, (flat, wanted) in enumerate(zip(own["dense"], right["dense"][rank])):
            flat = array(flat)
            if isinstance(flat, str) or flat.shape != tuple(wanted.shape) or not np.allclose(flat, wanted, rtol=1e-4,
                                                                                           atol=2e-5):
                return Verdict(False, f"dense[{i}] as in one process", "another one", f"{trial.label}; worker {rank}",
                               _why_left(trial, run), run)
        table, wanted = array(own["table"]), right["table"][rank::trial.K].numpy()
        if isinstance(table, str) or table.shape != wanted.shape or not np.allclose(table, wanted, rtol=1e-4,
                                                                                    atol=2e-5):
            return Verdict(False, "rows as in one process", "others", f"{trial.label}; rows of worker {rank}",
                           _why_left(trial, run), run)
    return None


def _why_left(trial, run) -> str:
    """Losses are right and parameters are not: a slip that one step does not show."""
    few = len(run.results[0]["losses"])
    for slip in SLIPS:
        made = simulated(trial, slip, few)
        if all(np.allclose(array(own["table"]), made["table"][r::trial.K], rtol=1e-4, atol=1e-5) and
               all(np.allclose(array(a), b, rtol=1e-4, atol=1e-5) for a, b in zip(own["dense"], made["dense"][r]))
               for r, own in enumerate(run.results)):
            return slip
    return "10/another-step"


def losses_of_one(answers, case: Case) -> Verdict:
    shown = None
    for trial in trials(case):
        run = run_of(answers, trial)
        bad = wrong(trial, run)
        if bad:
            return bad
        shown = shown or (trial, run)
    trial, run = shown
    first, last = (sum(own["losses"][t] for own in run.results) / trial.global_size(t) for t in (0, -1))
    return Verdict(True, seen=f"{len(run.results[0]['losses'])} losses of one process, {first:.3f} at first, "
                              f"{last:.3f} at last", run=run)


# ---- bytes ----------------------------------------------------------------------------------------------------------


def idle(trial: Trial) -> Trial:
    """The same model and nobody has an example: what travels is the dense part."""
    empty = [[tuple(part[:0] for part in batch) for batch in step] for step in trial.batches[:1]]
    return Trial(f"K={trial.K}, {trial.numbers} numbers, no examples", trial.K, trial.R, trial.D, trial.sizes,
                 trial.dense, trial.table, empty)


def counted(case: Case) -> list[Trial]:
    Ks = (2, 3) if case.public else (4,)
    return [make(case.rng, f"K={K}, two steps", K, unequal(case.rng, K, 1), 2, R=80) for K in Ks]


def as_a_ring(answers, case: Case) -> Verdict:
    for trial in counted(case)[::-1]:
        run, K = run_of(answers, idle(trial)), trial.K
        need, seen, label = 8 * (K - 1) * trial.numbers, run.ledger.total(), idle(trial).label
        table_bytes = 8 * (K - 1) * trial.R * trial.D
        if seen != need:
            if seen >= need + table_bytes // 2:
                why = "10/rows-sent-dense"
            elif seen < need:
                why = "10/silent-without-examples" if seen == 0 else "10/by-a-side-door"
            else:
                why = "10/whole-to-everyone" if seen == 4 * K * (K - 1) * trial.numbers else "10/dense-more"
            return Verdict(False, f"{need:,} bytes in all", f"right losses, {seen / need:.1f}x the traffic of a ring: "
                           f"{seen:,} bytes", label, why, run, seen / need)
        most = 8 * (K - 1) * (-(-trial.numbers // K) + len(trial.dense))
        port = max(max(run.ledger.port(r)) for r in range(K))
        if port > most:
            return Verdict(False, f"at most {most:,} bytes in a direction of a port", f"{port:,}", label,
                           "10/one-port-has-all", run, port / most)
    return Verdict(True, "2(K-1)·4P bytes", f"{need:,} bytes for {trial.numbers} numbers, as a ring", label, run=run,
                   ratio=1.0)


def rows_once(answers, case: Case) -> Verdict:
    for trial in counted(case):
        run, dense = run_of(answers, trial), run_of(answers, idle(trial)).ledger
        bad = wrong(trial, run)
        if bad:
            return bad
        pairs, steps = [(r, q) for r in range(trial.K) for q in range(trial.K) if r != q], range(len(trial.batches))
        seen = {link: run.ledger.link(*link) - len(steps) * dense.link(*link) for link in pairs}

        def moved(ids: int, rows: int, back: int, each: bool = False, trial=trial, pairs=pairs, steps=steps) -> dict:
            return {(r, q): sum((ids + back) * trial.unique(r, q, t, each) + rows * trial.unique(q, r, t, each)
                                for t in steps) for r, q in pairs}

        row = 4 * trial.D
        need = moved(8, row, row)
        link = next((link for link in pairs if seen[link] != need[link]), None)
        if link:
            ways = {"10/each-place-sent": moved(8, row, row, True), "10/ids-again": moved(16, row, row)}
            why = next((name for name, way in ways.items() if way == seen), None)
            total, bound = sum(seen.values()), sum(need.values())
            why = why or ("10/rows-sent-dense" if total > bound + row * trial.R else
                          "10/by-a-side-door" if seen[link] < need[link] else "10/sparse-more")
            return Verdict(False, f"{need[link]:,} bytes from {link[0]} to {link[1]}, {bound:,} in all",
                           f"right losses, {seen[link]:,} there, {total:,} in all", trial.label, why, run,
                           total / bound)
    return Verdict(True, "different rows once each way", f"{sum(seen.values()):,} bytes, nothing twice", trial.label,
                   run=run, ratio=1.0)


# ---- further --------------------------------------------------------------------------------------------------------


def in_processes(answers, case: Case) -> Verdict:
    trial = make(case.rng, "K=2, 3 steps, real processes", 2, unequal(case.rng, 2), 3)
    run = run_of(answers, trial, world="process")
    return wrong(trial, run) or Verdict(True, seen="the same losses in two real processes")


def elsewhere(answers, case: Case) -> Verdict:
    for judge in (losses_of_one, as_a_ring, rows_once, beside_backward):
        verdict = judge(answers, case)
        if not verdict.passed:
            return verdict
    return Verdict(True, seen="other models and batches: losses, bytes and seconds", run=verdict.run)


STEP = Exercise(
    id="10.3", lab="10", title="The hybrid step", names=(NAME,),
    signature="def hybrid_step(comm, net, dense, table, batch, global_size, lr) -> float\n"
              "    # dense: list of flat tensors, the same on all; table (r, D): ids rank, rank + K, …; both change in "
              "place",
    points=40, minutes=60, difficulty=5, core=True, prerequisites=("10.2", "0B.4"), forbidden=FORBIDDEN,
    goal="One step on this worker's part of a global batch. Look up batch['ids'] (B, F); loss = net.forward(dense, "
         "rows (B, F, D), batch) is the sum over the own examples, and what you return. net.backward() yields (i, "
         "gradient like dense[i]), top layers first, once ('rows', gradient like rows), then the bottom ones, each "
         "it is computed; they belong to the sum. All workers take the SGD step of one process: lr times the gradient "
         "of the mean over global_size examples. Batches differ in size, some are empty.",
    example="K = 2 with 1 and 3 examples, lr 0.1: a gradient of 4 on worker 0 and of 8 on worker 1 move the parameter "
            "by 0.1 · 12 / 4 = 0.3 on both",
    hints=(
        "Who owns what? Each worker holds all dense parameters, so all need the sum of all gradients. A row has one "
        "owner, so its gradients go there and only there. Divide once: everything by global_size, at one place.",
        "First without overlap: rows = sharded_lookup(comm, table.requires_grad_(), ids); run net.backward() to its "
        "end; rows.backward(gradient); all-reduce dense; step under torch.no_grad(). Then overlap: when (i, gradient) "
        "comes, isend each worker its chunk of it and irecv the own chunk of the others, with a tag for each layer.",
        "A sum in two halves. When layer i is there: post its chunks (irecv first). When layer i - 1 is there: wait "
        "for the chunks of layer i, add them to the own chunk, and isend that sum to everybody, receiving theirs. "
        "After the last layer finish what is under way. Wait for sends at the very end.",
    ),
    misconceptions=MISCONCEPTIONS,
    criteria=(
        Criterion("losses of one process", losses_of_one, 12),
        Criterion("dense bytes", as_a_ring, 6),
        Criterion("sparse bytes", rows_once, 6),
        Criterion("beside the backward pass", beside_backward, 8),
        Criterion("in real processes", in_processes, 2),
        Criterion("other models and batches", elsewhere, 6, hidden=True),
    ),
)
