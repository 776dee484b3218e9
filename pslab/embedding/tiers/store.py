"""What every tier is: numbered rows of float32 that can be read and written, wherever they lie.

    RowStore   num_rows = R rows of `width` values      read(ids) -> (n, width)      write(ids, rows)      flush()
      MemoryStore   RAM of this process
      DeviceStore   memory of a GPU, or RAM that stands for it
      DiskStore     a file                                   what a flush has seen outlives a kill
      RemoteStore   the memory of another rank               a letter there and one back
      TieredStore   the rows in use in a fast store, all of them in a slow one; itself a RowStore, so tiers stack

A row of a table that is trained holds its values and, behind them, its optimizer state (see layout.py).
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np


class RowStore(ABC):
    """R = num_rows rows of width float32 values; n is the number of ids of a call.

    `steps` is a number that belongs to the rows and is kept with them: how many steps the optimizer has taken.
    """

    threads: bool = True        # whether one thread may read while another uses the store
    buffer_bytes: int = 0       # RAM that it takes for buffers; a tier above in RAM counts it as its own
    steps: int = 0
    _closed = False

    def __init__(self, num_rows: int, width: int):
        self.num_rows, self.width = whole("num_rows", num_rows), whole("width", width)

    def read(self, ids, out: np.ndarray | None = None) -> np.ndarray:
        """The rows of ids (n,), distinct, in their order: (n, width) float32, written into `out` where it is given."""
        self._check_open()
        ids = check_ids(ids, self.num_rows, self.name)
        if out is None:
            out = np.empty((len(ids), self.width), np.float32)
        elif not isinstance(out, np.ndarray) or out.shape != (len(ids), self.width) or out.dtype != np.float32:
            raise ValueError(f"{self.name}: out={_shown(out)}; a float32 array [{len(ids)}, {self.width}] is needed")
        if len(ids):
            self._read(ids, out)
        return out

    def write(self, ids, rows) -> None:
        """Set the rows of ids (n,), distinct, to rows (n, width) float32. Where it raises, none or some were set."""
        self._check_open()
        ids = check_ids(ids, self.num_rows, self.name)
        rows = as_array(rows)
        if rows.shape != (len(ids), self.width) or rows.dtype != np.float32:
            raise ValueError(f"{self.name}: rows={_shown(rows)}; a float32 array [{len(ids)}, {self.width}] is needed")
        if len(ids):
            self._write(ids, rows)

    def peek(self, ids) -> np.ndarray:
        """As read, for looking on: a cache does not take it for a use."""
        return self.read(ids)

    def tensor(self, ids):
        """As read, a torch tensor where the rows lie: on the device of a DeviceStore, else on the CPU."""
        import torch
        return torch.from_numpy(self.read(ids))

    def change(self, ids, function) -> None:
        """Read the rows of ids (n,), distinct, call function(rows), which changes them in place, and write them."""
        rows = self.read(ids)
        function(rows)
        self.write(ids, rows)

    def flush(self) -> None:
        """Return when all that was written lies where this store keeps it: for a file, on the disk."""
        self._check_open()
        self._flush()

    def close(self) -> None:
        """Flush, and give back what the store holds. Where flushing fails it stays open, and nothing is lost."""
        if not self._closed:
            self._flush()
            self._release()
            self._closed = True

    def abandon(self) -> None:
        """Close without flushing: what was written since the last flush may be lost."""
        if not self._closed:
            self._closed = True
            self._release()

    @property
    def name(self) -> str:
        """How errors call the store."""
        return type(self).__name__

    @abstractmethod
    def _read(self, ids: np.ndarray, out: np.ndarray) -> None:
        """As read, of checked ids, at least one."""

    @abstractmethod
    def _write(self, ids: np.ndarray, rows: np.ndarray) -> None:
        """As write, of checked ids and rows, at least one."""

    def _flush(self) -> None:
        """As flush."""
        return

    def _release(self) -> None:
        """Give back files, locks, threads."""
        return

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError(f"{self.name}: the store is closed")

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        try:
            self.close()
        except Exception as also:
            self.abandon()
            if error is None:
                raise
            error.add_note(f"and closing {self.name} failed: {also}")    # the first error is the one to be read


def check_ids(ids, num_rows: int, name: str) -> np.ndarray:
    """ids as (n,) int64; ValueError unless they are whole numbers of 0..num_rows - 1, each there once."""
    ids = as_array(ids)
    if ids.ndim != 1 or (ids.size and ids.dtype.kind not in "iu"):
        raise ValueError(f"{name}: ids={_shown(ids)}; whole numbers in one dimension are needed")
    ids = ids.astype(np.int64, copy=False)
    if not ids.size:
        return ids
    in_order = ids
    if not (ids[1:] > ids[:-1]).all():
        in_order = np.sort(ids)
        same = in_order[1:] == in_order[:-1]
        if same.any():
            raise ValueError(f"{name}: id {in_order[1:][same][0]} is there twice; a store takes each row once a call")
    low, high = in_order[0], in_order[-1]
    if low < 0 or high >= num_rows:
        raise ValueError(f"{name}: id {low if low < 0 else high} is out of range; its rows are 0..{num_rows - 1}")
    return ids


def as_array(values) -> np.ndarray:
    """A NumPy array of a CPU tensor's memory, or of a list."""
    return np.asarray(values.detach() if hasattr(values, "detach") else values)


def whole(argument: str, value, least: int = 1) -> int:
    """value as an int; ValueError unless it is a whole number from `least`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{argument}={value!r}; a whole number from {least} is needed")
    return int(value)


def _shown(value) -> str:
    return f"{value.dtype}{list(value.shape)}" if isinstance(value, np.ndarray) else f"a {type(value).__name__}"
