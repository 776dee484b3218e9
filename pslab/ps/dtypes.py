"""How rows are kept and sent: float32, or bfloat16, its upper half.

    float32   s eeeeeeee mmmmmmm mmmmmmmmmmmmmmmm      arithmetic: always this
    bfloat16  s eeeeeeee mmmmmmm                       storage and wire: rounded to nearest, ties to even; NaN stays NaN

NumPy has no bfloat16: rows of that kind are arrays of their 16 bits (uint16) here, and torch tensors in letters. A
row's rule state is float32 in either case. A gradient below half a step of its row's last bit (2^-9 of the value) is
lost in bfloat16, on servers as in torch.
"""

from __future__ import annotations

import numpy as np
import torch

DTYPES = {"float32": np.dtype(np.float32), "bfloat16": np.dtype(np.uint16)}


def stored(values: np.ndarray, dtype: str) -> np.ndarray:
    """float32 values as they are kept: the array itself, or a rounded copy."""
    if dtype == "float32":
        return values
    if not values.flags.writeable:              # PyTorch would warn
        values = values.copy()
    return torch.from_numpy(values).to(torch.bfloat16).view(torch.uint16).numpy()


def values_of(rows: np.ndarray, dtype: str) -> np.ndarray:
    """float32 values of kept rows: the array itself, or a copy."""
    return rows if dtype == "float32" else (rows.astype(np.uint32) << np.uint32(16)).view(np.float32)


def to_wire(rows: np.ndarray, dtype: str) -> np.ndarray | torch.Tensor:
    """Kept rows, as a letter brings them; the same memory."""
    return rows if dtype == "float32" else torch.from_numpy(rows).view(torch.bfloat16)


def as_tensor(rows: np.ndarray, dtype: str) -> torch.Tensor:
    """Kept rows as a tensor of their dtype; the same memory."""
    tensor = torch.from_numpy(rows)
    return tensor if dtype == "float32" else tensor.view(torch.bfloat16)


def bits_of(tensor: torch.Tensor) -> np.ndarray:
    """A tensor's NumPy view; bfloat16 as its bits."""
    return (tensor.view(torch.uint16) if tensor.dtype == torch.bfloat16 else tensor).numpy()


def copy_of(tensor: np.ndarray | torch.Tensor) -> np.ndarray | torch.Tensor:
    return tensor.clone() if isinstance(tensor, torch.Tensor) else tensor.copy()
