"""0A.3: all-reduce around a ring: a reduce-scatter, then the complete chunks walk on to everyone.

    values     the sum on every rank, also where K does not divide P
    bytes      2(K−1)·P elements in total, exactly, at most 2(P − ⌊P/K⌋) out of a rank
    messages   at most 2(K−1) out of a rank
    order      between neighbours only
    seconds    2(K−1)(α + ⌈P/K⌉·4β), within 1 %
"""

from __future__ import annotations

import torch

from pslab.grade import AnswerFailed, Criterion, Exercise, Misconception, Verdict, contracts

from .lab0_common import ITEM_BYTES, STUCK, Once, all_of, chunk_sizes, fresh, reading, sums, told, unless_wrong
from .lab0a_shapes import bytes_named, only_neighbours, seconds_of

JOB = Once("ring_all_reduce", lambda case: fresh(case, contracts.collective_trials(case, sums)), result="sum")


def _wrong(result):
    """A wrong belief: from (rank, all x, K) to that rank's result."""
    def results(trial):
        xs = [x.double() for x, in trial.per_rank]
        return [result(rank, xs, trial.K).float() for rank in range(trial.K)]
    return results


def _rest_unsummed(rank, xs, K):
    even = len(xs[0]) // K * K
    return torch.cat([sum(xs)[:even], xs[rank][even:]])


_VALUES = contracts.values(
    JOB, otherwise="0/wrong-chunk", inputs_unchanged="0/input-changed", explains={
        "0/mean-for-sum": _wrong(lambda rank, xs, K: sum(xs) / K),
        "0/divided-twice": _wrong(lambda rank, xs, K: sum(xs) / K**2),
        "0/remainder-dropped": _wrong(_rest_unsummed),
        "0/nothing-added": _wrong(lambda rank, xs, K: xs[rank]),
        "0/two-ranks-only": _wrong(lambda rank, xs, K: xs[rank] + xs[rank - 1] if K > 1 else xs[0]),
    })


def values(answers, case) -> Verdict:
    """V, and for an unexplained result a look at three ranks with whole chunks, and at two."""
    verdict = _VALUES(answers, case)
    if verdict.passed or verdict.misconception != "0/wrong-chunk":
        return verdict
    three, two = (next(t for t in JOB.on(case) if t.K == K and t.P > K and t.P % K) for K in (3, 2))
    try:
        results = JOB.run(answers, three).results
        if all(_length(y) == three.P // 3 * 3 for y in results):
            return verdict.naming("0/remainder-dropped")
        if all(_length(y) == three.P for y in results):
            right = [_right_chunks(y, three.expected[0], 3) for y in results]
            if sorted(right) == [[0], [1], [2]]:
                return verdict.naming("0/second-half-missing")
        both = JOB.run(answers, two).results
    except AnswerFailed:
        return verdict
    return verdict.naming("0/two-ranks-only") if all(map(torch.equal, both, two.expected)) else verdict


def _length(value) -> int:
    return value.numel() if isinstance(value, torch.Tensor) else len(value) if hasattr(value, "__len__") else -1


def _right_chunks(result, total, K: int) -> list[int]:
    pairs = zip(torch.tensor_split(torch.as_tensor(result).flatten(), K), torch.tensor_split(total, K))
    return [chunk for chunk, (seen, wanted) in enumerate(pairs) if len(wanted) and torch.equal(seen, wanted)]


_BYTES = bytes_named(JOB, total=lambda t: 2 * (t.K - 1) * t.P, out=lambda t: 2 * (t.P - t.P // t.K), halves=2)

_MESSAGES = contracts.messages(JOB, out=lambda t, rank: contracts.at_most(2 * (t.K - 1)),
                               more="0/too-many-messages", less="0/ranks-share-nothing")

_ORDER = only_neighbours(JOB)

_SECONDS = seconds_of(JOB, lambda t, link: 2 * (t.K - 1) * link.port_s(ITEM_BYTES * max(chunk_sizes(t.P, t.K))),
                      _BYTES, tolerance=0.01, uneven="0/uneven-chunks")

_WORLDS = contracts.two_worlds(JOB, misconception="0/ranks-share-nothing", trials=1)


RING = Exercise(
    id="0A.3", lab="0A", title="All-reduce by a ring", names=("ring_all_reduce",),
    signature="def ring_all_reduce(comm, x) -> tensor",
    points=35, minutes=35, difficulty=3, core=True, prerequisites=("0A.2",), chapter_number="11.0.3",
    goal="Every rank returns the sum of all ranks' x. 2(K-1) rounds around the ring, one chunk a round from each rank "
         "to a neighbour, 2(K-1)·P elements over all links.",
    example="K = 3, P = 10: one rank sends 14 elements, two send 13: 40 = 2·2·10 in all",
    hints=(
        "You have half of it: after 0A.2 rank r owns chunk r, complete. What remains is that everyone gets every "
        "chunk, and no chunk needs to go to a rank twice.",
        "The second half is the same walk without adding: in its first round rank r sends chunk r, and then always the "
        "chunk that it received last. In round t it receives chunk (r - 1 - t) % K.",
        "You may call your reduce_scatter: put its result into place in a tensor of P elements, for example through "
        "chunks = list(torch.tensor_split(result, K)), which are views; then K-1 rounds of isend, recv, wait. "
        "chunks[i].copy_(...) writes a chunk that came.",
    ),
    misconceptions=(
        Misconception("0/nothing-added", "Every rank came back with its own x; the sum has to be returned, or x was "
                      "added up in a copy that nobody sees."),
        Misconception("0/second-half-missing", "Each rank has one complete chunk and no more; this is where the "
                      "reduce-scatter ends, and now the complete chunks have to walk around once more."),
        Misconception("0/wrong-chunk", "A chunk is not the sum over all ranks; follow one chunk: it grows for K-1 "
                      "rounds and is then copied for K-1 rounds, and what a rank sends is what it received last."),
        Misconception("0/whole-tensor-travels", "You send the whole tensor in each round; a chunk of P/K elements is "
                      "enough, and 2(K-1) rounds of chunks are less than two tensors, whatever K is."),
        Misconception("0/one-round-too-many", "You go round more often than needed; each half takes K-1 rounds, as a "
                      "chunk has then been at all K ranks."),
        Misconception("0/more-than-float32", "You send numbers of 8 bytes where float32 has 4; keep the dtype of x."),
        Misconception("0/one-rank-carries-all", "The total is right, but one rank's port carries more than its share, "
                      "and it sets the pace for all; in a ring every port carries less than two tensors each way."),
        Misconception("0/uneven-chunks", "One chunk is longer than it need be, and it is on some link in every round; "
                      "cut x into chunks whose sizes differ by one at most."),
        Misconception("0/too-many-messages", "You send more than 2(K-1) messages from a rank; each costs its overhead, "
                      "so send a chunk in one piece and nothing beside it."),
        Misconception("0/not-a-ring", "You send to ranks that are no neighbours; here each rank has two lines, to the "
                      "next and the previous one, which is what makes a ring cheap to wire."),
        Misconception("0/ranks-take-turns", "Sending and receiving happen one after the other; a port works in both "
                      "directions at once, so start the send with isend, receive meanwhile, and wait at the end of "
                      "the round."),
        *told(*STUCK, "0/ranks-share-nothing", "0/input-changed", "0/mean-for-sum", "0/divided-twice",
              "0/remainder-dropped", "0/two-ranks-only"),
    ),
    criteria=(
        Criterion("the sum on every rank", reading(values), 8),
        Criterion("bytes", reading(unless_wrong(_BYTES, values)), 8),
        Criterion("messages", reading(unless_wrong(_MESSAGES, values)), 3),
        Criterion("neighbours only", reading(_ORDER), 3),
        Criterion("seconds", reading(unless_wrong(_SECONDS, values)), 6),
        Criterion("in real processes", reading(unless_wrong(_WORLDS, values)), 3),
        Criterion("other worlds", reading(all_of(values, _BYTES, _MESSAGES, _ORDER, _SECONDS)), 4, hidden=True),
    ),
)
