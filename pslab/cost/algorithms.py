"""Bytes per port and α–β time of the other algorithms: trees, halving–doubling, the chunked ring, groups with leaders.

    K ranks, P elements of b bytes, n = P·b       rounds               critical bytes       exact, where α is overhead
    binomial_reduce                               ⌈log2 K⌉             ⌈log2 K⌉·n           always
    binomial_all_reduce                           2⌈log2 K⌉            2⌈log2 K⌉·n          always
    halving_doubling_all_reduce                   2 log2 K             2(K−1)/K·n           always, each sum with ⌈·⌉
        K not a power of two: H below it          2 log2 H + 2         2(H−1)/H·n + 2n      always
    chunked_ring_all_reduce, m chunks             2(K−1)·m             2(K−1)/K·n           where K·m divides P
    recursive_doubling_all_reduce                 log2 K               log2 K·n             always
        K not a power of two: H below it          log2 H + 2           (log2 H + 2)·n       always
    hierarchical_all_reduce, G groups of g        2⌈log2 g⌉ + 2(G−1)   2⌈log2 g⌉·n + ring   see there
    scatter, gather                               K−1                  all that is sent     always

Ports are exact to the byte everywhere. Seconds are those of the port model (full duplex, a port is busy for α + nβ with
each message); elsewhere they are an upper bound, by less than one element a message.
"""

from __future__ import annotations

from collections.abc import Sequence

from .collectives import broadcast, ring_all_reduce
from .ports import Port, Traffic, add_traffic, check_count, check_counts, chunk_sizes


def binomial_reduce(payload_bytes: int, K: int, dst: int = 0) -> Traffic:
    """Binomial tree to rank dst: `broadcast` with every message turned round."""
    check_count("dst", dst)
    if dst >= check_count("K", K, 1):
        raise ValueError(f"dst={dst}; ranks run from 0 to {K - 1}")
    tree = broadcast(payload_bytes, K, dst)
    return Traffic(tuple(Port(port.in_bytes, port.out_bytes) for port in tree.ports), tree.rounds, tree.critical_bytes)


def binomial_all_reduce(elements: int, K: int, itemsize: int = 4) -> Traffic:
    """Reduce to rank 0, then broadcast from there: 2⌈log2 K⌉ messages of P·b bytes one after the other."""
    payload_bytes = check_count("elements", elements) * check_count("itemsize", itemsize, 1)
    return add_traffic(binomial_reduce(payload_bytes, K), broadcast(payload_bytes, K))


def halving_doubling_all_reduce(elements: int, K: int, itemsize: int = 4, partner: str = "near") -> Traffic:
    """Recursive halving, then doubling, over the H = 2^⌊log2 K⌋ lower ranks; the K − H others are folded in and out.

    partner: 'near' or 'far', which comes first; it decides which ranks get the longer pieces.

    Rank 0 keeps the longer half each time, and so receives the longest message of every round: its path is the
    critical one.
    """
    check_count("K", K, 1)
    H, payload = 1 << (K.bit_length() - 1), check_count("elements", elements)
    sizes, doublings = chunk_sizes(elements, H), H.bit_length() - 1
    if partner not in ("near", "far"):
        raise ValueError(f"partner={partner!r}; allowed: 'near', 'far'")
    bits = range(doublings) if partner == "near" else range(doublings - 1, -1, -1)
    out, into = [0] * K, [0] * K
    for rank in range(H):
        first, end = 0, H
        for bit in bits:
            middle = (first + end) // 2
            low, high = sum(sizes[first:middle]), sum(sizes[middle:end])
            upper = rank >> bit & 1
            keep, give = (high, low) if upper else (low, high)
            out[rank] += give + keep                     # halving gives one half, doubling gives back the other
            into[rank] += keep + give
            first, end = (middle, end) if upper else (first, middle)
    for rank in range(H, K):
        for port in (out, into):
            port[rank] += payload
            port[rank - H] += payload
    critical = 2 * sum(sum(sizes[:H >> (bit + 1)]) for bit in range(doublings)) + 2 * payload * (K > H)
    itemsize = check_count("itemsize", itemsize, 1)
    ports = tuple(Port(sent * itemsize, received * itemsize) for sent, received in zip(out, into))
    return Traffic(ports, 2 * doublings + 2 * (K > H), critical * itemsize)


def recursive_doubling_all_reduce(elements: int, K: int, itemsize: int = 4) -> Traffic:
    """log2 H swaps of everything among the H = 2^⌊log2 K⌋ lower ranks; the K − H others are folded in and out."""
    H = 1 << (check_count("K", K, 1).bit_length() - 1)
    payload_bytes = check_count("elements", elements) * check_count("itemsize", itemsize, 1)
    doublings, folded = H.bit_length() - 1, K - H
    ports = tuple(Port(n, n) for rank in range(K)
                  for n in [payload_bytes * (1 if rank >= H else doublings + (rank < folded))])
    rounds = doublings + 2 * (folded > 0)
    return Traffic(ports, rounds, rounds * payload_bytes)


def chunked_ring_all_reduce(elements: int, K: int, chunks: int, itemsize: int = 4) -> Traffic:
    """The ring's bytes in `chunks` times as many messages. For lines with latency: `chunked_ring_s`."""
    check_count("chunks", chunks, 1)
    ring = ring_all_reduce(elements, K, itemsize)
    return Traffic(ring.ports, ring.rounds * chunks, ring.critical_bytes)


def chunked_ring_s(elements: int, K: int, chunks: int, *, overhead_s: float, latency_s: float, bandwidth_Bps: float,
                   itemsize: int = 4) -> float:
    """Seconds of the chunked ring where α = overhead_s (the port is busy) + latency_s (it is not).

    s = overhead + chunk bytes / bandwidth; (2(K−1) − 1)·max(m·s, s + latency) + m·s + latency, for m chunks of each of
    the K pieces. Exact where K·m divides `elements`, else an upper bound.
    """
    for name, value in (("overhead_s", overhead_s), ("latency_s", latency_s)):
        if not 0 <= value < float("inf"):
            raise ValueError(f"{name}={value}; a number of seconds, 0 or more, is needed")
    if not bandwidth_Bps > 0:
        raise ValueError(f"bandwidth_Bps={bandwidth_Bps}; must be above 0 (bytes per second)")
    piece = chunk_sizes(elements, K)[0]
    if K == 1:
        return 0.0
    chunk_bytes = chunk_sizes(piece, check_count("chunks", chunks, 1))[0] * check_count("itemsize", itemsize, 1)
    chunk_s = overhead_s + chunk_bytes / bandwidth_Bps
    step_s = max(chunks * chunk_s, chunk_s + latency_s)
    return (2 * (K - 1) - 1) * step_s + chunks * chunk_s + latency_s


def hierarchical_all_reduce(elements: int, groups: Sequence[Sequence[int]], itemsize: int = 4) -> Traffic:
    """Tree to the leader of each group (its first rank), ring of the G leaders, tree back.

    The largest group sets the pace. Seconds are exact where all groups need equally many rounds, or G divides P; else
    an upper bound.
    """
    K = sum(len(group) for group in groups)
    if sorted(rank for group in groups for rank in group) != list(range(K)) or not all(groups):
        raise ValueError(f"groups={groups!r}; each of the ranks 0..{K - 1} in exactly one group, and none empty")
    payload_bytes = check_count("elements", elements) * check_count("itemsize", itemsize, 1)
    leaders = ring_all_reduce(elements, check_count("len(groups)", len(groups), 1), itemsize)
    ports: dict[int, Port] = {}
    tree_rounds = 0
    for group, leader in zip(groups, leaders.ports):
        tree = binomial_all_reduce(elements, len(group), itemsize)
        tree_rounds = max(tree_rounds, tree.rounds)
        ports.update(zip(group, tree.ports))
        ports[group[0]] = ports[group[0]].plus(leader)
    return Traffic(tuple(ports[rank] for rank in range(K)), tree_rounds + leaders.rounds,
                   tree_rounds * payload_bytes + leaders.critical_bytes)


def scatter(tensor_bytes: Sequence[int], src: int = 0) -> Traffic:
    """Straight from rank src to everyone, `tensor_bytes[r]` to rank r; its own stays at home, uncounted."""
    sizes = check_counts("tensor_bytes", tensor_bytes)
    K = check_count("len(tensor_bytes)", len(sizes), 1)
    if not 0 <= check_count("src", src) < K:
        raise ValueError(f"src={src}; ranks run from 0 to {K - 1}")
    sent = sum(sizes) - sizes[src]
    ports = tuple(Port(sent, 0) if rank == src else Port(0, sizes[rank]) for rank in range(K))
    return Traffic(ports, K - 1, sent)


def gather(tensor_bytes: Sequence[int], dst: int = 0) -> Traffic:
    """Straight to rank dst, `tensor_bytes[r]` from rank r: `scatter` with every message turned round."""
    if not 0 <= check_count("dst", dst) < max(len(tensor_bytes), 1):
        raise ValueError(f"dst={dst}; ranks run from 0 to {len(tensor_bytes) - 1}")
    turned = scatter(tensor_bytes, dst)
    return Traffic(tuple(Port(port.in_bytes, port.out_bytes) for port in turned.ports), turned.rounds,
                   turned.critical_bytes)
