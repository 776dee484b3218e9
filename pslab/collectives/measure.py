"""fit: measure a world once, so that `auto` knows what is fast in it.

    1  messages       all ranks at once, each to its right neighbour:       one message a step      o + L + n·β
                                                                            a train of m            m·(o + n·β) + L
                      pslab.cost.fit gives α = o + L and β; of the trains, that part of α in which ports are busy
    2  algorithms     each all-reduce at a few sizes, in turn               measured / predicted = its factor there

In the simulator the second part ends as soon as it is seen that all times are those predicted: α and β are all there
is. In real processes they are not (pslab.cost.Fitted says why), and a short run of each algorithm tells by how
much. The times of a step are those of the slowest rank; rank 0 fits, and tells all others: every rank has the same
numbers, and so chooses alike.

    model = fit(world)                     measures, and every later world.run(...) chooses by it
    model = fit(comm)                      the same inside of a program, from all its ranks; then this comm has it
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from pslab.comm import COLLECTIVE_TAGS as TAGS

from .all_reduce import all_reduce
from .broadcast import broadcast
from .choose import CHUNKS, PAIRS

if TYPE_CHECKING:
    from pslab.cost import AlphaBeta, Fitted

MESSAGE_SIZES = (64, 4 << 10, 64 << 10, 1 << 20)         # of single messages, bytes
SIZES = tuple(1 << power for power in range(10, 27, 2))  # of all-reduces, 1 KB to 64 MB
ALL_RANKS_BYTES = 256 << 20                              # what the tensors of all ranks may take together
TRAIN = 8                                                # messages
LOOP_S = 0.002                                           # calls are repeated for about as long: long against the clock
MOST_CALLS = 20
FEWEST = 5                                               # of the repeats, also of a size that takes long
HOPELESS = 1.7                                           # times the fastest: not measured any further at this size
EXACT = 1e-6


def fit(where, *, sizes: Sequence[int] | None = None, repeats: int = 15, limit_s: float = 10.0) -> Fitted:
    """Measure `where`, a world or (in a program, on every rank) a comm, and keep the model there for `auto`.

    sizes     bytes of the all-reduces that are timed, sums of float32, multiples of 4; (): α and β alone. None: 1 KB
              to 64 MB in steps of four, as far as the tensors of all ranks together take 256 MB
    repeats   of each measurement, in turn with all others. The lower quartile counts: what else goes on on the machine
              only ever adds time. Of sizes that take long as few as 5
    limit_s   of the whole: the largest sizes are left out when it has been spent (those left have the factors of the
              largest that was measured)
    returns   pslab.cost.Fitted, also as `where.model`
    """
    if sizes is None:
        sizes = [size for size in SIZES if size * where.world_size <= ALL_RANKS_BYTES]
    sizes = _checked(sizes, repeats, limit_s)
    if hasattr(where, "run"):
        where.model = None
        table = where.run(_measure, sizes, repeats, limit_s).results[0]
        where.model = _fitted(where.world_size, *table)
        return where.model
    where.model = _fitted(where.world_size, *_measure(where, sizes, repeats, limit_s))
    return where.model


def measure_link(comm, *, sizes: Sequence[int] = MESSAGE_SIZES, repeats: int = 15, limit_s: float = 2.5) -> AlphaBeta:
    """α, β and the overhead of messages between neighbours, all ranks sending at once; collective, equal on all ranks.

    sizes    of the messages, bytes, ascending, two or more; the largest are left out when limit_s has been spent
    returns  pslab.cost.AlphaBeta; ValueError for a comm of one rank, which has no messages
    """
    from pslab import cost

    if comm.world_size == 1:
        raise ValueError("comm has one rank; messages between two, or more, are what is measured")
    began_s, steps, port_s = comm.now(), [], []
    for size in sizes:
        going = [np.zeros(size, np.uint8) for _ in range(TRAIN)]
        coming = [np.empty(size, np.uint8) for _ in range(TRAIN)]
        step_s, train_s = _lower_quartiles(comm, repeats, {
            "step": lambda g=going, c=coming: _train(comm, g[:1], c),
            "train": lambda g=going, c=coming: _train(comm, g, c)}).values()
        steps.append((size, step_s))
        port_s.append((train_s - step_s) / (TRAIN - 1))
        if len(steps) > 1 and _told(comm, comm.now() - began_s) > limit_s:
            break
    link = cost.fit(steps)
    overhead_s = median(port - size * link.beta_s_per_byte for port, (size, _) in zip(port_s, steps))
    return cost.AlphaBeta(link.alpha_s, link.bandwidth_Bps, min(max(overhead_s, 0.0), link.alpha_s))


def _lower_quartiles(comm, repeats: int, calls: dict) -> dict[str, float]:
    """Seconds of each call, in turn. The first of each warms up; see `_virtual` for why there may be but two."""
    first, second = ({name: _seconds(comm, 1, call) for name, call in calls.items()} for _ in range(2))
    if _virtual(first, second):
        return second
    times = [{name: _seconds(comm, 1, call) for name, call in calls.items()} for _ in range(repeats)]
    return {name: _lower_quartile([row[name] for row in times]) for name in calls}


def _lower_quartile(times: list[float]) -> float:
    return sorted(times)[len(times) // 4]


def _virtual(first: dict[str, float], second: dict[str, float]) -> bool:
    """Whether everything takes as long again to a billionth: then time is virtual, and there is nothing to repeat."""
    return all(math.isclose(first[name], second[name], rel_tol=1e-9) for name in first)


def _measure(comm, sizes: Sequence[int], repeats: int, limit_s: float) -> tuple:
    """(α, bandwidth, overhead, {algorithm: [(bytes, factor)]}), equal on all ranks and of kinds that travel."""
    from pslab import cost

    if comm.world_size == 1:
        return 0.0, math.inf, 0.0, {}
    began_s, comm.model = comm.now(), None
    link = measure_link(comm, repeats=repeats, limit_s=limit_s / 4)
    numbers = link.alpha_s, link.bandwidth_Bps, link.overhead_s
    factors: dict[str, list] = {}
    for size in (0, *sorted(sizes)) if sizes else ():
        elements = size // 4 or _even(comm.world_size)
        seconds = _race(comm, elements, repeats, limit_s / 8)
        measured = {name: seconds[name] / cost.all_reduce_s(name, elements, comm.world_size, link) for name in seconds}
        if not size:
            if all(abs(factor - 1) < EXACT for factor in measured.values()):
                break
            continue
        for name, factor in measured.items():
            factors.setdefault(name, []).append((size, factor))
        if _told(comm, comm.now() - began_s) > limit_s:
            break
    return *numbers, factors


def _even(K: int) -> int:
    """A length that all algorithms cut into equal pieces: there the formulas are exact."""
    return math.lcm(K * CHUNKS, 1 << (K.bit_length() - 1), -(-K // PAIRS))


def _race(comm, elements: int, repeats: int, enough_s: float) -> dict[str, float]:
    """Seconds of each all-reduce of so many float32, in turn; of hopeless ones as few as it took to see it."""
    from pslab import cost

    x = np.zeros(elements, np.float32)
    options = {"hierarchical": {"groups": PAIRS}}
    calls = {name: lambda name=name: all_reduce(comm, x, algorithm=name, **options.get(name, {}))
             for name in cost.ALL_REDUCES}
    first, second = ({name: _seconds(comm, 1, call) for name, call in calls.items()} for _ in range(2))
    if _virtual(first, second):
        return second
    counts = {name: max(1, min(MOST_CALLS, int(LOOP_S / max(seconds, 1e-9)))) for name, seconds in second.items()}
    best_s = min(second.values())
    running = [name for name in calls if second[name] <= 2 * HOPELESS * best_s]       # one call each: not too strict
    seconds = {name: [_seconds(comm, counts[name], calls[name])] for name in running}
    best_s = min(times[0] for times in seconds.values())
    running = [name for name in running if seconds[name][0] <= HOPELESS * best_s]
    for done in range(1, repeats):
        spent_s = sum(counts[name] * sum(seconds[name]) for name in running)
        if done >= FEWEST and spent_s > enough_s:
            break
        for name in running:
            seconds[name].append(_seconds(comm, counts[name], calls[name]))
    return {name: _lower_quartile(seconds.get(name, [second[name]])) for name in calls}


def _train(comm, buffers: Sequence[np.ndarray], into: Sequence[np.ndarray]) -> None:
    """Every rank sends all buffers to its right neighbour, at once, and receives as many from its left one."""
    right, left = (comm.rank + 1) % comm.world_size, (comm.rank - 1) % comm.world_size
    coming = [comm.irecv(left, TAGS["all_reduce"], out=out) for out, _ in zip(into, buffers)]
    going = [comm.isend(buffer, right, TAGS["all_reduce"]) for buffer in buffers]
    for work in coming + going:
        work.wait()


def _seconds(comm, calls: int, call) -> float:
    """Seconds of one of `calls` calls after a barrier, on the slowest rank, by the world's clock; told to all ranks."""
    comm.barrier()
    began_s = comm.now()
    for _ in range(calls):
        call()
    spent = np.array([(comm.now() - began_s) / calls])
    all_reduce(comm, spent, "max", algorithm="binomial")
    return float(spent[0])


def _told(comm, number: float) -> float:
    """Rank 0's number, on all ranks."""
    row = np.array([number])
    broadcast(comm, row)
    return float(row[0])


def _fitted(K: int, alpha_s: float, bandwidth_Bps: float, overhead_s: float, factors: dict) -> Fitted:
    from pslab import cost

    link = cost.AlphaBeta(alpha_s, bandwidth_Bps, overhead_s)
    return cost.Fitted(link, K, {name: tuple(map(tuple, points)) for name, points in factors.items()})


def _checked(sizes, repeats, limit_s) -> list[int]:
    for size in sizes:
        if isinstance(size, bool) or not isinstance(size, int) or size < 4 or size % 4:
            raise ValueError(f"sizes has {size!r}; bytes, in multiples of 4, are needed")
    if isinstance(repeats, bool) or not isinstance(repeats, int) or repeats < 1:
        raise ValueError(f"repeats={repeats!r}; a whole number of 1 or more is needed")
    if not limit_s > 0:
        raise ValueError(f"limit_s={limit_s!r}; more than 0 seconds are needed")
    return list(sizes)
