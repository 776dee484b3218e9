"""all_reduce: everyone's tensor is reduced over the ranks, and every rank gets the whole result, in place.

The algorithms, one file each, with rounds and bytes per port for P elements of b bytes (K a power of two where it
matters; pslab.cost has all of it exactly):

    algorithm           rounds              bytes per port        good for
    ring                2(K−1)              2(K−1)/K · P·b        long tensors, any K           ring.py
    chunked_ring        2(K−1)·m            2(K−1)/K · P·b        long tensors on long lines    chunked_ring.py
    binomial            2⌈log2 K⌉           up to ⌈log2 K⌉ · P·b  short tensors                 binomial.py
    halving_doubling    2 log2 K            2(K−1)/K · P·b        long ones, where K is 2^n     halving_doubling.py
    recursive_doubling  log2 K              log2 K · P·b          the shortest tensors          recursive_doubling.py
    hierarchical        2⌈log2 g⌉+2(G−1)    leaders carry most    narrow ways between groups    hierarchical.py

`auto` is the fastest of them in a world that was measured (`fit`), or by the model that is given; else the ring.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pslab.comm import Comm, Link, Work

from .background import start
from .binomial import binomial
from .choose import CHUNKS, PAIRS, check_model, choose_all_reduce
from .chunked_ring import chunked_ring
from .chunks import check_algorithm, check_op, copy_back, flat_inout
from .halving_doubling import PARTNERS, halving_doubling
from .hierarchical import check_groups, hierarchical
from .recursive_doubling import recursive_doubling
from .ring import ring

if TYPE_CHECKING:                                 # the closed forms are loaded where a model is given, not before
    from pslab.cost import AlphaBeta, Fitted

ALGORITHMS = ("ring", "chunked_ring", "binomial", "halving_doubling", "recursive_doubling", "hierarchical")
_PLAIN = {"ring": ring, "binomial": binomial, "recursive_doubling": recursive_doubling}


def all_reduce(comm: Comm, tensor, op: str = "sum", *, algorithm: str = "auto", chunks: int | None = None,
               groups: int | list[list[int]] | None = None, partner: str | None = None,
               model: Fitted | AlphaBeta | Link | None = None, async_op: bool = False) -> Work | None:
    """Replace `tensor`, on every rank, by the reduction of all ranks' tensors.

    tensor     P elements of any shape and any P (0 and less than K too), the same P and dtype on every rank; ValueError
               where they differ, and its content is then undefined. Shapes may differ between ranks: only P counts.
               A tensor that is not contiguous is reduced in a contiguous copy and written back
    op         sum, max, min, prod, mean (floating and complex dtypes only); sum of bool is `or`, as in torch
    algorithm  auto, ring, chunked_ring, binomial, halving_doubling, recursive_doubling or hierarchical; the same on
               every rank
    chunks     chunked_ring only: how many of each of the K pieces, 4 if not given
    groups     hierarchical only: ranks of each group, its leader first, or the size of a group
    partner    halving_doubling only: 'near' (if not given) or 'far', which partner comes first; for racks
    model      auto only: by which to choose instead of what `fit` measured: a `pslab.cost.Fitted` or AlphaBeta, or a
               Link; the same on every rank
    async_op   True: return a Work at once, and go on in the background (see background.py)

        K = 2:   rank 0: [0, 2, 4], rank 1: [1, 3, 5]   ->   both: [1, 5, 9]
    """
    check_algorithm(algorithm, ALGORITHMS)
    _check_options(algorithm, chunks, groups, partner, model)
    row = flat_inout(tensor)
    travelling_op = check_op(op, row)
    if async_op:
        return start(comm, all_reduce, tensor, writes=True, op=op, algorithm=algorithm, chunks=chunks, groups=groups,
                     partner=partner, model=model)
    size = comm.world_size
    ranks = size if op == "mean" else 1
    if algorithm == "auto":
        algorithm = choose_all_reduce(comm, row, model)
        groups = PAIRS
    groups = tuple(map(tuple, check_groups(groups, size))) if algorithm == "hierarchical" else None
    if algorithm == "chunked_ring" and chunks is None:
        chunks = CHUNKS
    elif algorithm == "halving_doubling" and partner is None:
        partner = PARTNERS[0]
    tag = comm.calling("all_reduce", row.dtype, len(row), op, algorithm, chunks, groups, partner)
    if algorithm == "hierarchical":
        hierarchical(comm, row, travelling_op, ranks, tag, groups)
    elif algorithm == "chunked_ring":
        chunked_ring(comm, row, travelling_op, ranks, tag, chunks)
    elif algorithm == "halving_doubling":
        halving_doubling(comm, row, travelling_op, ranks, tag, partner)
    else:
        _PLAIN[algorithm](comm, row, travelling_op, ranks, tag)
    copy_back(row, tensor)
    return None


def _check_options(algorithm: str, chunks, groups, partner, model) -> None:
    """Each option belongs to one algorithm: given with another, it would be ignored in silence."""
    for name, value, owner in (("chunks", chunks, "chunked_ring"), ("groups", groups, "hierarchical"),
                               ("partner", partner, "halving_doubling"), ("model", model, "auto")):
        if value is not None and algorithm != owner:
            raise ValueError(f"{name}= belongs to algorithm={owner!r}; this call has algorithm={algorithm!r}")
    if chunks is not None and (isinstance(chunks, bool) or not isinstance(chunks, int) or chunks < 1):
        raise ValueError(f"chunks={chunks!r}; a whole number of 1 or more is needed")
    if partner is not None and partner not in PARTNERS:
        raise ValueError(f"partner={partner!r}; allowed: {', '.join(map(repr, PARTNERS))}")
    if algorithm == "hierarchical" and groups is None:
        raise ValueError("algorithm='hierarchical' needs groups=: the size of a group, or a list of lists of ranks")
    check_model(model)
