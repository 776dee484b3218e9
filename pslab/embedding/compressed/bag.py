"""The face that all compressed tables share: ids and offsets in, pooled rows out, as torch.nn.EmbeddingBag has it.

    ids      7 2 7 5 9        distinct 2 5 7 9 ──> their rows, each made once ──┐
    offsets  0   2 2          bags [7 2] [] [7 5 9] ──────────────────────────> pooled (3, D)

What a table does is turn distinct ids into rows; everything else is here. Tables whose rows are numbers of torch are
trained by any optimizer. Those that keep their rows some other way (as bytes, in places that are used again) hand out
the rows of a batch as a leaf of the graph, and `step()` brings its gradient home.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

POOLINGS = ("sum", "mean", "none")


class BagModule(nn.Module):
    """Pooling of rows that a subclass makes in `_rows`.

    num_embeddings: R, so that ids are 0..R-1; None: any int64. pooling: "sum", "mean" or "none" (rows as they are).
    include_last_offset: whether offsets holds B + 1 numbers, the last of them the number of ids, and not B.
    """

    def __init__(self, num_embeddings: int | None, embedding_dim: int, pooling: str = "sum",
                 include_last_offset: bool = False):
        super().__init__()
        if num_embeddings is not None:
            check_whole("num_embeddings", num_embeddings)
        check_whole("embedding_dim", embedding_dim)
        if pooling not in POOLINGS:
            raise ValueError(f"pooling={pooling!r}; allowed: {', '.join(POOLINGS)}")
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.pooling, self.include_last_offset = pooling, include_last_offset

    def forward(self, ids, offsets=None, per_sample_weights=None) -> torch.Tensor:
        """ids (n,) with offsets (B,), or ids (B, L) -> (B, D), an empty bag zeros; pooling "none": ids' shape + (D,).

        per_sample_weights: of ids' shape, with pooling "sum" alone. ValueError for what does not fit, or ids that the
        table has not.
        """
        ids = torch.as_tensor(ids)
        self._check(ids, offsets, per_sample_weights)
        shape, ids = ids.shape, ids.reshape(-1)
        distinct, place, counts = ids.unique(return_inverse=True, return_counts=True)
        rows = self._rows(distinct, counts)
        if self.pooling == "none":
            return rows[place].reshape(*shape, self.embedding_dim)
        if offsets is None:
            offsets, last = torch.arange(shape[0]) * shape[1], False
        else:
            offsets, last = torch.as_tensor(offsets), self.include_last_offset
        if not len(ids):                            # torch has no bags of a table without rows
            return rows.new_zeros(len(offsets) - last, self.embedding_dim)
        weights = None if per_sample_weights is None else per_sample_weights.reshape(-1)
        return F.embedding_bag(place, rows, offsets, mode=self.pooling, per_sample_weights=weights,
                               include_last_offset=last)

    def _rows(self, ids: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        """(n, D) rows of n distinct ids, ascending; counts (n,): how often each stands in the batch."""
        raise NotImplementedError

    def bytes(self) -> int:
        """Bytes of all that the table is made of."""
        return sum(parameter.numel() * parameter.element_size() for parameter in self.parameters())

    def extra_repr(self) -> str:
        return f"{self.num_embeddings}, {self.embedding_dim}, pooling={self.pooling!r}"

    def _check(self, ids, offsets, weights) -> None:
        check_ids(ids, self.num_embeddings)
        if self.pooling == "none":
            if offsets is not None or weights is not None:
                raise ValueError("offsets and per_sample_weights go with pooling 'sum' or 'mean'; this one is 'none'")
            return
        if offsets is None:
            if ids.dim() != 2:
                raise ValueError(f"ids have shape {list(ids.shape)}; without offsets (B, L) is needed, or (n,) with "
                                 f"offsets (B,)")
        else:
            check_offsets(torch.as_tensor(offsets), ids, self.include_last_offset)
        if weights is not None and (self.pooling != "sum" or weights.shape != ids.shape):
            raise ValueError(f"per_sample_weights of shape {list(weights.shape)} with pooling {self.pooling!r}; the "
                             f"shape of ids, {list(ids.shape)}, and pooling 'sum' are needed")


class TrainedByStep(BagModule):
    """A table whose rows lie outside of torch's graph: after backward(), step() takes the gradient to `update`."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._touched: list[tuple[np.ndarray, torch.Tensor]] = []

    def leaf(self, ids: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """The rows; in training they are noted, and their gradient will be asked for in step()."""
        if self.training and torch.is_grad_enabled() and len(ids):
            rows.requires_grad_()
            self._touched.append((ids.numpy(), rows))
        return rows

    def step(self) -> int:
        """Update every row that has had a gradient since the last step, once; how many those are.

        Gradients of equal ids, in one forward or several, are summed first.
        """
        parts = [(ids, rows.grad.numpy()) for ids, rows in self._touched if rows.grad is not None]
        self._touched.clear()
        if not parts:
            return 0
        ids, grads = summed(np.concatenate([ids for ids, _ in parts]), np.concatenate([grads for _, grads in parts]))
        self.update(ids, grads)
        return len(ids)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of what was looked up since the last step."""
        super().zero_grad(set_to_none)
        self._touched.clear()

    def update(self, ids, grads) -> None:
        """One step of the rule on rows `ids` (n,), gradients (n, D)."""
        raise NotImplementedError


def summed(ids: np.ndarray, grads: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(distinct ids ascending, gradients of equal ids added up in the order they stand in), a copy."""
    distinct, place = np.unique(ids, return_inverse=True)
    sums = np.zeros((len(distinct), grads.shape[1]), np.float32)
    np.add.at(sums, place, grads)
    return distinct, sums


def check_update(ids, grads, dim: int, num_rows: int | None) -> tuple[np.ndarray, np.ndarray]:
    """(ids (n,) int64, grads (n, dim) float32) as arrays, or ValueError."""
    ids, grads = torch.as_tensor(ids), torch.as_tensor(grads)
    check_ids(ids, num_rows)
    if ids.dim() != 1 or grads.shape != (len(ids), dim):
        raise ValueError(f"ids of shape {list(ids.shape)} and grads of shape {list(grads.shape)}; (n,) and (n, {dim}) "
                         f"are needed")
    grads = grads.detach().numpy().astype(np.float32, copy=False)
    finite = np.isfinite(grads).all(axis=1)
    if not finite.all():
        raise ValueError(f"the gradient of id {int(ids[int((~finite).argmax())])} holds NaN or infinity; nothing was "
                         f"updated")
    return ids.numpy().astype(np.int64, copy=False), grads


def check_ids(ids: torch.Tensor, num_rows: int | None) -> None:
    """ValueError unless ids are whole numbers, and in 0..num_rows-1 where that is not None."""
    if ids.dtype not in (torch.int64, torch.int32) and ids.numel():
        raise ValueError(f"ids are of type {ids.dtype}; int64 or int32 is needed")
    if num_rows is not None and ids.numel():
        low, high = int(ids.min()), int(ids.max())
        if low < 0 or high >= num_rows:
            raise ValueError(f"ids hold {low if low < 0 else high}; the table has ids 0..{num_rows - 1}")


def check_offsets(offsets: torch.Tensor, ids: torch.Tensor, last: bool) -> None:
    """ValueError unless offsets (B,) start at 0 and never fall, nor pass the ids (n,); last: nor end before them."""
    if offsets.dim() != 1 or ids.dim() != 1 or offsets.dtype not in (torch.int64, torch.int32):
        raise ValueError(f"offsets of shape {list(offsets.shape)} and type {offsets.dtype} with ids of shape "
                         f"{list(ids.shape)}; offsets (B,) of int64 and ids (n,) are needed")
    if last and not len(offsets):
        raise ValueError("offsets are empty; with include_last_offset they hold B + 1 numbers, at least one")
    if not len(offsets):
        if len(ids):
            raise ValueError(f"offsets are empty, but there are {len(ids)} ids: to which bags do they belong?")
        return
    falls = (offsets.diff() < 0).nonzero()
    if len(falls):
        at = int(falls[0])
        raise ValueError(f"offsets fall from {int(offsets[at])} to {int(offsets[at + 1])} at place {at + 1}; each is "
                         f"where a bag begins, so they never fall")
    first, final = int(offsets[0]), int(offsets[-1])
    if first != 0 or final > len(ids) or (last and final != len(ids)):
        raise ValueError(f"offsets run from {first} to {final} with {len(ids)} ids; they begin at 0 and "
                         f"{'end at' if last else 'stay within'} the number of ids")


def check_whole(name: str, value, least: int = 1) -> None:
    """ValueError unless value is a whole number from `least`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name}={value!r}; a whole number from {least} is needed")
