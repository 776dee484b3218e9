"""Collectives: what a whole group does together, built from nothing but send and recv.

    broadcast        one has it, all get it                        binomial tree    ⌈log2 K⌉ rounds
                                                                   or direct, scatter_all_gather
    scatter          one has one for each                          direct           K−1 messages from its port
                                                                   or binomial (binomial_pieces)
    gather           each has one, one gets all of them            direct           K−1 messages into its port
                                                                   or binomial (binomial_pieces)
    reduce           all reduced, one gets it                      binomial tree    ⌈log2 K⌉ rounds
                                                                   or direct, reduce_scatter_gather
    reduce_scatter   all reduced, each keeps its own piece         ring             K−1 steps of P/K
                                                                   or pairwise
    all_gather       each has a piece, all get all of them         ring             K−1 steps of P/K
                                                                   or direct, bruck
    all_reduce       all reduced, all get everything               ring             2(K−1) steps of P/K
                                                                   and five more: see all_reduce.py
    all_to_all       each has one tensor for each                  pairwise         K−1 steps
    barrier          all wait for all                              dissemination    ⌈log2 K⌉ rounds

K is the world size of the group, P the number of elements; the group is the `comm` (see `Comm.split`). Names and
meanings are those of torch.distributed. Each collective is one file, short enough to be read in one sitting; start with
`reduce_scatter`, then `all_gather`: the ring of `all_reduce` is the one after the other.

    fit              measures a world once; `auto` is then the fastest algorithm for its size there
    background       async_op=True: all of these while the rank computes
    delayed          sums one step late, in no step's way: DelayedAllReduce
    fusion           many small tensors in a few buckets: all_reduce_fused
    compress         gradients in fewer bytes: half precision, one bit, top-k, PowerSGD; error feedback
    ddp              PyTorch's DistributedDataParallel on all this, or on an all-reduce of your own
"""

from importlib import import_module
from typing import TYPE_CHECKING

from .all_gather import all_gather
from .all_reduce import all_reduce
from .all_to_all import all_to_all
from .barrier import barrier
from .broadcast import broadcast
from .delayed import DelayedAllReduce, stable_rate
from .fusion import all_reduce_fused, plan_buckets
from .gather import gather
from .measure import fit
from .reduce import reduce
from .reduce_scatter import reduce_scatter
from .scatter import scatter

__all__ = ["DelayedAllReduce", "all_gather", "all_reduce", "all_reduce_fused", "all_to_all", "barrier", "broadcast",
           "compress", "ddp", "fit", "gather", "plan_buckets", "reduce", "reduce_scatter", "scatter", "stable_rate"]

if TYPE_CHECKING:
    from . import compress, ddp


def __getattr__(name: str):
    """`compress` and `ddp` are imported when they are first touched: a ring needs neither."""
    if name in ("compress", "ddp"):
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
