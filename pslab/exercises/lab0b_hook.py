"""0B.3: DistributedDataParallel over a ring: the hook, what is right, and what the usual slips give.

    student's process    DistributedDataParallel ──bucket──> ring_hook(comm, bucket) ──future──> DistributedDataParallel
    judge's process      the same training without DDP: every rank's gradient, summed in rank order, divided by K

That is what stock DDP computes: bit for bit at K = 2, where a sum of two has one order, and to 1e-5 from K = 3 on
(tests/test_exercises_lab0b_ddp.py compares the two). DDP runs for real in the student's process, each rank in a process
group of its own (lab0b_programs.py), so that torch's collectives reach nobody and `comm` is the only way.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from pslab.grade import Case, CourseError, Criterion, Exercise, Misconception, Verdict, contracts

from .lab0_common import ITEM_BYTES, STUCK, Once, reading, told
from .lab0b_common import knowing, short_run, undrawn
from .lab0b_programs import ddp_training, descend, loss_of, model_of

NAME, STEPS, RTOL = "ring_hook", 20, 1e-5
ERRORS = {"process group": "0B/no-process-group", "the hook returned a": "0B/no-future",
          "the future's result is": "0B/bucket-changed"}
FIRST = 4                       # steps by which a slip is told: later ones may have run away


# ---- the same training without DDP ----------------------------------------------------------------------------------


def plain_training(K: int, seed: int, width: int, head: int, lr: float, steps: int, combine) -> list[dict]:
    """What each rank's training gives: losses, parameters. combine(grads of all ranks, rank): what rank steps by."""
    models, losses = [model_of(seed, width, head) for _ in range(K)], [[] for _ in range(K)]
    for step in range(steps):
        for rank, model in enumerate(models):
            loss = loss_of(model, seed, step, rank, width)
            loss.backward()
            losses[rank].append(loss.item())
        grads = [[p.grad for p in model.parameters() if p.grad is not None] for model in models]
        for rank, model in enumerate(models):
            new = [combine([grads[r][i] for r in range(K)], rank) for i in range(len(grads[0]))]
            for p, g in zip([p for p in model.parameters() if p.requires_grad], new):
                p.grad = g
        for model in models:
            descend(model, lr)
    flat = [torch.cat([p.detach().reshape(-1) for p in model.parameters()]) for model in models]
    return [{"losses": mine, "parameters": w} for mine, w in zip(losses, flat)]


def mean(grads: list[torch.Tensor], rank: int) -> torch.Tensor:
    return sum(grads[1:], grads[0]) / len(grads)


SLIPS = {
    "0B/sum-for-mean": (lambda grads, rank: sum(grads),),
    "0/divided-twice": (lambda grads, rank: sum(grads) / len(grads) ** 2,),
    "0B/not-reduced": (lambda grads, rank: grads[rank].clone(), lambda grads, rank: grads[rank] / len(grads)),
    "0B/constant-k": (lambda grads, rank: sum(grads) / 2, lambda grads, rank: sum(grads) / 3),
}


# ---- judging --------------------------------------------------------------------------------------------------------


def setting(case: Case, K: int, head: int, bucket_mb: float) -> contracts.Trial:
    """A training of K ranks; head: outputs of the last layer, which set the number of parameters."""
    how = (int(case.rng.integers(2**30)), 8, head, 0.02, STEPS)
    buckets = "buckets of 1 KiB" if bucket_mb < 1 else "one bucket"
    return contracts.Trial([(*how, bucket_mb)] * K, None, head, True, f"K={K}, {buckets}",
                           facts={"how": how})


def job(settings_of) -> Once:
    return Once(NAME, settings_of, "losses", {"within": ddp_training})


def trained(trial) -> int:
    """Elements that have a gradient: tied ones once, frozen ones not."""
    _, width, head, *_ = trial.facts["how"]
    return sum(p.numel() for p in model_of(0, width, head).parameters() if p.requires_grad)


def losses(training: Once, only=None):
    """A judge of losses and parameters, of every rank."""
    def judge(answers, case: Case) -> Verdict:
        for trial in training.on(case, only):
            run = training.run(answers, trial)
            right = plain_training(trial.K, *trial.facts["how"], mean)
            bad = _differs(trial, run, right)
            if bad is not None:
                return replace(bad, run=two_steps(training, answers, trial))
        how = "bit for bit" if trial.K == 2 else f"to {RTOL:g}"
        first, last = right[0]["losses"][0], right[0]["losses"][-1]
        return Verdict(True, f"losses and parameters of DistributedDataParallel as it comes, {how}",
                       f"rank 0: {first:.6f} at first, {last:.6f} after {STEPS} steps", str(trial), run=run)
    return judge


def _differs(trial, run, right: list[dict]) -> Verdict | None:
    rtol = 0.0 if trial.K <= 2 else RTOL
    for what in ("losses", "parameters"):
        for rank, (mine, wanted) in enumerate(zip(run.results, right)):
            seen, expected = (np.asarray(side[what], np.float64) for side in (mine, wanted))
            far = ~(np.abs(seen - expected) <= rtol * np.maximum(np.abs(expected), 1.0))
            if far.any():
                at = int(np.argmax(far))
                place = f"step {at + 1} of {STEPS}" if what == "losses" else f"parameter {at} at the end"
                return Verdict(False, f"{float(expected[at]):.9g}, as from DistributedDataParallel as it comes",
                               f"{float(seen[at]):.9g}", f"rank {rank}, {place}; {trial}", _why(trial, run), run)
    return None


def _why(trial, run) -> str:
    def near(one, other) -> bool:
        return np.allclose(one, other, rtol=1e-3, atol=1e-4)

    def first(combine) -> list:
        return [mine["losses"] for mine in plain_training(trial.K, *trial.facts["how"][:-1], FIRST, combine)]

    seen, right = [mine["losses"][:FIRST] for mine in run.results], first(mean)
    for slip, ways in SLIPS.items():
        for believed in map(first, ways):
            if near(seen, believed) and not near(believed, right):
                return slip
    total, closed = run.ledger.total(), 2 * (trial.K - 1) * ITEM_BYTES * _elements(trial, run)
    if total * 2 == closed:
        return "0B/narrow-numbers"
    return "0B/bucket-left-out" if total < closed else "0B/not-the-mean"


def _elements(trial, run) -> int:
    """Elements of all buckets of one rank. CourseError where DDP did not hand over every gradient once a step."""
    buckets = run.results[0]["buckets"]
    if sum(buckets) != STEPS * trained(trial):
        raise CourseError(f"DDP handed over {sum(buckets)} elements; {STEPS} steps of {trained(trial)} are right")
    return sum(buckets)


def ring_bytes(training: Once):
    """A judge of the ledger: in total 2(K−1)·P·4 bytes for every bucket; no port more than a ring's."""
    def judge(answers, case: Case) -> Verdict:
        passed = None
        for trial in training.on(case, lambda t: t.K > 1):
            run, K = training.run(answers, trial), trial.K
            total, closed = run.ledger.total(), 2 * (K - 1) * ITEM_BYTES * _elements(trial, run)
            buckets = run.results[0]["buckets"]
            most = sum(2 * ITEM_BYTES * (P - P // K) for P in buckets)
            port = max(max(run.ledger.port(rank)) for rank in range(K))
            expected = f"Σ 2(K-1)·P·4 = {closed:,} bytes for {len(buckets)} buckets, at most {most:,} through a port"
            seen = f"{total:,} bytes, at most {port:,} through a port"
            if total != closed or port > most:
                why = "0B/more-than-a-ring" if total > closed else "0B/one-port-for-all"
                if total < closed:
                    wrong = _differs(trial, run, plain_training(K, *trial.facts["how"], mean))
                    why = "0/ranks-share-nothing" if wrong is None else "0B/bucket-left-out"
                return Verdict(False, expected, seen, str(trial), why, run, max(total / closed, port / most))
            passed = passed or (expected, seen, trial)
        expected, seen, trial = passed
        return Verdict(True, expected, seen, f"K={trial.K}, two steps", None, two_steps(training, answers, trial), 1.0)
    return judge


def two_steps(training: Once, answers, trial: contracts.Trial):
    """A run short enough to be drawn: after the first step DDP knows the order of gradients and cuts buckets anew."""
    per_rank = [(*how[:4], 2, how[5]) for how in trial.per_rank]
    return short_run(training, answers, replace(trial, per_rank=per_rank, label=f"K={trial.K}, two steps"))


def _judged(judge):
    return reading(knowing(judge, ERRORS))


PUBLIC = job(lambda case: [setting(case, 2, 31, 0.001), setting(case, 3, 31, 0.001)])
SHORT = job(lambda case: [setting(case, 2, 5, 0.001)])
HIDDEN = job(lambda case: [setting(case, int(case.rng.choice([4, 5])), int(case.rng.integers(20, 60)), 0.001),
                           setting(case, 3, int(case.rng.integers(5, 20)), 25.0)])

HOOK = Exercise(
    id="0B.3", lab="0B", title="DistributedDataParallel on your ring", names=(NAME,),
    signature="def ring_hook(comm, bucket: torch.distributed.GradBucket) -> torch.futures.Future",
    points=25, minutes=35, difficulty=4, core=True, prerequisites=("0A",), preload=("torch._dynamo",),
    goal="A comm hook: torch's DistributedDataParallel hands it a bucket of gradients, and gets a future of their mean "
         "over all ranks. Losses are those of DDP as it comes, and every byte goes round the ring that you were given.",
    example="two ranks, bucket.buffer() [1, 3] and [3, 5] -> on both a future whose result is [2, 4]",
    hints=(
        "With a hook, DDP does nothing to a bucket: it neither adds up over ranks nor divides. The hook does both, for "
        "every bucket that it is called with, and buckets have different lengths.",
        "bucket.buffer() is a tensor (P,) of float32. Sum it over the ranks, then divide by comm.world_size, once.",
        "A future is an envelope: future = torch.futures.Future(); future.set_result(tensor); return future. What is "
        "in it has the shape and dtype that the bucket had.",
    ),
    misconceptions=(
        *told(*STUCK, "0/ranks-share-nothing", "0/divided-twice"),
        Misconception("0B/sum-for-mean", "The gradients are K times too long; DDP leaves dividing by K to the hook."),
        Misconception("0B/not-reduced", "Each rank stepped by its own gradient alone, so the replicas part ways; what "
                      "the hook returns must hold everybody's."),
        Misconception("0B/constant-k", "You divided by a fixed number; how many ranks there are is in "
                      "comm.world_size."),
        Misconception("0B/bucket-left-out", "Some gradients never left their rank; the hook is called for each bucket "
                      "of each step, and each has to go round, whole."),
        Misconception("0B/narrow-numbers", "Half the bytes left: you narrowed the numbers on the wire, and the losses "
                      "moved with it; compression is the next exercise's matter, here nothing may be lost."),
        Misconception("0B/not-the-mean", "What the hook returned is not this bucket's mean over the ranks, in this "
                      "step."),
        Misconception("0B/no-future", "DDP goes on with other work and asks for the result later: hand it a "
                      "torch.futures.Future whose result is set, and no bare tensor."),
        Misconception("0B/bucket-changed", "DDP writes the result where the bucket was, so it must have the bucket's "
                      "length and dtype."),
        Misconception("0B/no-process-group", "torch.distributed has no group here; the point is that the ring moves "
                      "the gradients, over comm alone."),
        Misconception("0B/more-than-a-ring", "More travelled than in a ring, which moves each bucket 2(K-1) times, all "
                      "links together."),
        Misconception("0B/one-port-for-all", "One rank's port carries what K ports could share; in a ring each carries "
                      "2(K-1)/K of a bucket."),
    ),
    criteria=(
        Criterion("two ranks, bit for bit", _judged(undrawn(losses(PUBLIC, lambda t: t.K == 2))), 6),
        Criterion("three ranks", _judged(undrawn(losses(PUBLIC, lambda t: t.K == 3))), 6),
        Criterion("bytes of the ring", _judged(ring_bytes(PUBLIC)), 5),
        Criterion("in real processes", _judged(undrawn(contracts.two_worlds(
            SHORT, misconception="0/ranks-share-nothing", trials=1))), 3),
        Criterion("more ranks, another model", _judged(undrawn(losses(HIDDEN))), 5, hidden=True),
    ),
)
