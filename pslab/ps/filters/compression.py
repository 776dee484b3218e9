"""Value compression: gradients and rows travel in fewer bits than they are kept in.

    float32     4 bytes a value     s eeeeeeee mmmmmmmmmmmmmmmmmmmmmmm
    fp16        2                   s eeeee mmmmmmmmmm          up to 65,504; larger ones become ±65,504
    bf16        2                   s eeeeeeee mmmmmmm          float32's range, 2 to 3 digits
    int8        1, and 4 a row      value = code · scale, code -127..127, scale = the row's largest |value| / 127

A row of dim values: 4·dim bytes become 2·dim, or dim + 4 (int8 saves nothing at dim 1). The error of a value is at most
2^-11 of it in fp16 (from 6.2·10⁻⁵ up), 2^-8 in bf16, half a scale in int8. Equal values are compressed to equal bits,
so a letter that is sent again brings the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from .base import Filter

KINDS = ("fp16", "bf16", "int8")
_LARGEST = 65504.0


@dataclass(frozen=True)
class ValueCompression(Filter):
    """Pushed values travel as "fp16", "bf16" or "int8"; with pulls=True the rows that come back do too.

    What is set (KVWorker.init, set) travels whole. NaN and infinity pass in fp16 and bf16; an int8 row with one of them
    arrives without a finite value.
    """

    kind: str = "fp16"
    pulls: bool = True

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"kind={self.kind!r}; allowed: {', '.join(KINDS)}")
        if not isinstance(self.pulls, bool):
            raise ValueError(f"pulls={self.pulls!r}; True or False is needed")

    def row_bytes(self, dim: int) -> int:
        """Bytes in which a row of dim values travels."""
        return dim + 4 if self.kind == "int8" else 2 * dim


def encode(kind: str, vals) -> list:
    """(n, dim) float32 as the tensors that travel: one, or for int8 codes (n, dim) and scales (n,) float32."""
    vals = vals if isinstance(vals, torch.Tensor) else torch.from_numpy(np.require(vals, requirements="CW"))
    if kind == "bf16":
        return [vals.to(torch.bfloat16)]
    if kind == "fp16":
        if vals.numel() and not vals.abs().amax() <= _LARGEST:
            vals = torch.where(torch.isfinite(vals), vals.clamp(-_LARGEST, _LARGEST), vals)
        return [vals.to(torch.float16)]
    scales = (vals.abs().amax(dim=1) if vals.numel() else vals.new_zeros(len(vals))) / 127
    by = torch.where(scales > 0, scales, 1.0)
    finite = torch.isfinite(scales)
    if not finite.all():
        scales, vals = torch.where(finite, scales, torch.nan), torch.where(finite[:, None], vals, 0.0)
    return [torch.round(vals / by[:, None]).to(torch.int8), scales]


def decode(kind: str, tensors: list) -> np.ndarray:
    """(n, dim) float32 of its own memory, from what encode made. ValueError when the tensors are something else."""
    needed = {"fp16": [torch.float16], "bf16": [torch.bfloat16], "int8": [torch.int8, torch.float32]}.get(kind)
    if needed is None or [tensor.dtype for tensor in tensors] != needed or tensors[0].ndim != 2 \
            or (kind == "int8" and tuple(tensors[1].shape) != tuple(tensors[0].shape[:1])):
        seen = ", ".join(f"{tensor.dtype}{list(tensor.shape)}" for tensor in tensors)
        raise ValueError(f"values compressed as {kind!r} came as {seen or 'nothing'}")
    vals = tensors[0].to(torch.float32)
    if kind == "int8":
        vals *= tensors[1][:, None]
    return vals.numpy()


def tensors_of(kind: str) -> int:
    """How many tensors a compressed matrix travels as."""
    return 2 if kind == "int8" else 1
