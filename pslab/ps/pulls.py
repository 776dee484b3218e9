"""A pull under way: rows come in pieces, one from each server concerned.

    piece of server 1 ──┐
    piece of server 0 ──┴─> buffer (u, dim): distinct rows, ascending ──inverse──> (n, dim) in the caller's order

Copies are made only where they are needed: one server and ascending keys give the received tensor itself, with `out`
the pieces land there directly, and the only piece is expanded from where it lies, be that the server's memory.
"""

from __future__ import annotations

import numpy as np
import torch

from pslab.comm import Mail

from .dtypes import DTYPES, as_tensor, bits_of


class PendingPull:
    """Rows under way: pieces land in a buffer of distinct rows, which `rows` expands into the caller's order."""

    def __init__(self, shape: tuple[int, int], num_distinct: int, inverse, out, target, missing: int,
                 dtype: str = "float32"):
        self.shape, self.num_distinct, self.inverse, self.dtype = shape, num_distinct, inverse, dtype
        self.out, self.target, self.missing = out, target, missing
        self.buffer = self.only = None

    def land(self, at: slice | np.ndarray, mail: Mail) -> tuple[int, int]:
        """One server's rows have come. Gives the bytes of (keys, vals) in its answer."""
        array = mail.views()[0]
        if self.buffer is None:
            if self.inverse is None and self.target is not None:
                self.buffer = self.target
            elif len(array) < self.num_distinct:
                self.buffer = np.empty((self.num_distinct, self.shape[1]), array.dtype)
        if self.buffer is None:
            self.only = mail                    # the only piece: it is the buffer
        else:
            self.buffer[at] = array
            mail.release()
        self.missing -= 1
        return 0, array.nbytes

    def drop(self) -> None:
        """A server refused part of this pull; nobody waits for it any more."""

    def rows(self):
        result, only = self.buffer, self.only
        if only is not None:
            if self.inverse is None:
                return only.tensors[0]
            result = only.views()[0]
        if result is None:                      # no keys, no rows
            result = np.empty(self.shape, DTYPES[self.dtype]) if self.target is None else self.target
        elif self.inverse is not None:
            result = result.take(self.inverse, axis=0, out=self.target, mode="clip")
        if only is not None:
            only.release()
        return as_tensor(result, self.dtype) if self.out is None else self.out


def target_of(out, shape: tuple[int, int], table: str, dtype: str = "float32") -> np.ndarray:
    """The memory of `out`, or ValueError when rows of this shape and dtype cannot be written into it."""
    name = str(out.dtype).removeprefix("torch.") if isinstance(out, (torch.Tensor, np.ndarray)) else ""
    array = bits_of(out.detach()) if isinstance(out, torch.Tensor) else out
    if name != dtype or array.shape != shape or not array.flags.c_contiguous or not array.flags.writeable:
        seen = f"{name}{list(array.shape)}" if name else type(out).__name__
        raise ValueError(f"table {table!r}: out is {seen}; a contiguous, writable {dtype}{list(shape)} is needed")
    return array
