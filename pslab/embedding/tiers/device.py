"""Rows in a device's memory: a GPU's, or the CPU's where it stands for one.

    ids (n,) ──> device ──index_select──> rows (n, width), there (`tensor`), or copied to the host (`read`)

As the fast store of a TieredStore its rows are the cache's slots: only ids, and rows that come or go, cross the bus.
"""

from __future__ import annotations

import numpy as np
import torch

from .layout import ZeroRows
from .memory import check_width
from .store import RowStore, check_ids

_FILL_BYTES = 1 << 22


class DeviceStore(RowStore):
    """All rows in one tensor (R, width) on `device`. first: what they hold at first, a RowLayout (None: zeros)."""

    def __init__(self, num_rows: int, width: int | None = None, first=None, *, device: str | torch.device = "cpu"):
        super().__init__(num_rows, first.width if width is None and first is not None else width)
        check_width(first or ZeroRows(self.width), self.width)
        self.device = torch.device(device)
        if self.device.type == "cuda" and not torch.cuda.is_available():
            raise ValueError(f"device={device!r}, but torch finds no GPU here; device='cpu' stands for one")
        self.all_rows = torch.zeros((self.num_rows, self.width), device=self.device)
        block = max(1, _FILL_BYTES // (4 * self.width))
        for lo in range(0, self.num_rows if first is not None else 0, block):
            rows = first.rows(range(lo, min(lo + block, self.num_rows)))
            self.all_rows[lo:lo + len(rows)] = torch.from_numpy(rows).to(self.device)

    def tensor(self, ids: np.ndarray) -> torch.Tensor:
        self._check_open()
        ids = check_ids(ids, self.num_rows, self.name)
        return self.all_rows.index_select(0, torch.from_numpy(np.ascontiguousarray(ids)).to(self.device))

    def _read(self, ids, out):
        torch.from_numpy(out).copy_(self.tensor(ids))

    def _write(self, ids, rows):
        at = torch.from_numpy(np.ascontiguousarray(ids)).to(self.device)
        self.all_rows[at] = torch.from_numpy(np.array(rows)).to(self.device)
