"""Racks with a shared uplink: bytes over each uplink for any all-reduce and rank order, and the time of even cases.

    n = P·b bytes, K = G racks of g ranks        bytes over an uplink, each way    rounds inside    across, m at once
    ring, rack by rack                           2(K−1)/K · n                                       2(K−1)      1
    ring, alternating                            2(K−1)/K · n · g                                   2(K−1)      g
    halving_doubling, near, rack by rack         2(G−1)/G · n                      2 log2 g         2 log2 G    g
    halving_doubling, far, rack by rack          2(G−1)/G · n · g                  2 log2 g         2 log2 G    g
    recursive_doubling, rack by rack             log2 G · n · g                    log2 g           log2 G      g
    binomial, rack by rack                       up to log2 G · n · g              2⌈log2 g⌉        2 log2 G    g
    hierarchical, a group a rack                 2(G−1)/G · n                      2⌈log2 g⌉        2(G−1)      1

m messages of q bytes that go over an uplink at once take (m−1)·u + max(s, u), where s = α + q/bandwidth of a port and u
the same of an uplink. Ranks that are numbered alternating turn near and far round; a tree then crosses with m = 1.
`all_reduce_links` and `uplink_bytes` are exact to the byte for every K, length, placement and order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .ports import Port, alpha_beta_s, check_count, chunk_sizes

ALGORITHMS = ("ring", "chunked_ring", "binomial", "halving_doubling", "recursive_doubling", "hierarchical")
ORDERS = ("rack by rack", "alternating")

Links = dict[tuple[int, int], int]


def all_reduce_links(algorithm: str, elements: int, K: int, itemsize: int = 4, *, partner: str = "near",
                     groups: Sequence[Sequence[int]] | None = None) -> Links:
    """{(src, dst): bytes} of an all-reduce of P = `elements` numbers; links that carry nothing are left out.

    partner: of halving_doubling, 'near' or 'far'. groups: of hierarchical, the ranks of each, its leader first.
    """
    payload = check_count("elements", elements) * check_count("itemsize", itemsize, 1)
    check_count("K", K, 1)
    if algorithm in ("ring", "chunked_ring"):
        links = _ring(elements, list(range(K)))
    elif algorithm == "binomial":
        links = _tree(elements, list(range(K)))
    elif algorithm == "recursive_doubling":
        links = {link: elements for link in _halving(elements, K, "near")}          # the same partners, but all of it
    elif algorithm == "halving_doubling":
        links = _halving(elements, K, partner)
    elif algorithm == "hierarchical":
        if groups is None or sorted(rank for group in groups for rank in group) != list(range(K)) or not all(groups):
            raise ValueError(f"groups={groups!r}; each of the ranks 0..{K - 1} in exactly one group, and none empty")
        links = _ring(elements, [group[0] for group in groups])
        for group in groups:
            for link, count in _tree(elements, list(group)).items():
                links[link] = links.get(link, 0) + count
    else:
        raise ValueError(f"algorithm={algorithm!r}; allowed: {', '.join(ALGORITHMS)}")
    return {link: count * itemsize for link, count in links.items() if count and payload}


def uplink_bytes(links: Mapping[tuple[int, int], int], racks: Sequence[Sequence[int]],
                 order: Sequence[int] | None = None) -> tuple[Port, ...]:
    """(bytes out of, bytes into) each rack: equal to `ledger.uplink(rack)` of a run.

    links   bytes by (src, dst), as of `all_reduce_links`
    racks   the ranks of each rack
    order   the rank that has number i in the group whose links these are; None: rank i
    """
    home = {rank: number for number, rack in enumerate(racks) for rank in rack}
    if sorted(home) != list(range(sum(map(len, racks)))) or not home:
        raise ValueError(f"racks={racks!r}; each of the ranks from 0 in exactly one rack")
    place = list(range(len(home)) if order is None else order)
    if len(set(place)) != len(place) or not set(place) <= home.keys():
        raise ValueError(f"order={order!r}; ranks from 0 to {len(home) - 1}, each once at most")
    out, into = [0] * len(racks), [0] * len(racks)
    for (src, dst), count in links.items():
        if not (0 <= src < len(place) and 0 <= dst < len(place)):
            raise ValueError(f"links names ({src}, {dst}); there are {len(place)} ranks")
        if home[place[src]] != home[place[dst]]:
            out[home[place[src]]] += count
            into[home[place[dst]]] += count
    return tuple(map(Port, out, into))


def all_reduce_on_racks_s(algorithm: str, elements: int, G: int, g: int, *, alpha_s: float, bandwidth_Bps: float,
                          uplink_alpha_s: float, uplink_bandwidth_Bps: float, itemsize: int = 4,
                          order: str = "rack by rack", partner: str = "near", chunks: int = 4) -> float:
    """Seconds on G racks of g ranks each, K = G·g, from the table above; a hierarchical group is a rack.

    α and β of a rank's port, and of an uplink. Exact in the simulator where all of α is overhead, u ≥ s, and K
    (chunked_ring: K·chunks, hierarchical: G) divides P; else an estimate, from above. For halving_doubling,
    recursive_doubling and binomial G and g must be powers of two.
    """
    K = check_count("G", G, 1) * check_count("g", g, 1)
    if order not in ORDERS:
        raise ValueError(f"order={order!r}; allowed: {', '.join(map(repr, ORDERS))}")
    check_count("elements", elements)

    def inside(message: int) -> float:
        return alpha_beta_s(1, message * itemsize, alpha_s, bandwidth_Bps)

    def across(message: int, at_once: int) -> float:
        uplink_s = alpha_beta_s(1, message * itemsize, uplink_alpha_s, uplink_bandwidth_Bps)
        return (at_once - 1) * uplink_s + max(inside(message), uplink_s)

    def step(message: int, crosses: bool, at_once: int) -> float:
        return across(message, at_once) if crosses else inside(message)

    alternating = order == "alternating"
    if K == 1:
        return 0.0
    if algorithm in ("ring", "chunked_ring"):
        m = check_count("chunks", chunks, 1) if algorithm == "chunked_ring" else 1
        message = -(-elements // (K * m))
        return 2 * (K - 1) * m * step(message, G > 1, g if alternating else 1)
    if algorithm == "hierarchical":
        ring_s = 2 * (G - 1) * across(-(-elements // G), 1) if G > 1 else 0.0
        return 2 * (g - 1).bit_length() * inside(elements) + ring_s
    if algorithm not in ("halving_doubling", "recursive_doubling", "binomial"):
        raise ValueError(f"algorithm={algorithm!r}; allowed: {', '.join(ALGORITHMS)}")
    if G & (G - 1) or g & (g - 1):
        raise ValueError(f"G={G}, g={g}: {algorithm} is told for powers of two only")
    rounds = K.bit_length() - 1
    crossing = [(1 << bit) < G if alternating else (1 << bit) >= g for bit in range(rounds)]     # by distance 2^bit
    if algorithm == "binomial":
        return 2 * sum(step(elements, crosses, 1 if alternating else g) for crosses in crossing)
    if algorithm == "recursive_doubling":
        return sum(step(elements, crosses, g) for crosses in crossing)
    if partner not in ("near", "far"):
        raise ValueError(f"partner={partner!r}; allowed: 'near', 'far'")
    bits = range(rounds) if partner == "near" else range(rounds - 1, -1, -1)
    return 2 * sum(step(-(-elements // (2 << turn)), crossing[bit], g) for turn, bit in enumerate(bits))


def _ring(elements: int, members: list[int]) -> Links:
    """Elements by link: each rank sends its right neighbour everything twice, but once not the piece of either."""
    K = len(members)
    sizes = chunk_sizes(elements, K)
    return {(members[r], members[(r + 1) % K]): 2 * elements - sizes[r] - sizes[(r + 1) % K]
            for r in range(K)} if K > 1 else {}


def _tree(elements: int, members: list[int]) -> Links:
    """To the first member and back: the parent of place p is p without its highest bit."""
    links: Links = {}
    for place in range(1, len(members)):
        parent = place ^ (1 << (place.bit_length() - 1))
        links[members[place], members[parent]] = links[members[parent], members[place]] = elements
    return links


def _halving(elements: int, K: int, partner: str) -> Links:
    if partner not in ("near", "far"):
        raise ValueError(f"partner={partner!r}; allowed: 'near', 'far'")
    H = 1 << (K.bit_length() - 1)
    starts = [0]
    for size in chunk_sizes(elements, H):
        starts.append(starts[-1] + size)
    bits = range(H.bit_length() - 1)
    links: Links = {}
    for rank in range(H):
        first, end = 0, H
        for bit in bits if partner == "near" else reversed(bits):
            middle = (first + end) // 2
            # Halving gives away the half that is not kept, doubling gives the other back: the whole, on this link.
            links[rank, rank ^ (1 << bit)] = starts[end] - starts[first]
            first, end = (middle, end) if rank >> bit & 1 else (first, middle)
    for rank in range(H, K):
        links[rank, rank - H] = links[rank - H, rank] = elements
    return links
