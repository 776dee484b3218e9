"""How rows of float32 travel between ranks: as they are, in half precision, or as bytes with a scale and a minimum.

    wire     bytes of a row of D    a value x comes out as x + e, where
    fp32     4·D                    e = 0
    fp16     2·D                    |e| ≤ 2⁻¹¹·|x| for |x| ≥ 2⁻¹⁴, |e| ≤ 2⁻²⁵ below; beyond 65,504 it is ±inf
    int8     D + 8                  |e| ≤ (max − min)/510 of its row, and rounding: 2⁻²²·max|row| + 10⁻⁸

int8 is FBGEMM's row-wise layout: D numbers q = round((x − min)/scale) of one byte each, then scale = (max − min)/255
and min as float32; x ≈ q·scale + min. A constant row (scale 0) comes out as it went in. The pure error of int8 grows
with the span of its row: one outlier costs all others of its row their precision. A NaN is lost in it (fp32 and fp16
carry it), a row that spans more than float32 holds comes out as NaN, and of differences below 10⁻⁸ nothing is left.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Wire:
    """One way. `dtype` of a message; `more` elements that a row of D takes beyond D."""

    name: str
    dtype: torch.dtype
    more: int = 0

    def row_elements(self, dim: int) -> int:
        """Elements of `dtype` that a row of `dim` values takes."""
        return dim + self.more

    def row_bytes(self, dim: int) -> int:
        """Bytes that a row of `dim` values takes."""
        return self.row_elements(dim) * self.dtype.itemsize

    def encode(self, rows: torch.Tensor) -> torch.Tensor:
        """(n, D) float32 as n·row_elements(D) elements; with fp32 it shares memory with rows where it can."""
        if self.name == "int8":
            return torch.ops.quantized.embedding_bag_byte_prepack(rows.contiguous()).view(-1)
        return rows.to(self.dtype).reshape(-1)

    def decode(self, message: torch.Tensor, dim: int) -> torch.Tensor:
        """The rows of a message, (n, dim) float32; with fp32 they share its memory."""
        rows = message.view(-1, self.row_elements(dim))
        if self.name == "int8":
            return torch.ops.quantized.embedding_bag_byte_unpack(rows)
        return rows.to(torch.float32)


WIRES = {wire.name: wire for wire in (Wire("fp32", torch.float32), Wire("fp16", torch.float16),
                                      Wire("int8", torch.uint8, 8))}


def wires(wire) -> tuple[Wire, Wire]:
    """(of rows to requesters, of gradients to owners) from one name for both, or a pair of names."""
    pair = (wire, wire) if isinstance(wire, str) else wire
    if not isinstance(pair, (tuple, list)) or len(pair) != 2 or not all(name in WIRES for name in pair):
        raise ValueError(f"wire={wire!r}; allowed: {', '.join(WIRES)}, or a pair of them (rows, gradients)")
    return WIRES[pair[0]], WIRES[pair[1]]
