"""Workers that train on servers at their own pace: Downpour SGD, and compensation at the worker.

    step        0        1        2        3        4            fetch_every = 4, push_every = 2
    fetch       pull                                pull         w = the servers' values
    compute     g0       g1       g2       g3       g4           w -= local_lr · g between fetches
    push                 g0+g1             g2+g3                 the sum of the gradients since the last push

Dean et al. (2012), "Large Scale Distributed Deep Networks", with AdaGrad as the rule of the servers' table. With
fetch_every = push_every = 1 it is the usual worker of a parameter server. A strategy of a loop of one's own:

    steps = Downpour(kv, model.parameters(), fetch_every=4, push_every=2)
    for batch in batches:
        steps.before()                               fetch, where it is due; gradients are cleared
        (loss_sum(model, batch) / K).backward()      a worker's share: servers sum
        steps.after()                                accrue; push, where it is due; a push ends a round
    steps.finish()
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch

from pslab.ps import Init, KVWorker, TableConfig

from .flat import Flat, flat_values
from .job import Given
from .replaying import compensate
from .strategies import DENSE_TABLE


def dense_table(parameters: Iterable[torch.nn.Parameter], name: str = DENSE_TABLE, **choices) -> TableConfig:
    """The servers' table for these parameters, at their values of now: P rows of 1. choices: rule, consistency, …"""
    values = flat_values(list(parameters)).numpy()
    init: Init = Given(values)
    return TableConfig(name, 1, len(values), init=init, **choices)


class Downpour:
    """before(), after() and finish() around the steps of one worker (see above).

    parameters    of the model, P numbers together; they move into one vector. table: as `dense_table` makes it
    fetch_every   steps between two fetches. push_every: steps between two pushes
    local_lr      rate of the steps on the worker's own copy between fetches; 0 for none
    overlap       fetch and push beside the computing: the values that are asked for at one fetch are used from the
                  step after on, and a push is waited for at the next one. Hides the network, adds staleness
    warm_up       factor of the gradient by this worker's step, as WarmUp(100)
    """

    def __init__(self, kv: KVWorker, parameters: Iterable[torch.nn.Parameter], *, fetch_every: int = 1,
                 push_every: int = 1, local_lr: float = 0.0, overlap: bool = False,
                 warm_up: Callable[[int], float] | None = None, table: str = DENSE_TABLE):
        for name, value in (("fetch_every", fetch_every), ("push_every", push_every)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{name}={value!r}; a whole number from 1 is needed")
        if isinstance(local_lr, bool) or not 0 <= local_lr < float("inf"):
            raise ValueError(f"local_lr={local_lr!r}; a number from 0 is needed")
        self.kv, self.table = kv, table
        self.fetch_every, self.push_every, self.local_lr = fetch_every, push_every, float(local_lr)
        self.overlap, self.warm_up, self.t = bool(overlap), warm_up, 0
        self.flat = Flat(list(parameters), kv.comm.empty)
        self.accrued = torch.zeros_like(self.flat.grads)
        self.all = range(len(self.flat))
        self._fetching: int | None = None
        self._owes_clock = False

    def before(self) -> None:
        """Bring this worker's copy up to date where a fetch is due, and clear the gradients."""
        self.flat.zero_grads()
        self._adopt()
        if self.t % self.fetch_every == 0:
            self._fetching = self.kv.pull(self.all, table=self.table)
            if not self.overlap or self.t == 0:         # there is nothing to compute with before the first
                self._adopt()

    def after(self) -> None:
        """Take the gradients of this step: accrue them, step on the own copy, push where it is due."""
        if self.warm_up is not None:
            self.flat.grads.mul_(self.warm_up(self.t))
        self.accrued += self.flat.grads
        if self.local_lr:
            self.flat.values.sub_(self.flat.grads, alpha=self.local_lr)
        self.t += 1
        if self.t % self.push_every == 0:
            self._push()

    def finish(self) -> None:
        """Push what is left, and end the last round."""
        if self.t % self.push_every:
            self._push()
        if self._owes_clock:
            self._clock()
        self._adopt()

    def sync(self) -> None:
        """Pull the servers' values into the model."""
        self.kv.wait(self.kv.pull(self.all, table=self.table, out=self.flat.values.unsqueeze(1)))

    def _push(self) -> None:
        if self._owes_clock:
            self._clock()                               # of the push before, acknowledged long ago
        self.kv.push(self.all, self._outgoing().unsqueeze(1), table=self.table)
        self.accrued.zero_()
        self._owes_clock = True
        if not self.overlap:
            self._clock()

    def _outgoing(self) -> torch.Tensor:
        return self.accrued

    def _clock(self) -> None:
        self.kv.clock()
        self._owes_clock = False

    def _adopt(self) -> None:
        """Values that were asked for become the worker's own."""
        if self._fetching is not None:
            self.flat.values.copy_(self.kv.wait(self._fetching)[:, 0])
            self._fetching = None


class Compensated(Downpour):
    """Downpour whose pushes are corrected at the worker: it pulls w_now, and pushes g + λ g⊙g⊙(w_now - w_then).

    For servers that know nothing of it. Twice the bytes of pulls, and what others push while that pull and this push
    travel stays uncorrected: with `WatchedServer(compensation=λ)` nothing does. strength: λ. With push_every > 1 it is
    the sum of gradients that is corrected, by the distance from the last fetch.
    """

    def __init__(self, kv: KVWorker, parameters: Iterable[torch.nn.Parameter], strength: float, **options):
        if isinstance(strength, bool) or not 0 <= strength < float("inf"):
            raise ValueError(f"strength={strength!r}; a number from 0 is needed")
        super().__init__(kv, parameters, **options)
        self.strength, self._then = float(strength), None

    def _adopt(self) -> None:
        fetched = self._fetching is not None
        super()._adopt()
        if fetched:
            self._then = self.flat.values.clone()       # local steps move the copy; this is what came

    def _outgoing(self) -> torch.Tensor:
        if not self.strength:
            return self.accrued
        now = self.kv.wait(self.kv.pull(self.all, table=self.table))[:, 0]
        return compensate(self.accrued, now, self._then, np.float32(self.strength).item())
