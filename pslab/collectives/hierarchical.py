"""Hierarchical all-reduce: groups with leaders, for ranks of which some are nearer to each other than others.

Six ranks on two hosts, groups = [[0, 1, 2], [3, 4, 5]]; the first of each group is its leader:

    reduce in each group       0 <── 1, 2                  3 <── 4, 5            (binomial tree, reduce.py)
    ring of the leaders        0 ═══════════════════════════ 3                   (ring.py)
    broadcast in each group    0 ──> 1, 2                  3 ──> 4, 5            (binomial tree, broadcast.py)

Between the hosts only the leaders speak: G groups cost 2(G−1)·P elements there in all, however many ranks they have.
With groups of g ranks the time is 2⌈log2 g⌉(α + P·b·β) + 2(G−1)(α + ⌈P/G⌉·b·β): on links that are all alike that is
more than the ring's; it pays where the way between the groups is narrow, or its latency long.
"""

from __future__ import annotations

from collections.abc import Sequence

from .among import Among
from .broadcast import tree_broadcast
from .chunks import Flat
from .reduce import tree_reduce
from .ring import ring


def hierarchical(comm, row: Flat, op: str, ranks: int, tag: int, groups: list[list[int]]) -> None:
    """All-reduce `row` in place, and divide it by `ranks`."""
    mine = next(group for group in groups if comm.rank in group)
    inside = Among(comm, mine)
    tree_reduce(inside, row, op, 0, tag, into=row)
    if inside.rank == 0:
        ring(Among(comm, [group[0] for group in groups]), row, op, ranks, tag)
    tree_broadcast(inside, row, 0, tag)


def check_groups(groups, K: int) -> list[list[int]]:
    """`groups` as lists of ranks: as they are given, or blocks of `groups` ranks each, the last perhaps shorter."""
    if isinstance(groups, int) and not isinstance(groups, bool):
        if groups < 1:
            raise ValueError(f"groups={groups}; the size of a group, 1 or more, or a list of lists of ranks is needed")
        return [list(range(start, min(start + groups, K))) for start in range(0, K, groups)]
    if not isinstance(groups, Sequence) or not all(isinstance(group, Sequence) for group in groups):
        raise ValueError(f"groups={groups!r}; the size of a group, or a list of lists of ranks is needed")
    if not all(len(group) for group in groups):
        raise ValueError(f"groups={groups!r} has an empty group; each needs a leader, its first rank")
    if sorted(rank for group in groups for rank in group) != list(range(K)):
        raise ValueError(f"groups={groups!r}; each of the ranks 0..{K - 1} must be in exactly one group")
    return [list(group) for group in groups]
