"""What an example is: tables, batches, one step of a worker, and a score.

    parts(rank, K)      the worker's part of every global batch, one a round        deterministic: a seed, no messages
    step(kv, part)      pull ── compute ── push                                     the only lines that differ
    score(rows)         how good these rows are, on the test part

A global batch has `batch` examples however many workers there are: K workers do the same work as one, each a K-th of
it. So under BSP they learn what one process learns, and a comparison of times is one of equals.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from pslab.data import Partition, share_of
from pslab.ps import Consistency, TableConfig

Pace = Callable[[int, int], float]      # (rank, round) -> seconds that the worker computes in that round


@dataclass(frozen=True)
class Example(ABC):
    """batch: examples of a global batch. epochs: passes over the training part. seed: draws first values and order.

    row_s: virtual seconds that an example takes in the simulator, where no pace is given; the defaults are about what
    one core takes to read it and to compute its gradient.
    """

    batch: int
    epochs: int
    seed: int = 0
    row_s: float = 10e-6
    data: Any = None

    name: ClassVar[str]
    metric: ClassVar[str]
    higher_is_better: ClassVar[bool]

    def __post_init__(self):
        for argument, least in (("batch", 1), ("epochs", 1), ("seed", 0)):
            value = getattr(self, argument)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"{argument}={value!r}; a whole number from {least} is needed")
        if not 0 <= self.row_s < float("inf"):
            raise ValueError(f"row_s={self.row_s!r}; seconds from 0 are needed")

    @property
    @abstractmethod
    def train_rows(self) -> int:
        """Examples of the training part."""

    @abstractmethod
    def tables(self, consistency: Consistency) -> list[TableConfig]:
        """What the servers hold."""

    @abstractmethod
    def parts(self, rank: int, workers: int) -> Iterator[Any]:
        """What worker `rank` computes on, one part a round; the same number of parts for every worker. A part may be
        empty."""

    @abstractmethod
    def step(self, kv, part, compute: Callable[[], None]) -> float:
        """One round of a worker: pull, compute (and say so by calling compute(), which takes the round's virtual
        time), push. Gives the sum of the losses. The caller ends the round by clock()."""

    @abstractmethod
    def score(self, rows: dict[str, np.ndarray]) -> float:
        """The metric of the test part, for all rows of every table."""

    @abstractmethod
    def baselines(self) -> dict[str, float]:
        """The same metric for models that know less: {what: metric}."""

    def size_of(self, part) -> int:
        """Examples of a part."""
        return len(part)

    def for_rank(self, trains: bool) -> Example:
        """What a rank is sent: the example without the test part, for servers without the training part either."""
        mine, data = copy(self), replace(self.data, test=None)
        object.__setattr__(mine, "data", data if trains else replace(data, train=None))
        return mine

    @property
    def rounds_per_epoch(self) -> int:
        return -(-self.train_rows // self.batch)

    @property
    def rounds(self) -> int:
        """Global batches of the whole run."""
        return self.epochs * self.rounds_per_epoch

    @property
    def sizes(self) -> list[int]:
        """Examples of every global batch."""
        return [min(self.batch, self.train_rows - first) for first in range(0, self.train_rows, self.batch)
                ] * self.epochs

    def _shuffled_parts(self, rank: int, workers: int) -> Iterator[np.ndarray]:
        """Numbers of the examples of the worker's parts, each epoch in an order of its own."""
        deck = Partition(self.train_rows, 1, self.seed)
        for epoch in range(self.epochs):
            order = deck.order(epoch).numpy()
            for first in range(0, len(order), self.batch):
                batch = order[first:first + self.batch]
                yield batch[slice(*share_of(len(batch), rank, workers))]
