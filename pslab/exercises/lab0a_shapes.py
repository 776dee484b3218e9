"""What 0A.2 and 0A.3 are held to alike: bytes with a reason where they differ, neighbours, the time of a ring.

    bytes in total     exactly, from below and from above; too many are told by how many: a round, a width, everything
    out of a rank      at most what the longest chunks allow
    seconds            (number of rounds)·(α + longest chunk · β): in each round every port sends and receives
"""

from __future__ import annotations

from collections.abc import Callable

from pslab.grade import Verdict, contracts

from .lab0_common import ITEM_BYTES, LINK


def bytes_named(job, total: Callable, out: Callable, halves: int):
    """A judge of bytes. total(trial), out(trial): elements over all links, and at most out of one rank.

    halves: how many times (K−1)·P elements the total is: 1 for a reduce-scatter, 2 for an all-reduce. Many ranks come
    first: with two or three, a whole tensor, wide numbers and a round too many are the same number of bytes.
    """
    def bounded(only):
        return contracts.traffic(job, total=lambda t: contracts.exactly(ITEM_BYTES * total(t)),
                                 out=lambda t, rank: contracts.at_most(ITEM_BYTES * out(t)), only=only,
                                 more="0/whole-tensor-travels", less="0/ranks-share-nothing")

    stages = [(only, bounded(only)) for only in (lambda t: t.K >= 5 and t.P >= t.K, lambda t: t.K >= 5 and t.P < t.K,
                                                 lambda t: t.K < 5)]

    def judge(answers, case) -> Verdict:
        verdicts, trials = [], job.on(case)
        job.tell_again(answers, trials[0])
        for only, stage in stages:
            if not any(map(only, trials)):                    # hidden cases with K = 4 have none of the second kind
                continue
            verdict = stage(answers, case)
            if not verdict.passed:
                few = verdict.misconception == "0/ranks-share-nothing"
                return verdict if few else verdict.naming(_too_much(verdict, halves))
            verdicts.append(verdict)
        return verdicts[-1]                                   # of few ranks, which is the easiest to look at
    return judge


def _too_much(verdict: Verdict, halves: int) -> str:
    """Which mistake sends so many bytes."""
    ledger = verdict.run.ledger
    K = ledger.world_size
    uneven = any(max(way) > 1.5 * min(way) for way in zip(*(ledger.port(rank) for rank in range(K))))   # out, then in
    if uneven or "out of rank" in verdict.expected:                     # the total comes first, so it was right
        return "0/one-rank-carries-all"
    if verdict.ratio == 2.0:
        return "0/more-than-float32"
    return "0/one-round-too-many" if (verdict.ratio or K) <= K / (K - 1) + 1e-9 else "0/whole-tensor-travels"


def only_right(job):
    """A judge: every message goes to the right neighbour."""
    return contracts.order(job, allowed=lambda t, src, dst: dst == (src + 1) % t.K, misconception="0/not-to-the-right",
                           words="every rank sends to its right neighbour only")


def only_neighbours(job):
    """A judge: every message goes to a neighbour in the ring."""
    return contracts.order(job, allowed=lambda t, src, dst: (dst - src) % t.K in (1, t.K - 1),
                           misconception="0/not-a-ring", words="every rank sends to its neighbours in the ring only")


def seconds_of(job, expected_s: Callable, bytes_judge: Callable, tolerance: float = 1e-9,
               uneven: str = "0/ranks-take-turns"):
    """A judge of virtual time, where every chunk has something in it. What is slow for its bytes ends as they do.

    uneven: the misconception of a run in which a message is longer than the longest chunk of `tensor_split`.
    """
    timed = contracts.virtual_time(job, expected_s, tolerance=tolerance, slower="0/ranks-take-turns",
                                   faster="0/ranks-share-nothing", link=LINK, only=lambda t: t.P >= t.K)

    def judge(answers, case) -> Verdict:
        verdict = timed(answers, case)
        if verdict.passed or verdict.misconception != "0/ranks-take-turns":
            return verdict
        moved = bytes_judge(answers, case)
        if not moved.passed:
            return moved
        sent = [event.payload_bytes for event in verdict.run.trace.events]
        longer = sent and max(sent) > sum(sent) / len(sent) + ITEM_BYTES
        return verdict.naming(uneven) if longer else verdict
    return judge
