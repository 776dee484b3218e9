"""A table of rows: its size, and the four choices that say how it behaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .consistency import BSP, Consistency
from .dtypes import DTYPES, stored, values_of
from .init import Init, Zeros
from .partition import Partition, RangePartition
from .rules import SGD, Rule


@dataclass(frozen=True)
class TableConfig:
    """R = num_rows rows of dim values, keyed 0..R-1. Workers and servers are given the same list of these.

    num_rows=None: a table without end. Its keys are any 64-bit numbers, negative ones too (a uint64 key counts by its
    bits), and a row takes memory once it is written to; a HashPartition spreads them over servers.
    rule: what a gradient does. consistency: what a pull may see. partition: which server owns a row.
    init: what rows are before the first push. A dense parameter is a table too: one row, or one row a matrix row.
    dtype: "float32", or "bfloat16": rows are kept and travel in half the bytes, rounded to nearest even after each
    step, which is computed in float32 as its state is.
    storage: where a server keeps its rows and their state; None: in memory. Else a function (table, owned keys, index
    of the server) -> store, as pslab.embedding.tiers.Storage is: stored.py. For float32 rows of a given number.
    """

    name: str
    dim: int
    num_rows: int | None
    rule: Rule = field(default_factory=lambda: SGD(0.1))
    consistency: Consistency = field(default_factory=BSP)
    partition: Partition = field(default_factory=RangePartition)
    init: Init = field(default_factory=Zeros)
    dtype: str = "float32"
    storage: Callable | None = None

    def __post_init__(self):
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(f"name={self.name!r}; a table needs a name that is a non-empty string")
        for argument in ("dim", "num_rows"):
            value = getattr(self, argument)
            if argument == "num_rows" and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
                more = ", or None for any 64-bit keys" if argument == "num_rows" else ""
                raise ValueError(f"table {self.name!r}: {argument}={value!r}; a whole number from 1{more} is needed")
        if self.dtype not in DTYPES:
            raise ValueError(f"table {self.name!r}: dtype={self.dtype!r}; allowed: {', '.join(map(repr, DTYPES))}")
        if self.storage is not None and (not callable(self.storage) or self.dtype != "float32" or
                                         self.num_rows is None):
            raise ValueError(f"table {self.name!r}: storage={self.storage!r} with dtype={self.dtype!r} and num_rows="
                             f"{self.num_rows}; a function, \"float32\" and a number of rows are needed")
        for argument, kind in (("rule", Rule), ("consistency", Consistency), ("partition", Partition), ("init", Init)):
            value = getattr(self, argument)
            if not isinstance(value, kind):
                raise ValueError(f"table {self.name!r}: {argument}={value!r}; a {kind.__name__} object is needed")

    def initial_rows(self, keys=None) -> np.ndarray:
        """What the rows `keys` (a range or (n,) int64; None: all) hold before the first push: (n, dim) float32."""
        if keys is None and self.num_rows is None:
            raise ValueError(f"table {self.name!r} has no end (num_rows=None): say which keys")
        rows = self.init.rows(range(self.num_rows) if keys is None else keys, self.dim, self.name)
        return values_of(stored(rows, self.dtype), self.dtype)


def check_tables(tables) -> list[TableConfig]:
    """The tables as a list, or ValueError: at least one, TableConfig objects, names distinct."""
    tables = list(tables)
    for table in tables:
        if not isinstance(table, TableConfig):
            raise ValueError(f"tables holds {table!r}; TableConfig objects are needed")
    names = [table.name for table in tables]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or not names:
        raise ValueError(f"tables={names}; " + (f"{twice[0]!r} is there twice" if twice else "at least one is needed"))
    return tables
