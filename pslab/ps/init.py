"""What a row holds before anyone pushed to it: a pure function of (seed, table, row, column).

    seed, table ──> base ──┐
    row ────────────────── mix ──> stream of the row ──┐
    column // 2 ────────────────────────────────────── mix ──> 64 bits: two columns

So a row is the same on however many servers, in whatever order rows are asked for, and in the single-process model
that a distributed run is compared with. `mix` is mixing.mix64.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from .mixing import GOLDEN, mix64

_BLOCK = 1 << 15            # 64-bit numbers mixed at a time: 256 KB, so that the passes of `mix` stay in cache


class Init(ABC):
    """How rows begin."""

    @abstractmethod
    def rows(self, keys, dim: int, table: str = "") -> np.ndarray:
        """First values of the rows `keys` ((n,) int64 or a range) of a table: (n, dim) float32."""


@dataclass(frozen=True)
class Zeros(Init):
    """All zero."""

    def rows(self, keys, dim, table=""):
        return np.zeros((len(keys), dim), np.float32)


@dataclass(frozen=True)
class Uniform(Init):
    """Uniform in [-scale, scale), in 2²⁴ equal steps."""

    scale: float
    seed: int = 0

    def __post_init__(self):
        if not 0 <= self.scale < float("inf"):
            raise ValueError(f"scale={self.scale}; 0 or a finite number above is needed")

    def rows(self, keys, dim, table=""):
        def to_float(words, out):
            np.multiply(words >> np.uint32(8), np.float32(2.0**-23 * self.scale), out=out, casting="unsafe")
            out -= np.float32(self.scale)
        return _fill(keys, dim, self.seed, table, to_float)


@dataclass(frozen=True)
class Integers(Init):
    """Whole numbers lo..hi-1 (as torch.randint) as float32, so that sums of them are exact."""

    lo: int
    hi: int
    seed: int = 0

    def __post_init__(self):
        if not -(2**24) <= self.lo < self.hi <= 2**24:
            raise ValueError(f"lo={self.lo}, hi={self.hi}; -2**24 <= lo < hi <= 2**24 is needed")

    def rows(self, keys, dim, table=""):
        span = np.uint64(self.hi - self.lo)

        def to_float(words, out):                   # high word of a product: even to within span / 2³²
            out[...] = (words.astype(np.uint64) * span) >> np.uint64(32)
            out += np.float32(self.lo)
        return _fill(keys, dim, self.seed, table, to_float)


def _fill(keys, dim: int, seed: int, table: str, to_float) -> np.ndarray:
    text = hashlib.blake2b(f"{seed}/{table}".encode(), digest_size=8).digest()
    base = np.uint64(int.from_bytes(text, "little"))
    keys = np.arange(keys.start, keys.stop, dtype=np.int64) if isinstance(keys, range) else np.asarray(keys)
    out, pairs = np.empty((len(keys), dim), np.float32), (dim + 1) // 2
    column = np.arange(1, pairs + 1, dtype=np.uint64) * np.uint64(GOLDEN)
    block = max(1, _BLOCK // pairs)
    for first in range(0, len(keys), block):
        stream = keys[first:first + block].astype(np.uint64)
        stream *= np.uint64(GOLDEN)
        stream += base
        numbers = mix64(mix64(stream)[:, None] + column)
        words = numbers.astype("<u8", copy=False).view("<u4")[:, :dim]
        to_float(words, out[first:first + block])
    return out
