"""Bytes of compressed gradient exchanges, by the way in which each combines over K workers.

    wire         message of n float32 numbers        combined by                       per port and direction
    half         2n                                  ring all-reduce of 2-byte sums    2(K−1)/K · 2n
    one bit      8 + ⌈n/8⌉                           ring all-gather                   (K−1)(8 + ⌈n/8⌉)
    top-k        8k: an int32 and a float32 each     ring all-gather                   (K−1) · 8k
    PowerSGD     4r(rows + columns)                  two ring all-reduces              2(K−1)/K · 4r(rows + columns)

What can be added in its packed form goes through an all-reduce, whose bytes per port hardly grow with K. Signs and
indices cannot: all messages go to all workers, and from some K on the dense ring is cheaper again.
"""

from __future__ import annotations

from .collectives import ring_all_gather, ring_all_reduce
from .ports import Traffic, add_traffic, check_count


def half_all_reduce(elements: int, K: int) -> Traffic:
    """fp16 or bf16 on the wire: half of a float32 ring's bytes."""
    return ring_all_reduce(elements, K, 2)


def one_bit_message_bytes(elements: int) -> int:
    """Two float32 means and a bit for each of n numbers; an empty tensor is an empty message."""
    return 8 + -(-elements // 8) if check_count("elements", elements) else 0


def one_bit_all_gather(elements: int, K: int) -> Traffic:
    """Every worker's signs and means to every other. Above a dense float32 ring's bytes for K ≥ 64 or so."""
    return ring_all_gather([one_bit_message_bytes(elements)] * check_count("K", K, 1))


def top_k_message_bytes(k: int) -> int:
    """k pairs of an int32 index and a float32 value."""
    return 8 * check_count("k", k)


def top_k_all_gather(k: int, K: int) -> Traffic:
    """Every worker's k pairs to every other. Above a dense float32 ring's bytes for k > n/K."""
    return ring_all_gather([top_k_message_bytes(k)] * check_count("K", K, 1))


def power_sgd_all_reduce(rows: int, columns: int, rank: int, K: int) -> Traffic:
    """The two float32 factors of a (rows, columns) gradient, (rows, rank) and then (columns, rank), by a ring each."""
    check_count("rank", rank, 1)
    return add_traffic(*(ring_all_reduce(check_count(name, side) * rank, K)
                         for name, side in (("rows", rows), ("columns", columns))))
