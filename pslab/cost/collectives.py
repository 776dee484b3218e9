"""Bytes per port and α–β time of the collectives, exact for every length.

    ring, K = 4, chunk c after its journey:      reduce-scatter                 all-gather
      rank r sends in round t                    chunk r − t − 1                chunk r − t
      rank r owns at the end                     chunk r, summed                all chunks
      so it never sends                          chunk r                        chunk r + 1      (all mod K)

Chunks are those of `tensor_split`, they differ by at most one element. In every round each of the K chunks is on some
link, so the largest one is on the critical path all the way: K − 1 rounds of the largest chunk each half. That is
why P need not be divisible by K for these formulas to hold to the byte and, in the port model, to the nanosecond.

Even closed form: each port carries 2(K−1)/K · P·b per direction (Patarasu and Yuan 2009, "Bandwidth optimal all-reduce
algorithms for clusters of workstations").
"""

from __future__ import annotations

from collections.abc import Sequence

from .ports import Port, Traffic, add_traffic, check_count, check_counts, chunk_sizes


def ring_all_reduce(elements: int, K: int, itemsize: int = 4) -> Traffic:
    """Ring all-reduce of P = `elements` numbers of `itemsize` bytes over K ranks: reduce-scatter, then all-gather.

    Each port carries close to 2(K−1)/K · P·b bytes per direction, in 2(K−1) rounds.
    """
    halves = ring_reduce_scatter(elements, K, itemsize), ring_all_gather(_chunk_bytes(elements, K, itemsize))
    return add_traffic(*halves)


def ring_reduce_scatter(elements: int, K: int, itemsize: int = 4) -> Traffic:
    """Ring reduce-scatter; rank r ends with piece r of `tensor_split(K)`. About (K−1)/K · P·b per direction."""
    chunk = _chunk_bytes(elements, K, itemsize)
    payload = sum(chunk)
    ports = tuple(Port(payload - chunk[r], payload - chunk[r - 1]) for r in range(K))
    return Traffic(ports, K - 1, (K - 1) * max(chunk))


def ring_all_gather(piece_bytes: Sequence[int]) -> Traffic:
    """Ring all-gather of K pieces, piece r from rank r, of `piece_bytes[r]` bytes (they may differ at will)."""
    piece = check_counts("piece_bytes", piece_bytes)
    K = check_count("len(piece_bytes)", len(piece), 1)
    payload = sum(piece)
    ports = tuple(Port(payload - piece[(r + 1) % K], payload - piece[r]) for r in range(K))
    return Traffic(ports, K - 1, (K - 1) * max(piece))


def broadcast(payload_bytes: int, K: int, src: int = 0) -> Traffic:
    """Binomial tree: in round j every rank that has the payload sends it 2^j ranks further; ⌈log2 K⌉ rounds.

    The root's port carries ⌈log2 K⌉ · n bytes out: the tree is short, not light. The seconds are exact where all of α
    is overhead, in which the port is busy; with latency for powers of two only, and else an upper bound, since the last
    leaf is then fewer hops away.
    """
    check_count("payload_bytes", payload_bytes)
    check_count("K", K, 1)
    if not 0 <= check_count("src", src) < K:
        raise ValueError(f"src={src}; ranks run from 0 to {K - 1}")
    rounds = (K - 1).bit_length()
    ports = []
    for rank in range(K):
        place = (rank - src) % K
        sends = sum(1 for j in range(rounds) if place < 2**j and place + 2**j < K)
        ports.append(Port(sends * payload_bytes, payload_bytes if place else 0))
    return Traffic(tuple(ports), rounds, rounds * payload_bytes)


def all_to_all(sent_bytes: Sequence[Sequence[int]]) -> Traffic:
    """Pairwise exchange: `sent_bytes[i][j]` bytes go from rank i to rank j; the diagonal stays at home, uncounted.

    K − 1 rounds: in round t rank i sends to i + t. The slowest message of each round is on the critical path.
    """
    rows = [check_counts(f"sent_bytes[{i}]", row) for i, row in enumerate(sent_bytes)]
    K = check_count("len(sent_bytes)", len(rows), 1)
    for i, row in enumerate(rows):
        if len(row) != K:
            raise ValueError(f"sent_bytes[{i}] has {len(row)} entries; one for each of the {K} ranks is needed")
    ports = tuple(Port(sum(rows[r]) - rows[r][r], sum(row[r] for row in rows) - rows[r][r]) for r in range(K))
    critical_bytes = sum(max(rows[i][(i + t) % K] for i in range(K)) for t in range(1, K))
    return Traffic(ports, K - 1, critical_bytes)


def sparse_all_gather(rows_per_worker: int, K: int, row_bytes: int, key_bytes: int = 8) -> Traffic:
    """The third rival: every worker sends its n touched rows with their keys to all others, who sum them themselves.

    K(K−1)·n·(row_bytes + key_bytes) in all, (K−1)/2 times what a server moves; the table is replicated on every worker.
    """
    check_count("K", K, 1)
    row_and_key = check_count("row_bytes", row_bytes) + check_count("key_bytes", key_bytes)
    return ring_all_gather([check_count("rows_per_worker", rows_per_worker) * row_and_key] * K)


def all_reduce_bytes_even(payload_bytes: float, K: int) -> float:
    """2(K−1)/K · n: the textbook figure per port and direction, for any n; 0 for one rank, below 2n for all K."""
    check_count("K", K, 1)
    return 2 * (K - 1) * payload_bytes / K


def _chunk_bytes(elements: int, K: int, itemsize: int) -> tuple[int, ...]:
    check_count("itemsize", itemsize, 1)
    return tuple(size * itemsize for size in chunk_sizes(elements, K))
