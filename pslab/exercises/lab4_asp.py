"""4.2: nobody waits for anybody: each push is a step, and its sender is answered at once.

    fast worker   ██▸██▸██▸██▸██▸██▸██▸        as quick as if it were alone
    slow worker   ████████████████████████▸

What may go wrong without waiting: a copy that is a second step, an answer older than the step that asked for it.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from pslab.comm import CommError, Faults, SimWorld
from pslab.grade import Case, Criterion, Exercise, Misconception, Verdict, contracts

from .lab4_common import FORBIDDEN, LINK, described, job, naming, pictured, speeds, told
from .lab4_rounds import SLIGHTLY, ranks_of, servers_of, shares_of
from .lab4_workers import BYE, at_once

NAME = "asp_server"
SLIPS = {
    "4/step-taken-twice": ("copies too", "double"),
    "4/divided-by-the-workers": ("divided",),
    "4/rows-before-the-step": ("old rows",),
    "4/stale-thrown-away": ("stale away",),
    "4/numbers-of-others": ("one count",),
    "4/answers-everybody": ("to all", "to all in order"),
    "4/step-forgotten": ("no step",),
}


def serve(comm, w, workers, lr: float, slip: str = ""):
    """The reference: each push once, whatever comes twice or out of order."""
    known, here = set(), set(workers)
    seen: dict[int, int] = {}                       # updates that were applied when a worker was answered last
    steps = 0
    while here:
        letter = comm.poll()
        if letter.kind == BYE:
            here.discard(letter.src)
            continue
        n = letter.meta["n"]
        push = n if slip == "one count" else (letter.src, n)
        if slip == "to all in order" and n != sum(sender == letter.src for sender, _ in known):
            continue
        if push in known and slip != "copies too":
            if slip == "one count":
                comm.post(letter.src, "rows", {"n": n + 1}, [w])
            continue
        known.add(push)
        old, stale = w, steps - seen.get(letter.src, 0)
        if slip != "no step" and (stale == 0 or slip != "stale away"):
            w = w - lr * letter.tensors[0] * (2 if slip == "double" else 1) / (len(workers) if slip == "divided" else 1)
            steps += 1
        seen[letter.src] = steps
        for worker in workers if slip.startswith("to all") else [letter.src]:
            comm.post(worker, "rows", {"n": n + 1}, [old if slip == "old rows" else w])
    return w


def work(rng, seconds, steps=None, copies=()) -> dict:
    """As `job`, with as many steps of each worker as asked for."""
    made = job(rng, seconds, lr=1.0, unit=60, copies=copies)
    return made | {"steps": [len(seconds[0])] * len(seconds) if steps is None else list(steps)}


def simulated(jobs, slip: str = "", **settings):
    try:
        return SimWorld(ranks_of(jobs), link=LINK, trace=False, **settings).run(
            lambda comm, *mine: at_once(lambda *given: serve(*given, slip), comm, *mine), per_rank=shares_of(jobs))
    except CommError:
        return None


def asked(answers, jobs, trace: bool = True, **settings):
    run = answers.run(NAME, ranks_of(jobs), per_rank=shares_of(jobs), within=at_once, face="mail", link=LINK,
                      trace=trace, **settings)
    return pictured(run) if trace else run


def unlike(jobs, run, right, rtol: float = 0.0) -> tuple[str, str, str] | None:
    """(expected, seen, where) of the first numbers that differ."""
    first = 0
    for server in servers_of(jobs):
        for worker in range(first, server):
            for mine, wanted in zip(run.results[worker]["rows"], right.results[worker]["rows"]):
                words = contracts.difference(mine[1], wanted[1], rtol=rtol)
                if words:
                    where = f"the answer to push {wanted[0] - 1} of worker {worker - first}"
                    return f"{wanted[1].tolist()}", words, where
        words = contracts.difference(run.results[server]["value"], right.results[server]["value"], rtol=rtol)
        if words:
            return f"{right.results[server]['value'].tolist()}", words, "what the server returned"
        first = server + 1
    return None


def held(answers, jobs, slips, otherwise: str, words: str, trace: bool = True, **settings) -> Verdict:
    run, right = asked(answers, jobs, trace, **settings), simulated(jobs, **settings)
    for server in servers_of(jobs):
        if not isinstance(run.results[server]["value"], torch.Tensor):
            return Verdict(False, "w (P,)", described(run.results[server]["value"]), words, "all/bad-value", run)
    found = unlike(jobs, run, right)
    if found is None:
        steps = sum(sum(group["steps"]) for group in jobs)
        return Verdict(True, "each push a step, once", f"{steps} steps right", words, run=run)
    for why, slip in ((why, slip) for why, tried in slips.items() for slip in tried):
        other = simulated(jobs, slip, **settings)
        if other is not None and unlike(jobs, run, other, SLIGHTLY) is None:
            return Verdict(False, found[0], found[1], f"{words}; {found[2]}", why, run)
    return Verdict(False, found[0], found[1], f"{words}; {found[2]}", otherwise, run)


def each_once(answers, case: Case) -> Verdict:
    jobs = [work(case.rng, speeds(case.rng, 3, 5), (5, 3, 4)), work(case.rng, speeds(case.rng, 1, 3)),
            work(case.rng, speeds(case.rng, 5, 4))]
    verdict = held(answers, jobs, SLIPS, "4/wrong-numbers", "workers of different speed, no copies")
    if verdict.misconception != "4/wrong-numbers":
        return verdict
    first_s = [job["seconds"][worker][0] + 2 * LINK.latency_s for job in jobs for worker in range(len(job["seconds"]))]
    rows = [result["rows"] for result in verdict.run.results if "rows" in result]
    late = any(mine[0][2] > 1e-4 + alone_s for mine, alone_s in zip(rows, first_s))
    return verdict.naming("4/waits-for-others") if late else verdict


def nobody_waits(answers, case: Case) -> Verdict:
    """A worker that takes a hundred times as long changes nothing for the other two."""
    rng, steps = case.rng, (12, 9, 1)
    seconds = np.vstack([speeds(rng, 2, 12), np.full(12, 0.7)])
    jobs = [work(rng, seconds, steps)]
    run = asked(answers, jobs)
    for worker, count in enumerate(steps[:2]):
        alone_s = math.fsum(seconds[worker, :count]) + count * 2 * LINK.latency_s
        done_s = run.results[worker]["rows"][-1][2]
        where = f"worker {worker} of 3, {count} steps; worker 2 computes {1e3 * seconds[2, 0]:g} ms"
        if not math.isclose(done_s, alone_s, rel_tol=1e-3):
            return Verdict(False, f"done after {1e3 * alone_s:.2f} ms, as alone", f"after {1e3 * done_s:.2f} ms", where,
                           "4/waits-for-others", run, done_s / alone_s)
    return Verdict(True, "as fast as alone", "beside a worker 100 times slower as fast as alone", run=run)


def copies(answers, case: Case) -> Verdict:
    seconds = np.array([[2.0, 3.0, 2.6, 2.2], [9.0, 8.0, 4.0, 9.5], [5.0, 9.2, 9.1, 5.6]]) * 1e-3
    again = [(0, 0, 1.5e-3), (0, 1, 9e-3), (1, 1, 0.5e-3), (2, 2, 0.7e-3), (1, 0, 2.3e-3)]
    return held(answers, [work(case.rng, seconds, copies=again)], SLIPS, "4/step-taken-twice", "some pushes come twice")


def networks(answers, case: Case) -> Verdict:
    for _ in range(8):
        jobs, seed = [work(case.rng, speeds(case.rng, 3, 4)) for _ in range(25)], int(case.rng.integers(2**31))
        run = asked(answers, jobs, False, faults=Faults(seed, duplicate=0.3, delay_s=4e-3, reorder_s=8e-3), seed=seed)
        for group, server in zip(jobs, servers_of(jobs)):
            K = len(group["seconds"])
            sent = sum(result["sent"] for result in run.results[server - K:server])
            words = contracts.difference(run.results[server]["value"], group["w"] - group["lr"] * sent)
            if words:
                return Verdict(False, "w less the sum of all gradients that were pushed", words,
                               f"a network of seed {seed}", "4/step-taken-twice")
    return Verdict(True, "each push once", "right on 200 bad networks")


def _judge(judge):
    return naming(judge, "4/waits-for-others")


ASP = Exercise(
    id="4.2", lab="4", title="Nobody waits", names=(NAME,),
    signature="def asp_server(comm, w: Tensor, workers: list[int], lr: float) -> Tensor",
    points=10, minutes=10, difficulty=2, core=True, prerequisites=("4.1",), forbidden=FORBIDDEN,
    goal='Serve without rounds. Each push is a step at once, w <- w - lr * gradient, and its sender alone is answered: '
         'letter "push" with meta {"n": n}, n from 0 for every worker, and [gradient]; answer "rows" with meta '
         '{"n": n + 1} and [w]. Letters may come twice. A worker that is done sends "bye"; when all have, return w.',
    example="w = [10], lr 1: push 4 of worker 0 -> w = [6], ('rows', {'n': 1}, [6]) to worker 0; its copy -> nothing; "
            "push 2 of worker 1 -> w = [4], ('rows', {'n': 1}, [4]) to worker 1",
    hints=(
        "How much of 4.1 is left when there are no rounds? What has to be remembered so that a copy is known again?",
        "The number that each worker pushes next, in a dict by its rank. A worker pushes n + 1 only after the answer "
        "to n, so a push with another number is a copy.",
        'while here: letter = comm.poll(); if letter.kind == "bye": here.discard(letter.src); elif letter.meta["n"] == '
        "following[letter.src]: step, following[letter.src] += 1, answer.",
    ),
    misconceptions=(
        Misconception("4/waits-for-others", "A worker was left waiting; here each push is answered at once, however "
                      "slow the others are, and the server stays until all have said bye."),
        Misconception("4/step-taken-twice", "A push was more than one step; a copy is no new gradient, and a gradient "
                      "is applied once."),
        Misconception("4/divided-by-the-workers", "You divided by the number of workers; more workers make no larger "
                      "batch here, they make more steps, each of one worker's gradient."),
        Misconception("4/stale-thrown-away", "A gradient was thrown away for others had stepped since its worker read; "
                      "stale gradients are applied like all others."),
        Misconception("4/numbers-of-others", "A push was taken for a copy of another worker's: every worker counts "
                      "from 0."),
        Misconception("4/answers-everybody", "All workers were answered; the answer belongs to the one that pushed, "
                      "and the others are at steps of their own."),
        Misconception("4/step-forgotten", "w is what it was before the pushes."),
        *told("4/rows-before-the-step", "4/wrong-numbers"),
    ),
    criteria=(
        Criterion("each push is a step", _judge(each_once), 3),
        Criterion("a worker 100 times slower", _judge(nobody_waits), 3),
        Criterion("copies", _judge(copies), 2),
        Criterion("200 networks", _judge(networks), 2, hidden=True),
    ),
)
