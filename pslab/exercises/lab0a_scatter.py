"""0A.2: reduce-scatter around a ring: rank r ends with chunk r of the sum of all ranks' x, cut as torch.tensor_split.

    chunk r starts at rank r + 1, walks right, grows at every rank, and is complete when it reaches rank r

    values     chunk r on rank r, also where K does not divide P
    bytes      (K−1)·P elements in total, at most P − ⌊P/K⌋ out of a rank
    order      to the right neighbour only
    seconds    (K−1)(α + ⌈P/K⌉·4β), exactly
"""

from __future__ import annotations

import numpy as np
import torch

from pslab.grade import Criterion, Exercise, Misconception, Verdict, contracts

from .lab0_common import ITEM_BYTES, STUCK, Once, all_of, chunk_sizes, fresh, reading, told, unless_wrong
from .lab0a_shapes import bytes_named, only_right, seconds_of


def chunks_of_the_sum(xs):
    """What each of K ranks returns. The reference."""
    return list(torch.tensor_split(sum(xs), len(xs)))


def _trials(case):
    return fresh(case, contracts.collective_trials(case, chunks_of_the_sum))


JOB = Once("reduce_scatter", _trials, result="chunk")


def _xs(trial):
    return [x.double() for x, in trial.per_rank]


def _wrong(chunks):
    """A wrong belief: from (the sum, all x, K) to the chunks of all ranks."""
    def results(trial):
        xs = _xs(trial)
        return [c.float() for c in chunks(sum(xs), xs, trial.K)]
    return results


def _equal_chunks(total, xs, K):
    short = len(total) // K
    return [total[rank * short:(rank + 1) * short] for rank in range(K)]


def _rest_at_the_end(total, xs, K):
    short = len(total) // K
    return [total[rank * short:(rank + 1) * short if rank < K - 1 else None] for rank in range(K)]


def _shifted(by):
    return lambda total, xs, K: [torch.tensor_split(total, K)[(rank + by) % K] for rank in range(K)]


def _own(total, xs, K):
    return [torch.tensor_split(x, K)[rank] for rank, x in enumerate(xs)]


def _short_of(steps):
    """Sums over all but the first `steps` ranks of each chunk's way, which ends at its owner."""
    def chunks(total, xs, K):
        ways = [[(rank - back) % K for back in range(max(K - steps, 1))] for rank in range(K)]
        return [sum(torch.tensor_split(xs[at], K)[rank] for at in way) for rank, way in enumerate(ways)]
    return chunks


_VALUES = contracts.values(
    JOB, otherwise="0/wrong-chunk", inputs_unchanged="0/input-changed", explains={
        "0/mean-for-sum": _wrong(lambda total, xs, K: torch.tensor_split(total / K, K)),
        "0/remainder-dropped": _wrong(_equal_chunks),
        "0/rest-at-the-end": _wrong(_rest_at_the_end),
        "0/chunk-of-another": _wrong(_shifted(1)),
        "0/chunk-of-the-left": _wrong(_shifted(-1)),
        "0/whole-sum": _wrong(lambda total, xs, K: [total] * K),
        "0/nothing-added": _wrong(_own),
        "0/one-round-short": _wrong(_short_of(1)),
    })


def values(answers, case) -> Verdict:
    """V, and for an unexplained result whether every chunk is as short as the shortest."""
    verdict = _VALUES(answers, case)
    if verdict.passed or verdict.misconception != "0/wrong-chunk":
        return verdict
    trial = next(t for t in JOB.on(case) if str(t) == verdict.where)
    short = [len(y) == trial.P // trial.K for y in verdict.run.results if isinstance(y, (torch.Tensor, np.ndarray))]
    dropped = len(short) == trial.K and all(short) and trial.P % trial.K
    return verdict.naming("0/remainder-dropped") if dropped else verdict


_BYTES = bytes_named(JOB, total=lambda t: (t.K - 1) * t.P, out=lambda t: t.P - t.P // t.K, halves=1)

_ORDER = only_right(JOB)

_SECONDS = seconds_of(JOB, lambda t, link: (t.K - 1) * link.port_s(ITEM_BYTES * max(chunk_sizes(t.P, t.K))), _BYTES)

_WORLDS = contracts.two_worlds(JOB, misconception="0/ranks-share-nothing", trials=1)


SCATTER = Exercise(
    id="0A.2", lab="0A", title="Reduce-scatter by a ring", names=("reduce_scatter",),
    signature="def reduce_scatter(comm, x) -> tensor",
    points=30, minutes=30, difficulty=3, core=True, prerequisites=("0A.0",), chapter_number="11.0.2",
    goal="Rank r returns chunk r of the sum of all ranks' x, cut as torch.tensor_split(x, K). Each rank sends to its "
         "right neighbour only, one chunk a round, K-1 rounds, and sends and receives at the same time.",
    example="K = 2: rank 0 with [0, 2, 4] and rank 1 with [1, 3, 5] -> rank 0: [1, 5], rank 1: [9]",
    hints=(
        "Look at the picture for three ranks and follow one colour. Where does chunk 0 start, where does it end, and "
        "what happens to it at each rank on its way?",
        "Work backwards: in the last round rank r receives chunk r. Then in the last round it sends chunk r+1, which "
        "in the round before it received. So what a rank sends in a round is what it received in the one before, plus "
        "its own part.",
        "Each round: start sending a chunk to (rank + 1) % K with isend, receive one from (rank - 1) % K with recv, "
        "add your own part of that chunk to it, and then wait for what you sent. In round t = 0 ... K-2 rank r "
        "receives chunk (r - 2 - t) % K. Keep the sums in tensors of your own, since x must not change.",
    ),
    misconceptions=(
        Misconception("0/rest-at-the-end", "You gave all left-over elements to the last chunk; sizes differ by one at "
                      "most, the first P mod K chunks are longer, or one link carries more than its share."),
        Misconception("0/chunk-of-another", "Rank r came back with the sum of chunk r+1; that is a ring that began one "
                      "chunk off, so shift which chunk is sent first."),
        Misconception("0/chunk-of-the-left", "Rank r came back with the sum of chunk r-1; that is a ring that began "
                      "one chunk off, so shift which chunk is sent first."),
        Misconception("0/whole-sum", "Every rank came back with the whole sum; after a reduce-scatter each rank has "
                      "one chunk of it, and the rest is what an all-gather is for."),
        Misconception("0/nothing-added", "Rank r came back with its own chunk r; the chunks of the other ranks have to "
                      "be added on the way."),
        Misconception("0/one-round-short", "One rank's part is missing from each chunk; with K ranks a chunk needs "
                      "K-1 steps to collect all of them."),
        Misconception("0/wrong-chunk", "A chunk is not the sum over all ranks; follow one chunk around the ring: every "
                      "rank adds its own part of that same chunk to it, once."),
        Misconception("0/whole-tensor-travels", "You send far more than a chunk a round; a chunk that is not yours "
                      "needs to pass you once, which is (K-1)·P elements over all links."),
        Misconception("0/one-round-too-many", "You go round one time too often; after K-1 rounds a chunk has been at "
                      "all K ranks."),
        Misconception("0/more-than-float32", "You send numbers of 8 bytes where float32 has 4; keep the dtype of x."),
        Misconception("0/one-rank-carries-all", "One rank's port carries more than its share, and it sets the pace for "
                      "all; in a ring every port has the same to do, up to an element."),
        Misconception("0/not-to-the-right", "You send to another rank than the right neighbour; in this ring chunks "
                      "walk in one direction, from rank r to rank (r+1) mod K."),
        Misconception("0/ranks-take-turns", "Sending and receiving happen one after the other; a port works in both "
                      "directions at once, so start the send with isend, receive meanwhile, and wait at the end of "
                      "the round."),
        *told(*STUCK, "0/ranks-share-nothing", "0/input-changed", "0/mean-for-sum", "0/remainder-dropped"),
    ),
    criteria=(
        Criterion("chunk r of the sum", reading(values), 8),
        Criterion("bytes", reading(unless_wrong(_BYTES, values)), 6),
        Criterion("to the right only", reading(_ORDER), 4),
        Criterion("seconds", reading(unless_wrong(_SECONDS, values)), 6),
        Criterion("in real processes", reading(unless_wrong(_WORLDS, values)), 3),
        Criterion("other worlds", reading(all_of(values, _BYTES, _ORDER, _SECONDS)), 3, hidden=True),
    ),
)
