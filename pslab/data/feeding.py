"""A data set divided among K workers: which rows are whose, in which epoch.

    10 rows, 4 workers, one epoch          shuffled: 7 2 9 0 5 1 8 3 6 4       dealt in turn, as cards are
        worker 0   7 5 6
        worker 1   2 1 4
        worker 2   9 8 [7]     10 is no multiple of 4: "pad" deals the first rows once more, so that all workers take
        worker 3   0 3 [2]     equally many steps; "drop" leaves the last rows out of this epoch; "uneven" does neither

Every epoch is shuffled anew, by (seed + epoch) alone: no worker needs to be told, and a run can be repeated. Seeds next
to each other share epochs one later. Order and padding are those of torch.utils.data.DistributedSampler.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

AT_END = ("pad", "drop", "uneven")


@dataclass(frozen=True)
class Partition:
    """`rows` rows divided among K workers, anew in each epoch.

    at_end, where K does not divide rows:  'pad'     some rows are dealt twice: everyone has ⌈rows/K⌉
                                           'drop'    some rows are left out: everyone has ⌊rows/K⌋
                                           'uneven'  every row exactly once: shares differ by one row
    shuffle False deals the rows in their order, in every epoch alike.
    """

    rows: int
    K: int
    seed: int = 0
    shuffle: bool = True
    at_end: str = "pad"

    def __post_init__(self):
        for name, least in (("rows", 0), ("K", 1), ("seed", 0)):
            _check_count(name, getattr(self, name), least)
        if self.at_end not in AT_END:
            raise ValueError(f"at_end={self.at_end!r}; allowed: {', '.join(map(repr, AT_END))}")

    def order(self, epoch: int) -> torch.Tensor:
        """All rows in the order in which they are dealt: (rows,) int64, before padding or dropping."""
        _check_count("epoch", epoch, 0)
        if not self.shuffle:
            return torch.arange(self.rows)
        return torch.randperm(self.rows, generator=torch.Generator().manual_seed(self.seed + epoch))

    def of(self, rank: int, epoch: int) -> torch.Tensor:
        """The rows of one worker in one epoch, padding last: (n,) int64."""
        self._check_rank(rank)
        order = self.order(epoch)
        if self.at_end == "drop":
            order = order[:self.rows // self.K * self.K]
        elif self.at_end == "pad" and self.rows:
            order = order[torch.arange(self.padded_rows) % self.rows]
        return order[rank::self.K]

    def padding_of(self, rank: int, epoch: int) -> torch.Tensor:
        """Which rows of `of(rank, epoch)` are padding, dealt for the second time: (n,) bool."""
        mine = len(self.of(rank, epoch))
        return rank + self.K * torch.arange(mine) >= self.rows

    def left_out(self, epoch: int) -> torch.Tensor:
        """The rows that nobody has in this epoch: none unless they are dropped."""
        return self.order(epoch)[self.rows // self.K * self.K:] if self.at_end == "drop" else torch.empty(
            0, dtype=torch.int64)

    def batches(self, rank: int, epoch: int, size: int) -> Iterator[torch.Tensor]:
        """The worker's rows in batches of `size`, the last one shorter where size does not divide them."""
        yield from self.of(rank, epoch).split(_check_count("size", size, 1))

    @property
    def padded_rows(self) -> int:
        """Rows that are dealt in an epoch, those dealt twice counted twice."""
        if self.at_end == "uneven":
            return self.rows
        return (self.rows // self.K + (self.at_end == "pad" and self.rows % self.K > 0)) * self.K

    def text(self, epoch: int) -> str:
        """One line a worker; padding in brackets, and a last line that says what was padded or left out."""
        lines = []
        for rank in range(self.K):
            marked = zip(self.of(rank, epoch).tolist(), self.padding_of(rank, epoch).tolist())
            lines.append(f"worker {rank}: " + " ".join(f"[{row}]" if again else str(row) for row, again in marked))
        extra, out = self.padded_rows - self.rows, self.left_out(epoch).tolist()
        if out:
            lines.append(f"left out in epoch {epoch}: {' '.join(map(str, out))}")
        elif extra > 0:
            lines.append(f"dealt twice in epoch {epoch}, in brackets: {extra} of {self.rows} rows")
        else:
            lines.append(f"epoch {epoch}: every row exactly once")
        return "\n".join(lines)

    def _check_rank(self, rank: int) -> None:
        if not isinstance(rank, (int, np.integer)) or not 0 <= rank < self.K:
            raise ValueError(f"rank={rank!r}; workers run from 0 to {self.K - 1}")


def _check_count(name: str, value: int, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name}={value!r}; a whole number from {least} on is needed")
    return int(value)
