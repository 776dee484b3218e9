"""Servers that close rounds: the reference of 4.1 and 4.5, and what slips make of it.

    round 3     worker 0 ▸ worker 2 ▸ worker 2 again ▸ worker 1 of round 2, late ▸ worker 1        K = 3, closes here
                   1          2             -                    -                    3

A Way says how a server counts; the defaults are right. The same workers, links and bad luck as in the student's run
stand around it, so that equal ways give equal numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from pslab.comm import CommError, Faults, Link, SimWorld
from pslab.grade import Verdict, contracts

from .lab4_common import LINK, described, pictured
from .lab4_workers import in_rounds

SLIGHTLY = 1e-4                        # what slips give is no whole number, and depends on the order of sums


@dataclass(frozen=True)
class Way:
    """How a server counts and steps."""

    short: int = 0                     # closes so many senders before its time
    letters: bool = False              # counts letters and not senders
    added: bool = False                # a copy is added
    late: str = "dropped"              # or "counted" in the open round, or "applied" when it comes
    divide: str = "used"               # or as many as were "asked" for, or "all" workers, or "one"
    rows: str = "new"                  # or "old"
    kept: bool = False                 # the sum of the round before stays
    copies_dropped: bool = False       # every letter that is not used counts as dropped
    tally: str = "late"                # or "one" of each round: who is missing when it closes


def serve(comm, w, workers, b: int, rounds: int, lr: float, way: Way = Way()) -> tuple[torch.Tensor, dict]:
    """(w after the last round, {worker: its pushes that came after their round had closed})"""
    dropped, known, total = dict.fromkeys(workers, 0), set(), 0
    for at in range(rounds):
        got, letters, needed = set(), 0, min(max(len(workers) - b - way.short, 1), len(workers))
        total = total if way.kept else 0
        while (letters if way.letters else len(got)) < needed:
            letter = comm.poll()
            push, gradient = (letter.src, letter.meta["round"]), letter.tensors[0]
            if push[1] < at:
                dropped[letter.src] += way.tally == "late" and (push not in known or way.copies_dropped)
                known.add(push)
                if way.late == "applied":
                    w = w - lr * gradient
                if way.late != "counted":
                    continue
            elif push in known:
                dropped[letter.src] += way.copies_dropped
            known.add(push)
            letters += 1
            if letter.src not in got or way.added:
                total = total + gradient
            got.add(letter.src)
        for worker in workers:
            dropped[worker] += way.tally == "one" and worker not in got
        old, by = w, {"used": needed, "asked": len(workers) - b, "all": len(workers), "one": 1}[way.divide]
        w = w - lr * total / by
        for worker in workers:
            comm.post(worker, "rows", {"round": at + 1}, [old if way.rows == "old" else w])
    return w, dropped


def ranks_of(jobs: list) -> int:
    return sum(len(job["seconds"]) + 1 for job in jobs)


def shares_of(jobs: list) -> list[tuple[dict, int]]:
    """(job, first rank of its group) for each rank."""
    firsts = [server - len(job["seconds"]) for server, job in zip(servers_of(jobs), jobs)]
    return [(job, first) for job, first in zip(jobs, firsts) for _ in range(len(job["seconds"]) + 1)]


def servers_of(jobs: list) -> list[int]:
    """The server's rank of each group."""
    return (np.cumsum([len(job["seconds"]) + 1 for job in jobs]) - 1).tolist()


def simulated(jobs: list, way: Way = Way(), *, link: Link = LINK, faults: Faults | None = None, seed: int = 0):
    """The reference's run, whose servers return (w, dropped); None where a slip gets stuck."""
    def served(comm, w, workers, *rest):
        b, rounds, lr = (0, *rest) if len(rest) == 2 else rest
        return serve(comm, w, workers, b, rounds, lr, way)

    try:
        return SimWorld(ranks_of(jobs), link=link, faults=faults, seed=seed, trace=False).run(
            lambda comm, *mine: in_rounds(served, comm, *mine), per_rank=shares_of(jobs))
    except CommError:
        return None


def asked(answers, name: str, jobs: list, *, link: Link = LINK, faults: Faults | None = None, seed: int = 0,
          trace: bool = True):
    """The student's run."""
    run = answers.run(name, ranks_of(jobs), per_rank=shares_of(jobs), within=in_rounds, face="mail", link=link,
                      faults=faults, seed=seed, trace=trace)
    return pictured(run) if trace else run


def sequential(job: dict) -> torch.Tensor:
    """Where one process ends that takes all K gradients itself: b = 0, in float64."""
    w = job["w"].double()
    for at in range(job["targets"].shape[1]):
        w = w - job["lr"] * (w - job["targets"][:, at].double()).mean(0)
    return w.float()


def weights(value, job: dict):
    """The w of what a server returned: of 4.5 the first of a pair."""
    return value[0] if job["b"] is not None and isinstance(value, (tuple, list)) and value else value


def unlike(jobs: list, run, right, rtol: float = 0.0) -> tuple[str, str, str] | None:
    """(expected, seen, where) of the first numbers of a run that are not those of another one."""
    first = 0
    for job, server in zip(jobs, servers_of(jobs)):
        for worker in range(first, server):
            for mine, wanted in zip(run.results[worker]["rows"], right.results[worker]["rows"]):
                where = f"K={server - first}, what worker {worker - first} was sent for round {wanted[0]}"
                if mine[0] != wanted[0]:
                    return f"round {wanted[0]}", f"round {mine[0]}", where
                words = contracts.difference(mine[1], wanted[1], rtol=rtol)
                if words:
                    return f"{wanted[1].tolist()}", words, where
        value, wanted = weights(run.results[server]["value"], job), right.results[server]["value"][0]
        words = contracts.difference(value, wanted, rtol=rtol)
        if words:
            return f"{wanted.tolist()}", words, f"K={server - first}, what the server returned"
        first = server + 1
    return None


def held(name: str, answers, jobs: list, ways: dict, otherwise: str, words: str, **settings) -> Verdict:
    """The verdict on the numbers of one run. ways: {misconception: ways that a wrong server may count}."""
    run = asked(answers, name, jobs, **settings)
    settings.pop("trace", None)
    right = simulated(jobs, **settings)
    for job, server in zip(jobs, servers_of(jobs)):
        value = weights(run.results[server]["value"], job)
        if not isinstance(value, torch.Tensor) or (job["b"] is not None and len(run.results[server]["value"]) != 2):
            wanted = "w (P,)" if job["b"] is None else "(w (P,), {worker: count})"
            return Verdict(False, wanted, described(run.results[server]["value"]), words, "all/bad-value", run)
    found = unlike(jobs, run, right)
    if found is None:
        return Verdict(True, "the numbers of the rounds asked for", f"{len(jobs[0]['seconds'][0])} rounds right", words,
                       run=run)
    for why, tried in ways.items():
        for way in tried:
            other = simulated(jobs, way, **settings)
            if other is not None and unlike(jobs, run, other, SLIGHTLY) is None:
                return Verdict(False, found[0], found[1], f"{words}; {found[2]}", why, run)
    return Verdict(False, found[0], found[1], f"{words}; {found[2]}", otherwise, run)
