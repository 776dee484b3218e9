"""Seconds of an all-reduce on links with overhead and latency, and the fastest of all that there are.

    α = overhead o + latency L, message of n bytes:      port  ████████            o + n·β
                                                         line          ~~~~        L, the port is free again
    s = o + n·β, β = 1 / bandwidth

    ring                 2(K−1)(s + L)                               pieces of ⌈P/K⌉
    chunked_ring         chunked_ring_s, m = 4                       pieces of ⌈P/K⌉ in four chunks
    binomial             ⌈log2 K⌉(s + L), and the way back           P each time; a port sends on while the last is in L
    halving_doubling     rounds·α + bytes·β                          halves, quarters, …
    recursive_doubling   rounds·(s + L)                              P each time
    hierarchical         rounds·α + bytes·β                          neighbours in pairs

With pieces that are all equal these are the simulator's times, to the nanosecond; else an upper bound by less than an
element a message.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from .algorithms import (
    chunked_ring_s,
    halving_doubling_all_reduce,
    hierarchical_all_reduce,
    recursive_doubling_all_reduce,
)
from .collectives import ring_all_reduce
from .fitting import AlphaBeta
from .ports import check_count

CHUNKS = 4                    # of the chunked ring, as pslab.collectives cuts them where it is not told
GROUP = 2                     # ranks in a group of the hierarchical one


class Fastest(NamedTuple):
    """The fastest algorithm, and the seconds of each that was compared."""

    algorithm: str
    seconds: dict[str, float]


def all_reduce_s(algorithm: str, elements: int, K: int, link: AlphaBeta, itemsize: int = 4) -> float:
    """Seconds of an all-reduce of P = `elements` numbers of `itemsize` bytes over K ranks on links like `link`."""
    if algorithm not in ALL_REDUCES:
        raise ValueError(f"algorithm={algorithm!r}; allowed: {', '.join(ALL_REDUCES)}")
    check_count("elements", elements), check_count("K", K, 1), check_count("itemsize", itemsize, 1)
    return ALL_REDUCES[algorithm](elements, K, link, itemsize)


def fastest_all_reduce(elements: int, K: int, link: AlphaBeta, itemsize: int = 4,
                       among: Sequence[str] | None = None) -> Fastest:
    """The fastest all-reduce of P = `elements` numbers; of equally fast ones the first of `among` (None: of all)."""
    seconds = {name: all_reduce_s(name, elements, K, link, itemsize) for name in among or ALL_REDUCES}
    return Fastest(min(seconds, key=seconds.get), seconds)


def pairs(K: int) -> list[list[int]]:
    """The groups of the hierarchical one where nobody names any: neighbours, GROUP by GROUP."""
    return [list(range(first, min(first + GROUP, K))) for first in range(0, K, GROUP)]


def _ring(elements, K, link, itemsize):
    return ring_all_reduce(elements, K, itemsize).seconds(link.alpha_s, link.bandwidth_Bps)


def _chunked_ring(elements, K, link, itemsize):
    return chunked_ring_s(elements, K, CHUNKS, overhead_s=link.port_alpha_s, latency_s=link.latency_s,
                          bandwidth_Bps=link.bandwidth_Bps, itemsize=itemsize)


def _binomial(elements, K, link, itemsize):
    port_s = link.port_alpha_s + elements * itemsize / link.bandwidth_Bps
    up_s = (K - 1).bit_length() * (port_s + link.latency_s)      # a parent asks one child after the other
    return up_s + max(messages * port_s + hops * link.latency_s for messages, hops in tree_paths(K))


@lru_cache(maxsize=64)
def tree_paths(K: int) -> list[tuple[int, int]]:
    """(messages one after the other, links) on the way from the root of a binomial tree to each place, the longest."""
    paths = {0: (0, 0)}
    reach = 1
    while reach < K:
        for place in range(reach, min(2 * reach, K)):
            messages, hops = paths[place - reach]
            # The parent has it since round (place − reach).bit_length(), and has sent one message in each round since.
            sent = reach.bit_length() - (place - reach).bit_length()
            paths[place] = (messages + sent, hops + 1)
        reach *= 2
    return sorted({(max(m for m, h in paths.values() if h == hops), hops) for _, hops in paths.values()})


def _halving_doubling(elements, K, link, itemsize):
    return halving_doubling_all_reduce(elements, K, itemsize).seconds(link.alpha_s, link.bandwidth_Bps)


def _recursive_doubling(elements, K, link, itemsize):
    return recursive_doubling_all_reduce(elements, K, itemsize).seconds(link.alpha_s, link.bandwidth_Bps)


def _hierarchical(elements, K, link, itemsize):
    return hierarchical_all_reduce(elements, pairs(K), itemsize).seconds(link.alpha_s, link.bandwidth_Bps)


ALL_REDUCES: dict[str, Callable] = {
    "ring": _ring, "halving_doubling": _halving_doubling, "recursive_doubling": _recursive_doubling,
    "binomial": _binomial, "chunked_ring": _chunked_ring, "hierarchical": _hierarchical}
