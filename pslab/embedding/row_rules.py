"""A rule that steps every row of a table, whether a batch touched it or not: what lazy rules are compared with.

    row           0    1    2    3    4
    gradient      .    g    .    g    .          what a batch brings
    Adam (lazy)        x         x               pslab.ps.Adam, torch.optim.SparseAdam: memory of 0, 2, 4 stands still
    DenseAdam     x    x    x    x    x          torch.optim.Adam: it fades, and moves the rows on

A step of DenseAdam reads and writes the whole table and twice its size of state, block by block: no gradient tensor of
the table's size is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from pslab.ps import Adam


@dataclass(frozen=True)
class DenseAdam(Adam):
    """Adam on all rows, with gradient 0 for those that no id touched: equal to torch.optim.Adam on dense gradients.

    For FusedEmbeddingBagCollection; a server only steps rows that are pushed to it.
    """

    every_row = True

    def step(self, rows, grads, state, t):
        (mean, square), (beta1, beta2) = state, self.betas
        mean += (grads - mean) * np.float32(1 - beta1)
        square *= np.float32(beta2)
        grads *= grads
        grads *= np.float32(1 - beta2)
        square += grads
        root = np.sqrt(square)
        root /= np.float32(sqrt(1 - beta2**t))
        root += np.float32(self.eps)
        np.divide(mean, root, out=root)
        root *= np.float32(self.lr / (1 - beta1**t))
        rows -= root
