"""Tables in parts, batches of ids and gradients for 7.5: whole numbers, so that sums are exact in any order."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass
class Trial:
    """batches[r][b]: ids of rank r; grads of the same lengths."""

    label: str
    K: int
    R: int
    D: int
    batches: list
    grads: list = field(init=False)

    def __post_init__(self):
        rng = np.random.default_rng(self.R)
        self.grads = [[rng.integers(-40, 40, (len(ids), self.D)).astype(np.float32) for ids in own] for own in
                      self.batches]

    def part(self, rank: int) -> np.ndarray:
        """(r, D): the rows of the ids rank, rank + K, …; whole numbers, and no two rows the same."""
        return row_of(np.arange(rank, self.R, self.K), self.D)

    def unique(self, rank: int, owner: int, batch: int, each: bool = False) -> int:
        """How many different ids (or places) of this rank's batch belong to the owner."""
        ids = self.batches[rank][batch]
        own = ids[ids % self.K == owner]
        return len(own) if each else len(np.unique(own))


def row_of(ids: np.ndarray, D: int) -> np.ndarray:
    return (ids[:, None] * D + np.arange(D) + 1).astype(np.float32)


def trials(rng, hidden: bool = False) -> list[Trial]:
    """All pairs of ranks busy in the first; then a worker without ids, one owner of everything, several batches."""
    if hidden:
        K = int(rng.choice([4, 6, 7]))
        R = int(rng.integers(60, 200))
        return [Trial(f"K={K}, {R} rows, three batches", K, R, 4, [[rng.integers(0, R, int(rng.integers(0, 30)))
                                                                   for _ in range(3)] for _ in range(K)]),
                Trial("K=3, worker 2 without ids", 3, 50, 5, [[rng.integers(0, 50, n)] for n in (14, 9, 0)])]
    full = [[rng.permutation(np.concatenate([rng.permutation(9)[:9], rng.integers(0, 20, 6)]))] for _ in range(3)]
    return [Trial("K=3, 15 ids each", 3, 20, 2, full),
            Trial("K=3, worker 1 without ids", 3, 20, 3, [[rng.integers(0, 20, n)] for n in (8, 0, 5)]),
            Trial("K=2, many duplicates", 2, 11, 4, [[rng.integers(0, 11, 40)] for _ in range(2)]),
            Trial("K=4, all ids of owner 2", 4, 30, 3, [[4 * rng.integers(0, 7, 6) + 2] for _ in range(4)]),
            Trial("K=5, three batches", 5, 60, 2, [[rng.integers(0, 60, int(rng.integers(1, 25))) for _ in range(3)]
                                                   for _ in range(5)]),
            Trial("K=1", 1, 12, 2, [[rng.integers(0, 12, 9)]])]
