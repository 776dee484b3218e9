"""Hogwild!: several processes change one vector in shared memory, without a lock; and what that loses, counted.

    w[7] = 5      worker 0   read 5 ── 5 + 1 ── write 6            both added 1, and w[7] = 6 instead of 7:
                  worker 1      read 5 ── 5 + 1 ── write 6         one update is lost

Where gradients are sparse, two workers seldom meet in a coordinate, little is lost, and SGD gets over it. Recht, Ré,
Wright, Niu (2011), "HOGWILD!: A Lock-Free Approach to Parallelizing Stochastic Gradient Descent".

    run = run_hogwild(ProcessWorld(2), SparseLogistic(), steps=5000, lr=0.5)
    run.lost_share      of all that was added, how much is not in the vector
    run.losses          before and after

In SimWorld the same program is a model of it: a write takes write_s of virtual time between its reading and its
writing, and who writes in between is overwritten, the same each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch

from pslab.comm import Comm

from .flat import Flat, flat_values
from .pace import Pace, spend
from .shared import shared_vector
from .tasks import Task


class Hogwild:
    """A strategy for any torch model: its parameters become views of one vector that all ranks share.

    before(), then backward of this rank's loss, then after(): w[keys] -= lr · g[keys] for the coordinates with a
    gradient, at once and for all. comm: the workers, on one host. lr: of each worker's own gradient.
    warm_up: factor by this worker's step. Collective; all start from rank 0's values.
    """

    def __init__(self, comm: Comm, parameters: Iterable[torch.nn.Parameter], lr: float, *,
                 warm_up: Callable[[int], float] | None = None):
        if isinstance(lr, bool) or not 0 <= lr < float("inf"):
            raise ValueError(f"lr={lr!r}; a number from 0 is needed")
        parameters = list(parameters)
        first = flat_values(parameters).numpy().copy()
        shared = shared_vector(comm, first)
        memory = iter([torch.from_numpy(shared), torch.zeros(len(shared))])
        self.flat = Flat(parameters, lambda size: next(memory))     # each rank writes its own first values
        comm.barrier()
        if comm.rank == 0:
            shared[:] = first
        comm.barrier()
        self.comm, self.lr, self.warm_up, self.t = comm, float(lr), warm_up, 0
        self._values, self._grads = shared, self.flat.grads.numpy()

    def before(self) -> None:
        self.flat.zero_grads()

    def after(self) -> None:
        """Add this rank's step to the shared parameters."""
        keys = np.flatnonzero(self._grads)
        rate = self.lr * (1.0 if self.warm_up is None else self.warm_up(self.t))
        self._values[keys] -= np.float32(rate) * self._grads[keys]
        self.t += 1

    def sync(self) -> None:
        """Nothing to do: the model reads the shared memory."""


@dataclass(frozen=True)
class HogwildRun:
    """What became of the vector.

    weights (P,): at the end. losses: (before, after). updates: steps of all workers. seconds: of the slowest.
    lost (P,): what all workers added to each coordinate, less what is in it. moved: Σ |change| over all updates.
    """

    weights: np.ndarray
    losses: tuple[float, float]
    updates: int
    seconds: float
    lost: np.ndarray
    moved: float

    @property
    def lost_share(self) -> float:
        """Σ |lost| over moved, 0 to 1; losses of opposite sign in one coordinate are not seen."""
        return float(np.abs(self.lost).sum() / self.moved) if self.moved else 0.0

    @property
    def lost_coordinates(self) -> int:
        """Coordinates that lack something."""
        return int(np.count_nonzero(self.lost))

    @property
    def updates_per_s(self) -> float:
        return self.updates / self.seconds if self.seconds else float("inf")


def run_hogwild(world, task: Task, *, steps: int, lr: float, pace: Pace | None = None, write_s: float = 0.0,
                real: str = "none", timeout_s: float = 30.0) -> HogwildRun:
    """Train `task` by all ranks of `world` on one vector of float64, `steps` steps each.

    lr        of each worker's gradient: w -= lr · g, K of them for one of a single worker
    pace      how long a gradient takes; None: no virtual time, in real worlds what it takes. real: see `spend`
    write_s   virtual seconds between the reading and the writing of an update (simulator only)
    """
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 0:
        raise ValueError(f"steps={steps!r}; a whole number from 0 is needed")
    run = world.run(_program, task, {"steps": steps, "lr": lr, "pace": pace, "write_s": write_s, "real": real},
                    timeout_s=timeout_s)
    weights = np.asarray(run.results[0]["weights"])
    added = np.sum([rank["added"] for rank in run.results], axis=0)
    moved = sum(rank["moved"] for rank in run.results)
    gap = task.start + added - weights
    gap[np.abs(gap) < 1e-9 * np.maximum(1.0, np.abs(added))] = 0.0       # the order of additions, not a loss
    return HogwildRun(weights, (task.loss(task.start), task.loss(weights)), steps * len(run.results),
                      max(rank["seconds"] for rank in run.results), gap, moved)


def _program(comm: Comm, task: Task, rules: dict) -> dict:
    w = shared_vector(comm, task.start.astype(np.float64))
    added, moved = np.zeros(task.dim), 0.0
    comm.barrier()
    begun = comm.now()
    for step in range(rules["steps"]):
        keys, change = _change(task, w, comm.rank, step)
        change = -rules["lr"] * change
        spend(comm, 0.0 if rules["pace"] is None else rules["pace"](comm.rank, step), real=rules["real"])
        if rules["write_s"]:
            before = w[keys].copy()                 # a slice would be a view, and see what others write
            comm.compute(rules["write_s"])
            w[keys] = before + change
        else:
            w[keys] += change                       # reads, adds, writes: no lock, no atomic instruction
        added[keys] += change
        moved += float(np.abs(change).sum())
    seconds = comm.now() - begun
    comm.barrier()                                  # nobody writes any more
    return {"weights": w.copy() if comm.rank == 0 else np.empty(0), "added": added, "moved": moved, "seconds": seconds}


def _change(task: Task, w: np.ndarray, rank: int, step: int) -> tuple:
    """The coordinates that a step touches, and its gradient there."""
    if hasattr(task, "sparse_gradient"):
        return task.sparse_gradient(w, rank, step)
    return slice(None), task.gradient(w.copy(), rank, step)
