"""What `auto` stands for: the fastest algorithm by what is known of the links, the same on every rank.

    model=                  given with the call: a pslab.cost.Fitted or AlphaBeta, or a Link
    comm.model              else: what `fit` measured of this world
    neither                 what the collective has for that case: for all_reduce the ring

Every rank asks the same numbers the same question, K and the size of the tensor, so that all choose alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pslab.comm import Link

if TYPE_CHECKING:                                 # the closed forms are loaded where a model is given, not before
    from pslab.cost import AlphaBeta, Fitted


CHUNKS = 4                                        # of the chunked ring, where the caller does not say how many
PAIRS = 2                                         # ranks in a group, where `auto` takes groups; pslab.cost has both too


def choose_all_reduce(comm, row, model: Fitted | AlphaBeta | Link | None) -> str:
    """The all-reduce for this row on this comm."""
    if model is None:
        model = getattr(comm, "model", None)
    if model is None:
        return "ring"
    K, itemsize = comm.world_size, row.itemsize
    return fitted_model(model, K).fastest(len(row), K, itemsize).algorithm


def choose_tree(comm, row, fastest: str) -> str:
    """The broadcast or the reduce for this row on this comm, by `pslab.cost.<fastest>`: α and β alone."""
    model = getattr(comm, "model", None)
    if model is None:
        return "binomial"
    from pslab import cost

    K = comm.world_size
    return getattr(cost, fastest)(len(row), K, fitted_model(model, K).link, row.itemsize).algorithm


def fitted_model(model: Fitted | AlphaBeta | Link, K: int) -> Fitted:
    """The model as the one kind that is asked."""
    from pslab import cost

    if isinstance(model, Link):
        model = cost.AlphaBeta(model.overhead_s + model.latency_s, model.bandwidth_Bps, model.overhead_s)
    return cost.Fitted(model, K) if isinstance(model, cost.AlphaBeta) else model


def check_model(model) -> None:
    """ValueError unless it is None or one of the three kinds."""
    if model is None or isinstance(model, Link):
        return
    from pslab import cost

    if not isinstance(model, cost.AlphaBeta | cost.Fitted):
        raise ValueError(f"model={model!r}; a pslab.cost.Fitted (of pslab.collectives.fit), a pslab.cost.AlphaBeta or "
                         f"a pslab.comm.Link is needed")
