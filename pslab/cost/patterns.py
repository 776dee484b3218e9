"""Bytes per port and seconds of the other ways to broadcast, reduce, gather and scatter.

    K ranks, n bytes a tensor         rounds           critical bytes     by name in pslab.collectives
    direct_broadcast, direct_reduce   K−1              (K−1)·n            direct
    scatter_all_gather                2(K−1)           2(K−1)/K·n         scatter_all_gather          (broadcast)
    reduce_scatter_gather             2(K−1)           2(K−1)/K·n         reduce_scatter_gather       (reduce)
    pairwise_reduce_scatter           K−1              (K−1)/K·n          pairwise                    (reduce_scatter)
    direct_all_gather                 K−1              (K−1)·n            direct                      (all_gather)
    bruck_all_gather                  ⌈log2 K⌉         (K−1)·n            bruck                       (all_gather)
    binomial_scatter, binomial_gather ⌈log2 K⌉         (K−1)·n            binomial                    (scatter, gather)

Ports are exact to the byte. Traffic.seconds is exact where α is overhead and all pieces are equal; on lines with
latency it is an upper bound, and `broadcast_s` and `reduce_s` are exact.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .algorithms import gather, scatter
from .collectives import ring_all_gather, ring_reduce_scatter
from .fitting import AlphaBeta
from .ports import Port, Traffic, add_traffic, check_count, check_counts, chunk_sizes
from .predict import Fastest, tree_paths


def direct_broadcast(payload_bytes: int, K: int, src: int = 0) -> Traffic:
    """From rank src straight to everyone."""
    return scatter([check_count("payload_bytes", payload_bytes)] * check_count("K", K, 1), src)


def direct_reduce(payload_bytes: int, K: int, dst: int = 0) -> Traffic:
    """From everyone straight to rank dst."""
    return gather([check_count("payload_bytes", payload_bytes)] * check_count("K", K, 1), dst)


def scatter_all_gather(elements: int, K: int, itemsize: int = 4, src: int = 0) -> Traffic:
    """Broadcast: the K pieces are handed out by rank src, and brought together by the ring."""
    pieces = _piece_bytes(elements, K, itemsize)
    return add_traffic(scatter(pieces, src), ring_all_gather(pieces))


def reduce_scatter_gather(elements: int, K: int, itemsize: int = 4, dst: int = 0) -> Traffic:
    """Reduce: the ring completes the K pieces, and rank dst collects them."""
    return add_traffic(ring_reduce_scatter(elements, K, itemsize), gather(_piece_bytes(elements, K, itemsize), dst))


def pairwise_reduce_scatter(elements: int, K: int, itemsize: int = 4) -> Traffic:
    """Every rank sends each owner its piece."""
    pieces = _piece_bytes(elements, K, itemsize)
    ports = tuple(Port(sum(pieces) - mine, (K - 1) * mine) for mine in pieces)
    return Traffic(ports, K - 1, (K - 1) * max(pieces))


def direct_all_gather(piece_bytes: Sequence[int]) -> Traffic:
    """Every rank sends its piece to everyone. With pieces of different lengths the seconds are an upper bound."""
    pieces = check_counts("piece_bytes", piece_bytes)
    K = check_count("len(piece_bytes)", len(pieces), 1)
    ports = tuple(Port((K - 1) * mine, sum(pieces) - mine) for mine in pieces)
    return Traffic(ports, K - 1, (K - 1) * max(pieces))


def bruck_all_gather(payload_bytes: int, K: int) -> Traffic:
    """What a rank has doubles in every round; tensors of payload_bytes each."""
    sent = (check_count("K", K, 1) - 1) * check_count("payload_bytes", payload_bytes)
    return Traffic((Port(sent, sent),) * K, (K - 1).bit_length(), sent)


def binomial_scatter(payload_bytes: int, K: int, src: int = 0) -> Traffic:
    """Down the tree, a message for each subtree; tensors of payload_bytes each."""
    n = check_count("payload_bytes", payload_bytes)
    if not 0 <= check_count("src", src) < check_count("K", K, 1):
        raise ValueError(f"src={src}; ranks run from 0 to {K - 1}")
    ports = []
    for rank in range(K):
        place = (rank - src) % K
        behind = len(range(place, K, 1 << place.bit_length()))           # itself and those behind it
        ports.append(Port((behind - 1) * n, behind * n if place else 0))
    return Traffic(tuple(ports), (K - 1).bit_length(), (K - 1) * n)


def binomial_gather(payload_bytes: int, K: int, dst: int = 0) -> Traffic:
    """Up the tree: `binomial_scatter` with every message turned round."""
    check_count("dst", dst)
    if dst >= check_count("K", K, 1):
        raise ValueError(f"dst={dst}; ranks run from 0 to {K - 1}")
    tree = binomial_scatter(payload_bytes, K, dst)
    return Traffic(tuple(Port(port.in_bytes, port.out_bytes) for port in tree.ports), tree.rounds, tree.critical_bytes)


def broadcast_s(algorithm: str, elements: int, K: int, link: AlphaBeta, itemsize: int = 4) -> float:
    """Seconds of a broadcast of P = `elements` numbers: binomial, direct or scatter_all_gather."""
    return _seconds(BROADCASTS, algorithm, elements, K, link, itemsize)


def reduce_s(algorithm: str, elements: int, K: int, link: AlphaBeta, itemsize: int = 4) -> float:
    """Seconds of a reduce of P = `elements` numbers: binomial, direct or reduce_scatter_gather."""
    return _seconds(REDUCES, algorithm, elements, K, link, itemsize)


def fastest_broadcast(elements: int, K: int, link: AlphaBeta, itemsize: int = 4) -> Fastest:
    """The fastest broadcast on such links; of equally fast ones the first."""
    return _fastest(BROADCASTS, elements, K, link, itemsize)


def fastest_reduce(elements: int, K: int, link: AlphaBeta, itemsize: int = 4) -> Fastest:
    """The fastest reduce on such links; of equally fast ones the first."""
    return _fastest(REDUCES, elements, K, link, itemsize)


def _fastest(known: dict[str, Callable], elements: int, K: int, link: AlphaBeta, itemsize: int) -> Fastest:
    seconds = {name: _seconds(known, name, elements, K, link, itemsize) for name in known}
    return Fastest(min(seconds, key=seconds.get), seconds)


def _seconds(known: dict[str, Callable], algorithm: str, elements: int, K: int, link: AlphaBeta,
             itemsize: int) -> float:
    if algorithm not in known:
        raise ValueError(f"algorithm={algorithm!r}; allowed: {', '.join(known)}")
    check_count("K", K, 1), check_count("itemsize", itemsize, 1)
    whole_s = link.port_alpha_s + check_count("elements", elements) * itemsize / link.bandwidth_Bps
    piece_s = link.port_alpha_s + chunk_sizes(elements, K)[0] * itemsize / link.bandwidth_Bps
    return known[algorithm](K, whole_s, piece_s, link.latency_s) if K > 1 else 0.0


# (K, s of the whole tensor, s of a piece, L) -> seconds, where s is how long a message keeps a port busy
BROADCASTS: dict[str, Callable] = {
    "binomial": lambda K, s, piece_s, L: max(messages * s + hops * L for messages, hops in tree_paths(K)),
    "direct": lambda K, s, piece_s, L: (K - 1) * s + L,
    "scatter_all_gather": lambda K, s, piece_s, L: (K - 1) * piece_s + L + (K - 1) * (piece_s + L),
}
REDUCES: dict[str, Callable] = {
    "binomial": lambda K, s, piece_s, L: (K - 1).bit_length() * (s + L),
    "direct": lambda K, s, piece_s, L: (K - 1) * (s + L),
    "reduce_scatter_gather": lambda K, s, piece_s, L: (K - 1) * (piece_s + L) + (K - 1) * piece_s + L,
}


def _piece_bytes(elements: int, K: int, itemsize: int) -> tuple[int, ...]:
    check_count("itemsize", itemsize, 1)
    return tuple(size * itemsize for size in chunk_sizes(elements, K))
