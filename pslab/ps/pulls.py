"""A pull under way: rows come in pieces, one from each server concerned.

    piece of server 1 ──┐
    piece of server 0 ──┴─> buffer (u, dim): distinct rows, ascending ──inverse──> (n, dim) in the caller's order

Copies are made only where they are needed: one server and ascending keys give the received tensor itself, and with
`out` the pieces land there directly.
"""

from __future__ import annotations

import numpy as np
import torch


class PendingPull:
    """Rows under way: pieces land in a buffer of distinct rows, which `rows` expands into the caller's order."""

    def __init__(self, shape: tuple[int, int], num_distinct: int, inverse, out, target, missing: int):
        self.shape, self.num_distinct, self.inverse = shape, num_distinct, inverse
        self.out, self.target, self.missing = out, target, missing
        self.buffer = None

    def land(self, at: slice, tensors: list, meta: dict) -> tuple[int, int]:
        """One server's rows have come. Gives the bytes of (keys, vals) in its answer."""
        array = tensors[0].numpy()
        if self.buffer is None:
            if self.inverse is None and self.target is not None:
                self.buffer = self.target
            elif at.stop - at.start < self.num_distinct:
                self.buffer = np.empty((self.num_distinct, self.shape[1]), np.float32)
        if self.buffer is None:
            self.buffer = array                 # the only piece: it is the buffer
        else:
            self.buffer[at] = array
        self.missing -= 1
        return 0, array.nbytes

    def drop(self) -> None:
        """A server refused part of this pull; nobody waits for it any more."""

    def rows(self):
        result = self.buffer
        if result is None:                      # no keys, no rows
            result = np.empty(self.shape, np.float32) if self.target is None else self.target
        elif self.inverse is not None:
            result = result.take(self.inverse, axis=0, out=self.target, mode="clip")
        return torch.from_numpy(result) if self.out is None else self.out


def target_of(out, shape: tuple[int, int], table: str) -> np.ndarray:
    """The memory of `out`, or ValueError when rows of this shape cannot be written into it."""
    array = out.detach().numpy() if isinstance(out, torch.Tensor) else out
    if not isinstance(array, np.ndarray) or array.shape != shape or array.dtype != np.float32 \
            or not array.flags.c_contiguous or not array.flags.writeable:
        seen = f"{array.dtype}{list(array.shape)}" if isinstance(array, np.ndarray) else type(out).__name__
        raise ValueError(f"table {table!r}: out is {seen}; a contiguous, writable float32{list(shape)} is needed")
    return array
