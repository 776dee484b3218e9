"""Collectives: what a whole group does together, built from nothing but send and recv.

    broadcast        one has it, all get it                        binomial tree    ⌈log2 K⌉ rounds
    reduce_scatter   all reduced, each keeps its own piece         ring             K−1 steps of P/K
    all_gather       each has a piece, all get all of them         ring             K−1 steps of P/K
    all_reduce       all reduced, all get everything               ring             2(K−1) steps of P/K
    all_to_all       each has one tensor for each                  pairwise         K−1 steps

K is the world size of the group, P the number of elements; the group is the `comm` (see `Comm.split`). Names and
meanings are those of torch.distributed. Each collective is one file, short enough to be read in one sitting; start with
`reduce_scatter`, then `all_gather`: `all_reduce` is the one after the other.
"""

from .all_gather import all_gather
from .all_reduce import all_reduce
from .all_to_all import all_to_all
from .broadcast import broadcast
from .reduce_scatter import reduce_scatter

__all__ = ["all_gather", "all_reduce", "all_to_all", "broadcast", "reduce_scatter"]
