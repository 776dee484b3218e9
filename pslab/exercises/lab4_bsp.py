"""4.1: a round closes when every worker's gradient is there, counted by senders and not by letters.

    worker 0  ███▸░░░░░│██▸░░░░░░│        ▸ pushes     ░ waits     │ new numbers are there
    worker 1  ████████▸│█████▸░░░│
    worker 2  █████▸░░░│████████▸│        one process that takes all gradients itself gives the same numbers
"""

from __future__ import annotations

import numpy as np
import torch

from pslab.comm import Faults
from pslab.grade import Case, Criterion, Exercise, Misconception, Verdict, contracts

from .lab4_common import FORBIDDEN, job, naming, speeds, told
from .lab4_rounds import Way, asked, held, sequential, servers_of

NAME = "bsp_server"
GROUPS, K_ON_NETWORKS = 25, 3

PLAIN = {
    "4/closes-early": (Way(short=1), Way(short=1, divide="all")),
    "4/nobody-waits": (Way(short=99), Way(short=99, divide="all")),
    "4/sum-for-mean": (Way(divide="one"),),
    "4/rows-before-the-step": (Way(rows="old"),),
    "4/round-before-kept": (Way(kept=True),),
}
TWICE = {
    "4/copy-added": (Way(added=True),),
    "4/letters-counted": (Way(letters=True, added=True), Way(letters=True)),
}
LATE = {"4/late-push-counted": (Way(late="counted"), Way(late="counted", added=True)),
        "4/late-push-applied": (Way(late="applied"),)}


def plain(answers, case: Case) -> Verdict:
    """Workers of different speed, without copies, against one process that takes all gradients itself."""
    settings = ((3, 2.0), (1, 2.0), (2, 1.0), (5, 2.0), (7, 0.5))
    jobs = [job(case.rng, speeds(case.rng, K, 5), lr=lr) for K, lr in settings]
    verdict = held(NAME, answers, jobs, PLAIN, "4/wrong-numbers", "workers of different speed")
    if not verdict.passed:
        first_s = [result["rows"][0][2] for result in verdict.run.results[:3]]
        apart = verdict.misconception == "4/wrong-numbers" and max(first_s) - min(first_s) > 1e-3
        return verdict.naming("4/nobody-waits") if apart else verdict
    for group, server in zip(jobs, servers_of(jobs)):
        words = contracts.difference(verdict.run.results[server]["value"], sequential(group))
        if words:
            return Verdict(False, "what one process computes", words, "", "4/wrong-numbers", verdict.run)
    return Verdict(True, seen="5 rounds with 1, 2, 3, 5 and 7 workers: as one process, bit for bit", run=verdict.run)


def twice(answers, case: Case) -> Verdict:
    """Copies that come while their round is open."""
    seconds = np.array([[2.0, 3.0, 2.5, 2.0], [9.0, 8.0, 4.0, 9.5], [5.0, 9.2, 9.0, 5.5]]) * 1e-3
    copies = [(0, 0, 1e-3), (0, 0, 2e-3), (0, 1, 2e-3), (1, 2, 1e-3), (2, 3, 1e-3), (0, 3, 2e-3)]
    return held(NAME, answers, [job(case.rng, seconds, copies=copies)], TWICE, "4/letters-counted",
                "a worker pushes twice in a round")


def late(answers, case: Case) -> Verdict:
    """Copies that come when their round has closed, in the next one or later."""
    seconds = np.array([[4.0, 6.0, 5.0, 4.0, 6.5], [9.0, 8.0, 9.5, 7.0, 9.0], [6.0, 9.2, 4.5, 9.5, 5.5]]) * 1e-3
    copies = [(0, 0, 9e-3), (1, 1, 5e-3), (1, 2, 2.8e-3), (0, 1, 14e-3), (2, 3, 3e-3)]
    return held(NAME, answers, [job(case.rng, seconds, copies=copies)], LATE, "4/late-push-counted",
                "a late copy of a round before")


def same_bits(answers, case: Case) -> Verdict:
    """Numbers with fractions: the same gradients, and three orders in which they come."""
    K, rounds = 5, 4
    size = 10.0 ** case.rng.integers(-3, 4, (K, rounds, 3))
    first = job(case.rng, np.zeros((K, rounds)), lr=0.3) | {
        "w": torch.from_numpy(case.rng.normal(size=3)).float(),
        "targets": torch.from_numpy(size * case.rng.normal(size=(K, rounds, 3))).float()}
    jobs = [first | {"seconds": speeds(case.rng, K, rounds).tolist()} for _ in range(4)]
    run = asked(answers, NAME, jobs)
    one, *others = (run.results[server]["value"] for server in servers_of(jobs))
    where = f"K={K}, random numbers, {rounds} rounds"
    words = contracts.difference(one, sequential(first), rtol=1e-3, atol=1e-3)
    if words:
        return Verdict(False, "nearly what one process computes", words, where, "4/wrong-numbers", run)
    for other in others:
        words = contracts.difference(other, one)
        if words:
            return Verdict(False, "the same bits whoever comes first", words, where, "4/order-of-arrival", run)
    return Verdict(True, "the same bits whoever comes first", "the same for four orders of arrival", where, run=run)


def networks(answers, case: Case) -> Verdict:
    """200 networks on which letters come twice, late and out of order, 25 at a time."""
    for _ in range(200 // GROUPS):
        jobs = [job(case.rng, speeds(case.rng, K_ON_NETWORKS, 4)) for _ in range(GROUPS)]
        seed = int(case.rng.integers(2**31))
        faults = Faults(seed, duplicate=0.3, reorder_s=0.012, delay_s=0.004)
        verdict = held(NAME, answers, jobs, {**PLAIN, **TWICE, **LATE}, "4/late-push-counted",
                       f"a network of seed {seed}, on which letters come twice, late and out of order", faults=faults,
                       seed=seed, trace=False)
        if not verdict.passed:
            return verdict
    return Verdict(True, "as one process", "right on 200 bad networks")


def _judge(judge):
    return naming(judge, "4/nobody-is-told")


BSP = Exercise(
    id="4.1", lab="4", title="A round closes", names=(NAME,),
    signature="def bsp_server(comm, w: Tensor, workers: list[int], rounds: int, lr: float) -> Tensor",
    points=20, minutes=20, difficulty=3, core=True, prerequisites=("2.1",), forbidden=FORBIDDEN,
    goal="Serve `rounds` rounds. A worker pushes one gradient a round: a letter 'push' with meta {'round': r}, r from "
         "0, and [gradient]. When round r has one of every worker: w <- w - lr * mean of the gradients; then every "
         "worker gets a letter 'rows' with meta {'round': r + 1} and [w]. Letters may come twice, and copies late, "
         "when their round has closed: each push counts once, in its own round. Add in the order of `workers` and not "
         "of arrival. Return w after the last round.",
    example="w = [10], lr 1, workers 0 and 1: pushes 4 (worker 0), 4 again (its copy), 2 (worker 1) -> mean 3, "
            "w = [7], letters ('rows', {'round': 1}, [7]) to both",
    hints=(
        "What does a server have to remember of the open round, so that it knows whose gradient is still missing? A "
        "number of letters does not tell it.",
        'A dict {sender: gradient} for the open round. A letter whose meta["round"] is another one is a copy of '
        "something that was used; leave it. A sender that is in the dict has sent a copy. The round closes when the "
        "dict has as many entries as there are workers.",
        "for r in range(rounds): got = {}; while len(got) < len(workers): letter = comm.poll(); if "
        "letter.meta['round'] == r: got.setdefault(letter.src, letter.tensors[0]). Then w = w - lr * sum(got[k] for k "
        "in workers) / len(workers), and comm.post(k, 'rows', {'round': r + 1}, [w]) for every k.",
    ),
    misconceptions=(
        Misconception("4/letters-counted", "K letters are not K senders: a worker pushed twice, and the round closed "
                      "without somebody's gradient."),
        Misconception("4/copy-added", "A copy was added to its original; each push counts once."),
        Misconception("4/late-push-counted", "A push of a round that had closed was counted in another one; its number "
                      "of the round says where it belongs."),
        Misconception("4/late-push-applied", "A push of a round that had closed was applied when it came; it was a "
                      "copy of one that had been used."),
        Misconception("4/closes-early", "A round closed before every worker's gradient was there; a synchronous round "
                      "has to wait for the slowest."),
        Misconception("4/nobody-waits", "Each gradient was a step of its own and nobody waited; that is the "
                      "asynchronous server of 4.2."),
        Misconception("4/sum-for-mean", "You took the sum for the mean; with K workers steps are then K times too "
                      "long."),
        Misconception("4/round-before-kept", "A gradient of the round before was still in the sum; every round begins "
                      "with nothing."),
        Misconception("4/order-of-arrival", "The result depends on who came first: sums of floats depend on their "
                      "order, so add in the order of the workers' ranks."),
        *told("4/rows-before-the-step", "4/nobody-is-told", "4/wrong-numbers"),
    ),
    criteria=(
        Criterion("workers of different speed", _judge(plain), 5),
        Criterion("a worker that pushes twice", _judge(twice), 4),
        Criterion("late copies of a round before", _judge(late), 4),
        Criterion("the same bits whoever comes first", _judge(same_bits), 3),
        Criterion("200 networks", _judge(networks), 4, hidden=True),
    ),
)
